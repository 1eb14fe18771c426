import json
import string
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.codes import (
    CodeDamaged,
    CodeTooLong,
    NotEmvco,
    Payload,
    Scheme,
    Tip,
    data_object,
    sealed,
)
from tandem.codes.emvco import crc16
from tandem.kernel import Refused, currency

VECTORS = json.loads(
    (Path(__file__).parent.parent / "fixtures" / "emvco-qr.json").read_text(encoding="utf-8")
)
CHINESE = next(v["payload"] for v in VECTORS if "最佳运输" in v["payload"])
TORN = next(v["payload"] for v in VECTORS if v["crc"] == "wrong")
JAPANESE = next(v["payload"] for v in VECTORS if "JCB1234" in v["payload"])
VIETNAMESE = next(v["payload"] for v in VECTORS if "chuyen khoan alsdkf" in v["payload"])


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v['source']} {v['payload'][-4:]}")
def test_every_vector_is_read_and_written_back_byte_for_byte(vector: dict[str, str]) -> None:
    payload = Payload.parse(vector["payload"])
    assert payload.write() == vector["payload"]
    assert payload.write().encode() == vector["payload"].encode()
    assert payload.crc_ok == (vector["crc"] == "valid")


def test_crc_16_has_the_check_value_of_its_catalogue() -> None:
    assert crc16("123456789") == "29B1"


def test_lengths_count_characters_and_the_crc_counts_bytes() -> None:
    payload = Payload.parse(CHINESE)
    assert payload.get("64.01") == "最佳运输"
    assert payload.get("64.02") == "北京"
    assert payload.faults == ()


def test_the_fields_are_typed() -> None:
    payload = Payload.parse(CHINESE)
    assert payload.static is False
    assert payload.currency == currency("CNY")
    assert (payload.amount_text, payload.amount_minor) == ("23.72", 2372)
    assert (payload.country, payload.category_code) == ("CN", "4111")
    assert (payload.merchant_name, payload.merchant_city) == ("BEST TRANSPORT", "BEIJING")
    assert payload.postal_code is None
    assert payload.tip == Tip("ask")
    assert payload.reference is None
    assert [account.guid for account in payload.accounts] == ["D15600000000", "D15600000001"]
    assert payload.get("91.07") == "12345678"


@pytest.mark.parametrize(
    ("part", "schemes"),
    [
        ("chuyen khoan alsdkf", (Scheme.VIETQR,)),
        ("BR.GOV.BCB.PIX", (Scheme.PIX,)),
        ("JDBMSZZXE44BFS0", (Scheme.UNIONPAY, Scheme.LAO_QR)),
        ("JCB1234", (Scheme.JCB, Scheme.MASTERCARD)),
        ("A000000677010111", (Scheme.PROMPTPAY,)),
        ("A93FO3230Q", ()),
    ],
)
def test_schemes_are_known_by_their_identifier_or_their_network(
    part: str, schemes: tuple[Scheme, ...]
) -> None:
    payload = next(v["payload"] for v in VECTORS if part in v["payload"])
    assert Payload.parse(payload).schemes == schemes


def test_a_domain_as_identifier_is_known_in_any_case() -> None:
    account = data_object("26", data_object("00", "br.gov.bcb.pix"))
    assert sealed("000201", account).schemes == (Scheme.PIX,)


def test_a_template_within_a_scheme_s_template_is_read() -> None:
    payload = Payload.parse(VIETNAMESE)
    assert payload.get("38.01.00") == "970422"
    described = {line.path: line for line in payload.describe()}
    assert described["38"].meaning == "VietQR"
    assert described["38.01.01"].name == "Account or card number"
    assert described["54"].meaning == "40123 VND"
    assert described["62.08"].name == "Purpose of Transaction"
    assert described["63"].meaning == "right"


def test_a_torn_payload_is_read_as_far_as_it_goes_and_says_what_is_wrong() -> None:
    payload = Payload.parse(TORN)
    assert payload.amount_minor == 180_000
    assert payload.rest == "ut6304E69F"
    assert payload.faults == (
        "the CRC is E69F and should be 13BC",
        "10 characters at the end do not divide into data objects",
        "62 does not divide into data objects",
    )
    assert payload.describe()[-1].value == "ut6304E69F"
    with pytest.raises(CodeDamaged) as refused:
        Payload.parse_strict(TORN)
    assert refused.value.faults == payload.faults
    assert "13BC" in refused.value.sentence()


def test_a_wrong_crc_is_told_and_refused_by_the_strict_reader() -> None:
    wrong = CHINESE[:-1] + "B"
    payload = Payload.parse(wrong)
    assert payload.write() == wrong
    assert not payload.crc_ok
    assert payload.crc_expected == "A13A"
    assert payload.describe()[-1].meaning == "wrong: it should be A13A"
    with pytest.raises(CodeDamaged):
        Payload.parse_strict(wrong)
    assert Payload.parse_strict(CHINESE) == Payload.parse(CHINESE)


@pytest.mark.parametrize("at", range(len(CHINESE)))
def test_no_single_changed_character_passes_the_strict_reader(at: int) -> None:
    changed = CHINESE[:at] + ("7" if CHINESE[at] != "7" else "8") + CHINESE[at + 1 :]
    with pytest.raises(Refused):
        Payload.parse_strict(changed)


def test_a_crc_in_small_letters_is_right_too() -> None:
    assert Payload.parse_strict(CHINESE[:-4] + "a13a").crc_ok


@pytest.mark.parametrize(
    ("objects", "fault"),
    [
        (["000202"], "the format is not 01"),
        (["000201", "5303156", "540510.00", "540599.99"], "54 stands there twice"),
        (["000201", "5303156", "540610.001"], "54 is not an amount of the currency"),
        (["000201", "540510.00"], "54 is not an amount of the currency"),
        (["000201", "5303156", "5405-1.00"], "54 is not an amount of the currency"),
        (["000201", "5303156", "540510,00"], "54 is not an amount of the currency"),
        (
            ["000201", "5303156", "5405\u0661\u0660.\u0660\u0660"],
            "54 is not an amount of the currency",
        ),
        (["000201", "53039992"], "do not divide"),
        (["000201", "5303000"], "53 is not an ISO 4217 number"),
        (["000201", "5303\u0661\u0665\u0666"], "53 is not an ISO 4217 number"),
        (["000201", "5303156", "550202"], "55 to 57 do not say what to add"),
        (["000201", "550203", "57041.2x"], "55 to 57 do not say what to add"),
        (["000201", "2604abcd"], "26 does not divide into data objects"),
        (["000201", "62085004abcd"], "62.50 does not divide into data objects"),
        (["000201", "5900"], "59 is empty"),
        (["000201", "63041234"], "63 stands there twice"),
        (["000201", "59²3abc"], "do not divide"),
    ],
)
def test_faults_are_named(objects: list[str], fault: str) -> None:
    payload = sealed(*objects)
    assert any(fault in text for text in payload.faults), payload.faults
    assert payload.write() == "".join(objects) + "6304" + (payload.crc or "")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("000201", "it does not end with a CRC"),
        ("0002016302AB", "it does not end with a CRC"),
        ("0002015912aaaa6304" + crc16("0002015912aaaa6304") + "tail", "does not end with a CRC"),
        ("000201590863041234", "the CRC is not the last data object"),
    ],
)
def test_a_payload_must_end_with_its_crc(text: str, fault: str) -> None:
    assert any(fault in found for found in Payload.parse(text).faults)


@pytest.mark.parametrize(
    ("number", "text", "minor"),
    [
        ("156", "10", 1000),
        ("156", "10.", 1000),
        ("156", "10.5", 1050),
        ("156", "0.01", 1),
        ("704", "180000.00", 180_000),
        ("392", "999.123", None),
        ("048", "1.234", 1234),
        ("156", "9999999999999", 999_999_999_999_900),
        ("048", "9999999999999", None),
        ("156", "99999999999999", None),
        ("156", "1e3", None),
        ("156", ".5", None),
        ("156", "", None),
    ],
)
def test_amounts_are_read_in_minor_units_of_the_currency(
    number: str, text: str, minor: int | None
) -> None:
    payload = sealed("000201", data_object("53", number), data_object("54", text))
    assert payload.amount_minor == minor
    assert payload.amount_text == text


@pytest.mark.parametrize(
    ("objects", "tip"),
    [
        (["550202", "56041.50"], Tip("fixed", fixed_minor=150)),
        (["550203", "570512.50"], Tip("percentage", percentage=Decimal("12.50"))),
        (["550203", "57041e10"], None),
        (["550209"], None),
        ([], None),
    ],
)
def test_tips_are_read(objects: list[str], tip: Tip | None) -> None:
    assert sealed("000201", "5303156", *objects).tip == tip


@pytest.mark.parametrize(
    "text",
    [
        "",
        "28",
        "hello",
        " 000201",
        "00020",
        "0003001",
        "0002\u0660\u0661",
        "000201\ud800",
        "0" * 5000,
    ],
)
def test_what_is_no_emvco_payload_is_refused(text: str) -> None:
    with pytest.raises(NotEmvco):
        Payload.parse(text)


def test_nothing_that_is_described_moves_the_cursor_or_turns_the_line() -> None:
    payload = sealed("000201", data_object("59", "a\x1b[2J\x00\u202eb\nc"), "6004\x07\x08\r\x9b")
    for line in payload.describe():
        assert all(field.isprintable() for field in line)
    assert payload.get("59") == "a\x1b[2J\x00\u202eb\nc"
    assert Payload.parse("000201\x1b[2J").describe()[-1].value == "\\u001b[2J"


def test_every_data_object_of_the_specification_has_a_name() -> None:
    names = {
        line.path: line.name
        for line in sealed(
            "000201", *(data_object(f"{number:02d}", "x") for number in range(2, 100))
        ).describe()
    }
    assert names["02"] == names["51"] == "Merchant Account Information"
    assert names["06"] == names["25"] == names["65"] == "Reserved by EMVCo"
    assert names["80"] == "Unreserved Template"
    assert names["60"] == "Merchant City"
    assert all(names.values())


def test_schemes_own_data_objects_have_names() -> None:
    payload = sealed(
        "000201",
        data_object("30", data_object("00", "A000000677010112") + data_object("01", "1")),
        data_object("31", data_object("00", "A0000000031010") + data_object("09", "1")),
        data_object("62", data_object("50", data_object("00", "a.b") + "0101x") + "12011"),
    )
    names = {line.path: line.name for line in payload.describe()}
    assert names["30.01"] == "Biller ID"
    assert names["31.09"] == names["62.50.01"] == "Scheme's own"
    assert names["62.50"] == "Payment System Specific Template"
    assert names["62.50.00"] == "Globally Unique Identifier"
    assert names["62.12"] == "Reserved by EMVCo"
    assert payload.schemes == (Scheme.PROMPTPAY, Scheme.VISA)


def test_a_value_above_99_characters_cannot_be_written() -> None:
    assert data_object("59", "x" * 99).startswith("5999")
    with pytest.raises(CodeTooLong):
        data_object("59", "x" * 100)


ids = st.text(string.digits, min_size=2, max_size=2)
values = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
primitives = st.builds(data_object, ids, values)
templates = st.builds(
    lambda object_id, parts: data_object(object_id, "".join(parts)),
    ids,
    st.lists(primitives, max_size=4),
)


@given(st.lists(primitives | templates, max_size=12))
def test_a_payload_of_any_data_objects_is_read_back_equal(objects: list[str]) -> None:
    payload = sealed("000201", *objects)
    assert Payload.parse(payload.write()) == payload
    assert payload.write().startswith("000201" + "".join(objects) + "6304")
    assert payload.crc_ok
    assert payload.rest == ""
    assert [entry.raw for entry in payload.objects][1:-1] == objects


@given(st.text(st.characters(), max_size=300))
def test_any_text_behind_the_format_is_read_and_written_back(tail: str) -> None:
    text = "000201" + tail
    try:
        payload = Payload.parse(text)
    except NotEmvco:
        assert any("\ud800" <= character <= "\udfff" for character in tail)
        return
    assert payload.write() == text
    assert all(field.isprintable() for line in payload.describe() for field in line)
    assert isinstance(payload.faults, tuple)


@given(
    st.sampled_from([v["payload"] for v in VECTORS]),
    st.data(),
)
def test_a_payload_cut_or_changed_anywhere_is_still_read_or_refused(
    text: str, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 5))
    put = data.draw(st.text("0123456789.A\x00é", max_size=5))
    text = text[:at] + put + text[at + cut :]
    try:
        payload = Payload.parse(text)
    except NotEmvco:
        assert not text.startswith("000201")
        return
    assert payload.write() == text
    assert Payload.parse(payload.write()) == payload
    assert payload.amount_minor is None or payload.amount_minor >= 0
