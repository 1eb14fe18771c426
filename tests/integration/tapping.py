"""A shop's terminal and a person's phone at a living Tandem, as programs and in this process."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from living import Living, fresh_key, made, open_shop, post, sign_up
from tandem.emv.terminal import Knowledge
from tandem.kernel import SystemClock, system_entropy
from tandem.tap import (
    Device,
    DeviceStore,
    DirectField,
    Online,
    TerminalStore,
    Till,
    Vault,
    read_terminal_settings,
    read_trusted,
)
from tandem.tap.provisioning import add, connect, connected
from tandem.till import RestOnline, open_tandem, watched

PASSCODE: Final = "135790"
_SETTINGS: Final = """\
currency = "CNY"
zone = "Asia/Shanghai"
reader = "{reader}"
trusted = "trusted.json"
wait_seconds = 60

[shop]
name = "Blue Door"
country = 156
category = 5814
merchant = "M1"
terminal = "T1"

[[aids]]
aid = "F074616E6401"
transaction_limit = 100000
floor_limit = 2000
cvm_limit = 10000
{gate}
[tandem]
url = "{url}"
till = "{till}"
key_file = "till.key"
answer_seconds = {answer}
"""


@dataclass(frozen=True)
class Counter:
    """A till with its terminal's files, and the shop's own key for looking behind it."""

    folder: Path
    key: str
    shop_key: str
    shop_id: str
    till_id: str
    port: int
    server: Living

    @property
    def settings(self) -> Path:
        """The terminal's settings."""
        return self.folder / "terminal.toml"

    @property
    def kept(self) -> Path:
        """The terminal's own folder."""
        return self.folder / "kept"

    def write(
        self, *, url: str = "", answer: float = 15.0, gate: bool = False, reader: str = ""
    ) -> None:
        """Write the settings; `url` is where the terminal is to find Tandem."""
        transit = "transit = true\ndeferred_limit = 1000\n" if gate else ""
        self.settings.write_text(
            _SETTINGS.format(
                reader=reader or f"socket:{self.port}",
                gate=transit,
                url=url or self.server.url,
                till=self.till_id,
                answer=answer,
            )
        )

    async def terminal(self, *words: str) -> asyncio.subprocess.Process:
        """`tandem terminal …` with this till's settings."""
        return await program(
            *("terminal", *words, "--settings", str(self.settings), "--folder", str(self.kept))
        )

    @asynccontextmanager
    async def till(self, device: Device, online: Online | None = None) -> AsyncIterator[Till]:
        """The terminal within this process, with the device in its field."""
        settings = read_terminal_settings(self.settings.read_bytes())
        knowledge = Knowledge(trusted=read_trusted(settings, self.folder))
        async with open_tandem(settings.tandem, self.folder) as tandem, watched(tandem) as policy:
            assert await policy.heard(30)
            with TerminalStore(self.kept, system_entropy) as store:
                yield Till(
                    settings,
                    knowledge,
                    store,
                    DirectField(device),
                    online or RestOnline(tandem),
                    policy,
                    SystemClock(),
                    system_entropy,
                )

    async def payments(self) -> list[dict[str, Any]]:
        """What the shop has taken, newest first."""
        async with self.server.client(self.shop_key) as client:
            found: list[dict[str, Any]] = made(await client.get("/v1/payments"))["data"]
            return found

    async def accepts(self, policy: dict[str, Any]) -> None:
        """Change what the shop accepts."""
        async with self.server.client(self.shop_key) as client:
            made(await client.put(f"/v1/shops/{self.shop_id}/acceptance", json=policy))


async def counter_at(
    server: Living, operator: httpx.AsyncClient, folder: Path, *, category: str = ""
) -> Counter:
    """A merchant's till, whose terminal has a key that is a terminal's only."""
    shop = await open_shop(server, operator, "Blue Door")
    async with server.client(shop.key) as client:
        if category:
            made(await client.patch(f"/v1/shops/{shop.shop_id}", json={"category": category}))
        body = {"name": "Till 1's terminal", "scopes": ["taps:write", "refunds:write"]}
        key = (await post(client, "/v1/keys", body))["secret"]
    _write_key(folder, key)
    counter = Counter(folder, key, shop.key, shop.shop_id, shop.till_id, free_port(), server)
    counter.write()
    trust = await program("terminal", "trust", "--settings", str(counter.settings))
    said, _ = await trust.communicate()
    assert trust.returncode == 0, said.decode()
    return counter


def _write_key(folder: Path, key: str) -> None:
    folder.mkdir()
    file = folder / "till.key"
    file.touch(mode=0o600)
    file.write_text(key)


@dataclass(frozen=True)
class Phone:
    """A person's phone: a folder with a card in it, and what the wallet has."""

    folder: Path
    key: str
    card_id: str
    server: Living

    @contextmanager
    def device(self) -> Iterator[Device]:
        """The phone within this process."""
        with DeviceStore(self.folder, system_entropy) as store:
            yield Device(store, SystemClock(), system_entropy)

    async def tap(self, port: int, *options: str, passcode: str = PASSCODE) -> tuple[int, str]:
        """`tandem device tap`, as soon as the terminal listens: its status, and what it says."""
        async with asyncio.timeout(60):
            while True:
                phone = await program(
                    *("device", "tap", "--port", str(port), "--folder", str(self.folder), *options)
                )
                said, _ = await phone.communicate(f"{passcode}\n".encode())
                assert phone.returncode is not None
                if b"cannot be used" not in said:
                    return phone.returncode, said.decode()
                await asyncio.sleep(0.2)

    async def balance(self) -> int:
        """What is in the wallet."""
        async with self.server.client(self.key) as client:
            (line,) = made(await client.get("/v1/wallet"))["balances"]
            balance: int = line["balance"]
            return balance


async def phone_of(
    server: Living, operator: httpx.AsyncClient, folder: Path, handle: str, *, yuan: int
) -> Phone:
    """Somebody new with this much money, whose phone has a card and a passcode."""
    person = await sign_up(operator, handle, yuan=yuan)

    def provision() -> str:
        with DeviceStore(folder, system_entropy) as store:
            connect(store, server.url, person.key, system_entropy)
            with Vault(connected(store)) as vault:
                card = add(store, vault, "CNY", system_entropy)
            Device(store, SystemClock(), system_entropy).set_passcode(PASSCODE)
            return card.id

    return Phone(folder, person.key, await asyncio.to_thread(provision), server)


async def program(*arguments: str) -> asyncio.subprocess.Process:
    """`tandem …`, in a process of its own."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tandem", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def lines_until(process: asyncio.subprocess.Process, words: str) -> str:
    """What a program says, up to the line with these words."""
    assert process.stdout is not None
    shown = ""
    async with asyncio.timeout(60):
        while words not in shown:
            line = (await process.stdout.readline()).decode()
            assert line, shown
            shown += line
    return shown


async def types(process: asyncio.subprocess.Process, line: str) -> None:
    """Type a line at a program."""
    assert process.stdin is not None
    process.stdin.write(f"{line}\n".encode())
    await process.stdin.drain()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def once() -> dict[str, str]:
    """Headers under which a request happens once."""
    return {"Idempotency-Key": fresh_key()}
