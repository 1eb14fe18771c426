"""The audit log: who did what, written in the transaction that does it.

Whoever answers a request says who acts (`acting`). The first unit of work or journal entry that
commits within writes the record; what only reads writes none. Rows are never changed: the
application may insert and read, no more.

It travels in a context variable, as a request's id does in logs: every change is made by a unit of
work or by the journal, so none can be left out by forgetting to pass it on.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec

from tandem.db.pool import Connection
from tandem.db.table import Table

OwnerKind = Literal["person", "merchant", "operator"]
ActorKind = Literal["person", "staff", "device", "key", "command"]
DONE: Final = "done"


class Actor(msgspec.Struct, frozen=True):
    """Who acts, and in whose house: `owner` is the person, the merchant or the operator."""

    owner_kind: OwnerKind
    owner_id: UUID
    kind: ActorKind
    id: UUID
    name: str
    session_id: UUID | None = None


class AuditRow(msgspec.Struct, frozen=True):
    """A row of `audit`. `outcome` is "done", or the code of what stood against it."""

    id: UUID
    owner_kind: Annotated[str, "text"]
    owner_id: UUID
    actor_kind: Annotated[str, "text"]
    actor_id: UUID
    actor_name: str
    session_id: UUID | None
    action: str
    object: str | None
    outcome: str
    request_id: str
    client: str
    created_at: datetime
    reason: str | None = None
    approver_id: UUID | None = None
    approver_name: str | None = None


AUDIT: Final = Table("audit", AuditRow, rank=90, log=True)


class Act:
    """What somebody does, from when it is asked for until its record is written, once.

    `object` is the shown id of what it is done to; `approver` the id and the name of the member of
    staff who approved it, if that was needed. `new_id` and `now` are the installation's.
    """

    __slots__ = (
        *("_new_id", "_now", "action", "actor", "approver", "client", "object", "outcome"),
        *("reason", "recorded", "request_id"),
    )

    def __init__(
        self,
        actor: Actor | None,
        action: str,
        *,
        request_id: str,
        client: str,
        new_id: Callable[[], UUID],
        now: Callable[[], datetime],
        on: str | None = None,
    ) -> None:
        self.actor = actor
        self.action = action
        self.request_id = request_id
        self.client = client
        self.object = on
        self.outcome = DONE
        self.reason: str | None = None
        self.approver: tuple[UUID, str] | tuple[None, None] = (None, None)
        self.recorded = False
        self._new_id = new_id
        self._now = now

    def row(self, made: str | None = None) -> AuditRow:
        """Its record; `made` is the id of what came into being by it."""
        assert self.actor is not None, "nobody acts"
        owner = self.actor
        return AuditRow(
            self._new_id(),
            owner.owner_kind,
            owner.owner_id,
            owner.kind,
            owner.id,
            owner.name,
            owner.session_id,
            self.action,
            self.object or made,
            self.outcome,
            self.request_id,
            self.client,
            self._now(),
            self.reason,
            *self.approver,
        )


_ACTING: Final[ContextVar[Act | None]] = ContextVar("acting", default=None)


@contextmanager
def acting(act: Act | None) -> Iterator[None]:
    """Let what is committed inside be recorded as this; None: it is recorded elsewhere, or not."""
    token = _ACTING.set(act)
    try:
        yield
    finally:
        _ACTING.reset(token)


def current_act() -> Act | None:
    """What is being done and has no record yet."""
    act = _ACTING.get()
    return None if act is None or act.recorded or act.actor is None else act


def about(shown_id: str) -> None:
    """Say what the act is done to, where the request's path does not: what it makes."""
    act = _ACTING.get()
    if act is not None and act.object is None:
        act.object = shown_id


def acts(actor: Actor, *, instead: bool = False) -> None:
    """Say who acts, where the request did not: somebody who signs in, `instead` of who asked."""
    act = _ACTING.get()
    if act is not None and (instead or act.actor is None):
        act.actor = actor


def refused_as(code: str) -> None:
    """Say that what is committed is only that it was refused: a wrong code that is counted."""
    act = _ACTING.get()
    if act is not None:
        act.outcome = code


def because(reason: str) -> None:
    """Say why it is done, in the words of who does it."""
    act = _ACTING.get()
    if act is not None:
        act.reason = reason


def approved(approver_id: UUID, name: str) -> None:
    """Say which member of staff approved it, beside who does it."""
    act = _ACTING.get()
    if act is not None:
        act.approver = (approver_id, name)


def nothing_new() -> None:
    """The request is a repeat: what it did is recorded."""
    act = _ACTING.get()
    if act is not None:
        act.recorded = True


async def record(connection: Connection, act: Act) -> None:
    """Write the record, in the caller's transaction."""
    row = act.row()
    await connection.execute(AUDIT.one_row_statement, *msgspec.structs.astuple(row))
