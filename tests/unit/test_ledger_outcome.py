"""Answers and refusals as they are kept for whoever repeats a request."""

from dataclasses import fields

import pytest

from tandem.api.problems import ROWS, Row
from tandem.kernel import Invalid, NotFound, Refused
from tandem.ledger import Outcome, RefusedEarlier
from tandem.ledger.outcome import answered, kept


def test_an_answer_is_given_again() -> None:
    assert answered(b'{"id":"pay_1"}') == Outcome(b'{"id":"pay_1"}', replayed=True)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.example.code)
def test_every_refusal_comes_back_as_it_was(row: Row) -> None:
    refused = row.example
    with pytest.raises(Refused) as again:
        answered(kept(refused))
    assert type(again.value) is type(refused)
    assert again.value.sentence() == refused.sentence()
    for field in fields(refused):
        assert getattr(again.value, field.name) == getattr(refused, field.name)


@pytest.mark.parametrize(
    "answer",
    [
        b'!{"code":"no_longer_known","data":{}}',
        b'!{"code":"not_found","data":{"kind":"payment"}}',
        b'!{"code":"not_found","data":{"kind":"payment","id":"pay_1","more":1}}',
        b'!{"code":"not_found","data":{"kind":1,"id":"pay_1"}}',
    ],
)
def test_a_refusal_of_another_version_still_refuses(answer: bytes) -> None:
    with pytest.raises(RefusedEarlier) as refused:
        answered(answer)
    assert refused.value.reason in answer.decode()
    assert "use a new key" in refused.value.sentence()


def test_a_refusal_of_before_its_newest_fact_comes_back_without_it() -> None:
    with pytest.raises(Invalid) as refused:
        answered(b'!{"code":"invalid_request","data":{"field":"shares","reason":"must be 1"}}')
    assert refused.value.data() == {"field": "shares", "reason": "must be 1"}


def test_what_is_kept_is_no_json() -> None:
    assert kept(NotFound("payment", "pay_1"))[:1] not in b'{["0123456789tfn- \t\r\n'
