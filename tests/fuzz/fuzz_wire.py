"""The acquirer's wire: messages, frames, a whole dialogue of a connection, key blocks."""

from typing import Final

from bytes_in import Taken

from acquiring_play import Play, make_link
from tandem.acquiring import Mac, Message
from tandem.acquiring.codec import Codec
from tandem.acquiring.desk import Ask, Close, Send, Wait
from tandem.acquiring.errors import FrameBroken, KeyBlockBroken, MessageMalformed
from tandem.acquiring.framing import Deframer, Frame, answer_header, put_frame
from tandem.acquiring.tr31 import WrappingKey, unwrap, wrap
from tandem.acquiring.trace import describe
from tandem.acquiring.wire import Wire

_WIRES: Final = (
    Wire(),
    Wire(bitmap="hex", binary="hex", icc="hex", length="ascii", header="iso"),
    Wire(numeric="bcd", prefixes="bcd", track2="bcd", length="bcd", header="tpdu"),
    Wire(
        numeric="bcd",
        prefixes="binary",
        track2="bcd",
        pad_fixed="right-f",
        pad_variable="right-f",
        length_counts_itself=True,
    ),
    Wire(text="cp500", icc="hex", elements={48: "b...500", 60: "n..11"}),
)
_CODECS: Final = tuple(map(Codec, _WIRES))
_LIMIT: Final = 2000
_KEYS: Final = (
    WrappingKey("aes", bytes(range(16))),
    WrappingKey("aes", bytes(range(32))),
    WrappingKey("tdes", bytes(range(16))),
)


def iso8583(data: bytes) -> None:
    """A message is read and says the same once it is written, or is refused."""
    taken = Taken(data)
    codec = _CODECS[taken.byte() % len(_CODECS)]
    body = taken.rest()
    try:
        message = codec.read(body)
    except MessageMalformed as refused:
        part = refused.partial
        assert part is None or isinstance(part, Message)
        assert refused.sentence()
        return
    assert codec.read(codec.write(message)) == message
    assert all("".join(map(str, line)).isprintable() for line in describe(message))


def framing(data: bytes) -> None:
    """A stream is divided the same however it is cut, and a frame is written as it stood."""
    taken = Taken(data)
    wire = _WIRES[taken.byte() % len(_WIRES)]
    cut = taken.byte()
    stream = taken.rest()
    assert _frames(wire, [stream]) == _frames(wire, [stream[:cut], stream[cut:]])
    frames, _ = _frames(wire, [stream])
    again = b"".join(put_frame(wire, frame) for frame in frames)
    assert _frames(wire, [again]) == (frames, False)
    for frame in frames:
        assert len(answer_header(wire, frame.header)) == len(frame.header)


def session(data: bytes) -> None:
    """Whatever comes over a connection is answered, asked about, waited for, or the end of it."""
    taken = Taken(data)
    mac = Mac(key="master", algorithm="retail") if taken.byte() & 1 else None
    play = Play(make_link(mac=mac))
    while taken:
        play.session.receive(taken.piece(), play.now)
        for action in play.session.step(play.now):
            assert isinstance(action, Send | Ask | Wait | Close)
            if isinstance(action, Close):
                return
        assert play.session.pending <= 32


def tr31(data: bytes) -> None:
    """A key block that was not made under the key is refused, and so is a changed one."""
    taken = Taken(data)
    wrapping = _KEYS[taken.byte() % len(_KEYS)]
    text = taken.rest().decode("latin-1")
    try:
        found = unwrap(wrapping, text)
    except KeyBlockBroken:
        return
    assert unwrap(wrapping, wrap(wrapping, found, bytes)) == found


def _frames(wire: Wire, parts: list[bytes]) -> tuple[list[Frame], bool]:
    """The frames of a stream, and whether it broke."""
    deframer = Deframer(wire, _LIMIT)
    found: list[Frame] = []
    for part in parts:
        deframer.feed(part)
        try:
            found += iter(deframer.next, None)
        except FrameBroken:
            return found, True
        assert deframer.waiting <= _LIMIT + len(part)
    return found, False
