"""`tandem operator shop accept` and `till accept`: which ways and wallets are taken, up to what."""

from typing import Literal
from uuid import UUID

from tandem.app import Services
from tandem.cli.beside import services
from tandem.cli.run import run
from tandem.cli.show import cells, done, facts, money, show, table
from tandem.db import Pool
from tandem.kernel import Invalid, NotFound, currency, parse_amount, read_id
from tandem.merchants import (
    WAYS,
    Acceptance,
    Choice,
    Place,
    Shop,
    Till,
    Way,
    WayRule,
    load_place,
)

WayName = Literal["tap", "scan", "click"]
_TERM_WORDS = 3


def show_shop(shop: str, /) -> None:
    """Show a shop, with what it accepts.

    Example: `tandem operator shop show shp_0199…`

    Parameters
    ----------
    shop
        The shop, shp_…
    """
    found = run(_shop(shop))
    place = f"{found.city}, {found.country}"
    facts({"Shop": shop, "Name": found.name, "Place": place, "Category": found.category})
    _policy(found.acceptance)


def show_till(till: str, /) -> None:
    """Show a till, with what it accepts beside its shop: the stricter of the two holds.

    Example: `tandem operator till show til_0199…`

    Parameters
    ----------
    till
        The till, til_…
    """
    found = run(_till(till))
    facts({"Till": till, "Name": found.name})
    _policy(found.acceptance)


def accept_at_shop(
    shop: str,
    /,
    *,
    refuse: list[WayName] | None = None,
    up_to: list[str] | None = None,
    only_wallet: list[str] | None = None,
    refuse_wallet: list[str] | None = None,
    only_aid: list[str] | None = None,
    refuse_aid: list[str] | None = None,
) -> None:
    """Set what a shop accepts, from the next payment on. What is not said is accepted.

    Example: `tandem operator shop accept shp_0199… --refuse click --up-to "scan 500.00 CNY"`

    Parameters
    ----------
    shop
        The shop, shp_…
    refuse
        A way that it does not take; again for further ones.
    up_to
        The largest amount of a way: the way, the amount and the currency; again for further ones.
    only_wallet
        A wallet that it takes, and no others; again for further ones.
    refuse_wallet
        A wallet that it does not take; again for further ones.
    only_aid
        A contactless application (AID) that its terminals take, and no others; again for more.
    refuse_aid
        A contactless application that they do not take; again for further ones.
    """
    wallets, aids = _choice(only_wallet, refuse_wallet), _choice(only_aid, refuse_aid)
    policy = _acceptance(refuse, up_to, wallets, aids)
    changed = run(_accept_at_shop(shop, policy))
    done(f"{changed.name} accepts from now on:")
    _policy(changed.acceptance)


def accept_at_till(
    till: str,
    /,
    *,
    refuse: list[WayName] | None = None,
    up_to: list[str] | None = None,
    only_wallet: list[str] | None = None,
    refuse_wallet: list[str] | None = None,
    only_aid: list[str] | None = None,
    refuse_aid: list[str] | None = None,
) -> None:
    """Set what a till accepts beside its shop; the stricter of the two holds.

    Example: `tandem operator till accept til_0199… --refuse tap`

    Parameters
    ----------
    till
        The till, til_…
    refuse
        A way that it does not take; again for further ones.
    up_to
        The largest amount of a way: the way, the amount and the currency; again for further ones.
    only_wallet
        A wallet that it takes, and no others; again for further ones.
    refuse_wallet
        A wallet that it does not take; again for further ones.
    only_aid
        A contactless application (AID) that its terminals take, and no others; again for more.
    refuse_aid
        A contactless application that they do not take; again for further ones.
    """
    wallets, aids = _choice(only_wallet, refuse_wallet), _choice(only_aid, refuse_aid)
    policy = _acceptance(refuse, up_to, wallets, aids)
    changed = run(_accept_at_till(till, policy))
    done(f"{changed.name} accepts from now on:")
    _policy(changed.acceptance)


def _acceptance(
    refuse: list[WayName] | None,
    up_to: list[str] | None,
    wallets: Choice,
    aids: Choice,
) -> Acceptance:
    limits: dict[Way, dict[str, int]] = {}
    for term in up_to or ():
        way, code, minor = _limit(term)
        limits.setdefault(way, {})[code] = minor
    ways = {
        way: WayRule(way not in (refuse or ()), limits.get(way, {}))
        for way in WAYS
        if way in (refuse or ()) or way in limits
    }
    return Acceptance(ways, wallets, aids=aids)


def _choice(only: list[str] | None, refused: list[str] | None) -> Choice:
    return Choice(None if only is None else tuple(only), tuple(refused or ()))


def _limit(term: str) -> tuple[Way, str, int]:
    """The way, currency and minor units of `scan 500.00 CNY`. Raises `Invalid`."""
    words = term.split()
    way = next((way for way in WAYS if way == words[0]), None) if words else None
    if len(words) != _TERM_WORDS or way is None:
        raise Invalid("--up-to", 'give a way, an amount and a currency, as in "scan 500.00 CNY"')
    unit = currency(words[2], "--up-to")
    return way, unit.code, parse_amount(words[1], unit, "--up-to")


def _policy(policy: Acceptance) -> None:
    """Print which ways are open, and up to what amount."""
    made = table("Way", "Taken", "Up to")
    for way in WAYS:
        rule = policy.rule(way)
        limits = [money(minor, currency(code)) for code, minor in sorted(rule.max_amount.items())]
        taken = ("yes", ", ".join(limits) or "any amount") if rule.enabled else ("no", "")
        made.add_row(*cells(way, *taken))
    show(made)
    told: dict[str, str] = {}
    for kind, choice in (("wallets", policy.wallets), ("AIDs", policy.aids)):
        if choice.only is not None:
            told[f"Only the {kind}"] = ", ".join(choice.only) or "none"
        if choice.refused:
            told[f"Not the {kind}"] = ", ".join(choice.refused)
    facts(told)


async def _shop(shop: str) -> Shop:
    async with services() as opened:
        return await opened.merchants.shop(*await owner_of(opened.pool, shop))


async def _till(till: str) -> Till:
    async with services() as opened:
        return await opened.merchants.till(*await till_of(opened, till))


async def _accept_at_shop(shop: str, policy: Acceptance) -> Shop:
    async with services() as opened:
        owner, shop_id = await owner_of(opened.pool, shop)
        return await opened.merchants.accept_at_shop(owner, shop_id, policy)


async def _accept_at_till(till: str, policy: Acceptance) -> Till:
    async with services() as opened:
        owner, till_id = await till_of(opened, till)
        return await opened.merchants.accept_at_till(owner, till_id, policy)


async def owner_of(pool: Pool, shop: str) -> tuple[UUID, UUID]:
    """Whose shop it is, and its id. Raises `NotFound`, `Invalid`."""
    shop_id = read_id("shp", shop, "shop")
    async with pool.acquire() as connection:
        place = await load_place(connection, shop_id=shop_id)
    return _known(place, "shop", shop).merchant_id, shop_id


async def till_of(opened: Services, till: str) -> tuple[UUID, UUID]:
    """Whose till it is, and its id. Raises `NotFound`, `Invalid`."""
    till_id = read_id("til", till, "till")
    async with opened.pool.acquire() as connection:
        place = await load_place(connection, till_id=till_id)
    return _known(place, "till", till).merchant_id, till_id


def _known(place: Place | None, kind: str, shown: str) -> Place:
    if place is None:
        raise NotFound(kind, shown)
    return place
