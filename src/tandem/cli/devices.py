"""`tandem operator device`: a person's devices, and what to do when a phone is lost."""

from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from tandem.cli.beside import services
from tandem.cli.people import device_facts, person_of
from tandem.cli.run import run
from tandem.cli.show import cells, done, say, show, table
from tandem.kernel import read_id
from tandem.people import Device, NewDevice, device_view

device_app = App(name="device", help="People's devices.", help_format="markdown")

Limit = Annotated[int, Parameter(validator=Number(gte=1, lte=1000))]


@device_app.command(name="list")
def list_devices(person: str, /, *, limit: Limit = 50) -> None:
    """List a person's devices, newest first, also those out of use.

    Example: `tandem operator device list @lin`

    Parameters
    ----------
    person
        The person: `@handle` or ppl_…
    limit
        The most devices to list.
    """
    made = table("Device", "Name", "Since", "Out of use")
    for device in map(device_view, run(_list(person, limit))):
        revoked = "" if device.revoked_at is None else f"{device.revoked_at:%Y-%m-%d %H:%M}"
        made.add_row(*cells(device.id, device.name, f"{device.created_at:%Y-%m-%d}", revoked))
    show(made)


async def _list(person: str, limit: int) -> list[Device]:
    async with services() as opened:
        found = await person_of(opened, person)
        return await opened.people.devices(found.id, None, limit)


@device_app.command
def add(person: str, name: str = "Phone", /) -> None:
    """Give a person a further device, or a new one for a lost one; print its key and seed, once.

    Example: `tandem operator device add @lin "Lin's new phone"`

    Parameters
    ----------
    person
        The person: `@handle` or ppl_…
    name
        What the person's list of devices calls it.
    """
    made = run(_add(person, name))
    done(f"Made {made.name} for {person}.")
    device_facts(made)
    say("Key and seed are shown this once; they belong on the person's phone.")


async def _add(person: str, name: str) -> NewDevice:
    async with services() as opened:
        found = await person_of(opened, person)
        return await opened.people.add_device(found.id, name, None)


@device_app.command
def revoke(person: str, device: str, /) -> None:
    """Take a device out of use, as when a phone is lost: its key and its pay codes work no more.

    Example: `tandem operator device revoke @lin dev_0199…`

    Parameters
    ----------
    person
        The person: `@handle` or ppl_…
    device
        The device's id, as `tandem operator device list` shows it.
    """
    run(_revoke(person, device))
    done(f"{device} is out of use.")


async def _revoke(person: str, device: str) -> None:
    device_id = read_id("dev", device, "device")
    async with services() as opened:
        found = await person_of(opened, person)
        await opened.people.revoke_device(found.id, device_id)
