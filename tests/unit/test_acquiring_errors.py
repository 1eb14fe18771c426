"""Refusals of the room: each says in a sentence what to do, and none says a secret."""

import pytest

from acquiring_play import PAN, money
from tandem.acquiring import errors
from tandem.acquiring.errors import (
    AcquiringRefused,
    AmountImpossible,
    FrameBroken,
    KeyBlockBroken,
    LinkKeyExists,
    LinkKeyMissing,
    LinkKeyUnfit,
    LinksUnusable,
    MacMissing,
    MacWrong,
    MessageMalformed,
    NoAnswer,
    NotSent,
    NotSignedOn,
    TerminalUnknown,
    TransactionUnknown,
)  # fmt: skip

EXAMPLES = (
    FrameBroken("a length is less than its own"),
    MessageMalformed(4, "is missing", money()),
    MacMissing(),
    MacWrong(),
    NotSignedOn(),
    TerminalUnknown("TERM0001"),
    TransactionUnknown("0600"),
    TransactionUnknown("0200", "310000"),
    AmountImpossible(0),
    NotSent("it closed the connection"),
    NoAnswer("the connection was lost"),
    KeyBlockBroken("its length is not what it says"),
    LinkKeyMissing("harbour", "harbour.TERM0001"),
    LinkKeyUnfit("its components are not equally long"),
    LinkKeyExists("harbour"),
    LinksUnusable("there are two links harbour"),
)


@pytest.mark.parametrize("refused", EXAMPLES, ids=lambda refused: refused.code)
def test_each_refusal_is_a_sentence_without_a_card(refused: AcquiringRefused) -> None:
    sentence = refused.sentence()
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert PAN not in sentence + repr(refused) + repr(refused.data())


def test_no_refusal_is_forgotten_and_codes_are_their_own() -> None:
    kinds = {type(refused) for refused in EXAMPLES}
    assert kinds == set(AcquiringRefused.__subclasses__())
    assert len({kind.code for kind in kinds}) == len(kinds)
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in kinds)
