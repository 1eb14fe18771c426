"""The outcomes of a tap, each made in one place (Contactless Book A, 6)."""

from typing import Final, NamedTuple

from tandem.emv.terminal.outcome import (
    CardRead,
    Cvm,
    Message,
    Outcome,
    Result,
    Start,
    UiStatus,
    Why,
)
from tandem.emv.terminal.outcome import UiRequest as Ui
from tandem.emv.terminal.settings import Transaction

HOLD_MS: Final = 1300
"""How long a message stays that asks the person to do something."""


class Words(NamedTuple):
    """What messages are shown with: the payment, and the languages that the card prefers."""

    transaction: Transaction
    languages: tuple[str, ...] = ()

    def ui(self, message: Message, status: UiStatus, hold_ms: int = 0) -> Ui:
        """A message with the amount of the payment."""
        amount, currency = self.transaction.amount, self.transaction.currency
        return Ui(message, status, hold_ms, self.languages, amount, currency)


def ended(words: Words, why: Why) -> Outcome:
    """The card cannot be used here: try another one."""
    ui = words.ui(Message.TRY_ANOTHER_CARD, UiStatus.PROCESSING_ERROR, HOLD_MS)
    return Outcome(Result.END_APPLICATION, why, ui)


def again(words: Words, why: Why) -> Outcome:
    """The tap was torn or the card silent: present it again, for the same payment."""
    ui = words.ui(Message.PRESENT_AGAIN, UiStatus.READY_TO_READ)
    return Outcome(Result.TRY_AGAIN, why, ui, start=Start.ACTIVATION, ui_on_restart=ui)


def see_phone(words: Words) -> Outcome:
    """The person has to verify themselves on the device, and then to tap again."""
    return Outcome(
        Result.TRY_AGAIN,
        Why.VERIFY,
        words.ui(Message.SEE_PHONE, UiStatus.NOT_READY, HOLD_MS),
        start=Start.ACTIVATION,
        ui_on_restart=words.ui(Message.PRESENT_AGAIN, UiStatus.READY_TO_READ),
        field_off_ms=HOLD_MS,
    )


def approved(words: Words, why: Why, card: CardRead, cvm: Cvm, issuer_data: bytes = b"") -> Outcome:
    """The payment is approved."""
    ui = words.ui(Message.APPROVED, UiStatus.CARD_READ_SUCCESSFULLY)
    return Outcome(
        Result.APPROVED, why, ui, cvm=cvm, card=card, receipt=True, issuer_data=issuer_data
    )


def declined(words: Words, why: Why, card: CardRead | None, issuer_data: bytes = b"") -> Outcome:
    """The payment is declined; the card was read."""
    ui = words.ui(Message.NOT_AUTHORISED, UiStatus.CARD_READ_SUCCESSFULLY)
    return Outcome(Result.DECLINED, why, ui, card=card, receipt=True, issuer_data=issuer_data)


def online(words: Words, card: CardRead, cvm: Cvm) -> Outcome:
    """The issuer is asked; the card may go."""
    ui = words.ui(Message.AUTHORISING, UiStatus.CARD_READ_SUCCESSFULLY)
    return Outcome(Result.ONLINE_REQUEST, Why.CARD_ASKED_ONLINE, ui, cvm=cvm, card=card)
