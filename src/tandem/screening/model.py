"""Messages that are screened: where one stands, who sees it, what may be done with it. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.db import SmallInt, Table
from tandem.kernel import show_id
from tandem.ledger import Write
from tandem.screening.errors import AlreadyAppealed, NotHeld

Kind = Literal["snd", "req", "pkt"]
"""What a message is attached to, by its id's prefix: money sent, asked for, a red packet."""

Source = Literal["local", "akismet", "operator"]
"""Who said that a message is held, or is not."""


class MessageState(StrEnum):
    """Where a message stands. Only a clear one is shown to anybody but its author."""

    CLEAR = "clear"
    CHECKING = "checking"
    HELD = "held"
    REJECTED = "rejected"


State = Annotated[
    str,
    Meta(
        description=(
            "Where the message stands. Unless it is `clear`, only its author gets the text: "
            "`checking` for a moment, `held` because it looks like spam or fraud until the "
            "operator decides on an appeal, `rejected` for good"
        ),
        examples=["clear"],
        extra_json_schema={"enum": [state.value for state in MessageState]},
    ),
]

GAPS: Final = tuple(timedelta(seconds=seconds) for seconds in (2, 10, 30, 120, 600))
"""How long the next question to Akismet waits after one that had no answer."""

LEASE: Final = timedelta(seconds=30)
"""How long a question may take before another process asks it."""


class Screening(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `screenings`: a message that was not clear at once.

    `object_id` is what it is attached to. `reasons` has codes with spaces between. `client` is the
    author's network address, which Akismet asks for; it is forgotten once nothing is asked any
    more. `due_at` is when Akismet is asked next, or told (`tell`) what the operator decided.
    """

    object_id: UUID
    kind: str
    author_id: UUID
    receiver_id: UUID | None
    message: str
    state: str
    source: str
    points: SmallInt
    reasons: str
    client: str | None
    due_at: datetime | None
    tries: SmallInt
    tell: str | None
    appeal: str | None
    appealed_at: datetime | None
    decided_at: datetime | None
    created_at: datetime
    updated_at: datetime


SCREENINGS: Final = Table("screenings", Screening, key=("object_id",), rank=60, log=True)


class Screened(msgspec.Struct, frozen=True):
    """What became of a message before it is written: kept beside it unless it is clear."""

    state: MessageState
    points: int = 0
    reasons: tuple[str, ...] = ()
    client: str | None = None

    def writes(
        self,
        kind: Kind,
        object_id: UUID,
        author_id: UUID,
        receiver_id: UUID | None,
        message: str | None,
        now: datetime,
    ) -> list[Write]:
        """What is written beside the object that the message is attached to: nothing if clear."""
        if self.state is MessageState.CLEAR or message is None:
            return []
        return [Write(SCREENINGS, self.row(kind, object_id, author_id, receiver_id, message, now))]

    def row(
        self,
        kind: Kind,
        object_id: UUID,
        author_id: UUID,
        receiver_id: UUID | None,
        message: str,
        now: datetime,
    ) -> Screening:
        """The row to keep."""
        return Screening(
            object_id=object_id,
            kind=kind,
            author_id=author_id,
            receiver_id=receiver_id,
            message=message,
            state=self.state.value,
            source="local",
            points=self.points,
            reasons=" ".join(self.reasons),
            client=self.client,
            due_at=now if self.state is MessageState.CHECKING else None,
            tries=0,
            tell=None,
            appeal=None,
            appealed_at=None,
            decided_at=None,
            created_at=now,
            updated_at=now,
        )


CLEAR: Final = Screened(MessageState.CLEAR)
"""No message, or nothing against it."""


def seen(message: str | None, state: str, *, by_author: bool) -> str | None:
    """A message as its author or somebody else sees it."""
    return message if by_author or state == MessageState.CLEAR else None


def checked(row: Screening, now: datetime, *, spam: bool) -> Screening:
    """What Akismet said of a message that was being checked."""
    return msgspec.structs.replace(
        row,
        state=(MessageState.HELD if spam else MessageState.CLEAR).value,
        source="akismet",
        reasons=f"{row.reasons} akismet".strip() if spam else row.reasons,
        client=row.client if spam else None,
        due_at=None,
        updated_at=now,
    )


def unanswered(row: Screening, now: datetime) -> Screening:
    """Akismet did not answer: ask again later, and in the end do without.

    The local scorer had nothing against a message that is being checked, so it is clear then.
    """
    if row.tries < len(GAPS):
        again = now + GAPS[row.tries]
        return msgspec.structs.replace(row, due_at=again, tries=row.tries + 1, updated_at=now)
    done = msgspec.structs.replace(row, due_at=None, client=None, tell=None, updated_at=now)
    if row.state != MessageState.CHECKING:
        return done  # it was to be told what the operator decided
    return msgspec.structs.replace(done, state=MessageState.CLEAR.value)


def appealed(row: Screening, text: str | None, now: datetime) -> Screening:
    """Its author asks the operator to look at it. Raises `NotHeld`, `AlreadyAppealed`."""
    if row.state != MessageState.HELD:
        raise NotHeld(row.state)
    if row.appealed_at is not None:
        raise AlreadyAppealed
    return msgspec.structs.replace(row, appeal=text, appealed_at=now, updated_at=now)


def decided(row: Screening, now: datetime, *, release: bool, tells: bool) -> Screening:
    """The operator decides; one that was rejected may still be released.

    `tells`: Akismet is told if it had called the message spam. Raises `NotHeld`.
    """
    open_states = {MessageState.HELD.value} | ({MessageState.REJECTED.value} if release else set())
    if row.state not in open_states:
        raise NotHeld(row.state)
    tell = ("ham" if release else "spam") if tells and row.client is not None else None
    return msgspec.structs.replace(
        row,
        state=(MessageState.CLEAR if release else MessageState.REJECTED).value,
        source="operator",
        client=None if tell is None else row.client,
        due_at=None if tell is None else now,
        tries=0,
        tell=tell,
        decided_at=now,
        updated_at=now,
    )


def told(row: Screening, now: datetime) -> Screening:
    """Akismet knows what the operator decided."""
    return msgspec.structs.replace(row, tell=None, client=None, due_at=None, updated_at=now)


class MessageView(msgspec.Struct, frozen=True):
    """A message that was screened out, as its author sees it, and its receiver once it is clear."""

    object_id: Annotated[str, Meta(examples=["snd_0199f0a4c0de7000800000000000002c"])]
    message: Annotated[str, Meta(examples=["Your prize is waiting: bit.ly/x"])]
    state: State
    appealed_at: datetime | None
    decided_at: datetime | None


class OwnMessageView(msgspec.Struct, frozen=True):
    """A message that was screened out, with its appeal, as its author alone sees it."""

    id: Annotated[
        str,
        Meta(
            description="What it is attached to: money sent or asked for, or a red packet",
            examples=["snd_0199f0a4c0de7000800000000000002c"],
        ),
    ]
    message: Annotated[str, Meta(examples=["Your prize is waiting: bit.ly/x"])]
    state: State
    appeal: Annotated[
        str | None, Meta(description="What the author said of it", examples=["It is our joke."])
    ]
    appealed_at: datetime | None
    decided_at: datetime | None
    created_at: datetime


class ScreeningView(msgspec.Struct, frozen=True):
    """A screened message, as the operator sees it."""

    id: Annotated[
        str,
        Meta(
            description="What it is attached to: money sent or asked for, or a red packet",
            examples=["snd_0199f0a4c0de7000800000000000002c"],
        ),
    ]
    author_id: Annotated[str, Meta(examples=["ppl_0199f0a4c0de70008000000000000007"])]
    author_name: Annotated[str, Meta(examples=["Mei"])]
    receiver_id: str | None
    receiver_name: str | None
    message: Annotated[str, Meta(examples=["Your prize is waiting: bit.ly/x"])]
    state: State
    source: Annotated[
        str,
        Meta(
            description="Who said so last",
            examples=["local"],
            extra_json_schema={"enum": ["local", "akismet", "operator"]},
        ),
    ]
    points: Annotated[int, Meta(description="Of the local scorer; held from 5 on", examples=[8])]
    reasons: Annotated[list[str], Meta(examples=[["link", "prize", "short_link", "stranger"]])]
    appeal: Annotated[str | None, Meta(description="What the author says of it")]
    appealed_at: datetime | None
    decided_at: datetime | None
    created_at: datetime
    updated_at: datetime


def message_view(row: Screening) -> MessageView:
    """The message for the people whom it concerns, who are not told what gave it away."""
    return MessageView(
        show_id(row.kind, row.object_id), row.message, row.state, row.appealed_at, row.decided_at
    )


def own_message_view(row: Screening) -> OwnMessageView:
    """The message for its author, who is not told what gave it away."""
    return OwnMessageView(
        show_id(row.kind, row.object_id),
        row.message,
        row.state,
        row.appeal,
        row.appealed_at,
        row.decided_at,
        row.created_at,
    )


def screening_view(row: Screening, names: Mapping[UUID, str]) -> ScreeningView:
    """The message for the operator, who knows people by their `names`."""
    receiver = row.receiver_id
    return ScreeningView(
        show_id(row.kind, row.object_id),
        show_id("ppl", row.author_id),
        names[row.author_id],
        None if receiver is None else show_id("ppl", receiver),
        None if receiver is None else names[receiver],
        row.message,
        row.state,
        row.source,
        row.points,
        row.reasons.split(),
        row.appeal,
        row.appealed_at,
        row.decided_at,
        row.created_at,
        row.updated_at,
    )
