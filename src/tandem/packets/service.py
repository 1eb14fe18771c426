"""The use cases of red packets: make one, open it, take it back, see who got what."""

import base64
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from uuid import UUID

from tandem.db import Idempotency, Pool, work
from tandem.kernel import Clock, Entropy, Ids, NotFound, Refused, clean_note, show_id
from tandem.keyring import KeyRing
from tandem.ledger import Entry, Journal, Outcome, currency_of, submit_fresh
from tandem.packets.entries import EndPacket, MakePacket, Named, OpenPacket
from tandem.packets.errors import (
    PacketLinksPaused,
    PacketOpened,
    PacketOwn,
    PacketUnopened,
)
from tandem.packets.model import (
    LUCK_BYTES,
    MAX_SHARES,
    TOKEN_BYTES,
    PacketLink,
    hash_token,
    subject_of,
)
from tandem.packets.shapes import (
    PacketLinkView,
    PacketShareView,
    PacketView,
    packet_view,
    share_view,
)
from tandem.packets.store import (
    Seen,
    due_packets,
    is_named,
    link_context,
    luckiest_of,
    packet_by_hash,
    packet_by_id,
    packets_of,
    sealed_token,
    shares_of,
)
from tandem.people import Confirmed, PersonTerms, Spending, find_id_by_handle, load_terms
from tandem.screening import MessageScreening, MessageState, states_of
from tandem.settings import Settings
from tandem.signin import count_try, forget_tries

DUE_AT_ONCE: Final = 200


class Packets:
    """Red packets, as people make and open them."""

    def __init__(
        self,
        pool: Pool,
        journal: Journal,
        clock: Clock,
        ids: Ids,
        entropy: Entropy,
        keyring: KeyRing,
        settings: Settings,
        screening: MessageScreening,
    ) -> None:
        self._pool = pool
        self._journal = journal
        self._clock = clock
        self._ids = ids
        self._entropy = entropy
        self._keyring = keyring
        self._settings = settings
        self._screening = screening
        self._spending = Spending(settings.limit_per_payment, settings.limit_per_day)

    async def make(
        self,
        maker_id: UUID,
        amount: int,
        code: str,
        shares: int,
        division: str,
        idempotency: Idempotency | None,
        *,
        to: Sequence[str] = (),
        maker_opens: bool = False,
        message: str | None = None,
        expires_seconds: int | None = None,
        confirmed: Confirmed | None = None,
        client: str | None = None,
    ) -> Outcome:
        """Put money into a red packet; the outcome is a PacketView.

        `to` are the handles of those whom it is for; without any it gets a link. Amount in minor
        units; `client` is the address that it was asked from. Raises `NotFound`, `Invalid`, what
        stands against spending, `PasskeyNeeded`.
        """
        note = clean_note(message, "message")

        async def entry() -> Entry:
            packet_id = self._ids.new()
            return MakePacket(
                id=self._ids.entry(),
                idempotency=idempotency,
                spending=self._spending,
                packet_id=packet_id,
                maker=await self._terms(maker_id),
                people=await self._named(to),
                link=None if to else self._link(packet_id),
                amount=amount,
                currency=(await currency_of(self._pool, self._settings, code, maker_id)).code,
                shares=shares,
                division=division,
                maker_opens=maker_opens,
                message=note,
                screened=await self._screening.look(note, maker_id, None, client),
                expires_seconds=expires_seconds or self._settings.packet_seconds,
                confirmed=confirmed,
            )

        return await self._submit(entry, idempotency)

    async def open(
        self, person_id: UUID, packet_id: UUID, token: str | None, idempotency: Idempotency | None
    ) -> Outcome:
        """Open a packet; the outcome is a PacketView. `token` is that of its link, if it has one.

        Raises `NotFound` if it is not for this person, `PacketOwn`, `PacketOpened`, `PacketOver`,
        `PersonNotActive`, `PacketLinksPaused`.
        """
        by_link = None if token is None else await self._by_token(person_id, token)

        async def entry() -> Entry:
            async with self._pool.acquire() as connection:
                seen = await packet_by_id(connection, packet_id, person_id)
                named = await is_named(connection, packet_id, person_id)
                openers = await shares_of(connection, packet_id, None, MAX_SHARES)
            holds_link = by_link is not None and by_link.packet.id == packet_id
            if seen is None or not (_is_theirs(seen, person_id) or named or holds_link):
                raise _not_found(packet_id)
            packet, mine, state = seen
            if mine is not None:
                raise PacketOpened(mine, packet.currency)
            if packet.maker_id == person_id and not packet.maker_opens:
                raise PacketOwn
            return OpenPacket(
                id=self._ids.entry(),
                idempotency=idempotency,
                packet_id=packet_id,
                currency=packet.currency,
                maker=await self._terms(packet.maker_id),
                taker=await self._terms(person_id),
                luck=self._entropy(LUCK_BYTES),
                message_state=state,
                openers=tuple(openers),
            )

        return await self._submit(entry, idempotency)

    async def cancel(
        self, person_id: UUID, packet_id: UUID, idempotency: Idempotency | None
    ) -> Outcome:
        """Take a packet back that has a link and that nobody has opened.

        The outcome is a PacketView. Raises `NotFound`, `PacketKept`, `PacketOver`.
        """

        async def entry() -> Entry:
            packet, _, state = await self._made_by(person_id, packet_id)
            return EndPacket(
                id=self._ids.entry(),
                idempotency=idempotency,
                packet_id=packet.id,
                maker_id=person_id,
                currency=packet.currency,
                status="cancelled",
                message_state=state,
            )

        return await self._submit(entry, idempotency)

    async def find(self, person_id: UUID, token: str) -> PacketView:
        """The packet behind a link's token. Raises `NotFound`, `PacketLinksPaused`."""
        found = await self._by_token(person_id, token)
        return packet_view(found.packet, person_id, found.mine, found.state)

    async def view(self, person_id: UUID, packet_id: UUID) -> PacketView:
        """A packet that the person made, is named in or has opened. Raises `NotFound`."""
        found = await self._seen(person_id, packet_id)
        return packet_view(found.packet, person_id, found.mine, found.state)

    async def list(self, person_id: UUID, before: UUID | None, limit: int) -> list[Seen]:
        """The packets that the person made, is named in or has opened, newest first."""
        async with self._pool.acquire() as connection:
            return await packets_of(connection, person_id, before, limit)

    async def shares(
        self, person_id: UUID, packet_id: UUID, before: UUID | None, limit: int
    ) -> Sequence[PacketShareView]:
        """Who got how much, the last first. Raises `NotFound`, `PacketUnopened`."""
        packet, mine, _ = await self._seen(person_id, packet_id)
        if mine is None and packet.maker_id != person_id:
            raise PacketUnopened
        async with self._pool.acquire() as connection:
            rows = await shares_of(connection, packet_id, before, limit)
            luckiest = None
            if packet.status != "open" and packet.division == "luck" and packet.shares > 1:
                luckiest = await luckiest_of(connection, packet_id)
        return [share_view(row, person_id, luckiest) for row in rows]

    async def link(self, person_id: UUID, packet_id: UUID) -> PacketLinkView:
        """The link of a packet, for its maker. Raises `NotFound`, also if it has none."""
        packet, *_ = await self._made_by(person_id, packet_id)
        async with self._pool.acquire() as connection:
            sealed = await sealed_token(connection, packet.id)
        if sealed is None:
            raise NotFound("link of the red packet", show_id("pkt", packet_id))
        token = self._keyring.open(sealed, link_context(packet.id)).decode()
        return PacketLinkView(f"{self._settings.public_url}/wallet/packet#{token}")

    async def expire_due(self) -> int:
        """Give back what is left of packets whose time is over; returns of how many."""
        async with self._pool.acquire() as connection:
            due = await due_packets(connection, self._clock.now(), DUE_AT_ONCE)
            states = await states_of(connection, [packet.id for packet in due])
        ended = 0
        for packet in due:
            async with self._pool.acquire() as connection:
                openers = await shares_of(connection, packet.id, None, MAX_SHARES)
            end = EndPacket(
                id=self._ids.entry(),
                idempotency=None,
                packet_id=packet.id,
                maker_id=packet.maker_id,
                currency=packet.currency,
                status="expired",
                message_state=states.get(packet.id, MessageState.CLEAR),
                openers=tuple(openers),
            )
            try:
                await self._journal.submit(end)
            except Refused:
                continue  # the last share was opened at this moment
            ended += 1
        return ended

    async def _submit(
        self, build: Callable[[], Awaitable[Entry]], idempotency: Idempotency | None
    ) -> Outcome:
        return await submit_fresh(self._journal, self._pool, build, idempotency)

    async def _terms(self, person_id: UUID) -> PersonTerms:
        async with self._pool.acquire() as connection:
            return await load_terms(connection, person_id)

    async def _named(self, handles: Sequence[str]) -> tuple[Named, ...]:
        found: list[Named] = []
        async with self._pool.acquire() as connection:
            for handle in handles:
                person_id = await find_id_by_handle(connection, handle)
                terms = await load_terms(connection, person_id)
                found.append(Named(terms.id, terms.name))
        return tuple(found)

    def _link(self, packet_id: UUID) -> PacketLink:
        token = base64.urlsafe_b64encode(self._entropy(TOKEN_BYTES)).rstrip(b"=").decode()
        sealed = self._keyring.seal(token.encode(), link_context(packet_id))
        return PacketLink(packet_id, hash_token(token), sealed)

    async def _by_token(self, person_id: UUID, token: str) -> Seen:
        """The packet that a token opens; wrong ones are counted, and after too many none is read.

        It is found by its hash, so what its comparison takes tells nothing about the token.
        """
        subject, now = subject_of(person_id), self._clock.now()
        async with work(self._pool, changes=False) as connection:
            paused_until = await count_try(connection, subject, now)
            found = None
            if paused_until is None:
                found = await packet_by_hash(connection, hash_token(token), person_id)
            if found is not None:
                await forget_tries(connection, subject)
        if paused_until is not None:
            raise PacketLinksPaused(paused_until)
        if found is None:
            raise NotFound("red packet", "with such a link")
        return found

    async def _seen(self, person_id: UUID, packet_id: UUID) -> Seen:
        async with self._pool.acquire() as connection:
            seen = await packet_by_id(connection, packet_id, person_id)
            if seen is None or not (
                _is_theirs(seen, person_id) or await is_named(connection, packet_id, person_id)
            ):
                raise _not_found(packet_id)
        return seen

    async def _made_by(self, person_id: UUID, packet_id: UUID) -> Seen:
        async with self._pool.acquire() as connection:
            seen = await packet_by_id(connection, packet_id, person_id)
        if seen is None or seen.packet.maker_id != person_id:
            raise _not_found(packet_id)
        return seen


def _is_theirs(seen: Seen, person_id: UUID) -> bool:
    """Whether they made it or have a share of it."""
    return seen.packet.maker_id == person_id or seen.mine is not None


def _not_found(packet_id: UUID) -> NotFound:
    return NotFound("red packet", show_id("pkt", packet_id))
