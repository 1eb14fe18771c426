"""Sessions: what a browser has after its person has signed in.

A session is an opaque random token in a cookie; stored is its hash. It is over when it was ended,
when it was not used for a while (idle), or at its last moment, however much it is used. Staff's
are shorter than people's. Its role is that of when it was opened: a change ends it.
"""

import base64
import hashlib
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.access.errors import SessionOver
from tandem.access.model import SECRET_BYTES, Kind, Principal, SignedIn
from tandem.access.roles import role_of, scopes_of
from tandem.db import Connection, Pool, work
from tandem.kernel import Clock, Entropy, Ids, Lru, NotFound, show_id
from tandem.settings import Settings

CACHED_SESSIONS: Final = 100_000
TOUCH: Final = timedelta(minutes=1)
"""How exactly it is known when a session was last used."""
MOST: Final = 30
"""Sessions that one holder has at once; one more ends the one that was used longest ago."""
_TOKEN: Final = re.compile(r"ts_[A-Za-z0-9_-]{43}", re.ASCII)
_COLUMNS: Final = (
    "id, kind, owner_id, holder_id, holder_name, role, refund_limit, refund_day_limit, device_id, "
    "name, client, created_at, verified_at, last_used_at, expires_at, ended_at"
)


class Session(msgspec.Struct, frozen=True):
    """A row of `sessions` without its hash. `verified_at`: the passkey was last asked for."""

    id: UUID
    kind: Kind
    owner_id: UUID
    holder_id: UUID
    holder_name: str
    role: str | None
    refund_limit: int | None
    refund_day_limit: int | None
    device_id: UUID | None
    name: str
    client: str
    created_at: datetime
    verified_at: datetime
    last_used_at: datetime
    expires_at: datetime
    ended_at: datetime | None

    def principal(self) -> Principal:
        """Whoever asks with it."""
        return Principal(
            self.kind,
            self.owner_id,
            self.id,
            self.device_id,
            scopes_of(self.kind, self.role),
            self.holder_name,
            SignedIn(self.id, self.holder_id, self.role, self.refund_limit, self._day_limit()),
        )

    def _day_limit(self) -> int | None:
        """A process from before there were such limits opens sessions without one."""
        if self.role is None or self.kind == "person" or self.refund_day_limit is not None:
            return self.refund_day_limit
        return role_of(self.kind, self.role).day_limit(self.refund_limit)


class SessionView(msgspec.Struct, frozen=True):
    """A session as its holder sees it."""

    id: Annotated[str, Meta(examples=["ses_0199f0a4c0de70008000000000000031"])]
    name: Annotated[str, Meta(description="The browser", examples=["Chrome on Android"])]
    client: Annotated[str, Meta(description="The address it signed in from", examples=["::1"])]
    device_id: Annotated[str | None, Meta(description="The device that it belongs to, if it does")]
    current: Annotated[bool, Meta(description="Whether it is the one that asks")]
    created_at: datetime
    last_used_at: Annotated[datetime, Meta(description="To the minute")]
    expires_at: Annotated[datetime, Meta(description="Over by then, however much it is used")]


class NewSession(msgspec.Struct, frozen=True):
    """What a session is opened for. `name` is the browser, `client` its network address."""

    kind: Kind
    owner_id: UUID
    holder_id: UUID
    holder_name: str
    role: str | None
    refund_limit: int | None
    refund_day_limit: int | None
    device_id: UUID | None
    name: str
    client: str


class Opened(msgspec.Struct, frozen=True):
    """A session that was just opened, with its token, which is shown this once."""

    session: Session
    token: str


class _Seen:
    """A session in memory, and when it was last used as far as this process knows."""

    __slots__ = ("session", "used_at")

    def __init__(self, session: Session) -> None:
        self.session = session
        self.used_at = session.last_used_at


def digest(token: str) -> bytes | None:
    """The hash that a token is stored under; None if it cannot be one."""
    if _TOKEN.fullmatch(token) is None:
        return None
    return hashlib.sha256(token.encode()).digest()


def session_view(session: Session, current: UUID | None) -> SessionView:
    """The session as its holder sees it."""
    return SessionView(
        show_id("ses", session.id),
        session.name,
        session.client,
        None if session.device_id is None else show_id("dev", session.device_id),
        session.id == current,
        session.created_at,
        session.last_used_at,
        session.expires_at,
    )


class Sessions:
    """Opens, knows, lists and ends sessions."""

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        ids: Ids,
        entropy: Entropy,
        settings: Settings,
        told: Callable[[UUID], None],
    ) -> None:
        """`told` is called with the id of each session that is ended."""
        self._told = told
        self._pool = pool
        self._clock = clock
        self._ids = ids
        self._entropy = entropy
        self._settings = settings
        self._known: Lru[bytes, _Seen] = Lru(CACHED_SESSIONS)

    async def open(self, connection: Connection, new: NewSession) -> Opened:
        """A new session, in the caller's unit of work; a token that was there before is no use."""
        token = "ts_" + base64.urlsafe_b64encode(self._entropy(SECRET_BYTES)).decode().rstrip("=")
        now = self._clock.now()
        _, seconds = self._times(new.kind)
        session = Session(
            self._ids.new(),
            **msgspec.structs.asdict(new),
            created_at=now,
            verified_at=now,
            last_used_at=now,
            expires_at=now + timedelta(seconds=seconds),
            ended_at=None,
        )
        await connection.execute(
            f"INSERT INTO sessions ({_COLUMNS}, hash) VALUES "
            "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
            *msgspec.structs.astuple(session),
            digest(token),
        )
        await self._end(
            connection,
            "id IN (SELECT id FROM sessions WHERE holder_id = $2 AND ended_at IS NULL "
            "ORDER BY last_used_at DESC, id DESC OFFSET $3)",
            new.holder_id,
            MOST,
        )
        return Opened(session, token)

    def knows(self, token: str) -> bool:
        """Whether this token was right when it was last seen, by this process."""
        hashed = digest(token)
        return hashed is not None and self._known.get(hashed) is not None

    async def authenticate(self, token: str) -> Principal:
        """Whose session this is. Raises `SessionOver`."""
        hashed = digest(token)
        if hashed is None:
            raise SessionOver
        now = self._clock.now()
        seen = self._known.get(hashed)
        if seen is None or self._over(seen.session, seen.used_at, now):
            # Another process may have seen it used since.
            seen = await self._read(hashed, now)
        if now - seen.used_at >= TOUCH:
            seen.used_at = now
            async with work(self._pool, changes=False) as connection:
                await connection.execute(
                    "UPDATE sessions SET last_used_at = greatest(last_used_at, $2) WHERE id = $1",
                    seen.session.id,
                    now,
                )
        return seen.session.principal()

    async def current(self, connection: Connection, session_id: UUID) -> Session:
        """The session that asks, as it stands. Raises `SessionOver`."""
        row = await connection.fetchrow(
            f"SELECT {_COLUMNS} FROM sessions WHERE id = $1 AND ended_at IS NULL", session_id
        )
        if row is None:
            raise SessionOver
        return Session(*row)

    async def verified(self, connection: Connection, session_id: UUID) -> datetime:
        """When its holder was last asked for the passkey. Raises `SessionOver`."""
        found: datetime | None = await connection.fetchval(
            "SELECT verified_at FROM sessions WHERE id = $1 AND ended_at IS NULL", session_id
        )
        if found is None:
            raise SessionOver
        return found

    async def verify(self, connection: Connection, session_id: UUID) -> None:
        """Its holder's passkey was asked for at this moment. Raises `SessionOver`."""
        done = await connection.fetchval(
            "UPDATE sessions SET verified_at = $2 WHERE id = $1 AND ended_at IS NULL RETURNING id",
            session_id,
            self._clock.now(),
        )
        if done is None:
            raise SessionOver

    async def bind(self, connection: Connection, session_id: UUID, device_id: UUID) -> None:
        """The session belongs to this device from now on, if it does not belong to one."""
        await connection.execute(
            "UPDATE sessions SET device_id = $2 WHERE id = $1 AND device_id IS NULL",
            session_id,
            device_id,
        )

    async def device_of(self, principal: Principal) -> UUID | None:
        """The device that a key or a session belongs to.

        A session may have been bound to one a moment ago, by another process.
        """
        if principal.device_id is not None or principal.signed_in is None:
            return principal.device_id
        async with self._pool.acquire() as connection:
            found: UUID | None = await connection.fetchval(
                "SELECT device_id FROM sessions WHERE id = $1", principal.signed_in.session_id
            )
        return found

    async def of_holder(
        self, connection: Connection, holder_id: UUID, before: UUID | None, limit: int
    ) -> list[Session]:
        """The sessions that a holder has, newest first, older than `before`."""
        now = self._clock.now()
        rows = await connection.fetch(
            f"SELECT {_COLUMNS} FROM sessions WHERE holder_id = $1 AND ended_at IS NULL "
            "AND expires_at > $2 AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4",
            holder_id,
            now,
            before,
            limit,
        )
        found = [Session(*row) for row in rows]
        return [one for one in found if not self._over(one, one.last_used_at, now)]

    async def end(self, connection: Connection, holder_id: UUID, session_id: UUID) -> None:
        """End a session of the holder's. Raises `NotFound`."""
        if not await self._end(connection, "holder_id = $2 AND id = $3", holder_id, session_id):
            raise NotFound("session", show_id("ses", session_id))

    async def end_all(
        self, connection: Connection, holder_id: UUID, but: UUID | None = None
    ) -> None:
        """End all sessions of a holder, or all but one."""
        await self._end(
            connection, "holder_id = $2 AND id IS DISTINCT FROM $3::uuid", holder_id, but
        )

    async def end_of_device(self, connection: Connection, device_id: UUID) -> None:
        """End all sessions of a device."""
        await self._end(connection, "device_id = $2", device_id)

    async def end_by_token(self, connection: Connection, token: str) -> None:
        """End the session of a token that another one takes the place of."""
        await self._end(connection, "hash = $2", digest(token))

    async def forget_ended(self, connection: Connection, since: datetime) -> None:
        """Drop what other processes ended since then; times are theirs: a minute covers that."""
        rows = await connection.fetch(
            "SELECT id, hash FROM sessions WHERE ended_at > $1::timestamptz - interval '1 minute'",
            since,
        )
        for row in rows:
            self._forget(*row)

    def forget_all(self) -> None:
        """Drop all that is in memory: what happened meanwhile is unknown."""
        self._known = Lru(CACHED_SESSIONS)

    def _forget(self, session_id: UUID, hashed: bytes) -> None:
        self._known.drop(hashed)
        self._told(session_id)

    async def _end(self, connection: Connection, which: str, *arguments: object) -> int:
        rows = await connection.fetch(
            f"UPDATE sessions SET ended_at = $1 WHERE ended_at IS NULL AND {which} "
            "RETURNING id, hash",
            self._clock.now(),
            *arguments,
        )
        for row in rows:
            self._forget(*row)
        return len(rows)

    async def _read(self, hashed: bytes, now: datetime) -> _Seen:
        async with self._pool.acquire() as connection:
            row = await connection.fetchrow(
                f"SELECT {_COLUMNS} FROM sessions WHERE hash = $1 AND ended_at IS NULL", hashed
            )
        if row is None:
            self._known.drop(hashed)
            raise SessionOver
        session = Session(*row)
        if self._over(session, session.last_used_at, now):
            self._known.drop(hashed)
            raise SessionOver
        seen = _Seen(session)
        self._known.put(hashed, seen)
        return seen

    def _over(self, session: Session, used_at: datetime, now: datetime) -> bool:
        idle, _ = self._times(session.kind)
        return now >= session.expires_at or now - used_at >= timedelta(seconds=idle)

    def _times(self, kind: Kind) -> tuple[int, int]:
        """How long a session may be idle, and how long it may be, in seconds."""
        settings = self._settings
        if kind == "person":
            return settings.session_idle_seconds, settings.session_seconds
        return settings.staff_session_idle_seconds, settings.staff_session_seconds
