"""What a card shows of itself: directory, FCI, records and where they are.

The directory is the Proximity Payment System Environment (Contactless Book B, 3.3.2), the FCI that
of Book 1, 11.3.4, records are those of Book 3, 7. Of the records one is signed: with the AIP it is
what the card's certificate is over.
"""

from collections.abc import Iterable
from datetime import date
from typing import Final, NamedTuple

from tandem.emv.apdu import MAX_RESPONSE_DATA, PPSE
from tandem.emv.card.profile import CardData, Certificates
from tandem.emv.certificates import static_data
from tandem.emv.dol import Dol
from tandem.emv.tags import Tag
from tandem.emv.tlv import Tlv, constructed, primitive

AIP: Final = bytes.fromhex("1900")
"""Cardholder verification, terminal risk management, CDA. No issuer authentication: the issuer's
answer reaches the card by the device's own network (docs/decisions/0012-one-tap.md)."""
VERSION: Final = b"\x00\x01"
"""Application version number of Tandem's card application."""
PDOL: Final = Dol.of(
    (Tag.TTQ, 4),
    (Tag.AMOUNT, 6),
    (Tag.AMOUNT_OTHER, 6),
    (Tag.TERMINAL_COUNTRY, 2),
    (Tag.TRANSACTION_CURRENCY, 2),
    (Tag.TRANSACTION_DATE, 3),
    (Tag.TRANSACTION_TYPE, 1),
    (Tag.UNPREDICTABLE_NUMBER, 4),
    (Tag.SERVICE_CONTEXT, 1),
    (Tag.MERCHANT_CATEGORY, 2),
    (Tag.MERCHANT_NAME, 20),
)
CDOL1: Final = Dol.of(
    (Tag.AMOUNT, 6),
    (Tag.AMOUNT_OTHER, 6),
    (Tag.TERMINAL_COUNTRY, 2),
    (Tag.TVR, 5),
    (Tag.TRANSACTION_CURRENCY, 2),
    (Tag.TRANSACTION_DATE, 3),
    (Tag.TRANSACTION_TYPE, 1),
    (Tag.UNPREDICTABLE_NUMBER, 4),
    (Tag.CVM_RESULTS, 3),
    (Tag.TERMINAL_TYPE, 1),
)
CVM_LIST: Final = bytes(8) + bytes.fromhex("6000 1F00")
"""Consumer device CVM, always; if that is unsuccessful no CVM, always. Whether a payment may go
without is for the terminal's limit and the card's own to say."""

MAX_RECORD: Final = 254
"""The longest record, in bytes, its template included (Book 2, Annex D1.1)."""

_SIGNED_SFI = 1
_KEYS_SFI = 2
_TEMPLATE = 3


class Record(NamedTuple):
    """A record of a file: `data` is all of it, with its template 70."""

    sfi: int
    number: int
    data: bytes


def bcd(digits: str, size: int) -> bytes:
    """Digits in this many bytes, zeros on the left (format n)."""
    return bytes.fromhex(digits.rjust(2 * size, "0"))


def compressed(digits: str) -> bytes:
    """Digits padded with F on the right to whole bytes (format cn)."""
    return bytes.fromhex(digits + "F" * (len(digits) % 2))


def yymmdd(day: date) -> bytes:
    """A date as EMV writes it."""
    return bytes.fromhex(f"{day:%y%m%d}")


def track_2(data: CardData) -> bytes:
    """Track 2 Equivalent Data (Book 3, Annex A): the chip's own, with nothing secret in it."""
    return compressed(f"{data.pan}D{data.expiry:%y%m}{data.service_code}00000")


def directory(cards: Iterable[CardData]) -> bytes:
    """The PPSE's FCI: an entry for each card that is presented (Book B, 3.3.2).

    A response has room for four of them at least. Of more cards than fit the last are left out;
    they can still be selected by whoever knows their AIDs.
    """
    entries = [
        constructed(
            Tag.APPLICATION_TEMPLATE,
            primitive(Tag.ADF_NAME, data.aid),
            primitive(Tag.APPLICATION_LABEL, data.label.encode()),
            primitive(Tag.PRIORITY, bytes((data.priority,))),
            *_if_any(Tag.KERNEL_ID, data.kernel_id),
        )
        for data in cards
    ]
    while len(_directory(entries).raw) > MAX_RESPONSE_DATA:
        entries.pop()
    return _directory(entries).raw


def file_control_information(data: CardData) -> bytes:
    """The FCI of the application (Book 1, 11.3.4)."""
    return constructed(
        Tag.FCI,
        primitive(Tag.DF_NAME, data.aid),
        constructed(
            Tag.FCI_PROPRIETARY,
            primitive(Tag.APPLICATION_LABEL, data.label.encode()),
            primitive(Tag.PRIORITY, bytes((data.priority,))),
            *([primitive(Tag.LANGUAGES, data.languages.encode())] if data.languages else []),
            primitive(Tag.PDOL, PDOL.write()),
        ),
    ).raw


def signed_record(data: CardData) -> Tlv:
    """The record that a terminal may trust, once the card's certificate is checked."""
    codes = data.action_codes
    return constructed(
        Tag.RECORD,
        primitive(Tag.TRACK_2, track_2(data)),
        primitive(Tag.PAN, compressed(data.pan)),
        primitive(Tag.EXPIRY, yymmdd(data.expiry)),
        primitive(Tag.EFFECTIVE, yymmdd(data.effective)),
        primitive(Tag.ISSUER_COUNTRY, bcd(str(data.country), 2)),
        primitive(Tag.PAN_SEQUENCE, bcd(data.sequence, 1)),
        primitive(Tag.USAGE_CONTROL, data.usage_control),
        primitive(Tag.VERSION_CARD, VERSION),
        primitive(Tag.CARD_CURRENCY, bcd(str(data.currency), 2)),
        primitive(Tag.CARD_CURRENCY_EXPONENT, bcd(str(data.currency_exponent), 1)),
        primitive(Tag.CDOL1, CDOL1.write()),
        primitive(Tag.CVM_LIST, CVM_LIST),
        primitive(Tag.IAC_DEFAULT, codes.default),
        primitive(Tag.IAC_DENIAL, codes.denial),
        primitive(Tag.IAC_ONLINE, codes.online),
        primitive(Tag.STATIC_TAGS, bytes((Tag.AIP,))),
        primitive(Tag.PAR, data.par.encode()),
        primitive(Tag.TOKEN_REQUESTOR, bcd(data.token_requestor, 6)),
    )


def signed_data(data: CardData) -> bytes:
    """The static data to be authenticated, which the card's certificate is over (Book 3, 10.3).

    That is the signed record without its template's tag and length, and the AIP.
    """
    return static_data(signed_record(data).value, bytes((Tag.AIP,)), AIP)


def records(data: CardData, certificates: Certificates) -> tuple[Record, ...]:
    """All records: the signed one, then as many as the certificates need."""
    issuer, card = certificates.issuer, certificates.card
    objects = (
        primitive(Tag.ISSUER_CERTIFICATE, issuer.signature),
        primitive(Tag.CARD_CERTIFICATE, card.signature),
        primitive(Tag.CA_KEY_INDEX, bytes((certificates.ca_index,))),
        primitive(Tag.ISSUER_KEY_EXPONENT, issuer.exponent),
        primitive(Tag.CARD_KEY_EXPONENT, card.exponent),
        *_if_any(Tag.ISSUER_KEY_REMAINDER, issuer.remainder),
        *_if_any(Tag.CARD_KEY_REMAINDER, card.remainder),
    )
    packed: list[list[Tlv]] = []
    for entry in objects:
        for held in packed:
            if sum(len(other.raw) for other in held) + len(entry.raw) <= MAX_RECORD - _TEMPLATE:
                held.append(entry)
                break
        else:
            packed.append([entry])
    keys = (
        Record(_KEYS_SFI, number, constructed(Tag.RECORD, *held).raw)
        for number, held in enumerate(packed, 1)
    )
    return (Record(_SIGNED_SFI, 1, signed_record(data).raw), *keys)


def file_locator(found: Iterable[Record]) -> bytes:
    """The Application File Locator for these records (Book 3, 10.2): the first file is signed."""
    numbers: dict[int, list[int]] = {}
    for record in found:
        numbers.setdefault(record.sfi, []).append(record.number)
    return b"".join(
        bytes((sfi << 3, min(held), max(held), len(held) if sfi == _SIGNED_SFI else 0))
        for sfi, held in numbers.items()
    )


def _directory(entries: list[Tlv]) -> Tlv:
    discretionary = constructed(Tag.ISSUER_DISCRETIONARY, *entries)
    return constructed(
        Tag.FCI, primitive(Tag.DF_NAME, PPSE), constructed(Tag.FCI_PROPRIETARY, discretionary)
    )


def _if_any(tag: int, value: bytes) -> tuple[Tlv, ...]:
    return (primitive(tag, value),) if value else ()
