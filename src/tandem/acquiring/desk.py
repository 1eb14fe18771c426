"""What a session works with: its link's state, the world around it, and what it asks to be done."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from tandem.acquiring.bucket import Bucket
from tandem.acquiring.codec import Codec
from tandem.acquiring.errors import LinkKeyMissing, LinksUnusable
from tandem.acquiring.keys import KeyStore, link_secret
from tandem.acquiring.links import Link
from tandem.acquiring.mac import MacKey
from tandem.acquiring.message import Message
from tandem.acquiring.model import Request
from tandem.kernel import Entropy, Refused

Direction = Literal["in", "out"]
Tracer = Callable[[str, Direction, Message], None]
"""Is told of every message: the link's name, which way it went, and what it says."""
RefusalTracer = Callable[[str, Refused], None]
"""Is told why a message was not done: the link's name and the refusal."""


class LinkState:
    """What the connections of a link share: its settings, keys, speed, and what was counted.

    Keys are looked up when they are used: one that is entered anew holds from the next sign-on, or
    with fixed keys from the next connection.
    """

    def __init__(self, link: Link, keys: KeyStore) -> None:
        self.link = link
        self.codec = Codec(link.wire)
        self.bucket = Bucket(link.limits.per_second)
        self.counts: Counter[str] = Counter()
        self.connections = 0
        self._terminals = frozenset(link.terminals)
        self._keys = keys

    def master(self, terminal: str) -> bytes:
        """The key that wraps session keys. Raises `LinkKeyMissing`, `LinksUnusable`."""
        assert self.link.mac is not None, "only a link with MACs has session keys"
        return link_secret(self.link.name, self.link.mac, self._keys, terminal)

    def fixed(self) -> MacKey | None:
        """The fixed MAC key, if the link has one that can be used; without it no MAC is right."""
        mac = self.link.mac
        if mac is None or mac.keys != "fixed":
            return None
        try:
            return MacKey(mac, link_secret(self.link.name, mac, self._keys))
        except (LinkKeyMissing, LinksUnusable) as refused:
            self.counts[refused.code] += 1
            return None

    def takes(self, terminal: str | None) -> bool:
        """Whether a terminal (element 41, filled with blanks or not) may speak on this link."""
        return not self._terminals or (terminal or "").rstrip() in self._terminals


@dataclass(frozen=True, slots=True)
class Context:
    """What every session needs of the world: randomness, the fingerprints' key, days and times.

    `local_now` is the present moment in the terminals' zone, `business_day` the day that payments
    count to. `secret` keys the fingerprints: random, and the same for as long as they are kept.
    """

    entropy: Entropy
    secret: bytes = field(repr=False)
    local_now: Callable[[], datetime]
    business_day: Callable[[], date]
    trace: Tracer | None = None
    trace_refusal: RefusalTracer | None = None


@dataclass(eq=False, slots=True)
class Ticket:
    """A message that is to be answered: what it says, and how its answer must look."""

    state: LinkState
    message: Message
    header: bytes
    key: MacKey | None
    request: Request | None = None
    answer: bytes | None = None
    done: bool = False


@dataclass(frozen=True, slots=True)
class Send:
    """Write these bytes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the authoriser, and tell `Session.answered`."""

    ticket: Ticket


@dataclass(frozen=True, slots=True)
class Wait:
    """The link is faster than it may be: read nothing, and step again after this time."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection."""

    reason: str


Action = Send | Ask | Wait | Close
