"""Problems: every refusal has a row or is ours to hide, and the reference is up to date."""

import importlib
import pkgutil
import re
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from web_fakes import NOW, PAY, PAYMENT

import tandem
from tandem.api import errors as wire
from tandem.api import problems
from tandem.api.openapi import refusals
from tandem.api.operations import OPERATIONS
from tandem.app import operations
from tandem.codes import CodeTooLong, UnreadableImage
from tandem.events import MAX_ENDPOINTS
from tandem.kernel import Invalid, Refused
from tandem.ledger import (
    AmountExceedsReserved,
    InsufficientFunds,
    OutcomeUnknown,
    ReservationExpired,
    ReservationNotFound,
    ReservationResolved,
    TermsChanged,
)
from tandem.payments import CodePaused, PaymentConflict, RefundNotCovered
from tandem.people import LimitExceeded, PayerNotActive
from tandem.settings import Settings
from tandem.wallet import AccountsUnusable

ROOMS = tuple(
    f"tandem.{room}"
    for room in (
        "kernel", "codes", "ledger", "people", "merchants", "events", "cards", "tags", "payments",
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


INSIDE: dict[type[Refused], str] = {
    ReservationNotFound: "a payment names its own reservation",
    ReservationResolved: "a payment that was resolved says so itself, before the ledger",
    ReservationExpired: "as above",
    AmountExceedsReserved: "capture_exceeds_authorised comes first",
    CodeTooLong: "settings keep links as short as codes need them",
    UnreadableImage: "the command line reads pictures, the API does not",
    AccountsUnusable: "the start reads them",
}
"""Refusals of rooms that no request meets, and why: one that did would be a fault of ours."""

ELSEWHERE = {"no_such_path", "method_not_allowed"}
"""Codes that are answered where there is no operation."""


def test_every_refusal_has_a_row_or_a_reason() -> None:
    lost = {
        kind
        for kind in every_refusal()
        if problems.row_of(kind) is None and kind.__module__.startswith(ROOMS)
    }
    assert lost == set(INSIDE)


def test_every_row_is_answered_by_some_operation() -> None:
    every = operations(Settings(mode="sandbox"))
    answered = {refusal.code for operation in every for refusal in refusals(operation)}
    assert problems.BY_CODE.keys() - answered == ELSEWHERE


def test_the_number_of_endpoints_is_the_one_that_holds() -> None:
    assert problems.BY_CODE["too_many_webhook_endpoints"].example.data() == {"most": MAX_ENDPOINTS}


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


def test_sentences_have_amounts_as_people_write_them() -> None:
    """But for a field of a request, which is in minor units itself."""
    for row in problems.ROWS:
        if row.example.code == Invalid.code:
            continue
        sentence = row.example.sentence()
        assert "minor unit" not in sentence
        facts = row.example.data()
        for value in facts.values() if "currency" in facts else ():
            if isinstance(value, int):
                assert not re.search(rf"\b{value}\b(?!\.)", sentence), (row.example.code, sentence)
    refused = RefundNotCovered(1200, 3800, "JPY")
    assert refused.sentence().startswith("The merchant's balance covers 1200 JPY, not 3800 JPY.")


def test_ids_are_shown_with_their_prefixes_or_not_at_all() -> None:
    assert problems.shown_data(InsufficientFunds(PAYMENT, 1, 2)) == {
        "account_id": PAY.replace("pay", "acc"),
        "available": 1,
        "amount": 2,
    }
    shown = problems.shown_data(OutcomeUnknown(PAYMENT))
    assert shown == {"entry_id": PAY.replace("pay", "ent")}, "an entry is looked up by this"
    assert problems.shown_data(TermsChanged(PAYMENT, 1, 2)) == {}, "as the reference says"


def test_data_keeps_clear_of_the_problems_own_members() -> None:
    _, _, body = problems.answer(PaymentConflict("captured", "cancel", ("refund",)), "r", NOW)
    problem = msgspec.json.decode(body)
    assert problem["status"] == 409
    assert problem["data"] == {"status": "captured", "command": "cancel", "allowed": ["refund"]}


def test_no_merchants_operation_is_refused_for_what_only_the_person_may_know() -> None:
    private = {InsufficientFunds, LimitExceeded, PayerNotActive}
    told = {o.path for o in OPERATIONS if "merchant" in o.who and private & set(o.errors)}
    assert told == set()


@pytest.mark.parametrize(("ahead", "wait"), [(90.2, b"91"), (-5, b"1")])
def test_a_pause_says_how_long(ahead: float, wait: bytes) -> None:
    refused = CodePaused(NOW + timedelta(seconds=ahead))
    assert (b"retry-after", wait) in problems.answer(refused, "r", NOW).headers


def test_who_comes_too_often_hears_when_to_come_again() -> None:
    often = [row.example for row in problems.ROWS if row.status == 429]
    assert often
    for refused in often:
        assert b"retry-after" in dict(problems.answer(refused, "r", NOW).headers), refused.code


def test_an_unknown_refusal_is_our_fault() -> None:
    status, _, body = problems.answer(Refused(), "r", NOW)
    assert status == 500
    assert msgspec.json.decode(body)["code"] == wire.InternalFault.code


def test_the_reference_is_up_to_date() -> None:
    kept = Path(__file__).parents[2] / "docs" / "reference" / "errors.md"
    assert kept.read_text() == problems.reference(), "run make docs"
