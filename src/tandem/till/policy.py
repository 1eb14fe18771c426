"""What the till accepts, as it is now: followed live, and asked for while that is cut."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

import httpx
import msgspec
import structlog

from tandem.merchants import Acceptance, WayRule
from tandem.till.stream import ASK_SECONDS, opened, said
from tandem.till.tandem import Tandem

log = structlog.get_logger(__name__)

_LOOK_SECONDS: Final = 0.5
"""How often the policy is asked for while it cannot be followed."""
_REFUSED: Final = frozenset({401, 403, 404})
_CLOSED: Final = Acceptance(ways={"tap": WayRule(enabled=False)})


class _Accepts(msgspec.Struct):
    active: bool
    acceptance: Acceptance
    wallets: dict[str, str] = {}


class PolicyWatch:
    """The stricter of the shop's policy and the till's own, kept up to date by `run`.

    While Tandem cannot be reached the last answer holds: a till has to go on without a network. A
    key that is not taken any more leaves nothing known, and so does a till that is gone.
    """

    def __init__(self, tandem: Tandem) -> None:
        self._tandem = tandem
        self._known: Acceptance | None = None
        self._wallets: dict[str, str] = {}
        self._heard = asyncio.Event()

    def current(self) -> Acceptance | None:
        """What is accepted; None if it is not known."""
        return self._known

    def wallet(self, requestor: str) -> str | None:
        """The operator's own wallet, if its cards have this token requestor."""
        return self._wallets.get(requestor)

    async def heard(self, within_seconds: float) -> bool:
        """Wait for the first answer, whatever it is. False if none came in time."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._heard.wait(), within_seconds)
        return self._heard.is_set()

    async def run(self) -> None:
        """Follow, for ever. Whatever ends it, nothing is known from then on."""
        try:
            while True:
                for learn in (self._follow, self._ask):
                    try:
                        await learn()
                    except (httpx.HTTPError, msgspec.MsgspecError) as error:
                        log.info("what the till accepts was not told", reason=str(error))
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            self._known = None

    async def _follow(self) -> None:
        """Take what the stream says, until it ends."""
        async with opened(self._tandem, "acceptance") as answer:
            if self._taken(answer):
                async for data in said(answer):
                    self._learn(data)

    async def _ask(self) -> None:
        path = f"{self._tandem.path}/acceptance"
        answer = await self._tandem.http.get(path, timeout=ASK_SECONDS)
        if self._taken(answer):
            self._learn(answer.content)

    def _taken(self, answer: httpx.Response) -> bool:
        """Whether the key is good for this till. Raises `HTTPStatusError` for other faults."""
        if answer.status_code not in _REFUSED:
            answer.raise_for_status()
            return True
        log.warning("this till's key is not taken, or the till is gone")
        self._known = None
        self._heard.set()
        return False

    def _learn(self, body: bytes) -> None:
        now = msgspec.json.decode(body, type=_Accepts)
        self._known = now.acceptance if now.active else _CLOSED
        self._wallets = now.wallets
        self._heard.set()


@contextlib.asynccontextmanager
async def watched(tandem: Tandem) -> AsyncIterator[PolicyWatch]:
    """What the till accepts, followed while the block lasts."""
    watch = PolicyWatch(tandem)
    task = asyncio.create_task(watch.run(), name="policy watch")
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
