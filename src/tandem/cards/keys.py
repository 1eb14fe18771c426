"""The operator's card keys: authority, issuer, master keys, and the key of look-ups.

    authority ─ certifies ─► issuer ─ certifies ─► each card's public key
    master keys, by index ── derive ──► each card's cryptogram key
    look-up key           ── hashes ──► card numbers and one-time codes

They are made when the first card is added, or by `tandem cards keys create`, and stand sealed under
the key ring in `card_keys`. A new one is a new row, never a changed one: cards go on under the key
that they were made under. An HSM keeps them elsewhere behind the same `IssuerKeys`.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from tandem.db import Connection, Pool, work
from tandem.emv.authority import Authority, TrustedKeys
from tandem.emv.certificates import last_day
from tandem.emv.cryptograms import DEFAULT_VERSION, VERSIONS, Version, card_key
from tandem.emv.issuer import Issuer
from tandem.kernel import Clock, Entropy, NotFound
from tandem.keyring import KeyRing
from tandem.settings import Settings

Kind = Literal["lookup", "authority", "issuer", "master"]
KEY_BYTES: Final = 32
RID_BYTES: Final = 5
LAST_DAY: Final = date(2049, 12, 31)
"""Two digits of a year from 50 on mean the last century (EMV Book 4)."""

_ISSUER_YEARS: Final = 8
_AUTHORITY_YEARS: Final = 12
_MAKING: Final = 0x74616E64_63617264
"""The advisory lock of whoever makes card keys: "tandcard"."""


class MasterKey(msgspec.Struct, frozen=True, kw_only=True):
    """An issuer master key. `index` stands in each 9F10, `version` says how the key is used.

    The length of the key is one that the version's algorithm has.
    """

    index: int
    version: int
    key: bytes

    def __repr__(self) -> str:
        return f"MasterKey(index={self.index}, version={self.version})"

    @property
    def cryptogram_version(self) -> Version:
        """The cryptogram version of its cards."""
        return VERSIONS[self.version]

    def card_key(self, pan: str, sequence: int) -> bytes:
        """The key of one card. Raises as `tandem.emv.cryptograms.card_key` does."""
        return card_key(self.cryptogram_version, self.key, pan, f"{sequence:02d}")


@dataclass(frozen=True, slots=True)
class IssuerKeys:
    """All card keys of the operator. No secret appears in its repr."""

    lookup: bytes = field(repr=False)
    authority: Authority = field(repr=False)
    issuer: Issuer = field(repr=False)
    issuer_number: int
    masters: Mapping[int, MasterKey]

    @property
    def master(self) -> MasterKey:
        """The master key of new cards: the newest."""
        return self.masters[max(self.masters)]

    @property
    def newest(self) -> dict[str, int]:
        """The number of the newest key of each kind that is rotated."""
        return {
            "authority": self.authority.current.public.index,
            "issuer": self.issuer_number,
            "master": self.master.index,
        }

    @property
    def trusted(self) -> TrustedKeys:
        """What terminals hold: public."""
        return self.authority.trusted()


class KeyVault:
    """Makes, keeps and rotates the card keys.

    A process reads them once, and again where a card is made and there are newer ones.
    """

    def __init__(
        self, pool: Pool, clock: Clock, entropy: Entropy, keyring: KeyRing, settings: Settings
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._entropy = entropy
        self._keyring = keyring
        self._settings = settings
        self._known: IssuerKeys | None = None

    async def keys(self) -> IssuerKeys:
        """The keys; made now if there are none."""
        if self._known is None:
            self._known = await self._read() or await self._create()
        return self._known

    async def latest(self) -> IssuerKeys:
        """The keys for a card that is made now; made if there are none.

        Another process may have rotated them, so the database is asked which are the newest: taps,
        which need the key that the card was made under, take `keys`.
        """
        keys = await self.keys()
        async with self._pool.acquire() as connection:
            rows = await connection.fetch(
                "SELECT kind, max(number) FROM card_keys WHERE kind <> 'lookup' GROUP BY kind"
            )
        newest = {row["kind"]: row["max"] for row in rows}
        return keys if newest == keys.newest else await self.find()

    async def present(self) -> IssuerKeys | None:
        """The keys; None if there are none yet."""
        if self._known is None:
            self._known = await self._read()
        return self._known

    async def find(self) -> IssuerKeys:
        """The keys, read anew. Raises `NotFound` if there are none yet."""
        found = await self._read()
        if found is None:
            raise NotFound("card keys", "at all: no card was added yet")
        self._known = found
        return found

    async def about(self) -> list[tuple[str, int, datetime, date | None]]:
        """Kind, number, when it was made, and the last day of its certificate, of each key."""
        if await self.present() is None:
            return []
        keys = await self.latest()
        async with self._pool.acquire() as connection:
            rows = await connection.fetch(
                "SELECT kind, number, created_at FROM card_keys WHERE kind <> 'lookup' "
                "ORDER BY kind, number"
            )
        ends = {("authority", key.index): key.expires for key in keys.trusted.keys}
        ends["issuer", keys.issuer_number] = keys.issuer.expires
        return [(kind, number, at, ends.get((kind, number))) for kind, number, at in rows]

    async def known(self, index: int) -> MasterKey | None:
        """The master key with this index, looked for once more if another process may have it."""
        keys = self._known or await self._read()
        if keys is not None and index not in keys.masters:
            keys = await self._read()
        self._known = keys
        return None if keys is None else keys.masters.get(index)

    async def rotate(self, kind: Literal["authority", "issuer", "master"]) -> IssuerKeys:
        """Make a new key of this kind, which new cards get; the others go on under theirs.

        A new authority key certifies no issuer until `issuer` is rotated too: terminals must have
        it first. Raises `NotFound` if there are no keys yet, `Invalid` when numbers are used up.
        """
        keys, today = await self.find(), self._today()
        made: bytes
        number = keys.issuer_number + 1
        if kind == "authority":
            rotated = await asyncio.to_thread(
                keys.authority.rotate, _years(today, _AUTHORITY_YEARS), self._entropy
            )
            made, number = rotated.to_bytes(), rotated.current.public.index
        elif kind == "issuer":
            made = (await asyncio.to_thread(self._new_issuer, keys.authority, number)).to_bytes()
        else:
            number = keys.master.index + 1
            made = msgspec.json.encode(self._new_master(number))
        async with work(self._pool) as connection:
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _MAKING)
            await self._insert(connection, kind, number, made)
        return await self.find()

    async def seal_anew(self) -> int:
        """Seal every key under the key that the ring seals with now. Returns how many there are."""
        async with work(self._pool) as connection:
            rows = await connection.fetch(
                "SELECT kind, number, sealed FROM card_keys ORDER BY kind, number FOR NO KEY UPDATE"
            )
            for kind, number, sealed in rows:
                context = _context(kind, number)
                await connection.execute(
                    "UPDATE card_keys SET sealed = $3 WHERE kind = $1 AND number = $2",
                    kind,
                    number,
                    self._keyring.seal(self._keyring.open(sealed, context), context),
                )
        return len(rows)

    async def _create(self) -> IssuerKeys:
        authority = await asyncio.to_thread(
            Authority.create,
            self._settings.card_aid[:RID_BYTES],
            _years(self._today(), _AUTHORITY_YEARS),
            self._entropy,
        )
        issuer = await asyncio.to_thread(self._new_issuer, authority, 1)
        made: dict[Kind, bytes] = {
            "lookup": self._entropy(KEY_BYTES),
            "authority": authority.to_bytes(),
            "issuer": issuer.to_bytes(),
            "master": msgspec.json.encode(self._new_master(1)),
        }
        async with work(self._pool, changes=False) as connection:
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _MAKING)
            if not await connection.fetchval("SELECT EXISTS (SELECT FROM card_keys)"):
                for kind, secret in made.items():
                    await self._insert(connection, kind, 1, secret)
        return await self.find()  # those of another process, if it was faster

    async def _read(self) -> IssuerKeys | None:
        async with self._pool.acquire() as connection:
            rows = await connection.fetch("SELECT kind, number, sealed FROM card_keys")
        found: dict[str, dict[int, bytes]] = {}
        for kind, number, sealed in rows:
            opened = self._keyring.open(sealed, _context(kind, number))
            found.setdefault(kind, {})[number] = opened
        if not found:
            return None
        masters = (msgspec.json.decode(k, type=MasterKey) for k in found["master"].values())
        issuers = found["issuer"]
        return IssuerKeys(
            lookup=found["lookup"][1],
            authority=Authority.from_bytes(_newest(found["authority"])),
            issuer=Issuer.from_bytes(_newest(issuers)),
            issuer_number=max(issuers),
            masters=MappingProxyType({master.index: master for master in masters}),
        )

    async def _insert(self, connection: Connection, kind: Kind, number: int, secret: bytes) -> None:
        await connection.execute(
            "INSERT INTO card_keys (kind, number, sealed, created_at) VALUES ($1, $2, $3, $4)",
            kind,
            number,
            self._keyring.seal(secret, _context(kind, number)),
            self._clock.now(),
        )

    def _new_issuer(self, authority: Authority, number: int) -> Issuer:
        expires = min(_years(self._today(), _ISSUER_YEARS), authority.current.public.expires)
        return Issuer.create(
            authority.current, self._settings.card_range, expires, number, self._entropy
        )

    def _new_master(self, index: int) -> MasterKey:
        return MasterKey(index=index, version=DEFAULT_VERSION.number, key=self._entropy(KEY_BYTES))

    def _today(self) -> date:
        return self._settings.day_of(self._clock.now())


def _years(day: date, years: int) -> date:
    """The last day of a month so many years on."""
    return min(last_day(day.replace(day=1, year=day.year + years)), LAST_DAY)


def _newest(found: Mapping[int, bytes]) -> bytes:
    return found[max(found)]


def _context(kind: str, number: int) -> bytes:
    return b"card key " + kind.encode() + bytes((number,))
