"""The simulated issuer: a TCP server that speaks ISO 8583 as an issuer's host does.

    async with Simulator(link, DEFAULT, keys, entropy, port=0) as issuer:
        ...  # issuer.port, issuer.accounts

It answers by rules (tandem.issuers.rules), and books what it approves: so a test sees what a real
issuer would have booked, above all where its answer was lost. Nothing is kept when it ends, and no
money is behind it.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from typing import Final, Protocol, Self

import structlog

from tandem.acquiring import (
    AcquiringRefused,
    Codec,
    De,
    Deframer,
    Frame,
    KeyStore,
    MacKeys,
    Message,
    NetworkCode,
    check_mac,
    issue_key,
    put_frame,
    response_mti,
    seal_message,
)
from tandem.acquiring.framing import answer_header
from tandem.acquiring.keys import link_secret
from tandem.acquiring.mac import MacKey
from tandem.issuers.accounts import Accounts, kind_of
from tandem.issuers.links import IssuerLink
from tandem.issuers.messages import ADDITIONAL, read_tagged
from tandem.issuers.rules import Deed, Rule, Rules
from tandem.kernel import Entropy

log = structlog.get_logger(__name__)

_LONGEST_BYTES: Final = 4096
_READ_BYTES: Final = 65_536
_CONNECTIONS: Final = 64
_UNDER_WAY: Final = 256
_MANAGED: Final = frozenset(NetworkCode)
_REPEATED: Final = (
    De.PROCESSING_CODE, De.AMOUNT, De.TRANSMITTED_AT, De.STAN, De.LOCAL_TIME, De.LOCAL_DATE,
    De.ACQUIRER, De.RRN, De.TERMINAL, De.MERCHANT, De.CURRENCY, De.NETWORK_CODE, De.ORIGINAL,
)  # fmt: skip


class Heard(Protocol):
    """Told of each message; `came`: it came in, and is no answer."""

    def __call__(self, message: Message, *, came: bool) -> None:
        """Look at it."""
        ...


def _nobody(message: Message, *, came: bool) -> None:
    del message, came


class Simulator:
    """An issuer that answers by rules. `heard` is told of every message, in and out."""

    def __init__(
        self,
        link: IssuerLink,
        rules: Rules,
        keys: KeyStore,
        entropy: Entropy,
        *,
        port: int,
        heard: Heard = _nobody,
    ) -> None:
        self.accounts = Accounts(rules.limit)
        self.link = link
        self._rules = rules
        self._used: Counter[int] = Counter()
        self.codec = Codec(link.wire)
        self.entropy = entropy
        self.heard = heard
        self._port = port
        self.secret = b"" if link.mac is None else link_secret(link.name, link.mac, keys)
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Listen, on loopback only. Raises `OSError` if the port is taken."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        assert self._server is not None, "it was entered"
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None, "it was entered"
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a connection is served by a task"
        self._connections.add(task)
        try:
            if len(self._connections) <= _CONNECTIONS:
                await _Connection(self, reader, writer).serve()
        except (OSError, AcquiringRefused) as error:
            log.info("a connection to the simulated issuer ended", reason=str(error))
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    def decide(self, message: Message) -> tuple[Message | None, Rule | None]:
        """The answer to a message about cards, and the rule that it was made by.

        None if it is nothing that an issuer is asked.
        """
        kind = kind_of(message)
        if kind is None:
            return None, None
        pan, amount = message.text(De.PAN) or "", int(message.text(De.AMOUNT) or 0)
        rule = self._rule(lambda one: one.fits(kind, pan, amount))
        extra: dict[int, str] = {}
        if rule is not None and rule.do is Deed.DECLINE:
            code = self.accounts.decline(message, rule.code)
        else:
            code = self.accounts.book(message)
        if kind == "code":
            brought = read_tagged(message.text(De.PRIVATE) or "").get("CD", "")
            self.accounts.codes.append((pan[-4:], brought))
        if kind == "code" or code == "85":
            extra[ADDITIONAL] = f"SMS to *** {pan[-4:]}"
        if kind == "payment" and code == "00":
            extra[De.AUTHORISATION_CODE] = (message.text(De.STAN) or "").zfill(6)
        if rule is not None and rule.do is Deed.OTHER_AMOUNT:
            extra[De.AMOUNT] = f"{amount + 1:012d}"
        return self.answer(message, code, extra), rule

    def answer(self, message: Message, code: str, extra: dict[int, str]) -> Message:
        """An answer: what names the message, how it ended, and more."""
        kept = {int(n): message.fields[n] for n in _REPEATED if n in message.fields}
        return Message(response_mti(message.mti), {**kept, De.RESPONSE_CODE: code, **extra})

    def _rule(self, fits: Callable[[Rule], bool]) -> Rule | None:
        for place, rule in enumerate(self._rules.rules):
            if fits(rule) and (rule.times == 0 or self._used[place] < rule.times):
                self._used[place] += 1
                return rule
        return None


class _Connection:
    """One connection: reads, answers each message by itself, in whatever order they are ready."""

    def __init__(
        self, issuer: Simulator, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._issuer = issuer
        self._reader = reader
        self._writer = writer
        self._codec = issuer.codec
        mac, secret = issuer.link.mac, issuer.secret
        fixed = None if mac is None or mac.keys == "session" else MacKey(mac, secret)
        self._mac, self._secret, self._keys = mac, secret, MacKeys(fixed)

    async def serve(self) -> None:
        """Until it is closed, or has too much under way. Raises what it was broken by."""
        wire = self._issuer.link.wire
        deframer = Deframer(wire, _LONGEST_BYTES)
        under_way: set[asyncio.Task[None]] = set()
        try:
            while len(under_way) < _UNDER_WAY and (data := await self._reader.read(_READ_BYTES)):
                deframer.feed(data)
                for frame in iter(deframer.next, None):
                    task = asyncio.create_task(self._take(frame))
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _take(self, frame: Frame) -> None:
        try:
            message = self._codec.read(frame.body)
            signs_on = message.text(De.NETWORK_CODE) == NetworkCode.SIGN_ON
            session = self._mac is not None and self._mac.keys == "session"
            if self._mac is not None and not (signs_on and session):
                check_mac(self._codec, message, frame.body, self._keys.at(_now()))
        except AcquiringRefused as refused:
            log.info("the simulated issuer passes a message over", reason=refused.code)
            return
        self._issuer.heard(message, came=True)
        if message.kind == "0800":
            self._manage(message, frame.header)
        elif message.asks:
            await self._decide(message, frame.header)

    async def _decide(self, message: Message, header: bytes) -> None:
        answer, rule = self._issuer.decide(message)
        if answer is None:
            answer = self._issuer.answer(message, "12", {})
        deed = Deed.APPROVE if rule is None else rule.do
        if deed is Deed.SILENT:
            return
        if deed is Deed.SLOW and rule is not None:
            await asyncio.sleep(rule.seconds)
        if deed is Deed.DROP:
            self._writer.transport.abort()
        elif deed is Deed.GARBLE:
            self._put(header, b"\x30\x31\x31")
        else:
            self._say(answer, header, self._key())

    def _manage(self, message: Message, header: bytes) -> None:
        """Sign-on, key change, echo."""
        code = message.text(De.NETWORK_CODE) or ""
        known = code in _MANAGED
        extra: dict[int, str] = {}
        before = self._key()
        mac = self._mac
        changes = code in {NetworkCode.SIGN_ON, NetworkCode.KEY_CHANGE}
        if mac is not None and mac.keys == "session" and changes:
            key, block = issue_key(mac, self._secret, self._issuer.entropy)
            self._keys.change(key, _now())
            extra[De.PRIVATE] = block
            if code == NetworkCode.SIGN_ON:
                before = key
        self._say(self._issuer.answer(message, "00" if known else "12", extra), header, before)

    def _key(self) -> MacKey | None:
        return self._keys.current

    def _say(self, answer: Message, header: bytes, key: MacKey | None) -> None:
        self._issuer.heard(answer, came=False)
        codec = self._codec
        self._put(header, codec.write(answer) if key is None else seal_message(codec, answer, key))

    def _put(self, header: bytes, body: bytes) -> None:
        wire = self._issuer.link.wire
        with contextlib.suppress(OSError):
            self._writer.write(put_frame(wire, Frame(answer_header(wire, header), body)))


def _now() -> float:
    return asyncio.get_running_loop().time()
