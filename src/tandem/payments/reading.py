"""What is behind the codes and tags that a shop shows: an order, or the shop itself."""

from typing import Final
from uuid import UUID

import msgspec

from tandem.db import Pool
from tandem.events import load_endpoints
from tandem.kernel import Clock, Lru, NotFound
from tandem.merchants import OfferedWay, load_place
from tandem.payments.codes import Landing, is_token, link_token
from tandem.payments.decisions import Shop
from tandem.payments.model import Payment
from tandem.payments.store import payment_by_token
from tandem.settings import Settings
from tandem.tags import Tags, TagTap, check_tap, read_link

CACHED_SHOPS: Final = 10_000


class Tapped(msgspec.Struct, frozen=True):
    """A tap of a shop's rolling tag, opened by the person who may pay by it."""

    shop: Shop
    tap: TagTap


class ShopCodes:
    """Reads the codes and tags of shops, and knows the shops."""

    def __init__(self, pool: Pool, clock: Clock, settings: Settings, tags: Tags) -> None:
        self._pool = pool
        self._clock = clock
        self._settings = settings
        self._tags = tags
        self._shops: Lru[UUID | str, Shop] = Lru(CACHED_SHOPS)

    async def scan(self, person_id: UUID, text: str, way: OfferedWay) -> Payment | Shop | Tapped:
        """As `read_code`, and raises why nobody can pay by a tap: used, over, its tag is off."""
        found = await self.read_code(person_id, text, way)
        if isinstance(found, Tapped):
            await self._tags.check_in_use(found.tap.tag_id)
            check_tap(found.tap, person_id, self._clock.now())
        return found

    async def read_code(
        self, person_id: UUID, text: str, way: OfferedWay = "scan"
    ) -> Payment | Shop | Tapped:
        """What a code of ours stands for: an order, a shop's static code, a tap of its tag.

        A tap is this person's from now on. Raises as `link_token` and `Tags.open` do.
        """
        link = read_link(text, self._settings.public_url)
        if link is not None:
            tag, tap = await self._tags.open(link, person_id)
            return Tapped(await self._shop(tag.till_id or tag.shop_id), tap)
        token = link_token(text, self._settings.public_url, way)
        known = self._shops.get(token)  # a token is random: an order never has a shop's
        if known is not None:
            return known
        async with self._pool.acquire() as connection:
            payment = await payment_by_token(connection, token)
        if payment is not None:
            return payment
        try:
            return await self._shop(token)
        except NotFound:
            raise NotFound("code", token) from None

    async def tag_landing(self, token: str, query: str) -> Landing:
        """What the page of a tap shows. Raises `NotFound`, and as `Tags.look` does."""
        public_url = self._settings.public_url
        link = read_link(f"{public_url}/t/{token}?{query}", public_url)
        if link is None:
            raise NotFound("tag", "with such a link")
        tag = await self._tags.look(link)
        place = (await self._shop(tag.till_id or tag.shop_id)).place
        return Landing(place.shop_name, place.merchant_name, None, None, None)

    async def code_landing(self, token: str) -> Landing:
        """What the page behind a code shows. Raises `NotFound`."""
        if not is_token(token):
            raise NotFound("code", "with such a token")
        async with self._pool.acquire() as connection:
            payment = await payment_by_token(connection, token)
        if payment is not None:
            return Landing(
                payment.shop_name,
                payment.merchant_name,
                payment.amount,
                payment.currency,
                payment.status,
            )
        place = (await self._shop(token)).place
        return Landing(place.shop_name, place.merchant_name, None, None, None)

    async def _shop(self, key: UUID | str) -> Shop:
        """A shop or till by its id, or by the token of its static code."""
        shop = self._shops.get(key)
        if shop is None:
            async with self._pool.acquire() as connection:
                if isinstance(key, str):
                    place = await load_place(connection, code_token=key)
                else:
                    place = await load_place(connection, till_id=key)
                    place = place or await load_place(connection, shop_id=key)
                if place is None:
                    raise NotFound("shop or till", str(key))
                shop = Shop(place, await load_endpoints(connection, place.merchant_id))
            self._shops.put(key, shop)
        return shop
