"""Settings: every variable, good and bad."""

import re
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.codes import MAX_CODE_LINK, check_link
from tandem.kernel import Invalid, currency
from tandem.payments.codes import link, new_token
from tandem.settings import MAX_SECONDS, MAX_URL, PLACES, Settings, read_settings

SECONDS = ("order_seconds", "confirm_seconds", "authorisation_seconds", "request_seconds")
NUMBERS = ("limit_per_payment", "limit_per_day", "confirm_above", "rate_per_second",
           "sign_ups_per_hour", *SECONDS)  # fmt: skip


def read(**values: str) -> Settings:
    return read_settings({f"TANDEM_{name.upper()}": value for name, value in values.items()})


def test_nothing_set_is_production_with_the_defaults() -> None:
    settings = read_settings({"PATH": "/bin", "MY_TANDEM_MODE": "x", "tandem_mode": "x"})
    assert settings == Settings()
    assert not settings.sandbox


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("mode", "sandbox", "sandbox"),
        ("mode", "production", "production"),
        ("public_url", "https://pay.example", "https://pay.example"),
        ("public_url", "https://pay.example/", "https://pay.example"),
        ("public_url", "http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("public_url", "http://[::1]:80/wallet", "http://[::1]:80/wallet"),
        ("public_url", "http://localhost:8080", "http://localhost:8080"),
        ("public_url", "https://192.168.1.5:8443/pay", "https://192.168.1.5:8443/pay"),
        ("wallet", "blue-bank", "blue-bank"),
        ("accent", "#7a0000", "#7A0000"),
        ("accent", "#767676", "#767676"),
        ("timezone", "Asia/Shanghai", ZoneInfo("Asia/Shanghai")),
        ("currencies", "JPY", (currency("JPY"),)),
        ("currencies", "EUR, CNY", (currency("EUR"), currency("CNY"))),
        ("sign_up", "operator", "operator"),
        ("sign_up", "open", "open"),
        ("trusted_proxies", "", ()),
        ("trusted_proxies", "10.0.0.7", (ip_network("10.0.0.7/32"),)),
        (
            "trusted_proxies",
            "127.0.0.1, 10.0.0.0/8,::1",
            (ip_network("127.0.0.1"), ip_network("10.0.0.0/8"), ip_network("::1")),
        ),
        *((name, "1", 1) for name in NUMBERS),
        *((name, "0000012", 12) for name in NUMBERS),
        *((name, str(MAX_SECONDS), MAX_SECONDS) for name in SECONDS),
        ("limit_per_day", str(10**15), 10**15),
    ],
)
def test_good_values(name: str, text: str, value: object) -> None:
    assert getattr(read(**{name: text}), name) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mode", ""),
        ("mode", "Sandbox"),
        ("mode", "test"),
        ("public_url", ""),
        ("public_url", "pay.example"),
        ("public_url", "ftp://pay.example"),
        ("public_url", "https://user:secret@pay.example"),
        ("public_url", "https://pay.example?x=1"),
        ("public_url", "https://pay.example/#top"),
        ("public_url", "https://PAY.example"),
        ("public_url", "https://bücher.example"),
        ("public_url", "http://pay.example"),
        ("public_url", "http://192.168.1.5:8080"),
        ("public_url", "http://localhost.example"),
        ("public_url", "http://127.0.0.1.example"),
        ("public_url", "http://0.0.0.0:8080"),
        ("public_url", "https://[2001:db8::1]"),
        ("public_url", "https://pay.example\n"),
        ("public_url", "https://pay.example/\0"),
        ("public_url", "https://" + "a" * (MAX_URL - 7)),
        ("wallet", ""),
        *(("accent", text) for text in (
            "", "123A5C", "#12C", "#123A5", "navy", "#123A5C ", "#777777")),
        ("wallet", "Blue Bank"),
        ("wallet", "a" * 65),
        ("timezone", ""),
        ("timezone", "Mars/Olympus"),
        ("timezone", "../../etc/passwd"),
        ("timezone", "/etc/localtime"),
        ("timezone", "Asia"),
        ("timezone", "a\0b"),
        ("timezone", "a" * 10_000),
        ("currencies", ""),
        ("currencies", "CNY,"),
        ("currencies", "cny"),
        ("currencies", "CNY,CNY"),
        ("currencies", "CNY,ABC"),
        ("currencies", "XAU"),
        ("sign_up", ""),
        ("sign_up", "closed"),
        *(("trusted_proxies", text) for text in (
            " ", ",", "10.0.0.1,", "10.0.0.1/8", "10.0.0.0/33", "proxy.example", "*",
            "10.0.0.1;::1", "010.0.0.1")),
        *((name, text) for name in NUMBERS for text in (
            "", "0", "-1", "+1", "1.5", "1e3", " 1", "1\n", "ten", "\uff11\uff12", "²", "1_000",
            str(10**15 + 1), "0000000000000000001999999999999999999", "9" * 10_000)),
        *((name, str(MAX_SECONDS + 1)) for name in SECONDS),
    ],
)  # fmt: skip
def test_bad_values_are_told_by_their_name(name: str, text: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(**{name: text})
    assert refused.value.field == f"TANDEM_{name.upper()}"


def test_a_light_accent_is_told_with_one_that_will_do() -> None:
    with pytest.raises(Invalid) as refused:
        read(accent="#FFD400")
    told = refused.value.sentence()
    assert "a contrast of 1.43 to 1" in told
    darker = re.search(r"#[0-9A-F]{6}", told)
    assert darker is not None
    assert read(accent=darker[0]).accent == darker[0]


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("TANDEM_RATE_PER_SECONDS", "TANDEM_RATE_PER_SECOND"),
        ("TANDEM_DATABSE_URL", "TANDEM_DATABASE_URL"),
        ("TANDEM_TRUSTED_PROXY", "TANDEM_TRUSTED_PROXIES"),
        ("TANDEM_SIGNUP", "TANDEM_SIGN_UP"),
        ("TANDEM_mode", "TANDEM_MODE"),
        ("TANDEM_PORT", "TANDEM_MODE"),
        ("TANDEM_", "TANDEM_MODE"),
    ],
)
def test_a_misspelt_name_is_told_with_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_settings({"TANDEM_MODE": "sandbox", name: "hunter2"})
    assert refused.value.sentence() == f"{name}: is no setting of Tandem; the nearest is {nearest}"


def test_names_that_others_set_are_left_alone() -> None:
    """Kubernetes sets these in every container beside a service called tandem, or tandem-web."""
    given = {
        "TANDEM_DATA": "/data",
        "TANDEM_DATABASE_URL": "postgresql://db/x",
        "TANDEM_KEY_FILE": "/keys",
        "TANDEM_TEST_DATABASE_URL": "postgresql://db/x",
        "TANDEM_BENCH_DATABASE_URL": "postgresql://db/x",
        "TANDEM_SERVICE_HOST": "10.0.0.11",
        "TANDEM_SERVICE_PORT": "8080",
        "TANDEM_SERVICE_PORT_HTTP": "8080",
        "TANDEM_PORT": "tcp://10.0.0.11:8080",
        "TANDEM_PORT_8080_TCP": "tcp://10.0.0.11:8080",
        "TANDEM_PORT_8080_TCP_ADDR": "10.0.0.11",
        "TANDEM_WEB_SERVICE_HOST": "10.0.0.12",
        "TANDEM_WEB_PORT": "tcp://10.0.0.12:80",
    }
    assert read_settings(given) == Settings()


def test_every_setting_is_in_the_documents() -> None:
    told = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
    names = {f"TANDEM_{name.upper()}" for name in Settings.__annotations__} | set(PLACES)
    assert set(re.findall(r"`(TANDEM_[A-Z_]+)`", told)) == names


def test_the_longest_address_fits_into_a_code() -> None:
    token = new_token(bytes)
    url = "https://" + "a" * (MAX_URL - 8)
    assert read(public_url=url).public_url == url
    assert len(link(url, token)) == MAX_CODE_LINK


HOSTS = st.one_of(
    st.sampled_from(
        ["localhost", "127.0.0.1", "127.9.9.9", "[::1]", "[::2]", "0.0.0.0", "pay.example"]  # noqa: S104 - compared, not bound
    ),
    st.from_regex(r"[a-z0-9.:\[\]-]{1,20}", fullmatch=True),
)


@given(
    scheme=st.sampled_from(["http", "https"]),
    host=HOSTS,
    rest=st.sampled_from(["", "/", ":80", ":99999", "/a/b~c", "//", ":80/x"]),
)
def test_what_is_taken_can_stand_in_a_code(scheme: str, host: str, rest: str) -> None:
    """Else nobody learns before the first code that no code can be made."""
    try:
        settings = read(public_url=f"{scheme}://{host}{rest}")
    except Invalid:
        return
    assert check_link(link(settings.public_url, new_token(bytes)))


def test_it_is_known_whether_only_this_machine_can_open_the_codes() -> None:
    assert not Settings().reaches_others
    for url in (
        "http://localhost",
        "https://127.0.0.1",
        "http://[::1]:8080",
        "https://localhost:8",
    ):
        assert not read(public_url=url).reaches_others
    for url in ("https://pay.example", "https://127.example", "https://localhost.example"):
        assert read(public_url=url).reaches_others


def test_a_day_begins_at_the_operators_midnight() -> None:
    shanghai = read(timezone="Asia/Shanghai")
    late = datetime(2026, 3, 14, 16, 0, tzinfo=UTC)
    assert (shanghai.day_of(late).day, Settings().day_of(late).day) == (15, 14)
