"""The wallet in SQL: reads without locks. The journal alone writes it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from tandem.db import Connection, Record
from tandem.kernel import show_id
from tandem.ledger import Statement, TransferCode
from tandem.screening import MessageState, seen, states_of
from tandem.wallet.model import (
    REQUESTS,
    SENDS,
    SPLITS,
    TOP_UPS,
    MoneyRequest,
    Send,
    Split,
    TopUp,
)

_REQUEST: Final = f"SELECT {', '.join(REQUESTS.columns)} FROM money_requests"
_SENT: Final = ", ".join(SENDS.columns)
_SEND: Final = f"SELECT {_SENT} FROM sends"
_SPLIT: Final = f"SELECT {', '.join(SPLITS.columns)} FROM splits"
_TOP_UP: Final = f"SELECT {', '.join(TOP_UPS.columns)} FROM top_ups"


_BY_HAND: Final = (
    (TransferCode.TOP_UP, "top", "id, reference", "top_ups"),
    (TransferCode.WITHDRAWAL, "wdr", "id, reference", "withdrawals"),
    (TransferCode.CORRECTION, "cor", "id, reason", "corrections"),
)
"""What the operator books by hand: the message is the bank's reference, or why."""

_PACKETS: Final = (
    TransferCode.PACKET,
    TransferCode.PACKET_SHARE,
    TransferCode.PACKET_RETURN,
)


class Story(NamedTuple):
    """What stands behind a transfer: the object's shown id, the other side's name, a message."""

    object_id: str
    with_name: str | None
    message: str | None
    message_state: str = MessageState.CLEAR


async def send_by_id(connection: Connection, send_id: UUID) -> Send | None:
    """The send, or None."""
    row = await connection.fetchrow(f"{_SEND} WHERE id = $1", send_id)
    return None if row is None else Send(*row)


async def request_by_id(connection: Connection, request_id: UUID) -> MoneyRequest | None:
    """The request, or None."""
    row = await connection.fetchrow(f"{_REQUEST} WHERE id = $1", request_id)
    return None if row is None else MoneyRequest(*row)


async def requests_of(
    connection: Connection, person_id: UUID, before: UUID | None, limit: int
) -> list[MoneyRequest]:
    """The requests that a person made or received, newest first."""
    sides = [
        f"({_REQUEST} WHERE {side} = $1 AND ($2::uuid IS NULL OR id < $2) "
        "ORDER BY id DESC LIMIT $3)"
        for side in ("requester_id", "payer_id")
    ]
    rows = await connection.fetch(
        f"SELECT * FROM ({' UNION ALL '.join(sides)}) AS both_sides ORDER BY id DESC LIMIT $3",
        person_id,
        before,
        limit,
    )
    return [MoneyRequest(*row) for row in rows]


async def sends_of(
    connection: Connection, person_id: UUID, before: UUID | None, limit: int
) -> list[Send]:
    """What a person sent or received, newest first."""
    sides = [
        f"({_SEND} WHERE {side} = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3)"
        for side in ("sender_id", "receiver_id")
    ]
    rows = await connection.fetch(
        f"SELECT * FROM ({' UNION ALL '.join(sides)}) AS both_sides ORDER BY id DESC LIMIT $3",
        person_id,
        before,
        limit,
    )
    return [Send(*row) for row in rows]


async def top_ups_of(
    connection: Connection, person_id: UUID, before: UUID | None, limit: int
) -> list[TopUp]:
    """A person's top-ups, newest first."""
    rows = await connection.fetch(
        f"{_TOP_UP} WHERE person_id = $1 AND ($2::uuid IS NULL OR id < $2) "
        "ORDER BY id DESC LIMIT $3",
        person_id,
        before,
        limit,
    )
    return [TopUp(*row) for row in rows]


async def split_by_id(connection: Connection, split_id: UUID) -> Split | None:
    """The split, or None."""
    row = await connection.fetchrow(f"{_SPLIT} WHERE id = $1", split_id)
    return None if row is None else Split(*row)


async def splits_of(
    connection: Connection, person_id: UUID, before: UUID | None, limit: int
) -> list[Split]:
    """The splits that a person made, newest first."""
    rows = await connection.fetch(
        f"{_SPLIT} WHERE maker_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
        person_id,
        before,
        limit,
    )
    return [Split(*row) for row in rows]


async def parts_of(
    connection: Connection, split_ids: Sequence[UUID]
) -> dict[UUID, list[MoneyRequest]]:
    """The requests of these splits, each in the order in which they were made."""
    parts: dict[UUID, list[MoneyRequest]] = {split_id: [] for split_id in split_ids}
    rows = await connection.fetch(
        f"{_REQUEST} WHERE split_id = ANY($1) ORDER BY id", list(split_ids)
    )
    for request in (MoneyRequest(*row) for row in rows):
        assert request.split_id is not None, "it was asked for by that"
        parts[request.split_id].append(request)
    return parts


class Paid(NamedTuple):
    """What a person has paid for, less what came back, in minor units."""

    amount: int
    currency: str


async def paid_for(connection: Connection, person_id: UUID, payment_id: UUID) -> Paid | None:
    """What the person has paid by this payment; None if it is not theirs."""
    row = await connection.fetchrow(
        "SELECT captured - refunded, currency FROM payments WHERE id = $1 AND person_id = $2",
        payment_id,
        person_id,
    )
    return None if row is None else Paid(*row)


async def due_requests(connection: Connection, now: datetime, limit: int) -> list[MoneyRequest]:
    """Open requests whose time is over."""
    rows = await connection.fetch(
        f"{_REQUEST} WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2", now, limit
    )
    return [MoneyRequest(*row) for row in rows]


async def stories(
    connection: Connection, lines: Iterable[Statement], person_id: UUID
) -> dict[UUID, Story]:
    """What stands behind each transfer of a person's statement, by the transfer's reference."""
    wanted: dict[int, set[UUID]] = {}
    for line in lines:
        wanted.setdefault(line.transfer.code, set()).add(line.transfer.reference)
    found: dict[UUID, Story] = {}
    paid = wanted.get(TransferCode.PAYMENT, set()) | wanted.get(TransferCode.REFUND, set())
    for row in await _by_ids(connection, "id, shop_name, description", "payments", paid):
        found[row[0]] = Story(show_id("pay", row[0]), row[1], row[2])
    sends = wanted.get(TransferCode.SEND, set())
    sent = [Send(*row) for row in await _by_ids(connection, _SENT, "sends", sends)]
    states = await states_of(connection, [send.screened_by for send in sent])
    for send in sent:
        state = states.get(send.screened_by, MessageState.CLEAR)
        other = send.receiver_name if send.sender_id == person_id else send.sender_name
        message = seen(send.message, state, by_author=send.author_id == person_id)
        found[send.id] = Story(show_id("snd", send.id), other, message, state)
    packets = set[UUID]().union(*(wanted.get(code, set()) for code in _PACKETS))
    states = await states_of(connection, packets)
    for row in await _by_ids(connection, "id, maker_id, maker_name, message", "packets", packets):
        state, own = states.get(row[0], MessageState.CLEAR), row[1] == person_id
        message = seen(row[3], state, by_author=own)
        found[row[0]] = Story(show_id("pkt", row[0]), None if own else row[2], message, state)
    for code, prefix, columns, table in _BY_HAND:
        for row in await _by_ids(connection, columns, table, wanted.get(code, set())):
            found[row[0]] = Story(show_id(prefix, row[0]), None, row[1])
    return found


async def _by_ids(
    connection: Connection, columns: str, table: str, ids: set[UUID]
) -> Sequence[Record]:
    if not ids:
        return ()
    query = f"SELECT {columns} FROM {table} WHERE id = ANY($1)"
    return await connection.fetch(query, list(ids))
