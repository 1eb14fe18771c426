"""The terminal's kernel against hostile cards, and against whoever stands between it and a card.

For each command the fuzzer says what comes back: the answer of a card of ours, the same with bytes
of it changed or with data objects slipped in, anything else, or nothing. Whatever it is, the tap
has one of the defined outcomes after a bounded number of commands, and nothing is paid that the
card did not sign: this amount, this number, this card.
"""

from functools import cache
from typing import Final

from bytes_in import Taken

from emv_tap import (
    DATA,
    FINGER,
    TERMINAL,
    UNSIGNED,
    WIDE,
    Device,
    is_the_card_s,
    profile,
    ready,
    seeded,
)
from emv_tap import gate as fares
from tandem.emv.apdu import Command
from tandem.emv.card import Profile
from tandem.emv.card.files import signed_record
from tandem.emv.errors import Malformed
from tandem.emv.tags import DICTIONARY, Source, Tag
from tandem.emv.terminal import Answer, Cvm, Lost, Outcome, Result, run
from tandem.emv.terminal.reading import MAX_RECORDS
from tandem.emv.tlv import Tlv, constructed, is_constructed, primitive, read, read_one

_ENTRIES: Final = 256 // 9
"""The most entries that a directory of one response has."""
_MOST: Final = 1 + 2 * _ENTRIES + MAX_RECORDS + 3
_AMOUNTS: Final = (1, 300, 3800, 5001, 10_000, 99_999)
_OURS: Final = {entry.tag: entry.value for entry in signed_record(DATA).children}
_TAGS: Final = tuple(tag for tag, entry in DICTIONARY.items() if entry.source is Source.CARD)


@cache
def _profile() -> Profile:
    return profile(limits=WIDE)


class _Between:
    """Answers a command as the fuzzer says. The card behind it is real."""

    def __init__(self, taken: Taken, device: Device) -> None:
        self._taken = taken
        self._device = device
        self.count = 0

    def transmit(self, command: bytes) -> Answer:
        self.count += 1
        assert self.count <= _MOST
        Command.read(command)
        taken = self._taken
        match taken.byte() % 8:
            case 1:
                return Lost.SILENT if taken.byte() & 1 else Lost.TORN
            case 2:
                return taken.piece()
            case 3:
                return _changed(taken, self._device.transmit(command))
            case 4:
                return _with_more(taken, self._device.transmit(command))
            case 5:
                return self._device.transmit(_changed(taken, command))
            case _:
                return self._device.transmit(command)


def kernel(data: bytes) -> None:
    """At a shop: what is approved or asked about, our card signed for this payment."""
    taken = Taken(data)
    amount = _AMOUNTS[taken.byte() % len(_AMOUNTS)]
    device = Device(_profile())
    verified = bool(taken.byte() & 1)
    if verified:
        device.card.present(FINGER)
    between = _Between(taken, device)
    made = ready(amount=amount)
    outcome = run(made, seeded(), between.transmit)
    _sound(outcome)
    if outcome.result in {Result.APPROVED, Result.ONLINE_REQUEST}:
        card = outcome.card
        assert card is not None
        assert card.signed
        assert is_the_card_s(outcome, amount)
        assert verified or outcome.cvm is not Cvm.DEVICE
        for tag, value in _OURS.items():
            assert card.values[tag] == value, f"{tag:X} is not what the card's certificate is over"
        # Nobody signs the directory and the FCI: a longer name is no lie that can be found out.
        assert card.values[Tag.DF_NAME].startswith(TERMINAL.combinations[0].aid)


def gate(data: bytes) -> None:
    """At a gate: nothing is approved, and what is asked about has a number and a month."""
    taken = Taken(data)
    between = _Between(taken, Device(_profile()))
    outcome = run(ready(fares(), 300), seeded(), between.transmit)
    _sound(outcome)
    if outcome.result is Result.ONLINE_REQUEST:
        assert outcome.card is not None
        assert outcome.card.pan.isdecimal()
        number, _, rest = outcome.card.track_2.partition("=")
        assert number == outcome.card.pan
        assert rest.isdecimal()


def others(data: bytes) -> None:
    """Anybody's card, at a terminal that takes cards which prove nothing."""
    taken = Taken(data)
    count = 0

    def card(command: bytes) -> Answer:
        nonlocal count
        count += 1
        assert count <= _MOST
        Command.read(command)
        kind = taken.byte()
        if not taken:
            return Lost.TORN
        if kind & 0x80:
            return taken.piece()
        return constructed(_TEMPLATES[kind % len(_TEMPLATES)], *_objects(taken)).raw + b"\x90\x00"

    outcome = run(ready(UNSIGNED), seeded(), card)
    _sound(outcome)
    if outcome.result in {Result.APPROVED, Result.ONLINE_REQUEST}:
        assert outcome.card is not None
        assert outcome.card.pan.isdecimal()
        number, mark, rest = outcome.card.track_2.partition("=")
        assert not mark or (number == outcome.card.pan and rest.isdecimal())


_TEMPLATES: Final = (Tag.FCI, Tag.FORMAT_2, Tag.RECORD)


def _sound(outcome: object) -> None:
    """A defined outcome, whose words, receipt data and host's data can be made."""
    assert isinstance(outcome, Outcome)
    assert outcome.ui.text() is not None
    assert len(outcome.online_data) <= 255
    if outcome.card is not None:
        _ = outcome.card.pan, outcome.card.track_2, outcome.card.sequence


def _changed(taken: Taken, data: bytes) -> bytes:
    """With a byte changed, cut off, or put in."""
    at, how = taken.byte() % (len(data) or 1), taken.byte()
    if how & 0x80:
        return data[:at] if how & 1 else data[:at] + taken.piece() + data[at:]
    return data[:at] + bytes((data[at] ^ how,)) + data[at + 1 :] if data else b""


def _with_more(taken: Taken, answer: bytes) -> bytes:
    """With data objects added to its template, wherever that still is one."""
    try:
        template = read_one(answer[:-2])
    except Malformed:
        return answer
    if not template.constructed:
        return answer
    more = _objects(taken)
    before = taken.byte() & 1
    children = (*more, *template.children) if before else (*template.children, *more)
    return constructed(template.tag, *children).raw + answer[-2:]


def _objects(taken: Taken) -> tuple[Tlv, ...]:
    """A few data objects: of a card's tags, or any."""
    found: list[Tlv] = []
    for _ in range(taken.byte() % 16):
        which = taken.byte()
        if which == 0xFF:
            try:
                found += read(taken.piece())
            except Malformed:
                continue
        else:
            tag = _TAGS[which % len(_TAGS)]
            value = taken.piece()
            found.append(constructed(tag) if is_constructed(tag) else primitive(tag, value))
    return tuple(found)
