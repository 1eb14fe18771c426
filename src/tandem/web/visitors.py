"""What people read on the pages of codes and tags: in their language, money as the wallet has it.

The pages come before any app, without JavaScript. What a payment's state and a refusal are called
there is the apps' word for it (a test compares them), and so are the signs of currencies.
"""

import json
import unicodedata
from collections.abc import Mapping
from importlib.resources import files
from typing import Final, NamedTuple

from tandem.kernel import Currency, format_amount
from tandem.web.faces import quality

Texts = Mapping[str, str]


def _table(name: str) -> Mapping[str, Texts]:
    found: Mapping[str, Texts] = json.loads((files("tandem.web") / name).read_bytes())
    return found


TEXTS: Final = _table("visitors.json")
"""What the pages say, by language."""
SYMBOLS: Final = _table("symbols.json")
"""CLDR's narrow symbols of currencies, and where Chinese has another one than English."""
_FITS: Final = ((16, "tight"), (11, "snug"))
"""Above how many characters an amount is set smaller, as `Amount.svelte` has it."""


class Amount(NamedTuple):
    """An amount in the parts that a page sets differently: the whole large, the rest small."""

    currency: str
    whole: str
    decimals: str

    @property
    def text(self) -> str:
        """All of it."""
        return self.currency + self.whole + self.decimals

    @property
    def fit(self) -> str:
        """How small it is set to fit a narrow phone, by its length."""
        return next((fit for most, fit in _FITS if len(self.text) > most), "free")


def language_of(header: str) -> Texts:
    """The texts in the first language of an Accept-Language header that we write, else English."""
    wanted = []
    for place, part in enumerate(header.lower().split(",")[:20]):
        tag, _, weight = part.strip().partition(";")
        wanted.append((-quality(weight), place, tag.strip().partition("-")[0]))
    for unwanted, _, language in sorted(wanted):
        if unwanted < 0 and language in TEXTS:
            return TEXTS[language]
    return TEXTS["en"]


def amount_of(minor: int, unit: Currency, language: str) -> Amount:
    """An amount as the wallet writes it in Britain and in China: `¥1,234.50`, `CHF 12.00`."""
    whole, point, decimals = format_amount(minor, unit).partition(".")
    symbol = SYMBOLS[language].get(unit.code) or SYMBOLS["en"].get(unit.code, unit.code)
    # A letter needs room before a digit, a sign needs none (UTS 35, currency spacing).
    apart = "" if unicodedata.category(symbol[-1])[0] in "SZ" else "\N{NO-BREAK SPACE}"
    return Amount(symbol + apart, f"{int(whole):,}", point + decimals)
