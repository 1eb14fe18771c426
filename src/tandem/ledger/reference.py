"""The bank's reference: what a movement of the operator's account is known by, and booked once."""

from typing import Final

from tandem.kernel import clean_text

REFERENCE_LENGTH: Final = 140
"""Characters. As long as the remittance information of a bank statement (ISO 20022, Max140Text)."""


def bank_reference(text: str) -> str:
    """The reference as it is booked: composed (NFC) and trimmed, so that it is the same again.

    People and merchants read it in what they are shown. Raises `Invalid` if it cannot be shown.
    """
    return clean_text(text, "reference", REFERENCE_LENGTH)
