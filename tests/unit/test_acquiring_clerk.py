"""The clerk: what a terminal is told is what the books say, however slow or broken they are."""

import asyncio
from typing import Final
from uuid import UUID

import pytest

from acquiring_bank import ARPC, Bank, Declined, Hook
from acquiring_play import NOW, PAN, SECRET, Keys, make_link, money, original
from tandem.acquiring import (
    De,
    Limits,
    Message,
    Outcome,
    Purchase,
    ResponseCode,
)  # fmt: skip
from tandem.acquiring.clerk import MOST_LATE, Clerk
from tandem.acquiring.desk import LinkState, Ticket
from tandem.acquiring.model import Reversal
from tandem.acquiring.requests import read_request
from tandem.ledger import OutcomeUnknown
from virtual_loop import run_virtually

LIMIT: Final = 15
ENTRY: Final = UUID(int=1)


def ticket(message: Message) -> Ticket:
    link = make_link(limits=Limits(answer_seconds=LIMIT))
    made = Ticket(LinkState(link, Keys()), message, b"", None)
    made.request = read_request(message, link.name, NOW, SECRET)
    return made


def totals_message() -> Message:
    return Message("0500", {De.STAN: "000009", De.CURRENCY: "978"})


def code(message: Message | None) -> str | None:
    return None if message is None else message.text(De.RESPONSE_CODE)


def slow(seconds: float, *, only: type = object) -> Hook:
    async def wait(request: object) -> None:
        if isinstance(request, only):
            await asyncio.sleep(seconds)

    return wait


def failing(error: Exception, *, only: type = object) -> Hook:
    async def fail(request: object) -> None:
        if isinstance(request, only):
            raise error

    return fail


def test_an_answer_in_time_is_passed_on_with_the_chip_s_data() -> None:
    bank = Bank()
    reply = run_virtually(Clerk(bank).answer(ticket(money())))
    assert reply is not None
    assert (code(reply), reply.text(De.AUTHORISATION_CODE)) == ("00", "A00001")
    assert reply.binary(De.ICC) == ARPC
    assert bank.taken == 1234


@pytest.mark.parametrize(
    ("message", "taken"),
    [
        (money("0100"), 0),
        (money("0200"), 1234),
        (money("0200", PROCESSING_CODE="200000"), -1234),
        (money("0220"), 1234),
        (money("0420", ORIGINAL=original("0200", 9)), 0),
    ],
)
def test_each_kind_of_request_goes_through_its_own_door(message: Message, taken: int) -> None:
    bank = Bank()
    assert code(run_virtually(Clerk(bank).answer(ticket(message)))) == "00"
    assert bank.taken == taken


def test_a_refusal_is_answered_by_its_code_and_nothing_is_undone() -> None:
    bank = Bank()
    bank.before = failing(Declined())
    made = ticket(money())
    assert code(run_virtually(Clerk(bank).answer(made))) == "05"
    assert bank.undone == set()
    assert made.state.counts["refused_refused"] == 1


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (slow(1000, only=Purchase), "91"),
        (failing(RuntimeError("broken"), only=Purchase), "96"),
        (failing(OutcomeUnknown(ENTRY), only=Purchase), "96"),
    ],
    ids=["slow", "broken", "lost"],
)
def test_a_payment_in_doubt_is_undone_before_anything_is_said(
    when: str, trouble: Hook, told: str
) -> None:
    bank = Bank()
    setattr(bank, when, trouble)
    made = ticket(money())

    async def play() -> Message | None:
        clerk = Clerk(bank)
        reply = await clerk.answer(made)
        assert bank.taken == 0
        await asyncio.sleep(2000)  # whatever was late comes to an end, and changes nothing
        assert clerk.late == 0
        return reply

    assert code(run_virtually(play())) == told
    assert bank.taken == 0
    assert made.state.counts["undone"] == 1


@pytest.mark.parametrize("trouble", ["slow", "broken"])
def test_without_certainty_there_is_no_answer(trouble: str) -> None:
    bank = Bank()
    bank.after = slow(1000, only=Purchase)
    made = ticket(money())
    stop = slow(1000, only=Reversal) if trouble == "slow" else failing(OSError(), only=Reversal)
    bank.before = stop

    async def play() -> Message | None:
        clerk = Clerk(bank)
        began = asyncio.get_running_loop().time()
        reply = await clerk.answer(made)
        took = asyncio.get_running_loop().time() - began
        assert took == pytest.approx(2 * LIMIT if trouble == "slow" else LIMIT)
        await clerk.stop()
        return reply

    assert run_virtually(play()) is None
    assert made.state.counts["unanswered"] == 1
    assert bank.taken == 1234  # the terminal hears nothing, so it reverses


@pytest.mark.parametrize("message", [money("0220"), money("0420", ORIGINAL=original("0200", 9))])
def test_advices_and_reversals_are_never_undone_and_come_again(message: Message) -> None:
    bank = Bank()
    bank.before = slow(1000)

    async def play() -> Message | None:
        clerk = Clerk(bank)
        reply = await clerk.answer(ticket(message))
        await clerk.stop()
        return reply

    assert run_virtually(play()) is None
    assert len(bank.asked) == 1


def test_an_answer_that_cannot_be_written_is_taken_back() -> None:
    bank = Bank()
    made = ticket(money())

    async def play() -> Message | None:
        clerk = Clerk(bank)
        await clerk.answer(made)
        assert bank.taken == 1234
        return await clerk.take_back(made)

    assert code(run_virtually(play())) == "96"
    assert bank.taken == 0


def test_when_too_much_is_late_nothing_new_is_begun() -> None:
    bank = Bank()
    bank.before = slow(10_000)

    async def play() -> str | None:
        clerk = Clerk(bank)
        await asyncio.gather(*(clerk.answer(ticket(money("0220", n))) for n in range(MOST_LATE)))
        assert clerk.late == MOST_LATE
        asked = len(bank.asked)
        reply = await clerk.answer(ticket(money("0200", MOST_LATE)))
        assert len(bank.asked) == asked
        await clerk.stop()
        assert clerk.late == 0
        return code(reply)

    assert run_virtually(play()) == "91"


def test_totals_are_told_and_a_host_that_cannot_says_so() -> None:
    bank = Bank()
    clerk = Clerk(bank)
    reply = run_virtually(clerk.answer(ticket(totals_message())))
    assert reply is not None
    assert (code(reply), reply.text(De.SETTLEMENT_CODE)) == ("00", "1")

    bank.totals_before = failing(RuntimeError())
    assert code(run_virtually(clerk.answer(ticket(totals_message())))) == "96"
    bank.totals_before = slow(1000)

    async def play() -> Message | None:
        reply = await clerk.answer(ticket(totals_message()))
        await clerk.stop()
        return reply

    assert code(run_virtually(play())) == "91"
    assert code(run_virtually(clerk.take_back(ticket(totals_message())))) == "96"


def test_an_outcome_of_the_authoriser_s_own_is_told_as_it_is() -> None:
    bank = Bank(balance=0)
    assert code(run_virtually(Clerk(bank).answer(ticket(money())))) == "51"
    assert not Outcome(code=ResponseCode.INSUFFICIENT_FUNDS).approved
    other = money("0200", 2, TRACK2=None, PAN=PAN[:-1] + "1")
    assert code(run_virtually(Clerk(bank).answer(ticket(other)))) == "14"
