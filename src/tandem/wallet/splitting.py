"""Splits' commands, as entries for the journal: no money moves by them."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from tandem.db import Idempotency
from tandem.events import announce
from tandem.kernel import Invalid, NotFound, Rule, check_amount, equal_part, show_id
from tandem.ledger import Decision, Touches, View, Write
from tandem.people import PersonTerms
from tandem.screening import MessageState, Screened
from tandem.wallet.entries import Ask, asked, both_told, closed
from tandem.wallet.errors import RemindedLately, SplitClosed
from tandem.wallet.model import MAX_PARTS, REMIND_AGAIN, REQUESTS, SPLITS, MoneyRequest, Split
from tandem.wallet.shapes import request_view, split_view


class MakeSplit(msgspec.Struct, frozen=True, kw_only=True):
    """A person splits an amount: each of `people` is asked for a part, the rest is their own.

    `parts` are what each is asked for; None: as much as each other and the maker. Minor units.
    `screened` is what becomes of the message for each of them.
    """

    id: UUID
    idempotency: Idempotency | None
    maker: PersonTerms
    people: tuple[PersonTerms, ...]
    parts: tuple[int, ...] | None
    amount: int
    currency: str
    message: str | None
    screened: tuple[Screened, ...]
    payment_id: UUID | None
    expires_seconds: int

    def touches(self) -> Touches:
        """Nothing: no money moves."""
        return Touches()

    def decide(self, view: View) -> Decision:
        """Make the split and a request for each part."""
        check_amount(self.amount)
        if len({one.id for one in self.people}) < len(self.people):
            raise Invalid("people", "must name each person once", rule=Rule("distinct"))
        if not 1 <= len(self.people) <= MAX_PARTS:
            raise Invalid(
                "people", f"must be 1 to {MAX_PARTS} people", rule=Rule("entries", 1, MAX_PARTS)
            )
        parts = divided(self.amount, len(self.people)) if self.parts is None else self.parts
        for part in parts:
            check_amount(part, "people")
        own = self.amount - sum(parts)
        if own < 0:
            raise Invalid("people", "must not be asked for more than the amount in all")
        split = Split(
            id=view.new_id(),
            maker_id=self.maker.id,
            amount=self.amount,
            own=own,
            currency=self.currency,
            message=self.message,
            payment_id=self.payment_id,
            reminded_at=None,
            created_at=view.now,
        )
        made: list[MoneyRequest] = []
        writes = [Write(SPLITS, split)]
        for payer, part, screened in zip(self.people, parts, self.screened, strict=True):
            request, written = asked(view, self._ask(payer, part, screened), split.id)
            made.append(request)
            writes += written
        return Decision(split_view(split, made), (), writes)

    def _ask(self, payer: PersonTerms, amount: int, screened: Screened) -> Ask:
        return Ask(
            id=self.id,
            idempotency=None,
            requester=self.maker,
            payer=payer,
            amount=amount,
            currency=self.currency,
            message=self.message,
            screened=screened,
            expires_seconds=self.expires_seconds,
        )


class RemindSplit(msgspec.Struct, frozen=True, kw_only=True):
    """The maker reminds those who have not answered.

    `states`: where the requests' messages stand, of those that are not clear.
    """

    id: UUID
    idempotency: Idempotency | None
    split_id: UUID
    request_ids: tuple[UUID, ...]
    states: dict[UUID, str] = {}

    def touches(self) -> Touches:
        """The split and its requests."""
        return _rows(self.split_id, self.request_ids)

    def decide(self, view: View) -> Decision:
        """Tell them, unless they were told a while ago."""
        split, parts, waiting = _read(view, self.split_id, self.request_ids)
        again = None if split.reminded_at is None else split.reminded_at + REMIND_AGAIN
        if again is not None and view.now < again:
            raise RemindedLately(again)
        writes: list[Write] = []
        for request in waiting:
            state = self.states.get(request.id, MessageState.CLEAR)
            shown = request_view(request, request.payer_id, state)
            writes += announce(view, request.payer_id, "request.reminded", request.id, shown)
        after = msgspec.structs.replace(split, reminded_at=view.now)
        return Decision(split_view(after, parts), (), (Write(SPLITS, after), *writes))


class CancelSplit(msgspec.Struct, frozen=True, kw_only=True):
    """The maker withdraws what is still asked for. `states` as in `RemindSplit`."""

    id: UUID
    idempotency: Idempotency | None
    split_id: UUID
    request_ids: tuple[UUID, ...]
    states: dict[UUID, str] = {}

    def touches(self) -> Touches:
        """The split and its requests."""
        return _rows(self.split_id, self.request_ids)

    def decide(self, view: View) -> Decision:
        """Close each open request."""
        split, parts, waiting = _read(view, self.split_id, self.request_ids)
        ended = {request.id: closed(request, view, "cancelled") for request in waiting}
        writes: list[Write] = []
        for request in ended.values():
            state = self.states.get(request.id, MessageState.CLEAR)
            writes += (Write(REQUESTS, request), *both_told(view, request, state))
        now = [ended.get(part.id, part) for part in parts]
        return Decision(split_view(split, now), (), writes)


def divided(amount: int, others: int) -> tuple[int, ...]:
    """What each of the others pays of an amount that they share equally with the maker.

    The maker bears what is left over, less than a minor unit for each.
    """
    return (equal_part(amount, others + 1),) * others


def _rows(split_id: UUID, request_ids: Sequence[UUID]) -> Touches:
    return Touches(rows=((SPLITS, split_id), *((REQUESTS, one) for one in request_ids)))


def _read(
    view: View, split_id: UUID, request_ids: Sequence[UUID]
) -> tuple[Split, list[MoneyRequest], list[MoneyRequest]]:
    """The split, its requests, and those that wait for an answer. Raises `SplitClosed`."""
    split = view.row(SPLITS, split_id)
    if split is None:
        raise NotFound("split", show_id("spl", split_id))
    found = (view.row(REQUESTS, one) for one in request_ids)
    parts = [part for part in found if part is not None]
    waiting = [
        part
        for part in parts
        if part.status == "open" and part.expires_at is not None and part.expires_at > view.now
    ]
    if not waiting:
        raise SplitClosed
    return split, parts, waiting
