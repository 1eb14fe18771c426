"""Text that people type and other people read: names and messages."""

import unicodedata
from typing import Final

from tandem.kernel.errors import Invalid

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS: Final = frozenset("\u200c\u200d")


def clean_text(text: str, field: str, longest: int) -> str:
    """The text in Unicode's composed form (NFC), trimmed.

    Refuses what nobody sees: control and format characters (direction overrides among them),
    surrogates, unassigned code points. Zero-width joiners may stand between letters, where some
    scripts need them. Raises `Invalid`.
    """
    cleaned = unicodedata.normalize("NFC", text).strip()
    if not 1 <= len(cleaned) <= longest:
        raise Invalid(field, f"must have 1 to {longest} characters")
    for character in cleaned:
        if unicodedata.category(character) in _UNSEEN and character not in _JOINERS:
            raise Invalid(field, f"has a character that cannot be shown (U+{ord(character):04X})")
    if not any(unicodedata.category(character)[0] in "LNPS" for character in cleaned):
        raise Invalid(field, "must have a letter or a digit")
    return cleaned
