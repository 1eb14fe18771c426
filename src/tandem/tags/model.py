"""Rolling tags and their taps: rows, shapes, decisions. Pure."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.db import Table
from tandem.kernel import show_id
from tandem.tags.errors import TagRevoked, TagTapOver, TagTapUsed

WRONG_LINKS_MAX: Final = 20
"""After so many wrong links one after another a tag is blocked."""

Name = Annotated[str, Meta(min_length=1, max_length=100, examples=["Counter, left"])]
HexKey = Annotated[
    str,
    Meta(
        description="AES-128, 32 hexadecimal digits",
        pattern="^[0-9A-F]{32}$",
        examples=["5004BF991F408672B1EF00F08F9E8647"],
    ),
]


class TagStatus(StrEnum):
    """Where a tag is in its life: people pay at one that is new or active."""

    NEW = "new"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    BLOCKED = "blocked"
    REVOKED = "revoked"


IN_USE: Final = (TagStatus.NEW, TagStatus.ACTIVE)
KEYS_GIVEN: Final = (TagStatus.NEW, TagStatus.REVOKED)
"""In between nobody gets a tag's keys: who has them can copy it."""


class Tag(msgspec.Struct, frozen=True):
    """A row of `tags`. Its keys stay sealed in `keys`; its `repr` shows none of it.

    `uid` is the chip's, from its first tap on. `counter` is that of the newest tap, `wrong_links`
    how many came since the last right one.
    """

    id: UUID
    merchant_id: UUID
    shop_id: UUID
    till_id: UUID | None
    name: str
    status: TagStatus
    token: str
    keys: bytes
    uid: bytes | None
    counter: int
    wrong_links: int
    tapped_at: datetime | None
    created_at: datetime

    def __repr__(self) -> str:
        return f"Tag({self.id}, {self.status.value})"


class TagTap(msgspec.Struct, frozen=True):
    """A row of `tag_taps`: one reading of a tag, and the person whom it lets pay, once."""

    id: UUID
    tag_id: UUID
    counter: int
    person_id: UUID
    opened_at: datetime
    expires_at: datetime
    payment_id: UUID | None


TAG_TAPS: Final = Table("tag_taps", TagTap, mutable=("payment_id",), rank=26)


def check_tap(tap: TagTap, person_id: UUID, now: datetime) -> None:
    """Raise `TagTapUsed` or `TagTapOver` if this person cannot pay by the tap now."""
    if tap.payment_id is not None or tap.person_id != person_id:
        raise TagTapUsed
    if tap.expires_at <= now:
        raise TagTapOver


def switched(tag: Tag, *, on: bool) -> TagStatus:
    """The status of a tag that its shop switches on or off. Raises `TagRevoked`."""
    if tag.status is TagStatus.REVOKED:
        raise TagRevoked
    if not on:
        return TagStatus.SUSPENDED
    return TagStatus.NEW if tag.uid is None else TagStatus.ACTIVE


class TagKeys(msgspec.Struct, frozen=True):
    """The keys of one tag, 16 bytes each. None of them opens any other.

    `master` is the chip's key 0, which changes all others, `meta` its key 1, under which it
    encrypts who it is, `mac` its key 2, with which it signs, `spare` its keys 3 and 4, unused.
    """

    master: bytes
    meta: bytes
    mac: bytes
    spare: bytes

    def __repr__(self) -> str:
        return "TagKeys(…)"

    def by_number(self) -> tuple[bytes, ...]:
        """As the chip numbers them, 0 to 4 (NT4H2421Gx, 8.2.3)."""
        return self.master, self.meta, self.mac, self.spare, self.spare


class CreateTag(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rolling tag of a shop, or of one of its tills: exactly one of the two is given."""

    name: Name
    shop_id: Annotated[str | None, Meta(examples=["shp_0199f0a4c0de70008000000000000003"])] = None
    till_id: Annotated[str | None, Meta(examples=[None])] = None


class UpdateTag(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes of a tag."""

    name: Name


class TagView(msgspec.Struct, frozen=True):
    """A rolling tag, without its keys."""

    id: Annotated[str, Meta(examples=["tag_0199f0a4c0de7000800000000000002c"])]
    name: Name
    shop_id: Annotated[str, Meta(examples=["shp_0199f0a4c0de70008000000000000003"])]
    till_id: str | None
    status: Annotated[
        str,
        Meta(
            description=(
                "new: never tapped; active; suspended by you; blocked, after "
                f"{WRONG_LINKS_MAX} wrong links one after another; revoked, for good"
            ),
            examples=["active"],
            extra_json_schema={"enum": [status.value for status in TagStatus]},
        ),
    ]
    counter: Annotated[
        int, Meta(description="The tag's own count of its readings, at the newest tap")
    ]
    tapped_at: Annotated[datetime | None, Meta(description="When the newest tap was opened")]
    created_at: datetime


class TagPackage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `tandem tag write --rolling` puts on a chip. Secret: with it the tag can be copied."""

    id: Annotated[str, Meta(examples=["tag_0199f0a4c0de7000800000000000002c"])]
    url: Annotated[
        str,
        Meta(
            description="The link, with zeros where the tag puts its values",
            examples=[
                f"https://pay.example/t/Zm9vYmFyYmF6cXV4MTIz?picc_data={'0' * 32}&cmac={'0' * 16}"
            ],
        ),
    ]
    master_key: HexKey
    meta_key: HexKey
    mac_key: HexKey
    spare_key: HexKey

    def __repr__(self) -> str:
        return f"TagPackage({self.id})"

    def keys(self) -> TagKeys:
        """The keys."""
        given = (self.master_key, self.meta_key, self.mac_key, self.spare_key)
        return TagKeys(*map(bytes.fromhex, given))


def tag_view(tag: Tag) -> TagView:
    """The tag as its merchant sees it."""
    return TagView(
        show_id("tag", tag.id),
        tag.name,
        show_id("shp", tag.shop_id),
        None if tag.till_id is None else show_id("til", tag.till_id),
        tag.status.value,
        tag.counter,
        tag.tapped_at,
        tag.created_at,
    )


def tag_package(tag: Tag, keys: TagKeys, url: str) -> TagPackage:
    """What is written on the tag."""
    given = (keys.master, keys.meta, keys.mac, keys.spare)
    return TagPackage(show_id("tag", tag.id), url, *(key.hex().upper() for key in given))
