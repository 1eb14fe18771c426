"""`tandem operator staff`: who works for the operator, and the first who works for a merchant."""

from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from tandem.access import Employer
from tandem.cli.beside import services
from tandem.cli.merchants import merchant_id
from tandem.cli.run import run
from tandem.cli.show import cells, done, facts, say, show, table
from tandem.ledger import OPERATOR_ID
from tandem.signin import Invited, MemberView, NewMember, member_view

staff_app = App(
    name="staff", help="Who works here, and signs in with a passkey.", help_format="markdown"
)

Limit = Annotated[int, Parameter(validator=Number(gte=1, lte=1000))]


@staff_app.command
def invite(name: str, /, *, role: str = "owner", merchant: str | None = None) -> None:
    """Invite somebody to work for the operator, or for a merchant; print their link, once.

    Whoever opens the link within seven days makes a passkey and is signed in.

    Example: `tandem operator staff invite Bo --role owner`

    Parameters
    ----------
    name
        What the list of staff calls them.
    role
        For the operator: support, treasurer or owner. For a merchant: cashier, manager or owner.
    merchant
        The merchant that they work for, mer_…; left out, it is the operator.
    """
    made = run(_invite(NewMember(name, role), merchant))
    done(f"Invited {made.staff.name} as {made.staff.role}: {made.staff.id}")
    facts({"Link": made.url})
    say("It is shown this once, and works once.")


async def _invite(new: NewMember, merchant: str | None) -> Invited:
    kind: Employer = "operator" if merchant is None else "merchant"
    employer = OPERATOR_ID if merchant is None else merchant_id(merchant)
    async with services() as opened:
        return await opened.staff.invite(kind, employer, new)


@staff_app.command(name="list")
def list_staff(*, merchant: str | None = None, limit: Limit = 50) -> None:
    """List who works for the operator, or for a merchant, newest first.

    Example: `tandem operator staff list`

    Parameters
    ----------
    merchant
        The merchant, mer_…; left out, it is the operator.
    limit
        The most to list.
    """
    made = table("Staff", "Name", "Role", "State", "Since")
    for member in run(_list(merchant, limit)):
        row = (member.id, member.name, member.role, member.status, f"{member.created_at:%Y-%m-%d}")
        made.add_row(*cells(*row))
    show(made)


async def _list(merchant: str | None, limit: int) -> list[MemberView]:
    employer = OPERATOR_ID if merchant is None else merchant_id(merchant)
    async with services() as opened:
        return [member_view(row) for row in await opened.staff.all(employer, None, limit)]
