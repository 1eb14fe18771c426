"""Cookies and origins: which session a request goes by, and whose page asks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.api.errors import OriginRefused
from tandem.settings import Settings
from tandem.web.cookies import Cookies

HERE = Cookies(Settings())
TLS = Cookies(Settings(public_url="https://pay.example"))


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (None, {}),
        (b"", {}),
        (b"tandem-person=a", {"person": "a"}),
        (b"x=1; tandem-person=a ;tandem-merchant=b", {"person": "a", "merchant": "b"}),
        (b"tandem-person=a; tandem-person=b; tandem-operator=c", {"operator": "c"}),
        (b"__Host-tandem-person=a", {}),
        (b"tandem-person", {"person": ""}),
        (b"Tandem-Person=a", {}),
        (b"\xff=\xfe; tandem-person=\xe9", {"person": "\xe9"}),
    ],
)
def test_what_a_header_has(header: bytes | None, found: dict[str, str]) -> None:
    assert HERE.read(header) == found


def test_over_tls_only_cookies_of_this_host_count() -> None:
    """What a subdomain, or plain HTTP, has planted under the plain name is not looked at."""
    assert TLS.read(b"tandem-person=planted; __Host-tandem-person=a") == {"person": "a"}


@given(st.binary(max_size=200))
def test_any_header_can_be_read(header: bytes) -> None:
    HERE.read(header)


def test_a_cookie_is_kept_from_scripts_and_other_sites() -> None:
    assert TLS.put("merchant", "ts_x") == (
        b"__Host-tandem-merchant=ts_x; Max-Age=604800; Path=/; HttpOnly; SameSite=Strict; Secure"
    )
    assert HERE.put("person", None) == (
        b"tandem-person=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict"
    )


@pytest.mark.parametrize(
    "origin",
    [
        None,
        b"",
        b"null",
        b"https://pay.example.evil.example",
        b"http://pay.example",
        b"https://pay.example:444",
        b"https://PAY.example",
        b"https://pay.example, https://pay.example",
    ],
)
def test_other_origins_are_refused(origin: bytes | None) -> None:
    TLS.check_origin(b"https://pay.example")
    with pytest.raises(OriginRefused):
        TLS.check_origin(origin)
