"""The use cases of merchants: shops, tills, what they accept, fees, keys."""

import base64
import re
from collections.abc import Mapping
from typing import Final
from uuid import UUID

import msgspec

from tandem.access import Access, NewKey
from tandem.access.model import Key
from tandem.db import Connection, Idempotency, Pool, earlier_answer, keep_answer, work
from tandem.db.audit import about
from tandem.kernel import Clock, Entropy, Ids, Invalid, NotFound, clean_text, currency, show_id
from tandem.keyring import KeyRing
from tandem.ledger import merchant as merchant_account
from tandem.ledger import set_overdraft, set_terms
from tandem.merchants.model import (
    Acceptance,
    CurrencyTerms,
    Merchant,
    MerchantStatus,
    Place,
    Shop,
    Till,
    TipSettings,
    UpdateShop,
    UpdateTill,
)
from tandem.merchants.store import (
    insert_shop,
    insert_till,
    list_merchants,
    list_shops,
    list_tills,
    load_place,
    merchant_by_id,
    merchant_exists,
    put_currency,
    put_tips,
    shop_by_id,
    till_by_id,
    update_shop,
    update_till,
)
from tandem.settings import Settings

NAME_LENGTH: Final = 100
_AID: Final = re.compile(r"(?:[0-9A-Fa-f]{2}){5,16}", re.ASCII)
CITY_LENGTH: Final = 60
TOKEN_BYTES: Final = 15
_FORMS: Final = {
    "country": (re.compile(r"[A-Z]{2}", re.ASCII), "an ISO 3166-1 code such as CN"),
    "category": (re.compile(r"[0-9]{4}", re.ASCII), "an ISO 18245 code such as 5814"),
    "language": (re.compile(r"[a-z]{2}", re.ASCII), "an ISO 639-1 code such as zh"),
}


class Merchants:
    """Makes merchants and what belongs to them. Everything is scoped by its merchant."""

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        ids: Ids,
        entropy: Entropy,
        access: Access,
        keyring: KeyRing,
        settings: Settings,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._ids = ids
        self._entropy = entropy
        self._access = access
        self._keyring = keyring
        self._settings = settings

    # -- merchants -------------------------------------------------------------------------------

    async def create(
        self,
        name: str,
        currencies: Mapping[str, CurrencyTerms],
        idempotency: Idempotency | None,
    ) -> Merchant:
        """A new merchant. Raises `Invalid`."""
        if not currencies:
            raise Invalid("currencies", "name at least one currency that the merchant takes")
        shown = clean_text(name, "name", NAME_LENGTH)
        now = self._clock.now()
        merchant = Merchant(self._ids.new(), shown, "active", 1, now, dict(currencies))
        async with work(self._pool) as connection:
            if idempotency is not None:
                earlier = await earlier_answer(connection, idempotency)
                if earlier is not None:
                    return msgspec.json.decode(earlier, type=Merchant)
                kept = msgspec.json.encode(merchant)
                await keep_answer(connection, idempotency, kept, now)
            await connection.execute(
                "INSERT INTO merchants (id, name, status, terms, created_at) "
                "VALUES ($1, $2, 'active', 1, $3)",
                merchant.id,
                shown,
                now,
            )
            about(show_id("mer", merchant.id))
            await self._put_currencies(connection, merchant.id, currencies)
            return await merchant_by_id(connection, merchant.id)

    async def get(self, merchant_id: UUID) -> Merchant:
        """The merchant. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            return await merchant_by_id(connection, merchant_id)

    async def all(
        self,
        before: UUID | None,
        limit: int,
        search: str | None = None,
        status: MerchantStatus | None = None,
    ) -> list[Merchant]:
        """Merchants, newest first, whose name begins with what is searched for."""
        async with self._pool.acquire() as connection:
            return await list_merchants(connection, search, status, before, limit)

    async def set_currency(self, merchant_id: UUID, code: str, terms: CurrencyTerms) -> Merchant:
        """Set a merchant's terms in a currency. Raises `NotFound`, `Invalid`, `OverdraftInUse`."""
        async with work(self._pool) as connection:
            await merchant_exists(connection, merchant_id)
            await self._put_currencies(connection, merchant_id, {code: terms})
            return await merchant_by_id(connection, merchant_id)

    async def set_status(self, merchant_id: UUID, status: MerchantStatus) -> Merchant:
        """Suspend a merchant, or let it take payments again. Raises `NotFound`."""
        async with work(self._pool) as connection:
            await self._bump(connection, merchant_id)
            await connection.execute(
                "UPDATE merchants SET status = $2 WHERE id = $1", merchant_id, status
            )
            return await merchant_by_id(connection, merchant_id)

    # -- shops and tills -------------------------------------------------------------------------

    async def create_shop(
        self,
        merchant_id: UUID,
        name: str,
        city: str,
        country: str,
        category: str,
        acceptance: Acceptance,
        idempotency: Idempotency | None,
        *,
        language: str | None = None,
    ) -> Shop:
        """A new shop. Raises `NotFound`, `Invalid`."""
        now = self._clock.now()
        shop = Shop(
            self._ids.new(),
            merchant_id,
            clean_text(name, "name", NAME_LENGTH),
            clean_text(city, "city", CITY_LENGTH),
            _formed("country", country),
            _formed("category", category),
            checked(acceptance),
            self._token(),
            now,
            None if language is None else _formed("language", language),
        )
        async with work(self._pool) as connection:
            if idempotency is not None:
                earlier = await earlier_answer(connection, idempotency)
                if earlier is not None:
                    return msgspec.json.decode(earlier, type=Shop)
                await keep_answer(connection, idempotency, msgspec.json.encode(shop), now)
            await merchant_exists(connection, merchant_id)
            await insert_shop(connection, shop)
            about(show_id("shp", shop.id))
        return shop

    async def shop(self, merchant_id: UUID, shop_id: UUID) -> Shop:
        """A shop of the merchant's. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            return await shop_by_id(connection, merchant_id, shop_id)

    async def shops(self, merchant_id: UUID, before: UUID | None, limit: int) -> list[Shop]:
        """A merchant's shops, newest first."""
        async with self._pool.acquire() as connection:
            return await list_shops(connection, merchant_id, before, limit)

    async def update_shop(self, merchant_id: UUID, shop_id: UUID, change: UpdateShop) -> Shop:
        """Change what is given of a shop. Raises `NotFound`, `Invalid`."""
        given = {
            k: v
            for k, v in msgspec.structs.asdict(change).items()
            if v not in (None, msgspec.UNSET)
        }
        for field, longest in (("name", NAME_LENGTH), ("city", CITY_LENGTH)):
            if field in given:
                given[field] = clean_text(given[field], field, longest)
        for field in _FORMS.keys() & given.keys():
            _formed(field, given[field])
        if change.language is None:  # the one that can be taken away
            given["language"] = None
        async with work(self._pool) as connection:
            await self._bump(connection, merchant_id)
            shop = await shop_by_id(connection, merchant_id, shop_id)
            changed = msgspec.structs.replace(shop, **given)
            await update_shop(connection, changed)
        return changed

    async def create_till(
        self,
        merchant_id: UUID,
        shop_id: UUID,
        name: str,
        acceptance: Acceptance,
        idempotency: Idempotency | None,
    ) -> Till:
        """A new till of a shop. Raises `NotFound`, `Invalid`."""
        now = self._clock.now()
        till = Till(
            self._ids.new(),
            shop_id,
            merchant_id,
            clean_text(name, "name", NAME_LENGTH),
            checked(acceptance),
            self._token(),
            now,
        )
        async with work(self._pool) as connection:
            if idempotency is not None:
                earlier = await earlier_answer(connection, idempotency)
                if earlier is not None:
                    return msgspec.json.decode(earlier, type=Till)
                await keep_answer(connection, idempotency, msgspec.json.encode(till), now)
            await shop_by_id(connection, merchant_id, shop_id)
            await insert_till(connection, till)
        return till

    async def till(self, merchant_id: UUID, till_id: UUID) -> Till:
        """A till of the merchant's. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            return await till_by_id(connection, merchant_id, till_id)

    async def update_till(self, merchant_id: UUID, till_id: UUID, change: UpdateTill) -> Till:
        """Rename a till, close it or open it again. Raises `NotFound`, `Invalid`.

        A closed one takes nothing in any way from the commit on; refunds go on.
        """
        given: dict[str, object] = {}
        if change.name is not msgspec.UNSET:
            given["name"] = clean_text(change.name, "name", NAME_LENGTH)
        async with work(self._pool) as connection:
            await self._bump(connection, merchant_id)
            till = await till_by_id(connection, merchant_id, till_id)
            if change.closed is not msgspec.UNSET:
                since = till.closed_at or self._clock.now()
                given["closed_at"] = since if change.closed else None
            changed = msgspec.structs.replace(till, **given)
            await update_till(connection, changed)
        return changed

    async def tills(
        self, merchant_id: UUID, shop_id: UUID, before: UUID | None, limit: int
    ) -> list[Till]:
        """A shop's tills, newest first. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            await shop_by_id(connection, merchant_id, shop_id)
            return await list_tills(connection, merchant_id, shop_id, before, limit)

    async def place(
        self, merchant_id: UUID, *, shop_id: UUID | None = None, till_id: UUID | None = None
    ) -> Place:
        """A shop of the merchant's, or a till with its shop, with all terms. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            place = await load_place(connection, shop_id=shop_id, till_id=till_id)
        if place is not None and place.merchant_id == merchant_id:
            return place
        if till_id is not None:
            raise NotFound("till", show_id("til", till_id))
        assert shop_id is not None, "one of the two is asked for"
        raise NotFound("shop", show_id("shp", shop_id))

    async def accept_at_shop(
        self, merchant_id: UUID, shop_id: UUID, acceptance: Acceptance
    ) -> Shop:
        """Set what a shop accepts; it holds from the commit on. Raises `NotFound`, `Invalid`."""
        async with work(self._pool) as connection:
            await self._bump(connection, merchant_id)
            shop = await shop_by_id(connection, merchant_id, shop_id)
            changed = msgspec.structs.replace(shop, acceptance=checked(acceptance))
            await update_shop(connection, changed)
        return changed

    async def accept_at_till(
        self, merchant_id: UUID, till_id: UUID, acceptance: Acceptance
    ) -> Till:
        """Set what a till accepts beside its shop. Raises `NotFound`, `Invalid`."""
        async with work(self._pool) as connection:
            await self._bump(connection, merchant_id)
            till = await till_by_id(connection, merchant_id, till_id)
            changed = msgspec.structs.replace(till, acceptance=checked(acceptance))
            await update_till(connection, changed)
        return changed

    async def ask_for_tips(self, merchant_id: UUID, shop_id: UUID, tips: TipSettings) -> Shop:
        """Set how a shop asks for a tip. Raises `NotFound`, `Invalid`."""
        if len(set(tips.percentages)) < len(tips.percentages):
            raise Invalid("percentages", "must differ from each other")
        async with work(self._pool) as connection:
            shop = await shop_by_id(connection, merchant_id, shop_id)
            await put_tips(connection, shop_id, tips)
        return msgspec.structs.replace(shop, tips=tips)

    # -- keys ------------------------------------------------------------------------------------

    async def create_key(
        self,
        merchant_id: UUID,
        name: str,
        scopes: list[str],
        idempotency: Idempotency | None,
    ) -> NewKey:
        """A new API key. Raises `NotFound`, `NoSuchScope`, `Invalid`."""
        shown = clean_text(name, "name", NAME_LENGTH)
        async with work(self._pool) as connection:
            if idempotency is not None:
                sealed = await earlier_answer(connection, idempotency)
                if sealed is not None:
                    opened = self._keyring.open(sealed, _context(idempotency))
                    return msgspec.json.decode(opened, type=NewKey)
            await merchant_exists(connection, merchant_id)
            made = await self._access.create(
                connection, kind="merchant", owner_id=merchant_id, name=shown, scopes=scopes
            )
            if idempotency is not None:
                # Sealed: a repeat gets the secret again, a reader of the table does not.
                kept = self._keyring.seal(msgspec.json.encode(made), _context(idempotency))
                await keep_answer(connection, idempotency, kept, self._clock.now())
        return made

    async def keys(self, merchant_id: UUID, before: UUID | None, limit: int) -> list[Key]:
        """A merchant's API keys, newest first."""
        async with self._pool.acquire() as connection:
            return await self._access.keys_of(connection, merchant_id, before, limit)

    async def revoke_key(self, merchant_id: UUID, key_id: UUID) -> None:
        """Revoke a merchant's API key. Raises `NotFound`."""
        async with work(self._pool) as connection:
            await self._access.revoke(connection, merchant_id, key_id)

    # --------------------------------------------------------------------------------------------

    async def _put_currencies(
        self, connection: Connection, merchant_id: UUID, currencies: Mapping[str, CurrencyTerms]
    ) -> None:
        units = {code: self._settings.unit(code) for code in currencies}
        for code, terms in currencies.items():
            await put_currency(connection, merchant_id, code, terms)
        # Locks all accounts in the journal's order, before the overdrafts lock one after another.
        await self._bump(connection, merchant_id)
        for code, terms in currencies.items():
            account = merchant_account(merchant_id, units[code])
            await set_overdraft(connection, account, terms.overdraft, self._clock.now())

    async def _bump(self, connection: Connection, merchant_id: UUID) -> None:
        """Let no entry be committed any more that was made under the terms as they were.

        Comes before what is changed is read: it locks the merchant, so that of two changes neither
        is lost. Raises `NotFound`.
        """
        version: int | None = await connection.fetchval(
            "UPDATE merchants SET terms = terms + 1 WHERE id = $1 RETURNING terms", merchant_id
        )
        if version is None:
            raise NotFound("merchant", show_id("mer", merchant_id))
        rows = await connection.fetch(
            "SELECT currency FROM merchant_currencies WHERE merchant_id = $1", merchant_id
        )
        keys = [merchant_account(merchant_id, currency(row["currency"])) for row in rows]
        await set_terms(connection, keys, version, self._clock.now())

    def _token(self) -> str:
        return base64.urlsafe_b64encode(self._entropy(TOKEN_BYTES)).decode()


def checked(acceptance: Acceptance) -> Acceptance:
    """The policy, if every currency in it exists and every AID can be one. Raises `Invalid`."""
    for name in (*(acceptance.aids.only or ()), *acceptance.aids.refused):
        if _AID.fullmatch(name) is None:
            raise Invalid("acceptance.aids", "must be 5 to 16 bytes in hexadecimal digits")
    for way, rule in acceptance.ways.items():
        for code in rule.max_amount:
            currency(code, f"acceptance.ways.{way}.max_amount")
    return acceptance


def _formed(field: str, text: str) -> str:
    pattern, what = _FORMS[field]
    if pattern.fullmatch(text) is None:
        raise Invalid(field, f"must be {what}")
    return text


def _context(idempotency: Idempotency) -> bytes:
    return b"answer " + idempotency.owner_id.bytes + idempotency.key.encode()
