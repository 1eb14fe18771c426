"""Tags and their taps in SQL."""

from typing import Final
from uuid import UUID

import msgspec

from tandem.db import Connection, Record
from tandem.db.rewrite import SealedColumn
from tandem.kernel import NotFound, show_id
from tandem.keyring import KeyRing
from tandem.tags.model import IN_USE, TAG_TAPS, WRONG_LINKS_MAX, Tag, TagKeys, TagStatus, TagTap
from tandem.tags.sun import Reading

_COLUMNS: Final = ", ".join(Tag.__struct_fields__)
_TAG: Final = f"SELECT {_COLUMNS} FROM tags"
_TAP: Final = f"SELECT {', '.join(TAG_TAPS.columns)} FROM tag_taps"
_USED: Final = [status.value for status in IN_USE]


def keys_context(tag_id: UUID) -> bytes:
    """What a tag's sealed keys are bound to."""
    return b"tags.keys:" + tag_id.bytes


TAG_KEYS: Final = SealedColumn("tags", "keys", "tag", keys_context)
"""Where the keys of tags are kept, sealed."""


def seal_keys(keyring: KeyRing, tag_id: UUID, keys: TagKeys) -> bytes:
    """The keys as they are stored."""
    return keyring.seal(msgspec.msgpack.encode(keys), keys_context(tag_id))


def open_keys(keyring: KeyRing, tag: Tag) -> TagKeys:
    """The keys as they were stored. Raises what the key ring raises if they cannot be opened."""
    return msgspec.msgpack.decode(keyring.open(tag.keys, keys_context(tag.id)), type=TagKeys)


async def insert_tag(connection: Connection, tag: Tag) -> None:
    """Insert a tag."""
    marks = ", ".join(f"${number}" for number, _ in enumerate(Tag.__struct_fields__, 1))
    await connection.execute(
        f"INSERT INTO tags ({_COLUMNS}) VALUES ({marks})", *msgspec.structs.astuple(tag)
    )


async def tag_by_id(
    connection: Connection, merchant_id: UUID, tag_id: UUID, *, lock: bool = False
) -> Tag:
    """A tag of the merchant's. Raises `NotFound`, also if it is another's."""
    row = await connection.fetchrow(
        f"{_TAG} WHERE id = $1 AND merchant_id = $2{' FOR NO KEY UPDATE' if lock else ''}",
        tag_id,
        merchant_id,
    )
    if row is None:
        raise NotFound("tag", show_id("tag", tag_id))
    return _tag(row)


async def tag_by_token(connection: Connection, token: str) -> Tag:
    """The tag whose link has this token. Raises `NotFound`."""
    row = await connection.fetchrow(f"{_TAG} WHERE token = $1", token)
    if row is None:
        raise NotFound("tag", "with such a link")
    return _tag(row)


async def tag_owner(connection: Connection, tag_id: UUID) -> UUID:
    """The merchant of a tag. Raises `NotFound`."""
    owner: UUID | None = await connection.fetchval(
        "SELECT merchant_id FROM tags WHERE id = $1", tag_id
    )
    if owner is None:
        raise NotFound("tag", show_id("tag", tag_id))
    return owner


async def list_tags(
    connection: Connection,
    merchant_id: UUID,
    shop_id: UUID | None,
    before: UUID | None,
    limit: int,
) -> list[Tag]:
    """A merchant's tags, of one shop or of all, newest first."""
    rows = await connection.fetch(
        f"{_TAG} WHERE merchant_id = $1 AND ($2::uuid IS NULL OR shop_id = $2) "
        "AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4",
        merchant_id,
        shop_id,
        before,
        limit,
    )
    return [_tag(row) for row in rows]


async def set_name(connection: Connection, tag_id: UUID, name: str) -> None:
    """Call a tag otherwise."""
    await connection.execute("UPDATE tags SET name = $2 WHERE id = $1", tag_id, name)


async def set_status(connection: Connection, tag_id: UUID, status: TagStatus) -> None:
    """Switch a tag on or off; wrong links are counted anew."""
    await connection.execute(
        "UPDATE tags SET status = $2, wrong_links = 0 WHERE id = $1", tag_id, status.value
    )


async def open_tap(connection: Connection, tap: TagTap, reading: Reading) -> bool:
    """Take note of a tap that is newer than any before, of a tag in use; False if it is not.

    One statement, and it locks the tag's row: of the same link opened twice at once, and of two
    links in whichever order, the counter only grows and each is opened by one person.
    """
    opened = await connection.fetchval(
        "WITH newer AS (UPDATE tags SET counter = $3, uid = $4, wrong_links = 0, "
        "status = 'active', tapped_at = $6 WHERE id = $2 AND status = ANY($8) AND counter < $3 "
        "AND (uid IS NULL OR uid = $4) RETURNING id) "
        "INSERT INTO tag_taps (id, tag_id, counter, person_id, opened_at, expires_at) "
        "SELECT $1, newer.id, $3, $5, $6, $7 FROM newer RETURNING id",
        tap.id,
        tap.tag_id,
        tap.counter,
        reading.uid,
        tap.person_id,
        tap.opened_at,
        tap.expires_at,
        _USED,
    )
    return opened is not None


async def find_tap(connection: Connection, tag_id: UUID, counter: int) -> TagTap | None:
    """The tap with this counter, if it was opened."""
    row = await connection.fetchrow(f"{_TAP} WHERE tag_id = $1 AND counter = $2", tag_id, counter)
    return None if row is None else TagTap(*row)


async def is_in_use(connection: Connection, tag_id: UUID) -> bool:
    """Whether people may pay at a tag."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM tags WHERE id = $1 AND status = ANY($2))", tag_id, _USED
    )
    return found


async def count_wrong_link(connection: Connection, tag_id: UUID) -> Tag | None:
    """Count a link that the tag did not make. The tag, if this one has blocked it."""
    row = await connection.fetchrow(
        "UPDATE tags SET wrong_links = wrong_links + 1, "
        "status = CASE WHEN wrong_links + 1 >= $2 THEN 'blocked' ELSE status END "
        f"WHERE id = $1 AND status = ANY($3) RETURNING {_COLUMNS}",
        tag_id,
        WRONG_LINKS_MAX,
        _USED,
    )
    tag = None if row is None else _tag(row)
    return tag if tag is not None and tag.status is TagStatus.BLOCKED else None


def _tag(row: Record) -> Tag:
    values = dict(row)
    values["status"] = TagStatus(values["status"])
    return Tag(**values)
