"""The load generator over ISO 8583: switches with many terminals, each message another tap.

    python -m bench.iso_load <JOB.json >LOADED.json

Each link is one connection, signed on, its messages with MACs under the session's key. The taps are
made beforehand, as many as a fast host takes. Only answers 0210 with 00 count, each to a request
that waits for it; one in a hundred is read in full and its MAC checked.

With `rate` it asks so often in all, whether there were answers or not, and a latency begins when a
request should have gone out: a host that stands still is not spared the requests of that time.
"""

import asyncio
import random
import sys
import time
from array import array
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Final, NamedTuple, cast

import msgspec
import uvloop

from bench import names
from bench.result import Sample, sample_of
from tandem.acquiring import Codec, De, Link, MacKey, Message, receive_key, seal_message
from tandem.acquiring.framing import Frame, put_frame
from tandem.acquiring.mac import check_mac
from tandem.cards import MasterKey
from tandem.emv.application_data import (
    CardVerificationResults,
    CryptogramType,
    IssuerApplicationData,
    Method,
    Verifier,
)
from tandem.emv.cryptograms import CryptogramData, application_cryptogram
from tandem.emv.tags import Tag
from tandem.emv.tlv import primitive, write

_SEED: Final = 20_030
_PATIENCE_SECONDS: Final = 30.0
_MADE_BEFORE: Final = 6_000
_CHECKED: Final = 100
_STAN_AT: Final = slice(30, 36)
_CODE_AT: Final = slice(70, 72)
"""Where an answer has its trace number and response code: what stands before is of fixed length."""
_LENGTH_BYTES: Final = 2
_STANS: Final = 999_999


class IsoJob(msgspec.Struct, frozen=True, kw_only=True):
    """What to do. `atc` is the first number that no card has used up yet.

    `links` are as the host has them, with their ports; `in_flight` requests of all together wait
    for answers, or with `rate` that many a second are sent. `once`: one tap of each person.
    """

    links: tuple[Link, ...]
    terminals: int
    people: int
    master: MasterKey
    in_flight: int
    warm_seconds: float
    seconds: float
    atc: int
    rate: float = 0.0
    once: bool = False


class IsoLoaded(msgspec.Struct, frozen=True):
    """What came of it. `atc` is the first number that no card has used up yet."""

    sample: Sample
    atc: int


class Tap(NamedTuple):
    """A tap's message before it is written for a link, and what its answer is known by."""

    name: bytes
    message: Message


class Taps:
    """Makes the taps of one link, each of its people in turn.

    Another link has other people: so no card's numbers overtake each other.
    """

    def __init__(self, job: IsoJob, link: int) -> None:
        self._job = job
        self._people = range(link, job.people, len(job.links))
        self.count = 0
        self._choose = random.Random(f"{_SEED} {job.atc} {link}")  # noqa: S311 - no secret
        self._keys: dict[int, bytes] = {}
        self._now = datetime.now(UTC)
        results = CardVerificationResults(
            cryptogram=CryptogramType.ARQC, verifier=Verifier.SECURE_ELEMENT, method=Method.FINGER
        )
        master = job.master
        self._application = IssuerApplicationData(
            version=master.cryptogram_version, key_index=master.index, results=results
        ).write()

    @property
    def rounds(self) -> int:
        """How many numbers its people have used up."""
        return -(-self.count // len(self._people))

    def make(self) -> Tap:
        """The next tap."""
        job = self._job
        rounds, place = divmod(self.count, len(self._people))
        self.count += 1
        person, atc = self._people[place], job.atc + rounds
        first, last = names.AMOUNTS
        amount = first + int(self._choose.random() * (last - first + 1))
        # A terminal has several people, and no trace number twice.
        terminal = names.terminal(person % job.terminals)
        number = atc * (job.people // job.terminals + 1) + person // job.terminals
        stan = f"{number % _STANS + 1:06d}"
        now, pan = self._now, names.pan(person)
        message = Message(
            "0200",
            {
                De.PROCESSING_CODE: "000000",
                De.AMOUNT: f"{amount:012d}",
                De.STAN: stan,
                De.LOCAL_TIME: f"{now:%H%M%S}",
                De.LOCAL_DATE: f"{now:%m%d}",
                De.CATEGORY: "5814",
                De.ENTRY_MODE: "071",
                De.SEQUENCE_NUMBER: "000",
                De.CONDITION: "00",
                De.TRACK2: f"{pan}=4912201000000000",
                De.TERMINAL: terminal,
                De.MERCHANT: "BENCH".ljust(15),
                De.CURRENCY: f"{names.UNIT.number:03d}",
                De.ICC: self._chip(person, atc, amount).hex().upper(),
            },
        )
        return Tap((stan + terminal).encode(), message)

    def _chip(self, person: int, atc: int, amount: int) -> bytes:
        data = CryptogramData(
            amount=bytes.fromhex(f"{amount:012d}"),
            amount_other=bytes(6),
            country=bytes.fromhex("0156"),
            tvr=bytes(5),
            currency=bytes.fromhex(f"{names.UNIT.number:04d}"),
            date=bytes.fromhex(f"{self._now:%y%m%d}"),
            type=b"\0",
            unpredictable_number=self._choose.randbytes(4),
            aip=bytes.fromhex("3900"),
            atc=atc.to_bytes(2, "big"),
            application_data=self._application,
        )
        version = self._job.master.cryptogram_version
        proof = application_cryptogram(version, self._key(person), data)
        kind = bytes((CryptogramType.ARQC << 6,))
        return write(
            primitive(tag, value)
            for tag, value in (
                (Tag.CRYPTOGRAM, proof),
                (Tag.CRYPTOGRAM_INFORMATION, kind),
                (Tag.ISSUER_APPLICATION_DATA, data.application_data),
                (Tag.UNPREDICTABLE_NUMBER, data.unpredictable_number),
                (Tag.ATC, data.atc),
                (Tag.TVR, data.tvr),
                (Tag.TRANSACTION_DATE, data.date),
                (Tag.TRANSACTION_TYPE, data.type),
                (Tag.AMOUNT, data.amount),
                (Tag.TRANSACTION_CURRENCY, data.currency),
                (Tag.AIP, data.aip),
                (Tag.TERMINAL_COUNTRY, data.country),
                (Tag.AMOUNT_OTHER, data.amount_other),
            )
        )

    def _key(self, person: int) -> bytes:
        known = self._keys.get(person)
        if known is None:
            known = self._keys[person] = self._job.master.card_key(names.pan(person), 0)
        return known


class Line(asyncio.Protocol):
    """One link's connection: sends taps, takes their answers."""

    def __init__(self, load: "Load", link: Link) -> None:
        self._load = load
        self._link = link
        self._codec = Codec(link.wire)
        self._kept = b""
        self._key: MacKey | None = None
        self._waiting: dict[bytes, float] = {}
        self._answers = 0
        self.transport: asyncio.Transport | None = None
        self.signed_on: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def waiting(self) -> int:
        """How many requests have no answer yet."""
        return len(self._waiting)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Sign on."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        body = self._codec.write(Message("0800", {De.STAN: "000001", De.NETWORK_CODE: "001"}))
        self.transport.write(put_frame(self._link.wire, Frame(b"", body)))

    def written(self, tap: Tap) -> tuple[bytes, bytes]:
        """What its answer is known by, and its bytes for this link."""
        assert self._key is not None, "it is signed on"
        body = seal_message(self._codec, tap.message, self._key)
        return tap.name, put_frame(self._link.wire, Frame(b"", body))

    def send(self, name: bytes, data: bytes, began: float) -> None:
        """Send a request that should have gone out at `began`."""
        assert self.transport is not None, "it is connected"
        self._waiting[name] = began
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        """Take the answers that are here."""
        data, at = self._kept + data, 0
        now = time.perf_counter()
        while len(data) - at >= _LENGTH_BYTES:
            end = at + _LENGTH_BYTES + int.from_bytes(data[at : at + _LENGTH_BYTES], "big")
            if len(data) < end:
                break
            self._take(data[at + _LENGTH_BYTES : end], now)
            at = end
        self._kept = data[at:]

    def connection_lost(self, exc: Exception | None) -> None:
        """Too early, if anything is still under way."""
        self._load.lost(self, exc)

    def _take(self, body: bytes, now: float) -> None:
        if self._key is None:
            self._opened(body)
            return
        self._answers += 1
        if body[:4] != b"0210" or body[_CODE_AT] != b"00":
            self._load.fail(f"not an approved payment: {body[:90]!r}")
            return
        if self._answers % _CHECKED == 0:
            check_mac(self._codec, self._codec.read(body), body, [self._key])
        # element 41 follows element 39
        name = body[_STAN_AT] + body[_CODE_AT.stop : _CODE_AT.stop + 8]
        began = self._waiting.pop(name, None)
        if began is None:
            self._load.fail(f"an answer to nothing: {body[:90]!r}")
            return
        self._load.answered(self, began, now)

    def _opened(self, body: bytes) -> None:
        message = self._codec.read(body)
        if self._link.mac is None or message.text(De.RESPONSE_CODE) != "00":
            self._load.fail(f"not signed on: {message}")
            return
        self._key = receive_key(self._link.mac, names.LINK_SECRET, message.text(De.PRIVATE) or "")
        self.signed_on.set_result(None)


class Load:
    """The state that all links share."""

    def __init__(self, job: IsoJob) -> None:
        self._job = job
        self.taps = [Taps(job, number) for number in range(len(job.links))]
        self._made: list[Iterator[tuple[bytes, bytes]]] = []
        self.lines: list[Line] = []
        self.latencies = array("d")
        self.acknowledged = 0
        self.begin = self.end = 0.0
        self._all_sent = False
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def open(self) -> None:
        """Connect all links, and make what they will send."""
        job, loop = self._job, asyncio.get_running_loop()
        for link in job.links:
            self.lines.append(Line(self, link))
            await loop.create_connection(lambda: self.lines[-1], "127.0.0.1", link.port or 0)
        await asyncio.gather(*(line.signed_on for line in self.lines))
        share = (job.people if job.once else _MADE_BEFORE) // len(self.lines)
        for line, taps in zip(self.lines, self.taps, strict=True):
            made = self._requests(line, taps)
            self._made.append(chain(list(islice(made, share)), () if job.once else made))

    async def run(self) -> None:
        """Ask until the end. Raises `ConnectionError` at the first wrong answer."""
        job = self._job
        self.begin = time.perf_counter() + job.warm_seconds
        self.end = self.begin + job.seconds
        if job.rate:
            await asyncio.gather(self.done, self._at_a_rate())
            return
        for number in range(job.in_flight):
            self._next(number % len(self.lines), time.perf_counter())
        await self.done

    def answered(self, line: Line, began: float, now: float) -> None:
        """A payment was made: the next."""
        self.acknowledged += 1
        if self._job.once or self.begin <= now <= self.end:
            self.latencies.append(now - began)
        if not self._job.rate:
            self._next(self.lines.index(line), now)
        elif self._all_sent:
            self._finish()

    def lost(self, line: Line, exc: Exception | None) -> None:
        """A connection is gone."""
        if not self.done.done():
            self.fail(f"the host closed the connection of {line}: {exc}")

    def fail(self, why: str) -> None:
        """Something is wrong: stop at once."""
        if not self.done.done():
            self.done.set_exception(ConnectionError(why))

    def _requests(self, line: Line, taps: Taps) -> Iterator[tuple[bytes, bytes]]:
        while True:
            yield line.written(taps.make())

    def _next(self, at: int, now: float) -> None:
        request = None
        if self._job.once or now < self.end:
            request = next(self._made[at], None)
        if request is None:
            self._finish()
            return
        self.lines[at].send(*request, now)

    def _finish(self) -> None:
        if not any(line.waiting for line in self.lines) and not self.done.done():
            self.done.set_result(None)

    async def _at_a_rate(self) -> None:
        """Send at even distances, whatever comes back; what is late is sent at once."""
        count, start = 0, time.perf_counter()
        while (due := start + count / self._job.rate) < self.end:
            now = time.perf_counter()
            if due > now:
                await asyncio.sleep(due - now)
            at = count % len(self.lines)
            self.lines[at].send(*next(self._made[at]), due)
            count += 1
        self._all_sent = True
        self._finish()


async def run(job: IsoJob) -> IsoLoaded:
    """Do a job. Raises `ConnectionError` at the first answer that is no approved payment."""
    load = Load(job)
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: load.fail(str(context.get("exception") or context["message"]))
    )
    await load.open()
    began = time.perf_counter()
    async with asyncio.timeout(job.warm_seconds + job.seconds + _PATIENCE_SECONDS):
        await load.run()
    seconds = time.perf_counter() - began if job.once else job.seconds
    sample = sample_of(load.latencies, len(load.latencies), seconds, load.acknowledged)
    return IsoLoaded(sample, job.atc + max(taps.rounds for taps in load.taps))


def main() -> None:
    """Read a job, do it, write what came of it."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=IsoJob)
    loaded = uvloop.run(run(job))
    sys.stdout.buffer.write(msgspec.json.encode(loaded))


if __name__ == "__main__":
    main()
