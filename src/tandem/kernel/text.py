"""Text that people type and other people read: names and messages."""

import unicodedata
from typing import Final

from tandem.kernel.errors import Invalid, Rule

NOTE_LENGTH: Final = 140
"""The most characters of a note: what somebody writes beside an amount."""

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_BLANK: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols without ink: Hangul fillers, the empty braille pattern."""
_JOINERS: Final = frozenset("\u200c\u200d")
_GROWTH: Final = 4
"""How many characters NFC may compose into one, so that no text longer than that is looked at."""


def clean_text(text: str, field: str, longest: int) -> str:
    """The text in Unicode's composed form (NFC), trimmed.

    Refuses what nobody sees: control and format characters (direction overrides among them),
    surrogates, unassigned code points, letters without ink. Zero-width joiners may stand between
    letters, marks and symbols, where some scripts and pictures need them. Raises `Invalid`.
    """
    cleaned = unicodedata.normalize("NFC", text[: longest * _GROWTH + 1]).strip()
    if not 1 <= len(cleaned) <= longest:
        raise Invalid(
            field, f"must have 1 to {longest} characters", rule=Rule("length", 1, longest)
        )
    before = " "
    for character, after in zip(cleaned, cleaned[1:] + " ", strict=True):
        if character in _JOINERS:
            unseen = before.isspace() or after.isspace() or before in _JOINERS
        else:
            unseen = unicodedata.category(character) in _UNSEEN or character in _BLANK
        if unseen:
            raise Invalid(
                field,
                f"has a character that cannot be shown (U+{ord(character):04X})",
                rule=Rule("unseen"),
            )
        before = character
    if not any(unicodedata.category(character)[0] in "LNPS" for character in cleaned):
        raise Invalid(field, "must have a letter or a digit", rule=Rule("letters"))
    return cleaned


def clean_note(text: str | None, field: str) -> str | None:
    """A message, description, reference or reason as `clean_text` has it; None stays None.

    Raises `Invalid`.
    """
    return None if text is None else clean_text(text, field, NOTE_LENGTH)
