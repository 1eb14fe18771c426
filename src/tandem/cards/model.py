"""Device cards: their row, their life as a decision table, and their shapes. Pure.

    waiting_code ──────┐
                       ├──► active ◄──► suspended        by the person
    waiting_operator ──┘      │  ▲
          │                   ▼  │ restored by the operator
          ▼            lost, blocked
       refused                │
                              ▼
                       removed, replaced

A card is *active* at once, or when the person or the operator has proved more. *Lost* is what the
person says of its device, *blocked* what the operator does, or the vault after too many wrong
cryptograms; from both only the operator restores it, so that whoever found the phone cannot. A
renewed card is another row with the same number: the old one is *replaced* when its keys are
handed out. Until then both have one life, and what keeps the old one from paying keeps its renewal
from being handed out.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.cards.errors import CardConflict
from tandem.db import Integer, SmallInt, Table
from tandem.kernel import show_id

Actor = Literal["person", "operator", "vault"]


class CardStatus(StrEnum):
    """Where a card is in its life."""

    WAITING_CODE = "waiting_code"
    WAITING_OPERATOR = "waiting_operator"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    LOST = "lost"
    BLOCKED = "blocked"
    REMOVED = "removed"
    REFUSED = "refused"
    REPLACED = "replaced"


class CardCommand(StrEnum):
    """What can be asked of a card. Its values are part of the API: refusals carry them."""

    PROVE = "prove"
    CONFIRM = "confirm"
    REFUSE = "refuse"
    DELIVER = "deliver"
    SUSPEND = "suspend"
    RESUME = "resume"
    LOSE = "lose"
    BLOCK = "block"
    RESTORE = "restore"
    FUND = "fund"
    RENEW = "renew"
    REPLACE = "replace"
    REMOVE = "remove"


S, C = CardStatus, CardCommand

_LIVE: Final = (S.WAITING_CODE, S.WAITING_OPERATOR, S.ACTIVE, S.SUSPENDED, S.LOST, S.BLOCKED)
LIFE: Final[dict[tuple[CardStatus, CardCommand], CardStatus]] = {
    (S.WAITING_CODE, C.PROVE): S.ACTIVE,
    (S.WAITING_CODE, C.CONFIRM): S.ACTIVE,
    (S.WAITING_OPERATOR, C.CONFIRM): S.ACTIVE,
    (S.WAITING_CODE, C.REFUSE): S.REFUSED,
    (S.WAITING_OPERATOR, C.REFUSE): S.REFUSED,
    (S.ACTIVE, C.DELIVER): S.ACTIVE,
    (S.ACTIVE, C.SUSPEND): S.SUSPENDED,
    (S.SUSPENDED, C.RESUME): S.ACTIVE,
    (S.ACTIVE, C.LOSE): S.LOST,
    (S.SUSPENDED, C.LOSE): S.LOST,
    (S.ACTIVE, C.BLOCK): S.BLOCKED,
    (S.SUSPENDED, C.BLOCK): S.BLOCKED,
    (S.LOST, C.BLOCK): S.BLOCKED,
    (S.LOST, C.RESTORE): S.ACTIVE,
    (S.BLOCKED, C.RESTORE): S.ACTIVE,
    (S.ACTIVE, C.FUND): S.ACTIVE,
    (S.SUSPENDED, C.FUND): S.SUSPENDED,
    (S.ACTIVE, C.RENEW): S.ACTIVE,
    (S.ACTIVE, C.REPLACE): S.REPLACED,
    **{(status, C.REMOVE): S.REMOVED for status in _LIVE},
}
"""Which command each state allows, and where it leads. What is not here is refused."""

WHO: Final[dict[CardCommand, frozenset[Actor]]] = {
    C.PROVE: frozenset({"person"}),
    C.CONFIRM: frozenset({"operator"}),
    C.REFUSE: frozenset({"operator", "vault"}),
    C.DELIVER: frozenset({"person"}),
    C.SUSPEND: frozenset({"person"}),
    C.RESUME: frozenset({"person"}),
    C.LOSE: frozenset({"person", "operator"}),
    C.BLOCK: frozenset({"operator", "vault"}),
    C.RESTORE: frozenset({"operator"}),
    C.FUND: frozenset({"person", "operator"}),
    C.RENEW: frozenset({"person", "operator"}),
    C.REPLACE: frozenset({"vault"}),
    C.REMOVE: frozenset({"person", "operator"}),
}
"""Who may ask for what."""


class DeviceCard(msgspec.Struct, frozen=True):
    """A row of `device_cards`.

    The number is sealed, and found by a keyed hash. `expiry` is the last day of its month.
    `device_key` is the X25519 key that what belongs on the device is wrapped for. `atc` is the
    highest transaction counter that came with a right cryptogram; bit n of `seen` says that
    `atc - 1 - n` did, and the highest bit that the operator has restored the card since
    (tandem.cards.taps). `replaces` is the card that this one renews.

    `funding_kind` is `balance`, or `issuer`: then `funding_id` is the issuer's card that it pays
    from (tandem.cards.funding). `proof_by` says who brings the one-time code: the `wallet` on an
    earlier device, or the `issuer`.

    `stopped_at` is when a card that pays no more stopped to pay, `lost_at` when it was first lost
    or blocked since; what comes late is judged by them (tandem.cards.taps). Both are None again
    once it is active.
    """

    id: UUID
    person_id: UUID
    device_id: UUID
    requestor: str
    status: str
    proof: str
    funding_kind: str
    funding_currency: str
    pan_hash: bytes
    pan_sealed: bytes
    last_four: str
    sequence: SmallInt
    effective: date
    expiry: date
    par: str
    key_index: SmallInt
    version: SmallInt
    device_key: bytes
    code_hash: bytes | None
    code_until: datetime | None
    code_tries: Integer
    atc: Integer
    seen: int
    wrong_cryptograms: Integer
    delivered_at: datetime | None
    replaces: UUID | None
    created_at: datetime
    updated_at: datetime
    funding_id: UUID | None = None
    funding_last_four: str | None = None
    proof_by: str = "wallet"
    stopped_at: datetime | None = None
    lost_at: datetime | None = None

    def __repr__(self) -> str:
        return f"DeviceCard({self.id}, …{self.last_four}, {self.status})"


DEVICE_CARDS: Final = Table(
    "device_cards",
    DeviceCard,
    mutable=(
        *("status", "atc", "seen", "wrong_cryptograms", "updated_at"),
        *("stopped_at", "lost_at"),
    ),
    guards=(
        *("status", "atc", "seen", "wrong_cryptograms", "delivered_at"),
        *("funding_currency", "funding_id", "stopped_at", "lost_at"),
    ),
    rank=22,
)


def allowed(status: CardStatus, actor: Actor) -> tuple[CardCommand, ...]:
    """What this caller can ask of a card in this state."""
    return tuple(c for s, c in LIFE if s is status and actor in WHO[c])


def moved(
    card: DeviceCard, command: CardCommand, actor: Actor, now: datetime, **changes: object
) -> DeviceCard:
    """The card after a command. Raises `CardConflict` if its state or the caller forbids it."""
    status = CardStatus(card.status)
    after = LIFE.get((status, command))
    if after is None or actor not in WHO[command]:
        can = tuple(c.value for c in allowed(status, actor))
        raise CardConflict(status.value, command.value, can)
    changes = {"code_hash": None, "code_until": None, **changes}  # no command leads to a wait
    if after is CardStatus.ACTIVE:
        changes |= {"stopped_at": None, "lost_at": None}
    else:
        changes["stopped_at"] = now if status is CardStatus.ACTIVE else card.stopped_at or now
        if after in {CardStatus.LOST, CardStatus.BLOCKED}:
            changes["lost_at"] = card.lost_at or now
    return msgspec.structs.replace(card, status=after.value, updated_at=now, **changes)


class CardView(msgspec.Struct, frozen=True):
    """A device card: never its number, of which the last four digits are shown."""

    id: Annotated[str, Meta(examples=["crd_0199f0a4c0de7000800000000000004a"])]
    device_id: Annotated[str, Meta(examples=["dev_0199f0a4c0de70008000000000000002"])]
    status: Annotated[
        str,
        Meta(
            description=(
                "waiting_code, waiting_operator, active, suspended, lost, blocked, removed, "
                "refused or replaced"
            ),
            examples=["active"],
        ),
    ]
    proof: Annotated[
        str,
        Meta(
            description="What adding it asked for: green nothing, yellow a code, orange the "
            "operator's word",
            examples=["green"],
        ),
    ]
    currency: Annotated[str, Meta(description="In which it pays", examples=["CNY"])]
    funding: Annotated[
        str,
        Meta(
            description="What it pays from: a balance, or a card of an issuer",
            examples=["balance"],
            extra_json_schema={"enum": ["balance", "issuer"]},
        ),
    ]
    funding_last_four: Annotated[str | None, Meta(description="Of the issuer's card")]
    proof_by: Annotated[
        str,
        Meta(
            description="Who brings the code that it waits for: an earlier device of the wallet, "
            "or the issuer",
            examples=["wallet"],
            extra_json_schema={"enum": ["wallet", "issuer"]},
        ),
    ]
    last_four: Annotated[str, Meta(examples=["0126"])]
    expiry: Annotated[date, Meta(description="The last day on which it pays")]
    par: Annotated[
        str,
        Meta(
            description="Payment account reference: the same for all cards that pay from the same "
            "account",
            examples=["98010A1B2C3D4E5F6G7H8J9K0M1N2"],
        ),
    ]
    delivered: Annotated[bool, Meta(description="Whether its keys were handed out to the device")]
    created_at: datetime
    updated_at: datetime


class CardOfPerson(CardView, frozen=True):
    """A device card as the operator sees it: with whose it is."""

    person_id: Annotated[str, Meta(examples=["ppl_0199f0a4c0de70008000000000000001"])]
    person_name: Annotated[str, Meta(examples=["Lin"])]


def card_view(card: DeviceCard) -> CardView:
    """The card as it is shown."""
    return CardView(
        show_id("crd", card.id),
        show_id("dev", card.device_id),
        card.status,
        card.proof,
        card.funding_currency,
        card.funding_kind,
        card.funding_last_four,
        card.proof_by,
        card.last_four,
        card.expiry,
        card.par,
        card.delivered_at is not None,
        card.created_at,
        card.updated_at,
    )


def card_of_person(card: DeviceCard, name: str) -> CardOfPerson:
    """The card of a person of this name as the operator sees it."""
    fields = msgspec.structs.asdict(card_view(card))
    return CardOfPerson(**fields, person_id=show_id("ppl", card.person_id), person_name=name)
