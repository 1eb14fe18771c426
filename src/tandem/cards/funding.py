"""The cards of issuers that device cards pay from: their rows, and the numbers under seal."""

from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from tandem.cards.codes import lock_tries
from tandem.cards.errors import CardBeingChecked, CardNotEligible
from tandem.cards.issuers import CardDetails, Eligibility
from tandem.cards.numbers import pan_hash
from tandem.cards.proof import MAX_REFUSED, REFUSED_TIME, Proof
from tandem.db import Connection, Table
from tandem.db.rewrite import SealedColumn
from tandem.emv.card.profile import luhn
from tandem.kernel import Invalid, Rule
from tandem.keyring import KeyRing

ASKING_TIME: Final = timedelta(minutes=1)
"""How long a card without an answer counts as one whose issuer is being asked; then as refused."""
MAX_ASKED: Final = 20
"""How often issuers are asked for a person in a day, whatever they answer."""

_SHORTEST: Final = 12
_MONTHS: Final = 12


class FundingCard(msgspec.Struct, frozen=True):
    """A row of `funding_cards`: a card that somebody gave, whatever came of it.

    `expiry` is YYMM; `pan_hash` as device cards have it. `refused`: its issuer said no, or has not
    answered: what is asked counts before the answer is known, and for good if the process dies.
    """

    id: UUID
    issuer_id: UUID
    person_id: UUID
    pan_hash: bytes
    pan_sealed: bytes
    last_four: str
    expiry: str
    refused: bool
    created_at: datetime

    def __repr__(self) -> str:
        return f"FundingCard({self.id}, …{self.last_four})"


FUNDING_CARDS: Final = Table("funding_cards", FundingCard)
PROOF_OF: Final = {
    Eligibility.APPROVED: Proof.GREEN,
    Eligibility.PROVE: Proof.YELLOW,
    Eligibility.CALL: Proof.ORANGE,
}
"""What adding the card asks for, by its issuer's word."""


def funding_context(funding_id: UUID) -> bytes:
    """What a funding card's sealed number is bound to."""
    return b"funding card number " + funding_id.bytes


FUNDING_SEALS: Final = SealedColumn("funding_cards", "pan_sealed", "fnd", funding_context)
"""Where numbers of issuers' cards are kept, sealed."""


def check_details(card: CardDetails, today: date) -> None:
    """Raise `Invalid` for a number that cannot be one, and for a card that is over."""
    if len(card.pan) < _SHORTEST or not luhn(card.pan):
        raise Invalid(
            "card.number", "is not a card's number: its check digit is wrong", rule=Rule("form")
        )
    year, month = 2000 + int(card.expiry[:2]), int(card.expiry[2:])
    if not 1 <= month <= _MONTHS or (year, month) < (today.year, today.month):
        raise Invalid("card.expiry", "must be YYMM, and this month or later", rule=Rule("form"))


def new_funding(
    card: CardDetails,
    *,
    funding_id: UUID,
    issuer_id: UUID,
    person_id: UUID,
    lookup: bytes,
    keyring: KeyRing,
    now: datetime,
) -> FundingCard:
    """The row of a card that somebody gives, and whose issuer is going to be asked."""
    return FundingCard(
        id=funding_id,
        issuer_id=issuer_id,
        person_id=person_id,
        pan_hash=pan_hash(lookup, card.pan),
        pan_sealed=keyring.seal(card.pan.encode(), funding_context(funding_id)),
        last_four=card.pan[-4:],
        expiry=card.expiry,
        refused=True,
        created_at=now,
    )


def open_details(funding: FundingCard, keyring: KeyRing) -> CardDetails:
    """The card in the clear, for its issuer. Raises `SealBroken`, `KeyUnknown`."""
    pan = keyring.open(funding.pan_sealed, funding_context(funding.id)).decode()
    return CardDetails(pan, funding.expiry)


async def insert_funding(connection: Connection, funding: FundingCard) -> None:
    """Insert a funding card."""
    await connection.execute(
        FUNDING_CARDS.one_row_statement,
        *(getattr(funding, column) for column in FUNDING_CARDS.columns),
    )


async def funding_by_id(connection: Connection, funding_id: UUID) -> FundingCard:
    """The funding card of a device card, which refers to it."""
    row = await connection.fetchrow(
        f"SELECT {', '.join(FUNDING_CARDS.columns)} FROM funding_cards WHERE id = $1", funding_id
    )
    assert row is not None, "what is referred to is never taken away"
    return FundingCard(*row)


async def check_tries(connection: Connection, funding: FundingCard, now: datetime) -> bool:
    """Whether the issuer may be asked about a card that somebody gives.

    False after too many refusals of its number in a day: who has a list of stolen numbers must not
    learn from us which of them live, whatever wallets they try them from. That is no refusal, which
    its owner would suffer for as long as a thief goes on. Raises `CardNotEligible` if the person
    had too many refused, or asked about, in a day; `CardBeingChecked` if what is being asked at
    this moment could make them too many, so that many tries at once are no more than a few.
    """
    await lock_tries(connection, funding.person_id, funding.pan_hash)
    rows = await connection.fetch(
        "SELECT f.person_id = $1 AS own, f.pan_hash = $2 AS same, f.refused, CASE WHEN f.refused "
        "AND f.created_at > $4 AND NOT EXISTS (SELECT FROM device_cards AS c "
        "WHERE c.funding_id = f.id) THEN f.created_at END AS asked_at FROM funding_cards AS f "
        "WHERE (f.person_id = $1 OR (f.pan_hash = $2 AND f.refused)) AND f.created_at > $3",
        funding.person_id,
        funding.pan_hash,
        now - REFUSED_TIME,
        now - ASKING_TIME,
    )
    if sum(row["own"] for row in rows) >= MAX_ASKED:
        raise CardNotEligible("too_many_asked")
    of_person = [row["asked_at"] for row in rows if row["own"] and row["refused"]]
    of_number = [row["asked_at"] for row in rows if row["same"] and row["refused"]]
    if of_person.count(None) >= MAX_REFUSED:
        raise CardNotEligible("too_many_refused")
    if of_number.count(None) >= MAX_REFUSED:
        return False
    for tries in (of_person, of_number):
        if len(tries) >= MAX_REFUSED:
            asking = (asked_at for asked_at in tries if asked_at is not None)
            raise CardBeingChecked(min(asking) + ASKING_TIME)
    return True


async def note_not_refused(connection: Connection, funding_id: UUID) -> None:
    """The issuer of a card did not say no."""
    await connection.execute("UPDATE funding_cards SET refused = false WHERE id = $1", funding_id)


async def forget_funding(connection: Connection, funding_id: UUID) -> None:
    """The issuer of a card that no device card pays from was not asked after all."""
    await connection.execute("DELETE FROM funding_cards WHERE id = $1", funding_id)
