"""Where checkout may return to: one strict reading, and nothing two readers differ on."""

import pytest

from tandem.checkout.errors import ReturnRefused
from tandem.checkout.origins import MAX_URL, read_origin, read_return, with_result
from tandem.kernel import Invalid

SHOP = "https://shop.example"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://shop.example", SHOP),
        ("https://shop.example/", SHOP),
        ("HTTPS://Shop.Example:443", SHOP),
        ("https://shop.example:8443", f"{SHOP}:8443"),
        ("https://xn--80ak6aa92e.example", "https://xn--80ak6aa92e.example"),
    ],
)
def test_an_origin_is_kept_as_browsers_write_it(given: str, kept: str) -> None:
    assert read_origin(given, "return_origins", sandbox=False) == kept


HOSTILE = [
    "javascript:alert(1)",
    "JavaScript://shop.example/%0aalert(1)",
    "data:text/html,x",
    "//shop.example",
    "/thanks",
    "https:shop.example",
    "https:/shop.example",
    "https:///shop.example",
    "http://shop.example",
    "ftp://shop.example",
    "https://lin@shop.example",
    "https://shop.example@evil.example",
    "https://shop.example:pass@evil.example",
    "https://shop.example\\@evil.example",
    "https://evil.example\\.shop.example",
    "https:\\\\shop.example",
    "https://shop.example\t",
    "https://shop.example\n.evil.example",
    " https://shop.example",
    "https://shop.example\x00",
    "https://shop.ex\u0430mple",
    "https://\u0455hop.example",
    "https://shop\u3002example",
    "https://shop.example\u2025",
    "https://shop%2eexample",
    "https://shop..example",
    "https://.shop.example",
    "https://-shop.example",
    "https://shop.example:0",
    "https://shop.example:65536",
    "https://shop.example:8 0",
    "https://*.example",
    "https://shop",
    "https://2130706433",
    "https://0x7f000001",
    "https://10.0.0.1",
    "https://[::ffff:10.0.0.1]",
    "",
]


@pytest.mark.parametrize("text", [*HOSTILE, "https://shop.example/path", "https://shop.example?x"])
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        read_origin(text, "return_origins", sandbox=True)


@pytest.mark.parametrize("text", [*HOSTILE, *(f"{text}/thanks" for text in HOSTILE)])
def test_no_hostile_address_is_returned_to(text: str) -> None:
    if text == "//thanks":
        return
    with pytest.raises((Invalid, ReturnRefused)):
        read_return(text, "success_url", (SHOP,), sandbox=True)


@pytest.mark.parametrize(
    "text",
    [
        f"{SHOP}/thanks#x",
        f"{SHOP}/a\\b",
        f"{SHOP}/a b",
        f'{SHOP}/"',
        f"{SHOP}/?tandem_result=x",
        f"{SHOP}/?a=1&tandem_result=",
        f"{SHOP}/?%74andem_result=x",
        f"{SHOP}.evil.example/",
        f"{SHOP}:444/",
        f"{SHOP}/{'a' * MAX_URL}",
        "https://evil.example/https://shop.example/",
    ],
)
def test_what_only_looks_like_the_shops_is_refused(text: str) -> None:
    with pytest.raises((Invalid, ReturnRefused)):
        read_return(text, "success_url", (SHOP,), sandbox=True)


@pytest.mark.parametrize(
    "text", [SHOP, f"{SHOP}/", f"{SHOP}/thanks?a=1&b=%20", "https://SHOP.example/Thanks"]
)
def test_the_shops_own_is_kept_as_it_is(text: str) -> None:
    assert read_return(text, "success_url", (SHOP,), sandbox=False) == text


def test_this_machine_is_for_sandboxes() -> None:
    for here in ("http://127.0.0.1:9000", "http://localhost:9000", "http://[::1]:9000"):
        assert read_origin(here, "return_origins", sandbox=True) == here
        with pytest.raises(Invalid):
            read_origin(here, "return_origins", sandbox=False)


def test_the_result_joins_what_is_there() -> None:
    assert with_result(SHOP, "a.b.c") == f"{SHOP}?tandem_result=a.b.c"
    assert with_result(f"{SHOP}/?a=1", "a.b.c") == f"{SHOP}/?a=1&tandem_result=a.b.c"
