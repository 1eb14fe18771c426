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
from tandem.merchants import Acceptance, UpdateShop
from tandem.payments.search import PaymentFilter

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


async def test_a_gate_tells_afterwards_of_who_went_through(shop: Shop) -> None:
    """Cut off, or its answer lost: then the request comes first, and its answer holds."""
    gate = UpdateShop(category="4111")
    await shop.town.services.merchants.update_shop(shop.door.id, shop.door.shop_id, gate)
    ride: dict[str, Any] = {"gate": True, "verified": False}
    late, lost = [await shop.phone.tap(300, **ride) for _ in range(2)]
    request = shop.message("0200", 300, lost.online_data)
    first = await shop.ask(request)
    assert code(first) == "00"
    advice = Message("0221", dict(sorted({**request.fields, De.RESPONSE_CODE: "Y3"}.items())))
    assert code(await shop.ask(advice)) == "94"
    again = await shop.ask(Message("0201", dict(request.fields)))
    assert again.text(De.AUTHORISATION_CODE) == first.text(De.AUTHORISATION_CODE)
    advice = shop.message("0220", 300, late.online_data, RESPONSE_CODE="Y3")
    for mti in ("0220", "0221"):
        answer = await shop.ask(Message(mti, dict(advice.fields)))
        assert (code(answer), answer.binary(De.ICC)) == ("00", None)
    assert await shop.spent() == 600


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


async def test_a_part_of_an_authorisation_is_reversed(shop: Shop) -> None:
    asked, _ = await shop.pay(3800, "0100")
    for kept in (3000, 1000):
        replaced = f"{kept:012d}".ljust(42, "0")
        reversal = shop.message(
            "0420", 3800, ORIGINAL=about(asked, "0100"), REPLACEMENT_AMOUNTS=replaced
        )
        for mti in ("0420", "0421"):
            assert code(await shop.ask(Message(mti, dict(reversal.fields)))) == "00"
            assert (await shop.lin.balance())["reserved"] == kept
    assert await shop.spent() == 0
    too_much = shop.message("0220", 1001, ORIGINAL=about(asked, "0100"))
    assert code(await shop.ask(too_much)) == "13"
    assert code(await shop.ask(shop.message("0220", 900, ORIGINAL=about(asked, "0100")))) == "00"
    assert await shop.spent() == 900
    assert (await shop.lin.balance())["reserved"] == 0
    replaced = f"{400:012d}".ljust(42, "0")
    after = shop.message("0400", 3800, ORIGINAL=about(asked, "0100"), REPLACEMENT_AMOUNTS=replaced)
    assert code(await shop.ask(after)) == "00"
    assert await shop.spent() == 400


async def test_a_refund_whose_answer_was_lost_is_taken_back_once(shop: Shop) -> None:
    asked, _ = await shop.pay(3800)
    refund: dict[str, Any] = {"PROCESSING_CODE": "200000", "RRN": asked.text(De.RRN)}
    given = shop.message("0200", 800, **refund)
    assert code(await shop.ask(given)) == "00"
    assert await shop.spent() == 3000
    first = shop.message("0400", 800, ORIGINAL=about(given, "0200"), PROCESSING_CODE="200000")
    second = shop.message("0420", 800, ORIGINAL=about(given, "0200"), PROCESSING_CODE="200000")
    for message in (first, first, second):
        assert code(await shop.ask(message)) == "00"
        assert await shop.spent() == 3800
    part = shop.message("0200", 500, **refund)
    assert code(await shop.ask(part)) == "00"
    replaced = f"{100:012d}".ljust(42, "0")
    assert (
        code(
            await shop.ask(
                shop.message(
                    "0420", 500, ORIGINAL=about(part, "0200"), REPLACEMENT_AMOUNTS=replaced
                )
            )
        )
        == "00"
    )
    assert await shop.spent() == 3700
    services = shop.town.services
    listed = await services.payments.list_of_merchant(shop.door.id, PaymentFilter(), None, 10)
    refunds = await services.payments.refunds(shop.door.id, listed[0].id, None, 10)
    assert [(one.amount, one.reversed) for one in refunds] == [(500, 400), (800, 800)]
    day = services.clock.now()
    totals = await shop.ask(
        Message("0500", {De.STAN: "000001", De.SETTLEMENT_DATE: f"{day:%m%d}", De.CURRENCY: "156"})
    )
    assert totals.text(De.CREDITS_NUMBER) == f"{2:010d}"
    assert totals.text(De.CREDITS_REVERSED_NUMBER) == f"{2:010d}"
    assert totals.text(De.CREDITS_REVERSED_AMOUNT) == f"{1200:016d}"
    assert totals.text(De.NET_AMOUNT) == f"D{3700:016d}"


async def test_a_refund_that_was_spent_is_not_taken_back(shop: Shop) -> None:
    asked, _ = await shop.pay(START)
    refund: dict[str, Any] = {"PROCESSING_CODE": "200000", "RRN": asked.text(De.RRN)}
    given = shop.message("0200", 800, **refund)
    assert code(await shop.ask(given)) == "00"
    _, again = await shop.pay(500)
    assert code(again) == "00"
    reversal = shop.message("0420", 800, ORIGINAL=about(given, "0200"), PROCESSING_CODE="200000")
    assert code(await shop.ask(reversal)) == "51"
    assert await shop.spent() == START - 300


@pytest.mark.parametrize(("amount", "condition"), [(0, "00"), (100, "51")])
async def test_a_question_about_a_card_moves_nothing(
    shop: Shop, amount: int, condition: str
) -> None:
    outcome = await shop.phone.tap(amount)
    asked = shop.message("0100", amount, outcome.online_data, CONDITION=condition)
    answer = await shop.ask(asked)
    assert (answer.mti, code(answer)) == ("0110", "00")
    assert answer.text(De.AUTHORISATION_CODE) is None
    (proof,) = read(answer.binary(De.ICC) or b"")
    application = shop.phone.application
    assert application is not None
    application.issuer_answered(application.state.atc, proof.value)
    again = await shop.ask(Message("0101", dict(asked.fields)))
    assert (code(again), again.binary(De.ICC)) == ("00", answer.binary(De.ICC))
    icc = outcome.online_data
    replayed = await shop.ask(shop.message("0100", amount, icc, CONDITION=condition))
    assert (code(replayed), replayed.binary(De.ICC)) == ("63", None)
    other = shop.message("0100", amount + 1, icc, CONDITION="51")
    assert code(await shop.ask(other)) == "63"
    assert code(await shop.ask(shop.message("0420", amount, ORIGINAL=about(asked, "0100")))) == "00"
    assert (await shop.lin.balance())["reserved"] == 0
    assert await shop.spent() == 0
    services = shop.town.services
    assert not await services.payments.list_of_merchant(shop.door.id, PaymentFilter(), None, 10)
    await shop.phone.cards.lose_device(shop.lin.id, shop.lin.device_id)
    lost = await shop.phone.tap(amount)
    answer = await shop.ask(shop.message("0100", amount, lost.online_data, CONDITION=condition))
    assert code(answer) == "41"
    assert answer.binary(De.ICC) is not None


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
    assert code(await shop.ask(shop.message("0200", 0, outcome.online_data))) == "13"
    _, answer = await shop.pay(START + 1)
    assert code(answer) == "05"  # why a wallet cannot pay is not the shop's to know
    assert answer.binary(De.ICC) is not None  # the card learns that it was its issuer
    await shop.phone.cards.lose_device(shop.lin.id, shop.lin.device_id)
    _, answer = await shop.pay(100)
    assert code(answer) == "41"
    assert await shop.spent() == 0
