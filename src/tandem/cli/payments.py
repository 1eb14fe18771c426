"""`tandem operator payment`: payments with both sides, and what the ledger booked for each."""

from typing import Annotated
from uuid import UUID

from cyclopts import App, Parameter
from cyclopts.validators import Number

from tandem.cli.beside import services
from tandem.cli.ledger import account_names, transfer_table
from tandem.cli.merchants import merchant_id
from tandem.cli.people import person_of
from tandem.cli.run import run
from tandem.cli.show import cells, facts, money, say, show, table
from tandem.kernel import currency, read_id, show_id
from tandem.ledger import TransferRow
from tandem.payments import Payment, PaymentFilter

payment_app = App(name="payment", help="Everybody's payments.", help_format="markdown")

Limit = Annotated[int, Parameter(validator=Number(gte=1, lte=1000))]
Booked = tuple[Payment, list[TransferRow], dict[UUID, str]]


@payment_app.command(name="list")
def list_payments(
    *, merchant: str | None = None, person: str | None = None, limit: Limit = 20
) -> None:
    """List payments, newest first.

    Example: `tandem operator payment list --person @lin`

    Parameters
    ----------
    merchant
        Only this merchant's, mer_…
    person
        Only what this person pays: `@handle` or ppl_…
    limit
        The most payments to list.
    """
    amounts = ("Amount", "Captured", "Refunded")
    made = table("Payment", "Status", *amounts, "Who", "Where", "When", right=amounts)
    for payment in run(_list(merchant, person, limit)):
        unit = currency(payment.currency)
        sums = (payment.amount, payment.captured, payment.refunded)
        made.add_row(
            *cells(
                show_id("pay", payment.id),
                payment.status,
                *(money(minor, unit) for minor in sums),
                payment.payer_name or "",
                payment.shop_name,
                f"{payment.created_at:%Y-%m-%d %H:%M}",
            )
        )
    show(made)


async def _list(merchant: str | None, person: str | None, limit: int) -> list[Payment]:
    payee = None if merchant is None else merchant_id(merchant)
    async with services() as opened:
        payer = None if person is None else (await person_of(opened, person)).id
        wanted = PaymentFilter(merchant_id=payee, person_id=payer)
        return await opened.records.search(wanted, None, limit)


@payment_app.command(name="show")
def show_payment(payment: str, /) -> None:
    """Show a payment: both sides, its state, and every transfer that was booked for it.

    Example: `tandem operator payment show pay_0199…`

    Parameters
    ----------
    payment
        The payment, pay_…
    """
    found, rows, names = run(_show(payment))
    unit = currency(found.currency)
    person = "nobody yet"
    if found.person_id is not None:
        person = f"{found.payer_name} ({show_id('ppl', found.person_id)})"
    told = {
        "Payment": payment,
        "Status": found.status + (f", {found.decline_reason}" if found.decline_reason else ""),
        "Who": person,
        "Where": f"{found.shop_name} ({show_id('shp', found.shop_id)})",
        "Merchant": f"{found.merchant_name} ({show_id('mer', found.merchant_id)})",
        "Order": found.order_reference or "",
        "For": found.description or "",
        "Amount": money(found.amount, unit),
        "Reserved": money(found.reserved, unit),
        "Captured": money(found.captured, unit),
        "Refunded": money(found.refunded, unit),
        "Fee": money(found.fee, unit),
        "Made": f"{found.created_at:%Y-%m-%d %H:%M:%S} UTC",
    }
    facts({name: text for name, text in told.items() if text})
    if rows:
        say()
        transfer_table(rows, names)


async def _show(payment: str) -> Booked:
    payment_id = read_id("pay", payment, "payment")
    async with services() as opened:
        found = await opened.records.get(payment_id)
        rows = await opened.records.booked(found)
        async with opened.pool.acquire() as connection:
            return found, rows, await account_names(connection, rows)
