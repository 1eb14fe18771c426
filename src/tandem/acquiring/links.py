"""The settings of the host: where it listens, who may connect, and how each link speaks.

They are data, read from TOML:

    [[listeners]]
    port = 8583

    [[links]]
    name = "harbour"
    networks = ["10.1.0.0/16"]
    wire = { numeric = "bcd", prefixes = "bcd", track2 = "bcd", header = "tpdu" }
    mac = { algorithm = "retail", key = "harbour" }

A link is known by its client certificate, or by where it connects to and from; several that come
from one place and speak alike are told apart by the terminals that each has.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import combinations
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from tandem.acquiring.errors import LinksUnusable
from tandem.acquiring.wire import Wire

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Seconds = Annotated[int, Meta(ge=1, le=86_400 * 365)]
Port = Annotated[int, Meta(ge=0, le=65_535)]
Name = Annotated[str, Meta(pattern="^[A-Za-z0-9._-]{1,64}$", max_length=64)]
Terminal = Annotated[str, Meta(pattern="^[!-~]([ -~]{0,6}[!-~])?$", max_length=8)]
Till = Annotated[str, Meta(pattern="^til_[0-9a-f]{32}$", max_length=36)]
_ALIKE: Final = ("wire", "mac", "sign_on", "order", "echo", "echo_seconds", "cutover", "limits")
Certificate = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", max_length=64)]


class Mac(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a link's messages are authenticated.

    `retail` is ISO/IEC 9797-1 algorithm 3 over DES with a key of 16 bytes, padded by `padding`
    (method 1 or 2 of the standard); `aes-cmac` is that of NIST SP 800-38B, cut to 8 bytes. `size` 4
    sends the first four bytes and zeros.

    `key` names the link's key in the key store. With `keys = "session"` it wraps the MAC keys that
    a sign-on brings, as `master` says: an AES or a triple DES key. With `fixed` it is the MAC key.
    With `each_terminal` every terminal has a key of its own, called by `key`, a point and the
    terminal; whoever signs on names it in element 41, and then speaks for that one only. A session
    key is good for `life_seconds`.
    """

    key: Name
    algorithm: Literal["retail", "aes-cmac"] = "retail"
    padding: Literal[1, 2] = 1
    size: Literal[4, 8] = 8
    keys: Literal["session", "fixed"] = "session"
    master: Literal["aes", "tdes"] = "aes"
    each_terminal: bool = False
    life_seconds: Seconds = 86_400

    def __post_init__(self) -> None:
        if self.each_terminal and self.keys == "fixed":
            raise ValueError("each_terminal needs session keys: a sign-on says whose key it is")

    def key_of(self, terminal: str) -> str:
        """The name of the key that a terminal signs on with."""
        return f"{self.key}.{terminal}" if self.each_terminal else self.key


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a link may take of the host. Times in seconds.

    `connections` at once; `pending` requests of one connection that wait for their answers, after
    which no more are read; `per_second` messages of all its connections, with bursts of as many,
    above which they are read slower. `message_bytes` is the longest message. A connection is closed
    when it is silent for `idle_seconds`, half a message stands for `frame_seconds`, it has not
    signed on after `sign_on_seconds`, does not take its answers for `write_seconds`, or after
    `faults` messages in a row that are malformed or have a wrong MAC. A request that is not
    answered after `answer_seconds` is undone.
    """

    connections: Count = 64
    pending: Count = 32
    per_second: Count = 500
    message_bytes: Annotated[int, Meta(ge=64, le=65_535)] = 4096
    idle_seconds: Seconds = 900
    frame_seconds: Seconds = 10
    sign_on_seconds: Seconds = 30
    write_seconds: Seconds = 10
    answer_seconds: Seconds = 15
    faults: Count = 10


class Link(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A link: equipment that connects, and how it speaks.

    `certificates` are SHA-256 fingerprints of client certificates in hexadecimal digits;
    `networks` where it connects from; `port` where to, if it matters. `terminals` are those that it
    may speak for; none named: any. `tills` says which of Tandem's tills each terminal is (til_…);
    one that is none takes no payments. With `sign_on` payments are taken only after a sign-on.
    `order` sends answers in the order of their requests or as soon as they are there. The host
    sends an echo test after `echo_seconds` of silence (0: never), and with `cutover` a message when
    the business day changes. `echo` names elements that answers repeat beside those that they
    always do.
    """

    name: Name
    port: Port | None = None
    networks: tuple[str, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    terminals: tuple[Terminal, ...] = ()
    tills: dict[Terminal, Till] = {}
    wire: Wire = Wire()
    mac: Mac | None = None
    sign_on: bool = True
    order: Literal["arrival", "ready"] = "ready"
    echo: tuple[Annotated[int, Meta(ge=2, le=127)], ...] = ()
    echo_seconds: Annotated[int, Meta(ge=0, le=86_400)] = 0
    cutover: bool = False
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if self.mac is not None and self.mac.keys == "session" and not self.sign_on:
            raise ValueError("a session key comes with a sign-on, so the link must sign on")


class Tls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """TLS 1.2 or newer: the files of the host's certificate and key.

    With `clients`, a file of authorities, a client certificate of one of them is demanded.
    """

    certificate: str
    key: str
    clients: str | None = None


class Listener(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the host listens."""

    host: str = "127.0.0.1"
    port: Port = 8583
    tls: Tls | None = None


class HostSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole host. `connections` counts all of them, `per_address` those of one address.

    `trace` is a file that every message is written to, readable and with card data masked.
    """

    listeners: tuple[Listener, ...] = (Listener(),)
    links: tuple[Link, ...] = ()
    connections: Count = 10_000
    per_address: Count = 1000
    trace: str | None = None

    def beside(self, folder: Path) -> "HostSettings":
        """The same with files that are named from this folder on."""

        def placed(tls: Tls | None) -> Tls | None:
            if tls is None:
                return None
            clients = None if tls.clients is None else str(folder / tls.clients)
            return Tls(
                certificate=str(folder / tls.certificate),
                key=str(folder / tls.key),
                clients=clients,
            )

        listeners = tuple(
            msgspec.structs.replace(listener, tls=placed(listener.tls))
            for listener in self.listeners
        )
        trace = None if self.trace is None else str(folder / self.trace)
        return msgspec.structs.replace(self, listeners=listeners, trace=trace)


class Directory:
    """Finds the links that a connection may belong to. Raises `LinksUnusable` if two contradict."""

    def __init__(self, links: tuple[Link, ...]) -> None:
        self._links = [(link, _networks(link)) for link in links]
        names = [link.name for link in links]
        for name in names:
            if names.count(name) > 1:
                raise LinksUnusable(f"there are two links {name}")
        for (one, ones), (other, others) in combinations(self._links, 2):
            if _meet(one, ones, other, others):
                _check_alike(one, other)

    def candidates(self, port: int, address: str, certificate: str | None) -> tuple[Link, ...]:
        """The links of a connection: none is a stranger, several are told apart by terminals.

        `port` is the host's, `address` the peer's, `certificate` the SHA-256 of the peer's. A link
        that is known by this certificate comes before those that are known by the address.
        """
        here = self._here(port, address)
        known = tuple(link for link in here if certificate in link.certificates)
        return known or tuple(link for link in here if not link.certificates)

    def expects(self, port: int, address: str) -> bool:
        """Whether anybody may connect from there, whatever certificate he has."""
        return bool(self._here(port, address))

    def _here(self, port: int, address: str) -> list[Link]:
        peer = _address(address)
        return [
            link
            for link, networks in self._links
            if link.port in {None, port}
            and (not networks or (peer is not None and any(peer in net for net in networks)))
        ]


def read_host_settings(text: bytes) -> HostSettings:
    """Read the settings from TOML. Raises `LinksUnusable` saying where and why they cannot be."""
    try:
        settings = msgspec.toml.decode(text, type=HostSettings, strict=True)
    except (msgspec.MsgspecError, ValueError) as error:
        raise LinksUnusable(str(error)) from error
    Directory(settings.links)
    return settings


def read_links(path: Path) -> HostSettings:
    """Read the settings from a file; what they name lies beside it. Raises `LinksUnusable`."""
    try:
        text = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "cannot be read"
        raise LinksUnusable(f"{path}: {reason.lower()}") from error
    return read_host_settings(text).beside(path.absolute().parent)


def _networks(link: Link) -> tuple[Network, ...]:
    if not link.networks and not link.certificates:
        raise LinksUnusable(f"{link.name} has neither networks nor certificates to be known by")
    try:
        return tuple(ip_network(text) for text in link.networks)
    except ValueError as error:
        raise LinksUnusable(f"{link.name}: {error}") from error


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    # A socket of both families sees ::ffff:10.0.0.1 where settings say 10.0.0.1.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _meet(one: Link, ones: tuple[Network, ...], other: Link, others: tuple[Network, ...]) -> bool:
    """Whether one connection could belong to both."""
    if None not in {one.port, other.port} and one.port != other.port:
        return False
    if bool(one.certificates) != bool(other.certificates):
        return False  # the certificate decides
    if one.certificates and not set(one.certificates) & set(other.certificates):
        return False
    return (
        not ones
        or not others
        or any(a.version == b.version and a.overlaps(b) for a in ones for b in others)
    )


def _check_alike(one: Link, other: Link) -> None:
    pair = f"{one.name} and {other.name} can be one connection"
    if not one.terminals or not other.terminals or set(one.terminals) & set(other.terminals):
        raise LinksUnusable(f"{pair}; tell them apart by port, network, certificate or terminals")
    if any(getattr(one, name) != getattr(other, name) for name in _ALIKE):
        raise LinksUnusable(f"{pair} and are told apart by terminals; so they must speak alike")
