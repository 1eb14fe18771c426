"""Messages that were screened out: their authors appeal, the operator decides."""

from typing import Annotated, Final, Literal, Protocol, get_args
from uuid import UUID

from msgspec import Meta

from tandem.api.operation import Body, Call, ListQuery, Page, operation, page
from tandem.db import Pool
from tandem.kernel import NOTE_LENGTH, Invalid, NotFound, read_id
from tandem.office import owner_names
from tandem.screening import (
    AlreadyAppealed,
    Kind,
    MessageScreening,
    MessageView,
    NotHeld,
    OwnMessageView,
    Screening,
    ScreeningView,
    own_message_view,
    screening_view,
)

_KINDS: Final = get_args(Kind)
_WHAT: Final = "screened message"


class Services(Protocol):
    """What these operations use."""

    @property
    def pool(self) -> Pool:
        """Connections for reads."""
        ...

    @property
    def screening(self) -> MessageScreening:
        """The use cases of screening."""
        ...


class MakeAppeal(Body, frozen=True, kw_only=True):
    """Why the message should be shown."""

    text: (
        Annotated[str, Meta(min_length=1, max_length=NOTE_LENGTH, examples=["It is our joke."])]
        | None
    ) = None


class ScreeningQuery(ListQuery, frozen=True):
    """Which messages to list."""

    state: Literal["clear", "checking", "held", "rejected"] | None = None
    appealed: Annotated[
        bool, Meta(description="Those that somebody appealed and nobody decided on")
    ] = False


@operation(
    "GET",
    "/v1/wallet/messages",
    tag="Wallet",
    summary="List messages that were screened out",
    who=("person",),
)
async def list_messages(call: Call[Services], query: ListQuery) -> Page[OwnMessageView]:
    """The person's own messages that were not clear at once, with their appeals, newest first."""
    rows = await call.services.screening.own(
        call.principal.owner_id, _before(query.after), query.limit + 1
    )
    return page(rows, query.limit, own_message_view)


@operation(
    "GET",
    "/v1/wallet/messages/{object_id}",
    tag="Wallet",
    summary="See where a message stands",
    who=("person",),
    errors=(NotFound,),
)
async def get_message(call: Call[Services], object_id: str) -> MessageView:
    """One's own message that was screened out, by what it is attached to.

    `object_id` is the id of the money sent or asked for. A message that was clear at once is not
    found here.
    """
    found, shown = _object(object_id)
    return await call.services.screening.of_author(call.principal.owner_id, found, shown)


@operation(
    "POST",
    "/v1/wallet/messages/{object_id}/appeal",
    tag="Wallet",
    summary="Appeal a held message",
    who=("person",),
    errors=(NotFound, NotHeld, AlreadyAppealed),
)
async def appeal_message(call: Call[Services], object_id: str, body: MakeAppeal) -> MessageView:
    """Ask the operator to look at one's message that is held. Once for each message.

    The money moved already, or the request stands: only the text is hidden from its receiver.
    """
    found, shown = _object(object_id)
    return await call.services.screening.appeal(call.principal.owner_id, found, shown, body.text)


@operation(
    "GET",
    "/v1/screening",
    tag="Screening",
    summary="List screened messages",
    who=("operator",),
)
async def list_screened(call: Call[Services], query: ScreeningQuery) -> Page[ScreeningView]:
    """Messages that were not clear at once, newest first, with what spoke against them."""
    rows = await call.services.screening.all(
        query.state, _before(query.after), query.limit + 1, appealed=query.appealed
    )
    names = await _names(call, rows)
    return page(rows, query.limit, lambda row: screening_view(row, names))


@operation(
    "POST",
    "/v1/screening/{object_id}/release",
    tag="Screening",
    summary="Release a message",
    who=("operator",),
    office="support",
    why=True,
    errors=(NotFound, NotHeld),
)
async def release_message(call: Call[Services], object_id: str) -> ScreeningView:
    """Show it to its receiver; both are told. One that was rejected can still be released."""
    found, shown = _object(object_id)
    decided = await call.services.screening.decide(found, shown, release=True)
    return screening_view(decided, await _names(call, [decided]))


@operation(
    "POST",
    "/v1/screening/{object_id}/reject",
    tag="Screening",
    summary="Reject a message",
    who=("operator",),
    office="support",
    why=True,
    errors=(NotFound, NotHeld),
)
async def reject_message(call: Call[Services], object_id: str) -> ScreeningView:
    """It stays hidden; its author is told."""
    found, shown = _object(object_id)
    decided = await call.services.screening.decide(found, shown, release=False)
    return screening_view(decided, await _names(call, [decided]))


async def _names(call: Call[Services], rows: list[Screening]) -> dict[UUID, str]:
    """What their authors and receivers are called."""
    people = {who for row in rows for who in (row.author_id, row.receiver_id) if who is not None}
    async with call.services.pool.acquire() as connection:
        return await owner_names(connection, people)


def _before(after: str | None) -> UUID | None:
    """Where a page of a list of messages begins. Raises `Invalid`."""
    if after is None:
        return None
    try:
        return _object(after)[0]
    except NotFound as error:
        raise Invalid("after", "is no cursor of this list; pass `next` as it came") from error


def _object(text: str) -> tuple[UUID, str]:
    """The id of what a message is attached to, and as it is shown. Raises `NotFound`."""
    prefix = text.partition("_")[0]
    if prefix not in _KINDS:
        raise NotFound(_WHAT, text)
    try:
        return read_id(prefix, text, "object_id"), text
    except Invalid as error:
        raise NotFound(_WHAT, text) from error


OPERATIONS = (
    list_messages,
    get_message,
    appeal_message,
    list_screened,
    release_message,
    reject_message,
)
