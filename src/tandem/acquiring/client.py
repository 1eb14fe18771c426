"""The other end of the wire: a connection to an ISO 8583 host, for terminals and for tests.

    async with Client(settings, keys, clock, entropy) as client:
        answer = await client.request(message)

It keeps itself connected: connects, signs on, takes the MAC key, asks by echo whether the host is
there when nothing else is said, changes the key before it is too old, and after a loss connects
again after a pause that doubles. What a request without an answer means is the caller's business:
`NotSent` is certain, `NoAnswer` must be reversed.
"""

import asyncio
import contextlib
import math
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Final, NamedTuple, Self

import msgspec
import structlog
from msgspec import Meta

from tandem.acquiring.codec import Codec
from tandem.acquiring.codes import NETWORK_CODES, NetworkCode, ResponseCode
from tandem.acquiring.elements import De
from tandem.acquiring.errors import AcquiringRefused, MacMissing, NoAnswer, NotSent
from tandem.acquiring.framing import Deframer, Frame, answer_header, first_header, put_frame
from tandem.acquiring.keys import KeyStore, link_secret, receive_key
from tandem.acquiring.links import Mac, Port, Seconds
from tandem.acquiring.mac import MacKey, check_mac, seal_message
from tandem.acquiring.message import Message, response_mti
from tandem.acquiring.respond import answer
from tandem.acquiring.wire import Wire
from tandem.kernel import Clock, Entropy

log = structlog.get_logger(__name__)

_LONGEST_BYTES: Final = 65_535
_READ_BYTES: Final = 65_536
_FIRST_PAUSE_SECONDS: Final = 0.5
_LAST_STAN: Final = 999_999
_SPREAD: Final = 510
_KEY_SHARE: Final = 0.9
"""A session key is changed when so much of its life is over."""
_SIGN_OFF_SECONDS: Final = 1.0


class ClientSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the host is and how the link to it speaks. Times in seconds.

    `wire`, `mac` and `sign_on` as the host has them for this link. `terminal` is sent as element 41
    of a sign-on, if the host tells its links apart by it. An answer is waited for `answer_seconds`;
    after `echo_seconds` of silence the host is asked whether it is there. Pauses between tries to
    connect double up to `pause_seconds`.
    """

    host: str = "127.0.0.1"
    port: Port = 8583
    wire: Wire = Wire()
    mac: Mac | None = None
    sign_on: bool = True
    terminal: Annotated[str, Meta(max_length=8)] = ""
    connect_seconds: Seconds = 10
    answer_seconds: Seconds = 30
    echo_seconds: Seconds = 60
    pause_seconds: Seconds = 30


class _Name(NamedTuple):
    """What an answer is known by."""

    mti: str
    stan: str | None
    terminal: str | None


@dataclass(eq=False, slots=True)
class _Asked:
    """A request that was sent."""

    future: asyncio.Future[Message]
    key: MacKey | None


@dataclass(eq=False, slots=True)
class _Line:
    """One connection, from connect to loss."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    key: MacKey | None
    key_since_seconds: float
    heard_seconds: float
    ready: bool = False
    asked: dict[_Name, _Asked] = field(default_factory=dict)


class Client:
    """A link's connection to its host, kept up until the block ends.

    `counts` holds plain numbers: connected, requests, answers, late, mac_wrong and other refusals.
    `on_cutover` is told the settlement date (MMDD) when the host begins a new business day, and
    after a sign-on. Raises `LinkKeyMissing` if the key that `mac` names is not there, and
    `LinksUnusable` if it cannot be one.
    """

    def __init__(
        self,
        settings: ClientSettings,
        keys: KeyStore,
        clock: Clock,
        entropy: Entropy,
        *,
        tls: ssl.SSLContext | None = None,
        on_cutover: Callable[[str], None] | None = None,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._settings = settings
        self._codec = Codec(settings.wire)
        self._clock = clock
        self._entropy = entropy
        self._tls = tls
        self._on_cutover = on_cutover
        self._secret = b""
        if settings.mac is not None:
            self._secret = link_secret("the link", settings.mac, keys, settings.terminal)
        self._line: _Line | None = None
        self._stan = 0
        self._changed = asyncio.Event()
        self._why = "it was not tried yet"
        self._runner: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to connect; `ready` waits for it."""
        self._runner = asyncio.create_task(self._run(), name="acquiring client")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Sign off and close."""
        if self._settings.sign_on and self.connected:
            with contextlib.suppress(AcquiringRefused):
                await self.manage(NetworkCode.SIGN_OFF, _SIGN_OFF_SECONDS)
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.gather(self._runner, return_exceptions=True)

    @property
    def connected(self) -> bool:
        """Whether a request could be sent now."""
        return self._line is not None and self._line.ready

    async def ready(self, within_seconds: float) -> None:
        """Wait until a request can be sent. Raises `NotSent` saying why it still cannot."""
        try:
            async with asyncio.timeout(within_seconds):
                while not self.connected:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise NotSent(self._why) from None

    async def request(self, message: Message, within_seconds: float | None = None) -> Message:
        """Send a request or advice, and wait for its answer.

        Raises `NotSent` if it was not sent, `NoAnswer` if it was and no answer came in time, and
        `MessageMalformed` if it cannot be written. Only one of the same type, trace number and
        terminal can be under way (`ValueError`).
        """
        line = self._line
        if line is None or not line.ready:
            raise NotSent(self._why)
        return await self._ask(line, message, within_seconds or self._settings.answer_seconds)

    async def manage(self, code: NetworkCode, within_seconds: float | None = None) -> Message:
        """Send a network management request. Raises as `request` does."""
        return await self.request(self._network(code), within_seconds)

    # -- the connection --------------------------------------------------------------------------

    async def _run(self) -> None:
        """Connect, talk until the connection is lost, pause; for ever."""
        pause_seconds = _FIRST_PAUSE_SECONDS
        while True:
            before = self.counts["connected"]
            try:
                await self._talk()
            except (OSError, AcquiringRefused) as error:
                self._why = str(error) or type(error).__name__
                log.info("the host is not connected", reason=self._why)
            except Exception as error:
                self._why = f"a fault of ours: {error!r}"
                log.exception("the connection to the host failed")
            if self.counts["connected"] > before:
                pause_seconds = _FIRST_PAUSE_SECONDS
            # Not all terminals of a shop at once: after half of the pause, or up to all of it.
            await asyncio.sleep(pause_seconds * (0.5 + self._entropy(1)[0] / _SPREAD))
            pause_seconds = min(pause_seconds * 2, float(self._settings.pause_seconds))

    async def _talk(self) -> None:
        """One connection, until it is lost. Raises what it was lost by."""
        line = await self._connect()
        reading = asyncio.create_task(self._read(line))
        keeping = asyncio.create_task(self._keep(line))
        try:
            ended, _ = await asyncio.wait({reading, keeping}, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            self._lose(line)
            reading.cancel()
            keeping.cancel()
            await asyncio.gather(reading, keeping, return_exceptions=True)

    async def _connect(self) -> _Line:
        settings = self._settings
        async with asyncio.timeout(settings.connect_seconds):
            reader, writer = await asyncio.open_connection(
                settings.host, settings.port, ssl=self._tls
            )
        fixed = None
        if settings.mac is not None and settings.mac.keys == "fixed":
            fixed = MacKey(settings.mac, self._secret)
        return _Line(reader, writer, fixed, self._now(), self._now())

    def _lose(self, line: _Line) -> None:
        if self._line is line:
            self._line = None
        line.writer.transport.abort()
        for asked in line.asked.values():
            if not asked.future.done():
                asked.future.set_exception(NoAnswer("the connection was lost"))

    async def _keep(self, line: _Line) -> None:
        """Sign on; then ask now and then whether the host is there, and change the key in time."""
        settings = self._settings
        if settings.sign_on:
            await self._must(line, NetworkCode.SIGN_ON)
        line.ready, self._line = True, line
        self.counts["connected"] += 1
        self._changed.set()
        life = None
        if settings.mac is not None and settings.mac.keys == "session":
            life = settings.mac.life_seconds * _KEY_SHARE
        while True:
            echo_at = line.heard_seconds + settings.echo_seconds
            key_at = math.inf if life is None else line.key_since_seconds + life
            await asyncio.sleep(max(0.0, min(echo_at, key_at) - self._now()))
            if self._now() >= key_at:
                await self._must(line, NetworkCode.KEY_CHANGE)
            elif self._now() >= line.heard_seconds + settings.echo_seconds:
                await self._must(line, NetworkCode.ECHO)

    async def _must(self, line: _Line, code: NetworkCode) -> None:
        """Ask what this connection cannot go on without."""
        reply = await self._ask(line, self._network(code), self._settings.answer_seconds)
        result = reply.text(De.RESPONSE_CODE)
        if result != ResponseCode.APPROVED:
            raise NotSent(f"it answers {result} to {NETWORK_CODES[code]}")

    async def _read(self, line: _Line) -> None:
        deframer = Deframer(self._settings.wire, _LONGEST_BYTES)
        while data := await line.reader.read(_READ_BYTES):
            line.heard_seconds = self._now()
            deframer.feed(data)
            for frame in iter(deframer.next, None):
                try:
                    self._take(line, frame)
                except AcquiringRefused as refused:
                    # Whoever waits for it hears nothing, which is what he can rely on.
                    self.counts[refused.code] += 1
        raise NotSent("it closed the connection")

    # -- messages --------------------------------------------------------------------------------

    async def _ask(self, line: _Line, message: Message, within_seconds: float) -> Message:
        name = _Name(response_mti(message.mti), message.text(De.STAN), message.text(De.TERMINAL))
        if name in line.asked or not message.asks:
            raise ValueError(f"a {message.mti} is no request, or one of its number is under way")
        data = self._written(message, line.key, first_header(self._settings.wire))
        asked = _Asked(asyncio.get_running_loop().create_future(), line.key)
        line.asked[name] = asked
        self.counts["requests"] += 1
        try:
            async with asyncio.timeout(within_seconds):
                line.writer.write(data)
                await line.writer.drain()
                return await asked.future
        except TimeoutError:
            raise NoAnswer(f"it took longer than {within_seconds:g} seconds") from None
        except OSError as error:
            raise NoAnswer(f"the connection was lost: {error}") from error
        finally:
            del line.asked[name]

    def _take(self, line: _Line, frame: Frame) -> None:
        """A message of the host. Raises an `AcquiringRefused` if it is not to be believed."""
        message = self._codec.read(frame.body)
        if message.asks:
            self._host_asks(line, message, frame)
            return
        name = _Name(message.mti, message.text(De.STAN), message.text(De.TERMINAL))
        asked = line.asked.get(name)
        if asked is None or asked.future.done():
            self.counts["late"] += 1
            return
        self._believe(line, message, frame.body, asked)
        self.counts["answers"] += 1
        asked.future.set_result(message)

    def _believe(self, line: _Line, message: Message, body: bytes, asked: _Asked) -> None:
        """Check an answer's MAC, and take the key that it brings."""
        mac, block = self._settings.mac, message.text(De.PRIVATE)
        if mac is None:
            return
        signs_on = message.text(De.NETWORK_CODE) == NetworkCode.SIGN_ON
        brings = mac.keys == "session" and block is not None and message.mti == "0810"
        key = receive_key(mac, self._secret, block or "") if brings else None
        if signs_on and mac.keys == "session":
            if key is None:
                if message.text(De.RESPONSE_CODE) == ResponseCode.APPROVED:
                    raise MacMissing  # signed on without a key: not by our host
                return
            check_mac(self._codec, message, body, [key])
        else:
            check_mac(self._codec, message, body, [] if asked.key is None else [asked.key])
        if key is not None:
            line.key, line.key_since_seconds = key, self._now()

    def _host_asks(self, line: _Line, message: Message, frame: Frame) -> None:
        """An echo test or a cutover of the host's."""
        if self._settings.mac is not None:
            check_mac(self._codec, message, frame.body, [] if line.key is None else [line.key])
        code = message.text(De.NETWORK_CODE)
        known = message.kind == "0800" and code in {NetworkCode.ECHO, NetworkCode.CUTOVER}
        result = ResponseCode.APPROVED if known else ResponseCode.INVALID_TRANSACTION
        header = answer_header(self._settings.wire, frame.header)
        line.writer.write(self._written(answer(message, result), line.key, header))
        if code == NetworkCode.CUTOVER and self._on_cutover is not None:
            self._on_cutover(message.text(De.SETTLEMENT_DATE) or "")

    def _network(self, code: NetworkCode) -> Message:
        self._stan = self._stan % _LAST_STAN + 1
        fields: dict[int, str] = {
            De.TRANSMITTED_AT: f"{self._clock.now():%m%d%H%M%S}",
            De.STAN: f"{self._stan:06d}",
            De.NETWORK_CODE: code.value,
        }
        if self._settings.terminal:
            fields[De.TERMINAL] = self._settings.terminal.ljust(8)
        return Message("0800", fields)

    def _written(self, message: Message, key: MacKey | None, header: bytes) -> bytes:
        codec = self._codec
        body = codec.write(message) if key is None else seal_message(codec, message, key)
        return put_frame(self._settings.wire, Frame(header, body))

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
