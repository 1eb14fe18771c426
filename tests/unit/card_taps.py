"""Taps of a real card application, for the tests of the vault's check."""

from datetime import UTC, date, datetime
from typing import Final

import msgspec
from test_cards_package import CARD, PAN, SETTINGS, keys, made

from emv_made import entropy
from emv_tap import CNY, TERMINAL, Device
from tandem.cards.package import card_limits
from tandem.cards.taps import Asked, Tap, read_tap
from tandem.emv.application_data import Method, Verifier
from tandem.emv.card import CardState, Verification
from tandem.emv.terminal import Combination, Knowledge, Outcome, Terminal, Transaction, run
from tandem.emv.terminal import prepare as prepare_reader
from tandem.emv.terminal.entry import Ready
from tandem.kernel import Currency, ManualClock

NOW: Final = datetime(2026, 12, 15, 12, tzinfo=UTC)
DAY: Final = date(2026, 12, 15)
MASTER: Final = keys().masters[1]
KEY: Final = MASTER.card_key(PAN, CARD.sequence)
DELIVERED: Final = msgspec.structs.replace(CARD, delivered_at=NOW)
LIMITS: Final = card_limits("CNY", SETTINGS)


def till(*, gate: bool = False, floor: int = 0) -> Terminal:
    """A reader that takes the operator's cards."""
    combination = Combination(
        aid=SETTINGS.card_aid,
        transaction_limit=1_000_000,
        floor_limit=floor,
        cvm_limit=1_000_000,
        transit=gate,
    )
    return msgspec.structs.replace(
        TERMINAL, combinations=(combination,), merchant_category=4111 if gate else 5814
    )


class Phone:
    """A phone with the card that the vault made, held at readers."""

    def __init__(self, state: CardState | None = None) -> None:
        self.device = Device(made(), state=state, clock=ManualClock(NOW))
        self._entropy = entropy("reader")

    def tap(
        self,
        amount: int,
        *,
        verified: bool = True,
        gate: bool = False,
        floor: int = 0,
        unit: Currency = CNY,
    ) -> tuple[Outcome, Tap]:
        """Pay this amount; what the reader makes of it, and what its host is told."""
        if verified:
            finger = Verification(Verifier.SECURE_ELEMENT, Method.FINGER, NOW)
            self.device.card.present(finger)
        else:
            self.device.card.present()
        payment = Transaction(amount=amount, currency=unit, at=NOW, sequence=1)
        knowledge = Knowledge(trusted=keys().authority.trusted())
        ready = prepare_reader(till(gate=gate, floor=floor), payment, knowledge)
        assert isinstance(ready, Ready), ready
        outcome = run(ready, self._entropy, self.device.transmit)
        assert outcome.card is not None, outcome
        return outcome, read_tap(outcome.online_data)


def asked(amount: int, **changes: object) -> Asked:
    """The message that such a tap comes in."""
    fields: dict[str, object] = {
        "amount": amount, "currency": 156, "day": DAY, "limits": LIMITS, **changes,
    }  # fmt: skip
    return Asked(**fields)  # type: ignore[arg-type]  # each test gives what fits
