"""The ISO 8583 host over the books: a real card, a real reader, the wire, and money that moves."""

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, Final

import pytest
from town import Door, Someone, Town, key, open_town

from acquiring_host import code, open_client, open_host
from acquiring_play import make_context, make_link, original
from card_phone import Phone
from tandem.acquiring import Books, Client, De, Link, Message
from tandem.emv.tags import Tag
from tandem.emv.terminal import HostAnswer, Result, complete
from tandem.emv.tlv import read
from tandem.kernel import show_id
from tandem.merchants import Acceptance

START: Final = 100_000
_STAN: Final = itertools.count(1)


class Shop:
    """A till with a reader, connected to the host; a person with a phone stands before it."""

    def __init__(self, town: Town, door: Door, lin: Someone, phone: Phone, client: Client) -> None:
        self.town, self.door, self.lin, self.phone, self.client = town, door, lin, phone, client

    def message(self, mti: str, amount: int, icc: bytes = b"", **changes: str | None) -> Message:
        """A message of the till; `changes` by name of the element, None leaves one out."""
        now, stan = self.town.services.clock.now(), next(_STAN)
        fields: dict[str, str | None] = {
            "PROCESSING_CODE": "000000",
            "AMOUNT": f"{amount:012d}",
            "STAN": f"{stan:06d}",
            "LOCAL_TIME": f"{now:%H%M%S}",
            "LOCAL_DATE": f"{now:%m%d}",
            "ENTRY_MODE": "071",
            "SEQUENCE_NUMBER": "000",
            "CONDITION": "00",
            "TRACK2": f"{self.phone.pan}=2912201000000000",
            "RRN": f"{stan:012d}",
            "TERMINAL": "TERM0001",
            "MERCHANT": "SHOP00000000001",
            "CURRENCY": "156",
            "ICC": icc.hex().upper() or None,
            **changes,
        }
        kept = {De[name]: value for name, value in fields.items() if value is not None}
        return Message(mti, dict(sorted(kept.items())))

    async def ask(self, message: Message) -> Message:
        return await self.client.request(message)

    async def pay(self, amount: int, mti: str = "0200", **tap: Any) -> tuple[Message, Message]:  # noqa: ANN401 - what a tap is made of
        """Tap and ask; the message and its answer."""
        outcome = await self.phone.tap(amount, **tap)
        asked = self.message(mti, amount, outcome.online_data)
        return asked, await self.ask(asked)

    async def spent(self) -> int:
        """What the person has paid; the shop has it."""
        spent = START - (await self.lin.balance())["balance"]
        assert await self.door.balance() == spent
        return int(spent)


def about(message: Message, mti: str) -> str:
    """Element 90 about a message."""
    return original(mti, int(message.text(De.STAN) or 0), "0000000000")


@pytest.fixture
async def shop(
    module_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Shop]:
    folder = tmp_path_factory.getbasetemp() / "book-keys"
    folder.mkdir(exist_ok=True)
    async with AsyncExitStack() as stack:
        town = await stack.enter_async_context(open_town(module_database, folder))
        services = town.services
        lin, door = await town.person(yuan=START // 100), await town.merchant()
        till = await services.merchants.create_till(
            door.id, door.shop_id, "Till 1", Acceptance(), None
        )
        # one link of its own for each test, so that its totals are this test's
        link: Link = make_link(
            name=f"link{next(_STAN)}", tills={"TERM0001": show_id("til", till.id)}
        )
        books = Books(services.payments, services.pool, services.clock, services.settings, [link])
        clock, settings = services.clock, services.settings
        context = make_context(
            local_now=clock.now, business_day=lambda: settings.day_of(clock.now())
        )
        host = await stack.enter_async_context(
            open_host(link, bank=books, context=context)  # type: ignore[arg-type]  # another authoriser
        )
        client = await stack.enter_async_context(open_client(host, link))
        phone = Phone(services.cards, lin.id, lin.device_id, services.clock)
        await phone.add(key())
        yield Shop(town, door, lin, phone, client)
        await town.check()


async def test_a_tap_over_the_wire_moves_the_money_and_the_card_believes_the_answer(
    shop: Shop,
) -> None:
    outcome = await shop.phone.tap(3800)
    assert outcome.result is Result.ONLINE_REQUEST
    answer = await shop.ask(shop.message("0200", 3800, outcome.online_data))
    assert (answer.mti, code(answer)) == ("0210", "00")
    assert len(answer.text(De.AUTHORISATION_CODE) or "") == 6
    assert await shop.spent() == 3800
    (proof,) = read(answer.binary(De.ICC) or b"")
    assert proof.tag == Tag.ISSUER_AUTHENTICATION_DATA
    application = shop.phone.application
    assert application is not None
    application.issuer_answered(application.state.atc, proof.value)  # raises if it is not right
    assert application.state.last_online_atc == application.state.atc
    assert (
        complete(outcome, HostAnswer(approved=True, issuer_data=proof.value)).result
        is Result.APPROVED
    )


async def test_a_replayed_cryptogram_is_refused(shop: Shop) -> None:
    asked, _ = await shop.pay(3800)
    icc = asked.binary(De.ICC) or b""
    replayed = await shop.ask(shop.message("0200", 3800, icc))
    assert code(replayed) == "63"
    assert replayed.binary(De.ICC) is None
    assert await shop.spent() == 3800


async def test_a_repeat_is_answered_as_before(shop: Shop) -> None:
    asked, first = await shop.pay(3800)
    again = await shop.ask(Message("0201", dict(asked.fields)))
    assert again.text(De.AUTHORISATION_CODE) == first.text(De.AUTHORISATION_CODE)
    assert again.binary(De.ICC) == first.binary(De.ICC)
    assert await shop.spent() == 3800


async def test_the_host_is_told_another_amount(shop: Shop) -> None:
    outcome = await shop.phone.tap(3800)
    answer = await shop.ask(shop.message("0200", 4800, outcome.online_data))
    assert code(answer) == "63"
    assert await shop.spent() == 0


async def test_an_authorisation_and_its_completion(shop: Shop) -> None:
    asked, answer = await shop.pay(5000, "0100")
    assert (answer.mti, code(answer)) == ("0110", "00")
    assert await shop.door.balance() == 0
    advice = shop.message("0220", 4200, ORIGINAL=about(asked, "0100"))
    for mti in ("0220", "0221"):
        done = await shop.ask(Message(mti, dict(advice.fields)))
        assert (done.mti, code(done)) == ("0230", "00")
    assert await shop.spent() == 4200
    undone = await shop.ask(shop.message("0420", 4200, ORIGINAL=about(advice, "0220")))
    assert code(undone) == "00"
    assert await shop.spent() == 0


async def test_what_was_approved_offline_is_booked_later(shop: Shop) -> None:
    outcome = await shop.phone.tap(700, floor=1000)
    assert outcome.result is Result.APPROVED
    await shop.pay(100)
    advice = shop.message("0220", 700, outcome.online_data, RESPONSE_CODE="Y1")
    for mti in ("0220", "0221"):
        assert code(await shop.ask(Message(mti, dict(advice.fields)))) == "00"
    assert await shop.spent() == 800


@pytest.mark.parametrize(("mti", "kind"), [("0200", "0200"), ("0100", "0100")])
async def test_a_reversal_gives_it_all_back_and_comes_again(
    shop: Shop, mti: str, kind: str
) -> None:
    asked, _ = await shop.pay(3800, mti)
    reversal = shop.message("0420", 3800, ORIGINAL=about(asked, kind))
    for repeat in ("0420", "0421", "0421"):
        answer = await shop.ask(Message(repeat, dict(reversal.fields)))
        assert (answer.mti, code(answer)) == ("0430", "00")
    assert await shop.spent() == 0
    assert (await shop.lin.balance())["reserved"] == 0


async def test_a_part_is_reversed(shop: Shop) -> None:
    asked, _ = await shop.pay(3800)
    replaced = f"{1000:012d}".ljust(42, "0")
    reversal = shop.message(
        "0400", 3800, ORIGINAL=about(asked, "0200"), REPLACEMENT_AMOUNTS=replaced
    )
    assert code(await shop.ask(reversal)) == "00"
    assert await shop.spent() == 1000


async def test_a_reversal_that_comes_first(shop: Shop) -> None:
    outcome = await shop.phone.tap(3800)
    late = shop.message("0200", 3800, outcome.online_data)
    assert code(await shop.ask(shop.message("0420", 3800, ORIGINAL=about(late, "0200")))) == "00"
    assert code(await shop.ask(late)) == "94"
    assert await shop.spent() == 0


async def test_a_refund_names_its_payment(shop: Shop) -> None:
    asked, _ = await shop.pay(3800)
    rrn = asked.text(De.RRN)
    refund: dict[str, Any] = {"PROCESSING_CODE": "200000", "RRN": rrn}
    answer = await shop.ask(shop.message("0200", 800, **refund))
    assert code(answer) == "00"
    assert await shop.spent() == 3000
    assert code(await shop.ask(shop.message("0200", 3001, **refund))) == "13"
    refund["RRN"] = "999999999999"
    assert code(await shop.ask(shop.message("0200", 1, **refund))) == "25"


async def test_the_totals_of_the_day(shop: Shop) -> None:
    asked, _ = await shop.pay(3800)
    gone, _ = await shop.pay(100)
    await shop.ask(shop.message("0420", 100, ORIGINAL=about(gone, "0200")))
    refund: dict[str, Any] = {"PROCESSING_CODE": "200000", "RRN": asked.text(De.RRN)}
    await shop.ask(shop.message("0200", 800, **refund))
    day = shop.town.services.clock.now()
    fields = {
        De.STAN: "000001", De.CURRENCY: "156",
        De.CREDITS_NUMBER: f"{1:010d}", De.CREDITS_AMOUNT: f"{800:016d}",
        De.DEBITS_NUMBER: f"{2:010d}", De.DEBITS_AMOUNT: f"{3900:016d}",
        De.DEBITS_REVERSED_NUMBER: f"{1:010d}", De.DEBITS_REVERSED_AMOUNT: f"{100:016d}",
        De.SETTLEMENT_DATE: f"{day:%m%d}",
    }  # fmt: skip
    balanced = await shop.ask(Message("0500", dict(sorted(fields.items()))))
    assert balanced.text(De.SETTLEMENT_CODE) == "1"
    fields[De.SETTLEMENT_DATE] = f"{day - timedelta(days=1):%m%d}"
    yesterday = await shop.ask(Message("0500", dict(sorted(fields.items()))))
    assert yesterday.text(De.SETTLEMENT_CODE) == "2"


async def test_cards_people_and_terminals_that_cannot(shop: Shop) -> None:
    outcome = await shop.phone.tap(100)
    stranger: dict[str, Any] = {"TRACK2": "9801230000000000=2912201000000000"}
    assert code(await shop.ask(shop.message("0200", 100, outcome.online_data, **stranger))) == "14"
    other = shop.message("0200", 100, outcome.online_data, TERMINAL="TERM0002")
    assert code(await shop.ask(other)) == "58"
    assert code(await shop.ask(shop.message("0200", 100))) == "30"  # no chip data
    nothing = shop.message("0100", 0, outcome.online_data)
    assert code(await shop.ask(nothing)) == "13"
    _, answer = await shop.pay(START + 1)
    assert code(answer) == "51"
    assert answer.binary(De.ICC) is not None  # the card learns that it was its issuer
    await shop.phone.cards.lose_device(shop.lin.id, shop.lin.device_id)
    _, answer = await shop.pay(100)
    assert code(answer) == "41"
    assert await shop.spent() == 0
