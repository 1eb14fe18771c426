from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import pytest
from emv_oracle import ask
from hypothesis import given
from hypothesis import strategies as st
from pyemv import ac
from pyemv.cvn import VisaCVN10, VisaCVN18, VisaCVN22

from tandem.emv.ciphers import Algorithm, cmac
from tandem.emv.cryptograms import (
    CCD_6,
    CVN_10,
    CVN_18,
    CVN_22,
    DEFAULT_VERSION,
    VERSIONS,
    ArpcMethod,
    CryptogramData,
    Padding,
    SessionKey,
    Version,
    application_cryptogram,
    arpc_method_1,
    arpc_method_2,
    card_key,
    check_issuer_authentication_data,
    cryptogram_matches,
    cryptogram_over,
    issuer_authentication_data,
    version_of,
)
from tandem.emv.errors import (
    ApplicationDataMalformed,
    CryptogramDataInvalid,
    EmvRefused,
    IssuerAnswerForged,
    IssuerAnswerMalformed,
    VersionUnknown,
)
from tandem.emv.keys import session_key
from tandem.kernel import Refused

ORACLES: dict[Version, type[VisaCVN10 | VisaCVN18 | VisaCVN22]] = {
    CVN_10: VisaCVN10,
    CVN_18: VisaCVN18,
    CVN_22: VisaCVN22,
}
LENGTHS = {
    "amount": 6,
    "amount_other": 6,
    "country": 2,
    "tvr": 5,
    "currency": 2,
    "date": 3,
    "type": 1,
    "unpredictable_number": 4,
    "aip": 2,
    "atc": 2,
}
FORMS = {
    CVN_10: "06010A03A0B800",
    CVN_18: "06011203A0B800",
    CVN_22: "1F2201" + "00A0000000" + "00" * 24,
    CCD_6: "0FA601" + "A000000000" + "00" * 8 + "0F" + "00" * 15,
}
PAN_OF_19 = "4000001234567890123"
JPOS_KEY = bytes.fromhex("12345678" * 4)
JPOS_DATA = bytes.fromhex(
    "000000010000 000000001000 0840 0000001080 0840 980704 00 11111111 5800 3456 A08003242000"
)
JPOS_ATC = bytes.fromhex("3456")
ARQC = bytes.fromhex("55BE45DD2C9E0CBF")


def of(version: Version, **changed: bytes) -> CryptogramData:
    """A payment of 99.99 that a card of this version made."""
    values = {
        "amount": bytes.fromhex("000000009999"),
        "amount_other": bytes(6),
        "country": bytes.fromhex("0840"),
        "tvr": bytes.fromhex("8000048000"),
        "currency": bytes.fromhex("0840"),
        "date": bytes.fromhex("991231"),
        "type": b"\1",
        "unpredictable_number": bytes.fromhex("52BF4585"),
        "aip": bytes.fromhex("1800"),
        "atc": bytes.fromhex("0FFF"),
        "application_data": bytes.fromhex(FORMS[version]),
    }
    return CryptogramData(**(values | changed))


versions = st.sampled_from(list(VERSIONS.values()))
keys = st.binary(min_size=16, max_size=16)
data_of = {
    version: st.builds(
        CryptogramData,
        **{name: st.binary(min_size=n, max_size=n) for name, n in LENGTHS.items()},
        application_data=st.just(bytes.fromhex(form)),
    )
    for version, form in FORMS.items()
}
payments = versions.flatmap(lambda version: st.tuples(st.just(version), data_of[version]))


# -- published values ----------------------------------------------------------------------------


def test_the_cryptogram_that_jpos_published_comes_out() -> None:
    # jPOS calls CVR what stands there; it fills up with 80 and uses the common session key.
    key = card_key(CVN_18, JPOS_KEY, "1234567890123456", "00")
    assert cryptogram_over(CVN_18, key, JPOS_ATC, JPOS_DATA) == ARQC


@pytest.mark.parametrize(
    ("padding", "session", "cryptogram"),
    [
        (Padding.ZEROS, SessionKey.COMMON, "36DBEE15F36B1E7F"),
        (Padding.BIT, SessionKey.COMMON, "55BE45DD2C9E0CBF"),
        (Padding.ZEROS, SessionKey.CARD_KEY, "26C8A1042D1CAF3E"),
        (Padding.BIT, SessionKey.CARD_KEY, "2263CD868F3E0234"),
    ],
)
def test_all_four_kinds_that_jpos_published_come_out(
    padding: Padding, session: SessionKey, cryptogram: str
) -> None:
    kind = CVN_18._replace(padding=padding, session_key=session)
    key = card_key(kind, JPOS_KEY, "1234567890123456", "00")
    assert cryptogram_over(kind, key, JPOS_ATC, JPOS_DATA).hex().upper() == cryptogram


@pytest.mark.parametrize(
    ("version", "cryptogram", "answer", "arpc"),
    [
        (CVN_18._replace(arpc=ArpcMethod.ONE), "55BE45DD2C9E0CBF", "0012", "01BAE8DE6A0DE9E0"),
        (CVN_18, "55BE45DD2C9E0CBF", "00120000", "B4C698B6"),
        (CVN_10, "26C8A1042D1CAF3E", "3030", "98DE7C7B3D80A831"),
        (CVN_10, "2263CD868F3E0234", "3030", "5A1D15A96C035C4F"),
    ],
)
def test_the_answers_that_jpos_published_come_out(
    version: Version, cryptogram: str, answer: str, arpc: str
) -> None:
    key = card_key(version, JPOS_KEY, "1234567890123456", "00")
    made = issuer_authentication_data(
        version, key, JPOS_ATC, bytes.fromhex(cryptogram), bytes.fromhex(answer)
    )
    assert made.hex().upper() == arpc + answer


def test_the_payment_that_pyemv_published_comes_out() -> None:
    key = card_key(CVN_18, b"\xaa" * 16, "1234567890123456", "00")
    cryptogram = application_cryptogram(CVN_18, key, of(CVN_18))
    assert cryptogram.hex().upper() == "769577B5ABE9FE62"
    answer = issuer_authentication_data(CVN_18, key, of(CVN_18).atc, cryptogram, bytes(4))
    assert answer.hex().upper() == "76503F48" + "00000000"


def test_an_aes_cryptogram_is_the_cmac_of_the_data_under_the_session_key_cut_to_eight() -> None:
    # The parts have published values of their own: option C, session key and RFC 4493.
    issuer_key, data = bytes.fromhex("0F0E0D0C0B0A09080706050403020100"), of(CCD_6)
    key = card_key(CCD_6, issuer_key, "1234567890")
    assert key.hex().upper() == "F5C0A799FFBED1DB4F9BD2E54BF2CFD9"
    message = bytes.fromhex(
        "000000009999 000000000000 0840 8000048000 0840 991231 01 52BF4585 1800 0FFF" + FORMS[CCD_6]
    )
    session = session_key(Algorithm.AES, key, b"\x0f\xff")
    assert application_cryptogram(CCD_6, key, data) == cmac(session, message)[:8]


# -- against another's code ----------------------------------------------------------------------


@given(keys, payments)
def test_cryptograms_agree_with_pyemv(
    issuer_key: bytes, payment: tuple[Version, CryptogramData]
) -> None:
    version, data = payment
    if version not in ORACLES:
        return
    parts = [getattr(data, name) for name in LENGTHS]  # in the order of pyemv's arguments too
    covered = data.application_data
    parts.append(covered[3:7] if version == CVN_10 else covered)
    made = ORACLES[version]
    wanted = ask(
        lambda: made(issuer_key, issuer_key, issuer_key, PAN_OF_19, "07").generate_ac(*parts)
    )
    key = card_key(version, issuer_key, PAN_OF_19, "07")
    assert application_cryptogram(version, key, data) == wanted


@given(keys, st.binary(max_size=80))
def test_macs_of_any_length_agree_with_pyemv(key: bytes, message: bytes) -> None:
    for version, padding in ((CVN_10, ac.PaddingType.VISA), (CVN_18, ac.PaddingType.EMV)):
        bare = version._replace(session_key=SessionKey.CARD_KEY)
        if version == CVN_10 and not message:
            continue  # padding method 1 leaves nothing to sign
        wanted = ask(ac.generate_ac, key, message, padding)
        assert cryptogram_over(bare, key, JPOS_ATC, message) == wanted


@given(
    keys,
    st.binary(min_size=8, max_size=8),
    st.binary(min_size=4, max_size=4),
    st.binary(max_size=8),
)
def test_answers_agree_with_pyemv(
    session: bytes, cryptogram: bytes, csu: bytes, proprietary: bytes
) -> None:
    tdes = Algorithm.TDES
    assert arpc_method_1(tdes, session, cryptogram, csu[:2]) == ask(
        ac.generate_arpc_1, session, cryptogram, csu[:2]
    )
    assert arpc_method_2(tdes, session, cryptogram, csu, proprietary) == ask(
        ac.generate_arpc_2, session, cryptogram, csu, proprietary
    )


# -- what holds for all versions -----------------------------------------------------------------


def test_new_cards_get_aes() -> None:
    assert DEFAULT_VERSION.algorithm is Algorithm.AES
    assert {number: version.number for number, version in VERSIONS.items()} == {
        number: number for number in (0x0A, 0x12, 0x22, 0xA6)
    }


@given(keys, payments, st.data())
def test_no_changed_bit_of_what_is_covered_passes(
    key: bytes, payment: tuple[Version, CryptogramData], draw: st.DataObject
) -> None:
    version, data = payment
    cryptogram = application_cryptogram(version, key, data)
    assert cryptogram_matches(version, key, data, cryptogram)
    name = draw.draw(st.sampled_from(list(LENGTHS)))
    changed = msgspec.structs.replace(data, **{name: flipped(getattr(data, name), draw)})
    assert not cryptogram_matches(version, key, changed, cryptogram)
    assert not cryptogram_matches(version, key, data, flipped(cryptogram, draw))
    assert not cryptogram_matches(version, key, data, cryptogram[:-1])


@given(keys, payments)
def test_the_card_s_verification_results_are_covered_in_every_version(
    key: bytes, payment: tuple[Version, CryptogramData]
) -> None:
    version, data = payment
    cryptogram = application_cryptogram(version, key, data)
    changed = bytearray(data.application_data)
    changed[5] ^= 1
    other = msgspec.structs.replace(data, application_data=bytes(changed))
    assert not cryptogram_matches(version, key, other, cryptogram)


@given(keys, keys, payments)
def test_another_card_s_cryptogram_does_not_pass(
    key: bytes, other: bytes, payment: tuple[Version, CryptogramData]
) -> None:
    version, data = payment
    cryptogram = application_cryptogram(version, other, data)
    # The last bit of each byte is parity in 3DES.
    same = [byte & 0xFE for byte in key] == [byte & 0xFE for byte in other]
    if version.algorithm is Algorithm.AES:
        same = key == other
    assert cryptogram_matches(version, key, data, cryptogram) == same


@pytest.mark.parametrize("version", VERSIONS.values(), ids=lambda v: v.name)
@pytest.mark.parametrize("named", VERSIONS.values(), ids=lambda v: v.name)
def test_a_card_cannot_choose_another_version_than_its_issuer_gave_it(
    version: Version, named: Version
) -> None:
    data = of(named)
    assert version_of(data.application_data) is named
    if named is version:
        assert len(application_cryptogram(version, bytes(16), data)) == 8
        return
    with pytest.raises(ApplicationDataMalformed):
        application_cryptogram(version, bytes(16), data)


@pytest.mark.parametrize(
    ("application_data", "refusal"),
    [
        ("", ApplicationDataMalformed),
        ("06", ApplicationDataMalformed),
        ("06010A03A0B8", ApplicationDataMalformed),
        ("06010B03A0B800", VersionUnknown),
        ("0601A603A0B800", ApplicationDataMalformed),
        ("06011203A0B800" + "00" * 26, ApplicationDataMalformed),
        ("1FA6" + "00" * 30, ApplicationDataMalformed),
        ("0F22" + "00" * 30, ApplicationDataMalformed),
        ("0F0A" + "00" * 30, ApplicationDataMalformed),
        ("1F22" + "00" * 29, ApplicationDataMalformed),
        ("1F22" + "00" * 31, ApplicationDataMalformed),
        ("0FA5" + "00" * 30, VersionUnknown),
        ("0B" * 32, VersionUnknown),
    ],
)
def test_a_version_is_looked_for_where_its_form_has_it(
    application_data: str, refusal: type[EmvRefused]
) -> None:
    with pytest.raises(refusal) as refused:
        version_of(bytes.fromhex(application_data))
    assert refused.value.sentence()


@pytest.mark.parametrize("field", LENGTHS)
@pytest.mark.parametrize("change", [-1, 1])
def test_a_value_of_another_length_is_refused_by_name(field: str, change: int) -> None:
    length = LENGTHS[field] + change
    with pytest.raises(CryptogramDataInvalid) as refused:
        of(CCD_6, **{field: bytes(length)})
    assert refused.value.data() == {"field": field, "length": length}


@pytest.mark.parametrize("length", [0, 33])
def test_application_data_has_1_to_32_bytes(length: int) -> None:
    with pytest.raises(CryptogramDataInvalid, match=f"application_data has {length} bytes"):
        of(CCD_6, application_data=bytes(length))


# -- the issuer's answer -------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    version: Version
    answer: bytes
    proprietary: bytes


def csu(proprietary: bytes, rest: bytes) -> bytes:
    """A card status update that says rightly whether proprietary data follows."""
    return bytes((rest[0] & 0x7F | (0x80 if proprietary else 0),)) + rest[1:]


answers = st.one_of(
    st.builds(Answer, st.just(CVN_10), st.binary(min_size=2, max_size=2), st.just(b"")),
    st.builds(
        lambda version, proprietary, rest: Answer(version, csu(proprietary, rest), proprietary),
        st.sampled_from([CVN_18, CVN_22, CCD_6]),
        st.binary(max_size=8),
        st.binary(min_size=4, max_size=4),
    ),
)


@given(keys, answers, st.data())
def test_an_answer_is_read_back_and_no_changed_bit_of_it_passes(
    key: bytes, given_: Answer, draw: st.DataObject
) -> None:
    version, atc = given_.version, JPOS_ATC
    sent = issuer_authentication_data(version, key, atc, ARQC, given_.answer, given_.proprietary)
    read = check_issuer_authentication_data(version, key, atc, ARQC, sent)
    assert (read.answer, read.proprietary) == (given_.answer, given_.proprietary)
    wrong: list[Callable[[], object]] = [
        lambda: check_issuer_authentication_data(version, key, atc, ARQC, flipped(sent, draw)),
        lambda: check_issuer_authentication_data(version, key, atc, flipped(ARQC, draw), sent),
    ]
    if version.session_key is SessionKey.COMMON:
        wrong.append(
            lambda: check_issuer_authentication_data(version, key, flipped(atc, draw), ARQC, sent)
        )
    for check in wrong:
        with pytest.raises((IssuerAnswerForged, IssuerAnswerMalformed)):
            check()


@given(versions, keys, st.binary(max_size=40))
def test_no_bytes_make_a_card_do_anything_but_refuse(
    version: Version, key: bytes, received: bytes
) -> None:
    with pytest.raises((IssuerAnswerForged, IssuerAnswerMalformed)) as refused:
        check_issuer_authentication_data(version, key, JPOS_ATC, ARQC, received)
    assert refused.value.sentence()


@pytest.mark.parametrize(
    ("version", "answer", "proprietary", "reason"),
    [
        (CVN_10, "303030", "", "the answer has 3 bytes, not 2"),
        (CVN_10, "3030", "00", "no proprietary data in method 1"),
        (CCD_6, "3030", "", "the answer has 2 bytes, not 4"),
        (CCD_6, "80000000", "00" * 9, "more than 8 bytes"),
        (CCD_6, "80000000", "", "does not say rightly"),
        (CCD_6, "00000000", "00", "does not say rightly"),
    ],
)
def test_an_answer_that_does_not_fit_its_method_is_not_made(
    version: Version, answer: str, proprietary: str, reason: str
) -> None:
    with pytest.raises(IssuerAnswerMalformed, match=reason):
        issuer_authentication_data(
            version, bytes(16), JPOS_ATC, ARQC, bytes.fromhex(answer), bytes.fromhex(proprietary)
        )


def test_an_answer_by_method_1_with_aes_is_the_left_half_of_a_block() -> None:
    # 8.2.1: the cryptogram with the response code added on its left, then zeros, enciphered.
    # openssl enc -aes-128-ecb over 658E45DD2C9E0CBF0000000000000000 gives 7C51DFFCFA4240A9…
    session = bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C")
    made = arpc_method_1(Algorithm.AES, session, ARQC, bytes.fromhex("3030"))
    assert made.hex().upper() == "7C51DFFCFA4240A9"


@pytest.mark.parametrize("length", [0, 7, 9])
def test_a_cryptogram_has_eight_bytes(length: int) -> None:
    with pytest.raises(CryptogramDataInvalid) as refused:
        issuer_authentication_data(CCD_6, bytes(16), JPOS_ATC, bytes(length), bytes(4))
    assert isinstance(refused.value, Refused)
    assert refused.value.data() == {"field": "cryptogram", "length": length}


def flipped(value: bytes, draw: st.DataObject) -> bytes:
    """The same with one bit changed, anywhere."""
    at = draw.draw(st.integers(0, len(value) * 8 - 1))
    return (int.from_bytes(value, "big") ^ 1 << at).to_bytes(len(value), "big")
