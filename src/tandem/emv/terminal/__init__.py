"""The terminal's kernel: what a till's reader does with a card, from limits to the outcome. Pure.

`prepare` makes the reader ready for a payment, `tap` is the dialogue with a card in the field as a
generator of commands, `complete` takes up the host's answer. What is shown, heard and printed
stands in the `Outcome` that each of them gives.
"""

from tandem.emv.terminal.completion import HostAnswer, complete
from tandem.emv.terminal.entry import Ready, prepare
from tandem.emv.terminal.kernel import Answer, Dialogue, Lost, run, tap
from tandem.emv.terminal.outcome import (
    LANGUAGES,
    LIGHTS,
    MESSAGES,
    ONLINE_TAGS,
    Alternate,
    CardRead,
    Cvm,
    Lights,
    Message,
    Outcome,
    Result,
    Start,
    Tone,
    UiRequest,
    UiStatus,
    Why,
    language_of,
)
from tandem.emv.terminal.settings import (
    Combination,
    Knowledge,
    RandomSelection,
    Terminal,
    Transaction,
)
from tandem.emv.terminal.tvr import Tsi, Tvr

__all__ = [
    "LANGUAGES",
    "LIGHTS",
    "MESSAGES",
    "ONLINE_TAGS",
    "Alternate",
    "Answer",
    "CardRead",
    "Combination",
    "Cvm",
    "Dialogue",
    "HostAnswer",
    "Knowledge",
    "Lights",
    "Lost",
    "Message",
    "Outcome",
    "RandomSelection",
    "Ready",
    "Result",
    "Start",
    "Terminal",
    "Tone",
    "Transaction",
    "Tsi",
    "Tvr",
    "UiRequest",
    "UiStatus",
    "Why",
    "complete",
    "language_of",
    "prepare",
    "run",
    "tap",
]
