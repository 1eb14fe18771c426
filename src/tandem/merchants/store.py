"""Merchants, shops and tills in SQL."""

from typing import Final
from uuid import UUID

import msgspec

from tandem.db import Connection, Record, beginning
from tandem.kernel import NotFound, show_id
from tandem.merchants.model import (
    CLOSED,
    Acceptance,
    CurrencyTerms,
    Merchant,
    Place,
    Shop,
    Till,
    TipSettings,
    narrow,
)

_CURRENCIES: Final = (
    "(SELECT coalesce(json_object_agg(c.currency, json_build_object('fee_basis_points', "
    "c.fee_basis_points, 'fee_fixed', c.fee_fixed, 'overdraft', c.overdraft)), '{}') "
    "FROM merchant_currencies AS c WHERE c.merchant_id = m.id)"
)
_MERCHANT: Final = (
    f"SELECT m.id, m.name, m.status, m.terms, m.created_at, {_CURRENCIES} FROM merchants AS m"
)
_SHOP: Final = (
    "SELECT id, merchant_id, name, city, country, category, acceptance, code_token, created_at, "
    "language, tips FROM shops"
)
_TILL: Final = (
    "SELECT id, shop_id, merchant_id, name, acceptance, code_token, created_at, closed_at "
    "FROM tills"
)
_PLACE: Final = (
    f"SELECT m.id, m.name, m.status, m.terms, {_CURRENCIES}, s.id, s.name, s.city, s.country, "
    "s.category, s.code_token, t.id, t.name, t.code_token, s.acceptance, t.acceptance, "
    "t.closed_at, s.language "
    "FROM shops AS s JOIN merchants AS m ON m.id = s.merchant_id "
)
_BY_SHOP: Final = f"{_PLACE} LEFT JOIN tills AS t ON false WHERE s.id = $1"
_BY_TILL: Final = f"{_PLACE} JOIN tills AS t ON t.shop_id = s.id WHERE t.id = $1"
_BY_TOKEN: Final = (
    f"({_PLACE} LEFT JOIN tills AS t ON false WHERE s.code_token = $1) UNION ALL "
    f"({_PLACE} JOIN tills AS t ON t.shop_id = s.id WHERE t.code_token = $1)"
)


async def load_place(
    connection: Connection,
    *,
    shop_id: UUID | None = None,
    till_id: UUID | None = None,
    code_token: str | None = None,
) -> Place | None:
    """Where a payment is taken, by one of these; None if there is no such place."""
    if till_id is not None:
        row = await connection.fetchrow(_BY_TILL, till_id)
    elif shop_id is not None:
        row = await connection.fetchrow(_BY_SHOP, shop_id)
    else:
        # json has no equality, so the two sides cannot be told apart by UNION; tokens are random
        row = await connection.fetchrow(_BY_TOKEN, code_token)
    return None if row is None else _place(row)


async def merchant_by_id(connection: Connection, merchant_id: UUID) -> Merchant:
    """The merchant. Raises `NotFound`."""
    row = await connection.fetchrow(f"{_MERCHANT} WHERE m.id = $1", merchant_id)
    if row is None:
        raise NotFound("merchant", show_id("mer", merchant_id))
    return _merchant(row)


async def merchant_exists(connection: Connection, merchant_id: UUID) -> None:
    """Raise `NotFound` if there is no such merchant."""
    if not await connection.fetchval(
        "SELECT EXISTS (SELECT FROM merchants WHERE id = $1)", merchant_id
    ):
        raise NotFound("merchant", show_id("mer", merchant_id))


async def merchant_terms(connection: Connection, merchant_id: UUID) -> int:
    """The version of the merchant's terms, for entries made under them. Raises `NotFound`."""
    version: int | None = await connection.fetchval(
        "SELECT terms FROM merchants WHERE id = $1", merchant_id
    )
    if version is None:
        raise NotFound("merchant", show_id("mer", merchant_id))
    return version


async def list_merchants(
    connection: Connection, search: str | None, status: str | None, before: UUID | None, limit: int
) -> list[Merchant]:
    """Merchants, newest first, whose name begins with what is searched for."""
    rows = await connection.fetch(
        f"{_MERCHANT} WHERE ($1::uuid IS NULL OR m.id < $1) "
        "AND ($2::text IS NULL OR lower(m.name) LIKE lower($2)) "
        "AND ($3::text IS NULL OR m.status = $3) ORDER BY m.id DESC LIMIT $4",
        before,
        None if search is None else beginning(search),
        status,
        limit,
    )
    return [_merchant(row) for row in rows]


async def shop_by_id(connection: Connection, merchant_id: UUID, shop_id: UUID) -> Shop:
    """A shop of the merchant's. Raises `NotFound`, also if it is another's."""
    row = await connection.fetchrow(
        f"{_SHOP} WHERE id = $1 AND merchant_id = $2", shop_id, merchant_id
    )
    if row is None:
        raise NotFound("shop", show_id("shp", shop_id))
    return _shop(row)


async def list_shops(
    connection: Connection, merchant_id: UUID, before: UUID | None, limit: int
) -> list[Shop]:
    """A merchant's shops, newest first."""
    rows = await connection.fetch(
        f"{_SHOP} WHERE merchant_id = $1 AND ($2::uuid IS NULL OR id < $2) "
        "ORDER BY id DESC LIMIT $3",
        merchant_id,
        before,
        limit,
    )
    return [_shop(row) for row in rows]


async def till_by_id(connection: Connection, merchant_id: UUID, till_id: UUID) -> Till:
    """A till of the merchant's. Raises `NotFound`, also if it is another's."""
    row = await connection.fetchrow(
        f"{_TILL} WHERE id = $1 AND merchant_id = $2", till_id, merchant_id
    )
    if row is None:
        raise NotFound("till", show_id("til", till_id))
    return _till(row)


async def list_tills(
    connection: Connection, merchant_id: UUID, shop_id: UUID, before: UUID | None, limit: int
) -> list[Till]:
    """A shop's tills, newest first."""
    rows = await connection.fetch(
        f"{_TILL} WHERE merchant_id = $1 AND shop_id = $2 AND ($3::uuid IS NULL OR id < $3) "
        "ORDER BY id DESC LIMIT $4",
        merchant_id,
        shop_id,
        before,
        limit,
    )
    return [_till(row) for row in rows]


async def insert_shop(connection: Connection, shop: Shop) -> None:
    """Insert a shop."""
    await connection.execute(
        "INSERT INTO shops (id, merchant_id, name, city, country, category, acceptance, "
        "code_token, created_at, language) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        shop.id,
        shop.merchant_id,
        shop.name,
        shop.city,
        shop.country,
        shop.category,
        _json(shop.acceptance),
        shop.code_token,
        shop.created_at,
        shop.language,
    )


async def update_shop(connection: Connection, shop: Shop) -> None:
    """Write what may change of a shop."""
    await connection.execute(
        "UPDATE shops SET name = $2, city = $3, country = $4, category = $5, acceptance = $6, "
        "language = $7 WHERE id = $1",
        shop.id,
        shop.name,
        shop.city,
        shop.country,
        shop.category,
        _json(shop.acceptance),
        shop.language,
    )


async def put_tips(connection: Connection, shop_id: UUID, tips: TipSettings) -> None:
    """Write how a shop asks for a tip."""
    kept = msgspec.json.encode(tips).decode()
    await connection.execute("UPDATE shops SET tips = $2 WHERE id = $1", shop_id, kept)


async def insert_till(connection: Connection, till: Till) -> None:
    """Insert a till."""
    await connection.execute(
        "INSERT INTO tills (id, shop_id, merchant_id, name, acceptance, code_token, created_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7)",
        till.id,
        till.shop_id,
        till.merchant_id,
        till.name,
        _json(till.acceptance),
        till.code_token,
        till.created_at,
    )


async def update_till(connection: Connection, till: Till) -> None:
    """Write what may change of a till."""
    await connection.execute(
        "UPDATE tills SET name = $2, acceptance = $3, closed_at = $4 WHERE id = $1",
        till.id,
        till.name,
        _json(till.acceptance),
        till.closed_at,
    )


async def put_currency(
    connection: Connection, merchant_id: UUID, code: str, terms: CurrencyTerms
) -> None:
    """Write a merchant's terms in a currency."""
    await connection.execute(
        "INSERT INTO merchant_currencies (merchant_id, currency, fee_basis_points, fee_fixed, "
        "overdraft) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (merchant_id, currency) DO UPDATE "
        "SET fee_basis_points = $3, fee_fixed = $4, overdraft = $5",
        merchant_id,
        code,
        terms.fee_basis_points,
        terms.fee_fixed,
        terms.overdraft,
    )


def _merchant(row: Record) -> Merchant:
    columns = list(row)
    columns[-1] = _currencies(columns[-1])
    return Merchant(*columns)


def _shop(row: Record) -> Shop:
    values = list(row)
    tips = values.pop()
    values[6] = msgspec.json.decode(values[6], type=Acceptance)
    values.append(TipSettings() if tips is None else msgspec.json.decode(tips, type=TipSettings))
    return Shop(*values)


def _till(row: Record) -> Till:
    values = list(row)
    values[4] = msgspec.json.decode(values[4], type=Acceptance)
    return Till(*values)


def _place(row: Record) -> Place:
    values = list(row)
    language, closed_at, of_till, of_shop = (values.pop() for _ in range(4))
    values[4] = _currencies(values[4])
    acceptance = msgspec.json.decode(of_shop, type=Acceptance)
    if of_till is not None:
        own = CLOSED if closed_at else msgspec.json.decode(of_till, type=Acceptance)
        acceptance = narrow(acceptance, own)
    values += (acceptance, language)
    return Place(*values)


def _currencies(text: str) -> dict[str, CurrencyTerms]:
    return msgspec.json.decode(text, type=dict[str, CurrencyTerms])


def _json(acceptance: Acceptance) -> str:
    return msgspec.json.encode(acceptance).decode()
