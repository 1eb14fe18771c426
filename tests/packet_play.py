"""Red packets in the play of payments and wallets (tests/pay_play.py).

What a share by luck is, the model cannot know; it holds it to what must be of each: something, and
as much left as there are shares.
"""

from datetime import timedelta
from typing import Final

from moves import CNY
from pay_model import Facts, code_of, no_amount
from pay_play import Play
from tandem.kernel import read_id, show_id
from tandem.ledger import packet as packet_account
from tandem.packets.entries import EndPacket, MakePacket, Named, OpenPacket
from tandem.packets.model import PACKETS, SHARES, PacketLink
from tandem.screening import CLEAR
from tills import SPENDING

PACKET_SECONDS: Final = 1300


class PacketPlay(Play):
    """The play, with red packets. The service's own part, who may see one, is not in it."""

    async def make_packet(
        self, who: int, amount: int, shares: int, *, luck: bool, named: bool, own: bool
    ) -> None:
        other = self.people[1 - who]
        people = (Named(other.id, other.name),) if named else ()
        if (
            no_amount(amount)
            or not 1 <= shares <= 100
            or amount < shares
            or (named and shares > 1 + own)
        ):
            expected = "invalid_request"
        else:
            expected = code_of(self.model.may_spend(who, amount))
        packet_id = self.ids.new()
        entry = MakePacket(
            **self.common(),
            spending=SPENDING,
            packet_id=packet_id,
            maker=self.people[who],
            people=people,
            link=None if named else PacketLink(packet_id, packet_id.bytes * 2, b"sealed"),
            amount=amount,
            currency="CNY",
            shares=shares,
            division="luck" if luck else "equal",
            maker_opens=own,
            message=None,
            screened=CLEAR,
            expires_seconds=PACKET_SECONDS,
        )
        await self.give(entry, expected)
        if expected == "done":
            name = show_id("pkt", packet_id)
            made: Facts = {"who": who, "amount": amount, "shares": shares, "luck": luck}
            made |= {"named": named, "got": {}, "status": "open"}
            made["until"] = self.model.at + PACKET_SECONDS
            self.model.packets[name] = made
            self.model.move(f"p{who}", name, amount)
            self.model.spent[who, self.model.day] += amount

    async def open_packet(self, name: str, who: int, luck: bytes) -> None:
        p = self.model.packets[name]
        if who in p["got"]:
            return  # the service finds that out before it asks, and the primary key at the latest
        over = p["status"] != "open" or self.model.at >= p["until"]
        entry = OpenPacket(
            **self.common(),
            packet_id=read_id("pkt", name),
            currency="CNY",
            maker=self.people[p["who"]],
            taker=self.people[who],
            luck=luck,
            message_state="clear",
        )
        answer = await self.give(entry, "packet_over" if over else "done")
        if over:
            return
        left, after = p["amount"] - sum(p["got"].values()), p["shares"] - len(p["got"]) - 1
        share = answer["mine"]
        assert 1 <= share <= left - after, (name, self.said)
        if after == 0:
            assert share == left
        elif not p["luck"]:
            assert share in {left // (after + 1), -(-left // (after + 1))}
        p["got"][who] = share
        p["status"] = "open" if after else "emptied"
        self.model.move(name, f"p{who}", share)

    async def end_packet(self, name: str, status: str) -> None:
        p = self.model.packets[name]
        over = self.model.at >= p["until"]
        if p["status"] != "open":
            expected = "packet_over"
        elif status == "expired":
            expected = "done" if over else "changed_meanwhile"
        elif over:
            expected = "packet_over"
        else:
            expected = "packet_kept" if p["named"] or p["got"] else "done"
        entry = EndPacket(
            **self.common(),
            packet_id=read_id("pkt", name),
            maker_id=self.people[p["who"]].id,
            currency="CNY",
            status=status,
            message_state="clear",
        )
        await self.give(entry, expected)
        if expected == "done":
            self.model.move(name, f"p{p['who']}", self.model.balance[name])
            p["status"] = status

    async def check(self) -> None:
        """Every packet holds what nobody has, and each share is what somebody got."""
        await super().check()
        for name, p in self.model.packets.items():
            packet_id = read_id("pkt", name)
            row = await self.system.row(PACKETS, packet_id)
            account = await self.system.account(packet_account(packet_id, CNY))
            assert account.balance == self.model.balance[name], (name, self.said)
            assert (row.status, row.opened) == (p["status"], len(p["got"])), (name, self.said)
            assert row.opened_amount == sum(p["got"].values())
            assert row.expires_at == self.start + timedelta(seconds=p["until"])
            for who, share in p["got"].items():
                key = (packet_id, self.people[who].id)
                assert (await self.system.row(SHARES, key)).amount == share
            left = p["amount"] - sum(p["got"].values()) if p["status"] == "open" else 0
            assert self.model.balance[name] == left, (name, self.said)
