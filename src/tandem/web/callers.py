"""Who asks: by an API key in a header, or by a session in a cookie. And what they may."""

import re
from typing import Final

from tandem.access import Access, KeyUnknown, Principal, SessionOver
from tandem.api.errors import ScopeMissing, Unauthenticated, WrongKind
from tandem.web.cookies import HEADER, SAFE, Cookies
from tandem.web.limits import Limits
from tandem.web.reading import Headers
from tandem.web.routing import Route

_SECRET: Final = re.compile(rb"[Bb]earer +(tk_[A-Za-z0-9_-]{1,100})")


class Callers:
    """Finds out who asks, and counts what they ask against the limits."""

    def __init__(self, access: Access, limits: Limits, cookies: Cookies) -> None:
        self._access = access
        self._limits = limits
        self._cookies = cookies

    async def find(self, route: Route, headers: Headers, client: str) -> Principal | None:
        """Who asks; None for nobody, where nobody may. Counts against the limits."""
        operation = route.operation
        if operation.opens_session and route.open:
            self._cookies.check_origin(headers.get(b"origin"))
        value = headers.get(b"authorization")
        if value is None:
            signed_in = await self._signed_in(route, headers, client)
            if signed_in is not None:
                self._limits.request(signed_in.key_id)
                return signed_in
            if not route.open:
                raise Unauthenticated
            self._limits.stranger(
                client,
                writes=operation.method != "GET",
                limit=operation.limit,
            )
            return None
        match = _SECRET.fullmatch(value)
        if match is None:
            raise Unauthenticated
        secret = match[1].decode()
        access = self._access
        self._limits.before_key(client, secret, access.knows)
        try:
            principal = await access.authenticate(secret)
        except KeyUnknown:
            self._limits.wrong_key(client)
            raise Unauthenticated from None
        if route.open and principal.kind not in route.scopes:
            # Here a stranger may ask, and a key that is good elsewhere lifts no stranger's limit.
            self._limits.stranger(
                client,
                writes=operation.method != "GET",
                limit=operation.limit,
            )
        self._limits.request(principal.key_id)
        return principal

    async def _signed_in(self, route: Route, headers: Headers, client: str) -> Principal | None:
        """Who asks by a session; None without one.

        Of several cookies the header Tandem-Session says which, else the operation: the first kind
        that may. Where strangers may ask, a session that is over is none.
        """
        tokens = self._cookies.read(headers.get(b"cookie"))
        kinds = route.scopes
        asked = headers.get(HEADER)
        if asked is not None:
            wanted = asked.decode("latin-1")
            tokens = {kind: token for kind, token in tokens.items() if kind == wanted}
        kind = next((kind for kind in (*kinds, *tokens) if kind in tokens), None)
        if kind is None or (route.open and kind not in kinds):
            return None
        if route.operation.method not in SAFE:
            self._cookies.check_origin(headers.get(b"origin"))
        sessions, token = self._access.sessions, tokens[kind]
        self._limits.before_session(client, known=sessions.knows(token))
        try:
            return await sessions.authenticate(token)
        except SessionOver:
            self._limits.wrong_session(client)
            if route.open:
                return None
            raise


def check_may(route: Route, principal: Principal) -> None:
    """That the kind is right and the scope is there. Raises `WrongKind`, `ScopeMissing`."""
    scopes = route.scopes
    if principal.kind not in scopes:
        if route.open:
            return
        raise WrongKind(principal.kind, tuple(scopes))
    wanted = scopes[principal.kind]
    if wanted is not None and not principal.scopes & {wanted, route.operation.or_scope}:
        raise ScopeMissing(wanted)
