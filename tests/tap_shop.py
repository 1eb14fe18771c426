"""A shop for the tests of the terminal: settings, a host that does what a test wants, a till."""

from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from emv_tap import AID, knowledge, seeded
from tandem.emv.terminal import UiRequest
from tandem.kernel import Clock
from tandem.merchants import Acceptance
from tandem.tap import (
    Field,
    Online,
    Payment,
    Policy,
    Reply,
    Secret,
    TerminalSettings,
    TerminalStore,
    Till,
    read_terminal_settings,
)

SETTINGS_TEXT: Final = f"""
currency = "CNY"
zone = "Asia/Shanghai"
trusted = "trusted.json"
wait_seconds = 2

[shop]
name = "Blue Door"
country = 156
category = 5814
merchant = "M1"
terminal = "T1"

[[aids]]
aid = "{AID.hex()}"
transaction_limit = 100000
floor_limit = 5000
cvm_limit = 10000
"""
SETTINGS: Final = read_terminal_settings(SETTINGS_TEXT.encode())
YES: Final = Reply(approved=True, code="00", authorisation_code="A00001")
NO: Final = Reply(approved=False, code="51")


class FakeHost:
    """Answers as a test says: a reply, or what to raise. `asked` is what it was asked."""

    def __init__(self, *answers: Reply | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int, bool]] = []
        self.before: Callable[[], None] = lambda: None

    async def authorise(self, payment: Payment, secret: Secret, *, repeat: bool) -> Reply:
        assert secret.icc
        assert secret.pan
        return self._answer("authorise", payment, repeat)

    async def advise(self, payment: Payment, secret: Secret, *, repeat: bool) -> Reply:
        assert secret.icc
        return self._answer("advise", payment, repeat)

    async def reverse(self, payment: Payment, secret: Secret, *, repeat: bool) -> Reply:
        assert secret.pan
        return self._answer("reverse", payment, repeat)

    def _answer(self, what: str, payment: Payment, repeat: bool) -> Reply:  # noqa: FBT001 - a fake's own
        self.asked.append((what, payment.number, repeat))
        self.before()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Says:
    """A policy that is what a test sets."""

    def __init__(
        self, acceptance: Acceptance | None, wallets: Mapping[str, str] | None = None
    ) -> None:
        self.acceptance = acceptance
        self.wallets = wallets or {}

    def current(self) -> Acceptance | None:
        return self.acceptance

    def wallet(self, requestor: str) -> str | None:
        return self.wallets.get(requestor)


@contextmanager
def till_in(
    folder: Path,
    field: Field,
    online: Online,
    clock: Clock,
    *,
    policy: Policy | None = None,
    shown: list[UiRequest] | None = None,
    settings: TerminalSettings = SETTINGS,
    exceptions: Container[str] = (),
) -> Iterator[tuple[Till, TerminalStore]]:
    """A till whose store is in this folder."""
    with TerminalStore(folder, seeded("store")) as store:
        made = Till(
            settings,
            replace(knowledge(), exceptions=exceptions),
            store,
            field,
            online,
            policy or Says(Acceptance()),
            clock,
            seeded("till"),
            (shown if shown is not None else []).append,
        )
        yield made, store
