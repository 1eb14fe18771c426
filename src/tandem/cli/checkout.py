"""`tandem operator checkout`, `link` and `invoice`: what merchants do with checkout, for one."""

from typing import Annotated
from uuid import UUID

from cyclopts import App, Parameter
from cyclopts.validators import Number

from tandem.app import Services
from tandem.checkout import (
    CheckoutSettings,
    CreateLink,
    InvoiceStatus,
    InvoiceView,
    LinkView,
    ResultSecret,
    UpdateLink,
)
from tandem.cli.acceptance import owner_of
from tandem.cli.beside import services
from tandem.cli.merchants import merchant_id
from tandem.cli.run import run
from tandem.cli.show import cells, done, facts, money, say, show, table
from tandem.kernel import currency, parse_amount, read_id

checkout_app = App(name="checkout", help="Where checkout returns to.", help_format="markdown")
link_app = App(name="link", help="Payment links of shops.", help_format="markdown")
invoice_app = App(name="invoice", help="Invoices of shops.", help_format="markdown")

Limit = Annotated[int, Parameter(validator=Number(gte=1, lte=1000))]


@checkout_app.command(name="show")
def show_settings(merchant: str, /) -> None:
    """Show where a merchant's checkout may return to, and who may frame it.

    Example: `tandem operator checkout show mer_0199…`

    Parameters
    ----------
    merchant
        The merchant, mer_…
    """
    _told(run(_settings(merchant)))


async def _settings(merchant: str) -> CheckoutSettings:
    async with services() as opened:
        return await opened.checkout.settings_of(merchant_id(merchant))


@checkout_app.command
def allow(merchant: str, /, *origins: str, frame: bool = False) -> None:
    """Let a merchant's checkout return to these origins as well.

    Example: `tandem operator checkout allow mer_0199… https://shop.example --frame`

    Parameters
    ----------
    merchant
        The merchant, mer_…
    origins
        Origins of the merchant's own, such as https://shop.example
    frame
        Let them show the page in a frame, too.
    """
    _told(run(_allow(merchant, origins, frame=frame)))


async def _allow(merchant: str, origins: tuple[str, ...], *, frame: bool) -> CheckoutSettings:
    async with services() as opened:
        owner = merchant_id(merchant)
        before = await opened.checkout.settings_of(owner)
        wanted = CheckoutSettings(
            return_origins=(*before.return_origins, *origins),
            frame_origins=(*before.frame_origins, *(origins if frame else ())),
        )
        return await opened.checkout.change_settings(owner, wanted)


@checkout_app.command
def secret(merchant: str, /, *, at_once: bool = False) -> None:
    """Make a secret that signs a merchant's results, and print it, this once.

    It signs an hour later if there was one before that somebody knows.

    Example: `tandem operator checkout secret mer_0199…`

    Parameters
    ----------
    merchant
        The merchant, mer_…
    at_once
        Let it sign from now on: the one before is in wrong hands.
    """
    made = run(_secret(merchant, at_once=at_once))
    signs = f"{made.signs_from:%Y-%m-%d %H:%M} UTC"
    facts({"Secret": made.secret, "Key id": made.key_id, "Signs from": signs})
    say("It is shown this once; keep it.")


async def _secret(merchant: str, *, at_once: bool) -> ResultSecret:
    async with services() as opened:
        return await opened.checkout.roll_secret(merchant_id(merchant), at_once=at_once)


@link_app.command(name="add")
def add_link(
    shop: str,
    description: str,
    unit: str,
    amount: str | None = None,
    /,
    *,
    max_payments: int | None = None,
) -> None:
    """Make a payment link for a shop. Without an amount the visitor types one.

    Example: `tandem operator link add shp_0199… "Tea round" CNY 12.50`

    Parameters
    ----------
    shop
        The shop, shp_…
    description
        What the visitor reads.
    unit
        The currency, such as CNY.
    amount
        The amount, as people write it.
    max_payments
        How often it can be paid.
    """
    made = run(_add_link(shop, description, unit, amount, max_payments))
    done(f"Made {made.id}")
    facts({"Link": made.url})


async def _add_link(
    shop: str, description: str, unit: str, amount: str | None, max_payments: int | None
) -> LinkView:
    async with services() as opened:
        owner, _ = await owner_of(opened.pool, shop)
        new = CreateLink(
            shop_id=shop,
            description=description,
            currency=unit,
            amount=None if amount is None else parse_amount(amount, currency(unit)),
            max_payments=max_payments,
        )
        return await opened.payment_links.create(owner, new, None)


@link_app.command(name="list")
def list_links(merchant: str, /, *, limit: Limit = 50) -> None:
    """List a merchant's payment links, newest first.

    Example: `tandem operator link list mer_0199…`

    Parameters
    ----------
    merchant
        The merchant, mer_…
    limit
        The most links to list.
    """
    made = table("Link", "For", "Amount", "Paid", "State", right=("Amount", "Paid"))
    for link in run(_links(merchant, limit)):
        amount = "" if link.amount is None else money(link.amount, currency(link.currency))
        state = {None: "on", "off": "off", "over": "over", "used_up": "used up"}[link.closed]
        made.add_row(*cells(link.id, link.description, amount, link.paid, state))
    show(made)


async def _links(merchant: str, limit: int) -> list[LinkView]:
    async with services() as opened:
        return await opened.payment_links.all(merchant_id(merchant), None, limit)


@link_app.command(name="off")
def switch_off(link: str, /) -> None:
    """Switch a payment link off: it takes no payment.

    Example: `tandem operator link off lnk_0199…`

    Parameters
    ----------
    link
        The link, lnk_…
    """
    run(_switch(link, active=False))
    done("It is off.")


@link_app.command(name="on")
def switch_on(link: str, /) -> None:
    """Switch a payment link on again.

    Example: `tandem operator link on lnk_0199…`

    Parameters
    ----------
    link
        The link, lnk_…
    """
    run(_switch(link, active=True))
    done("It is on.")


async def _switch(link: str, *, active: bool) -> None:
    async with services() as opened:
        link_id = read_id("lnk", link, "link")
        owner = await opened.payment_links.owner_of(link_id)
        await opened.payment_links.update(owner, link_id, UpdateLink(active=active))


@invoice_app.command(name="list")
def list_invoices(
    merchant: str, /, *, status: InvoiceStatus | None = None, limit: Limit = 50
) -> None:
    """List a merchant's invoices, newest first.

    Example: `tandem operator invoice list mer_0199… --status overdue`

    Parameters
    ----------
    merchant
        The merchant, mer_…
    status
        Only those in this state.
    limit
        The most invoices to list.
    """
    columns = ("Invoice", "Number", "Status", "Customer", "Amount", "Due")
    made = table(*columns, right=("Number", "Amount"))
    for one in run(_invoices(merchant, status, limit)):
        amount = money(one.amount, currency(one.currency))
        number = "" if one.number is None else one.number
        made.add_row(*cells(one.id, number, one.status, one.customer_name, amount, one.due_on))
    show(made)


async def _invoices(merchant: str, status: InvoiceStatus | None, limit: int) -> list[InvoiceView]:
    async with services() as opened:
        return await opened.invoices.all(merchant_id(merchant), status, None, limit)


@invoice_app.command(name="show")
def show_invoice(invoice: str, /) -> None:
    """Show an invoice with its lines.

    Example: `tandem operator invoice show inv_0199…`

    Parameters
    ----------
    invoice
        The invoice, inv_…
    """
    found = run(_invoice(invoice))
    unit = currency(found.currency)
    told = {
        "Invoice": found.id,
        "Number": "" if found.number is None else str(found.number),
        "Status": found.status,
        "Customer": found.customer_name,
        "Address": found.customer_email or "",
        "Amount": money(found.amount, unit),
        "Due": f"{found.due_on}",
        "Page": found.url or "",
        "Payment": found.payment_id or "",
    }
    facts({name: text for name, text in told.items() if text})
    made = table("What", "Each", "Number", "Tax", right=("Each", "Number", "Tax"))
    for line in found.lines:
        each, tax = money(line.unit_amount, unit), money(line.tax, unit)
        made.add_row(*cells(line.name, each, line.quantity, tax))
    show(made)


async def _invoice(invoice: str) -> InvoiceView:
    async with services() as opened:
        return await opened.invoices.get(*await _owned(opened, invoice))


@invoice_app.command
def void(invoice: str, /) -> None:
    """Make an open invoice void: it keeps its number and can be paid no more.

    Example: `tandem operator invoice void inv_0199…`

    Parameters
    ----------
    invoice
        The invoice, inv_…
    """
    done(f"Invoice {run(_void(invoice)).number} is void.")


async def _void(invoice: str) -> InvoiceView:
    async with services() as opened:
        return await opened.invoices.void(*await _owned(opened, invoice))


async def _owned(opened: Services, invoice: str) -> tuple[UUID, UUID]:
    invoice_id = read_id("inv", invoice, "invoice")
    return await opened.invoices.owner_of(invoice_id), invoice_id


def _told(settings: CheckoutSettings) -> None:
    facts(
        {
            "Returns to": ", ".join(settings.return_origins) or "nowhere",
            "Framed by": ", ".join(settings.frame_origins) or "nobody",
        }
    )
