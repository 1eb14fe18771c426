"""NTAG 424 DNA's secure messaging: NXP's published examples (AN12196), byte by byte."""

from typing import Final

import pytest

from tandem.tap.ntag424 import (
    CLOSED,
    FACTORY,
    FACTORY_KEY,
    FREE,
    Channel,
    FileSettings,
    Ins,
    chained,
    channel,
    checksum,
    key_change,
    turned,
    unchained,
)


def h(text: str) -> bytes:
    return bytes.fromhex(text)


RND_A: Final = h("13C5DB8A5930439FC3DEF9A4C675360F")
RND_B: Final = h("B9E2FC789B64BF237CCCAA20EC7E6E48")
NEW: Final = h("F3847D627727ED3BC9C4CC050489B966")


def first(counter: int = 0) -> Channel:
    """The session of tables 14 to 18."""
    made = channel(FACTORY_KEY, RND_A, RND_B, h("9D00C4DF"))
    made.counter = counter
    return made


def later(counter: int) -> Channel:
    """The session of tables 23 to 26."""
    enc, mac = "4CF3CB41A22583A61E89B158D252FC53", "5529860B2FC5FB6154B7F28361D30BF9"
    return Channel(h(enc), h(mac), h("7614281A"), counter)


def test_authentication() -> None:
    """Table 14: both sides' proofs, and the session keys."""
    assert unchained(FACTORY_KEY, h("A04C124213C186F22399D33AC2A30215")) == RND_B
    proof = "35C3E05A752E0144BAC0DE51C1F22C56B34408A23D8AEA266CAB947EA8E0118D"
    assert chained(FACTORY_KEY, RND_A + turned(RND_B)) == h(proof)
    answer = "3FA64DB5446D1F34CD6EA311167F5E4985B89690C04A05F17FA7AB2F08120663"
    assert unchained(FACTORY_KEY, h(answer)) == h("9D00C4DF") + turned(RND_A) + bytes(12)
    made = first()
    assert made.enc == h("1309C877509E5A215007FF0ED19CA564")
    assert made.mac == h("4C6626F5E72EA694202139295C7A7FC7")


def test_authentication_with_another_key() -> None:
    """Table 19."""
    rnd_a, rnd_b = h("B98F4C50CF1C2E084FD150E33992B048"), h("91517975190DCEA6104948EFA3085C1B")
    made = channel(FACTORY_KEY, rnd_a, rnd_b, h("7614281A"))
    assert made.enc == h("7A93D6571E4B180FCA6AC90C9A7488D4")
    assert made.mac == h("FC4AF159B62E549B5812394CAB1918CC")


def test_file_settings() -> None:
    """Table 18, under keys 2 and 1 and with the counter readable; ours differ in that."""
    body = "0261B6D97903566E84C3AE5274467E89EAD799B7C1A0EF7A04"
    assert first(1).seal(0x5F, b"\x02", h("4000E0C1F121200000430000430000")) == h(body)
    assert first(1).open(0x5F, h(body), 1) == (b"\x02", h("4000E0C1F121200000430000430000"))
    assert first(2).read_answer(h("57BFF87B1241E93D")) == b""
    ours = FileSettings(read=FREE, write=0, change=0, mirror=(0x20, 0x43))
    assert ours.write_out() == h("4000E0C1FF12200000430000430000")


@pytest.mark.parametrize(
    "settings",
    [FACTORY, CLOSED, FileSettings(read=FREE, write=0, change=0, mirror=(0x20, 0x43))],
)
def test_settings_are_read_as_they_are_written(settings: FileSettings) -> None:
    assert FileSettings.read_in(settings.write_out()) == settings


@pytest.mark.parametrize(
    "data",
    ["", "00", "0000E000", "4000E0C1F121200000430000430000", "4000E0C1FF12200000420000430000"],
)
def test_other_settings_are_none(data: str) -> None:
    assert FileSettings.read_in(h(data)) is None


def test_writing_in_full_mode() -> None:
    """Table 21."""
    enc, mac = "7A93D6571E4B180FCA6AC90C9A7488D4", "FC4AF159B62E549B5812394CAB1918CC"
    made = Channel(h(enc), h(mac), h("7614281A"))
    body = "030000000A00006B5E6804909962FC4E3FF5522CF0F8436C0C53315B9C73AA"
    assert made.seal(Ins.WRITE_DATA, h("030000000A0000"), h("0102030405060708090A")) == h(body)
    made.counter = 1
    assert made.read_answer(h("C26D236E4A7C046D")) == b""


def test_changing_a_key_under_another() -> None:
    """Table 25."""
    assert checksum(NEW) == h("789DFADC")
    body = "022CF362B7BF4311FF3BE1DAA295E8C68DE09050560D19B9E16C2393AE9CD1FAC75D0CE20BCD1D06E6"
    change = key_change(2, NEW, FACTORY_KEY, 1)
    assert later(2).seal(Ins.CHANGE_KEY, b"\x02", change) == h(body)
    assert later(3).read_answer(h("203BB55D1089D587")) == b""


def test_changing_the_key_that_one_is_authenticated_by() -> None:
    """Table 26."""
    change = key_change(0, h("5004BF991F408672B1EF00F08F9E8647"), FACTORY_KEY, 1)
    body = "00C0EB4DEEFEDDF0B513A03A95A75491818580503190D4D05053FF75668A01D6FDA6610234BDED6432"
    assert later(3).seal(Ins.CHANGE_KEY, b"\x00", change) == h(body)


def test_an_answer_with_data() -> None:
    """Table 28: the UID, enciphered."""
    enc, mac = "2B4D963C014DC36F24F69A50A394F875", "379D32130CE61705DD5FD8C36B95D764"
    made = Channel(h(enc), h(mac), h("DF055522"))
    assert made.seal(0x51, b"", b"") == h("8E2C155ADDA99BE3")
    made.counter = 1
    body = h("70756055688505B52A5E26E59E329CD6595F672298EA41B7")
    assert made.read_answer(body) == h("04958CAA5C5E80")
    assert made.answer(h("04958CAA5C5E80")) == body


@pytest.mark.parametrize("bit", range(0, 192, 7))
def test_a_changed_bit_is_no_answer_and_no_command(bit: int) -> None:
    sealed = first(1).seal(0x5F, b"\x02", h("00E0EE"))
    wrong = (int.from_bytes(sealed, "big") ^ 1 << bit).to_bytes(len(sealed), "big")
    assert first(1).open(0x5F, wrong, 1) is None
    assert first(2).open(0x5F, sealed, 1) is None
    assert first(1).open(0x8D, sealed, 1) is None
    answer = h("70756055688505B52A5E26E59E329CD6595F672298EA41B7")
    changed = (int.from_bytes(answer, "big") ^ 1 << bit).to_bytes(len(answer), "big")
    assert first(1).read_answer(changed) is None


def test_no_key_is_shown() -> None:
    assert "1309" not in repr(first())
