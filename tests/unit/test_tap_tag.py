"""Links on NFC tags: both types as the NFC Forum has them, taken away at any moment."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.emv.apdu import Command, Response
from tandem.emv.terminal import Answer, Lost
from tandem.kernel import Invalid
from tandem.tap.errors import TagUnusable
from tandem.tap.tag import MAX_URL, find_tag, read_url, write_url

pytest.importorskip("ndef", reason="NDEF: ndeflib is not installed")
URL: Final = "https://pay.example/c/0123456789abcdef"
OTHER: Final = "https://pay.example/c/" + "x" * 290 + "?a=1&b=%20"
FINE, NONE, WRONG = Response(b"", 0x9000), Response(b"", 0x6A82), Response(b"", 0x6B00)


class Chip4:
    """A Type 4 tag of `size` bytes, which is taken away after `left` commands."""

    def __init__(self, size: int = 512, *, locked: bool = False, left: int = 10**6) -> None:
        access = b"\xff" if locked else b"\x00"
        tlv = b"\x04\x06\xe1\x04" + size.to_bytes(2, "big") + b"\x00" + access
        self.files = {
            b"\xe1\x03": bytearray(b"\x00\x0f\x20\x00\x3b\x00\x34" + tlv),
            b"\xe1\x04": bytearray(size),
        }
        self.chosen: bytearray | None = None
        self.selected = False
        self.left = left

    def transmit(self, apdu: bytes) -> Answer:
        self.left -= 1
        if self.left < 0:
            return Lost.TORN
        return self.answer(Command.read(apdu)).write()

    def answer(self, command: Command) -> Response:
        if (command.cla, command.ins) == (0, 0xA4):
            if command.p1 == 4:
                self.selected = command.data == bytes.fromhex("D2760000850101")
                return FINE if self.selected else NONE
            self.chosen = self.files.get(command.data) if self.selected else None
            return NONE if self.chosen is None else FINE
        if self.chosen is None or command.cla:
            return WRONG
        at = command.p1 << 8 | command.p2
        if command.ins == 0xB0:
            assert command.le is not None
            assert command.le <= 0x3B
            return Response(bytes(self.chosen[at : at + command.le]), 0x9000)
        assert len(command.data) <= 0x34
        self.chosen[at : at + len(command.data)] = command.data
        return FINE


class Chip2:
    """A Type 2 tag on a PC/SC reader, with this many bytes for data."""

    def __init__(self, size: int = 496, *, locked: bool = False, left: int = 10**6) -> None:
        self.pages = bytearray(12) + bytes((0xE1, 0x10, size // 8, 0x0F if locked else 0))
        self.pages += b"\x03\x00\xfe\x00" + bytes(size - 4)
        self.left = left

    def transmit(self, apdu: bytes) -> Answer:
        self.left -= 1
        if self.left < 0:
            return Lost.TORN
        command = Command.read(apdu)
        if command.cla != 0xFF:
            return b"\x6d\x00"
        at = command.p2 * 4
        if command.ins == 0xB0:
            return bytes(self.pages[at : at + 16]) + b"\x90\x00"
        assert len(command.data) == 4
        assert command.p2 >= 4, "the container is never written"
        self.pages[at : at + 4] = command.data
        return b"\x90\x00"


CHIPS: Final = pytest.mark.parametrize("chip", [Chip4, Chip2])


@CHIPS
@pytest.mark.parametrize("url", [URL, OTHER, "http://a.example/"])
def test_a_link_is_written_and_read(chip: type[Chip4 | Chip2], url: str) -> None:
    tag = find_tag(chip())
    assert read_url(tag) is None
    write_url(tag, url)
    assert read_url(tag) == url
    write_url(tag, URL)
    assert read_url(tag) == URL


@CHIPS
def test_a_tag_taken_away_has_the_old_link_the_new_one_or_none(chip: type[Chip4 | Chip2]) -> None:
    done = False
    for left in range(400):
        made = chip()
        write_url(find_tag(made), OTHER)
        made.left = left
        try:
            write_url(find_tag(made), URL)
            done = True
        except TagUnusable:
            done = False
        made.left = 10**6
        assert read_url(find_tag(made)) in {OTHER, URL, None}
        if done:
            break
    assert done


@CHIPS
def test_what_does_not_fit_or_is_locked_is_said_and_left(chip: type[Chip4 | Chip2]) -> None:
    with pytest.raises(TagUnusable, match="holds"):
        write_url(find_tag(chip(64)), OTHER)
    with pytest.raises(TagUnusable, match="write-protected"):
        write_url(find_tag(chip(locked=True)), URL)


def test_a_tag_larger_than_can_be_addressed_is_used_as_far_as_that() -> None:
    """Its container says 2,040 bytes; a reader's commands reach the first 1,008."""
    tag = find_tag(Chip2(255 * 8))
    assert read_url(tag) is None
    longest = "https://pay.example/".ljust(MAX_URL, "x")
    write_url(tag, longest)
    assert read_url(tag) == longest


def test_a_tag_that_answers_byte_by_byte_is_not_read_for_ever() -> None:
    class Crumbs:
        count = 0

        def transmit(self, apdu: bytes) -> Answer:
            self.count += 1
            answers = (b"", b"", bytes.fromhex("000F20000100F00406E104FFFF0000"), b"", b"\xff\xf0")
            return (answers[self.count - 1] if self.count <= 5 else apdu[-1:]) + b"\x90\x00"

    crumbs = Crumbs()
    with pytest.raises(TagUnusable, match="cannot be read"):
        read_url(find_tag(crumbs))
    assert crumbs.count == 3


@pytest.mark.parametrize(
    "url", ["", "ftp://x", "javascript:x", "https://a b", "https://ä", "https://" + "x" * MAX_URL]
)
def test_what_is_no_link_is_refused(url: str) -> None:
    with pytest.raises(Invalid):
        write_url(find_tag(Chip4()), url)


@given(st.data())
def test_whatever_a_tag_answers_is_a_link_or_a_refusal(data: st.DataObject) -> None:
    class Odd:
        def transmit(self, apdu: bytes) -> Answer:
            del apdu
            return data.draw(
                st.one_of(
                    st.binary(max_size=20),
                    st.binary(max_size=40).map(lambda b: b + b"\x90\x00"),
                    st.just(Lost.TORN),
                )
            )

    try:
        found = read_url(find_tag(Odd()))
    except TagUnusable:
        return
    assert found is None or isinstance(found, str)
