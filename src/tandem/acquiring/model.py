"""The door between the wire and the money: typed requests, their outcomes, and who decides. Pure.

The host reads a message, checks its form and MAC, and asks an `Authoriser`. That one knows cards,
people and the ledger, and nothing of bitmaps. Amounts are in minor units of `currency`, an ISO 4217
code.
"""

from datetime import date, datetime
from typing import Final, Protocol

import msgspec

from tandem.acquiring.codes import ResponseCode
from tandem.acquiring.trace import mask

VERIFICATION: Final = "51"
"""Element 25 of a request that is about the card and not about money."""


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What the terminal has of a card. Its `repr` shows a masked number and nothing else.

    `pan` is element 2 or that of track 2, None if only the chip's data names it; `expiry` YYMM;
    `sequence_number` 0 to 999; `track2` as element 35; `icc` element 55, empty without a chip;
    `pin_block` element 52, still encrypted.
    """

    pan: str | None = None
    expiry: str | None = None
    sequence_number: int | None = None
    track2: str | None = None
    icc: bytes = b""
    pin_block: bytes | None = None

    def __repr__(self) -> str:
        return f"Card({mask(self.pan or '')})"


class CardRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What every message about a payment says.

    `key` and `fingerprint` make it happen once. The key names the message: link, class, terminal,
    trace number and local date; a repeat (0201, 0221, 0401, 0421) has the same. The fingerprint
    stands for its content: amount, currency, card, chip data and what else must not change.

    `link` is the name of the link that it came over, `terminal` and `merchant` elements 41 and 42
    without the blanks that fill them, `stan` and `rrn` the trace and the retrieval reference
    number, `local_at` the terminal's clock, which has no zone. `processing_code` is element 3,
    `entry_mode` 22 (07x: contactless chip), `category` 18, `condition` 25, `acquirer` 32,
    `location` 43.
    """

    key: str
    fingerprint: bytes
    repeat: bool
    link: str
    terminal: str
    merchant: str
    stan: str
    rrn: str
    local_at: datetime
    processing_code: str
    amount: int
    currency: str
    card: Card
    entry_mode: str
    category: str | None = None
    condition: str | None = None
    acquirer: str | None = None
    location: str | None = None

    @property
    def contactless(self) -> bool:
        """Whether the card was tapped."""
        return self.entry_mode[:2] in {"07", "91"}


class Authorisation(CardRequest, frozen=True, kw_only=True):
    """0100: reserve the amount, for an advice that may follow.

    With an amount of 0, or the condition `VERIFICATION`, it only asks whether the card is good, and
    nothing is reserved.
    """


class Purchase(CardRequest, frozen=True, kw_only=True):
    """0200 with processing code 00: take the amount at once."""


class Refund(CardRequest, frozen=True, kw_only=True):
    """0200 with processing code 20: give the amount back."""


class Original(msgspec.Struct, frozen=True, kw_only=True):
    """The message that another one is about.

    `keys` are the keys that it may have been sent under, the likeliest first; `rrn` its retrieval
    reference number, if that is known. `mti`, `stan` and `transmitted` (MMDDhhmmss) are of element
    90, None if it was not sent.
    """

    keys: tuple[str, ...]
    rrn: str | None = None
    mti: str | None = None
    stan: str | None = None
    transmitted: str | None = None


class Advice(CardRequest, frozen=True, kw_only=True):
    """0220: it has happened. Approved offline, or the completion of an authorisation.

    `original` is the authorisation that it completes, None if the terminal approved it by itself.
    `authorisation_code` is element 38 and `response_code` 39 (Y1: approved offline; Y3: approved
    because nobody could be asked, at a gate).
    """

    original: Original | None = None
    authorisation_code: str | None = None
    response_code: str | None = None


class Reversal(CardRequest, frozen=True, kw_only=True):
    """0400 or 0420: the original is to have no effect, or only `final_amount` of it (element 95).

    It may come before its original, and of an original that never came. Then it is to be
    remembered, so that an original under any of its keys does nothing when it comes.

    `reason` is element 39. `by_host`: not the terminal asks but the host itself, for a request
    that it could not answer in time.
    """

    original: Original
    final_amount: int | None = None
    reason: str | None = None
    by_host: bool = False


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Counts and amounts of a day, in the words of ISO 8583 (elements 74 to 89).

    Debits are purchases and advices of them, credits refunds; each with what was reversed of it.
    Of `authorisations` None says that they were not counted.
    """

    debits: int = 0
    debits_amount: int = 0
    debits_reversed: int = 0
    debits_reversed_amount: int = 0
    credits: int = 0
    credits_amount: int = 0
    credits_reversed: int = 0
    credits_reversed_amount: int = 0
    authorisations: int | None = None

    @property
    def net(self) -> int:
        """What the operator owes the link's merchants: debits less credits, reversals taken off."""
        debits = self.debits_amount - self.debits_reversed_amount
        return debits - (self.credits_amount - self.credits_reversed_amount)

    def agrees(self, claimed: "Totals") -> bool:
        """Whether somebody's totals are these; authorisations only if they counted them."""
        counted = claimed.authorisations is not None
        return claimed == (self if counted else msgspec.structs.replace(self, authorisations=None))


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """0500 or 0520: the totals of a business day, asked for or compared.

    Of the whole link, or of one terminal or merchant of it. `claimed` are the sender's totals; None
    if it sent none and only asks.
    """

    link: str
    day: date
    currency: str
    terminal: str | None = None
    merchant: str | None = None
    claimed: Totals | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a request ended.

    `authorisation_code` (element 38) is six letters or digits; `icc` the chip's answer (element 55:
    91 with the ARPC); `settlement_date` the business day that it counts to.
    """

    code: ResponseCode
    authorisation_code: str | None = None
    icc: bytes = b""
    settlement_date: date | None = None

    @property
    def approved(self) -> bool:
        """Whether it was done."""
        return self.code is ResponseCode.APPROVED


class Authoriser(Protocol):
    """Who decides and books.

    Every request is done once: the same key with the same fingerprint gets the first outcome
    again, also while the first is under way and after a restart; with another fingerprint it is
    refused (`IdempotencyConflict`, or an outcome of `DUPLICATE`).

    A `Refused` means that nothing was booked, and is answered by the table in
    `tandem.acquiring.refusals`. After anything else that is raised, and if it takes longer than the
    link allows, nobody knows: the host then has it reversed, and answers only after that was
    booked. Work is never cancelled for being slow, only when the host stops.
    """

    async def authorise(self, request: Authorisation) -> Outcome:
        """Reserve the amount on the card's account."""
        ...

    async def purchase(self, request: Purchase) -> Outcome:
        """Move the amount to the merchant."""
        ...

    async def refund(self, request: Refund) -> Outcome:
        """Give the amount back to the card's account."""
        ...

    async def advise(self, request: Advice) -> Outcome:
        """Book what has happened. What is not taken now is sent again, so it must be final."""
        ...

    async def reverse(self, request: Reversal) -> Outcome:
        """Undo the original, in full or in part. Approved also if there was nothing to undo."""
        ...

    async def totals(self, request: Reconciliation) -> Totals:
        """The totals of the day, by the books."""
        ...


MoneyRequest = Authorisation | Purchase | Refund | Advice | Reversal
Request = MoneyRequest | Reconciliation
