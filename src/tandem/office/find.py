"""Find what somebody has in their hand: an id, a handle, a name, four digits, a receipt's number.

Each kind is a look-up in an index; nothing is searched through.
"""

import re
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.db import Connection, beginning
from tandem.kernel import Invalid, NotFound, entry_of, read_id, show_id
from tandem.ledger import entry_transfers
from tandem.office.trace import OBJECT_PREFIXES, booked_for
from tandem.people import find_id_by_handle

MOST: Final = 5
"""How many of a kind."""
_SHOWN: Final = re.compile(r"([a-z]{2,8})_[0-9a-f]{32}", re.ASCII)
_LAST_FOUR: Final = re.compile(r"[0-9]{4}", re.ASCII)
_REFERENCE: Final = re.compile(r"[0-9]{12}", re.ASCII)

_BY_ID: Final = {
    "ppl": ("person", "SELECT id, name, '@' || handle FROM people WHERE id = $1"),
    "mer": ("merchant", "SELECT id, name, status FROM merchants WHERE id = $1"),
    "dev": (
        "person",
        (
            "SELECT p.id, p.name, d.name FROM devices AS d JOIN people AS p ON p.id = d.person_id "
            "WHERE d.id = $1"
        ),
    ),
    "shp": (
        "merchant",
        (
            "SELECT m.id, m.name, s.name FROM shops AS s "
            "JOIN merchants AS m ON m.id = s.merchant_id WHERE s.id = $1"
        ),
    ),
    "til": (
        "merchant",
        (
            "SELECT m.id, m.name, t.name FROM tills AS t "
            "JOIN merchants AS m ON m.id = t.merchant_id WHERE t.id = $1"
        ),
    ),
    "crd": (
        "card",
        (
            "SELECT c.id, p.name, c.last_four FROM device_cards AS c "
            "JOIN people AS p ON p.id = c.person_id WHERE c.id = $1"
        ),
    ),
    "pay": ("payment", "SELECT id, shop_name, status FROM payments WHERE id = $1"),
    "ref": (
        "payment",
        (
            "SELECT p.id, p.shop_name, p.status FROM refunds AS r "
            "JOIN payments AS p ON p.id = r.payment_id WHERE r.id = $1"
        ),
    ),
    "acc": ("account", "SELECT id, NULL, NULL FROM accounts WHERE id = $1"),
}
_PREFIX: Final = {
    "person": "ppl",
    "merchant": "mer",
    "card": "crd",
    "payment": "pay",
    "account": "acc",
}
_PEOPLE: Final = (
    "SELECT id, name, '@' || handle FROM people "
    "WHERE handle LIKE lower($1) OR lower(name) LIKE lower($1) ORDER BY id DESC LIMIT $2"
)
_MERCHANTS: Final = (
    "SELECT id, name, status FROM merchants WHERE lower(name) LIKE lower($1) "
    "ORDER BY id DESC LIMIT $2"
)
_CARDS: Final = (
    "SELECT c.id, p.name, c.last_four FROM device_cards AS c "
    "JOIN people AS p ON p.id = c.person_id WHERE c.last_four = $1 ORDER BY c.id DESC LIMIT $2"
)
_BY_REFERENCE: Final = (
    "SELECT DISTINCT p.id, p.shop_name, p.status FROM card_taps AS t "
    "JOIN payments AS p ON p.id = t.payment_id WHERE t.rrn = $1 LIMIT $2"
)


class Hit(msgspec.Struct, frozen=True):
    """Something that was found: where it leads, and what to show of it."""

    kind: Annotated[
        str,
        Meta(
            examples=["person"],
            extra_json_schema={"enum": [*_PREFIX, "entry", "object"]},
        ),
    ]
    id: Annotated[
        str,
        Meta(
            description="Of what it leads to: a device leads to its person",
            examples=["ppl_0199f0a4c0de70008000000000000001"],
        ),
    ]
    title: Annotated[str | None, Meta(description="A name", examples=["Lin Wei"])]
    detail: Annotated[
        str | None,
        Meta(description="A handle, a state, a card's last digits", examples=["@lin"]),
    ]


async def find(connection: Connection, text: str) -> list[Hit]:
    """What this can be: the exact things first, then what begins so. At most five of a kind."""
    text = text.strip()
    if not text:
        return []
    shown = _SHOWN.fullmatch(text)
    if shown is not None:
        return await _by_id(connection, shown[1], text)
    hits: list[Hit] = []
    if _LAST_FOUR.fullmatch(text):
        hits += await _rows(connection, "card", _CARDS, text, MOST)
    if _REFERENCE.fullmatch(text):
        hits += await _rows(connection, "payment", _BY_REFERENCE, text, MOST)
    start = beginning(text.removeprefix("@"))
    hits += await _rows(connection, "person", _PEOPLE, start, MOST)
    if not text.startswith("@"):
        hits += await _rows(connection, "merchant", _MERCHANTS, start, MOST)
    return await _exact_first(connection, text, hits)


async def _by_id(connection: Connection, prefix: str, text: str) -> list[Hit]:
    if prefix in _BY_ID:
        kind, query = _BY_ID[prefix]
        return await _rows(connection, kind, query, read_id(prefix, text))
    if prefix in {"ent", "trf"}:
        entry = entry_of(read_id(prefix, text))
        rows = await entry_transfers(connection, entry)
        return [Hit("entry", show_id("ent", entry), None, None)] if rows else []
    if prefix in OBJECT_PREFIXES:
        try:
            await booked_for(connection, text)
        except NotFound:
            return []
        return [Hit("object", text, None, None)]
    return []


async def _rows(connection: Connection, kind: str, query: str, *arguments: object) -> list[Hit]:
    rows = await connection.fetch(query, *arguments)
    return [_hit(kind, *row) for row in rows]


def _hit(kind: str, found: UUID, title: str | None, detail: str | None) -> Hit:
    return Hit(kind, show_id(_PREFIX[kind], found), title, detail)


async def _exact_first(connection: Connection, text: str, hits: list[Hit]) -> list[Hit]:
    """Who has just this handle comes first, even where many begin so."""
    try:
        person_id = await find_id_by_handle(connection, text)
    except (NotFound, Invalid):
        return hits
    exact = await _by_id(connection, "ppl", show_id("ppl", person_id))
    return [*exact, *(hit for hit in hits if hit.id != exact[0].id)]
