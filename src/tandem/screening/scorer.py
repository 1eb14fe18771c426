"""The local scorer: how much a message looks like spam or fraud. Pure.

    found = weigh("Your prize is waiting: bit.ly/x", own_host="pay.example")
    score(found, Company(strangers=True, alike=0)).held

Points for what the text says (`words`), for links and for what hides what it says, and for whom it
goes to: a stranger, and many alike. It knows nothing of the amount, and no money waits for it: what
is held is the message alone (docs/decisions/0030).
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Final

import msgspec

from tandem.screening.words import PATTERNS, SHORTENERS

HELD_FROM: Final = 5
"""Points from which a message is held."""

MANY_ALIKE: Final = 5
"""So many people who got the same words within an hour make a campaign of them."""

_LINK: Final = re.compile(
    r"(?:https?://|www\.)[^\s<>\"']+|\b(?:[a-z0-9-]+\.)+"
    r"(?:com|net|org|info|biz|xyz|top|vip|shop|site|online|club|live|icu|cc|me|io|ly|app|link|cn|ru)"
    r"(?:/[^\s<>\"']*)?(?![a-z0-9.-])",
)
_HOST: Final = re.compile(r"(?:https?://)?(?:[^/@\s]*@)?([^/:?#\s]+)")
_NUMERIC_HOST: Final = re.compile(r"[0-9.]+|0x[0-9a-f]+|\[.*\]")
_WORD: Final = re.compile(r"[^\W\d_]+")
_LETTER: Final = re.compile(r"[^\W\d_]")
_SPACED: Final = re.compile(r"(?:\b\w[ .*_-]){5,}\w\b")
_SHOUTED: Final = 12
"""Letters of a text that is all capitals, from which it counts as shouted."""

_LEET: Final = str.maketrans("013457@$", "oieastas")
_LOOKALIKES: Final = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb"
    "\u03b1\u03bf\u03bd\u03c1\u03c4\u03b9\u03ba",
    "aeopcyxijshaovptik",
)
"""Cyrillic and Greek letters that are drawn as Latin ones (Unicode TR 39, confusables)."""


class Company(msgspec.Struct, frozen=True):
    """Whom a message goes between, and what its author sent lately.

    `strangers`: no money went from the receiver to the author or back before. `alike`: people who
    got the same words from this author within an hour, before this one.
    """

    strangers: bool
    alike: int


class Score(msgspec.Struct, frozen=True):
    """Points, and what they are for. Reasons are stable codes."""

    points: int
    reasons: tuple[str, ...]

    @property
    def held(self) -> bool:
        """Whether the message is held."""
        return self.points >= HELD_FROM


def weigh(text: str, *, own_host: str) -> dict[str, int]:
    """What speaks against a text by itself: reasons with their points. Most have none.

    `own_host` is this Tandem's: links to it are no links elsewhere.
    """
    plain = folded(text)
    return _said(plain) | _linked(plain, own_host) | _hidden(text)


def score(found: Mapping[str, int], company: Company) -> Score:
    """How much a message looks like spam or fraud: its text, and whom it goes to.

    A text that nothing speaks against is free of points, whoever gets it.
    """
    reasons = dict(found)
    if reasons and company.alike >= MANY_ALIKE:
        reasons["many_alike"] = 3
    if reasons and company.strangers:
        reasons["stranger"] = 1
    return Score(sum(reasons.values()), tuple(sorted(reasons)))


def folded(text: str) -> str:
    """A text as the patterns are written: NFKC, small letters, no accents, nothing invisible."""
    spread = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    kept = "".join(
        character
        for character in spread
        if unicodedata.category(character) not in {"Mn", "Cf", "Cc", "Co", "Cn"}
    )
    return " ".join(kept.translate(_LOOKALIKES).split())


def _said(plain: str) -> dict[str, int]:
    """The weight of each reason whose patterns are met, also where digits stand for letters."""
    ways = {plain, plain.translate(_LEET), _SPACED.sub(_closed, plain)}
    return {
        reason: weight
        for reason, weight, patterns in PATTERNS
        if any(pattern.search(way) for pattern in patterns for way in ways)
    }


def _closed(spaced: re.Match[str]) -> str:
    """`f r e e` as `free`."""
    return re.sub(r"[ .*_-]", "", spaced.group())


def _linked(plain: str, own_host: str) -> dict[str, int]:
    found: dict[str, int] = {}
    hosts = [host for link in _LINK.findall(plain) if (host := _host_of(link)) != own_host]
    if hosts:
        found["link"] = 2
    if any(host.removeprefix("www.") in SHORTENERS for host in hosts):
        found["short_link"] = 2
    if any(host.startswith("xn--") or ".xn--" in host or not host.isascii() for host in hosts):
        found["lookalike_link"] = 3
    if any(_NUMERIC_HOST.fullmatch(host) for host in hosts):
        found["numeric_link"] = 3
    return found


def _host_of(link: str) -> str:
    match = _HOST.match(link)
    return "" if match is None else match.group(1)


def _hidden(text: str) -> dict[str, int]:
    """What makes a text hard to read for a filter and easy for people."""
    found: dict[str, int] = {}
    if any(_mixed(word) for word in _WORD.findall(text)):
        found["mixed_letters"] = 3
    if _invisible(text):
        found["invisible_characters"] = 2
    letters = "".join(_LETTER.findall(text))
    if len(letters) >= _SHOUTED and letters.isupper():
        found["shouted"] = 1
    return found


def _mixed(word: str) -> bool:
    """Whether Latin letters stand beside Cyrillic or Greek ones in a word."""
    scripts = {unicodedata.name(letter, "NONE").split()[0] for letter in word}
    return "LATIN" in scripts and bool(scripts & {"CYRILLIC", "GREEK"})


def _invisible(text: str) -> bool:
    """Whether characters without a picture stand within a word.

    A zero-width joiner between others than letters is of an emoji; the non-joiner belongs to
    Persian and Indian scripts, and marks of direction to text that runs both ways.
    """
    return any(
        unicodedata.category(here) == "Cf"
        and here not in "\u200c\u200e\u200f\u061c"
        and before.isascii()
        and before.isalnum()
        and after.isascii()
        and after.isalnum()
        for before, here, after in zip(text, text[1:], text[2:], strict=False)
    )
