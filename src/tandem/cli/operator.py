"""`tandem operator`: by hand what an operator does, beside a running `tandem up` or without one."""

from typing import Final

import msgspec
from cyclopts import App

from tandem.access.model import Key
from tandem.cli.api_keys import key_table
from tandem.cli.beside import services
from tandem.cli.bookings import correct, corrections, withdraw
from tandem.cli.cards import card_app
from tandem.cli.devices import device_app
from tandem.cli.issuers import issuer_app
from tandem.cli.merchants import merchant_app, merchant_id, shop_app, till_app
from tandem.cli.payments import payment_app
from tandem.cli.people import person_app, person_of
from tandem.cli.run import run
from tandem.cli.show import done, facts, money, say
from tandem.cli.staff import staff_app
from tandem.cli.tags import tag_app
from tandem.db import work
from tandem.kernel import currency, parse_amount, read_id
from tandem.ledger import OPERATOR_ID
from tandem.settlement import PayoutView
from tandem.wallet import TopUpView

app = App(name="operator", help="Do by hand what an operator does.", help_format="markdown")
key_app = App(name="key", help="The operator's own API keys.", help_format="markdown")
for _part in (
    key_app,
    person_app,
    device_app,
    staff_app,
    merchant_app,
    shop_app,
    till_app,
    tag_app,
    card_app,
    issuer_app,
    payment_app,
):
    app.command(_part)

MOST_LISTED: Final = 100


@key_app.command(name="add")
def add_key(name: str = "operator", /) -> None:
    """Make an operator's key and print it, this once.

    Whoever has it may do all that an operator may.

    Example: `tandem operator key add "Mei's laptop"`

    Parameters
    ----------
    name
        What the list of keys calls it.
    """
    secret = run(_add_key(name))
    facts({"Operator key": secret})
    say("It is shown this once; keep it.")


async def _add_key(name: str) -> str:
    async with services() as opened, work(opened.pool) as connection:
        made = await opened.access.create(
            connection, kind="operator", owner_id=OPERATOR_ID, name=name, scopes=["operator"]
        )
        return made.secret


@key_app.command(name="list")
def list_keys() -> None:
    """List the operator's keys, newest first.

    Example: `tandem operator key list`
    """
    key_table(run(_keys()))


async def _keys() -> list[Key]:
    async with services() as opened, opened.pool.acquire() as connection:
        return await opened.access.keys_of(connection, OPERATOR_ID, None, MOST_LISTED)


@key_app.command(name="revoke")
def revoke_key(key: str, /) -> None:
    """Revoke an operator's key; it works no more within a second.

    Example: `tandem operator key revoke key_0199…`

    Parameters
    ----------
    key
        The key's id, as `tandem operator key list` shows it; not its secret.
    """
    run(_revoke(key))
    done(f"Revoked {key}.")


async def _revoke(key: str) -> None:
    key_id = read_id("key", key, "key")
    async with services() as opened, work(opened.pool) as connection:
        await opened.access.revoke(connection, OPERATOR_ID, key_id)


@app.command
def top_up(person: str, amount: str, unit: str, /, *, reference: str) -> None:
    """Book money that came in at the bank into a person's wallet.

    Example: `tandem operator top-up @lin 100.00 CNY --reference BANK-2026-77`

    Parameters
    ----------
    person
        The person: `@handle`, ppl_… or the reference that they wrote on the transfer, `RF…`.
    amount
        The amount as people write it, such as 100.00.
    unit
        The currency, such as CNY.
    reference
        The bank's reference. It is booked once, whoever types it.
    """
    known = currency(unit)
    minor = parse_amount(amount, known)
    made = run(_top_up(person, minor, known.code, reference))
    done(f"Booked {money(made.amount, known)} for {person}: {made.id}")


async def _top_up(person: str, minor: int, code: str, reference: str) -> TopUpView:
    async with services() as opened:
        who = await person_of(opened, person)
        outcome = await opened.wallet.top_up(who.id, minor, code, reference, None)
    return msgspec.json.decode(outcome.body, type=TopUpView)


@app.command
def payout(merchant: str, amount: str, unit: str, /, *, reference: str) -> None:
    """Book money that was sent to a merchant by bank. Its balance must cover it.

    Example: `tandem operator payout mer_0199… 250.00 CNY --reference OUT-12`

    Parameters
    ----------
    merchant
        The merchant, mer_…
    amount
        The amount as people write it, such as 250.00.
    unit
        The currency, such as CNY.
    reference
        The bank's reference. It is booked once, whoever types it.
    """
    known = currency(unit)
    minor = parse_amount(amount, known)
    made = run(_payout(merchant, minor, known.code, reference))
    done(f"Booked a payout of {money(made.amount, known)} to {merchant}: {made.id}")


async def _payout(merchant: str, minor: int, code: str, reference: str) -> PayoutView:
    async with services() as opened:
        outcome = await opened.payouts.make(merchant_id(merchant), minor, code, reference, None)
    return msgspec.json.decode(outcome.body, type=PayoutView)


for _command in (withdraw, correct, corrections):
    app.command(_command)
