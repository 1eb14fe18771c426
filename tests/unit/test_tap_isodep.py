"""ISO-DEP: a reader written by the rules of ISO/IEC 14443-4, losses, and what no reader sends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.tap.isodep import ATS, MAX_COMMAND, IsoDepCard


class Echo:
    """A card that answers a command with itself, many times over."""

    def __init__(self, times: int = 1) -> None:
        self.times = times
        self.asked: list[bytes] = []

    def exchange(self, apdu: bytes) -> bytes:
        self.asked.append(apdu)
        return apdu * self.times + b"\x90\x00"

    def reset(self) -> None:
        """Nothing to forget."""


class Reader:
    """The other side. Each `lost` says of a block or its answer, in order, whether it is lost."""

    def __init__(self, card: IsoDepCard, lost: list[str] | None = None, size: int = 32) -> None:
        self.card = card
        self.lost = lost or []
        self.size = size - 3
        self.number = 0
        fsdi = (16, 24, 32, 40, 48, 64, 96, 128, 256).index(size)
        assert card.block(bytes((0xE0, fsdi << 4))) == ATS

    def send(self, block: bytes) -> bytes | None:
        fate = self.lost.pop(0) if self.lost else ""
        if fate == "block":
            return None
        answer = self.card.block(block)
        return None if fate == "answer" else answer

    def block(self, block: bytes) -> bytes:
        """A block's answer, asked for again as often as it takes (rules 4 and 5)."""
        answer = self.send(block)
        chained_answer = block[0] & 0xE0 == 0xA0
        for _ in range(50):
            if answer is None:
                again = 0xA2 if chained_answer else 0xB2
                answer = self.send(bytes((again | self.number,)))
            elif answer[0] & 0xF6 == 0xA2 and answer[0] & 1 != self.number:
                answer = self.send(block)  # it never came there (rule 6)
            else:
                return answer
        pytest.fail("no answer")

    def exchange(self, command: bytes) -> bytes:
        while len(command) > self.size:
            part, command = command[: self.size], command[self.size :]
            answer = self.block(bytes((0x12 | self.number,)) + part)
            assert answer == bytes((0xA2 | self.number,))
            self.number ^= 1
        answer = self.block(bytes((0x02 | self.number,)) + command)
        found = answer[1:]
        while answer[0] & 0x10:
            self.number ^= 1
            answer = self.block(bytes((0xA2 | self.number,)))
            found += answer[1:]
        assert answer[0] & 0x01 == self.number
        self.number ^= 1
        return found


@given(
    commands=st.lists(st.binary(min_size=1, max_size=MAX_COMMAND), min_size=1, max_size=4),
    times=st.integers(0, 4),
    size=st.sampled_from([16, 32, 64, 256]),
    lost=st.lists(st.sampled_from(["", "", "block", "answer"]), max_size=30),
)
def test_commands_and_answers_arrive_once_and_whole_whatever_is_lost(
    commands: list[bytes], times: int, size: int, lost: list[str]
) -> None:
    echo = Echo(times)
    reader = Reader(IsoDepCard(echo), lost, size)
    for command in commands:
        assert reader.exchange(command) == command * times + b"\x90\x00"
    assert echo.asked == commands


@given(blocks=st.lists(st.binary(max_size=40), max_size=12))
def test_whatever_comes_nothing_raises(blocks: list[bytes]) -> None:
    card = IsoDepCard(Echo(3))
    for block in (b"\xe0\x80", *blocks):
        answer = card.block(block)
        assert answer is None or answer


def test_before_rats_and_after_deselect_it_is_silent() -> None:
    card = IsoDepCard(Echo())
    assert card.block(b"\x02\x00\xa4\x04\x00") is None
    reader = Reader(card)
    assert reader.exchange(b"\x00\xa4\x04\x00")
    assert card.block(b"\xc2") == b"\xc2"
    assert card.block(b"\x03\x00\xa4\x04\x00") is None


def test_a_chain_without_end_is_no_command() -> None:
    echo = Echo()
    card = IsoDepCard(echo)
    card.block(b"\xe0\x80")
    answers = [card.block(bytes((0x12 | (n & 1),)) + bytes(100)) for n in range(4)]
    assert answers == [b"\xa2", b"\xa3", None, None]
    assert echo.asked == []
