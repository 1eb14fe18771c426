"""A currency that the operator takes out: nothing more comes in, and nobody's money is lost."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
from town import Someone, Town, asked, key, open_town, said

from tandem.kernel import Invalid, currency
from tandem.ledger import money_left_out
from tandem.merchants import Acceptance, CurrencyTerms
from tandem.payments import At, Source
from tandem.settings import Settings

EUR, CNY, SEK, USD = map(currency, ("EUR", "CNY", "SEK", "USD"))
BEFORE = Settings(currencies=(EUR, CNY))
AFTER = Settings(currencies=(CNY, SEK))


@pytest.fixture
async def bob(fresh_database: str, tmp_path: Path) -> AsyncIterator[Someone]:
    """Somebody with 50.00 EUR and nothing else, where euros are taken no more."""
    async with open_town(fresh_database, tmp_path, currencies=BEFORE.currencies) as town:
        made = await town.person(name="Bob")
        await town.services.wallet.top_up(made.id, 5000, "EUR", "bank 1", key())
        terms = {"EUR": CurrencyTerms(0, 0, 0)}
        merchant = await town.services.merchants.create("Green", terms, None)
        await town.services.merchants.create_shop(
            merchant.id, "Green", "Bonn", "DE", "5814", Acceptance(), None
        )
    async with open_town(fresh_database, tmp_path, currencies=AFTER.currencies) as town:
        yield Someone(town, made.id, made.device_id, made.handle, "", "", b"")
        await town.check()


async def balances(who: Someone) -> dict[str, int]:
    view = await who.town.services.wallet.view(who.id)
    return {line.currency: line.balance for line in view.balances}


async def shop_of(town: Town) -> tuple[UUID, UUID]:
    row = await town.services.pool.fetchrow("SELECT merchant_id, id FROM shops")
    assert row is not None
    return row["merchant_id"], row["id"]


async def test_what_somebody_has_is_shown_whatever_the_operator_takes(bob: Someone) -> None:
    assert await balances(bob) == {"EUR": 5000}
    (line,) = await bob.town.services.wallet.history(bob.id, "EUR", None, 10)
    assert await bob.town.services.wallet.history(bob.id, None, None, 10) == [line]
    assert (line.balance, line.currency) == (5000, "EUR")
    await bob.town.top_up(bob.id, 100)
    assert await balances(bob) == {"CNY": 100, "EUR": 5000}, "the operator's own come first"


async def test_it_can_be_sent_spent_and_paid_out(bob: Someone) -> None:
    town, services = bob.town, bob.town.services
    amy = await town.person(name="Amy")
    await services.wallet.send(bob.id, amy.id, 1000, "EUR", None, key())
    await services.wallet.send(amy.id, bob.id, 200, "EUR", None, key())
    assert (await balances(bob), await balances(amy)) == ({"EUR": 4200}, {"EUR": 800})
    merchant_id, shop_id = await shop_of(town)
    new = asked(700, code="EUR", source=Source.STATIC_CODE)
    token = await services.pool.fetchval("SELECT code_token FROM shops")
    paid = said(await services.payments.pay_static(bob.id, token, new, key()))
    assert paid["status"] == "captured"
    order = asked(100, code="EUR")
    assert said(await services.payments.create_order(At(merchant_id, shop_id), order, key()))
    await services.payouts.make(merchant_id, 700, "EUR", "out 1", key())
    assert await balances(bob) == {"EUR": 3500}


async def test_nothing_more_comes_in(bob: Someone) -> None:
    services = bob.town.services
    amy = await bob.town.person(name="Amy")
    calls = (
        services.wallet.top_up(bob.id, 100, "EUR", "bank 2", key()),
        services.wallet.ask(bob.id, amy.id, 100, "EUR", None, key()),
    )
    for call in calls:
        with pytest.raises(Invalid, match="EUR is not used here; there are CNY, SEK"):
            await call
    assert await balances(bob) == {"EUR": 5000}


async def test_a_currency_that_one_never_had_is_still_named_wrong(bob: Someone) -> None:
    services = bob.town.services
    amy = await bob.town.person(name="Amy")
    merchant = await bob.town.merchant()
    calls = (
        services.wallet.history(amy.id, "EUR", None, 10),
        services.wallet.history(bob.id, "USD", None, 10),
        services.wallet.send(amy.id, bob.id, 100, "EUR", None, key()),
        services.payouts.make(merchant.id, 100, "EUR", "out 2", key()),
    )
    for call in calls:
        with pytest.raises(Invalid, match="is not used here; there are CNY, SEK"):
            await call


async def test_the_start_is_told_what_is_left_in_it(bob: Someone) -> None:
    async with bob.town.services.pool.acquire() as connection:
        assert await money_left_out(connection, AFTER) == [(EUR, 5000)]
        assert await money_left_out(connection, BEFORE) == []
        assert await money_left_out(connection, Settings(currencies=(USD,))) == [(EUR, 5000)]
