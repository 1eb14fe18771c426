"""The use cases of rolling tags: a shop makes and switches them, people tap them.

    tag = await tags.create(merchant_id, name, None, shop_id=shop_id)
    await tags.keys(merchant_id, tag.id)             what is written on the chip
    tap = await tags.open(link, person_id)           a link of the tag, opened by a person

A tap lets one person pay once, within a few minutes of its opening (docs/decisions/0019).
"""

import base64
from datetime import timedelta
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from tandem.db import Idempotency, Pool, earlier_answer, keep_answer, work
from tandem.db.audit import about
from tandem.events import Now, tell_merchant
from tandem.kernel import Clock, Entropy, Ids, Invalid, NotFound, clean_text, show_id
from tandem.keyring import KeyRing
from tandem.merchants import load_place
from tandem.settings import Settings
from tandem.tags.errors import TagKeysWithheld, TagOff, TagTapUsed, TagWrong
from tandem.tags.model import (
    IN_USE,
    KEYS_GIVEN,
    Tag,
    TagKeys,
    TagPackage,
    TagStatus,
    TagTap,
    switched,
    tag_package,
    tag_view,
)
from tandem.tags.store import (
    count_wrong_link,
    find_tap,
    insert_tag,
    is_in_use,
    list_tags,
    open_keys,
    open_tap,
    seal_keys,
    set_name,
    set_status,
    tag_by_id,
    tag_by_token,
    tag_owner,
)
from tandem.tags.sun import KEY_BYTES, Reading, SunLink, read_message, template

NAME_LENGTH: Final = 100
TOKEN_BYTES: Final = 15


class Opened(NamedTuple):
    """A tap that a person opened, and where it was."""

    tag: Tag
    tap: TagTap


class Tags:
    """Makes rolling tags and reads their links. Shops' sides are scoped by their merchant."""

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        ids: Ids,
        entropy: Entropy,
        keyring: KeyRing,
        settings: Settings,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._ids = ids
        self._entropy = entropy
        self._keyring = keyring
        self._settings = settings

    # -- a shop asks -----------------------------------------------------------------------------

    async def create(
        self,
        merchant_id: UUID,
        name: str,
        idempotency: Idempotency | None,
        *,
        shop_id: UUID | None = None,
        till_id: UUID | None = None,
    ) -> Tag:
        """A new tag of a shop or a till. Raises `NotFound`, `Invalid`."""
        if (shop_id is None) == (till_id is None):
            raise Invalid("shop_id", "name the shop, or one of its tills by till_id, not both")
        shown, now, tag_id = (
            clean_text(name, "name", NAME_LENGTH),
            self._clock.now(),
            self._ids.new(),
        )
        async with work(self._pool) as connection:
            if idempotency is not None:
                earlier = await earlier_answer(connection, idempotency)
                if earlier is not None:
                    made = msgspec.json.decode(earlier, type=UUID)
                    return await tag_by_id(connection, merchant_id, made)
                await keep_answer(connection, idempotency, msgspec.json.encode(tag_id), now)
            place = await load_place(connection, shop_id=shop_id, till_id=till_id)
            if place is None or place.merchant_id != merchant_id:
                if till_id is not None:
                    raise NotFound("till", show_id("til", till_id))
                assert shop_id is not None, "one of the two is asked for"
                raise NotFound("shop", show_id("shp", shop_id))
            keys = TagKeys(*(self._entropy(KEY_BYTES) for _ in TagKeys.__struct_fields__))
            tag = Tag(
                id=tag_id,
                merchant_id=merchant_id,
                shop_id=place.shop_id,
                till_id=place.till_id,
                name=shown,
                status=TagStatus.NEW,
                token=base64.urlsafe_b64encode(self._entropy(TOKEN_BYTES)).decode(),
                keys=seal_keys(self._keyring, tag_id, keys),
                uid=None,
                counter=0,
                wrong_links=0,
                tapped_at=None,
                created_at=now,
            )
            await insert_tag(connection, tag)
            about(show_id("tag", tag.id))
        return tag

    async def get(self, merchant_id: UUID, tag_id: UUID) -> Tag:
        """A tag of the merchant's. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            return await tag_by_id(connection, merchant_id, tag_id)

    async def owner_of(self, tag_id: UUID) -> UUID:
        """Whose tag it is. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            return await tag_owner(connection, tag_id)

    async def all(
        self, merchant_id: UUID, shop_id: UUID | None, before: UUID | None, limit: int
    ) -> list[Tag]:
        """A merchant's tags, of one shop or of all, newest first."""
        async with self._pool.acquire() as connection:
            return await list_tags(connection, merchant_id, shop_id, before, limit)

    async def rename(self, merchant_id: UUID, tag_id: UUID, name: str) -> Tag:
        """Call a tag otherwise. Raises `NotFound`, `Invalid`."""
        shown = clean_text(name, "name", NAME_LENGTH)
        async with work(self._pool) as connection:
            tag = await tag_by_id(connection, merchant_id, tag_id, lock=True)
            await set_name(connection, tag_id, shown)
        return msgspec.structs.replace(tag, name=shown)

    async def switch(self, merchant_id: UUID, tag_id: UUID, *, on: bool) -> Tag:
        """Switch a tag off for a while, or on again. Raises `NotFound`, `TagRevoked`."""
        async with work(self._pool) as connection:
            tag = await tag_by_id(connection, merchant_id, tag_id, lock=True)
            status = switched(tag, on=on)
            await set_status(connection, tag_id, status)
        return msgspec.structs.replace(tag, status=status, wrong_links=0)

    async def revoke(self, merchant_id: UUID, tag_id: UUID) -> Tag:
        """Switch a tag off for good: it is lost, or its chip is for another. Raises `NotFound`."""
        async with work(self._pool) as connection:
            tag = await tag_by_id(connection, merchant_id, tag_id, lock=True)
            await set_status(connection, tag_id, TagStatus.REVOKED)
        return msgspec.structs.replace(tag, status=TagStatus.REVOKED, wrong_links=0)

    async def keys(self, merchant_id: UUID, tag_id: UUID) -> TagPackage:
        """What is written on the chip. Raises `NotFound`, and `TagKeysWithheld` while it is used.

        A tag that was never tapped is being written; one that is revoked is to be wiped.
        """
        tag = await self.get(merchant_id, tag_id)
        if tag.status not in KEYS_GIVEN:
            raise TagKeysWithheld
        keys = open_keys(self._keyring, tag)
        return tag_package(tag, keys, template(self._settings.public_url, tag.token))

    # -- a person taps ---------------------------------------------------------------------------

    async def open(self, link: SunLink, person_id: UUID) -> Opened:
        """A tap's link, opened by this person, who may open it again.

        A tap that was paid by, or is over, is found too: a repeated payment has its answer, and
        `check_tap` says what holds now. Raises `NotFound`, `TagWrong` (wrong links are counted),
        `TagOff`, `TagTapUsed`.
        """
        async with self._pool.acquire() as connection:
            tag = await tag_by_token(connection, link.token)
        reading = self._read(tag, link)
        if reading is None:
            await self._count_wrong(tag.id)
            raise TagWrong
        now = self._clock.now()
        expires = now + timedelta(seconds=self._settings.confirm_seconds)
        tap = TagTap(self._ids.new(), tag.id, reading.counter, person_id, now, expires, None)
        async with work(self._pool) as connection:
            if await open_tap(connection, tap, reading):
                return Opened(tag, tap)
            found = await find_tap(connection, tag.id, reading.counter)
            if found is not None and found.person_id == person_id:
                return Opened(tag, found)
            if not await is_in_use(connection, tag.id):
                raise TagOff
        raise TagTapUsed

    async def check_in_use(self, tag_id: UUID) -> None:
        """Raise `TagOff` if nobody may pay at a tag now."""
        async with self._pool.acquire() as connection:
            if not await is_in_use(connection, tag_id):
                raise TagOff

    async def look(self, link: SunLink) -> Tag:
        """The tag of a link that nobody opened yet. Nothing is written: a browser may look twice.

        Raises `NotFound`, `TagWrong` (not counted: who looks is unknown), `TagOff`, `TagTapUsed`.
        """
        async with self._pool.acquire() as connection:
            tag = await tag_by_token(connection, link.token)
        reading = self._read(tag, link)
        if reading is None:
            raise TagWrong
        if tag.status not in IN_USE:
            raise TagOff
        if reading.counter <= tag.counter:
            raise TagTapUsed
        return tag

    async def _count_wrong(self, tag_id: UUID) -> None:
        async with work(self._pool) as connection:
            blocked = await count_wrong_link(connection, tag_id)
            if blocked is not None:
                moment = Now(self._clock.now(), self._ids.new)
                owner, shown = blocked.merchant_id, tag_view(blocked)
                await tell_merchant(connection, moment, owner, "tag.blocked", blocked.id, shown)

    def _read(self, tag: Tag, link: SunLink) -> Reading | None:
        """What the tag said, None if it was another one, or another chip with its keys."""
        keys = open_keys(self._keyring, tag)
        reading = read_message(keys.meta, keys.mac, link.picc_data, link.mac)
        if reading is None or tag.uid not in (None, reading.uid):
            return None
        return reading
