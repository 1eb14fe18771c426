"""A shop with a terminal at a living Tandem: the host of ISO 8583, a till, a person with a card.

    async with site(folder) as place, place.client() as client:
        ...

Everything goes the way that its users go: REST, the command line, files of settings.
"""

import asyncio
import os
import socket
import sys
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from living import Living, Person, Shop, living, made, open_shop, post, sign_up
from tandem.acquiring import Client, ClientSettings, Mac
from tandem.cards import unwrap
from tandem.emv.card import Profile
from tandem.emv.terminal import Knowledge
from tandem.kernel import SystemClock, read_id, system_entropy
from tandem.tap import (
    Device,
    DeviceStore,
    DirectField,
    Open,
    Payment,
    Provisioned,
    Reply,
    Secret,
    TerminalSettings,
    TerminalStore,
    Till,
    read_terminal_settings,
    read_trusted,
)
from tandem.till import HostOnline
from tap_play import PASSCODE

KEY: Final = bytes(range(1, 17))
TERMINAL: Final = "TERM0001"
HERE: Final = "TERM0002"
"""The terminal as a program, and the one in the test's own process: their numbers are their own."""
START_YUAN: Final = 1000


@dataclass
class Site:
    """The server, who takes part, the host's port, and the folder with all files."""

    server: Living
    folder: Path
    port: int
    lin: Person
    shop: Shop
    profile: Profile
    crowd_port: int

    @property
    def terminal_file(self) -> Path:
        """The terminal's settings."""
        return self.folder / "terminal.toml"

    def client(
        self,
        on_cutover: Callable[[str], None] | None = None,
        **settings: Any,  # noqa: ANN401 - as the client takes them
    ) -> Client:
        """The terminal's side of the link."""
        given = {"port": self.port, "mac": Mac(key="harbour"), "pause_seconds": 1, **settings}
        return Client(
            ClientSettings(**given), _Keys(), SystemClock(), system_entropy, on_cutover=on_cutover
        )

    async def spent(self) -> int:
        """What the person has paid, in minor units, and the shop has got."""
        async with self.server.client(self.lin.key) as phone:
            balances = made(await phone.get("/v1/wallet"))["balances"]
        (balance,) = (each for each in balances if each["currency"] == "CNY")
        assert balance["reserved"] == 0
        return START_YUAN * 100 - int(balance["balance"])

    async def run(self, *arguments: str, given: str = "") -> tuple[int, str]:
        """Run `tandem …` beside the server. Returns its exit status and what it said."""
        process = await self.start(*arguments)
        said, _ = await process.communicate(given.encode())
        assert process.returncode is not None
        return process.returncode, said.decode()

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start `tandem …`."""
        kept = {name: text for name, text in os.environ.items() if not name.startswith("TANDEM_")}
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tandem", *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**kept, "TANDEM_DATA": str(self.server.data)},
        )

    def phone(self) -> "DeviceStore":
        """The folder of the person's phone."""
        return DeviceStore(self.folder / "phone", system_entropy)

    async def tapped(self, port: int) -> str:
        """Hold the phone at a terminal of this machine as soon as it waits; what it says."""
        async with asyncio.timeout(60):
            while True:
                status, said = await self.run(
                    *("device", "tap", "--verify", "--port", str(port)),
                    *("--folder", str(self.folder / "phone")),
                    given=PASSCODE + "\n",
                )
                if status == 0 or "cannot be used" not in said:
                    return said
                await asyncio.sleep(0.2)

    async def take(self, amount: str, *, tap: bool = True) -> tuple[int, str]:
        """`tandem terminal take`, and a tap of the phone. Its status and what it said."""
        reader = free_port()
        text = terminal_settings(self, reader)
        self.terminal_file.write_text(text)
        terminal = await self.start(
            *("terminal", "take", amount, "--settings", str(self.terminal_file)),
            *("--folder", str(self.folder / "till")),
        )
        if tap:
            await self.tapped(reader)
        said, _ = await terminal.communicate()
        assert terminal.returncode is not None
        return terminal.returncode, said.decode()


@dataclass
class Listening:
    """A terminal's way to its host that remembers what went over it."""

    online: HostOnline
    settings: TerminalSettings
    asked: list[tuple[Payment, Secret]] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)

    async def authorise(self, payment: Payment, secret: Secret, *, repeat: bool) -> Reply:
        self.asked.append((payment, secret))
        self.replies.append(await self.online.authorise(payment, secret, repeat=repeat))
        return self.replies[-1]

    async def advise(self, payment: Payment, secret: Secret, *, repeat: bool) -> Reply:
        return await self.online.advise(payment, secret, repeat=repeat)

    async def reverse(self, payment: Payment, secret: Secret, *, repeat: bool) -> Reply:
        self.replies.append(await self.online.reverse(payment, secret, repeat=repeat))
        return self.replies[-1]

    def use(self, client: Client) -> None:
        """Go over another connection from now on."""
        self.online = HostOnline(client, self.settings, SystemClock())


@dataclass
class Counter:
    """A till with the person's phone before it, in this process."""

    till: Till
    store: TerminalStore
    device: Device
    online: Listening


@contextmanager
def counter(place: Site, client: Client) -> Iterator[Counter]:
    """A till in this process that asks over this connection, with the person's phone before it."""
    settings = read_terminal_settings(terminal_settings(place, 1, HERE).encode())
    clock = SystemClock()
    with (
        place.phone() as cards,
        TerminalStore(place.folder / "till-here", system_entropy) as store,
    ):
        device = Device(cards, clock, system_entropy)
        device.verify(PASSCODE)
        online = Listening(HostOnline(client, settings, clock), settings)
        till = Till(
            settings,
            Knowledge(trusted=read_trusted(settings, place.folder)),
            store,
            DirectField(device),
            online,
            Open(),
            clock,
            system_entropy,
        )
        yield Counter(till, store, device, online)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class _Keys:
    def link_key(self, name: str) -> bytes:
        return {"harbour": KEY}[name]


def terminal_settings(place: Site, reader: int, terminal: str = TERMINAL) -> str:
    """What the terminal is set to."""
    return f"""
currency = "CNY"
trusted = "trusted.json"
reader = "socket:{reader}"
wait_seconds = 60

[shop]
name = "Blue Door"
country = 156
category = 5814
merchant = "M1"
terminal = "{terminal}"

[[aids]]
aid = "F074616E6401"
transaction_limit = 1000000
floor_limit = 1000
cvm_limit = 10000

[host]
port = {place.port}
mac = {{ key = "harbour" }}
keys = "link-keys.toml"
"""


def links(port: int, till: str, **more: str) -> str:
    """The file of links: one, whose terminal is this till."""
    rest = "\n".join(f"{name} = {value}" for name, value in more.items())
    return f"""
trace = "iso8583.trace"

[[listeners]]
port = {port}

[[links]]
name = "harbour"
networks = ["127.0.0.0/8"]
mac = {{ key = "harbour" }}
cutover = true
tills = {{ {TERMINAL} = "{till}", {HERE} = "{till}" }}
{rest}
"""


CARD_ID: Final = "crd_" + "1" * 32
"""What the phone calls its card."""


@asynccontextmanager
async def site(folder: Path, *, workers: int = 1) -> AsyncIterator[Site]:
    """A living Tandem with everything that a tap needs, serving the host."""
    async with living(folder / "data", workers=workers) as server:
        async with server.client(server.operator_key) as operator:
            lin = await sign_up(operator, "lin", yuan=START_YUAN)
            shop = await open_shop(server, operator, "Blue Door")
        place = Site(server, folder, free_port(), lin, shop, await _card(server, lin), free_port())
        with place.phone() as store:
            store.add(Provisioned(id=CARD_ID, profile=place.profile))
            Device(store, SystemClock(), system_entropy).set_passcode(PASSCODE)
        status, said = await place.run("cards", "keys", "export", str(folder / "trusted.json"))
        assert status == 0, said
        status, said = await place.run("acquiring", "keys", "enter", "harbour", given=KEY.hex())
        assert status == 0, said
        (folder / "link-keys.toml").write_text(f'harbour = "{KEY.hex()}"\n')
        (folder / "link-keys.toml").chmod(0o600)
        (folder / "links.toml").write_text(links(place.port, shop.till_id))
        server.environment["TANDEM_ACQUIRING_CONFIG"] = str(folder / "links.toml")
        await server.stop()
        await server.start()
        yield place


async def _card(server: Living, lin: Person) -> Profile:
    """A device card of this person's, fetched and opened as the phone does."""
    secret = X25519PrivateKey.generate()
    public = b64encode(secret.public_key().public_bytes_raw()).decode()
    async with server.client(lin.key) as phone:
        mine = "/v1/people/me/cards"
        card = await post(phone, mine, {"currency": "CNY", "device_key": public})
        package = await post(phone, f"{mine}/{card['id']}/package")
    return unwrap(b64decode(package["sealed"]), secret, read_id("crd", card["id"]))
