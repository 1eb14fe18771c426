"""Red packets' commands, as entries for the journal."""

from datetime import timedelta
from uuid import UUID

import msgspec

from tandem.db import Idempotency
from tandem.events import announce
from tandem.kernel import Invalid, NotFound, Refused, Rule, check_amount, currency, show_id
from tandem.ledger import (
    ChangedMeanwhile,
    Decision,
    InsufficientFunds,
    Touches,
    Transfer,
    TransferCode,
    View,
    Write,
    packet,
    person,
)
from tandem.packets.errors import PacketKept, PacketOpened, PacketOver
from tandem.packets.model import (
    LINKS,
    MAX_SHARES,
    PACKETS,
    PEOPLE,
    SHARES,
    Packet,
    PacketLink,
    PacketPerson,
    PacketShare,
    next_share,
    payee_of,
)
from tandem.packets.shapes import packet_view
from tandem.people import (
    Confirmed,
    PersonNotActive,
    PersonTerms,
    Spending,
    objection,
    unconfirmed,
)
from tandem.screening import Screened


class Named(msgspec.Struct, frozen=True):
    """Somebody whom a packet is for."""

    id: UUID
    name: str


class MakePacket(msgspec.Struct, frozen=True, kw_only=True):
    """A person puts money into a red packet. Amount in minor units.

    `people` are those whom it is for; if there are none it has a `link`.
    """

    id: UUID
    idempotency: Idempotency | None
    spending: Spending
    packet_id: UUID
    maker: PersonTerms
    people: tuple[Named, ...]
    link: PacketLink | None
    amount: int
    currency: str
    shares: int
    division: str
    maker_opens: bool
    message: str | None
    screened: Screened
    expires_seconds: int
    confirmed: Confirmed | None = None

    def touches(self) -> Touches:
        """The maker's account, under their terms, and the packet's own."""
        unit = currency(self.currency)
        debit = person(self.maker.id, unit)
        return Touches((debit, packet(self.packet_id, unit)), terms=((debit, self.maker.terms),))

    def decide(self, view: View) -> Decision:
        """Put the money in, or raise why not."""
        self._check()
        unit = currency(self.currency)
        debit, credit = person(self.maker.id, unit), packet(self.packet_id, unit)
        account = view.account(debit)
        wrong: Refused | None = objection(
            self.spending, self.maker, self.amount, unit.code, account.spent_on(view.day)
        )
        if wrong is None and self.amount > account.available:
            wrong = InsufficientFunds(account.id, max(0, account.available), self.amount)
        payee = payee_of(one.id for one in self.people)
        wrong = wrong or unconfirmed(self.maker, payee, self.amount, unit.code, self.confirmed)
        if wrong is not None:
            raise wrong
        made = self._row(view)
        transfer = Transfer(debit, credit, self.amount, TransferCode.PACKET, made.id, spends=True)
        state = self.screened.state
        shown = packet_view(made, self.maker.id, None, state)
        writes = [Write(PACKETS, made)]
        writes += self.screened.writes("pkt", made.id, made.maker_id, None, made.message, view.now)
        writes += [Write(PEOPLE, PacketPerson(made.id, one.id, one.name)) for one in self.people]
        if self.link is not None:
            writes.append(Write(LINKS, self.link))
        writes += announce(view, self.maker.id, "packet.made", made.id, shown)
        for one in self.people:
            received = packet_view(made, one.id, None, state)
            writes += announce(view, one.id, "packet.received", made.id, received)
        return Decision(shown, (transfer,), writes)

    def _check(self) -> None:
        check_amount(self.amount)
        if not 1 <= self.shares <= MAX_SHARES:
            raise Invalid(
                "shares", f"must be 1 to {MAX_SHARES}", rule=Rule("number", 1, MAX_SHARES)
            )
        if self.amount < self.shares:
            raise Invalid(
                "amount",
                "must be at least one minor unit for each share",
                rule=Rule("amount", self.shares),
            )
        ids = {one.id for one in self.people}
        if self.maker.id in ids:
            raise Invalid("to", "must be others; maker_opens gives you a share of your own")
        if len(ids) < len(self.people):
            raise Invalid("to", "must name each person once", rule=Rule("distinct"))
        if ids and self.shares > len(ids) + self.maker_opens:
            raise Invalid("shares", "must not be more than there are people to open them")

    def _row(self, view: View) -> Packet:
        return Packet(
            id=self.packet_id,
            maker_id=self.maker.id,
            maker_name=self.maker.name,
            amount=self.amount,
            currency=self.currency,
            shares=self.shares,
            division=self.division,
            audience="link" if self.link is not None else "named",
            maker_opens=self.maker_opens,
            message=self.message,
            status="open",
            opened=0,
            opened_amount=0,
            expires_at=view.now + timedelta(seconds=self.expires_seconds),
            created_at=view.now,
            updated_at=view.now,
        )


class OpenPacket(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may opens a red packet. `luck` is random, for shares by luck.

    `openers` are those who had opened it when this was asked: they are told when it is empty.
    """

    id: UUID
    idempotency: Idempotency | None
    packet_id: UUID
    currency: str
    maker: PersonTerms
    taker: PersonTerms
    luck: bytes
    message_state: str
    openers: tuple[PacketShare, ...] = ()

    def touches(self) -> Touches:
        """The packet, its account and the taker's, under both people's terms."""
        unit = currency(self.currency)
        maker, taker = person(self.maker.id, unit), person(self.taker.id, unit)
        terms = {maker: self.maker.terms, taker: self.taker.terms}
        return Touches(
            (packet(self.packet_id, unit), *terms),
            ((PACKETS, self.packet_id),),
            terms=tuple(terms.items()),
        )

    def decide(self, view: View) -> Decision:
        """Give the next share, if there is one."""
        found = _open_packet(view, self.packet_id)
        before = view.row(SHARES, (found.id, self.taker.id))
        if before is not None:  # in this group; of an earlier one the primary key knows
            raise PacketOpened(before.amount, found.currency)
        if found.expires_at <= view.now:
            raise PacketOver("expired")
        if self.maker.status != "active" or self.taker.status != "active":
            raise PersonNotActive
        amount = next_share(found, self.luck)
        opened = found.opened + 1
        after = msgspec.structs.replace(
            found,
            opened=opened,
            opened_amount=found.opened_amount + amount,
            status="emptied" if opened == found.shares else "open",
            updated_at=view.now,
        )
        share = PacketShare(
            found.id, self.taker.id, view.new_id(), self.taker.name, amount, view.now
        )
        unit = currency(found.currency)
        transfer = Transfer(
            packet(found.id, unit),
            person(self.taker.id, unit),
            amount,
            TransferCode.PACKET_SHARE,
            found.id,
        )
        answer = packet_view(after, self.taker.id, amount, self.message_state)
        got = {one.person_id: one.amount for one in self.openers} | {self.taker.id: amount}
        state = self.message_state
        told = _told(view, after, "packet.opened", {self.taker.id: amount}, got, state)
        if after.status == "emptied":
            told += _told(view, after, "packet.emptied", got, got, state)
        writes = (Write(PACKETS, after), Write(SHARES, share), *told)
        return Decision(answer, (transfer,), writes)


class EndPacket(msgspec.Struct, frozen=True, kw_only=True):
    """What nobody opened goes back: its time is over (`expired`), or its maker takes it back."""

    id: UUID
    idempotency: Idempotency | None
    packet_id: UUID
    maker_id: UUID
    currency: str
    status: str
    message_state: str
    openers: tuple[PacketShare, ...] = ()

    def touches(self) -> Touches:
        """The packet, its account and the maker's."""
        unit = currency(self.currency)
        accounts = (packet(self.packet_id, unit), person(self.maker_id, unit))
        return Touches(accounts, ((PACKETS, self.packet_id),))

    def decide(self, view: View) -> Decision:
        """Give the rest back."""
        found = _open_packet(view, self.packet_id)
        over = found.expires_at <= view.now
        if self.status == "expired":
            if not over:
                raise ChangedMeanwhile(found.maker_id)
        elif over:
            raise PacketOver("expired")
        elif found.audience == "named" or found.opened:
            raise PacketKept(found.expires_at)
        unit = currency(found.currency)
        back = Transfer(
            packet(found.id, unit),
            person(found.maker_id, unit),
            found.left,
            TransferCode.PACKET_RETURN,
            found.id,
        )
        after = msgspec.structs.replace(found, status=self.status, updated_at=view.now)
        got = {one.person_id: one.amount for one in self.openers}
        told = _told(view, after, f"packet.{self.status}", got, got, self.message_state)
        answer = packet_view(after, found.maker_id, got.get(found.maker_id), self.message_state)
        return Decision(answer, (back,), (Write(PACKETS, after), *told))


def _open_packet(view: View, packet_id: UUID) -> Packet:
    found = view.row(PACKETS, packet_id)
    if found is None:
        raise NotFound("red packet", show_id("pkt", packet_id))
    if found.status != "open":
        raise PacketOver(found.status)
    return found


def _told(
    view: View,
    after: Packet,
    event: str,
    others: dict[UUID, int],
    got: dict[UUID, int],
    state: str,
) -> list[Write]:
    """Tell the maker and these others, each with what they have got; the message stands so."""
    writes: list[Write] = []
    for owner in dict.fromkeys((after.maker_id, *others)):
        shown = packet_view(after, owner, got.get(owner), state)
        writes += announce(view, owner, event, after.id, shown)
    return writes
