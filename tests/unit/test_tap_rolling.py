"""Rolling tags are written and wiped, taken away at any command, and speak to nobody else."""

import contextlib
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emv_tap import seeded
from tandem.emv.apdu import Command, Response
from tandem.emv.terminal import Answer, Lost
from tandem.tags import TagPackage, template
from tandem.tags.sun import Reading, read_link, read_message
from tandem.tap import Direct
from tandem.tap.errors import TagUnusable
from tandem.tap.ntag424 import FACTORY_KEY, KEYS, NDEF_BYTES, Sw
from tandem.tap.rolling import Chip, wipe, write_rolling
from tandem.tap.soft_tag import SoftState, SoftTag, blank
from tandem.tap.tag import find_tag, read_url, write_url

pytest.importorskip("ndef", reason="NDEF: ndeflib is not installed")
PUBLIC: Final = "https://pay.example"
TOKEN: Final = "Zm9vYmFyYmF6cXV4MTIz"


def package(number: int = 1, public_url: str = PUBLIC) -> TagPackage:
    keys = (bytes((number, n)) * 8 for n in range(4))
    url = template(public_url, TOKEN)
    return TagPackage(f"tag_{number:032x}", url, *(key.hex().upper() for key in keys))


class Held:
    """A tag that keeps what it saves, and leaves the field after so many commands."""

    def __init__(self, state: SoftState | None = None, left: int = 10**6) -> None:
        self.state = state or blank(seeded("uid"))
        self.left = left
        self._there = True
        self._tag = self._again()

    def _again(self) -> SoftTag:
        def save(state: SoftState) -> None:
            self.state = state

        return SoftTag(self.state, save, seeded("tag"))

    def back(self) -> "Held":
        """In the field again, as what it saved says."""
        self.left, self._tag = 10**6, self._again()
        return self

    def transmit(self, apdu: bytes) -> Answer:
        self.left -= 1
        return Lost.TORN if self.left < 0 else self._tag.exchange(apdu)


def said(tag: Held, written: TagPackage) -> Reading | None:
    """What a phone reads, as the server opens it."""
    link = read_link(read_url(find_tag(tag)) or "", PUBLIC)
    keys = written.keys()
    return None if link is None else read_message(keys.meta, keys.mac, link.picc_data, link.mac)


def test_each_reading_signs_the_next_count() -> None:
    tag = Held()
    assert write_rolling(tag, package(), seeded("a")) == 1
    found = [said(tag, package()) for _ in range(3)]
    assert found == [Reading(tag.state.uid, count) for count in (2, 3, 4)]
    assert set(tag.state.versions) == {1}
    assert tag.state.keys == package().keys().by_number()


def test_a_long_link_fits_and_a_longer_one_is_said() -> None:
    longest = "https://" + "a" * 120 + ".example"
    tag = Held()
    assert write_rolling(tag, package(public_url=longest), seeded("a")) == 1
    with pytest.raises(TagUnusable, match="holds 254 bytes"):
        write_rolling(Held(), package(public_url=longest + "a" * 60), seeded("a"))


def test_written_again_it_goes_on_counting() -> None:
    tag = Held()
    write_rolling(tag, package(), seeded("a"))
    for _ in range(5):
        said(tag, package())
    assert write_rolling(tag, package(), seeded("b")) == 7


@pytest.mark.parametrize("what", [write_rolling, wipe])
def test_taken_away_at_any_command_it_is_finished_later(what: object) -> None:
    torn = 0
    while True:
        tag = Held()
        if what is wipe:
            write_rolling(tag, package(), seeded("a"))
        tag.back().left = torn
        with contextlib.suppress(TagUnusable):
            what(tag, package(), seeded("b"))  # type: ignore[operator]  # one of the two
            break
        tag.back()
        if what is wipe:
            if set(tag.state.versions) != {0}:
                wipe(tag, package(), seeded("c"))
            assert tag.state.keys == (FACTORY_KEY,) * KEYS
        else:
            assert write_rolling(tag, package(), seeded("c")) >= 1
            assert said(tag, package()) is not None
        torn += 1
    assert torn > 15


def test_a_wiped_tag_is_as_it_came() -> None:
    tag = Held()
    before = tag.state
    write_rolling(tag, package(1), seeded("a"))
    wipe(tag, package(1), seeded("b"))
    assert msgspec.structs.replace(tag.state, counter=0) == before
    assert read_url(find_tag(tag)) is None
    with pytest.raises(TagUnusable, match="factory keys already"):
        wipe(tag, package(1), seeded("b"))
    assert write_rolling(tag, package(2), seeded("c")) == 1


def test_another_tags_keys_change_nothing() -> None:
    tag = Held()
    write_rolling(tag, package(1), seeded("a"))
    before = tag.state
    for what in (write_rolling, wipe):
        with pytest.raises(TagUnusable, match="of another tag"):
            what(tag, package(2), seeded("b"))
    assert msgspec.structs.replace(tag.state, counter=before.counter) == before


def test_a_written_tag_is_not_written_without_its_keys() -> None:
    tag = Held()
    write_rolling(tag, package(), seeded("a"))
    with pytest.raises(TagUnusable, match="write-protected"):
        write_url(find_tag(tag), "https://evil.example/")
    reading = said(tag, package())
    assert reading is not None


def test_a_blank_one_is_written_plain_too() -> None:
    tag = Held()
    write_url(find_tag(tag), f"{PUBLIC}/c/{TOKEN}")
    assert read_url(find_tag(tag)) == f"{PUBLIC}/c/{TOKEN}"


def test_a_tag_of_another_kind_is_told() -> None:
    class Other:
        def transmit(self, apdu: bytes) -> Answer:
            return b"\x90\x00" if apdu[1] == 0xA4 else b"\x6d\x00"

    for answers in (Other(), Direct(_Nothing())):
        with pytest.raises(TagUnusable, match=r"no NTAG 424|6D00"):
            write_rolling(answers, package(), seeded("a"))


class _Nothing:
    def exchange(self, apdu: bytes) -> bytes:
        del apdu
        return b"\x6a\x82"

    def reset(self) -> None: ...


def test_a_chip_that_does_not_know_the_key_is_told() -> None:
    """One in the middle answers the proof with something."""

    class Middle:
        def __init__(self, tag: Held) -> None:
            self.tag = tag

        def transmit(self, apdu: bytes) -> Answer:
            answer = self.tag.transmit(apdu)
            assert isinstance(answer, bytes)
            return bytes(32) + answer[-2:] if len(answer) == 34 else answer

    with pytest.raises(TagUnusable, match="of another tag"):
        write_rolling(Middle(Held()), package(), seeded("a"))


def test_an_answer_that_is_not_signed_is_told() -> None:
    class Unsigned:
        def __init__(self, tag: Held) -> None:
            self.tag = tag

        def transmit(self, apdu: bytes) -> Answer:
            answer = self.tag.transmit(apdu)
            changes = apdu[1] == 0x5F
            return b"\x91\x00" if changes else answer

    with pytest.raises(TagUnusable, match="not signed"):
        write_rolling(Unsigned(Held()), package(), seeded("a"))


def test_a_command_of_before_is_not_taken_again() -> None:
    tag, sent = Held(), []

    class Listens:
        def transmit(self, apdu: bytes) -> Answer:
            sent.append(apdu)
            return tag.transmit(apdu)

    write_rolling(Listens(), package(), seeded("a"))
    before = tag.state
    chip = Chip(tag, seeded("b"))
    chip.authenticate(package().keys().master)
    for apdu in sent:
        if apdu[:1] == b"\x90" and apdu[1] in (0x5F, 0x8D, 0xC4):
            answer = tag.transmit(apdu)
            assert isinstance(answer, bytes)
            assert Response.read(answer).status in (Sw.INTEGRITY, Sw.AUTHENTICATION)
    assert tag.state == before


@given(st.lists(st.binary(max_size=40), max_size=12))
def test_whatever_is_sent_a_tag_answers_and_keeps_its_keys(commands: list[bytes]) -> None:
    tag = Held()
    write_rolling(tag, package(), seeded("a"))
    heads = (b"\x90\x71\x00\x00", b"\x90\xaf\x00\x00", b"\x90\xc4\x00\x00", b"\x00\xd6\x00\x00")
    for number, command in enumerate(commands):
        framed = heads[number % 4] + bytes((len(command),)) + command if command else command
        for apdu in (command, framed):
            answer = tag.transmit(apdu)
            assert isinstance(answer, bytes)
            assert len(answer) >= 2
    assert tag.state.keys == package().keys().by_number()


@given(st.data())
def test_whatever_a_chip_answers_is_said(data: st.DataObject) -> None:
    tag = Held()

    class Odd:
        def transmit(self, apdu: bytes) -> Answer:
            real = tag.transmit(apdu)
            return data.draw(st.one_of(st.just(real), st.binary(max_size=40), st.just(Lost.TORN)))

    try:
        write_rolling(Odd(), package(), seeded("a"))
    except TagUnusable:
        return
    assert said(tag.back(), package()) is not None


def test_the_last_count_is_the_last() -> None:
    tag = Held()
    write_rolling(tag, package(), seeded("a"))
    tag.state = msgspec.structs.replace(tag.state, counter=2**24 - 1)
    with pytest.raises(TagUnusable, match="6982"):
        read_url(find_tag(tag.back()))


def test_reads_beyond_the_file_are_told() -> None:
    tag = Held()
    find_tag(tag)
    tag.transmit(Command(0, 0xA4, 0, 0x0C, b"\xe1\x04").write())
    assert tag.transmit(Command(0, 0xB0, 1, 0, b"", 1).write()) == b"\x6b\x00"
    assert tag.transmit(Command(0, 0xD6, 0, 250, bytes(10)).write()) == b"\x6b\x00"
    assert len(tag.state.content) == NDEF_BYTES
