"""The virtual reader: pcscd with vsmartcard's driver, kept from the network.

The driver listens on all interfaces and asks nobody who they are, so whoever reaches its port could
present cards. Here it runs in a network namespace of its own, in which there is only a loopback.
What leads into it is a relay of ours, whose sockets were bound to 127.0.0.1 outside before:

    device ── 127.0.0.1:35963 ──► relay ── 127.0.0.1:35963 inside ──► driver in pcscd
    terminal ── /run/pcscd/pcscd.comm, a Unix socket, which namespaces of networks don't divide

Root may make such a namespace; other users may where the kernel lets them have user namespaces. If
neither works the reader is not started: nothing here runs the driver where the network reaches it.

One process is the supervisor: it holds the lock on its state file as long as it runs, and ends
pcscd when it ends.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tandem.tap.errors import VirtualReaderOfAnother, VirtualReaderRefused
from tandem.tap.transport import acknowledge_at_once
from tandem.tap.vpcd import LENGTH_BYTES, LOOPBACK, PORT, WHICH_ATR

NAME: Final = "Tandem Virtual Reader"
"""What the reader's name begins with in PC/SC."""
PACKAGES: Final = ("pcscd", "vsmartcard-vpcd")
"""The Debian packages that it needs."""
DRIVER: Final = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
SOCKETS: Final = Path("/run/pcscd")
STATE: Final = SOCKETS / "tandem-virtual-reader"
SLOTS: Final = 2

_COMMUNICATION: Final = SOCKETS / "pcscd.comm"
_NEW_NETWORK, _NEW_USER = 0x40000000, 0x10000000
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1
_START_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.05
_END_SECONDS: Final = 3.0
_NOTICE_SECONDS: Final = 0.8
"""How long a slot stays empty between two devices. pcscd looks every 0.4 seconds: if it misses that
one left before the next one came, it takes the reader for empty until that one leaves too."""
_LOOKS, _TRIES = 4, 10
"""So often pcscd may look at a card and do nothing else before that one leaves and comes again, and
so often it comes: on a busy machine pcscd looks later than after `_NOTICE_SECONDS`."""
_BLOCK: Final = 4096


def lacking() -> tuple[str, ...]:
    """The Debian packages that are missing."""
    there = (_pcscd() is not None, DRIVER.exists())
    return tuple(name for name, found in zip(PACKAGES, there, strict=True) if not found)


def _pcscd() -> str | None:
    """Debian has it where only root's path leads."""
    return shutil.which("pcscd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")


def running() -> int | None:
    """The supervisor's process id, None if there is none; whoever started it."""
    try:
        with STATE.open(encoding="ascii") as state:
            if _lock(state.fileno()):
                return None
            return int(state.read())
    except (OSError, ValueError):
        return None


def stop() -> bool:
    """End the supervisor, and pcscd with it. False if there was none.

    Raises `VirtualReaderOfAnother` if another user started it.
    """
    pid = running()
    if pid is None:
        return False
    # The lock says that this process is the supervisor and no other that has its number now.
    try:
        os.kill(pid, signal.SIGTERM)
    except PermissionError as error:
        raise VirtualReaderOfAnother from error
    return True


def supervise() -> None:
    """Run the reader until SIGTERM or SIGINT. To be called in a process with one thread.

    Raises `VirtualReaderRefused` if it cannot be kept from the network, or not be started.
    """
    missing = lacking()
    if missing:
        raise VirtualReaderRefused(f"these Debian packages are missing: {' '.join(missing)}")
    with _state() as state, contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(_listener(PORT + slot)) for slot in range(SLOTS)]
        _leave_the_network()
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tandem-reader-")))
        (folder / "virtual").write_text(
            f'FRIENDLYNAME "{NAME}"\nDEVICENAME /dev/null:{PORT}\n'
            f"LIBPATH {DRIVER}\nCHANNELID {PORT}\n",
            encoding="ascii",
        )
        asyncio.run(_run(folder, listeners, state))


@contextlib.contextmanager
def _state() -> Iterator[int]:
    """The state file, locked and with our process id in it; gone afterwards."""
    try:
        SOCKETS.mkdir(mode=0o755, exist_ok=True)
        descriptor = os.open(STATE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise VirtualReaderRefused(
            f"{SOCKETS} cannot be written to: {(error.strerror or 'no access').lower()}"
        ) from error
    try:
        if not _lock(descriptor):
            raise VirtualReaderRefused("it is running already")
        if _answered(_COMMUNICATION):
            raise VirtualReaderRefused(
                "another pcscd serves this machine's readers; end it first "
                "(systemctl stop pcscd.socket pcscd.service)"
            )
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        try:
            yield descriptor
        finally:
            STATE.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _answered(path: Path) -> bool:
    """Whether somebody listens on this Unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _listener(port: int) -> socket.socket:
    try:
        return socket.create_server((LOOPBACK, port), backlog=1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise VirtualReaderRefused(f"port {port} cannot be listened on: {reason}") from error


def _leave_the_network() -> None:
    """Put this process into a network namespace with nothing but its own loopback.

    Sockets that are open stay where they were bound. Raises `VirtualReaderRefused`.
    """
    library = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    flags = _NEW_NETWORK if user == 0 else _NEW_NETWORK | _NEW_USER
    if not hasattr(library, "unshare") or library.unshare(flags) != 0:
        reason = os.strerror(ctypes.get_errno()).lower()
        raise VirtualReaderRefused(
            f"it cannot be kept from the network here ({reason}), and its driver would listen on "
            "all interfaces. Run it as root, or where network namespaces are allowed"
        )
    if user != 0:
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        asked = struct.pack("16sH14x", b"lo", 0)
        (old,) = struct.unpack_from("H", fcntl.ioctl(control, _GET_FLAGS, asked), 16)
        fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sH14x", b"lo", old | _UP))


async def _run(folder: Path, listeners: list[socket.socket], state: int) -> None:
    """Run pcscd and the relay, until a signal or until pcscd ends."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    pcscd = await asyncio.create_subprocess_exec(
        *(_pcscd() or "pcscd", "--foreground", "--config", str(folder), "--error"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(),
    )
    died = asyncio.create_task(pcscd.wait())
    asked = asyncio.create_task(ended.wait())
    try:
        await _until_up(died)
        os.pwrite(state, f"{os.getpid()}\n".encode(), 0)
        relays = [
            await asyncio.start_server(_Relay(PORT + slot).serve, sock=listener)
            for slot, listener in enumerate(listeners)
        ]
        await asyncio.wait({died, asked}, return_when=asyncio.FIRST_COMPLETED)
        for relay in relays:
            relay.close()
    finally:
        asked.cancel()
        if pcscd.returncode is None:
            pcscd.terminate()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(died), _END_SECONDS)
        if pcscd.returncode is None:
            pcscd.kill()
            await died
    if not ended.is_set():
        raise VirtualReaderRefused(f"pcscd ended by itself, with status {pcscd.returncode}")


async def _until_up(died: asyncio.Task[int]) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + _START_SECONDS
    while not _answered(_COMMUNICATION):
        if died.done():
            raise VirtualReaderRefused(f"pcscd ended at once, with status {died.result()}")
        if loop.time() > until:
            raise VirtualReaderRefused("pcscd does not answer")
        await asyncio.sleep(_LOOK_SECONDS)


def ready() -> bool:
    """Whether the supervisor is through with starting: pcscd answers."""
    return running() is not None and _answered(_COMMUNICATION)


class _Relay:
    """Serves one slot: a device outside is joined to the driver inside, one at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._busy = False
        self._free_at = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Join one device, until either side ends. A second one is turned away."""
        if self._busy:
            writer.transport.abort()
            return
        self._busy = True
        try:
            for _ in range(_TRIES):
                if await self._join(reader, writer):
                    break
        finally:
            self._busy = False
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Lead the device to the driver, and say whether that is over.

        It is not if pcscd still takes the slot for empty: then the device leaves and comes again.
        """
        await asyncio.sleep(self._free_at - asyncio.get_running_loop().time())
        try:
            inside = await asyncio.open_connection(LOOPBACK, self._port)
        except OSError:
            return True
        try:
            asks = asyncio.create_task(_asked(*inside, writer))
            ways = {asyncio.create_task(_pump(reader, writer, inside[1])), asks}
            ended, left = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in left:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            return asks not in ended or asks.result()
        finally:
            self._free_at = asyncio.get_running_loop().time() + _NOTICE_SECONDS
            inside[1].transport.abort()


async def _asked(
    reader: asyncio.StreamReader, own: asyncio.StreamWriter, device: asyncio.StreamWriter
) -> bool:
    """Pass on what the driver asks, until it ends.

    False if it looked `_LOOKS` times for a card and did nothing else: it powers a card on that it
    sees, or off, or sends it what a terminal asks. The last of these questions is not passed on, so
    that no answer is left over for whoever asks next.
    """
    connection = own.get_extra_info("socket")
    acknowledge_at_once(connection)
    looks, known, waiting = 0, False, b""
    with contextlib.suppress(OSError):
        while data := await reader.read(_BLOCK):
            # The driver sends a length, and what is that long once the length is acknowledged.
            acknowledge_at_once(connection)
            waiting += data
            while (message := _first(waiting)) is not None:
                known = known or message != WHICH_ATR
                looks += 1
                if looks == _LOOKS and not known:
                    return False
                size = LENGTH_BYTES + len(message)
                device.write(waiting[:size])
                waiting = waiting[size:]
            await device.drain()
    return True


def _first(waiting: bytes) -> bytes | None:
    """The first message, without its length; None if it is not all there."""
    end = LENGTH_BYTES + int.from_bytes(waiting[:LENGTH_BYTES], "big")
    return None if len(waiting) < max(end, LENGTH_BYTES) else waiting[LENGTH_BYTES:end]


async def _pump(
    reader: asyncio.StreamReader, own: asyncio.StreamWriter, other: asyncio.StreamWriter
) -> None:
    """Pass on what the device answers, until it ends or cannot be passed on."""
    connection = own.get_extra_info("socket")
    acknowledge_at_once(connection)
    with contextlib.suppress(OSError):
        while data := await reader.read(_BLOCK):
            acknowledge_at_once(connection)
            other.write(data)
            await other.drain()
