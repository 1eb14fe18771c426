"""Device cards that a remote issuer's card funds: asked over ISO 8583, and never in doubt."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from issuer_town import Bank, card, open_bank
from till_taps import message
from town import Door, Someone, key, open_town, said

from card_phone import Phone
from tandem.acquiring import De, Message
from tandem.cards import IssuerAnswer
from tandem.db import IdempotencyConflict
from tandem.issuers import Deed, Rule, Rules
from tandem.issuers.rules import DEFAULT
from tandem.kernel import Invalid, NotFound, read_id
from tandem.ledger import ReferenceBooked
from tandem.payments import Capture
from tandem.settlement import SettlementNotCovered
from terminal import Cli


def payment_of(shown: str) -> UUID:
    return read_id("pay", shown)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.getbasetemp() / "issuer-keys"
    made.mkdir(exist_ok=True)
    return made


@pytest.fixture
async def bank(module_database: str, folder: Path) -> AsyncIterator[Bank]:
    async with open_bank(module_database, folder) as made:
        made.before = await made.owed()
        yield made
        await made.tell()
        await made.town.check()
        # What our books say the issuer owes is what it says itself, whatever happened.
        assert await made.owed() - made.before == made.agrees()
        assert made.issuer.accounts.held() == 0
        open_ones = await made.town.services.pool.fetchval(
            "SELECT count(*) FROM issuer_authorisations WHERE status = 'asking'"
        )
        assert open_ones == 0


@pytest.fixture
async def lin(bank: Bank) -> Someone:
    return await bank.town.person()


@pytest.fixture
async def door(bank: Bank) -> Door:
    return await bank.town.merchant(points=100)


@pytest.fixture
async def phone(bank: Bank, lin: Someone) -> Phone:
    return await bank.phone(lin)


async def test_the_issuer_pays_and_the_balance_does_not(
    bank: Bank, lin: Someone, door: Door, phone: Phone
) -> None:
    answer = await bank.pay(door, await bank.tap(phone, 3800))
    paid = answer["payment"]
    assert (paid["status"], paid["fee"], answer["reason"]) == ("captured", 38, None)
    assert answer["issuer_answer"] is not None
    assert await door.balance() == 3762
    assert (await lin.balance())["balance"] == 0
    (made,) = bank.issuer.accounts.made.values()
    assert (made.pan, made.taken) == (card().pan, 3800)
    records = bank.town.services.records
    assert len(await records.booked(await records.get(payment_of(paid["id"])))) == 2


async def test_what_comes_late_is_asked_of_the_issuer_and_not_answered_to_the_card(
    bank: Bank, door: Door, phone: Phone
) -> None:
    new = await message(bank.town, phone, 700, floor=1000, told={"offline": True})
    idem = key(owner=door.id)
    answer = await bank.pay(door, new, idem)
    assert (answer["payment"]["status"], answer["issuer_answer"]) == ("captured", None)
    assert await bank.pay(door, new, idem) == answer
    (made,) = bank.issuer.accounts.made.values()
    assert made.taken == 700


@pytest.mark.parametrize(
    ("amount", "reason"),
    [
        (1051, "issuer_funds"),
        (1005, "issuer_declined"),
        (1054, "issuer_card_expired"),
        (1093, "issuer_declined"),
        (1091, "issuer_silent"),
        (1094, "issuer_silent"),
        (1095, "issuer_silent"),
        (1096, "issuer_silent"),
    ],
)
async def test_what_is_not_agreed_to_is_not_paid(
    bank: Bank, door: Door, phone: Phone, amount: int, reason: str
) -> None:
    """A lost answer to what the issuer did is undone there."""
    answer = await bank.pay(door, await bank.tap(phone, amount))
    assert (answer["payment"]["status"], answer["reason"]) == ("declined", reason)
    assert answer["payment"]["decline_reason"] == "payer_cannot_pay"
    assert await door.balance() == 0
    in_doubt = reason == "issuer_silent"
    assert bool(bank.agrees()) == in_doubt
    await bank.tell()
    assert bank.agrees() == 0


@pytest.mark.parametrize(
    ("element", "value", "reason"),
    [
        (De.RESPONSE_CODE, "08", "issuer_declined"),
        (De.RESPONSE_CODE, "10", "issuer_declined"),
        (De.RESPONSE_CODE, "91", "issuer_away"),
        (De.RESPONSE_CODE, "N1", "issuer_declined"),
        (De.RESPONSE_CODE, None, "issuer_silent"),
        (De.CURRENCY, "840", "issuer_silent"),
        (De.PAN, "4761739999999999", "issuer_silent"),
    ],
)
async def test_what_is_no_plain_no_is_undone(
    bank: Bank,
    door: Door,
    phone: Phone,
    monkeypatch: pytest.MonkeyPatch,
    element: De,
    value: str | None,
    reason: str,
) -> None:
    """The issuer did something, and its answer is neither an approval nor a refusal."""
    plain = bank.issuer.answer

    def answer(message: Message, code: str, extra: dict[int, str]) -> Message:
        made = plain(message, code, extra)
        if message.kind != "0200":
            return made
        fields = {n: text for n, text in made.fields.items() if n != element}
        return Message(made.mti, fields if value is None else {**fields, element: value})

    monkeypatch.setattr(bank.issuer, "answer", answer)
    told = await bank.pay(door, await bank.tap(phone, 1000))
    assert (told["payment"]["status"], told["reason"]) == ("declined", reason)
    assert bank.agrees() == 1000
    await bank.tell()
    assert bank.agrees() == 0


async def test_a_question_never_comes_after_its_reversal(
    bank: Bank, door: Door, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that slept between writing and asking: others have given the question up."""
    payments = bank.town.services.payments
    ask = payments._answer

    async def late(*given: Any) -> IssuerAnswer | None:  # noqa: ANN401 - as it is given
        bank.town.wait(minutes=1)
        await bank.tell()
        return await ask(*given)

    monkeypatch.setattr(payments, "_answer", late)
    heard: list[str] = []
    bank.issuer.heard = lambda message, *, came: heard.append(message.mti) if came else None
    answer = await bank.pay(door, await bank.tap(phone, 1000))
    assert (answer["payment"]["status"], answer["reason"]) == ("declined", "issuer_silent")
    assert [mti for mti in heard if mti[:2] != "08"] == ["0420"]


async def test_a_reversal_is_repeated_until_it_is_answered(
    module_database: str, folder: Path
) -> None:
    rules = Rules(rules=(Rule(messages=("reversal",), do=Deed.SILENT, times=2), *DEFAULT.rules))
    async with open_bank(module_database, folder, rules) as bank:
        door = await bank.town.merchant()
        phone = await bank.phone(await bank.town.person())
        paid = (await bank.pay(door, await bank.tap(phone, 1091)))["payment"]
        heard: list[str] = []
        bank.issuer.heard = lambda message, *, came: heard.append(message.mti) if came else None
        # Twice it says nothing; on a busy machine its answer may come too late, too.
        row = None
        for _ in range(12):
            await bank.tell()
            bank.town.wait(minutes=1)
            row = await bank.town.services.pool.fetchrow(
                "SELECT status, attempts, response FROM issuer_advices WHERE payment_id = $1",
                payment_of(paid["id"]),
            )
            assert row is not None
            if row["status"] == "done":
                break
        assert row is not None
        assert (row["status"], row["response"]) == ("done", "00")
        assert row["attempts"] >= 3
        repeats = ["0421"] * (row["attempts"] - 1)
        assert [mti for mti in heard if mti[:2] == "04"] == ["0420", *repeats]
        assert bank.agrees() == 0


async def test_an_issuer_that_is_away_is_certain(
    bank: Bank, door: Door, phone: Phone, folder: Path, module_database: str
) -> None:
    path = folder / "nobody.toml"
    path.write_text('[[issuers]]\nname = "harbour-bank"\nranges = ["476173"]\nport = 1\n'
                    "answer_seconds = 1\n")  # fmt: skip
    async with open_town(module_database, folder, issuers=path) as alone:
        new = await bank.tap(phone, 3800)
        answer = said(await alone.services.payments.pay_by_card(door.at, new, key(owner=door.id)))
    assert answer["reason"] == "issuer_away"
    assert bank.agrees() == 0


async def test_a_repeat_gets_its_answer_and_asks_nobody(
    bank: Bank, door: Door, phone: Phone
) -> None:
    new, same = await bank.tap(phone, 3800), key(owner=door.id)
    first, *others = await asyncio.gather(*(bank.pay(door, new, same) for _ in range(4)))
    assert all(one == first for one in others)
    assert await bank.pay(door, new, same) == first
    assert bank.agrees() == 3800


async def test_a_request_that_is_reversed_while_the_issuer_is_asked_is_undone(
    bank: Bank, door: Door, phone: Phone
) -> None:
    payments = bank.town.services.payments
    new, same = await bank.tap(phone, 1091), key(owner=door.id)
    asking = asyncio.create_task(bank.pay(door, new, same))
    await bank.asked()
    await payments.reverse(door.id, (same.key,), 0, key(owner=door.id))
    with pytest.raises(IdempotencyConflict):
        await asking
    assert await door.balance() == 0


async def test_a_crash_between_question_and_answer_leaves_nothing_in_doubt(
    bank: Bank, door: Door, phone: Phone
) -> None:
    new, same = await bank.tap(phone, 1091), key(owner=door.id)
    asking = asyncio.create_task(bank.pay(door, new, same))
    await bank.asked()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert bank.agrees() == 1091
    await bank.tell()
    assert bank.agrees() == 1091  # somebody may still be waiting for it
    bank.town.wait(seconds=17)
    await bank.tell()
    assert bank.agrees() == 0
    answer = await bank.pay(door, new, same)
    assert (answer["payment"]["status"], answer["reason"]) == ("declined", "issuer_silent")


async def test_an_authorisation_is_completed_in_parts_and_the_rest_released(
    bank: Bank, door: Door, phone: Phone
) -> None:
    payments = bank.town.services.payments
    same = key(owner=door.id)
    new = await bank.tap(phone, 10_000, capture=Capture.MANUAL)
    paid = (await bank.pay(door, new, same))["payment"]
    assert (paid["status"], bank.issuer.accounts.held()) == ("authorised", 10_000)
    payment_id = payment_of(paid["id"])
    await payments.capture(door.id, payment_id, 2000, key(owner=door.id))
    await bank.tell()
    assert (bank.agrees(), bank.issuer.accounts.held()) == (2000, 8000)
    await payments.capture(door.id, payment_id, 3000, key(owner=door.id))
    await payments.cancel(door.id, payment_id, key(owner=door.id))
    await bank.tell()
    assert (bank.agrees(), bank.issuer.accounts.held()) == (5000, 0)
    await payments.refund(door.id, payment_id, 1200, None, key(owner=door.id))
    await bank.tell()
    assert bank.agrees() == 3800


async def test_an_authorisation_is_reversed_in_part(bank: Bank, door: Door, phone: Phone) -> None:
    payments, same = bank.town.services.payments, key(owner=door.id)
    new = await bank.tap(phone, 10_000, capture=Capture.MANUAL)
    payment_id = payment_of((await bank.pay(door, new, same))["payment"]["id"])
    await payments.reverse(door.id, (same.key,), 4000, key(owner=door.id))
    await bank.tell()
    assert (bank.agrees(), bank.issuer.accounts.held()) == (0, 4000)
    await payments.capture(door.id, payment_id, None, key(owner=door.id))
    await bank.tell()
    assert (bank.agrees(), bank.issuer.accounts.held()) == (4000, 0)


async def test_a_refund_to_an_issuers_card_is_not_taken_back(
    bank: Bank, door: Door, phone: Phone
) -> None:
    payments, same = bank.town.services.payments, key(owner=door.id)
    paid = (await bank.pay(door, await bank.tap(phone, 3000)))["payment"]
    await payments.refund(door.id, payment_of(paid["id"]), 1000, None, same)
    with pytest.raises(Invalid) as refused:
        await payments.reverse(door.id, (same.key,), 0, key(owner=door.id))
    assert refused.value.field == "original"
    await bank.tell()
    assert bank.agrees() == 2000


async def test_a_question_about_a_card_reaches_no_issuer(
    bank: Bank, door: Door, phone: Phone
) -> None:
    answer = await bank.pay(door, await bank.tap(phone, 0, only_asks=True))
    assert (answer["payment"], answer["reason"]) == (None, None)
    assert answer["issuer_answer"] is not None
    assert not bank.issuer.accounts.made


async def test_the_funding_card_is_replaced_and_the_device_card_stays(
    bank: Bank, lin: Someone, door: Door, phone: Phone
) -> None:
    cards, pan = bank.town.services.cards, phone.pan
    first = (await bank.pay(door, await bank.tap(phone, 100)))["payment"]
    view = await cards.fund(lin.id, phone.card_id, "CNY", card("0127"))
    assert (view.funding, view.funding_last_four) == ("issuer", "0127")
    await bank.pay(door, await bank.tap(phone, 200))
    assert phone.pan == pan
    assert [one.pan[-4:] for one in bank.issuer.accounts.made.values()] == ["0119", "0127"]
    await bank.town.services.payments.refund(
        door.id, payment_of(first["id"]), 50, None, key(owner=door.id)
    )
    await bank.tell()
    refunded = [one.pan[-4:] for one in bank.issuer.accounts.made.values() if one.refunded]
    assert refunded == ["0119"]  # it goes back to the card that paid
    view = await cards.fund(lin.id, phone.card_id, "CNY")
    assert (view.funding, view.funding_last_four) == ("balance", None)
    answer = await bank.pay(door, await bank.tap(phone, 300))
    assert answer["reason"] == "insufficient_funds"


async def test_what_the_issuer_owes_is_settled(bank: Bank, door: Door, phone: Phone) -> None:
    settlements = bank.town.services.issuer_settlements
    await bank.pay(door, await bank.tap(phone, 3800))
    (line,) = [one for one in (await settlements.all())[0].owes if one.currency == "CNY"]
    owed = line.owed
    with pytest.raises(SettlementNotCovered):
        await settlements.make("harbour-bank", "received", owed + 1, "CNY", "X", key())
    with pytest.raises(SettlementNotCovered):
        await settlements.make("harbour-bank", "paid", 1, "CNY", "X", key())
    reference = f"ISS {owed}"
    made = await settlements.make("harbour-bank", "received", owed - 100, "CNY", reference, key())
    assert said(made)["amount"] == owed - 100
    with pytest.raises(ReferenceBooked):
        await settlements.make("harbour-bank", "received", 1, "CNY", reference, key())
    assert await bank.owed() == 100
    with pytest.raises(NotFound):
        await settlements.make("nobody", "received", 1, "CNY", "Y", key())
    bank.before -= owed - 100


async def test_an_advice_that_is_refused_is_seen(module_database: str, folder: Path) -> None:
    refuses = Rule(messages=("advice",), do=Deed.DECLINE, code="12")
    later = Rule(messages=("advice",), do=Deed.DECLINE, code="91", times=1)
    async with open_bank(module_database, folder, Rules(rules=(later, refuses))) as bank:
        door, settlements = await bank.town.merchant(), bank.town.services.issuer_settlements
        phone = await bank.phone(await bank.town.person())
        paid = (await bank.pay(door, await bank.tap(phone, 3800)))["payment"]
        await bank.town.services.payments.refund(
            door.id, payment_of(paid["id"]), 100, None, key(owner=door.id)
        )
        await bank.tell()
        (one,) = await settlements.all()
        assert (one.advices_due, one.advices_refused) == (1, 0)
        bank.town.wait(minutes=1)
        await bank.tell()
        (one,) = await settlements.all()
        assert (one.advices_due, one.advices_refused) == (0, 1)
        (advice,) = await settlements.refused("harbour-bank", 10)
        assert (advice.payment_id, advice.kind) == (payment_of(paid["id"]), "refund")
        assert (advice.amount, advice.response) == (100, "12")
        with pytest.raises(NotFound):
            await settlements.refused("nobody", 10)


def test_what_an_issuer_disputes_is_listed(module_database: str, folder: Path, cli: Cli) -> None:
    async def dispute() -> str:
        refuses = Rule(messages=("advice",), do=Deed.DECLINE, code="12")
        async with open_bank(module_database, folder, Rules(rules=(refuses,))) as bank:
            door = await bank.town.merchant()
            phone = await bank.phone(await bank.town.person())
            paid = (await bank.pay(door, await bank.tap(phone, 3800)))["payment"]
            await bank.town.services.payments.refund(
                door.id, payment_of(paid["id"]), 100, None, key(owner=door.id)
            )
            await bank.tell()
            return str(paid["id"])

    shown = asyncio.run(dispute())
    cli.on(url=module_database)
    cli.monkeypatch.setenv("TANDEM_KEY_FILE", str(folder / "keys"))
    assert shown in cli.done("operator", "issuer", "refused", "harbour-bank")
    assert cli.refused("operator", "issuer", "refused", "nobody") == "No issuer nobody was found."
    assert "harbour-bank" in cli.done("operator", "issuer", "list")


async def test_two_processes_tell_an_issuer_once(
    bank: Bank, door: Door, phone: Phone, module_database: str, folder: Path
) -> None:
    path = folder / f"issuers-{bank.issuer.port}.toml"
    for _ in range(6):
        await bank.pay(door, await bank.tap(phone, 1094))
    heard: list[str] = []
    bank.issuer.heard = lambda message, *, came: heard.append(message.mti) if came else None
    async with open_town(module_database, folder, issuers=path) as rival:
        payments = (bank.town.services.payments, rival.services.payments)
        await asyncio.gather(*(one.tell_issuers() for one in payments * 3))
    assert heard.count("0420") == 6
    assert "0421" not in heard
    assert bank.agrees() == 0


async def test_a_renewed_card_pays_from_the_same_account(
    bank: Bank, lin: Someone, door: Door, phone: Phone
) -> None:
    bank.town.wait(days=3 * 365 - 60)
    renewed = await bank.town.services.cards.renew(phone.card_id, "person", lin.id)
    assert (renewed.funding, renewed.funding_last_four) == ("issuer", "0119")
    assert renewed.par == (await bank.town.services.cards.get(phone.card_id)).par
    assert (await bank.pay(door, await bank.tap(phone, 100)))["reason"] is None


async def test_a_person_who_may_not_pay_does_not_reach_the_issuer(
    bank: Bank, lin: Someone, door: Door, phone: Phone
) -> None:
    people = bank.town.services.people
    await people.set_limits(lin.id, "CNY", 500, 10_000)
    heard: list[str] = []
    bank.issuer.heard = lambda message, *, came: heard.append(message.mti) if came else None
    assert (await bank.pay(door, await bank.tap(phone, 501)))["reason"] == "limit_per_payment"
    new = await bank.tap(phone, 100)
    tampered = msgspec.structs.replace(new, icc=new.icc.replace(new.icc[3:11], bytes(8), 1))
    assert (await bank.pay(door, tampered))["reason"] == "cryptogram_wrong"
    await bank.town.services.cards.lose_device(lin.id, lin.device_id)
    assert (await bank.pay(door, await bank.tap(phone, 100)))["reason"] == "card_lost"
    assert "0200" not in heard
