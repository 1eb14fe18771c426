"""From a till's wire to an issuer's: the terminal's host before Tandem, the issuer's behind it."""

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Final

import pytest
from issuer_town import Bank, open_bank
from test_acquiring_books import Shop, about

from acquiring_host import code, open_client, open_host
from acquiring_play import make_context, make_link
from tandem.acquiring import Books, De, Message
from tandem.kernel import show_id
from tandem.merchants import Acceptance

_LINK: Final = itertools.count(1)


class Both(Shop):
    """A till, and the issuer that is asked."""

    bank: Bank


@pytest.fixture
async def shop(
    module_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Both]:
    folder = tmp_path_factory.getbasetemp() / "wire-keys"
    folder.mkdir(exist_ok=True)
    async with AsyncExitStack() as stack:
        bank = await stack.enter_async_context(open_bank(module_database, folder))
        services = bank.town.services
        lin, door = await bank.town.person(), await bank.town.merchant()
        till = await services.merchants.create_till(
            door.id, door.shop_id, "Till 1", Acceptance(), None
        )
        link = make_link(name=f"wire{next(_LINK)}", tills={"TERM0001": show_id("til", till.id)})
        books = Books(services.payments, services.pool, services.clock, services.settings, [link])
        context = make_context(local_now=services.clock.now)
        host = await stack.enter_async_context(
            open_host(link, bank=books, context=context)  # type: ignore[arg-type]  # another authoriser
        )
        client = await stack.enter_async_context(open_client(host, link))
        made = Both(bank.town, door, lin, await bank.phone(lin), client)
        made.bank, before = bank, await bank.owed()
        yield made
        await bank.tell()
        await bank.town.check()
        assert await bank.owed() - before == bank.agrees()


async def test_the_issuers_word_reaches_the_till_and_its_number_does_not(shop: Both) -> None:
    asked, answer = await shop.pay(3800)
    assert code(answer) == "00"
    assert answer.binary(De.ICC)
    assert shop.bank.agrees() == await shop.door.balance() == 3800
    (taken,) = shop.bank.issuer.accounts.made.values()
    for message in (asked, answer):
        assert taken.pan not in "".join(message.fields.values())


@pytest.mark.parametrize(("amount", "said"), [(1051, "05"), (1054, "05"), (1091, "91")])
async def test_a_till_hears_no_more_than_it_must(shop: Both, amount: int, said: str) -> None:
    _, answer = await shop.pay(amount)
    assert code(answer) == said
    await shop.bank.tell()
    assert shop.bank.agrees() == await shop.door.balance() == 0


async def test_a_till_repeats_and_reverses(shop: Both) -> None:
    asked, first = await shop.pay(3800)
    again = await shop.ask(Message("0201", dict(asked.fields)))
    assert code(again) == code(first) == "00"
    assert shop.bank.agrees() == 3800
    back = shop.message("0400", 3800, ORIGINAL=about(asked, "0200"), TRACK2=None)
    assert code(await shop.ask(back)) == "00"
    await shop.bank.tell()
    assert shop.bank.agrees() == await shop.door.balance() == 0


async def test_an_authorisation_goes_all_the_way_and_back(shop: Both) -> None:
    asked, answer = await shop.pay(5000, mti="0100")
    assert (code(answer), shop.bank.issuer.accounts.held()) == ("00", 5000)
    done = shop.message("0220", 3000, ORIGINAL=about(asked, "0100"), ICC=None)
    assert code(await shop.ask(done)) == "00"
    await shop.bank.tell()
    assert (shop.bank.agrees(), shop.bank.issuer.accounts.held()) == (3000, 0)
    assert await shop.door.balance() == 3000
