"""Which URLs and addresses webhooks go to."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.events import TargetRefused
from tandem.events.target import check_addresses, is_allowed, read_target
from tandem.kernel import Invalid

PUBLIC = ("93.184.215.14", "1.1.1.1", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "2a00:1450::1")
LOOPBACK = ("127.0.0.1", "127.255.255.254", "::1")
INSIDE = (
    "0.0.0.0",  # noqa: S104 - nothing is bound: this machine, as a target
    "0.1.2.3",
    "10.0.0.7",
    "100.64.0.1",
    "100.100.100.200",  # metadata of a cloud
    "168.63.129.16",  # metadata of a cloud
    "169.254.169.254",  # metadata of most clouds
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",  # metadata of a cloud
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "233.252.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.7",
    "::ffff:93.184.215.14",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:7",
    "64:ff9b:1::a00:7",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",  # metadata of a cloud
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
)


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are_allowed(text: str) -> None:
    assert is_allowed(ip_address(text), sandbox=False)
    assert is_allowed(ip_address(text), sandbox=True)


@pytest.mark.parametrize("text", LOOPBACK)
def test_loopback_is_allowed_in_the_sandbox_only(text: str) -> None:
    assert not is_allowed(ip_address(text), sandbox=False)
    assert is_allowed(ip_address(text), sandbox=True)


@pytest.mark.parametrize("text", INSIDE)
def test_inside_addresses_are_never_allowed(text: str) -> None:
    assert not is_allowed(ip_address(text), sandbox=False)
    assert not is_allowed(ip_address(text), sandbox=True)


@given(st.ip_addresses(v=6))
def test_no_ipv6_address_with_an_ipv4_inside_is_allowed(address: object) -> None:
    found = ip_address(str(address))
    assert found.version == 6
    if found.ipv4_mapped or found.sixtofour or found.teredo or not found.is_global:
        assert not is_allowed(found, sandbox=False)


@given(st.ip_addresses(v=4))
def test_no_private_ipv4_address_is_allowed(address: object) -> None:
    found = ip_address(str(address))
    if found.is_private or found.is_multicast or found.is_reserved or found.is_link_local:
        assert not is_allowed(found, sandbox=False)


def test_one_inside_address_spoils_a_name() -> None:
    assert check_addresses("x", PUBLIC, sandbox=False) == list(PUBLIC)
    assert check_addresses("x", ("1.1.1.1", "1.1.1.1"), sandbox=False) == ["1.1.1.1"]
    for spoilt in ((*PUBLIC, "10.0.0.7"), ("127.0.0.1", *PUBLIC), (), ("fe80::1%eth0",), ("x",)):
        with pytest.raises(TargetRefused) as refused:
            check_addresses("shop.example", spoilt, sandbox=False)
        assert "10.0.0.7" not in refused.value.sentence()


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "authority"),
    [
        ("https://shop.example/hooks?a=b", "shop.example", 443, b"/hooks?a=b", "shop.example"),
        ("https://shop.example", "shop.example", 443, b"/", "shop.example"),
        ("HTTPS://Shop.Example.:443/X", "shop.example", 443, b"/X", "shop.example"),
        ("https://shop.example:8443/", "shop.example", 8443, b"/", "shop.example:8443"),
        ("https://[2606:2800::1]:8443/", "2606:2800::1", 8443, b"/", "[2606:2800::1]:8443"),
        ("https://m\u00fcnchen.example/", "xn--mnchen-3ya.example", 443, b"/",
         "xn--mnchen-3ya.example"),
        ("https://shop.example/?to=a@b", "shop.example", 443, b"/?to=a@b", "shop.example"),
    ],
)  # fmt: skip
def test_urls_are_read(url: str, host: str, port: int, path: bytes, authority: str) -> None:
    target = read_target(url, sandbox=False)
    assert target == ("https", host, port, path)
    assert target.authority == authority


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://",
        "https:///path",
        "https://:443/",
        "shop.example/hooks",
        "//shop.example/hooks",
        "http://shop.example/",
        "ftp://shop.example/",
        "file:///etc/passwd",
        "gopher://shop.example/",
        "https://user@shop.example/",
        "https://user:password@shop.example/",
        "https://@shop.example/",
        "https://:@shop.example/",
        "https://shop.example@10.0.0.7/",
        "https://shop.example\\@10.0.0.7/",
        "https://shop.example/#part",
        "https://shop.example/#",
        "https://shop.example:0/",
        "https://shop.example:65536/",
        "https://shop.example:x/",
        "https://shop.example:\u0664\u0664\u0663/",
        "https://shop.example:+443/",
        "https://shop.example:/",
        "https://shop.example/a b",
        "https://shop.example/\r\nx-evil: 1",
        "https://shop.example/\x00",
        "https://shop.example/\u2028",
        "https://shop.example/\u202e",
        "https://shop%2eexample/",
        "https://[fe80::1%25eth0]/",
        "https://[::1/",
        "https://a\\b/",
        "https://" + "a" * 300 + ".example/",
        "https://shop.example/" + "a" * 2000,
        "https://shop.example/\ud800",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(Invalid):
        read_target(url, sandbox=False)


def test_plain_http_is_for_the_sandbox() -> None:
    assert read_target("http://127.0.0.1:9000/x", sandbox=True).port == 9000
    assert read_target("http://shop.example/x", sandbox=True).authority == "shop.example"
    with pytest.raises(Invalid):
        read_target("http://127.0.0.1:9000/x", sandbox=False)


@given(st.text(max_size=60), st.booleans())
def test_any_text_is_read_or_refused(text: str, sandbox: bool) -> None:  # noqa: FBT001 - drawn
    for url in (text, "https://" + text, "https://shop.example/" + text):
        try:
            target = read_target(url, sandbox=sandbox)
        except Invalid:
            continue
        assert target.host.isascii()
        assert target.host == target.host.strip()
        assert not set(target.path) & set(b" \r\n\0")
