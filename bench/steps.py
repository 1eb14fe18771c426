"""The Python steps of a payment: what the interpreter does for one request, counted, not timed.

    make bench ARGS=--steps

The same worker's application as `tandem up` serves, with its protocol, dispatcher and journal and a
real database, in this process and without sockets: each answer brings the connection's next
request. The interpreter tells each bytecode that it runs. The figure is the same on a slow machine
and a busy one, to a hundredth; it depends on the version of Python.
"""

import asyncio
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType
from typing import Final

from uvicorn import Config
from uvicorn.server import ServerState

from bench.database import NotMeasurableError, Server, Tell, new_database
from bench.fill import fill
from bench.load import Job, Requests
from bench.over_http import SETTINGS
from bench.plan import Plan
from bench.rounds import ROLE
from tandem.app import open_services, operations, tune_process
from tandem.db.migrate import upgrade
from tandem.keyring import FileKeyRing
from tandem.serve.http import configuration
from tandem.serve.protocol import BoundedHttp
from tandem.web.application import create_app

CONNECTIONS: Final = 64
COUNTED: Final = 640
_CREATED: Final = b"HTTP/1.1 201 "
_SHOWN: Final = 30
_PEERS: Final = {"peername": ("127.0.0.1", 50_000), "sockname": ("127.0.0.1", 8080)}


class Steps:
    """Counts bytecodes and calls by function. Give it to `sys.settrace`."""

    def __init__(self) -> None:
        self.codes: Counter[CodeType] = Counter()
        self.calls: Counter[CodeType] = Counter()

    def __call__(self, frame: FrameType, event: str, _: object) -> "Steps":
        """Take one event of the interpreter."""
        if event == "opcode":
            self.codes[frame.f_code] += 1
        elif event == "call":  # also when a coroutine goes on
            self.calls[frame.f_code] += 1
            frame.f_trace_opcodes = True
            frame.f_trace_lines = False
        return self

    def table(self, payments: int) -> list[str]:
        """The figures for each of so many payments, and the functions that take the most."""
        total, calls = self.codes.total() / payments, self.calls.total() / payments
        version = f"Python {sys.version_info.major}.{sys.version_info.minor}"
        lines = [f"{total:,.0f} bytecodes and {calls:,.0f} calls for each payment, {version}", ""]
        for code, count in self.codes.most_common(_SHOWN):
            place = f"{Path(code.co_filename).name}:{code.co_firstlineno}"
            each = count / payments
            lines.append(f"{each:8.1f} {each / total:6.1%}  {code.co_qualname}  {place}")
        return lines


class Wire(asyncio.Transport):
    """A connection without a network. `requests` are those of all connections."""

    def __init__(self, config: Config, requests: Iterator[bytes]) -> None:
        super().__init__(_PEERS)
        self._loop = asyncio.get_running_loop()
        self._requests = requests
        self.done: asyncio.Future[None] = self._loop.create_future()
        self._protocol = BoundedHttp(config=config, server_state=ServerState(), app_state={})
        self._protocol.connection_made(self)
        self._ask()

    def _ask(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self.done.set_result(None)
        else:
            self._loop.call_soon(self._protocol.data_received, request)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take an answer."""
        if bytes(data).startswith(_CREATED):
            self._ask()
        elif not self.done.done():
            self.done.set_exception(NotMeasurableError(f"not a new payment: {bytes(data)!r}"))

    def is_closing(self) -> bool:
        """Never."""
        return False

    def get_write_buffer_size(self) -> int:
        """Everything is read at once."""
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is buffered."""


async def count_steps(server: Server, plan: Plan, tell: Tell) -> Steps:
    """Count the steps of payments at static codes, each person paying one merchant."""
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as folder:
        keyring = FileKeyRing.open_or_create(Path(folder) / "keys" / "keyring.json", os.urandom)
        async with new_database(server, "steps", None) as url:
            tell("Filling a database")
            await upgrade(url, role=ROLE)
            await fill(url, plan.people, plan.merchants, keyring)
            async with open_services(url, SETTINGS, keyring) as services:
                config = configuration(create_app(services, operations(SETTINGS)), limit=1_000)
                config.load()
                steps = Steps()
                for run, once in (("first", True), ("warm", False), ("counted", False)):
                    tell(f"Payments: {run}")
                    made = islice(_requests(plan, run, once=once), None if once else COUNTED)
                    requests = iter(list(made))  # beforehand: that is not the worker's work
                    tune_process()
                    if run == "counted":
                        sys.settrace(steps)
                    try:
                        wires = [Wire(config, requests) for _ in range(CONNECTIONS)]
                        await asyncio.gather(*(wire.done for wire in wires))
                    finally:
                        sys.settrace(None)
                return steps


def _requests(plan: Plan, run: str, *, once: bool) -> Iterator[bytes]:
    job = Job(
        port=8080,
        kind="static",
        people=plan.people,
        merchants=1,
        connections=CONNECTIONS,
        warm_seconds=0,
        seconds=0,
        run=f"steps-{run}",
        once=once,
    )
    return iter(Requests(job))
