"""What tests of the acquirer's host share: messages, keys, and the terminal's side of a link."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Final

from tandem.acquiring import Codec, De, Frame, Link, Message, NetworkCode
from tandem.acquiring.desk import Action, Ask, Close, Context, LinkState, Send, Wait
from tandem.acquiring.framing import Deframer, first_header, put_frame
from tandem.acquiring.keys import receive_key
from tandem.acquiring.mac import MacKey, check_mac, seal_message
from tandem.acquiring.session import Session

NOW: Final = datetime(2026, 11, 23, 12, 0, 5, tzinfo=UTC)
DAY: Final = date(2026, 11, 23)
PAN: Final = "4761739001010010"
SECRET: Final = bytes(range(32))
ICC: Final = "9F2608AABBCCDDEEFF00119F36020001"
MASTER: Final = bytes(range(100, 132))
FIXED: Final = bytes(range(50, 66))


class Keys:
    """A key store of a few names."""

    def __init__(self, keys: Mapping[str, bytes] | None = None) -> None:
        self._keys: Mapping[str, bytes] = (
            {"master": MASTER, "fixed": FIXED} if keys is None else keys
        )

    def link_key(self, name: str) -> bytes:
        return self._keys[name]


def money(mti: str = "0200", stan: int = 1, /, **changes: str | None) -> Message:
    """A message about a payment; `changes` by name of the element, None leaves one out."""
    fields: dict[str, str | None] = {
        "PROCESSING_CODE": "000000",
        "AMOUNT": "000000001234",
        "STAN": f"{stan:06d}",
        "LOCAL_TIME": "130000",
        "LOCAL_DATE": "1123",
        "ENTRY_MODE": "071",
        "SEQUENCE_NUMBER": "001",
        "CONDITION": "00",
        "TRACK2": f"{PAN}=2812201000000000",
        "TERMINAL": "TERM0001",
        "MERCHANT": "SHOP00000000001",
        "CURRENCY": "978",
        "ICC": ICC,
        **changes,
    }
    kept = {De[name]: value for name, value in fields.items() if value is not None}
    return Message(mti, dict(sorted(kept.items())))


def network(code: str, stan: int = 1, **changes: str) -> Message:
    """A network management request."""
    fields: dict[int, str] = {De[name]: value for name, value in changes.items()}
    return Message("0800", {De.STAN: f"{stan:06d}", De.NETWORK_CODE: code, **fields})


def original(mti: str, stan: int, transmitted: str = "1123120000") -> str:
    """Element 90."""
    return f"{mti}{stan:06d}{transmitted}{'0' * 22}"


def make_link(**settings: object) -> Link:
    """A link that takes everybody."""
    given: dict[str, object] = {"name": "harbour", "networks": ("0.0.0.0/0",), **settings}
    return Link(**given)  # type: ignore[arg-type]  # each test gives what fits


class Terminal:
    """The other side of a session: writes requests, reads answers, holds the key it was given."""

    def __init__(self, link: Link, key: MacKey | None = None) -> None:
        self.link = link
        self.codec = Codec(link.wire)
        self.key = key
        self.master = MASTER
        self._deframer = Deframer(link.wire, 65_535)

    def write(self, message: Message, key: MacKey | None = None) -> bytes:
        key = key or self.key
        body = self.codec.write(message) if key is None else seal_message(self.codec, message, key)
        return put_frame(self.link.wire, Frame(first_header(self.link.wire), body))

    def read(self, data: bytes) -> list[Message]:
        """The answers in these bytes, their MACs checked; a key that one brings is taken."""
        self._deframer.feed(data)
        found: list[Message] = []
        for frame in iter(self._deframer.next, None):
            message = self.codec.read(frame.body)
            block = message.text(De.PRIVATE)
            before = self.key
            if block is not None and self.link.mac is not None:
                self.key = receive_key(self.link.mac, self.master, block)
            signs_on = message.text(De.NETWORK_CODE) == NetworkCode.SIGN_ON
            key = self.key if signs_on or before is None else before
            if key is not None:
                check_mac(self.codec, message, frame.body, [key])
            found.append(message)
        assert self._deframer.waiting == 0
        return found


class Play:
    """A session and its terminal, with time that stands still until it is moved."""

    def __init__(
        self, *links: Link, context: Context | None = None, keys: Keys | None = None
    ) -> None:
        self.states = tuple(LinkState(link, keys or Keys()) for link in links or (make_link(),))
        self.now = 1000.0
        self.session = Session(self.states, context or make_context(), self.now)
        self.terminal = Terminal(self.states[0].link, self.states[0].fixed())
        self.asked: list[Ask] = []
        self.closed: str | None = None
        self.waits: list[float] = []

    def send(self, *messages: Message) -> list[Message]:
        """Send messages; what is answered at once."""
        return self.feed(b"".join(self.terminal.write(message) for message in messages))

    def feed(self, data: bytes) -> list[Message]:
        """Send bytes; what is answered at once."""
        self.session.receive(data, self.now)
        return self.step()

    def step(self) -> list[Message]:
        """Go on; what is answered at once."""
        return self.terminal.read(b"".join(self._done(self.session.step(self.now))))

    def sign_on(self) -> Message:
        (message,) = self.send(network("001"))
        return message

    def _done(self, actions: list[Action]) -> list[bytes]:
        data: list[bytes] = []
        for action in actions:
            match action:
                case Send():
                    data.append(action.data)
                case Ask():
                    self.asked.append(action)
                case Wait():
                    self.waits.append(action.seconds)
                case Close():
                    self.closed = action.reason
        return data


def make_context(**changes: object) -> Context:
    """A world that stands still."""
    counter = iter(range(1, 1_000_000))
    given: dict[str, object] = {
        "entropy": lambda count: bytes((next(counter) % 251,)) * count,
        "secret": SECRET,
        "local_now": lambda: NOW,
        "business_day": lambda: DAY,
        **changes,
    }
    return Context(**given)  # type: ignore[arg-type]  # each test gives what fits
