"""What somebody looks for in their history, and whether a movement is it. Pure.

A search reads a person's own movements, newest first, and compares each here. So what was typed
reaches no statement, a letter is compared as Unicode has it in any database, and no index on the
ledger's hottest table is kept for it: a page looks at `LOOKED_AT` movements at most and says where
to go on. Where a month begins is found among the numbers of an account, which count without gaps.
"""

import re
import unicodedata
from datetime import datetime
from typing import Final

import msgspec

from tandem.kernel import currency, format_amount
from tandem.wallet.shapes import HistoryLine

LOOKED_AT: Final = 2000
"""The most movements that one page of a search looks at."""

_AMOUNT: Final = re.compile(r"[0-9][0-9.,]*", re.ASCII)
_MARKS: Final = frozenset("+-\u2212' ")
"""What people write with an amount beside its digits; symbols of currencies are left out too."""


class Wanted(msgspec.Struct, frozen=True):
    """What is looked for: all that is given must hold. `since` counts, `until` does not."""

    text: str | None = None
    types: frozenset[str] = frozenset()
    since: datetime | None = None
    until: datetime | None = None

    @property
    def everything(self) -> bool:
        """Whether every movement is wanted, from wherever one begins."""
        return self.text is None and not self.types and self.since is None

    def before(self, line: HistoryLine) -> bool:
        """Whether this movement, and so every one before it, is too old."""
        return self.since is not None and line.created_at < self.since

    def takes(self, line: HistoryLine) -> bool:
        """Whether this movement is looked for."""
        if self.types and line.type not in self.types:
            return False
        if self.before(line) or (self.until is not None and line.created_at >= self.until):
            return False
        return self.text is None or _says(line, self.text)


def folded(text: str) -> str:
    """Text as it is compared: compatible forms and cases are one (Unicode, NFKC and case folding).

    A full-width digit is a digit, `Straße` is found by `STRASSE`.
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _says(line: HistoryLine, text: str) -> bool:
    sought = folded(text.strip())
    shown = (line.with_name, line.message, line.object_id)
    if any(sought in folded(one) for one in shown if one is not None):
        return True
    amount = "".join(
        one for one in sought if one not in _MARKS and unicodedata.category(one) != "Sc"
    )
    if _AMOUNT.fullmatch(amount) is None:
        return False
    moved = line.change or line.reserved
    decimal = format_amount(abs(moved), currency(line.currency))
    # A comma is a point in half of the world and separates thousands in the other.
    return any(
        decimal.startswith(one) for one in (amount.replace(",", ""), amount.replace(",", "."))
    )
