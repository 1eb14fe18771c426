"""TLS: who has the right certificate is let in as that link, and nobody else is."""

import asyncio
import hashlib
import ssl
from pathlib import Path

import pytest
import uvloop

from acquiring_bank import Bank
from acquiring_certificates import Authority
from acquiring_host import SOON, code, open_host, until
from acquiring_play import Keys, make_link, money
from tandem.acquiring import Client, ClientSettings, LinksUnusable, Listener, NotSent, Tls
from tandem.kernel import SystemClock, system_entropy


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("certificates"))
    for name in ("host", "shop", "kiosk", "nobody"):
        made.issue(name)
    return made


def tls(authority: Authority, *, clients: bool = True) -> Listener:
    folder = authority.folder
    settings = Tls(
        certificate=str(folder / "host.pem"),
        key=str(folder / "host.key"),
        clients=str(authority.file) if clients else None,
    )
    return Listener(port=0, tls=settings)


def fingerprint(authority: Authority, name: str) -> str:
    pem = (authority.folder / f"{name}.pem").read_text()
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def client(port: int, context: ssl.SSLContext) -> Client:
    settings = ClientSettings(port=port, connect_seconds=2)
    return Client(settings, Keys(), SystemClock(), system_entropy, tls=context)


async def test_a_link_is_known_by_its_client_certificate(authority: Authority) -> None:
    links = [
        make_link(name=name, networks=(), certificates=(fingerprint(authority, name),))
        for name in ("shop", "kiosk")
    ]
    bank = Bank()
    async with open_host(*links, bank=bank, listeners=(tls(authority),)) as host:
        for stan, name in enumerate(("shop", "kiosk", "shop")):
            async with client(host.ports[0], authority.client(name)) as terminal:
                await terminal.ready(SOON)
                assert code(await terminal.request(money("0200", stan))) == "00"
        assert [request.link for request in bank.asked] == ["shop", "kiosk", "shop"]
        async with client(host.ports[0], authority.client("nobody")) as stranger:
            with pytest.raises(NotSent):
                await stranger.ready(0.5)
        assert host.counts["strangers"] >= 1


async def test_without_a_certificate_of_the_authority_there_is_no_connection(
    authority: Authority, tmp_path: Path
) -> None:
    link = make_link(networks=(), certificates=(fingerprint(authority, "shop"),))
    other = Authority(tmp_path, "other")
    other.issue("shop")
    forged = authority.client(None)
    forged.load_cert_chain(tmp_path / "shop.pem", tmp_path / "shop.key")
    async with open_host(link, listeners=(tls(authority),)) as host:
        for context in (authority.client(None), forged):
            async with client(host.ports[0], context) as terminal:
                with pytest.raises(NotSent):
                    await terminal.ready(0.5)
        await until(lambda: host.counts["handshakes_failed"] >= 2)
        assert host.connections == 0


async def test_whoever_does_not_speak_tls_is_let_go(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tandem.acquiring.service._HANDSHAKE_SECONDS", 0.3)
    async with open_host(listeners=(tls(authority, clients=False),)) as host:
        for first in (b"", b"0800", b"\x16\x03\x01"):
            reader, writer = await asyncio.open_connection("127.0.0.1", host.ports[0])
            writer.write(first)
            async with asyncio.timeout(SOON):
                await reader.read()
            writer.close()
        await until(lambda: host.connections == 0)
        assert host.counts["handshakes_failed"] == 3
        async with client(host.ports[0], authority.client(None)) as terminal:
            await terminal.ready(SOON)


def test_certificates_that_cannot_be_used_are_refused(authority: Authority) -> None:
    async def start(settings: Tls) -> None:
        async with open_host(listeners=(Listener(port=0, tls=settings),)):
            pass

    for settings in (
        Tls(certificate="/nonexistent.pem", key="/nonexistent.key"),
        Tls(certificate=str(authority.file), key=str(authority.folder / "shop.key")),
    ):
        with pytest.raises(LinksUnusable, match="certificate"):
            asyncio.run(start(settings))


async def test_a_link_of_certificates_needs_a_listener_that_asks_for_them(
    authority: Authority,
) -> None:
    link = make_link(networks=(), certificates=("ab" * 32,))
    for listener in (Listener(port=0), tls(authority, clients=False)):
        with pytest.raises(LinksUnusable, match="no listener asks"):
            async with open_host(link, listeners=(listener,)):
                pass


def test_the_same_on_the_loop_that_serves(authority: Authority) -> None:
    uvloop.run(test_a_link_is_known_by_its_client_certificate(authority))
