"""References for bank transfers: they follow from a person's id, and a mistake is noticed."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.kernel import Ids, Invalid
from tandem.people import check_number, looks_like_reference, reference_of
from tandem.people.reference import people_between

MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2089, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the strategy adds the zone
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class At:
    """A clock that stands."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment


@st.composite
def people(draw: st.DrawFn) -> UUID:
    random = draw(st.integers(0, 255))
    return Ids(At(draw(MOMENTS)), lambda size: bytes([random]) * size).new()


@given(people())
def test_a_reference_leads_back_to_its_person(person_id: UUID) -> None:
    reference = reference_of(person_id)
    assert len(reference) == 20
    assert check_number(reference[4:] + reference[:4]) == 1  # ISO 11649, as banks check it
    shown = " ".join(reference[at : at + 4] for at in range(0, 20, 4)).lower()
    for text in (reference, shown, f" {shown}\u00a0"):
        first, last = people_between(text)
        assert first <= person_id <= last
        assert last.int - first.int == 2**33 - 1


@given(people(), st.integers(2, 19), st.sampled_from(ALPHABET))
def test_one_wrong_letter_is_nobody(person_id: UUID, at: int, letter: str) -> None:
    """A letter for a letter, a digit for a digit: one for the other is found 96 times of 97."""
    reference = reference_of(person_id)
    if reference[at] == letter or reference[at].isdigit() != letter.isdigit():
        return
    with pytest.raises(Invalid):
        people_between(reference[:at] + letter + reference[at + 1 :])


@given(people(), st.integers(4, 18))
def test_neighbours_that_changed_places_are_nobody(person_id: UUID, at: int) -> None:
    reference = reference_of(person_id)
    one, other = reference[at], reference[at + 1]
    if one == other or {one, other} in ({"1", "B"}, {"2", "M"}, {"3", "X"}):
        return
    with pytest.raises(Invalid):
        people_between(reference[:at] + other + one + reference[at + 2 :])


def test_a_known_one() -> None:
    person_id = UUID("0199f0a4-c0de-7000-8000-000000000001")
    assert reference_of(person_id) == "RF261TH2QVDCEG6TN280"
    # ISO 11649's own example has these check digits
    assert check_number("539007547034RF18") == 1


@pytest.mark.parametrize("text", ["", "RF", "@lin", "RF26", "RF261TH2QVDCEG6TN28", "RFxx" * 5])
def test_what_is_no_reference(text: str) -> None:
    assert not looks_like_reference(text)
    with pytest.raises(Invalid, match="must be RF"):
        people_between(text)


def test_a_sum_that_no_id_has_is_nobody() -> None:
    body = "Z" * 16
    digits = 98 - check_number(f"{body}RF00")
    with pytest.raises(Invalid, match="mistake"):
        people_between(f"RF{digits:02}{body}")
