import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.emv.application_data import (
    CardVerificationResults,
    CryptogramType,
    IssuerApplicationData,
    Method,
    Verifier,
)
from tandem.emv.cryptograms import (
    CCD_6,
    CVN_10,
    CVN_18,
    CVN_22,
    VERSIONS,
    Version,
    version_of,
)
from tandem.emv.errors import ApplicationDataMalformed, EmvRefused, VersionUnknown

AAC, TC, ARQC = CryptogramType

verifications = st.one_of(
    st.just((Verifier.NOBODY, Method.NONE)),
    st.tuples(
        st.sampled_from([v for v in Verifier if v is not Verifier.NOBODY]),
        st.sampled_from([m for m in Method if m is not Method.NONE]),
    ),
)
results = st.builds(
    lambda pair, **rest: CardVerificationResults(verifier=pair[0], method=pair[1], **rest),
    verifications,
    cryptogram=st.sampled_from(CryptogramType),
    failed_tries=st.integers(0, 15),
    transit=st.booleans(),
    cda=st.booleans(),
    dda=st.booleans(),
)
data = st.builds(
    IssuerApplicationData,
    version=st.sampled_from(list(VERSIONS.values())),
    key_index=st.integers(0, 255),
    results=results,
)


@pytest.mark.parametrize(
    ("version", "written"),
    [
        (CVN_10, "06 02 0A 03 A8 83 23"),
        (CVN_18, "06 02 12 03 A8 83 23"),
        (CVN_22, "1F 22 02 A800000000 0000000000000000 0F 01 23 80 03" + "00" * 11),
        (CCD_6, "0F A6 02 A800000000 0000000000000000 0F 01 23 80 03" + "00" * 11),
    ],
    ids=lambda value: value.name if isinstance(value, Version) else "",
)
def test_the_layout_is_the_documented_one(version: Version, written: str) -> None:
    found = CardVerificationResults(
        cryptogram=ARQC,
        verifier=Verifier.OPERATING_SYSTEM,
        method=Method.FACE,
        failed_tries=3,
        transit=True,
        cda=True,
    )
    made = IssuerApplicationData(version=version, key_index=2, results=found)
    assert made.write() == bytes.fromhex(written)


@pytest.mark.parametrize(
    ("found", "first"),
    [
        (CardVerificationResults(cryptogram=AAC), 0x80),
        (CardVerificationResults(cryptogram=TC), 0x90),
        (CardVerificationResults(cryptogram=ARQC), 0xA0),
        (CardVerificationResults(cryptogram=TC, cda=True), 0x98),
        (CardVerificationResults(cryptogram=ARQC, dda=True), 0xA4),
    ],
)
def test_the_first_byte_of_the_results_is_that_of_the_common_core_definitions(
    found: CardVerificationResults, first: int
) -> None:
    # Book 3 C9.3, table CCD 10: second not requested, first cryptogram, CDA, DDA.
    for version, at in ((CVN_18, 4), (CCD_6, 3)):
        written = IssuerApplicationData(version=version, key_index=0, results=found).write()
        assert written[at] == first


def test_the_cryptogram_information_data_has_the_same_two_bits() -> None:
    assert [kind.information for kind in (AAC, TC, ARQC)] == [0x00, 0x40, 0x80]


@given(data)
def test_what_is_written_is_read_back_equal(written: IssuerApplicationData) -> None:
    value = written.write()
    assert IssuerApplicationData.parse(value) == written
    assert version_of(value) == written.version
    assert len(value) == (7 if written.version in {CVN_10, CVN_18} else 32)
    assert written.results.verified == (written.results.method is not Method.NONE)


@given(data, data)
def test_different_data_is_written_differently(
    one: IssuerApplicationData, other: IssuerApplicationData
) -> None:
    assert (one.write() == other.write()) == (one == other)


@given(st.binary(max_size=40))
def test_any_bytes_are_read_and_written_back_or_refused(value: bytes) -> None:
    read_or_refused(value)


@given(data, st.data())
def test_a_value_with_bits_changed_is_read_and_written_back_or_refused(
    written: IssuerApplicationData, draw: st.DataObject
) -> None:
    value = bytearray(written.write())
    for at in draw.draw(st.lists(st.integers(0, len(value) - 1), min_size=1, max_size=3)):
        value[at] ^= 1 << draw.draw(st.integers(0, 7))
    read_or_refused(bytes(value))
    read_or_refused(bytes(value[: draw.draw(st.integers(0, len(value)))]))


def read_or_refused(value: bytes) -> None:
    try:
        read = IssuerApplicationData.parse(value)
    except EmvRefused:
        return
    assert read.write() == value


@pytest.mark.parametrize(
    ("value", "refusal"),
    [
        ("", ApplicationDataMalformed),
        ("0601", ApplicationDataMalformed),
        ("0601120320", ApplicationDataMalformed),
        ("060113038000 00", VersionUnknown),
        ("06011203B00000", ApplicationDataMalformed),  # neither AAC, TC nor ARQC
        ("06011203200000", ApplicationDataMalformed),  # a second GENERATE AC
        ("06011203810000", ApplicationDataMalformed),  # a bit of issuer authentication
        ("06011203801000", ApplicationDataMalformed),  # a bit that has no meaning
        ("06011203800001", ApplicationDataMalformed),  # nobody, by passcode
        ("06011203800010", ApplicationDataMalformed),  # the secure element, by no method
        ("06011203800041", ApplicationDataMalformed),  # a verifier that is not known
        ("06011203800014", ApplicationDataMalformed),  # a method that is not known
        ("0601120280000000", ApplicationDataMalformed),  # a length that lies
        ("0601120380000000", ApplicationDataMalformed),  # a byte too many
        ("06 01 A6 03 80 00 00", ApplicationDataMalformed),  # a long version in the short form
        ("1FA601" + "80" + "00" * 12 + "0F01" + "00" * 14, ApplicationDataMalformed),
        ("0F2201" + "80" + "00" * 12 + "0F01" + "00" * 14, ApplicationDataMalformed),
        ("0F1201" + "80" + "00" * 12 + "0F01" + "00" * 14, ApplicationDataMalformed),
        ("0FA601" + "80" + "00" * 12 + "0E01" + "00" * 14, ApplicationDataMalformed),
        ("0FA601" + "80" + "00" * 12 + "0F02" + "00" * 14, ApplicationDataMalformed),
        ("0FA601" + "80" + "01" + "00" * 11 + "0F01" + "00" * 14, ApplicationDataMalformed),
        ("0FA601" + "80" + "00" * 12 + "0F0100" + "40" + "00" * 12, ApplicationDataMalformed),
        ("0FA601" + "80" + "00" * 12 + "0F010000" + "10" + "00" * 11, ApplicationDataMalformed),
        ("0FA601" + "80" + "00" * 12 + "0F01" + "00" * 13 + "01", ApplicationDataMalformed),
    ],
)
def test_what_none_of_our_cards_writes_is_refused(value: str, refusal: type[EmvRefused]) -> None:
    with pytest.raises(refusal) as refused:
        IssuerApplicationData.parse(bytes.fromhex(value))
    assert refused.value.sentence()


@pytest.mark.parametrize(
    ("verifier", "method", "tries"),
    [
        (Verifier.NOBODY, Method.FACE, 0),
        (Verifier.CLOUD, Method.NONE, 0),
        (Verifier.NOBODY, Method.NONE, 16),
        (Verifier.NOBODY, Method.NONE, -1),
    ],
)
def test_results_that_contradict_themselves_cannot_be_made(
    verifier: Verifier, method: Method, tries: int
) -> None:
    with pytest.raises(ValueError, match=r"verified|tries"):
        CardVerificationResults(
            cryptogram=ARQC, verifier=verifier, method=method, failed_tries=tries
        )


@pytest.mark.parametrize("index", [-1, 256])
def test_a_key_index_is_a_byte(index: int) -> None:
    with pytest.raises(ValueError, match="a key index is 0 to 255"):
        IssuerApplicationData(
            version=CCD_6, key_index=index, results=CardVerificationResults(cryptogram=AAC)
        )
