import hashlib
import threading
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicNumbers,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from hypothesis import given
from hypothesis import strategies as st

from emv_made import changed, entropy, key
from tandem.emv.errors import AuthenticationFailed, Fault, KeyMalformed, Signed
from tandem.emv.rsa import PrivateKey, PublicKey, SignatureFault, _prime

LENGTHS = [1152, 1160, 1408, 1976, 1984]
SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
WHAT = Signed.DYNAMIC_DATA


def pkcs1(length: int, message: bytes) -> bytes:
    """What RSASSA-PKCS1-v1_5 puts under the bare operation (RFC 8017, 9.2)."""
    digest = SHA256_INFO + hashlib.sha256(message).digest()
    return b"\0\1" + b"\xff" * (length - len(digest) - 3) + b"\0" + digest


@pytest.mark.parametrize("bits", LENGTHS)
def test_the_bare_operation_is_that_of_openssl(bits: int) -> None:
    made = key(bits)
    theirs = load_der_private_key(made.to_bytes(), None)  # checked by OpenSSL, primes included
    assert isinstance(theirs, RSAPrivateKey)
    block = pkcs1(bits // 8, b"message")
    signature = made._power(int.from_bytes(block, "big")).to_bytes(bits // 8, "big")
    assert signature == theirs.sign(b"message", PKCS1v15(), SHA256())
    assert made.public.power(int.from_bytes(signature, "big")) == int.from_bytes(block, "big")


@pytest.mark.parametrize("exponent", [3, 65537])
def test_a_key_has_the_length_and_exponent_that_were_asked_for(exponent: int) -> None:
    made = key(1152, "exponent", exponent)
    assert (len(made.public.modulus), made.public.exponent) == (144, exponent)
    assert made.public.plausible
    assert made.public.exponent_bytes.hex() == {3: "03", 65537: "010001"}[exponent]
    numbers = load_der_private_key(made.to_bytes(), None)
    assert isinstance(numbers, RSAPrivateKey)
    private = numbers.private_numbers()
    assert private.p.bit_length() == private.q.bit_length() == 576
    assert abs(private.p - private.q).bit_length() > 476
    assert private.d.bit_length() > 576


def test_the_same_entropy_makes_the_same_key_and_another_another() -> None:
    made = key(1152)
    assert PrivateKey.generate(1152, entropy(" 1152")).to_bytes() == made.to_bytes()
    assert PrivateKey.generate(1152, entropy("else")).public != made.public


@pytest.mark.parametrize(
    ("bits", "exponent"), [(1144, 65537), (1992, 65537), (1153, 65537), (1152, 5), (2048, 3)]
)
def test_other_keys_are_not_made(bits: int, exponent: int) -> None:
    with pytest.raises(ValueError, match="no RSA key of"):
        PrivateKey.generate(bits, entropy("x"), exponent)


def test_a_broken_source_of_randomness_is_noticed() -> None:
    with pytest.raises(ValueError, match="yields no primes"):
        PrivateKey.generate(1152, bytes)


def test_two_primes_are_never_near_each_other() -> None:
    # A source that says everything once more would make the same prime again.
    said, source, more = list[bytes](), entropy("p"), entropy("q")

    def recorded(length: int) -> bytes:
        said.append(source(length))
        return said[-1]

    p = _prime(576, recorded, 65537)
    again = iter(said)
    q = _prime(576, lambda length: next(again, b"") or more(length), 65537, apart_from=p)
    assert abs(p - q) >= 1 << 476


@given(st.binary(min_size=122, max_size=400))
def test_a_signature_gives_back_what_was_signed(message: bytes) -> None:
    made = key(1152)
    signature = made.sign(message)
    assert len(signature) == 144
    recovered = made.public.recover(signature, WHAT)
    assert recovered.message == message[:122]
    assert recovered.covers(message[122:])
    assert not recovered.covers(message[122:] + b"\0")
    assert made.sign(message) == signature


@given(st.data())
def test_no_changed_byte_of_a_signature_gives_back_the_message(draw: st.DataObject) -> None:
    made, message = key(1152), bytes(range(200))
    signature = changed(made.sign(message), draw)
    try:
        recovered = made.public.recover(signature, WHAT)
    except AuthenticationFailed:
        return
    assert not recovered.covers(message[122:])


@given(st.binary(max_size=300))
def test_any_bytes_are_no_signature(signature: bytes) -> None:
    for public in (key(1152).public, key(1152, "other").public):
        try:
            recovered = public.recover(signature, WHAT)
        except AuthenticationFailed as refused:
            assert (len(signature) == 144) == (refused.fault is not Fault.LENGTH)  # noqa: PT017 - or it recovers by chance
            continue
        assert not recovered.covers(b"")


@pytest.mark.parametrize(
    ("block", "fault"),
    [
        (b"\x6a" + bytes(142) + b"\xbb", Fault.TRAILER),
        (b"\x6a" + bytes(142) + b"\xcc", Fault.TRAILER),  # ISO/IEC 9796-2 has it, EMV does not
        (b"\x4a" + bytes(142) + b"\xbc", Fault.HEADER),
        (b"\x6b" + bytes(142) + b"\xbc", Fault.HEADER),
    ],
)
def test_a_frame_that_is_not_emv_s_is_refused(block: bytes, fault: Fault) -> None:
    made = key(1152)
    signature = made._power(int.from_bytes(block, "big")).to_bytes(144, "big")
    with pytest.raises(AuthenticationFailed) as refused:
        made.public.recover(signature, WHAT)
    assert refused.value.data() == {"what": WHAT, "fault": fault}
    assert refused.value.sentence().startswith("The dynamic signature ")


def test_a_message_that_is_shorter_than_a_signature_carries_is_not_signed() -> None:
    with pytest.raises(ValueError, match="121 bytes is shorter than 122"):
        key(1152).sign(bytes(121))


@pytest.mark.parametrize("half", ["_p", "_q", "_dp", "_dq", "_inverse"])
def test_a_miscalculated_signature_is_never_given_out(half: str) -> None:
    # Boneh, DeMillo and Lipton: one that is right modulo one prime only would give away both.
    made = PrivateKey.from_bytes(key(1152).to_bytes())
    setattr(made, half, getattr(made, half) + 2)
    with pytest.raises(SignatureFault):
        made.sign(bytes(200))


def test_threads_sign_with_one_key() -> None:
    made, messages = key(1152), [bytes((n,)) * 200 for n in range(40)]
    wanted, found = [made.sign(message) for message in messages], dict[int, bytes]()

    def work(start: int) -> None:
        for n in range(start, len(messages), 4):
            found[n] = made.sign(messages[n])

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[n] for n in range(len(messages))] == wanted


def test_a_key_is_stored_and_read_back() -> None:
    made = key(1408)
    read = PrivateKey.from_bytes(made.to_bytes())
    assert read.public == made.public
    assert read.sign(bytes(300)) == made.sign(bytes(300))
    assert read.to_bytes() == made.to_bytes()


def test_a_key_of_openssl_is_read() -> None:
    theirs = generate_private_key(65537, 1152)  # noqa: S505 - EMV's lengths
    read = PrivateKey.from_bytes(der(theirs))
    assert read.public.recover(read.sign(bytes(200)), WHAT).covers(bytes(78))


def test_no_secret_is_shown() -> None:
    assert repr(key(1152)) == "PrivateKey(1152 bits)"
    assert str(key(1152)) == "PrivateKey(1152 bits)"


def der(private: RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    """A private key as any tool would write it."""
    return private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def sealed_by_passphrase() -> bytes:
    encryption = BestAvailableEncryption(b"secret")
    theirs = load_der_private_key(key(1152).to_bytes(), None)
    return theirs.private_bytes(Encoding.DER, PrivateFormat.PKCS8, encryption)


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        (lambda: b"", "no private key"),
        (lambda: b"-----BEGIN PRIVATE KEY-----", "no private key"),
        (lambda: key(1152).to_bytes()[:-1], "no private key"),
        (sealed_by_passphrase, "encrypted"),
        (lambda: der(ec.generate_private_key(ec.SECP256R1())), "no RSA key"),
        (lambda: der(generate_private_key(65537, 2048)), "this length or exponent"),
        (lambda: der(generate_private_key(65537, 1153)), "this length"),  # noqa: S505 - EMV's
    ],
)
def test_what_is_no_key_of_emv_is_not_read(stored: Callable[[], bytes], reason: str) -> None:
    with pytest.raises(KeyMalformed, match=reason):
        PrivateKey.from_bytes(stored())


@given(st.data())
def test_a_damaged_key_is_refused_or_signs_as_before(draw: st.DataObject) -> None:
    whole = key(1152)
    try:
        read = PrivateKey.from_bytes(changed(whole.to_bytes(), draw))
    except KeyMalformed:
        return
    assert read.public == whole.public
    assert read.sign(bytes(200)) == whole.sign(bytes(200))


@pytest.mark.parametrize(
    ("modulus", "exponent", "plausible"),
    [
        (b"\x80" + bytes(62) + b"\1", 3, True),
        (b"\x80" + bytes(246) + b"\1", 65537, True),
        (b"\x80" + bytes(247) + b"\1", 3, False),
        (b"\x80" + bytes(61) + b"\1", 3, False),
        (b"", 3, False),
        (b"\x7f" + bytes(62) + b"\1", 3, False),
        (b"\x80" + bytes(63), 3, False),
        (b"\x80" + bytes(62) + b"\1", 1, False),
        (b"\x80" + bytes(62) + b"\1", 0, False),
        (b"\x80" + bytes(62) + b"\1", 17, False),
    ],
)
def test_a_key_that_cannot_be_one_is_seen(modulus: bytes, exponent: int, plausible: bool) -> None:  # noqa: FBT001 - a table's column
    assert PublicKey(modulus, exponent).plausible == plausible


def test_public_numbers_are_those_of_the_modulus() -> None:
    made = key(1152)
    theirs = load_der_private_key(made.to_bytes(), None).public_key()
    numbers = RSAPublicNumbers(made.public.exponent, int.from_bytes(made.public.modulus, "big"))
    assert theirs == numbers.public_key()
