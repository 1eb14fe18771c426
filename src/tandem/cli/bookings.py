"""`tandem operator withdraw` and `correct`: money out by bank, and what was booked wrongly."""

from typing import Annotated
from uuid import UUID

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number

from tandem.app import Services
from tandem.cli.beside import services
from tandem.cli.people import person_of
from tandem.cli.run import run
from tandem.cli.show import cells, done, money, say, show, table
from tandem.kernel import Currency, Invalid, currency, parse_amount
from tandem.settlement import CorrectionView, WithdrawalView, correction_view

Limit = Annotated[int, Parameter(validator=Number(gte=1, lte=1000))]
INCOME = "fees"


def withdraw(source: str, amount: str, unit: str, /, *, reference: str) -> None:
    """Book money that was sent to a person's bank, or income from fees that was taken out.

    The balance must cover it; what is reserved does not count.

    Example: `tandem operator withdraw @lin 50.00 CNY --reference OUT-13`

    Parameters
    ----------
    source
        The person, `@handle` or ppl_…; or `fees` for the operator's own income.
    amount
        The amount as people write it, such as 50.00.
    unit
        The currency, such as CNY.
    reference
        The bank's reference. It is booked once, whoever types it.
    """
    known = currency(unit)
    minor = parse_amount(amount, known)
    if source != INCOME and not source.startswith(("@", "ppl_")):
        raise Invalid("source", f"give a person (@handle or ppl_…), or {INCOME}")
    made = run(_withdraw(source, minor, known.code, reference))
    done(f"Booked a withdrawal of {money(made.amount, known)} from {source}: {made.id}")


async def _withdraw(source: str, minor: int, code: str, reference: str) -> WithdrawalView:
    async with services() as opened:
        who = await _owner(opened, source)
        outcome = await opened.withdrawals.make(who, minor, code, reference, None)
    return msgspec.json.decode(outcome.body, type=WithdrawalView)


async def _owner(opened: Services, source: str) -> UUID | None:
    return None if source == INCOME else (await person_of(opened, source)).id


def correct(booking: str, /, *, reason: str, amount: str | None = None) -> None:
    """Take back a top-up, payout or withdrawal that was booked wrongly or bounced.

    It is an entry of its own, made once for each booking; its owner is told. After the whole was
    taken back the bank's reference is free: book it as it should have been. What a person has spent
    or reserved cannot be taken back.

    Example: `tandem operator correct BANK-2026-77 --reason "It was Mei's"`

    Parameters
    ----------
    booking
        What is wrong: its id (top_…, pyt_… or wdr_…), or the bank's reference.
    reason
        Why, as its owner reads it.
    amount
        How much to take back, such as 900.00; all of it if not given.
    """
    made, unit = run(_correct(booking, reason, amount))
    done(f"Took back {money(made.amount, unit)} of {made.booking_id}: {made.id}")


async def _correct(
    booking: str, reason: str, amount: str | None
) -> tuple[CorrectionView, Currency]:
    async with services() as opened:
        wrong = await opened.corrections.booking(booking)
        minor = None if amount is None else parse_amount(amount, wrong.unit, "--amount")
        outcome = await opened.corrections.make(wrong.shown, minor, reason, None)
    return msgspec.json.decode(outcome.body, type=CorrectionView), wrong.unit


def corrections(*, limit: Limit = 50) -> None:
    """List corrections, newest first.

    Example: `tandem operator corrections`

    Parameters
    ----------
    limit
        The most corrections to list.
    """
    found = run(_corrections(limit))
    if not found:
        say("Nothing was corrected yet.")
        return
    made = table("Correction", "Of", "Amount", "When", "Reason", right=("Amount",))
    for one in found:
        made.add_row(
            *cells(
                one.id,
                one.booking_id,
                money(one.amount, currency(one.currency)),
                f"{one.created_at:%Y-%m-%d}",
                one.reason,
            )
        )
    show(made)


async def _corrections(limit: int) -> list[CorrectionView]:
    async with services() as opened:
        return [correction_view(row) for row in await opened.corrections.all(None, limit)]
