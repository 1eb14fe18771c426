"""The keys of the acquirer's links: sealed under the key ring in `link_keys`, named by settings.

A key comes in by hand, in components that several people hold (two or three numbers that are added
without carry, as ISO 11568 has it), or in a key block under a key that is here already. It leaves
in the same two ways and in no other. What both sides compare is its check value.

The host's process reads all of them at its start and looks for changes each second, so a key that
is entered anew is used from the next sign-on.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Annotated, Final, Literal, NamedTuple
from uuid import UUID

import structlog
from msgspec import Meta

from tandem.acquiring.errors import LinkKeyExists, LinkKeyUnfit
from tandem.acquiring.mac import aes_check_value, des_check_value
from tandem.acquiring.requests import FINGERPRINT_KEY_BYTES
from tandem.acquiring.tr31 import WrappedKey, WrappingKey, unwrap, wrap
from tandem.db import Connection, Pool, work
from tandem.db.rewrite import SealedColumn
from tandem.kernel import Clock, Entropy, Ids, NotFound
from tandem.keyring import KeyRing

log = structlog.get_logger(__name__)

KeyKind = Literal["aes", "tdes"]
KeyName = Annotated[str, Meta(pattern="^[A-Za-z0-9._-]{1,73}$", max_length=73)]
"""As a link's settings name it, or that with a point and a terminal's name behind."""

FOLLOW_SECONDS: Final = 1.0
SIZES: Final[dict[KeyKind, tuple[int, ...]]] = {"aes": (16, 24, 32), "tdes": (16, 24)}
_COMPONENTS: Final = (2, 3)
_HOST: Final = ""
_DES_PART: Final = 8
_LETTERS: Final[dict[KeyKind, str]] = {"aes": "A", "tdes": "T"}
_WRAPS: Final = ("K1", "B")
_MACS: Final[dict[KeyKind, tuple[str, str]]] = {"aes": ("M6", "C"), "tdes": ("M3", "C")}
_USES: Final = frozenset({"K0", "K1", "M3", "M6"})
"""What the key of a block may be for: wrapping others, or MACs."""
_WRITING: Final = 0x74616E64_6C696E6B
"""The advisory lock of whoever enters a key: "tandlink"."""


def _context(key_id: UUID) -> bytes:
    return b"link_keys.sealed:" + key_id.bytes


LINK_KEYS: Final = SealedColumn("link_keys", "sealed", "lky", _context)


class LinkKey(NamedTuple):
    """A key as it may be shown: everything but the key."""

    name: str
    kind: str
    check_value: str
    changed_at: datetime


class Held(NamedTuple):
    """All keys of a moment, opened. `stamp` changes whenever one of them does."""

    links: dict[str, bytes]
    host: bytes
    stamp: str


def combine(components: Sequence[bytes], kind: KeyKind) -> bytes:
    """The key whose components these are. Raises `LinkKeyUnfit` if they cannot be."""
    if len(components) not in (1, *_COMPONENTS):
        raise LinkKeyUnfit("a key has one, two or three components")
    if len({len(part) for part in components}) > 1:
        raise LinkKeyUnfit("its components are not equally long")
    secret = bytes(len(components[0]))
    for part in components:
        secret = bytes(a ^ b for a, b in zip(secret, part, strict=True))
    return fit(secret, kind)


def split(secret: bytes, count: int, entropy: Entropy) -> list[bytes]:
    """A key in so many components; who holds fewer than all of them knows nothing of it."""
    parts = [entropy(len(secret)) for _ in range(count - 1)]
    last = secret
    for part in parts:
        last = bytes(a ^ b for a, b in zip(last, part, strict=True))
    return [*parts, last]


def fit(secret: bytes, kind: KeyKind) -> bytes:
    """The key, if it is one: of a length that can be, and no single DES in disguise.

    Raises `LinkKeyUnfit`. Parity bits of a DES key are left as they are: nobody looks at them.
    """
    if len(secret) not in SIZES[kind]:
        lengths = " or ".join(map(str, SIZES[kind]))
        raise LinkKeyUnfit(f"a key of kind {kind} has {lengths} bytes, and this has {len(secret)}")
    if kind == "tdes":
        plain = bytes(byte & 0xFE for byte in secret)
        parts = [plain[at : at + _DES_PART] for at in range(0, len(plain), _DES_PART)]
        if any(one == other for one, other in pairwise(parts)):
            raise LinkKeyUnfit("two parts of it are the same, so it is no more than single DES")
    if len(set(secret)) == 1:
        raise LinkKeyUnfit("all its bytes are the same")
    return secret


def check_value(secret: bytes, kind: KeyKind) -> str:
    """What two sides compare to see that they have the same key."""
    return des_check_value(secret) if kind == "tdes" else aes_check_value(secret)


class LinkKeys:
    """The key store of the acquirer's host. `read` comes first; then it is a `KeyStore`."""

    def __init__(
        self, pool: Pool, clock: Clock, ids: Ids, entropy: Entropy, keyring: KeyRing
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._ids = ids
        self._entropy = entropy
        self._keyring = keyring
        self._held = Held({}, b"", "")

    # -- for the host ----------------------------------------------------------------------------

    def link_key(self, name: str) -> bytes:
        """The key of this name. Raises `KeyError` if there is none."""
        if name == _HOST:
            raise KeyError(name)
        return self._held.links[name]

    @property
    def fingerprints(self) -> bytes:
        """The key of the messages' fingerprints: the host's own, the same in every process."""
        return self._held.host

    async def read(self) -> None:
        """Open all keys; the host's own is made by whoever finds none."""
        held = await self._open()
        if not held.host:
            await self._make_host_key()
            held = await self._open()
        self._held = held

    async def follow(self) -> None:
        """Keep up with what is entered, exchanged and removed; for ever."""
        while True:
            await asyncio.sleep(FOLLOW_SECONDS)
            async with self._pool.acquire() as connection:
                stamp = await _stamp(connection)
            if stamp != self._held.stamp:
                self._held = await self._open()
                log.info("the keys of links changed", keys=len(self._held.links))

    # -- for the operator ------------------------------------------------------------------------

    async def list(self) -> list[LinkKey]:
        """The links' keys in order of name; never a secret."""
        rows = await self._pool.fetch(
            "SELECT name, kind, check_value, changed_at FROM link_keys WHERE kind <> 'host' "
            "ORDER BY name"
        )
        return [LinkKey(*row) for row in rows]

    async def put(
        self, name: KeyName, kind: KeyKind, secret: bytes, *, replace: bool = False
    ) -> LinkKey:
        """Keep a key. Raises `LinkKeyUnfit`; `LinkKeyExists` unless it is to be replaced."""
        key = LinkKey(name, kind, check_value(fit(secret, kind), kind), self._clock.now())
        async with work(self._pool) as connection:
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _WRITING)
            known = await connection.fetchval("SELECT id FROM link_keys WHERE name = $1", name)
            if known is None:
                await self._insert(connection, key, secret)
            elif not replace:
                raise LinkKeyExists(name)
            else:
                await connection.execute(
                    "UPDATE link_keys SET kind = $2, check_value = $3, sealed = $4, "
                    "changed_at = $5 WHERE id = $1",
                    known,
                    *(key.kind, key.check_value),
                    self._keyring.seal(secret, _context(known)),
                    key.changed_at,
                )
        return key

    async def create(
        self, name: KeyName, kind: KeyKind, size: int, *, replace: bool = False
    ) -> tuple[LinkKey, bytes]:
        """Make a random key and keep it. Returns it too: it has to reach the other side."""
        secret = self._entropy(size)
        return await self.put(name, kind, secret, replace=replace), secret

    async def export(self, name: str, under: str, *, macs: bool = False) -> str:
        """The key block that carries a key under another one. Raises `NotFound`.

        It says that the key wraps others, or with `macs` that it makes MACs itself.
        """
        kind, secret = await self._one(name)
        usage, mode = _MACS[kind] if macs else _WRAPS
        block = WrappedKey(usage, _LETTERS[kind], secret, mode)
        return wrap(WrappingKey(*await self._one(under)), block, self._entropy)

    async def receive(
        self, name: KeyName, under: str, block: str, *, replace: bool = False
    ) -> LinkKey:
        """Keep the key of a key block made under one that is here. Raises `KeyBlockBroken`."""
        opened = unwrap(WrappingKey(*await self._one(under)), block)
        kind: KeyKind = "aes" if opened.algorithm == "A" else "tdes"
        if opened.usage not in _USES or opened.algorithm not in _LETTERS.values():
            raise LinkKeyUnfit(
                f"the block's key is for {opened.usage} with {opened.algorithm}, "
                "and neither for wrapping keys nor for MACs"
            )
        return await self.put(name, kind, opened.secret, replace=replace)

    async def remove(self, name: str) -> None:
        """Take a key away: its links sign on no more. Raises `NotFound`."""
        async with work(self._pool) as connection:
            gone = await connection.fetchval(
                "DELETE FROM link_keys WHERE name = $1 AND kind <> 'host' RETURNING true", name
            )
        if not gone:
            raise NotFound("link key", name)

    async def _one(self, name: str) -> tuple[KeyKind, bytes]:
        row = await self._pool.fetchrow(
            "SELECT id, kind, sealed FROM link_keys WHERE name = $1 AND kind <> 'host'", name
        )
        if row is None:
            raise NotFound("link key", name)
        return row["kind"], self._keyring.open(row["sealed"], _context(row["id"]))

    async def _open(self) -> Held:
        async with self._pool.acquire() as connection:
            stamp = await _stamp(connection)
            rows = await connection.fetch("SELECT id, name, sealed FROM link_keys")
        found = {
            name: self._keyring.open(sealed, _context(key_id)) for key_id, name, sealed in rows
        }
        return Held(found, found.pop(_HOST, b""), stamp)

    async def _make_host_key(self) -> None:
        key = LinkKey(_HOST, "host", "", self._clock.now())
        async with work(self._pool) as connection:
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _WRITING)
            if not await connection.fetchval(
                "SELECT EXISTS (SELECT FROM link_keys WHERE name = '')"
            ):
                await self._insert(connection, key, self._entropy(FINGERPRINT_KEY_BYTES))

    async def _insert(self, connection: Connection, key: LinkKey, secret: bytes) -> None:
        key_id = self._ids.new()
        await connection.execute(
            "INSERT INTO link_keys (id, name, kind, check_value, sealed, changed_at) "
            "VALUES ($1, $2, $3, $4, $5, $6)",
            *(key_id, key.name, key.kind, key.check_value),
            self._keyring.seal(secret, _context(key_id)),
            key.changed_at,
        )


async def _stamp(connection: Connection) -> str:
    """What changes when a key does; not when one is only sealed anew."""
    stamp: str = await connection.fetchval(
        "SELECT coalesce(string_agg(name || ' ' || changed_at::text, ',' ORDER BY name), '') "
        "FROM link_keys"
    )
    return stamp
