"""Whose word about a client's address is taken, and how far."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from web_fakes import Services, make_app, make_client

from tandem.settings import Settings
from tandem.web.proxies import LOCAL, Proxies

OURS = Proxies([ip_network("127.0.0.1"), ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")])


def client(peer: str | None, *forwarded: bytes) -> str:
    return OURS.client(peer, [(b"host", b"x"), *((b"x-forwarded-for", each) for each in forwarded)])


@pytest.mark.parametrize("peer", ["192.0.2.1", "2001:db9::1", "::ffff:192.0.2.1", "testclient"])
def test_a_stranger_says_nothing_about_itself(peer: str) -> None:
    assert client(peer, b"198.51.100.7") == peer
    assert client(peer, b"127.0.0.1") == peer


def test_nobody_is_believed_unless_it_is_set() -> None:
    nobody = Proxies(Settings().trusted_proxies)
    for peer in ("127.0.0.1", "10.0.0.1", "192.0.2.1"):
        assert nobody.client(peer, [(b"x-forwarded-for", b"198.51.100.7")]) == peer


@pytest.mark.parametrize(
    ("forwarded", "found"),
    [
        ([b"198.51.100.7"], "198.51.100.7"),
        ([b"198.51.100.7:51234"], "198.51.100.7"),
        ([b"2001:db9::7"], "2001:db9::7"),
        ([b"[2001:db9::7]:443"], "2001:db9::7"),
        ([b"[2001:db9::7]"], "2001:db9::7"),
        ([b"::ffff:198.51.100.7"], "198.51.100.7"),
        # What the client made up stands on the left of what our proxy saw.
        ([b"203.0.113.9, 198.51.100.7"], "198.51.100.7"),
        ([b"127.0.0.1, 198.51.100.7"], "198.51.100.7"),
        ([b"<script>, 198.51.100.7"], "198.51.100.7"),
        ([b"203.0.113.9", b"198.51.100.7"], "198.51.100.7"),
        # Proxies of ours behind one another.
        ([b"203.0.113.9, 198.51.100.7,\t10.1.2.3 ,10.9.9.9"], "198.51.100.7"),
        ([b"198.51.100.7, 2001:db8::5", b"10.9.9.9"], "198.51.100.7"),
        # Only our own machines: the first of them asked.
        ([b"10.1.2.3, 10.9.9.9"], "10.1.2.3"),
    ],
)
def test_a_trusted_proxy_tells_who_asked_it(forwarded: list[bytes], found: str) -> None:
    for peer in ("127.0.0.1", "10.200.0.1", "2001:db8::1", "::ffff:10.0.0.1"):
        assert client(peer, *forwarded) == found


@pytest.mark.parametrize(
    "rubbish",
    [b"", b",", b" ", b"unknown", b"_hidden", b"unix:", b"198.51.100", b"010.0.0.1", b"1.2.3.4:x",
     b"198.51.100.7/8", b"[198.51.100.7", b"\xff\xfe", b"9" * 20_000, b"," * 20_000],
)  # fmt: skip
def test_rubbish_leaves_the_last_address_that_is_vouched_for(rubbish: bytes) -> None:
    assert client("10.0.0.1", rubbish) == "10.0.0.1"
    assert client("10.0.0.1", b"198.51.100.7, " + rubbish) == "10.0.0.1"
    assert client("10.0.0.1", rubbish + b", 10.1.2.3") == "10.1.2.3"
    assert client("10.0.0.1", rubbish + b", 198.51.100.7") == "198.51.100.7"


@given(made_up=st.binary(max_size=60))
def test_nothing_made_up_changes_who_it_was(made_up: bytes) -> None:
    assert client("10.0.0.1", made_up + b", 198.51.100.7") == "198.51.100.7"


def test_a_socket_without_addresses() -> None:
    assert client(None, b"198.51.100.7") == LOCAL


async def test_limits_count_the_client_behind_a_trusted_proxy_and_no_made_up_one() -> None:
    settings = Settings(sign_ups_per_hour=2, trusted_proxies=(ip_network("192.0.2.1"),))
    app = make_app(Services(settings))

    async def sign_ups(peer: str, *forwarded: str) -> list[int]:
        async with make_client(app, (peer, 1)) as asks:
            return [
                (await asks.post("/v1/strangers", headers={"x-forwarded-for": each})).status_code
                for each in forwarded
            ]

    through_ours = [f"{made_up}, 198.51.100.7" for made_up in ("1.1.1.1", "2.2.2.2", "3.3.3.3")]
    assert await sign_ups("192.0.2.1", *through_ours) == [200, 200, 429]
    assert await sign_ups("192.0.2.1", "198.51.100.8") == [200], "another client of the proxy"
    assert await sign_ups("192.0.2.9", "1.1.1.1", "2.2.2.2", "3.3.3.3") == [200, 200, 429]
