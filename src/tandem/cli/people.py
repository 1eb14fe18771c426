"""`tandem operator person`: people and their wallets."""

from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from tandem.app import Services
from tandem.cli.beside import services
from tandem.cli.run import run
from tandem.cli.show import cells, done, facts, money, say, show, table
from tandem.kernel import Currency, currency, parse_amount, read_id, show_id
from tandem.people import NewDevice, NewPerson, Person, looks_like_reference, reference_of
from tandem.wallet import WalletView

person_app = App(name="person", help="People and their wallets.", help_format="markdown")

Limit = Annotated[int, Parameter(validator=Number(gte=1, lte=1000))]


async def person_of(opened: Services, text: str) -> Person:
    """The person that `@handle`, a bare handle, ppl_… or a bank transfer's reference names.

    Raises `NotFound`, `Invalid`.
    """
    if text.startswith("ppl_"):
        return await opened.people.get(read_id("ppl", text, "person"))
    if looks_like_reference(text):
        return await opened.people.find_by_reference(text)
    return await opened.people.find_by_handle(text)


@person_app.command
def add(handle: str, name: str, /, *, device: str = "Phone") -> None:
    """Make a person with a wallet and a first device; print the device's key and seed, this once.

    Example: `tandem operator person add lin "Lin Wei"`

    Parameters
    ----------
    handle
        What others send money to: a-z, 0-9, point and underscore; with or without an @ in front.
    name
        The name that others see.
    device
        What the person's list of devices calls the first one.
    """
    made = run(_add(handle.removeprefix("@"), name, device))
    done(f"Made {made.person.name} {made.person.handle}.")
    device_facts(made.device, {"Person": made.person.id})
    say("Key and seed are shown this once; they belong on the person's phone.")


def device_facts(made: NewDevice, first: dict[str, str] | None = None) -> None:
    """Print what a new device holds; it is shown this once."""
    facts(
        {
            **(first or {}),
            "Device": made.id,
            "Device key": made.key,
            "Code index": made.code_index,
            "Code seed": made.code_seed,
        },
        indent=2,
    )


async def _add(handle: str, name: str, device: str) -> NewPerson:
    async with services() as opened:
        return await opened.people.sign_up(handle, name, device, None)


@person_app.command(name="list")
def list_people(beginning: str | None = None, /, *, limit: Limit = 50) -> None:
    """List people, newest first.

    Example: `tandem operator person list li`

    Parameters
    ----------
    beginning
        Only people whose handle or name begins with this.
    limit
        The most people to list.
    """
    made = table("Person", "Handle", "Name", "Status", "Since")
    for person in run(_list(beginning, limit)):
        made.add_row(
            *cells(
                show_id("ppl", person.id),
                f"@{person.handle}",
                person.name,
                person.status,
                f"{person.created_at:%Y-%m-%d}",
            )
        )
    show(made)


async def _list(beginning: str | None, limit: int) -> list[Person]:
    async with services() as opened:
        return await opened.people.search(beginning, None, limit)


@person_app.command(name="show")
def show_person(person: str, /) -> None:
    """Show a person: status, reference for bank transfers, balances, what is reserved, limits.

    Example: `tandem operator person show @lin`

    Parameters
    ----------
    person
        The person: `@handle`, ppl_… or the reference of a bank transfer.
    """
    found, wallet = run(_show(person))
    facts(
        {
            "Person": show_id("ppl", found.id),
            "Handle": f"@{found.handle}",
            "Name": found.name,
            "Status": found.status,
            "Reference": spaced(reference_of(found.id)),
        }
    )
    numbers = ("Balance", "Reserved", "A payment", "A day", "Spent today")
    made = table("Currency", *numbers, right=numbers)
    for line in wallet.balances:
        unit = currency(line.currency)
        amounts = (
            line.balance,
            line.reserved,
            line.limit_per_payment,
            line.limit_per_day,
            line.spent_today,
        )
        made.add_row(*cells(unit.code, *(money(amount, unit) for amount in amounts)))
    show(made)


def spaced(reference: str) -> str:
    """A reference in groups of four, as people read it (ISO 11649 §4)."""
    return " ".join(reference[at : at + 4] for at in range(0, len(reference), 4))


async def _show(person: str) -> tuple[Person, WalletView]:
    async with services() as opened:
        found = await person_of(opened, person)
        return found, await opened.wallet.view(found.id)


@person_app.command
def suspend(person: str, /) -> None:
    """Suspend a person: they can neither pay nor send until they are resumed.

    Example: `tandem operator person suspend @lin`

    Parameters
    ----------
    person
        The person: `@handle` or ppl_…
    """
    found = run(_set_status(person, active=False))
    done(f"@{found.handle} is suspended.")


@person_app.command
def resume(person: str, /) -> None:
    """Let a suspended person pay again.

    Example: `tandem operator person resume @lin`

    Parameters
    ----------
    person
        The person: `@handle` or ppl_…
    """
    found = run(_set_status(person, active=True))
    done(f"@{found.handle} can pay again.")


async def _set_status(person: str, *, active: bool) -> Person:
    async with services() as opened:
        found = await person_of(opened, person)
        return await opened.people.set_status(found.id, "active" if active else "suspended")


@person_app.command
def limits(person: str, unit: str, /, *, per_payment: str, per_day: str) -> None:
    """Set what a person may spend in a currency. `tandem operator person show` shows it.

    Example: `tandem operator person limits @lin CNY --per-payment 1000.00 --per-day 5000.00`

    Parameters
    ----------
    person
        The person: `@handle` or ppl_…
    unit
        The currency, such as CNY.
    per_payment
        The largest payment; 0 for none.
    per_day
        The most in a day; 0 for none.
    """
    known = currency(unit)
    payment = limit_of(per_payment, known, "--per-payment")
    day = limit_of(per_day, known, "--per-day")
    run(_limits(person, known, payment, day))
    done(f"{person} may spend {money(payment, known)} a payment and {money(day, known)} a day.")


def limit_of(text: str, unit: Currency, field: str) -> int:
    """An amount that may be zero. Raises `Invalid`."""
    return 0 if text in {"0", f"0.{'0' * unit.exponent}"} else parse_amount(text, unit, field)


async def _limits(person: str, unit: Currency, payment: int, day: int) -> None:
    async with services() as opened:
        found = await person_of(opened, person)
        await opened.people.set_limits(found.id, unit.code, payment, day)
