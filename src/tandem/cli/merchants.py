"""`tandem operator merchant`, `shop` and `till`: who takes payments, and where."""

import re
from typing import Annotated, Final
from uuid import UUID

from cyclopts import App, Parameter
from cyclopts.validators import Number

from tandem.access import SCOPES, Key, NewKey
from tandem.cli.acceptance import accept_at_shop, accept_at_till, owner_of, show_shop, show_till
from tandem.cli.api_keys import key_table
from tandem.cli.beside import services
from tandem.cli.people import limit_of
from tandem.cli.run import run
from tandem.cli.show import cells, done, facts, money, say, show, table
from tandem.kernel import Currency, Invalid, currency, format_amount, read_id, show_id
from tandem.merchants import Acceptance, CurrencyTerms, Merchant, Shop, Till
from tandem.settlement import MerchantBalance

merchant_app = App(name="merchant", help="Merchants, their fees and keys.", help_format="markdown")
shop_app = App(name="shop", help="A merchant's shops.", help_format="markdown")
till_app = App(name="till", help="A shop's tills.", help_format="markdown")

Limit = Annotated[int, Parameter(validator=Number(gte=1, lte=1000))]
_PERCENT: Final = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,2}))?", re.ASCII)
_ALL: Final = 10_000


def merchant_id(text: str) -> UUID:
    """The id that mer_… shows. Raises `Invalid`."""
    return read_id("mer", text, "merchant")


def basis_points_of(text: str) -> int:
    """Hundredths of a percent of a percentage such as `0.60`. Raises `Invalid`."""
    match = _PERCENT.fullmatch(text)
    points = int(match[1] + (match[2] or "").ljust(2, "0")) if match else _ALL + 1
    if points > _ALL:
        raise Invalid("--fee-percent", "must be a percentage from 0 to 100, such as 0.60")
    return points


def _terms(unit: Currency, fee_percent: str, fee_fixed: str, overdraft: str) -> CurrencyTerms:
    return CurrencyTerms(
        basis_points_of(fee_percent),
        limit_of(fee_fixed, unit, "--fee-fixed"),
        limit_of(overdraft, unit, "--overdraft"),
    )


@merchant_app.command
def add(
    name: str,
    /,
    *,
    unit: Annotated[str, Parameter(name="--currency")] = "CNY",
    fee_percent: str = "0",
    fee_fixed: str = "0",
    overdraft: str = "0",
) -> None:
    """Make a merchant that takes one currency; `merchant fees` adds others.

    Example: `tandem operator merchant add "Blue Door" --fee-percent 0.60 --fee-fixed 0.10`

    Parameters
    ----------
    name
        The name that people see.
    unit
        The currency that it takes.
    fee_percent
        The fee, in percent of a payment, with at most two decimals.
    fee_fixed
        The fixed part of the fee.
    overdraft
        How far refunds may take its balance below zero.
    """
    known = currency(unit, "--currency")
    terms = _terms(known, fee_percent, fee_fixed, overdraft)
    made = run(_add(name, {known.code: terms}))
    done(f"Made {made.name}: {show_id('mer', made.id)}")


async def _add(name: str, terms: dict[str, CurrencyTerms]) -> Merchant:
    async with services() as opened:
        return await opened.merchants.create(name, terms, None)


@merchant_app.command(name="list")
def list_merchants(*, limit: Limit = 50) -> None:
    """List merchants, newest first, with their fees.

    Example: `tandem operator merchant list`

    Parameters
    ----------
    limit
        The most merchants to list.
    """
    made = table("Merchant", "Name", "Status", "Fees")
    for merchant in run(_list(limit)):
        fees = ", ".join(_fee(currency(code), t) for code, t in sorted(merchant.currencies.items()))
        made.add_row(*cells(show_id("mer", merchant.id), merchant.name, merchant.status, fees))
    show(made)


async def _list(limit: int) -> list[Merchant]:
    async with services() as opened:
        return await opened.merchants.all(None, limit)


def _fee(unit: Currency, terms: CurrencyTerms) -> str:
    whole, part = divmod(terms.fee_basis_points, 100)
    return f"{whole}.{part:02d} % + {format_amount(terms.fee_fixed, unit)} {unit.code}"


@merchant_app.command(name="show")
def show_merchant(merchant: str, /) -> None:
    """Show a merchant: status, fees, and what it has in each currency.

    Example: `tandem operator merchant show mer_0199…`

    Parameters
    ----------
    merchant
        The merchant, mer_…
    """
    found, balances = run(_show(merchant))
    facts({"Merchant": merchant, "Name": found.name, "Status": found.status})
    numbers = ("Balance", "Can be paid out", "Reserved", "Overdraft")
    made = table("Currency", "Fees", *numbers, right=numbers)
    for line in balances:
        unit = currency(line.currency)
        terms = found.currencies.get(unit.code)
        amounts = (line.balance, line.payable, line.reserved, line.overdraft)
        fee = "" if terms is None else _fee(unit, terms)
        made.add_row(*cells(unit.code, fee, *(money(amount, unit) for amount in amounts)))
    show(made)


async def _show(merchant: str) -> tuple[Merchant, list[MerchantBalance]]:
    async with services() as opened:
        found = await opened.merchants.get(merchant_id(merchant))
        return found, await opened.books.balances(found.id)


@merchant_app.command
def fees(
    merchant: str,
    unit: str,
    /,
    *,
    fee_percent: str,
    fee_fixed: str = "0",
    overdraft: str = "0",
) -> None:
    """Set a merchant's terms in a currency; with a new currency it takes that too.

    Example: `tandem operator merchant fees mer_0199… EUR --fee-percent 1.2`

    Parameters
    ----------
    merchant
        The merchant, mer_…
    unit
        The currency, such as EUR.
    fee_percent
        The fee, in percent of a payment, with at most two decimals.
    fee_fixed
        The fixed part of the fee.
    overdraft
        How far refunds may take its balance below zero.
    """
    known = currency(unit)
    terms = _terms(known, fee_percent, fee_fixed, overdraft)
    run(_fees(merchant, known.code, terms))
    done(f"{merchant} pays {_fee(known, terms)}.")


async def _fees(merchant: str, code: str, terms: CurrencyTerms) -> None:
    async with services() as opened:
        await opened.merchants.set_currency(merchant_id(merchant), code, terms)


@merchant_app.command
def suspend(merchant: str, /) -> None:
    """Suspend a merchant: it takes no payments until it is resumed.

    Example: `tandem operator merchant suspend mer_0199…`

    Parameters
    ----------
    merchant
        The merchant, mer_…
    """
    done(f"{run(_set_status(merchant, active=False)).name} is suspended.")


@merchant_app.command
def resume(merchant: str, /) -> None:
    """Let a suspended merchant take payments again.

    Example: `tandem operator merchant resume mer_0199…`

    Parameters
    ----------
    merchant
        The merchant, mer_…
    """
    done(f"{run(_set_status(merchant, active=True)).name} takes payments again.")


async def _set_status(merchant: str, *, active: bool) -> Merchant:
    async with services() as opened:
        return await opened.merchants.set_status(
            merchant_id(merchant), "active" if active else "suspended"
        )


@merchant_app.command
def key(merchant: str, name: str, /, *, scope: list[str] | None = None) -> None:
    """Make an API key for a merchant and print it, this once.

    Example: `tandem operator merchant key mer_0199… "Till server"`

    Parameters
    ----------
    merchant
        The merchant, mer_…
    name
        What the list of keys calls it.
    scope
        A scope that it has, such as payments:write; again for further ones. All if none is given.
    """
    made = run(_key(merchant, name, scope or sorted(SCOPES["merchant"])))
    facts({"Key": made.id, "Secret": made.secret, "Scopes": ", ".join(made.scopes)})
    say("The secret is shown this once; keep it.")


async def _key(merchant: str, name: str, scopes: list[str]) -> NewKey:
    async with services() as opened:
        return await opened.merchants.create_key(merchant_id(merchant), name, scopes, None)


@merchant_app.command
def keys(merchant: str, /, *, limit: Limit = 50) -> None:
    """List a merchant's API keys, newest first, also revoked ones.

    Example: `tandem operator merchant keys mer_0199…`

    Parameters
    ----------
    merchant
        The merchant, mer_…
    limit
        The most keys to list.
    """
    key_table(run(_keys(merchant, limit)), scopes=True)


async def _keys(merchant: str, limit: int) -> list[Key]:
    async with services() as opened:
        found = await opened.merchants.get(merchant_id(merchant))
        return await opened.merchants.keys(found.id, None, limit)


@merchant_app.command
def revoke_key(merchant: str, key: str, /) -> None:
    """Revoke an API key of a merchant's; it works no more within a second.

    Example: `tandem operator merchant revoke-key mer_0199… key_0199…`

    Parameters
    ----------
    merchant
        The merchant, mer_…
    key
        The key's id, as `tandem operator merchant keys` shows it; not its secret.
    """
    run(_revoke_key(merchant, key))
    done(f"Revoked {key}.")


async def _revoke_key(merchant: str, key: str) -> None:
    async with services() as opened:
        await opened.merchants.revoke_key(merchant_id(merchant), read_id("key", key, "key"))


@shop_app.command(name="add")
def add_shop(
    merchant: str,
    name: str,
    /,
    *,
    city: str,
    country: str,
    category: str = "5999",
    language: str | None = None,
) -> None:
    """Make a shop.

    Example: `tandem operator shop add mer_0199… "East Gate" --city Hangzhou --country CN`

    Parameters
    ----------
    merchant
        The merchant, mer_…
    name
        The name that people see.
    city
        Where it is.
    country
        Its country, two letters (ISO 3166-1).
    category
        Its merchant category, four digits (ISO 18245).
    language
        The language of a name or city that is not in Latin letters, two letters (ISO 639-1).
    """
    made = run(_add_shop(merchant, name, city, country, category, language))
    done(f"Made {made.name}: {show_id('shp', made.id)}")


async def _add_shop(
    merchant: str, name: str, city: str, country: str, category: str, language: str | None
) -> Shop:
    async with services() as opened:
        return await opened.merchants.create_shop(
            merchant_id(merchant),
            name,
            city,
            country,
            category,
            Acceptance(),
            None,
            language=language,
        )


@shop_app.command(name="list")
def list_shops(merchant: str, /, *, limit: Limit = 50) -> None:
    """List a merchant's shops, newest first.

    Example: `tandem operator shop list mer_0199…`

    Parameters
    ----------
    merchant
        The merchant, mer_…
    limit
        The most shops to list.
    """
    made = table("Shop", "Name", "City", "Country", "Category")
    for shop in run(_shops(merchant, limit)):
        made.add_row(
            *cells(show_id("shp", shop.id), shop.name, shop.city, shop.country, shop.category)
        )
    show(made)


async def _shops(merchant: str, limit: int) -> list[Shop]:
    async with services() as opened:
        return await opened.merchants.shops(merchant_id(merchant), None, limit)


@till_app.command(name="add")
def add_till(shop: str, name: str, /) -> None:
    """Make a till of a shop.

    Example: `tandem operator till add shp_0199… "Till 1"`

    Parameters
    ----------
    shop
        The shop, shp_…
    name
        What the shop calls it.
    """
    made = run(_add_till(shop, name))
    done(f"Made {made.name}: {show_id('til', made.id)}")


async def _add_till(shop: str, name: str) -> Till:
    async with services() as opened:
        owner, shop_id = await owner_of(opened.pool, shop)
        return await opened.merchants.create_till(owner, shop_id, name, Acceptance(), None)


@till_app.command(name="list")
def list_tills(shop: str, /, *, limit: Limit = 50) -> None:
    """List a shop's tills, newest first.

    Example: `tandem operator till list shp_0199…`

    Parameters
    ----------
    shop
        The shop, shp_…
    limit
        The most tills to list.
    """
    made = table("Till", "Name", "Since")
    for till in run(_tills(shop, limit)):
        made.add_row(*cells(show_id("til", till.id), till.name, f"{till.created_at:%Y-%m-%d}"))
    show(made)


async def _tills(shop: str, limit: int) -> list[Till]:
    async with services() as opened:
        owner, shop_id = await owner_of(opened.pool, shop)
        return await opened.merchants.tills(owner, shop_id, None, limit)


shop_app.command(show_shop, name="show")
shop_app.command(accept_at_shop, name="accept")
till_app.command(show_till, name="show")
till_app.command(accept_at_till, name="accept")
