"""Making, checking, listing and revoking keys; and knowing who asks, by key or by session."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import structlog

from tandem.access.errors import KeyUnknown
from tandem.access.model import (
    Key,
    Kind,
    NewKey,
    Principal,
    check_scopes,
    digest,
    new_secret,
    widened,
)
from tandem.access.sessions import Sessions
from tandem.access.uses import Uses
from tandem.db import Connection, Pool
from tandem.db.audit import about
from tandem.kernel import Clock, Entropy, Ids, Lru, NotFound, clean_text, show_id
from tandem.settings import Settings

log = structlog.get_logger(__name__)

CACHED_KEYS: Final = 100_000
NAME_LENGTH: Final = 100
FOLLOW_SECONDS: Final = 0.5
_COLUMNS: Final = (
    "id, owner_kind, owner_id, device_id, name, hint, scopes, created_at, revoked_at, last_used_at"
)


class Access:
    """Knows the keys and, by `sessions`, who signed in.

    What was seen stays in memory; `follow` drops revoked keys and ended sessions, wherever that
    was, within half a second; within one while last uses are slow to write.
    """

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        ids: Ids,
        entropy: Entropy,
        settings: Settings = Settings(),  # noqa: B008 - a frozen value
    ) -> None:
        self.sessions = Sessions(pool, clock, ids, entropy, settings, self._tell)
        self._pool = pool
        self._clock = clock
        self._ids = ids
        self._entropy = entropy
        self._known: Lru[bytes, Principal] = Lru(CACHED_KEYS)
        self._right: Lru[bytes, UUID] = Lru(CACHED_KEYS)
        """Keys that were right when last asked for; outlives a new start of `follow`."""
        self._uses = Uses()
        self._followed_until: datetime | None = None
        self._listeners: list[Callable[[UUID], None]] = []

    def on_revoked(self, listener: Callable[[UUID], None]) -> None:
        """Call `listener` with the id of each key revoked and session ended, wherever it was.

        At least once, and also if it is not in memory: what it opened may outlive its place there.
        """
        self._listeners.append(listener)

    def knows(self, secret: str) -> bool:
        """Whether this key was right when it was last seen, and nobody has revoked it since."""
        hashed = digest(secret)
        return hashed is not None and self._right.get(hashed) is not None

    async def authenticate(self, secret: str) -> Principal:
        """Whose key this is. Raises `KeyUnknown`."""
        hashed = digest(secret)
        if hashed is None:
            raise KeyUnknown
        known = self._known.get(hashed)
        if known is not None:
            self._uses.note.add(known.key_id)
            return known
        async with self._pool.acquire() as connection:
            row = await connection.fetchrow(
                f"SELECT {_COLUMNS} FROM api_keys WHERE hash = $1 AND revoked_at IS NULL",
                hashed,
            )
        if row is None:
            self._right.drop(hashed)
            raise KeyUnknown
        key = Key(*row)
        principal = Principal(
            key.owner_kind,
            key.owner_id,
            key.id,
            key.device_id,
            widened(key.owner_kind, key.scopes),
            key.name,
        )
        self._known.put(hashed, principal)
        self._right.put(hashed, key.id)
        self._uses.note.add(key.id)
        return principal

    async def create(
        self,
        connection: Connection,
        *,
        kind: Kind,
        owner_id: UUID,
        name: str,
        scopes: list[str],
        device_id: UUID | None = None,
    ) -> NewKey:
        """Make a key in the caller's unit of work; its secret is in the answer and nowhere else.

        Raises `NoSuchScope`; `Invalid` for a name that cannot be shown.
        """
        name = clean_text(name, "name", NAME_LENGTH)
        secret = new_secret(kind, self._entropy)
        key_id, now = self._ids.new(), self._clock.now()
        checked = check_scopes(kind, scopes)
        await connection.execute(
            "INSERT INTO api_keys (id, hash, owner_kind, owner_id, device_id, name, hint, scopes, "
            "created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            key_id,
            digest(secret),
            kind,
            owner_id,
            device_id,
            name,
            secret[-4:],
            checked,
            now,
        )
        about(show_id("key", key_id))
        return NewKey(show_id("key", key_id), name, checked, secret, now)

    async def revoke(self, connection: Connection, owner_id: UUID, key_id: UUID) -> None:
        """Revoke a key of the owner's. Raises `NotFound`."""
        hashed = await connection.fetchval(
            "UPDATE api_keys SET revoked_at = coalesce(revoked_at, $3) "
            "WHERE id = $1 AND owner_id = $2 RETURNING hash",
            key_id,
            owner_id,
            self._clock.now(),
        )
        if hashed is None:
            raise NotFound("API key", show_id("key", key_id))
        self._forget(key_id, hashed)

    async def revoke_device(self, connection: Connection, device_id: UUID) -> None:
        """Revoke every key of a device, and end its sessions."""
        await self.sessions.end_of_device(connection, device_id)
        rows = await connection.fetch(
            "UPDATE api_keys SET revoked_at = $2 WHERE device_id = $1 AND revoked_at IS NULL "
            "RETURNING id, hash",
            device_id,
            self._clock.now(),
        )
        for row in rows:
            self._forget(*row)

    async def rename_device(
        self, connection: Connection, device_id: UUID, name: str
    ) -> Callable[[], None]:
        """Name the keys of a device as it is named: the audit log calls whoever asks by it.

        Call what it answers after the commit: until then a request still reads the old name.
        Another process that knows such a key says the old name until it reads the key anew.
        """
        rows = await connection.fetch(
            "UPDATE api_keys SET name = $2 WHERE device_id = $1 RETURNING hash", device_id, name
        )

        def forget() -> None:
            for row in rows:
                self._known.drop(row["hash"])

        return forget

    async def keys_of(
        self, connection: Connection, owner_id: UUID, before: UUID | None, limit: int
    ) -> list[Key]:
        """The owner's keys, newest first, older than `before`."""
        rows = await connection.fetch(
            f"SELECT {_COLUMNS} FROM api_keys WHERE owner_id = $1 "
            "AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
            owner_id,
            before,
            limit,
        )
        return [Key(*row) for row in rows]

    async def follow(self) -> None:
        """Drop the keys that other processes revoke, and the sessions that they end; for ever.

        Beside it, write down which keys were used.

        What happened while nobody followed is unknown, so each start begins with nothing known, and
        looks back to where the last one ended.
        """
        self._known = Lru(CACHED_KEYS)
        self.sessions.forget_all()
        since = self._followed_until or self._clock.now()
        while True:
            asked_at = self._clock.now()
            async with self._pool.acquire() as connection:
                # Revocation times are the revoker's: a minute covers clocks that differ, and
                # transactions that take a while to commit.
                rows = await connection.fetch(
                    "SELECT id, hash FROM api_keys "
                    "WHERE revoked_at > $1::timestamptz - interval '1 minute'",
                    since,
                )
                for row in rows:
                    self._forget(*row)
                await self.sessions.forget_ended(connection, since)
                since = self._followed_until = asked_at
                try:
                    await self._uses.write(connection, asked_at)
                except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    log.warning("the last uses of keys were not written", exc_info=True)
            await asyncio.sleep(FOLLOW_SECONDS)

    def _forget(self, key_id: UUID, hashed: bytes) -> None:
        self._known.drop(hashed)
        self._right.drop(hashed)
        self._tell(key_id)

    def _tell(self, key_id: UUID) -> None:
        for listener in self._listeners:
            listener(key_id)
