"""Problems: every refusal has a row or is ours to hide, and the reference is up to date."""

import importlib
import pkgutil
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from web_fakes import NOW, PAY, PAYMENT

import tandem
from tandem.api import errors as wire
from tandem.api import problems
from tandem.kernel import Refused
from tandem.ledger import InsufficientFunds, StaleTerms
from tandem.payments import CodePaused, PaymentConflict

ROOMS = tuple(
    f"tandem.{room}"
    for room in (
        "kernel", "codes", "ledger", "people", "merchants", "events", "cards", "payments",
        "wallet", "settlement", "api",
    )
)  # fmt: skip
"""Rooms whose refusals reach the API. (A key that is not known becomes `Unauthenticated`.)"""


def every_refusal() -> list[type[Refused]]:
    for module in pkgutil.walk_packages(tandem.__path__, "tandem."):
        if module.name.startswith(ROOMS):
            importlib.import_module(module.name)
    found: list[type[Refused]] = []
    waiting: list[type[Refused]] = [Refused]
    while waiting:
        waiting += (below := waiting.pop().__subclasses__())
        found += [kind for kind in below if kind.__module__.startswith("tandem.")]
    return found


def test_every_refusal_has_a_row() -> None:
    lost = [
        kind.__name__
        for kind in every_refusal()
        if problems.row_of(kind) is None and kind.__module__.startswith(ROOMS)
    ]
    assert lost == []


def test_a_code_means_one_thing() -> None:
    assert len(problems.BY_CODE) == len(problems.ROWS)


@pytest.mark.parametrize("row", problems.ROWS, ids=lambda row: row.example.code)
def test_every_row_can_be_answered_and_explained(row: problems.Row) -> None:
    status, _, body = problems.answer(row.example, "r-1", NOW)
    problem = msgspec.json.decode(body, type=problems.Problem)
    assert (problem.status, status) == (row.status, row.status)
    assert problem.code == row.example.code
    assert problem.request_id == "r-1"
    assert problem.detail == row.example.sentence()
    assert problems.meaning(row.example)
    assert row.hidden <= set(row.example.data())


def test_ids_are_shown_with_their_prefixes_or_not_at_all() -> None:
    assert problems.shown_data(InsufficientFunds(PAYMENT, 1, 2)) == {
        "account_id": PAY.replace("pay", "acc"),
        "available": 1,
        "amount": 2,
    }
    shown = problems.shown_data(StaleTerms(PAYMENT, 1, 2))
    assert shown == {"read": 1, "current": 2}


def test_data_keeps_clear_of_the_problems_own_members() -> None:
    _, _, body = problems.answer(PaymentConflict("captured", "cancel", ("refund",)), "r", NOW)
    problem = msgspec.json.decode(body)
    assert problem["status"] == 409
    assert problem["data"] == {"status": "captured", "command": "cancel", "allowed": ["refund"]}


def test_only_merchants_are_told_less() -> None:
    refused = InsufficientFunds(PAYMENT, 1, 2)
    person = msgspec.json.decode(problems.answer(refused, "r", NOW, kind="person").body)
    merchant = msgspec.json.decode(problems.answer(refused, "r", NOW, kind="merchant").body)
    assert person["data"]["available"] == 1
    assert merchant["data"] == {"amount": 2}


@pytest.mark.parametrize(("ahead", "wait"), [(90.2, b"91"), (-5, b"1")])
def test_a_pause_says_how_long(ahead: float, wait: bytes) -> None:
    refused = CodePaused(NOW + timedelta(seconds=ahead))
    assert (b"retry-after", wait) in problems.answer(refused, "r", NOW).headers


def test_an_unknown_refusal_is_our_fault() -> None:
    status, _, body = problems.answer(Refused(), "r", NOW)
    assert status == 500
    assert msgspec.json.decode(body)["code"] == wire.InternalFault.code


def test_the_reference_is_up_to_date() -> None:
    kept = Path(__file__).parents[2] / "docs" / "reference" / "errors.md"
    assert kept.read_text() == problems.reference(), "run make docs"
