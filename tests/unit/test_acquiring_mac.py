"""MACs and the keys for them: published vectors, and what is changed on the way."""

from random import Random
from typing import Literal

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from hypothesis import given
from hypothesis import strategies as st

from tandem.acquiring import (
    Codec,
    De,
    KeyBlockBroken,
    Mac,
    MacMissing,
    MacWrong,
    Message,
    Wire,
    tr31,
)
from tandem.acquiring.errors import MessageMalformed
from tandem.acquiring.keys import OVERLAP_SECONDS, MacKeys, issue_key, receive_key
from tandem.acquiring.mac import MacKey, aes_cmac, check_mac, retail_mac, seal_message
from tandem.acquiring.tr31 import WrappedKey, WrappingKey, unwrap, wrap

Kind = Literal["aes", "tdes"]
Algorithm = Literal["retail", "aes-cmac"]
ISO_KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
RETAIL = MacKey(Mac(key="k"), ISO_KEY)
CMAC = MacKey(Mac(key="k", algorithm="aes-cmac"), ISO_KEY)
AES_MASTER = bytes(range(32))
REQUEST = Message("0200", {De.STAN: "000017", De.TERMINAL: "TERM0001", De.AMOUNT: "000000001234"})
CUTOVER = Message("0800", {De.STAN: "000017", De.NETWORK_CODE: "201"})
WIRES = (Wire(), Wire(binary="hex", bitmap="hex", text="cp500"), Wire(numeric="bcd"))


@pytest.mark.parametrize(
    ("data", "padding", "mac"),
    [
        # ISO/IEC 9797-1, annex on algorithm 3.
        (b"Now is the time for all ", 1, "A1C72E74EA3FA9B6"),
        (b"Now is the time for all ", 2, "E9086230CA3BE796"),
        (b"Now is the time for it", 1, "2E2B1428CC78254F"),
        (b"Now is the time for it", 2, "5A692CE64F404145"),
    ],
)
def test_the_retail_mac_has_the_standard_s_vectors(data: bytes, padding: int, mac: str) -> None:
    assert retail_mac(ISO_KEY, data, padding).hex().upper() == mac


@pytest.mark.parametrize(
    ("size", "mac"),
    [
        # RFC 4493, section 4: the first bytes of one long message.
        (0, "bb1d6929e95937287fa37d129b756746"),
        (16, "070a16b46b4d4144f79bdd9dd04a287c"),
        (40, "dfa66747de9ae63030ca32611497c827"),
        (64, "51f0bebf7e3b9d92fc49741779363cfe"),
    ],
)
def test_aes_cmac_has_the_vectors_of_rfc_4493(size: int, mac: str) -> None:
    key = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
    message = bytes.fromhex(
        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
        "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
    )
    assert aes_cmac(key, message[:size]).hex() == mac


@pytest.mark.parametrize(
    ("kind", "wrapping", "block", "key"),
    [
        # TR-31:2018, A.7.3 and A.7.4.
        (
            "tdes",
            "DD7515F2BFC17F85CE48F3CA25CB21F6",
            "B0080P0TE00E000094B420079CC80BA3461F86FE26EFC4A3B8E4FA4C5F5341176EED7B727B8A248E",
            "3F419E1CB7079442AA37474C2EFBF8B8",
        ),
        (
            "aes",
            "88E1AB2A2E3DD38C1FA039A536500CC8A87AB9D62DC92C01058FA79F44657DE6",
            (
                "D0112P0AE00E0000B82679114F470F540165EDFBF7E250FCEA43F810D215F8D207E2E417C07156A2"
                "7E8E31DA05F7425509593D03A457DC34"
            ),
            "3F419E1CB7079442AA37474C2EFBF8B8",
        ),
        # Of another implementation: a MAC key whose length is hidden by filling.
        (
            "tdes",
            "AAAAAAAAAAAAAAAABBBBBBBBBBBBBBBB",
            (
                "B0096M3TC00E0000B6CD513680EF255FC0DC590726FD0129A7CF6602E7F271631AB4EE7350642F11"
                "181AF4CC12F12FD9"
            ),
            "EEEEEEEEEEEEEEEE",
        ),
    ],
)
def test_key_blocks_have_the_standard_s_vectors(
    kind: Kind, wrapping: str, block: str, key: str
) -> None:
    opened = unwrap(WrappingKey(kind, bytes.fromhex(wrapping)), block)
    assert opened.secret.hex().upper() == key
    assert (opened.usage, opened.algorithm) == (block[5:7], block[7])


@given(
    st.sampled_from([("aes", 16), ("aes", 24), ("aes", 32), ("tdes", 16), ("tdes", 24)]),
    st.sampled_from([16, 24, 32]),
    st.randoms(use_true_random=False),
)
def test_a_key_block_gives_back_its_key_and_nothing_else_opens_it(
    wrapping: tuple[Kind, int], size: int, random: Random
) -> None:
    kind, length = wrapping
    master = WrappingKey(kind, random.randbytes(length))
    key = WrappedKey("M6", "A", random.randbytes(size))
    block = wrap(master, key, random.randbytes)
    assert unwrap(master, block) == key
    other = WrappingKey(kind, bytes((master.secret[0] ^ 0x80,)) + master.secret[1:])
    at = random.randrange(len(block))
    changed = block[:at] + random.choice("0123456789ABCDEFXN") + block[at + 1 :]
    with pytest.raises(KeyBlockBroken):
        unwrap(other, block)
    if changed != block:
        with pytest.raises(KeyBlockBroken):
            unwrap(master, changed)


@pytest.mark.parametrize(
    "block",
    ["", "D", "D0016M3TC00N0000", "D0032M3TC00N0000" + "0" * 16, "D0048M3TC00N0100" + "0" * 32],
)
def test_what_is_no_key_block_is_refused(block: str) -> None:
    with pytest.raises(KeyBlockBroken):
        unwrap(WrappingKey("aes", AES_MASTER), block)


def test_a_key_block_is_opened_by_its_own_kind_of_key_only() -> None:
    key = WrappedKey("M3", "T", ISO_KEY)
    aes, tdes = WrappingKey("aes", AES_MASTER), WrappingKey("tdes", AES_MASTER[:24])
    for made, other in ((aes, tdes), (tdes, aes)):
        with pytest.raises(KeyBlockBroken, match="version"):
            unwrap(other, wrap(made, key, bytes))


@pytest.mark.parametrize("bits", [129, 8 * 31, 0xFFF8])
def test_a_length_within_a_key_block_is_not_believed_beyond_it(bits: int) -> None:
    # Only whoever has the wrapping key can make this one: its MAC is right.
    master = WrappingKey("aes", AES_MASTER)
    header, clear = b"D0112M6AC00N0000", bits.to_bytes(2, "big") + bytes(30)
    mac = tr31._cmac(master, tr31._derive(master, tr31._AUTHENTICATION), header + clear)
    cipher = Cipher(AES(tr31._derive(master, tr31._ENCRYPTION)), modes.CBC(mac)).encryptor()
    block = header.decode() + (cipher.update(clear) + mac).hex().upper()
    with pytest.raises(KeyBlockBroken, match="no length that can be"):
        unwrap(master, block)


def test_keys_of_a_wrong_length_are_refused_and_shown_nowhere() -> None:
    with pytest.raises(ValueError, match="17 bytes"):
        WrappingKey("aes", bytes(17))
    with pytest.raises(ValueError, match="32 bytes"):
        WrappingKey("tdes", bytes(32))
    with pytest.raises(ValueError, match="8 bytes"):
        MacKey(Mac(key="k"), bytes(8))
    with pytest.raises(ValueError, match="8 bytes"):
        MacKey(Mac(key="k", algorithm="aes-cmac"), bytes(8))
    assert "0x" not in repr((RETAIL, WrappingKey("aes", AES_MASTER)))
    assert "secret" not in repr((RETAIL, WrappedKey("M3", "T", ISO_KEY)))


def test_check_values_tell_keys_apart() -> None:
    assert RETAIL.check_value == "08D7B4"
    assert len(CMAC.check_value) == 10


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("key", [RETAIL, CMAC])
@pytest.mark.parametrize(("message", "place"), [(REQUEST, De.MAC), (CUTOVER, De.MAC2)])
def test_a_sealed_message_ends_with_its_mac_over_all_before_it(
    wire: Wire, key: MacKey, message: Message, place: De
) -> None:
    codec = Codec(wire)
    body = seal_message(codec, message, key)
    read = codec.read(body)
    assert read.fields == {**message.fields, place: key.mac(body[: -wire.mac_size]).hex().upper()}
    assert check_mac(codec, read, body, [CMAC, RETAIL]) is key


@given(st.sampled_from(WIRES), st.sampled_from([RETAIL, CMAC]), st.data())
def test_no_changed_byte_passes(wire: Wire, key: MacKey, data: st.DataObject) -> None:
    codec = Codec(wire)
    body = bytearray(seal_message(codec, REQUEST, key))
    # A hexadecimal digit of the MAC itself may be a capital or not.
    last = len(body) - 1 - (wire.mac_size if wire.binary == "hex" else 0)
    body[data.draw(st.integers(0, last))] ^= data.draw(st.integers(1, 255))
    try:
        read = codec.read(bytes(body))
    except MessageMalformed:
        return
    with pytest.raises((MacWrong, MacMissing)):
        check_mac(codec, read, bytes(body), [key])


def test_a_mac_that_is_missing_or_not_at_the_end_is_none() -> None:
    codec = Codec(Wire())
    with pytest.raises(MacMissing):
        check_mac(codec, REQUEST, codec.write(REQUEST), [RETAIL])
    with pytest.raises(MacMissing):
        check_mac(codec, Message("0800", {}), b"", [RETAIL])
    # Elements behind 64 would not be covered, so a MAC there is no MAC.
    fields = {**CUTOVER.fields, De.MAC: RETAIL.mac(b"").hex().upper()}
    body = codec.write(Message("0800", fields))
    with pytest.raises(MacMissing):
        check_mac(codec, codec.read(body), body, [RETAIL])


def test_without_a_key_no_mac_is_right() -> None:
    codec = Codec(Wire())
    body = seal_message(codec, REQUEST, RETAIL)
    with pytest.raises(MacWrong):
        check_mac(codec, codec.read(body), body, [])


@pytest.mark.parametrize("algorithm", ["retail", "aes-cmac"])
def test_a_short_mac_is_its_first_four_bytes_and_zeros(algorithm: Algorithm) -> None:
    short = MacKey(Mac(key="k", algorithm=algorithm, size=4), ISO_KEY)
    whole = MacKey(Mac(key="k", algorithm=algorithm), ISO_KEY)
    assert short.mac(b"data") == whole.mac(b"data")[:4] + bytes(4)


@pytest.mark.parametrize("algorithm", ["retail", "aes-cmac"])
@pytest.mark.parametrize(("master", "secret"), [("aes", AES_MASTER), ("tdes", bytes(range(24)))])
def test_a_session_key_travels_to_the_link(
    algorithm: Algorithm, master: Kind, secret: bytes
) -> None:
    settings = Mac(key="k", algorithm=algorithm, master=master)
    key, block = issue_key(settings, secret, lambda count: bytes(range(100, 100 + count)))
    assert receive_key(settings, secret, block) == key
    assert key.secret.hex().upper() not in block
    if algorithm == "retail":
        assert all(byte.bit_count() % 2 for byte in key.secret)


def test_a_key_for_something_else_is_not_taken() -> None:
    settings = Mac(key="k")
    master = WrappingKey("aes", AES_MASTER)
    for wrapped in (
        WrappedKey("P0", "T", ISO_KEY),
        WrappedKey("M3", "A", ISO_KEY),
        WrappedKey("M3", "T", bytes(8)),
    ):
        block = wrap(master, wrapped, bytes)
        with pytest.raises(KeyBlockBroken):
            receive_key(settings, AES_MASTER, block)


def test_the_key_before_is_taken_a_little_longer_and_every_key_dies() -> None:
    first, second = (MacKey(Mac(key="k", life_seconds=1000), bytes((n,)) * 16) for n in (1, 2))
    keys = MacKeys()
    assert keys.at(0) == ()
    keys.change(first, 0)
    assert keys.at(1) == (first,)
    keys.change(second, 500)
    assert keys.at(500) == (second, first)
    assert keys.at(500 + OVERLAP_SECONDS) == (second,)
    assert keys.at(1499) == (second,)
    assert keys.at(1500) == ()
    assert MacKeys(first).at(10**9) == (first,)
