"""What the audit log is to have of a request (tandem.db.audit writes it)."""

from typing import Final

import asyncpg
import structlog

from tandem.access import Principal
from tandem.api.errors import ReasonMissing
from tandem.db import Pool, work
from tandem.db.audit import Act, Actor, ActorKind, because, record
from tandem.kernel import Clock, Ids, Refused
from tandem.web.faults import describe
from tandem.web.reading import Headers, read_reason
from tandem.web.routing import MAX_TEXT, Found, Route

log = structlog.get_logger(__name__)

_AWAY: Final = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


class Register:
    """Says what is being done, and keeps what was refused."""

    def __init__(self, pool: Pool, ids: Ids, clock: Clock) -> None:
        self._pool = pool
        self._ids = ids
        self._clock = clock

    def act(
        self,
        route: Route,
        caller: Principal | None,
        found: Found,
        request_id: str,
        client: str,
        *,
        exports: bool = False,
    ) -> Act | None:
        """What the log is to have of this; None if nothing."""
        operation = route.operation
        staff = caller is not None and caller.signed_in is not None and caller.kind != "person"
        if operation.method == "GET" and not (staff and (operation.noted or exports)):
            return None
        if operation.in_volume and not staff:
            return None
        return Act(
            None if caller is None else _actor(caller),
            f"{operation.name}.export" if exports else operation.name,
            request_id=request_id,
            client=client,
            new_id=self._ids.new,
            now=self._clock.now,
            on=_named(found),
        )

    async def keep_reading(self, act: Act, route: Route) -> None:
        """Keep that staff looked at something, before they see it. Raises if that fails."""
        if route.operation.method == "GET" and not act.recorded:
            async with work(self._pool, changes=False) as connection:
                await record(connection, act)

    async def keep_refusal(self, act: Act | None, refused: Refused, route: Route | None) -> None:
        """Keep what staff was refused, and what was refused to who tried to sign in."""
        if act is None or act.actor is None or act.recorded or route is None:
            return
        came_in = route.open and act.actor.kind == "person"
        if act.actor.kind != "staff" and not came_in:
            return
        try:
            async with work(self._pool, changes=False) as connection:
                act.outcome = refused.code
                await record(connection, act)
        except _AWAY as error:
            log.error("audit record lost", request_id=act.request_id, **describe(error))  # noqa: TRY400 - a traceback shows values


def give_reason(route: Route, caller: Principal, headers: Headers) -> None:
    """Let the log have why it is done. Raises `ReasonMissing` where staff must say so."""
    reason = read_reason(headers)
    if reason is not None:
        because(reason)
    elif route.operation.why and caller.kind == "operator" and caller.signed_in is not None:
        raise ReasonMissing


def _named(found: Found) -> str | None:
    """The first id in the path, if it can be one."""
    text = found.values[0] if found.values else ""
    return text if text.isascii() and text.isprintable() and 1 <= len(text) <= MAX_TEXT else None


def _actor(caller: Principal) -> Actor:
    """Whoever asks, as the audit log names them."""
    signed_in = caller.signed_in
    if signed_in is None:
        if caller.device_id is not None:
            return Actor(caller.kind, caller.owner_id, "device", caller.device_id, caller.name)
        return Actor(caller.kind, caller.owner_id, "key", caller.key_id, caller.name)
    kind: ActorKind = "person" if caller.kind == "person" else "staff"
    return Actor(
        caller.kind,
        caller.owner_id,
        kind,
        signed_in.holder_id,
        caller.name,
        signed_in.session_id,
    )
