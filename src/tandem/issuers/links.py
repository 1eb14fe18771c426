"""The settings of issuers: whose cards have which numbers, and how their hosts are spoken to.

They are data, read from the TOML file that TANDEM_ISSUERS names:

    [[issuers]]
    name = "harbour-bank"
    ranges = ["476173"]
    host = "10.9.0.1"
    port = 8583
    mac = { key = "harbour", algorithm = "aes-cmac", keys = "fixed" }

    [keys]
    harbour = "harbour.key"

Keys are files of hexadecimal digits that nobody else may read; relative names are looked up beside
the settings.
"""

import re
import ssl
import stat
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from tandem.acquiring import Mac, Wire
from tandem.acquiring.links import Name, Port, Seconds
from tandem.issuers.errors import IssuersUnusable

_LARGEST: Final = 1 << 20
_HEX: Final = re.compile(r"[0-9A-Fa-f]+", re.ASCII)
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO

Range = Annotated[str, Meta(pattern="^[0-9]{1,12}$", max_length=12)]


class IssuerTls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """TLS to an issuer's host: who vouches for it, and our certificate if it asks for one."""

    authority: str
    certificate: str | None = None
    key: str | None = None


class IssuerLink(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An issuer, and the link to its host. Times in seconds.

    `ranges` are the digits that its cards' numbers begin with; of several issuers the longest one
    that fits decides. `acquirer` is what we are called in element 32. The rest is as in the
    settings of terminals' links (docs/acquiring.md).
    """

    name: Name
    ranges: Annotated[tuple[Range, ...], Meta(min_length=1)]
    host: str = "127.0.0.1"
    port: Port = 8583
    acquirer: Annotated[str, Meta(pattern="^[0-9]{1,11}$", max_length=11)] = "1"
    wire: Wire = Wire()
    mac: Mac | None = None
    tls: IssuerTls | None = None
    sign_on: bool = True
    answer_seconds: Annotated[int, Meta(ge=1, le=60)] = 10
    echo_seconds: Seconds = 60

    @property
    def unguarded(self) -> tuple[str, ...]:
        """What nothing but the network between protects: `numbers` of cards, `answers`."""
        if self.tls is not None or _is_here(self.host):
            return ()
        return ("numbers",) if self.mac is not None else ("numbers", "answers")


class IssuerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All issuers, and the files of their links' keys by name."""

    issuers: tuple[IssuerLink, ...] = ()
    keys: dict[Name, str] = {}


class KeyFiles:
    """The keys of links, from the files that the settings name; read when they are asked for."""

    def __init__(self, path: Path, files: dict[str, str]) -> None:
        self._path = path
        self._files = files

    def link_key(self, name: str) -> bytes:
        """The key of this name. Raises `IssuersUnusable`."""
        if name not in self._files:
            raise self._unusable(f"no file is named for the key {name!r}: add it under [keys]")
        file = self._path.parent / self._files[name]
        try:
            if stat.S_IMODE(file.stat().st_mode) & _OTHERS:
                raise self._unusable(f"{file} is open to others: chmod 600 it")
            text = file.read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise self._unusable(f"{file}: {reason.lower()}") from None
        if _HEX.fullmatch(text) is None or len(text) % 2:
            raise self._unusable(f"{file} holds no hexadecimal digits")
        return bytes.fromhex(text)

    def _unusable(self, reason: str) -> IssuersUnusable:
        return IssuersUnusable(str(self._path), reason)


def read_issuers(path: Path) -> IssuerSettings:
    """Read the settings. Raises `IssuersUnusable` saying where and why they cannot be."""
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST)
        settings = msgspec.toml.decode(text, type=IssuerSettings, strict=True)
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        raise IssuersUnusable(str(path), reason) from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise IssuersUnusable(str(path), str(error)) from error
    names = [one.name for one in settings.issuers]
    ranges = [reach for one in settings.issuers for reach in one.ranges]
    for what, given in (("named", names), ("given the range", ranges)):
        twice = next((one for one in given if given.count(one) > 1), None)
        if twice is not None:
            raise IssuersUnusable(str(path), f"two issuers are {what} {twice}")
    return settings


def client_tls(path: Path, tls: IssuerTls) -> ssl.SSLContext:
    """TLS to a host, whose name is checked. Raises `IssuersUnusable`."""
    folder = path.parent
    try:
        context = ssl.create_default_context(cafile=str(folder / tls.authority))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if tls.certificate is not None:
            key = None if tls.key is None else str(folder / tls.key)
            context.load_cert_chain(str(folder / tls.certificate), key)
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise IssuersUnusable(str(path), f"tls: {reason}") from error
    return context


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
