import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emv_made import (
    AIP,
    IDENTIFIER,
    LAST_DAY,
    PAN,
    RECORDS,
    TODAY,
    chain,
    changed,
    key,
)
from tandem.emv.certificates import (
    CARD_BITS,
    ISSUER_BITS,
    Certificate,
    Certified,
    certify_card,
    certify_issuer,
    recover_card,
    recover_issuer,
    static_data,
)
from tandem.emv.dynamic import check_combined, check_dynamic, transaction_hash
from tandem.emv.errors import AuthenticationFailed, Fault, Signed
from tandem.emv.rsa import PrivateKey, PublicKey
from tandem.kernel import Invalid

VECTORS = json.loads(
    (Path(__file__).parent.parent / "fixtures" / "emv-signatures.json").read_text(encoding="utf-8")
)
ISSUER, CARD = Signed.ISSUER_CERTIFICATE, Signed.CARD_CERTIFICATE
IN_THE_FIELD = date(2014, 9, 25)
"""When the published card was read."""


def published(vector: dict[str, str]) -> Certificate:
    return Certificate(
        *(bytes.fromhex(vector[n]) for n in ("certificate", "remainder", "exponent"))
    )


def authority_of(vector: dict[str, str]) -> PublicKey:
    modulus = next(
        a["modulus"]
        for a in VECTORS["authorities"]
        if (a["rid"], a["index"]) == (vector["rid"], vector["index"])
    )
    return PublicKey(bytes.fromhex(modulus), 3)


def issuer_of(certificate: Certificate, today: date = TODAY, pan: str = PAN) -> Certified:
    return recover_issuer(key(1984, "ca").public, certificate, pan, today)


def card_of(certificate: Certificate, static: bytes = RECORDS + AIP, pan: str = PAN) -> Certified:
    return recover_card(key(ISSUER_BITS, "issuer").public, certificate, pan, static, TODAY)


# -- certificates of others ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vector", "holder", "expires", "serial", "bits"),
    [
        (VECTORS["issuers"][0], "528588", date(2021, 12, 31), 0x6EE2, 1408),
        (VECTORS["issuers"][1], "427655", date(2009, 12, 31), 0x42B3, 1024),
        (VECTORS["issuers"][2], "476173", date(2022, 12, 31), 0x033489, 1408),
    ],
    ids=lambda value: value["source"] if isinstance(value, dict) else "",
)
def test_certificates_of_issuers_in_the_field_are_read(
    vector: dict[str, str], holder: str, expires: date, serial: int, bits: int
) -> None:
    pan = holder + "0000000000"
    found = recover_issuer(authority_of(vector), published(vector), pan, expires)
    assert (found.holder, found.expires, found.serial) == (holder, expires, serial)
    assert len(found.key.modulus) * 8 == bits


def test_a_card_in_the_field_is_authenticated_with_dda_and_cda() -> None:
    vector = VECTORS["card"]
    issuers = VECTORS["issuers"][0]
    pan = bytes.fromhex(vector["records"]).hex().partition("5a08")[2][:16]
    issuer = recover_issuer(authority_of(issuers), published(issuers), pan, IN_THE_FIELD)
    static = static_data(*(bytes.fromhex(vector[name]) for name in ("records", "tag_list", "aip")))
    card = recover_card(issuer.key, published(vector), pan, static, IN_THE_FIELD)
    assert (card.holder, card.expires) == (pan, date(2015, 6, 30))

    dda = vector["dda"]
    number = check_dynamic(card.key, bytes.fromhex(dda["signature"]), bytes.fromhex("00000000"))
    assert number.hex() == "7a33fb8c9546e1e7"
    cda = vector["cda"]
    found = check_combined(
        card.key,
        bytes.fromhex(cda["signature"]),
        information=0x40,
        transaction=transaction_hash(
            b"", bytes.fromhex(cda["cdol1"]), bytes.fromhex(cda["response"])
        ),
        unpredictable_number=bytes.fromhex(cda["unpredictable_number"]),
    )
    assert found.dynamic_number.hex() == "4cc2fb1fafb30915"
    assert found.cryptogram.hex() == "16afba13c52fb173"


# -- round trips ---------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [3, 65537])
@pytest.mark.parametrize(
    ("ca_bits", "issuer_bits", "card_bits", "issuer_remainder", "card_remainder"),
    [
        (1984, 1976, 1408, 35, 0),
        (1984, 1984, 1984, 36, 42),
        (1984, 1976, 1640, 35, 0),
        (1984, 1408, 1152, 0, 10),
        (1408, 1152, 1152, 4, 42),
        (1440, 1152, 1152, 0, 42),
        (1448, 1160, 1152, 0, 41),
    ],
)
def test_keys_of_all_lengths_are_certified_and_read_back(
    ca_bits: int,
    issuer_bits: int,
    card_bits: int,
    issuer_remainder: int,
    card_remainder: int,
    exponent: int,
) -> None:
    of_issuer, of_card = chain(ca_bits, issuer_bits, card_bits, exponent)
    assert [len(part) for part in of_issuer[:2]] == [ca_bits // 8, issuer_remainder]
    assert [len(part) for part in of_card[:2]] == [issuer_bits // 8, card_remainder]
    ca = key(ca_bits, "ca", exponent).public
    issuer = recover_issuer(ca, of_issuer, PAN, TODAY)
    issuer_key = key(issuer_bits, "issuer", exponent).public
    assert issuer == Certified(issuer_key, IDENTIFIER, LAST_DAY, 0x0102FF)
    card = recover_card(issuer.key, of_card, PAN, RECORDS + AIP, TODAY)
    assert card == Certified(key(card_bits, "card", exponent).public, PAN, LAST_DAY, 7)


def test_the_usual_lengths_fit_into_a_record_and_a_response() -> None:
    # Book 2, D1: template and object around the certificate; what is around 9F4B with 9F10.
    assert 3 + 4 + ISSUER_BITS // 8 == 254
    assert 16 + 35 + CARD_BITS // 8 <= 256


@given(
    identifier=st.from_regex(r"[0-9]{3,8}", fullmatch=True),
    rest=st.from_regex(r"[0-9]{5,11}", fullmatch=True),
    expires=st.dates(date(2000, 1, 1), date(2049, 12, 31)),
    serial=st.integers(0, 0xFFFFFF),
    static=st.binary(max_size=300),
)
def test_what_is_certified_is_read_back(
    identifier: str, rest: str, expires: date, serial: int, static: bytes
) -> None:
    pan, signer, certified = identifier + rest, key(1152, "ca"), key(1152, "issuer").public
    of_issuer = certify_issuer(signer, certified, identifier, expires, serial)
    of_card = certify_card(signer, certified, pan, expires, serial, static)
    issuer = recover_issuer(signer.public, of_issuer, pan, expires)
    card = recover_card(signer.public, of_card, pan, static, expires)
    assert (issuer.holder, card.holder) == (identifier, pan)
    for found in (issuer, card):
        assert (found.key, found.serial) == (certified, serial)
        assert (found.expires.year, found.expires.month) == (expires.year, expires.month)
        assert found.expires >= expires


# -- tampering -----------------------------------------------------------------------------------


@given(st.data())
def test_no_changed_byte_of_an_issuer_s_certificate_passes(draw: st.DataObject) -> None:
    certificate, _ = chain()
    part = draw.draw(st.sampled_from(["signature", "remainder", "exponent"]))
    other = certificate._replace(**{part: changed(getattr(certificate, part), draw)})
    with pytest.raises(AuthenticationFailed) as refused:
        issuer_of(other)
    assert refused.value.what is ISSUER
    if part != "signature":
        assert refused.value.fault is Fault.HASH


@given(st.data())
def test_no_changed_byte_of_a_card_s_certificate_passes(draw: st.DataObject) -> None:
    _, certificate = chain()
    part = draw.draw(st.sampled_from(["signature", "exponent"]))
    other = certificate._replace(**{part: changed(getattr(certificate, part), draw)})
    with pytest.raises(AuthenticationFailed) as refused:
        card_of(other)
    assert refused.value.what is CARD


@given(st.data())
def test_no_changed_byte_of_a_record_or_the_profile_passes(draw: st.DataObject) -> None:
    with pytest.raises(AuthenticationFailed) as refused:
        card_of(chain()[1], changed(RECORDS + AIP, draw))
    assert refused.value.fault is Fault.HASH


def test_a_card_cannot_be_made_to_look_as_if_it_could_do_less() -> None:
    # The AIP without its bit for CDA: a downgrade.
    for aip in (b"\x18\x80", b"\x00\x00", b""):
        with pytest.raises(AuthenticationFailed) as refused:
            card_of(chain()[1], static_data(RECORDS, b"\x82", aip))
        assert refused.value.fault is Fault.HASH


@given(st.binary(max_size=260), st.binary(max_size=50), st.binary(max_size=4))
def test_no_bytes_make_anything_but_a_refusal(
    signature: bytes, remainder: bytes, exponent: bytes
) -> None:
    certificate = Certificate(signature, remainder, exponent)
    for check in (issuer_of, card_of):
        with pytest.raises(AuthenticationFailed):
            check(certificate)


# -- every reason --------------------------------------------------------------------------------


def doctored(position: int, put: bytes, kind: int = 2) -> Certificate:
    """A certificate that was signed as it is, but should never have been: `put` at a position."""
    certified = key(1152, "issuer").public.modulus
    holder = "980123FF" if kind == 2 else PAN.ljust(20, "F")
    message = bytes((kind,)) + bytes.fromhex(holder) + bytes.fromhex("12310000070101")
    message += bytes((len(certified), 3)) + certified
    message = message[:position] + put + message[position + len(put) :]
    message = message.ljust(248 - 22, b"\xbb")
    return Certificate(key(1984, "ca").sign(message + b"\1\0\1"), b"", b"\1\0\1")


@pytest.mark.parametrize(
    ("position", "put", "fault"),
    [
        (0, "04", Fault.FORMAT),
        (0, "03", Fault.FORMAT),
        (1, "990123FF", Fault.OTHER_ISSUER),
        (1, "98012A", Fault.OTHER_ISSUER),
        (1, "98FFFFFF", Fault.OTHER_ISSUER),
        (1, "FFFFFFFF", Fault.OTHER_ISSUER),
        (1, "FF980123", Fault.OTHER_ISSUER),
        (5, "1331", Fault.DATE),
        (5, "0031", Fault.DATE),
        (5, "1A31", Fault.DATE),
        (5, "12FF", Fault.DATE),
        (5, "0529", Fault.EXPIRED),
        (5, "1299", Fault.EXPIRED),
        (10, "02", Fault.HASH_ALGORITHM),
        (11, "00", Fault.KEY_ALGORITHM),
        (12, "00", Fault.KEY),
        (12, "F8", Fault.KEY_LENGTH),
        (12, "FF", Fault.KEY_LENGTH),
        (13, "01", Fault.EXPONENT),
        (14, "7F", Fault.KEY),
        (14 + 143, "00", Fault.KEY),
    ],
)
def test_a_signed_certificate_that_says_something_else_is_refused(
    position: int, put: str, fault: Fault
) -> None:
    assert issuer_of(doctored(0, b"")).holder == IDENTIFIER
    with pytest.raises(AuthenticationFailed) as refused:
        issuer_of(doctored(position, bytes.fromhex(put)))
    assert refused.value.data() == {"what": ISSUER, "fault": fault}
    assert refused.value.sentence().startswith("The issuer certificate ")


@pytest.mark.parametrize(
    "signed", ["9801234567890127", PAN + "0", PAN[:-1], "F" * 20, "98012345678901A6", "F" + PAN]
)
def test_a_card_s_certificate_is_for_its_own_number(signed: str) -> None:
    certificate = doctored(1, bytes.fromhex(signed.ljust(20, "F")), kind=4)
    with pytest.raises(AuthenticationFailed) as refused:
        recover_card(key(1984, "ca").public, certificate, PAN, b"", TODAY)
    assert refused.value.data() == {"what": CARD, "fault": Fault.OTHER_CARD}


def test_a_certificate_of_another_authority_or_length_does_not_recover() -> None:
    of_issuer, of_card = chain()
    with pytest.raises(AuthenticationFailed) as refused:
        recover_issuer(key(1984, "another").public, of_issuer, PAN, TODAY)
    assert refused.value.fault is Fault.TRAILER
    with pytest.raises(AuthenticationFailed) as refused:
        recover_issuer(key(1976, "issuer").public, of_issuer, PAN, TODAY)
    assert refused.value.fault is Fault.LENGTH
    with pytest.raises(AuthenticationFailed) as refused:
        recover_card(key(1976, "other").public, of_card, PAN, RECORDS + AIP, TODAY)
    assert refused.value.data() == {"what": CARD, "fault": Fault.TRAILER}


@pytest.mark.parametrize("remainder", [b"", bytes(34), bytes(36), bytes(300)])
def test_a_remainder_of_another_length_is_refused(remainder: bytes) -> None:
    certificate, _ = chain()
    with pytest.raises(AuthenticationFailed) as refused:
        issuer_of(certificate._replace(remainder=remainder))
    assert refused.value.fault is Fault.HASH


def test_a_remainder_that_was_signed_but_is_of_another_length_is_refused() -> None:
    certified = key(1976, "issuer").public
    for cut in (1, 34):
        message = bytes.fromhex("02980123FF12310000070101") + bytes((247, 3))
        message += certified.modulus[:-cut] + b"\1\0\1"
        signature = key(1984, "ca").sign(message)
        certificate = Certificate(signature, certified.modulus[212:-cut], b"\1\0\1")
        with pytest.raises(AuthenticationFailed) as refused:
            issuer_of(certificate)
        assert refused.value.fault is Fault.KEY_LENGTH


def test_a_key_longer_than_its_signer_s_is_refused() -> None:
    longer, signer = key(1984, "ca").public, key(1976, "issuer")
    room = 247 - 42
    message = bytes((4,)) + bytes.fromhex(PAN.ljust(20, "F")) + bytes.fromhex("12310000070101")
    message += bytes((248, 3)) + longer.modulus
    certificate = Certificate(signer.sign(message + b"\1\0\1"), longer.modulus[room:], b"\1\0\1")
    with pytest.raises(AuthenticationFailed) as refused:
        recover_card(signer.public, certificate, PAN, b"", TODAY)
    assert refused.value.fault is Fault.KEY_LENGTH
    with pytest.raises(Invalid, match="longer than the key that should sign it"):
        certify_card(signer, longer, PAN, LAST_DAY, 7, b"")


@pytest.mark.parametrize(
    ("today", "fault"),
    [
        (date(2031, 12, 31), None),
        (date(2032, 1, 1), Fault.EXPIRED),
        (date(1999, 1, 1), None),
    ],
)
def test_a_certificate_is_good_until_the_last_day_of_its_month(
    today: date, fault: Fault | None
) -> None:
    certificate, _ = chain()
    if fault is None:
        assert issuer_of(certificate, today).expires == LAST_DAY
        return
    with pytest.raises(AuthenticationFailed) as refused:
        issuer_of(certificate, today)
    assert refused.value.fault is fault


@pytest.mark.parametrize(
    ("tag_list", "static"),
    [(None, RECORDS), (b"", RECORDS), (b"\x82", RECORDS + AIP)],
)
def test_the_profile_is_covered_if_the_tag_list_has_it(
    tag_list: bytes | None, static: bytes
) -> None:
    assert static_data(RECORDS, tag_list, AIP) == static


@pytest.mark.parametrize("tag_list", [b"\x81", b"\x82\x82", b"\x82\x9f\x36", b"\x5a", b"\0"])
def test_a_tag_list_with_anything_else_is_refused(tag_list: bytes) -> None:
    with pytest.raises(AuthenticationFailed) as refused:
        static_data(RECORDS, tag_list, AIP)
    assert refused.value.data() == {"what": Signed.STATIC_DATA, "fault": Fault.TAG_LIST}


# -- what is not certified -----------------------------------------------------------------------


def issue(signer: PrivateKey, **other: object) -> None:
    values: dict[str, object] = {
        "key": key(1152).public,
        "identifier": IDENTIFIER,
        "expires": LAST_DAY,
        "serial": 1,
    }
    certify_issuer(signer, **{**values, **other})  # type: ignore[arg-type]  # names of a table


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("identifier", "98"),
        ("identifier", "123456789"),
        ("identifier", "98012F"),
        ("identifier", "98012\u0663"),
        ("expires", date(2050, 1, 1)),
        ("expires", date(1999, 12, 31)),
        ("serial", -1),
        ("serial", 0x1000000),
        ("key", PublicKey(bytes(144), 65537)),
        ("key", PublicKey(b"\xff" * 144, 17)),
    ],
)
def test_what_a_certificate_cannot_say_is_not_certified(field: str, value: object) -> None:
    with pytest.raises(Invalid) as refused:
        issue(key(1152, "ca"), **{field: value})
    assert refused.value.field == field


@pytest.mark.parametrize("pan", ["1234567", "1" * 20, "98012345678901F6", ""])
def test_a_card_needs_a_number(pan: str) -> None:
    with pytest.raises(Invalid) as refused:
        certify_card(key(1152, "ca"), key(1152).public, pan, LAST_DAY, 1, b"")
    assert refused.value.field == "pan"
