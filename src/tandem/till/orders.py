"""The order that waits at the till: followed live, for a terminal that takes taps for it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

import httpx
import msgspec
import structlog

from tandem.till.stream import opened, said
from tandem.till.tandem import Tandem

log = structlog.get_logger(__name__)

_AGAIN_SECONDS: Final = 0.5


class Order(msgspec.Struct, frozen=True):
    """An order that waits to be paid. Amount in minor units."""

    id: str
    amount: int
    currency: str


class _Waiting(msgspec.Struct):
    order: Order | None


class OrderWatch:
    """The order that waits at the till, kept up to date by `run`.

    While Tandem cannot be reached there is none: an order may be paid otherwise meanwhile.
    """

    def __init__(self, tandem: Tandem) -> None:
        self._tandem = tandem
        self._changed = asyncio.Event()
        self.current: Order | None = None

    async def changed(self) -> None:
        """Wait until another order waits, or none."""
        self._changed.clear()
        await self._changed.wait()

    async def run(self) -> None:
        """Follow, for ever."""
        while True:
            try:
                async with opened(self._tandem, "orders") as answer:
                    answer.raise_for_status()
                    async for data in said(answer):
                        self._learn(msgspec.json.decode(data, type=_Waiting).order)
            except (httpx.HTTPError, msgspec.MsgspecError) as error:
                log.info("the till's orders were not told", reason=str(error))
            self._learn(None)
            await asyncio.sleep(_AGAIN_SECONDS)

    def _learn(self, order: Order | None) -> None:
        if order != self.current:
            self.current = order
            self._changed.set()


@contextlib.asynccontextmanager
async def orders_watched(tandem: Tandem) -> AsyncIterator[OrderWatch]:
    """The till's orders, followed while the block lasts."""
    watch = OrderWatch(tandem)
    task = asyncio.create_task(watch.run(), name="order watch")
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
