"""Red packets: money that a person puts aside for others, who each open it once."""

from tandem.packets.errors import (
    PacketKept,
    PacketLinksPaused,
    PacketOpened,
    PacketOver,
    PacketOwn,
    PacketUnopened,
)
from tandem.packets.model import DIVISIONS, MAX_SECONDS, MAX_SHARES
from tandem.packets.service import Packets
from tandem.packets.shapes import (
    PacketLinkView,
    PacketShareView,
    PacketView,
    packet_view,
)
from tandem.packets.store import PACKET_LINKS, Seen

__all__ = [
    "DIVISIONS",
    "MAX_SECONDS",
    "MAX_SHARES",
    "PACKET_LINKS",
    "PacketKept",
    "PacketLinkView",
    "PacketLinksPaused",
    "PacketOpened",
    "PacketOver",
    "PacketOwn",
    "PacketShareView",
    "PacketUnopened",
    "PacketView",
    "Packets",
    "Seen",
    "packet_view",
]
