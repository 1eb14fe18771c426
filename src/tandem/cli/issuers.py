"""`tandem operator issuer` and `tandem issuer`: banks whose cards fund device cards."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cyclopts import App, Parameter
from cyclopts.validators import Number

from tandem.acquiring import Message, render
from tandem.cli.beside import services
from tandem.cli.errors import FileUnusable
from tandem.cli.run import Interrupted, run
from tandem.cli.show import cells, done, money, say, show, table
from tandem.issuers import IssuerLink, IssuersUnusable, Simulator, read_issuers, read_rules
from tandem.issuers.links import KeyFiles
from tandem.issuers.messages import reference_number
from tandem.issuers.rules import DEFAULT
from tandem.kernel import SystemClock, currency, parse_amount, show_id, system_entropy
from tandem.settlement import IssuerSettlementView, IssuerView, RefusedAdvice

app = App(name="issuer", help="Simulate the bank that cards are from.", help_format="markdown")
issuer_app = App(name="issuer", help="Banks whose cards fund device cards.", help_format="markdown")

Port = Annotated[int, Parameter(validator=Number(gte=0, lte=65535))]
Limit = Annotated[int, Parameter(validator=Number(gte=1, lte=1000))]
_NAME = "simulated"
_RANGE = "476173"


@app.command
def simulate(*, port: Port = 8584, rules: Path | None = None, settings: Path | None = None) -> int:
    """Answer ISO 8583 as an issuer's host does, on loopback, until Ctrl-C. No money is behind it.

    Prints the settings that connect a Tandem to it (TANDEM_ISSUERS), then every message with what
    is secret masked, and the one-time codes that a cardholder would get. Amounts that end in 51
    are declined for want of funds, 91 never get an answer, 92 a slow one, and so on
    (docs/issuers.md); `--rules` gives others.

    Example: `tandem issuer simulate --port 8584`

    Parameters
    ----------
    port
        Where to listen on 127.0.0.1; 0 takes any free port.
    rules
        A TOML file of rules by message, card and amount.
    settings
        A file as TANDEM_ISSUERS names it: the simulator speaks as the first issuer in it expects.
    """
    made = DEFAULT if rules is None else read_rules(rules)
    link, keys = IssuerLink(name=_NAME, ranges=(_RANGE,)), KeyFiles(Path("issuers.toml"), {})
    if settings is not None:
        found = read_issuers(settings)
        if not found.issuers:
            raise IssuersUnusable(str(settings), "it names no issuer")
        link, keys = found.issuers[0], KeyFiles(settings, dict(found.keys))
    clock = SystemClock()

    def heard(message: Message, *, came: bool) -> None:
        sys.stdout.write(render(message, clock.now(), link.name, "in" if came else "out") + "\n")
        sys.stdout.flush()

    issuer = Simulator(link, made, keys, system_entropy, port=port, heard=heard)
    try:
        run(_simulate(issuer, shown=settings is None))
    except Interrupted:
        return 0  # being told to stop is how this ends well
    except OSError as error:
        reason = (error.strerror or "it cannot be listened on").lower()
        raise FileUnusable(f"127.0.0.1:{port}", reason) from error
    return 0


async def _simulate(issuer: Simulator, *, shown: bool) -> None:
    async with issuer:
        if shown:
            say(
                f'[[issuers]]\nname = "{issuer.link.name}"\nranges = ["{_RANGE}"]\n'
                f'host = "127.0.0.1"\nport = {issuer.port}\n'
            )
        done(f"The simulated issuer listens on 127.0.0.1:{issuer.port}.")
        told = 0
        while True:
            await asyncio.sleep(0.2)
            for ends, code in issuer.accounts.codes[told:]:
                say(f"To the holder of the card …{ends}: your code is {code}")
            told = len(issuer.accounts.codes)


@issuer_app.command(name="list")
def list_issuers() -> None:
    """List issuers: what each owes, and what it has still to hear or has refused.

    Example: `tandem operator issuer list`
    """
    found = run(_list())
    if not found:
        say("This Tandem was never connected to an issuer: set TANDEM_ISSUERS.")
        return
    made = table("Issuer", "Owes", "Reserved", "To tell", "Refused", right=("Owes", "Reserved"))
    for one in found:
        owes = [money(line.owed, currency(line.currency)) for line in one.owes]
        reserved = [money(line.reserved, currency(line.currency)) for line in one.owes]
        made.add_row(
            *cells(
                one.name, "\n".join(owes), "\n".join(reserved), one.advices_due, one.advices_refused
            )
        )
    show(made)


async def _list() -> list[IssuerView]:
    async with services() as opened:
        return await opened.issuer_settlements.all()


@issuer_app.command
def refused(name: str, /, *, limit: Limit = 50) -> None:
    """List what an issuer refused of what has happened, newest first: to be cleared with it.

    The reference is element 37 of every message about the payment. Of a reversal the amount is
    what should be left.

    Example: `tandem operator issuer refused harbour-bank`

    Parameters
    ----------
    name
        The issuer, as the settings name it.
    limit
        The most to list.
    """
    made = table("Refused", "Payment", "Reference", "What", "Amount", "39", right=("Amount",))
    for one in run(_refused(name, limit)):
        made.add_row(
            *cells(
                f"{one.refused_at:%Y-%m-%d %H:%M}",
                show_id("pay", one.payment_id),
                reference_number(one.number),
                one.kind,
                money(one.amount, currency(one.currency)),
                one.response,
            )
        )
    show(made)


async def _refused(name: str, limit: int) -> list[RefusedAdvice]:
    async with services() as opened:
        return await opened.issuer_settlements.refused(name, limit)


@issuer_app.command
def settle(
    name: str,
    direction: Literal["received", "paid"],
    amount: str,
    unit: str,
    /,
    *,
    reference: str,
) -> None:
    """Book what an issuer paid for its cards' payments, or was paid for refunds.

    Never more than is owed: what is wrong is found before it is booked.

    Example: `tandem operator issuer settle harbour-bank received 250.00 CNY --reference ISS-12`

    Parameters
    ----------
    name
        The issuer, as the settings name it.
    direction
        `received` from the issuer, or `paid` to it.
    amount
        The amount as people write it, such as 250.00.
    unit
        The currency, such as CNY.
    reference
        The bank's reference. It is booked once, whoever types it.
    """
    known = currency(unit)
    minor = parse_amount(amount, known)
    made = run(_settle(name, direction, minor, known.code, reference))
    done(f"Booked {money(made.amount, known)} {direction}, with {name}: {made.id}")


async def _settle(
    name: str, direction: Literal["received", "paid"], minor: int, code: str, reference: str
) -> IssuerSettlementView:
    async with services() as opened:
        outcome = await opened.issuer_settlements.make(
            name, direction, minor, code, reference, None
        )
    return msgspec.json.decode(outcome.body, type=IssuerSettlementView)
