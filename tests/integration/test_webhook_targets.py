"""Whom webhooks reach: never the inside of a network, whatever a name or an answer says."""

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hooks import (
    START,
    House,
    Receiver,
    deliveries,
    dispatching,
    endpoint,
    house,
    only_delivery,
    receiver,
    settle,
    status,
    until,
)
from tandem.events import CreateEndpoint, NewEndpoint, Sender, TargetRefused, UpdateEndpoint
from tandem.events import send as sending
from tandem.events.model import GAPS
from tandem.events.send import Message
from tandem.kernel import read_id


@pytest.fixture
async def shop(fresh_database: str, tmp_path: Path) -> AsyncIterator[House]:
    async with house(fresh_database, tmp_path) as made:
        yield made


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    async with receiver() as made:
        yield made


async def public(_host: str, _port: int) -> Sequence[str]:
    return ["93.184.215.14"]


async def loopback(_host: str, _port: int) -> Sequence[str]:
    return ["127.0.0.1"]


async def mixed(_host: str, _port: int) -> Sequence[str]:
    return ["93.184.215.14", "10.0.0.7"]


async def nothing(_host: str, _port: int) -> Sequence[str]:
    raise OSError("no such name")


@pytest.mark.parametrize("find", [loopback, mixed, nothing])
async def test_production_refuses_names_that_lead_inside(
    fresh_database: str, tmp_path: Path, find: sending.Resolve
) -> None:
    async with house(fresh_database, tmp_path, mode="production") as shop:
        new = CreateEndpoint(url="https://hooks.example/x")
        with pytest.raises(TargetRefused):
            await shop.webhooks(find).create(shop.merchant_id, new, None)
        assert await shop.webhooks().list(shop.merchant_id) == ()
        made = await shop.webhooks(public).create(shop.merchant_id, new, None)
        number = read_id("whe", msgspec.json.decode(made.body, type=NewEndpoint).id)
        with pytest.raises(TargetRefused):
            await shop.webhooks(find).update(
                shop.merchant_id, number, UpdateEndpoint(url="https://other.example/")
            )
        kept = await shop.webhooks().get(shop.merchant_id, number)
        assert kept.url == "https://hooks.example/x"


async def test_production_refuses_loopback_by_the_system_s_resolver(
    fresh_database: str, tmp_path: Path
) -> None:
    async with house(fresh_database, tmp_path, mode="production") as shop:
        for host in ("localhost", "127.0.0.1", "[::1]", "127.1", "2130706433", "0"):
            new = CreateEndpoint(url=f"https://{host}/")
            with pytest.raises(TargetRefused):
                await shop.webhooks().create(shop.merchant_id, new, None)


async def test_a_name_that_changes_its_mind_reaches_nothing(
    fresh_database: str, tmp_path: Path, hook: Receiver
) -> None:
    async with house(fresh_database, tmp_path, mode="production") as shop:
        new = CreateEndpoint(url=f"https://rebind.example:{hook.port}/hooks")
        outcome = await shop.webhooks(public).create(shop.merchant_id, new, None)
        made = msgspec.json.decode(outcome.body, type=NewEndpoint)
        await shop.announce(1)
        sender = Sender(sandbox=False, find=loopback)
        async with dispatching(shop, sender=sender) as dispatcher:
            await settle(dispatcher)
        assert hook.connections == 0
        assert await deliveries(shop, made) == [("pending", 1, None)]
        number = await only_delivery(shop, made)
        tried, *_ = await shop.webhooks().delivery(shop.merchant_id, number)
        assert tried.last_error is not None
        assert "not on the public internet" in tried.last_error
        assert "127.0.0.1" not in tried.last_error


async def test_the_connection_goes_to_the_address_that_was_checked(hook: Receiver) -> None:
    asked: list[str] = []

    async def find(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    message = Message("evt_1", b"{}", (b"k" * 32,))
    async with Sender(sandbox=True, find=find) as sender:
        # no resolver knows this name, so nothing but our own answer can have been used
        url = f"http://nowhere.invalid:{hook.port}/hooks"
        assert (await sender.send(url, message, START)).delivered
    assert asked == ["nowhere.invalid"]
    assert hook.requests[0].headers["host"] == f"nowhere.invalid:{hook.port}"


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for a name, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cafile=str(file))


async def test_tls_proves_the_name_and_not_the_address(tmp_path: Path) -> None:
    server, trust = certificate(tmp_path, "hooks.example")
    message = Message("evt_1", b"{}", (b"k" * 32,))
    names: list[str | None] = []
    server.sni_callback = lambda _socket, name, _context: names.append(name)
    async with receiver(ssl=server) as hook:
        async with Sender(sandbox=True, find=loopback, tls=trust) as sender:
            url = f"https://hooks.example:{hook.port}/"
            assert (await sender.send(url, message, START)).delivered
            assert names == ["hooks.example"]
            wrong = await sender.send(f"https://else.example:{hook.port}/", message, START)
            assert wrong.status is None
            assert "certificate is not trusted" in str(wrong.error)
        async with Sender(sandbox=True, find=loopback) as sender:
            answer = await sender.send(url, message, START)
            assert "certificate is not trusted" in str(answer.error)
        assert len(hook.requests) == 1


async def test_redirects_are_not_followed(shop: House, hook: Receiver) -> None:
    async with receiver() as inside:
        made = await endpoint(shop, hook.url)
        hook.answers = [status(code, f"location: {inside.url}") for code in (302, 307)]
        await shop.announce(1)
        async with dispatching(shop) as dispatcher:
            await settle(dispatcher)
            shop.clock.advance(GAPS[0])
            await settle(dispatcher)
        assert inside.connections == 0
        assert await deliveries(shop, made) == [("pending", 2, 307)]


async def test_an_endless_answer_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    written = 0

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
                written += 65536
        writer.close()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(b"1\r\nx\r\n")
                await writer.drain()
                await asyncio.sleep(0.02)
        writer.close()

    async def headers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(b"x-more: " + b"x" * 1000 + b"\r\n")
                await writer.drain()
        writer.close()

    monkeypatch.setattr(sending, "_DRAIN_SECONDS", 0.2)
    message = Message("evt_1", b"{}", (b"k" * 32,))
    expected = {pour: True, drip: True, headers: False}
    for reply, delivered in expected.items():
        server = await asyncio.start_server(reply, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with asyncio.timeout(5), Sender(sandbox=True) as sender:
            answer = await sender.send(f"http://127.0.0.1:{port}/", message, START)
        assert answer.delivered is delivered, reply.__name__
        server.close()
    await until("the flood stopped", lambda: written < 32 << 20)


async def test_a_server_that_is_not_there_or_talks_nonsense(shop: House) -> None:
    async def nonsense(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x16\x03\x01\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(nonsense, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    made = await endpoint(shop, f"http://127.0.0.1:{port}/")
    await shop.announce(1)
    async with dispatching(shop) as dispatcher:
        await settle(dispatcher)
        server.close()
        await server.wait_closed()
        shop.clock.advance(GAPS[0])
        await settle(dispatcher)
    assert await deliveries(shop, made) == [("pending", 2, None)]
