"""Colours as screens show them: `#RRGGBB`, in sRGB (IEC 61966-2-1)."""

import re
from typing import Final

from tandem.kernel.errors import Invalid

READABLE: Final = 4.5
"""The least contrast of text with its ground (WCAG 2.2, success criterion 1.4.3)."""

_COLOUR: Final = re.compile(r"#[0-9A-Fa-f]{6}", re.ASCII)
_STEPS: Final = 100
_DARK: Final = 0.04045
"""Below this sRGB is a straight line, above it a power."""


def accent(text: str, field: str = "accent") -> str:
    """A colour on which white text can be read, in capitals.

    Raises `Invalid` for anything else; what it says of a light colour names a darker one of the
    same hue that will do.
    """
    if _COLOUR.fullmatch(text) is None:
        raise Invalid(field, "must be a colour as #123A5C: a # and six hexadecimal digits")
    found = contrast_with_white(text)
    if found < READABLE:
        raise Invalid(
            field,
            f"is too light: white text on it has a contrast of {found:.1f} to 1, and needs "
            f"{READABLE} to 1; {_darker(text)} of the same hue has it",
        )
    return text.upper()


def contrast_with_white(colour: str) -> float:
    """The contrast ratio of white with a colour, from 1 to 21 (WCAG 2.2, "contrast ratio")."""
    return 1.05 / (_luminance(_channels(colour)) + 0.05)


def _darker(colour: str) -> str:
    """The lightest of a colour's shades on which white can be read."""
    red, green, blue = _channels(colour)
    shades = (
        "#{:02X}{:02X}{:02X}".format(*(round(one * left / _STEPS) for one in (red, green, blue)))
        for left in range(_STEPS, -1, -1)
    )
    return next(shade for shade in shades if contrast_with_white(shade) >= READABLE)


def _channels(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


def _luminance(channels: tuple[int, int, int]) -> float:
    """Relative luminance, 0 to 1 (WCAG 2.2, "relative luminance")."""
    red, green, blue = map(_linear, channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: int) -> float:
    part = channel / 255
    return part / 12.92 if part <= _DARK else ((part + 0.055) / 1.055) ** 2.4
