"""The use cases of payment links: one address, paid many times, each visit with its own session."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec
from msgspec import UNSET

from tandem.checkout.entries import VisitOfLink
from tandem.checkout.model import Link, check_open, check_price, closed, price
from tandem.checkout.service import Checkout
from tandem.checkout.shapes import CreateLink, LinkPage, LinkView, UpdateLink, link_view
from tandem.checkout.store import (
    insert_link,
    link_by_id,
    link_by_token,
    link_owner,
    list_links,
    update_link,
    uses_of,
)
from tandem.db import Connection, Idempotency, earlier_answer, keep_answer, work
from tandem.db.audit import about
from tandem.kernel import (
    NOTE_LENGTH,
    Invalid,
    NotFound,
    clean_note,
    clean_text,
    currency,
    read_id,
    show_id,
)
from tandem.ledger import Outcome
from tandem.merchants import load_place
from tandem.payments import At, Beside

MIN_YEAR: Final = 2000
MAX_YEAR: Final = 2200
VISIT_SECONDS: Final = 3600
"""How long a visitor of a link or an invoice has to pay."""


class PaymentLinks:
    """Makes payment links, and sessions for their visitors."""

    def __init__(self, checkout: Checkout) -> None:
        self._checkout = checkout
        self._pool = checkout.pool

    async def create(
        self, merchant_id: UUID, new: CreateLink, idempotency: Idempotency | None
    ) -> LinkView:
        """A new link. Raises `NotFound`, `Invalid`, `ReturnRefused`."""
        checkout, now = self._checkout, self._checkout.clock.now()
        allowed = (await checkout.settings_of(merchant_id)).return_origins
        link = Link(
            id=checkout.ids.new(),
            merchant_id=merchant_id,
            shop_id=read_id("shp", new.shop_id, "shop_id"),
            description=clean_text(new.description, "description", NOTE_LENGTH),
            currency=currency(new.currency).code,
            amount=new.amount,
            min_amount=new.min_amount,
            max_amount=new.max_amount,
            order_reference=clean_note(new.order_reference, "order_reference"),
            success_url=checkout.return_url(new.success_url, "success_url", allowed),
            max_payments=new.max_payments,
            ends_at=_moment(new.ends_at),
            active=True,
            token=checkout.new_token(),
            sessions=0,
            created_at=now,
            updated_at=now,
        )
        check_price(link)
        async with work(self._pool) as connection:
            if idempotency is not None:
                earlier = await earlier_answer(connection, idempotency)
                if earlier is not None:
                    return msgspec.json.decode(earlier, type=LinkView)
            await check_shop(connection, merchant_id, link.shop_id)
            await insert_link(connection, link)
            shown = (await self._shown(connection, [link]))[0]
            if idempotency is not None:
                await keep_answer(connection, idempotency, msgspec.json.encode(shown), now)
            about(show_id("lnk", link.id))
        return shown

    async def get(self, merchant_id: UUID, link_id: UUID) -> LinkView:
        """A link of the merchant's. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            link = await link_by_id(connection, merchant_id, link_id)
            return (await self._shown(connection, [link]))[0]

    async def owner_of(self, link_id: UUID) -> UUID:
        """Whose link it is. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            return await link_owner(connection, link_id)

    async def all(self, merchant_id: UUID, before: UUID | None, limit: int) -> list[LinkView]:
        """A merchant's links, newest first."""
        async with self._pool.acquire() as connection:
            found = await list_links(connection, merchant_id, before, limit)
            return await self._shown(connection, found)

    async def update(self, merchant_id: UUID, link_id: UUID, change: UpdateLink) -> LinkView:
        """Switch a link off or on, or change what may change of it. Raises `NotFound`, `Invalid`.

        Payments that visitors have begun stay payable.
        """
        given = {k: v for k, v in msgspec.structs.asdict(change).items() if v is not UNSET}
        if isinstance(change.description, str):
            given["description"] = clean_text(change.description, "description", NOTE_LENGTH)
        if isinstance(change.ends_at, datetime):
            given["ends_at"] = _moment(change.ends_at)
        async with work(self._pool) as connection:
            before = await link_by_id(connection, merchant_id, link_id, lock=True)
            now = self._checkout.clock.now()
            link = msgspec.structs.replace(before, **given, updated_at=now)
            await update_link(connection, link)
            return (await self._shown(connection, [link]))[0]

    async def page(self, token: str) -> LinkPage:
        """What a visitor of a link sees. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            link = await link_by_token(connection, token)
            shown = (await self._shown(connection, [link]))[0]
            place = await load_place(connection, shop_id=link.shop_id)
        assert place is not None, "shops are never taken away"
        return LinkPage(
            place.merchant_name,
            place.shop_name,
            link.description,
            link.currency,
            link.amount,
            link.min_amount,
            link.max_amount,
            shown.closed,
        )

    async def visit(
        self, token: str, amount: int | None, idempotency: Idempotency | None
    ) -> Outcome:
        """A session for a visitor; the outcome is an OpenedPage.

        Raises `NotFound`, `Invalid`, `LinkClosed`, and as `Payments.create_order` does.
        """
        checkout = self._checkout
        session_id, page_token = checkout.ids.new(), checkout.new_token()
        async with self._pool.acquire() as connection:
            link = await link_by_token(connection, token)
        pays = price(link, amount)

        async def beside() -> Beside:
            async with self._pool.acquire() as connection:
                now = await link_by_token(connection, token)
                taken = (await uses_of(connection, [now.id]))[now.id].taken
            check_open(now, taken, checkout.clock.now())
            return VisitOfLink(
                id=session_id,
                token=page_token,
                public_url=checkout.settings.public_url,
                success_url=now.success_url,
                link=now,
                taken=taken,
            )

        return await checkout.order(
            At(link.merchant_id, link.shop_id),
            pays,
            link.currency,
            idempotency,
            beside,
            description=link.description,
            reference=link.order_reference,
            expires_seconds=VISIT_SECONDS,
        )

    async def _shown(self, connection: Connection, links: list[Link]) -> list[LinkView]:
        uses = await uses_of(connection, [link.id for link in links])
        now, public_url = self._checkout.clock.now(), self._checkout.settings.public_url
        return [
            link_view(link, uses[link.id].paid, closed(link, uses[link.id].taken, now), public_url)
            for link in links
        ]


def _moment(given: datetime | None) -> datetime | None:
    """In UTC, as all moments are kept. Raises `Invalid` for one that is a slip."""
    if given is None:
        return None
    if not MIN_YEAR <= given.year <= MAX_YEAR:
        raise Invalid("ends_at", f"must lie between {MIN_YEAR} and {MAX_YEAR}")
    return given.astimezone(UTC)


async def check_shop(connection: Connection, merchant_id: UUID, shop_id: UUID) -> None:
    """Raise `NotFound` unless the shop is the merchant's."""
    place = await load_place(connection, shop_id=shop_id)
    if place is None or place.merchant_id != merchant_id:
        raise NotFound("shop", show_id("shp", shop_id))
