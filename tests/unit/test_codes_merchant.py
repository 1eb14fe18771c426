import re
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.codes import (
    MAX_CODE_LINK,
    CodeTooLong,
    LinkCode,
    Payload,
    PersonCode,
    SchemeCode,
    TandemCode,
    UnknownCode,
    WalletCode,
    data_object,
    fits_reference,
    link_host,
    merchant_presented,
    read_scan,
    sealed,
    tandem_link,
)
from tandem.kernel import Invalid, currency

DOCS = Path(__file__).parents[2] / "docs" / "codes.md"
URL = "https://pay.example/c/0199a3b2c4d57e8f9a0b1c2d3e4f5a6b"


def shop_code(**changes: object) -> Payload:
    given_fields: dict[str, Any] = {
        "url": URL,
        "name": "Mulan Coffee",
        "city": "Beijing",
        "country": "CN",
        "mcc": "5814",
        "currency": currency("CNY"),
        "amount_minor": 3800,
        "reference": "order-7",
    }
    return merchant_presented(**(given_fields | changes))


def test_a_dynamic_code_carries_the_link_and_what_other_readers_show() -> None:
    payload = shop_code()
    assert payload.faults == ()
    assert tandem_link(payload) == URL
    assert payload.static is False
    assert payload.amount_minor == 3800
    assert payload.merchant_name == "Mulan Coffee"
    assert payload.reference == "order-7"
    assert read_scan(payload.write()) == TandemCode(URL, payload)
    assert {line.path: line.name for line in payload.describe()}["50.01"] == "Link"


def test_the_documentation_shows_the_code_that_is_made() -> None:
    documented = re.findall(r"^000201.*$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    url = "https://pay.example.com/c/0199a3b2c4d57e8f9a0b1c2d3e4f5a6b"
    assert documented == [shop_code(url=url).write()]


def test_a_static_code_leaves_the_amount_to_the_payer() -> None:
    payload = shop_code(static=True, amount_minor=None, reference=None)
    assert payload.static is True
    assert payload.amount_text is None
    assert payload.get("62") is None
    assert tandem_link(payload) == URL


def test_a_yen_has_no_decimals() -> None:
    assert shop_code(currency=currency("JPY"), amount_minor=980).amount_text == "980"


@pytest.mark.parametrize(
    ("name", "city", "shown", "place"),
    [
        ("Café Müßig & Söhne", "Köln", "Cafe Mussig & Sohne", "Koln"),
        ("木兰咖啡", "北京", "pay.example", "CN"),
        ("Phở Đặc Biệt", "Đà Nẵng", "Pho Dac Biet", "Da Nang"),
        ("A" * 40, "B" * 40, "A" * 25, "B" * 15),
        ("Tabs\tand\x1b[2J\nlines", " x ", "Tabs and [2J lines", "x"),
    ],
)
def test_names_are_put_into_the_letters_that_the_specification_allows(
    name: str, city: str, shown: str, place: str
) -> None:
    payload = shop_code(name=name, city=city)
    assert payload.faults == ()
    assert (payload.merchant_name, payload.merchant_city) == (shown, place)
    assert payload.get("64") is None


@pytest.mark.parametrize(
    ("name", "latin_name", "shown"),
    [
        ("蓝门咖啡", "Blue Door", "Blue Door"),
        ("蓝门咖啡", "Café Zoé", "Cafe Zoe"),
        ("蓝门咖啡（2号店）", "Blue Door", "Blue Door"),  # noqa: RUF001 - brackets as a shop writes them
        ("蓝门 Blue", "Something else", "Blue"),
        ("360", "Something else", "360"),
        ("蓝门咖啡", "蓝门", "pay.example"),
        ("蓝门咖啡", None, "pay.example"),
    ],
)
def test_the_merchants_name_stands_in_where_nothing_of_the_shops_is_latin(
    name: str, latin_name: str | None, shown: str
) -> None:
    payload = shop_code(name=name, latin_name=latin_name, language="zh")
    assert payload.faults == ()
    assert payload.merchant_name == shown
    assert payload.get("64.01") == (None if name.isascii() else name)


@pytest.mark.parametrize(
    ("reference", "fits"),
    [
        ("order-7", True),
        ("x" * 25, True),
        ("x" * 26, False),
        ("", False),
        ("订单", False),
        ("a\nb", False),
        ("***", False),  # would ask the payer
        (None, False),
    ],
)
def test_which_references_go_into_a_code(reference: str | None, fits: bool) -> None:  # noqa: FBT001 - a column of the table
    assert fits_reference(reference) is fits
    if fits:
        assert shop_code(reference=reference).reference == reference


def test_a_name_in_its_own_script_goes_into_the_language_template() -> None:
    payload = shop_code(name="木兰咖啡", city="北京", language="zh")
    assert [payload.get(path) for path in ("64.00", "64.01", "64.02")] == ["ZH", "木兰咖啡", "北京"]
    assert payload.faults == ()
    assert shop_code(language="zh").get("64") is None
    assert shop_code(name="木兰咖啡", city="", language="zh").faults == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "http://pay.example/c/1"},
        {"name": " \x00 "},
        {"mcc": "58"},
        {"mcc": "\u0665\u0668\u0661\u0664"},
        {"country": "China"},
        {"language": "chinese"},
        {"amount_minor": 0},
        {"amount_minor": -1},
        {"amount_minor": 10**15 + 1},
        {"reference": ""},
        {"reference": "x" * 26},
        {"reference": "订单"},
        {"reference": "***"},
    ],
)
def test_a_field_that_cannot_be_used_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        shop_code(**changes)
    assert refused.value.field in changes


def test_a_link_or_an_amount_that_does_not_fit_is_refused() -> None:
    longest = "https://pay.example/".ljust(MAX_CODE_LINK, "x")
    assert tandem_link(shop_code(url=longest)) == longest
    with pytest.raises(CodeTooLong) as refused:
        shop_code(url=longest + "x")
    assert (refused.value.length, refused.value.limit) == (78, 77)
    assert shop_code(amount_minor=999_999_999_999_900).amount_text == "9999999999999"
    assert shop_code(amount_minor=999_999_999_999_900).amount_minor == 999_999_999_999_900
    for too_much in (10**15, 999_999_999_999_901):
        with pytest.raises(CodeTooLong):
            shop_code(amount_minor=too_much)


def test_a_damaged_code_gives_no_link() -> None:
    text = shop_code().write()
    scan = read_scan(text[:-1] + ("0" if text[-1] != "0" else "1"))
    assert isinstance(scan, SchemeCode)
    assert scan.payload.faults


@pytest.mark.parametrize(
    "templates",
    [
        ["0014org.tandem.pay0119https://a.example/1", "0014org.tandem.pay0119https://b.example/1"],
        ["0014org.tandem.pay"],
        ["0014org.tandem.pay0119http://evil.example"],
        ["0014org.tandem.pay0119javascript:alert(1)"],
        ["0015org.tandem.pay20119https://a.example/1"],
    ],
)
def test_a_template_that_two_readers_could_read_differently_gives_no_link(
    templates: list[str],
) -> None:
    payload = sealed("000201", *(data_object(f"{26 + n}", t) for n, t in enumerate(templates)))
    assert tandem_link(payload) is None
    assert read_scan(payload.write()) == SchemeCode(payload)


def test_the_link_is_found_under_any_template_id() -> None:
    payload = sealed("000201", data_object("26", "0014ORG.TANDEM.PAY0119https://a.example/1"))
    assert tandem_link(payload) == "https://a.example/1"


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("https://pay.example", "pay.example"),
        ("HTTPS://PAY.EXAMPLE/C/1", "pay.example"),
        ("https://pay.example:8443/c?x=1#y", "pay.example"),
        ("https://xn--fiqs8s.example/", "xn--fiqs8s.example"),
        ("http://localhost:8000/c/1", "localhost"),
        ("http://127.0.0.1:8000/c/1", "127.0.0.1"),
        ("http://[::1]:8000/", "[::1]"),
        ("http://pay.example/", None),
        ("http://127.0.0.1.evil.example/", None),
        ("https://pay.example@evil.example/", None),
        ("https://pay.example\\@evil.example/", None),
        ("https://pay.example/ x", None),
        ("https://pay.example/\n", None),
        ("https://päy.example/", None),
        ("https:///x", None),
        ("https://", None),
        ("ftp://pay.example/", None),
        ("https://pay.example/" + "x" * 3000, None),
    ],
)
def test_only_plain_https_links_pass(text: str, host: str | None) -> None:
    assert link_host(text) == host


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("https://pay.example/c/1", LinkCode),
        ("  https://pay.example/c/1\r\n", LinkCode),
        ("281234567812345678", PersonCode),
        ("2812 3456 7812 3456 78\n", PersonCode),
        ("251234567812345678", WalletCode),
        ("3012345678123456", WalletCode),
        ("281234567812345678123456", WalletCode),
        ("2812345678123456781234567", UnknownCode),
        ("241234567812345678", UnknownCode),
        (
            "28\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668",
            UnknownCode,
        ),
        ("000201", SchemeCode),
        ("", UnknownCode),
        ("\x00", UnknownCode),
        ("\ud800", UnknownCode),
        ("javascript:alert(1)", UnknownCode),
        ("0" * 100_000, UnknownCode),
    ],
)
def test_a_scan_is_told_apart(text: str, kind: type[Any]) -> None:
    scan = read_scan(text)
    assert type(scan) is kind
    assert scan.kind == kind.kind


@given(st.text(st.characters(), max_size=200) | st.text(string.printable, max_size=200))
def test_any_text_has_an_answer(text: str) -> None:
    assert read_scan(text).kind in {
        *("tandem", "scheme", "link", "pay_code", "wallet_code", "unknown"),
    }


@given(
    st.text(st.characters(), max_size=60),
    st.text(st.characters(), max_size=60),
    st.integers(1, 10**12 - 1),
    st.sampled_from([None, "zh", "th"]),
)
def test_a_code_for_any_merchant_is_sound_and_gives_the_link_back(
    name: str, city: str, amount: int, language: str | None
) -> None:
    fields = {"name": name, "city": city, "amount_minor": amount, "language": language}
    if not any(c.isprintable() and not c.isspace() for c in name):
        with pytest.raises(Invalid):
            shop_code(**fields)
        return
    payload = shop_code(**fields)
    assert payload.faults == ()
    assert payload.amount_minor == amount
    assert tandem_link(Payload.parse_strict(payload.write())) == URL
    assert all((payload.get(path) or "é").isascii() for path in ("59", "60"))
