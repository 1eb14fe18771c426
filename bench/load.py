"""The load generator: HTTP/1.1 over connections kept alive, in a process of its own.

    python -m bench.load <JOB.json >LOADED.json

It counts only answers 201 with a payment that nobody else got, and ends with an error at the first
other one. Requests are made beforehand, as many as a fast server takes, and an answer is read by
looking for its length: the generator shares the machine with the server.
"""

import asyncio
import random
import sys
import time
from array import array
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from typing import Final, Literal, cast

import msgspec
import uvloop

from bench import names
from bench.result import Sample, sample_of
from tandem.codes import paycode
from tandem.kernel import show_id

_SEED: Final = 20_020
_PATIENCE_SECONDS: Final = 30.0
_MADE_BEFORE: Final = 15_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STEP: Final = timedelta(seconds=paycode.STEP_S)
_CREATED: Final = b"HTTP/1.1 201 "
_LENGTH: Final = b"content-length: "
_ID: Final = b'{"id":"pay_'
_ID_END: Final = len(_ID) + 32


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to do. `once`: one payment of each person, in order, instead of some seconds of them.

    `run` is part of every idempotency key. Of pay codes those after the step `code_step` are used.
    """

    port: int
    kind: Literal["static", "pay_code"]
    people: int
    merchants: int
    connections: int
    warm_seconds: float
    seconds: float
    run: str
    once: bool = False
    code_step: int = 0


class Loaded(msgspec.Struct, frozen=True):
    """What came of it. `code_step` is the last step of which pay codes were used."""

    sample: Sample
    code_step: int


class Requests:
    """Makes requests, each another payment."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._number = 0
        self.code_step = 0
        secrets = names.device_secret if job.kind == "static" else names.merchant_secret
        count = job.people if job.kind == "static" else job.merchants
        path = "/v1/wallet/payments" if job.kind == "static" else "/v1/payments"
        self._heads = [
            (
                f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{job.port}\r\n"
                f"Authorization: Bearer {secrets(number)}\r\n"
                "Content-Type: application/json\r\n"
                f"Idempotency-Key: {job.run}-"
            ).encode()
            for number in range(count)
        ]

    def __iter__(self) -> Iterator[bytes]:
        return self._static() if self._job.kind == "static" else self._pay_codes()

    def _request(self, who: int, body: bytes) -> bytes:
        self._number += 1
        head = self._heads[who]
        return b"%b%012d\r\nContent-Length: %d\r\n\r\n%b" % (head, self._number, len(body), body)

    def _static(self) -> Iterator[bytes]:
        """People pay at static codes, the amount typed."""
        job = self._job
        choose = random.Random(f"{_SEED} {job.run}")  # noqa: S311 - no secret
        first, last = names.AMOUNTS
        starts = [
            b'{"code":"%b/c/%b","currency":"%b","amount":'
            % (names.PUBLIC_URL.encode(), names.token(number).encode(), names.UNIT.code.encode())
            for number in range(job.merchants)
        ]
        number = 0
        while not job.once or number < job.people:
            who = number if job.once else int(choose.random() * job.people)
            amount = first + int(choose.random() * (last - first + 1))
            yield self._request(
                who, b"%b%d}" % (starts[int(choose.random() * job.merchants)], amount)
            )
            number += 1

    def _pay_codes(self) -> Iterator[bytes]:
        """Merchants take the codes that people show, each person in turn.

        A device's codes are used in the order in which it makes them: all its codes of a pass are
        of one mark, and a pass over all devices is longer than what is under way at one time.
        """
        job = self._job
        choose = random.Random(f"{_SEED} {job.run}")  # noqa: S311 - no secret
        first, last = names.AMOUNTS
        shops = [
            show_id("shp", names.uuid_of_number(names.SHOP, number)).encode()
            for number in range(job.merchants)
        ]
        now = (datetime.now(UTC) - _EPOCH) // _STEP
        steps = range(max(now - paycode.STEPS_BACK + 1, job.code_step + 1), now + 2)
        for step in steps:
            for counter in range(paycode.COUNTERS):
                self.code_step = step
                for number in range(job.people):
                    code = paycode.generate(
                        names.seed(number), names.code_index(number), _EPOCH + step * _STEP, counter
                    )
                    merchant = int(choose.random() * job.merchants)
                    amount = first + int(choose.random() * (last - first + 1))
                    body = b'{"pay_code":"%b","shop_id":"%b","currency":"CNY","amount":%d}'
                    yield self._request(merchant, body % (code.encode(), shops[merchant], amount))


class Load:
    """The state that all connections share."""

    def __init__(self, job: Job, requests: Iterator[bytes]) -> None:
        self._requests = requests
        self.begin = time.perf_counter() + job.warm_seconds
        self.end = self.begin + job.seconds
        self.latencies = array("d")
        self.ids: list[bytes] = []
        self._open = job.connections
        self._once = job.once
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def next(self, now: float) -> bytes | None:
        """The next request; None if it is enough."""
        if self.done.done() or (now >= self.end and not self._once):
            return None
        request = next(self._requests, None)
        if request is None and not self._once:
            self.fail("there are no more pay codes for now")
        return request

    def answered(self, start: float, now: float, payment: bytes) -> None:
        """A payment was made."""
        self.ids.append(payment)
        if self._once or self.begin <= now <= self.end:
            self.latencies.append(now - start)

    def closed(self) -> None:
        """A connection has nothing more to do."""
        self._open -= 1
        if self._open == 0 and not self.done.done():
            self.done.set_result(None)

    def fail(self, why: str) -> None:
        """Something is wrong: stop at once."""
        if not self.done.done():
            self.done.set_exception(ConnectionError(why))


class Connection(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, load: Load, clock: Callable[[], float] = time.perf_counter) -> None:
        self._load = load
        self._clock = clock
        self._transport: asyncio.Transport | None = None
        self._start = 0.0
        self._kept = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        self._send(self._clock())

    def data_received(self, data: bytes) -> None:
        """Read an answer as far as it is here."""
        if self._kept:
            data = self._kept + data
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self._kept = data
            return
        at = data.find(_LENGTH, 0, end)
        length = int(data[at + len(_LENGTH) : data.index(b"\r", at)]) if at > 0 else -1
        whole = end + 4 + length
        if length >= 0 and len(data) < whole:
            self._kept = data
            return
        self._kept = b""
        body = data[end + 4 :]
        if length < 0 or len(data) > whole or not data.startswith(_CREATED):
            self._load.fail(f"not a new payment: {data[:2000]!r}")
            return
        if not body.startswith(_ID):
            self._load.fail(f"no payment: {body!r}")
            return
        now = self._clock()
        self._load.answered(self._start, now, body[len(_ID) : _ID_END])
        self._send(now)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it, or say what went wrong."""
        if self._start:
            self._load.fail(f"the server closed the connection: {exc}")
        else:
            self._load.closed()

    def _send(self, now: float) -> None:
        assert self._transport is not None, "it is connected"
        request = self._load.next(now)
        if request is None:
            self._start = 0.0
            self._transport.close()
            return
        self._start = self._clock()
        self._transport.write(request)


async def run(job: Job) -> Loaded:
    """Do a job. Raises `ConnectionError` at the first answer that is not a new payment."""
    requests = Requests(job)
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    made = iter(requests)
    if job.kind == "static":  # there are only so many pay codes: none is made in vain
        made = chain(list(islice(made, _MADE_BEFORE)), made)
    load = Load(job, made)
    loop.set_exception_handler(lambda _, context: load.fail(str(context)))
    for _ in range(job.connections):
        await loop.create_connection(lambda: Connection(load), "127.0.0.1", job.port)
    async with asyncio.timeout(job.warm_seconds + job.seconds + _PATIENCE_SECONDS):
        await load.done
    if len(set(load.ids)) != len(load.ids):
        raise ConnectionError("two requests got the same payment")
    seconds = time.perf_counter() - began if job.once else job.seconds
    count = len(load.latencies)
    return Loaded(sample_of(load.latencies, count, seconds, len(load.ids)), requests.code_step)


def main() -> None:
    """Read a job, do it, write what came of it."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    loaded = uvloop.run(run(job))
    sys.stdout.buffer.write(msgspec.json.encode(loaded))


if __name__ == "__main__":
    main()
