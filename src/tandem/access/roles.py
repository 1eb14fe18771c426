"""Roles: what a member of staff may do, in the scopes that API keys have. One table. Pure."""

from typing import Final, Literal, NamedTuple

from tandem.access.model import SCOPES, Kind
from tandem.kernel import Invalid

Employer = Literal["merchant", "operator"]
MerchantRole = Literal["cashier", "manager", "owner"]
OperatorRole = Literal["support", "treasurer", "owner"]


class Role(NamedTuple):
    """A role. `approves`: it may approve what another member may not do alone.

    What it gives back of one payment, and in a day, is in hundredths of a currency's unit; None: no
    limit.
    """

    meaning: str
    scopes: frozenset[str]
    refund_limit: int | None = None
    refund_day_limit: int | None = None
    approves: bool = False

    def day_limit(self, of_payment: int | None) -> int | None:
        """The most in a day for who has no such limit of their own.

        Whoever was given a higher limit for one payment than the role has for a day gives that
        back.
        """
        if self.refund_day_limit is None:
            return None
        return max(self.refund_day_limit, of_payment or 0)


_CASHIER: Final = frozenset(
    {"payments:write", "payments:read", "refunds:write", "shops:read", "events:read"}
)
_MANAGER: Final = _CASHIER | {
    "checkout:write",
    "checkout:read",
    "shops:write",
    "webhooks:read",
    "payouts:read",
    "balance:read",
    "staff:manage",
    "staff:read",
    "audit:read",
}

ROLES: Final[dict[Employer, dict[str, Role]]] = {
    "merchant": {
        "cashier": Role("Takes payments, and refunds small amounts", _CASHIER, 20_000, 100_000),
        "manager": Role(
            "Runs the shops: what they accept, cashiers, larger refunds",
            _MANAGER,
            500_000,
            2_000_000,
            approves=True,
        ),
        "owner": Role(
            "Everything, staff and API keys too", frozenset(SCOPES["merchant"]), approves=True
        ),
    },
    "operator": {
        "support": Role(
            "Looks after people, merchants and cards",
            frozenset({"operator:read", "operator:support"}),
        ),
        "treasurer": Role(
            "Books money that comes in and goes out",
            frozenset({"operator:read", "operator:money"}),
        ),
        "owner": Role("Everything, staff too", frozenset(SCOPES["operator"])),
    },
}
"""What each role may do (docs/sign-in.md has the same table, and a test compares them)."""


def role_of(employer: Employer, name: str) -> Role:
    """The role. Raises `Invalid` naming those that there are."""
    found = ROLES[employer].get(name)
    if found is None:
        raise Invalid("role", f"must be {' or '.join(ROLES[employer])} here")
    return found


def scopes_of(kind: Kind, role: str | None) -> frozenset[str]:
    """What whoever signed in may do: a person all with their wallet, staff what the role may."""
    if kind == "person":
        return frozenset(SCOPES["person"])
    assert role is not None, "staff has a role"
    return ROLES[kind][role].scopes
