import string

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from emv_oracle import ask
from hypothesis import given
from hypothesis import strategies as st
from pyemv import kd, tools

from tandem.emv.ciphers import Algorithm, cmac, encipher
from tandem.emv.keys import (
    Derivation,
    card_master_key,
    has_odd_parity,
    key_check_value,
    odd_parity,
    session_key,
)
from tandem.kernel import Invalid

A, B, C = Derivation
TDES, AES_ = Algorithm
DES_KEY = "0123456789ABCDEFFEDCBA9876543210"
AES_KEY = "0F0E0D0C0B0A09080706050403020100"
CFPP_KEY = "DFADBFEF0123456789866443DFADBFEF"
MESSAGE = bytes.fromhex(
    "6BC1BEE22E409F96E93D7E117393172AAE2D8A571E03AC9C9EB76FAC45AF8E51"
    "30C81C46A35CE411E5FBC1191A0A52EFF69F2445DF4F9B17AD2B417BE66C3710"
)

pans = st.text(string.digits, min_size=8, max_size=19)
sequences = st.text(string.digits, min_size=2, max_size=2)
double_keys = st.binary(min_size=16, max_size=16)
aes_keys = st.sampled_from([16, 24, 32]).flatmap(lambda n: st.binary(min_size=n, max_size=n))
atcs = st.binary(min_size=2, max_size=2)


@pytest.mark.parametrize(
    ("source", "option", "issuer_key", "pan", "sequence", "card_key"),
    [
        ("pyemv", A, DES_KEY, "99012345678901234", "45", "67F8292358083E5EA7AB7FDA58D53B6B"),
        ("pyemv", A, DES_KEY, "12345678901234567", "01", "73AD54688CEF2934B0979857E3C719F1"),
        ("pyemv", B, DES_KEY, "12345678901234567", "01", "AD406D7F6D7570916D75E5DCAB8CF737"),
        ("pyemv", B, DES_KEY, "99012345678901234", "45", "985EC4FD3EDF6162E31AF1C7D0543416"),
        (
            "EFTlab",
            A,
            DES_KEY[:16] * 2,
            "43219876543210987",
            "00",
            "C8B507136D921FD05864C81F79F2D30B",
        ),
        ("cfpp", A, CFPP_KEY, "9012345432101232", "01", "158C5E5ED9947662676415FDA48A677C"),
        ("cfpp", B, CFPP_KEY, "9876543210123456789", "01", "E5AB98AB5E76F757FEDC7F016E5E2358"),
        ("cfpp", C, CFPP_KEY, "9012345432101232", "01", "3AD95FE6AD75062DFCF19D834504AC23"),
        ("card42", C, AES_KEY, "1234567890", "00", "F5C0A799FFBED1DB4F9BD2E54BF2CFD9"),
        ("card42", C, AES_KEY, "1234567890", "12", "CBCE431053E9874B1AF0B115D6E04C2A"),
    ],
)
def test_card_keys_are_those_that_others_published(
    source: str, option: Derivation, issuer_key: str, pan: str, sequence: str, card_key: str
) -> None:
    made = card_master_key(option, bytes.fromhex(issuer_key), pan, sequence)
    assert made.hex().upper() == card_key, source


@given(double_keys, pans, sequences)
def test_options_a_and_b_agree_with_pyemv(issuer_key: bytes, pan: str, sequence: str) -> None:
    made = {option: card_master_key(option, issuer_key, pan, sequence) for option in (A, B)}
    assert made[A] == ask(kd.derive_icc_mk_a, issuer_key, pan, sequence)
    assert made[B] == ask(kd.derive_icc_mk_b, issuer_key, pan, sequence)
    assert all(has_odd_parity(key) for key in made.values())


@given(aes_keys, pans, sequences)
def test_option_c_is_the_block_of_all_digits_and_its_inverse(
    issuer_key: bytes, pan: str, sequence: str
) -> None:
    y = int(pan + sequence, 16).to_bytes(16, "big")
    inverse = bytes(255 - byte for byte in y)
    wanted = Cipher(AES(issuer_key), ECB()).encryptor().update(y + inverse)  # noqa: S305 - A1.4.3
    assert card_master_key(C, issuer_key, pan, sequence) == wanted[: len(issuer_key)]


def test_a_hash_with_few_decimal_digits_is_filled_up_from_its_letters() -> None:
    # Found by search: the hash of 990000000000000076901 is 31fbfea2 9b77e5bb dcda91dd dd243dd8
    # a7d5aebe, with 15 digits and then f as 5.
    key, pan = bytes.fromhex(DES_KEY), "9900000000000000769"
    y = bytes.fromhex("3129775912438755")
    wanted = odd_parity(encipher(TDES, key, y + bytes(255 - byte for byte in y)))
    assert card_master_key(B, key, pan, "01") == wanted
    assert wanted == ask(kd.derive_icc_mk_b, key, pan, "01")


@pytest.mark.parametrize(
    ("source", "algorithm", "card_key", "atc", "key"),
    [
        ("pyemv", TDES, DES_KEY, "001C", "E9FB384AF807B940FEDCEA613461B0C4"),
        ("card42", AES_, AES_KEY, "0001", "F06C204C70D2AD0CD1FA3B8CE15958F8"),
    ],
)
def test_session_keys_are_those_that_others_published(
    source: str, algorithm: Algorithm, card_key: str, atc: str, key: str
) -> None:
    made = session_key(algorithm, bytes.fromhex(card_key), bytes.fromhex(atc))
    assert made.hex().upper() == key, source


@given(double_keys, atcs)
def test_3des_session_keys_agree_with_pyemv(card_key: bytes, atc: bytes) -> None:
    assert session_key(TDES, card_key, atc) == ask(kd.derive_common_sk, card_key, atc + bytes(6))


@given(aes_keys, atcs)
def test_aes_session_keys_are_one_block_or_two_marked_ones(card_key: bytes, atc: bytes) -> None:
    blocks = [atc + bytes(14)]
    if len(card_key) > 16:
        blocks = [atc + mark + bytes(13) for mark in (b"\xf0", b"\x0f")]
    wanted = Cipher(AES(card_key), ECB()).encryptor().update(b"".join(blocks))  # noqa: S305 - A1.3.1
    assert session_key(AES_, card_key, atc) == wanted[: len(card_key)]


@given(double_keys, atcs, atcs)
def test_each_payment_has_a_key_of_its_own(card_key: bytes, atc: bytes, other: bytes) -> None:
    for algorithm in Algorithm:
        same = session_key(algorithm, card_key, atc) == session_key(algorithm, card_key, other)
        assert same == (atc == other)


@pytest.mark.parametrize(
    ("length", "mac"),
    [
        (0, "BB1D6929E95937287FA37D129B756746"),
        (16, "070A16B46B4D4144F79BDD9DD04A287C"),
        (40, "DFA66747DE9AE63030CA32611497C827"),
        (64, "51F0BEBF7E3B9D92FC49741779363CFE"),
    ],
)
def test_aes_cmac_has_the_values_of_rfc_4493(length: int, mac: str) -> None:
    key = bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C")
    assert cmac(key, MESSAGE[:length]).hex().upper() == mac


@pytest.mark.parametrize(
    ("source", "algorithm", "key", "value"),
    [
        ("EFTlab", TDES, "C8B507136D921FD05864C81F79F2D30B", "0DA897"),
        ("jPOS", TDES, "12345678" * 4, "6FB1C8"),
        ("pyemv", TDES, DES_KEY, "08D7B4"),
    ],
)
def test_key_check_values(source: str, algorithm: Algorithm, key: str, value: str) -> None:
    assert key_check_value(algorithm, bytes.fromhex(key)).hex().upper() == value, source


@given(aes_keys)
def test_an_aes_check_value_is_a_cmac_and_no_part_of_an_enciphered_block(key: bytes) -> None:
    assert key_check_value(AES_, key) == cmac(key, bytes(16))[:3]
    assert key_check_value(AES_, key) != encipher(AES_, key, bytes(16))[:3]


@given(double_keys)
def test_check_values_and_parity_agree_with_pyemv(key: bytes) -> None:
    assert key_check_value(TDES, key) == ask(tools.key_check_digits, key, 3)
    assert odd_parity(key) == ask(tools.adjust_key_parity, key)
    assert key_check_value(TDES, odd_parity(key)) == key_check_value(TDES, key)
    assert has_odd_parity(key) == (key == odd_parity(key))


@pytest.mark.parametrize(
    "pan", ["", "1234567", "1" * 20, "12345678x", "1234 5678", "1234567\u0668"]
)
@pytest.mark.parametrize("option", Derivation)
def test_what_is_no_card_number_is_refused(option: Derivation, pan: str) -> None:
    with pytest.raises(Invalid) as refused:
        card_master_key(option, bytes(16), pan)
    assert (refused.value.field, pan in refused.value.sentence()) == ("pan", pan == "")


@pytest.mark.parametrize("sequence", ["", "0", "000", "0a", "0\u0660"])
def test_what_is_no_sequence_number_is_refused(sequence: str) -> None:
    with pytest.raises(Invalid) as refused:
        card_master_key(C, bytes(16), "1234567890", sequence)
    assert refused.value.field == "sequence"


@given(st.binary(max_size=40))
def test_keys_of_another_length_are_faults_that_show_no_key(key: bytes) -> None:
    for algorithm, option in ((TDES, A), (TDES, B), (AES_, C)):
        if len(key) in algorithm.key_bytes:
            continue
        with pytest.raises(ValueError, match=f"a key of {len(key)} bytes is none of") as fault:
            card_master_key(option, key, "1234567890")
        assert len(key) < 4 or key.hex() not in str(fault.value)
        with pytest.raises(ValueError, match="is none of"):
            session_key(algorithm, key, bytes(2))
        with pytest.raises(ValueError, match="is none of"):
            key_check_value(algorithm, key)


@pytest.mark.parametrize("atc", [b"", b"\0", bytes(3)])
def test_a_counter_has_two_bytes(atc: bytes) -> None:
    with pytest.raises(ValueError, match="an ATC has 2 bytes"):
        session_key(AES_, bytes(16), atc)
