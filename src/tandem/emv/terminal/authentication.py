"""Offline data authentication: the card proves itself to the terminal by CDA (EMV Book 2, 6).

First the chain of certificates, as soon as the records are there: authority → issuer → card, the
last one over the signed records and the AIP, so that a card cannot be made to look as if it knew
less. Then the signature of GENERATE AC, which is over everything that was said.
"""

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from tandem.emv.authority import RID_BYTES, TrustedKeys
from tandem.emv.certificates import Certificate, recover_card, static_data
from tandem.emv.dynamic import check_combined, transaction_hash
from tandem.emv.rsa import PublicKey
from tandem.emv.tags import Tag
from tandem.emv.terminal.reading import Values
from tandem.emv.tlv import Tlv, write

NEEDED = (
    Tag.CA_KEY_INDEX,
    Tag.ISSUER_CERTIFICATE,
    Tag.ISSUER_KEY_EXPONENT,
    Tag.CARD_CERTIFICATE,
    Tag.CARD_KEY_EXPONENT,
)
"""What a card that does CDA has to send (Book 3, 7.2)."""


class Said(NamedTuple):
    """What terminal and card said, as the signature covers it."""

    pdol: bytes
    cdol: bytes
    answer: tuple[Tlv, ...]


def missing(values: Values) -> bool:
    """Whether the card sent less than CDA needs."""
    return any(values.get(tag) is None for tag in NEEDED)


def card_key(
    values: Values, aid: bytes, signed_records: bytes, trusted: TrustedKeys, today: date
) -> PublicKey:
    """The card's public key, after its certificates were checked. `missing` has to be false.

    Raises `AuthenticationFailed` with the reason.
    """
    found = values.all()
    pan = found[Tag.PAN].hex().rstrip("f")
    issuer = trusted.recover_issuer(
        aid[:RID_BYTES],
        found[Tag.CA_KEY_INDEX][0],
        _certificate(
            found, Tag.ISSUER_CERTIFICATE, Tag.ISSUER_KEY_REMAINDER, Tag.ISSUER_KEY_EXPONENT
        ),
        pan,
        today,
    )
    static = static_data(signed_records, found.get(Tag.STATIC_TAGS), found[Tag.AIP])
    card = recover_card(
        issuer.key,
        _certificate(found, Tag.CARD_CERTIFICATE, Tag.CARD_KEY_REMAINDER, Tag.CARD_KEY_EXPONENT),
        pan,
        static,
        today,
    )
    return card.key


def proved_cryptogram(
    key: PublicKey, said: Said, answer: Values, unpredictable_number: bytes
) -> bytes:
    """The cryptogram (9F26) out of the card's signature over all that was said.

    `answer` are the values of `said.answer`, with a decision (9F27). Raises `AuthenticationFailed`,
    also if there is no signature.
    """
    unsigned = write(entry for entry in said.answer if entry.tag != Tag.SIGNED_DYNAMIC_DATA)
    combined = check_combined(
        key,
        answer.get(Tag.SIGNED_DYNAMIC_DATA) or b"",
        information=answer.need(Tag.CRYPTOGRAM_INFORMATION)[0],
        transaction=transaction_hash(said.pdol, said.cdol, unsigned),
        unpredictable_number=unpredictable_number,
    )
    return combined.cryptogram


def _certificate(
    found: Mapping[int, bytes], signature: int, remainder: int, exponent: int
) -> Certificate:
    return Certificate(found[signature], found.get(remainder, b""), found[exponent])
