"""Roles: each can do what the one below it can, and the documents say what that is."""

from datetime import UTC, datetime
from pathlib import Path
from typing import get_args
from uuid import UUID

import pytest

from tandem.access import ROLES, SCOPES, role_of, scopes_of
from tandem.access.roles import Employer, MerchantRole, OperatorRole
from tandem.access.sessions import Session
from tandem.kernel import Invalid

PAGE = Path(__file__).parents[2] / "docs" / "sign-in.md"


def test_the_roles_are_those_of_the_types() -> None:
    assert tuple(ROLES["merchant"]) == get_args(MerchantRole)
    assert tuple(ROLES["operator"]) == get_args(OperatorRole)


def test_a_higher_role_can_do_all_that_a_lower_one_can() -> None:
    cashier, manager, owner = ROLES["merchant"].values()
    assert cashier.scopes < manager.scopes < owner.scopes == set(SCOPES["merchant"])
    assert cashier.refund_limit is not None
    assert manager.refund_limit is not None
    assert cashier.refund_limit < manager.refund_limit
    assert owner.refund_limit is None


@pytest.mark.parametrize(
    ("role", "of_payment", "of_day", "read"),
    [
        ("cashier", 20_000, None, 100_000),
        ("cashier", 300_000, None, 300_000),
        ("cashier", 20_000, 500, 500),
        ("owner", None, None, None),
    ],
)
def test_a_session_that_was_opened_before_there_were_limits_for_a_day_has_its_role_s(
    role: str, of_payment: int | None, of_day: int | None, read: int | None
) -> None:
    one, now = UUID(int=1), datetime(2026, 3, 14, tzinfo=UTC)
    session = Session(
        *(one, "merchant", one, one, "Xu", role, of_payment, of_day, None, "", ""),
        *(now, now, now, now, None),
    )
    signed_in = session.principal().signed_in
    assert signed_in is not None
    assert signed_in.refund_day_limit == read


def test_only_owners_look_after_staff_and_keys() -> None:
    for name in ("cashier", "manager"):
        assert (
            not {"staff:write", "keys:write", "webhooks:write"} & role_of("merchant", name).scopes
        )
    assert "operator" not in role_of("operator", "support").scopes
    assert "operator" not in role_of("operator", "treasurer").scopes


@pytest.mark.parametrize("employer", ["merchant", "operator"])
def test_roles_have_scopes_that_there_are(employer: Employer) -> None:
    for name, role in ROLES[employer].items():
        assert role.scopes <= set(SCOPES[employer])
        assert scopes_of(employer, name) == role.scopes


def test_a_person_does_all_with_their_wallet() -> None:
    assert scopes_of("person", None) == {"wallet"}


def test_a_role_of_another_house_is_none() -> None:
    with pytest.raises(Invalid):
        role_of("merchant", "treasurer")
    with pytest.raises(Invalid):
        role_of("operator", "cashier")


@pytest.mark.parametrize("employer", ["merchant", "operator"])
def test_the_document_has_the_same_table(employer: Employer) -> None:
    roles = ROLES[employer]
    rows = [f"| scope | {' | '.join(roles)} |"]
    rows += [
        f"| `{scope}` | {' | '.join('yes' if scope in r.scopes else '' for r in roles.values())} |"
        for scope in SCOPES[employer]
    ]
    text = PAGE.read_text().replace("|  |", "| |").replace("|  |", "| |")
    for row in rows:
        assert row.replace("|  |", "| |").replace("|  |", "| |") in text, row
