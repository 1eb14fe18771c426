"""Links: their settings, which contradict themselves or do not, and who a connection is."""

import pytest

from acquiring_play import Keys
from tandem.acquiring import Directory, Limits, Link, LinksUnusable, Mac, Wire, read_host_settings
from tandem.acquiring.desk import LinkState

CERTIFICATE = "ab" * 32
OTHER = "cd" * 32
TOML = b"""
connections = 500
[[listeners]]
host = "0.0.0.0"
port = 8584
tls = { certificate = "host.pem", key = "host.key", clients = "shops.pem" }
[[links]]
name = "harbour"
networks = ["10.1.0.0/16", "fd00::/8"]
wire = { numeric = "bcd", header = "tpdu", elements = { 48 = "b...500" } }
mac = { key = "harbour", algorithm = "aes-cmac" }
limits = { pending = 4 }
[[links]]
name = "kiosk"
certificates = ["abababababababababababababababababababababababababababababababab"]
"""


def test_settings_are_read_from_toml() -> None:
    settings = read_host_settings(TOML)
    harbour, kiosk = settings.links
    assert settings.connections == 500
    assert settings.listeners[0].tls is not None
    assert harbour.wire == Wire(numeric="bcd", header="tpdu", elements={48: "b...500"})
    assert harbour.mac == Mac(key="harbour", algorithm="aes-cmac")
    assert harbour.limits == Limits(pending=4)
    assert kiosk.certificates == (CERTIFICATE,)
    assert kiosk.sign_on


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"[[links]]", b"[[links", "line"),
        (b'"harbour"\nn', b'"har bour"\nn', "name"),
        (b"10.1.0.0/16", b"10.1.0.1/16", "host bits"),
        (b"10.1.0.0/16", b"shop.example", "IPv4 or IPv6"),
        (b"b...500", b"b..500", "length of 2 digits"),
        (b"numeric", b"numerics", "unknown field"),
        (b"pending = 4", b"pending = 0", "pending"),
        (b"abab", b"ABAB", "certificates"),
        (b'"kiosk"', b'"harbour"', "two links harbour"),
        (b"certificates = [", b"terminals = [", "terminals"),
        (b"certificates", b"#", "neither networks nor certificates"),
        (b"connections", b"\xff", "utf-8"),
        (b"8584", b"99999", "65535"),
    ],
)
def test_settings_that_cannot_be_are_refused_with_the_reason(
    old: bytes, new: bytes, reason: str
) -> None:
    with pytest.raises(LinksUnusable, match=reason):
        read_host_settings(TOML.replace(old, new))


def link(name: str, **settings: object) -> Link:
    given: dict[str, object] = {"networks": ("10.0.0.0/8",), **settings}
    return Link(name=name, **given)  # type: ignore[arg-type]  # each test gives what fits


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (link("a"), link("b")),
        (link("a"), link("b", networks=("10.9.0.0/16",))),
        (link("a"), link("b", port=8583)),
        (link("a", terminals=("T1", "T2")), link("b")),
        (link("a", terminals=("T1", "T2")), link("b", terminals=("T2",))),
        (link("a", terminals=("T1",)), link("b", terminals=("T2",), wire=Wire(numeric="bcd"))),
        (link("a", terminals=("T1",)), link("b", terminals=("T2",), mac=Mac(key="b"))),
        (link("a", terminals=("T1",)), link("b", terminals=("T2",), sign_on=False)),
        (
            link("a", networks=(), certificates=(CERTIFICATE,)),
            link("b", networks=(), certificates=(OTHER, CERTIFICATE)),
        ),
    ],
)
def test_links_that_one_connection_could_mean_are_refused(one: Link, other: Link) -> None:
    with pytest.raises(LinksUnusable, match="a and b can be one connection"):
        Directory((one, other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (link("a", port=1), link("b", port=2)),
        (link("a"), link("b", networks=("192.168.0.0/16",))),
        (link("a"), link("b", networks=("fd00::/8",))),
        (link("a"), link("b", certificates=(CERTIFICATE,))),
        (link("a", certificates=(OTHER,)), link("b", certificates=(CERTIFICATE,))),
        (link("a", terminals=("T1",)), link("b", terminals=("T2",))),
    ],
)
def test_links_that_can_be_told_apart_stand_beside_each_other(one: Link, other: Link) -> None:
    Directory((one, other))


def test_a_connection_is_known_by_certificate_before_address() -> None:
    directory = Directory(
        (
            link("north", terminals=("T1",)),
            link("south", terminals=("T2",)),
            link("port", networks=("192.168.0.0/16",), port=9000),
            link("kiosk", networks=(), certificates=(CERTIFICATE,)),
            link("both", networks=("fd00::/8",), certificates=(OTHER,)),
        )
    )

    def names(port: int, address: str, certificate: str | None = None) -> list[str]:
        return [found.name for found in directory.candidates(port, address, certificate)]

    assert names(8583, "10.1.2.3") == ["north", "south"]
    assert names(8583, "::ffff:10.1.2.3") == ["north", "south"]
    assert names(8583, "10.1.2.3", CERTIFICATE) == ["kiosk"]
    assert names(8583, "10.1.2.3", "ef" * 32) == ["north", "south"]
    assert names(8583, "192.168.0.1") == []
    assert names(9000, "192.168.0.1") == ["port"]
    assert names(8583, "203.0.113.1", CERTIFICATE) == ["kiosk"]
    assert names(8583, "203.0.113.1", OTHER) == []
    assert names(8583, "fd00::1%eth0", OTHER) == ["both"]
    assert names(8583, "fd00::1") == []
    assert names(8583, "") == []
    assert directory.expects(8583, "fd00::1")
    assert directory.expects(8583, "203.0.113.1")  # the kiosk may connect from anywhere
    assert not Directory((link("a"),)).expects(8583, "203.0.113.1")


def test_terminals_are_compared_without_the_blanks_that_fill_them() -> None:
    some = LinkState(link("a", terminals=("T1",)), Keys())
    assert some.takes("T1      ")
    assert not some.takes("T2      ")
    assert not some.takes(None)
    assert LinkState(link("a"), Keys()).takes(None)
