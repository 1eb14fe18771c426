"""Sessions in cookies: which cookie a request goes by, and that it came from our own pages.

Each face has its own: somebody may be signed in as a person, for their shop and as operator, in one
browser. Over TLS a cookie's name has the prefix `__Host-` (RFC 6265bis §4.1.3.2: for this host
only, no subdomain can plant one). `HttpOnly` keeps scripts from it, `SameSite=Strict` other sites'
requests. Beside that a request that changes something must have our own `Origin` (RFC 6454 §7).
"""

from typing import Final

from tandem.access import Kind
from tandem.api.errors import OriginRefused
from tandem.settings import Settings
from tandem.signin import site_of

KINDS: Final[tuple[Kind, ...]] = ("person", "merchant", "operator")
HEADER: Final = b"tandem-session"
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Cookies:
    """The cookies of this installation."""

    def __init__(self, settings: Settings) -> None:
        tls = settings.signs_in_with_tls
        prefix = "__Host-tandem-" if tls else "tandem-"
        self._names: dict[Kind, str] = {kind: prefix + kind for kind in KINDS}
        self._kinds = {name: kind for kind, name in self._names.items()}
        self._attributes = "; Path=/; HttpOnly; SameSite=Strict" + ("; Secure" if tls else "")
        self._seconds: dict[Kind, int] = dict.fromkeys(KINDS, settings.staff_session_seconds)
        self._seconds["person"] = settings.session_seconds
        self._origins = {origin.encode() for origin in site_of(settings).origins}

    def read(self, value: bytes | None) -> dict[Kind, str]:
        """The tokens in a Cookie header. One that is there twice is none: which is meant?"""
        if value is None:
            return {}
        found: dict[Kind, str] = {}
        twice: set[Kind] = set()
        for pair in value.decode("latin-1").split(";"):
            name, _, token = pair.strip(" \t").partition("=")
            kind = self._kinds.get(name)
            if kind is None:
                continue
            if kind in found:
                twice.add(kind)
            found[kind] = token
        return {kind: token for kind, token in found.items() if kind not in twice}

    def put(self, kind: Kind, token: str | None) -> bytes:
        """The Set-Cookie header that keeps a token; None takes it away."""
        age = 0 if token is None else self._seconds[kind]
        return f"{self._names[kind]}={token or ''}; Max-Age={age}{self._attributes}".encode()

    def check_origin(self, origin: bytes | None) -> None:
        """That a request comes from our own pages. Raises `OriginRefused`."""
        if origin not in self._origins:
            raise OriginRefused
