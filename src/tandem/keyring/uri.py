"""Which token of which HSM: a PKCS #11 URI (RFC 7512), of which this much is understood.

    pkcs11:token=tandem;object=seal?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=/etc/pin

`token`, `serial`, `manufacturer` or `model` is what names the token; `object` begins the labels of
our keys in it (`tandem`). `module-path` is the library of the HSM's maker, `pin-source` a file of
mode 0600 that holds the PIN. A PIN in the URI itself would show in lists of processes: refused.
"""

import re
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import unquote

from tandem.kernel import Invalid

SCHEME: Final = "pkcs11:"
VARIABLE: Final = "TANDEM_KEYRING"
_LABEL: Final = re.compile(r"[ -~]{1,24}", re.ASCII)
_PATHS: Final = ("token", "serial", "object")
_QUERIES: Final = ("module-path", "pin-source")


class TokenAt(NamedTuple):
    """Where keys are: the library, the token in it, our keys' label, and the file of the PIN."""

    module: Path
    token: str | None
    serial: str | None
    label: str
    pin: Path

    @property
    def shown(self) -> str:
        """What people call the token."""
        return f"token {self.token or self.serial}"


def read_uri(text: str) -> TokenAt:
    """Read a PKCS #11 URI. Raises `Invalid` saying what is missing or not understood."""
    if not text.startswith(SCHEME):
        raise Invalid(VARIABLE, f"must be a PKCS #11 URI (RFC 7512), which begins with {SCHEME}")
    path, _, query = text.removeprefix(SCHEME).partition("?")
    attributes = _attributes(path, ";", _PATHS)
    options = _attributes(query, "&", _QUERIES)
    for name in _QUERIES:
        if name not in options:
            raise Invalid(VARIABLE, f"has no {name} (after the question mark)")
    if not {"token", "serial"} & attributes.keys():
        raise Invalid(VARIABLE, "names no token: token=… or serial=…")
    label = attributes.get("object", "tandem")
    if _LABEL.fullmatch(label) is None:
        raise Invalid(VARIABLE, "object must be 1 to 24 printable ASCII characters")
    return TokenAt(
        _absolute(options["module-path"], "module-path"),
        attributes.get("token"),
        attributes.get("serial"),
        label,
        _absolute(
            options["pin-source"].removeprefix("file://").removeprefix("file:"), "pin-source"
        ),
    )


def _attributes(text: str, between: str, known: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, text.split(between)):
        name, equals, value = part.partition("=")
        if name == "pin-value":
            raise Invalid(VARIABLE, "must not hold the PIN itself: give pin-source, a file")
        if name not in known or not equals or name in found:
            raise Invalid(VARIABLE, f"has {name[:20]!r}; understood once each: {', '.join(known)}")
        found[name] = unquote(value)
    return found


def _absolute(text: str, name: str) -> Path:
    path = Path(text)
    if not path.is_absolute():
        raise Invalid(VARIABLE, f"{name} must be a path from the root on")
    return path
