"""What rolling tags sign: NXP's published example (AN12196, 3.4), and whatever is sent instead."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.tags.sun import (
    LAST_COUNTER,
    Reading,
    encrypt,
    read_link,
    read_message,
    sign,
    template,
)

ZEROS: Final = bytes(16)
PICC: Final = bytes.fromhex("EF963FF7828658A599F3041510671E88")
MAC: Final = bytes.fromhex("94EED9EE65337086")
UID: Final = bytes.fromhex("04DE5F1EACC040")
PUBLIC: Final = "https://pay.example"
WIDE_ZERO: Final = "\N{FULLWIDTH DIGIT ZERO}"
TOKEN: Final = "Zm9vYmFyYmF6cXV4MTIz"


def test_the_published_message_is_read() -> None:
    assert read_message(ZEROS, ZEROS, PICC, MAC) == Reading(UID, 61)


def test_the_published_message_is_made() -> None:
    made = encrypt(ZEROS, UID, 61, lambda count: bytes.fromhex("DA5CF60941")[:count])
    assert (made, sign(ZEROS, UID, 61)) == (PICC, MAC)


@pytest.mark.parametrize("bit", range(128))
def test_a_changed_bit_is_no_message(bit: int) -> None:
    changed = (int.from_bytes(PICC, "big") ^ 1 << bit).to_bytes(16, "big")
    assert read_message(ZEROS, ZEROS, changed, MAC) is None
    if bit < 64:
        wrong = (int.from_bytes(MAC, "big") ^ 1 << bit).to_bytes(8, "big")
        assert read_message(ZEROS, ZEROS, PICC, wrong) is None


def test_keys_of_another_tag_open_nothing() -> None:
    other = bytes(15) + b"\x01"
    assert read_message(other, ZEROS, PICC, MAC) is None
    assert read_message(ZEROS, other, PICC, MAC) is None


@given(
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=7, max_size=7),
    st.integers(0, LAST_COUNTER),
)
def test_what_a_tag_makes_is_read(meta: bytes, mac: bytes, uid: bytes, counter: int) -> None:
    said = encrypt(meta, uid, counter, lambda count: b"r" * count)
    assert read_message(meta, mac, said, sign(mac, uid, counter)) == Reading(uid, counter)


def test_a_signed_message_without_its_form_is_none() -> None:
    """The tag says which of its values are there; a form of another length is not ours."""
    from cryptography.hazmat.primitives.ciphers import Cipher  # noqa: PLC0415 - only here
    from cryptography.hazmat.primitives.ciphers.algorithms import AES  # noqa: PLC0415 - only here
    from cryptography.hazmat.primitives.ciphers.modes import CBC  # noqa: PLC0415 - only here

    plain = b"\x87" + UID + (61).to_bytes(3, "little") + bytes(5)
    picc = Cipher(AES(ZEROS), CBC(ZEROS)).encryptor().update(plain)
    assert read_message(ZEROS, ZEROS, picc, MAC) is None


def test_a_link_is_what_the_template_becomes() -> None:
    made = template(PUBLIC, TOKEN)
    link = read_link(made, PUBLIC)
    assert link is not None
    assert (link.token, link.picc_data, link.mac) == (TOKEN, bytes(16), bytes(8))
    filled = f"{PUBLIC}/t/{TOKEN}?picc_data={PICC.hex().upper()}&cmac={MAC.hex()}"
    assert len(filled) == len(made)
    assert read_link(f" {filled}\n", PUBLIC) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"{PUBLIC}/t/{TOKEN}",
        f"{PUBLIC}/c/{TOKEN}?picc_data={'0' * 32}&cmac={'0' * 16}",
        f"{PUBLIC}/t/{TOKEN}?cmac={'0' * 16}&picc_data={'0' * 32}",
        f"{PUBLIC}/t/{TOKEN}?picc_data={'0' * 32}&cmac={'0' * 16}&x=1",
        f"{PUBLIC}/t/{TOKEN}?picc_data={'0' * 31}&cmac={'0' * 16}",
        f"{PUBLIC}/t/{TOKEN}?picc_data={'g' * 32}&cmac={'0' * 16}",
        f"{PUBLIC}/t/short?picc_data={'0' * 32}&cmac={'0' * 16}",
        f"https://evil.example/t/{TOKEN}?picc_data={'0' * 32}&cmac={'0' * 16}",
        f"https://evil.example/{PUBLIC}/t/{TOKEN}?picc_data={'0' * 32}&cmac={'0' * 16}",
        f"/t/{TOKEN}?picc_data={'0' * 32}&cmac={'0' * 16}",
        f"{PUBLIC}/t/{TOKEN}?picc_data={WIDE_ZERO * 32}&cmac={'0' * 16}",
    ],
)
def test_anything_else_is_no_link_of_a_tag(text: str) -> None:
    assert read_link(text, PUBLIC) is None


@given(st.text())
def test_any_text_is_a_link_or_none(text: str) -> None:
    assert read_link(text, PUBLIC) is None
