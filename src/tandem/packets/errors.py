"""Why red packets refuse.

Refused
├── PacketOver          all shares are gone, its time is over, or it was taken back
├── PacketOpened        this person has their share already
├── PacketOwn           its maker kept no share for themselves
├── PacketUnopened      who has not opened it does not see who got what
├── PacketKept          it is not taken back: somebody was named, or has opened it
└── PacketLinksPaused   too many wrong links
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from tandem.kernel import Refused, show_money

_OVER: Final = {
    "emptied": "All shares of this red packet are gone.",
    "expired": "The time of this red packet is over; what was left went back to its maker.",
    "cancelled": "Its maker has taken this red packet back.",
}


@dataclass(eq=False)
class PacketOver(Refused):
    """The red packet cannot be opened any more; `status` says why."""

    code: ClassVar[str] = "packet_over"
    status: str

    def sentence(self) -> str:
        """Say what became of it."""
        return _OVER[self.status]


@dataclass(eq=False)
class PacketOpened(Refused):
    """The person has opened this red packet before. Amount in minor units."""

    code: ClassVar[str] = "packet_opened"
    amount: int
    currency: str

    def sentence(self) -> str:
        """Say what they got."""
        return f"You have opened this red packet: you got {show_money(self.amount, self.currency)}."


@dataclass(eq=False)
class PacketOwn(Refused):
    """The person made this red packet, for others only."""

    code: ClassVar[str] = "packet_own"

    def sentence(self) -> str:
        """Say whom it is for."""
        return "You made this red packet for others, without a share for yourself."


@dataclass(eq=False)
class PacketUnopened(Refused):
    """Who got what is seen by the maker and by those who have opened it."""

    code: ClassVar[str] = "packet_unopened"

    def sentence(self) -> str:
        """Say who sees it."""
        return "Who got what is seen by the maker of a red packet and by those who opened it."


@dataclass(eq=False)
class PacketKept(Refused):
    """The red packet is not taken back: it is for named people, or somebody has opened it."""

    code: ClassVar[str] = "packet_kept"
    expires_at: datetime

    def sentence(self) -> str:
        """Say when what is left comes back."""
        return (
            "A red packet is taken back only if it has a link and nobody has opened it. What is "
            f"left at {self.expires_at:%d %B %H:%M} UTC comes back by itself."
        )


@dataclass(eq=False)
class PacketLinksPaused(Refused):
    """The person tried too many links of red packets that do not exist."""

    code: ClassVar[str] = "packet_links_paused"
    passing: ClassVar[bool] = True
    until: datetime

    def sentence(self) -> str:
        """Say when the next is looked at."""
        return (
            f"Too many wrong links of red packets: none is looked at before {self.until:%H:%M} "
            "UTC. Ask for the link again meanwhile."
        )
