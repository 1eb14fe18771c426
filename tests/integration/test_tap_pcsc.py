"""Over the real PC/SC stack: pcscd, vsmartcard's driver, pyscard, and readers of other people.

Skipped by name where the stack is not there: `.ci/run` installs it. The virtual reader is started
and ended by these tests.
"""

import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from demos import demo
from tapping import counter_at, lines_until, phone_of

from conftest import open_folder
from emv_tap import AID, DATA, NOW, profile
from living import living
from tandem.emv.terminal import Lost, Result, Why
from tandem.kernel import ManualClock, system_entropy
from tandem.tags import TagPackage, read_link, template
from tandem.tags.sun import read_message
from tandem.tap import Device, Presence, ReaderUnusable, VirtualReaderRefused, pcsc, virtual
from tandem.tap.soft_tag import SoftTag, blank
from tandem.tap.transport import CardPort
from tandem.tap.vpcd import LOOPBACK, PORT, connect
from tap_play import device_in, pay
from terminal import Cli

LACKING = [*virtual.lacking(), *filter(None, [pcsc.missing() and "pyscard"])]
pytestmark = pytest.mark.skipif(
    bool(LACKING) or virtual.running() is not None,
    reason=f"PC/SC is not there ({', '.join(LACKING)}), or the virtual reader is in use",
)
SEEN_SECONDS = 20.0


@pytest.fixture(scope="module")
def reader() -> Iterator[str]:
    """The virtual reader, running."""
    command = [sys.executable, "-m", "tandem", "reader", "setup-virtual", "--foreground"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as started:  # noqa: S603 - ourselves
        for _ in range(200):
            if virtual.ready() or started.poll() is not None:
                break
            time.sleep(0.05)
        if started.poll() is not None:
            assert started.stderr is not None
            pytest.skip(f"PC/SC: {started.stderr.read().strip()}")
        try:
            yield virtual.NAME
        finally:
            started.terminate()
            assert started.wait(10) == 0
    assert virtual.running() is None
    assert not virtual._answered(virtual._COMMUNICATION), "pcscd went with it"


@contextmanager
def present(card: CardPort) -> Iterator[threading.Event]:
    """A device on the reader, until the event is set."""
    leave = threading.Event()
    presence = Presence(card, connect(LOOPBACK, PORT), system_entropy)
    thread = threading.Thread(target=presence.serve, args=(leave.is_set,))
    thread.start()
    try:
        yield leave
    finally:
        leave.set()
        thread.join(5)


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    with device_in(tmp_path / "device", ManualClock(NOW)) as made:
        yield made


@pytest.fixture
def field(reader: str) -> Iterator[pcsc.PcscField]:
    made = pcsc.PcscField(reader, answer_seconds=1)
    yield made
    made.close()


def test_a_tap_through_pc_sc_is_approved(field: pcsc.PcscField, device: Device) -> None:
    assert field.wait(0.1) is None
    with present(device) as leave:
        transport = field.wait(SEEN_SECONDS)
        assert transport is not None
        assert pay(transport).result is Result.APPROVED
        assert not field.gone(0.1)
        leave.set()
        assert field.gone(SEEN_SECONDS)


def test_a_rolling_tag_is_written_read_and_wiped(reader: str, tmp_path: Path, cli: Cli) -> None:
    """By the commands, over the same stack: each of them waits for the tag and lets it go."""
    url = template("https://pay.example", "Zm9vYmFyYmF6cXV4MTIz")
    package = TagPackage("tag_" + "0" * 32, url, *(f"{n:032X}" for n in range(1, 5)))
    file = tmp_path / "tag.json"
    file.write_bytes(msgspec.json.encode(package))
    states = [blank(system_entropy)]
    with present(SoftTag(states[0], states.append, system_entropy)):
        assert "reading 1" in cli.done("tag", "write", "--rolling", str(file), "--reader", reader)
        keys, shown = package.keys(), cli.done("tag", "read").replace("\n", "")
        link = read_link(shown.strip(), "https://pay.example")
        assert link is not None
        said = read_message(keys.meta, keys.mac, link.picc_data, link.mac)
        assert said is not None
        assert (said.uid, said.counter) == (states[0].uid, 2)
        assert "write-protected" in cli.refused("tag", "write", "https://evil.example/")
        assert "empty" in cli.done("tag", "wipe", str(file))
    assert states[-1].content == states[0].content


def test_the_same_device_can_be_tapped_again(field: pcsc.PcscField, device: Device) -> None:
    with present(device):
        for _ in range(2):
            transport = field.wait(SEEN_SECONDS)
            assert transport is not None
            assert pay(transport, 100).result is Result.APPROVED


def test_a_device_taken_away_is_a_torn_tap(field: pcsc.PcscField, device: Device) -> None:
    class Leaves:
        def __init__(self) -> None:
            self.commands = 0
            self.event = threading.Event()

        def exchange(self, apdu: bytes) -> bytes:
            self.commands += 1
            if self.commands == 3:
                raise OSError("it is taken away")
            return device.exchange(apdu)

        def reset(self) -> None:
            device.reset()

    with present(Leaves()):
        transport = field.wait(SEEN_SECONDS)
        assert transport is not None
        outcome = pay(transport)
        assert (outcome.result, outcome.why) == (Result.TRY_AGAIN, Why.TORN)
        assert transport.transmit(b"\x00\xa4\x04\x00") is Lost.TORN
    assert field.gone(SEEN_SECONDS)


def test_a_device_that_says_nothing_is_silent(field: pcsc.PcscField, device: Device) -> None:
    spoke = threading.Event()

    class Mute:
        def exchange(self, apdu: bytes) -> bytes:
            spoke.wait(10)
            return device.exchange(apdu)

        def reset(self) -> None:
            device.reset()

    with present(Mute()):
        transport = field.wait(SEEN_SECONDS)
        assert transport is not None
        outcome = pay(transport)
        spoke.set()
        assert (outcome.result, outcome.why) == (Result.TRY_AGAIN, Why.SILENT)
    assert field.gone(SEEN_SECONDS)


def test_the_driver_cannot_be_reached_but_over_loopback(reader: str) -> None:
    assert reader
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        ours = probe.getsockname()[0]
    for port in range(PORT, PORT + virtual.SLOTS):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((ours, port), 1)


def test_there_is_one_virtual_reader(reader: str) -> None:
    assert reader
    with pytest.raises(VirtualReaderRefused, match="running already"):
        virtual.supervise()


def test_a_reader_that_is_not_there_is_said(reader: str) -> None:
    assert reader
    with pytest.raises(ReaderUnusable, match="none is called"):
        pcsc.PcscField("No such reader")


@contextmanager
def seen(card: CardPort) -> Iterator[None]:
    """A device on the reader that pcscd has seen. Where it has not, the device comes again.

    Readers of other people ask once: they would take the reader for empty.
    """
    for _ in range(5):
        with present(card):
            time.sleep(0.5)  # pcscd still sees the device before it
            field = pcsc.PcscField(virtual.NAME)
            try:
                found = field._until(field._scard.SCARD_STATE_PRESENT, SEEN_SECONDS / 4)
            finally:
                field.close()
            if found:
                yield
                return
    pytest.fail("pcscd saw no device in five tries")


# -- readers of other people ---------------------------------------------------------------------


def other(*command: str, seconds: int = 20) -> str:
    """What a program of somebody else's says; the test is skipped where it is not."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    ended = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)  # noqa: S603 - programs by name
    return ended.stdout + ended.stderr


def test_pcsc_scan_sees_the_device(reader: str, device: Device) -> None:
    with seen(device):
        said = other("timeout", "4", "pcsc_scan", "-c") if shutil.which("pcsc_scan") else None
    if said is None:
        pytest.skip("pcsc_scan is not installed")
    assert reader in said
    assert "3B 80 80 01 01" in said


def test_opensc_tool_selects_the_directory(reader: str, device: Device) -> None:
    assert reader
    select = b"\x00\xa4\x04\x00\x0e2PAY.SYS.DDF01\x00"
    with seen(device):
        said = other("opensc-tool", "--reader", "0", "--send-apdu", select.hex(":"))
    assert "SW1=0x90, SW2=0x00" in said
    lines = re.findall(r"^((?:[0-9A-F]{2} )+)", said.partition("Received")[2], re.MULTILINE)
    assert AID in bytes.fromhex("".join(lines))


def test_emvtool_lists_a_card(reader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks for the directory of contact cards, then for three AIDs that it knows.

    So for once a card of ours has one of these, which no operator can give it. It reads no
    further: it asks for the processing options as contact cards have them.
    """
    assert reader
    aid = bytes.fromhex("A0000000041010")
    monkeypatch.setattr("tandem.emv.card.profile._UNREGISTERED", 0)
    card = profile(msgspec.structs.replace(DATA, aid=aid))
    program = shutil.which("emvtool") or str(Path(".venv-emv/bin/emvtool").resolve())
    with device_in(tmp_path / "device", ManualClock(NOW), card) as device, seen(device):
        listed = other(program, "-r", "0", "listapps")
    assert re.search(r"0 .*TANDEM.*A0 00 00 00 04 10 10", listed), listed


# -- the whole way -------------------------------------------------------------------------------


async def test_phone_and_terminal_pay_through_pc_sc_as_programs(
    reader: str, tmp_path: Path
) -> None:
    assert reader
    with open_folder() as folder:
        async with living(folder / "data") as server, server.client(server.operator_key) as client:
            lin = await phone_of(server, client, tmp_path / "phone", "lin", yuan=500)
            counter = await counter_at(server, client, tmp_path / "shop")
            counter.write(reader="virtual")
            till = await counter.terminal("take", "80.00")
            await lines_until(till, "Present card")
            status, said = await lin.tap(PORT, "--verify")
            assert (status, "Paid 80.00 CNY at Blue Door" in said) == (0, True), said
            shown, _ = await till.communicate()
            assert (till.returncode, b"APPROVED" in shown) == (0, True), shown
            assert await lin.balance() == 42_000


async def test_the_story_goes_through_pc_sc(reader: str, new_data: Path) -> None:
    assert reader
    status, out, err = await demo(new_data, "--once")
    assert status == 0, out + err
    assert "The taps go through PC/SC" in out
