"""The dictionary of tags: name, format, length, source and templates of every data object.

After EMV Book 3, Annex A (Data Elements Dictionary), Book 1, Annex B for application selection,
Contactless Book A and Book B for what contactless adds (9F66, 9F2A, 9F29, 96), and the Payment
Tokenisation Framework (9F19, 9F24, 9F25). The card transaction qualifiers (9F6C) and the form
factor indicator (9F6E) are those that contactless cards of several schemes send.

One tag is Tandem's own, of the private class: `DF20`, the service context. A terminal says in it
that it is a gate of public transport, where a card may answer at once (`tandem.emv.card`).
"""

from enum import IntEnum, StrEnum
from typing import Final, NamedTuple


class Format(StrEnum):
    """How a value is written (Book 3, 4.3)."""

    A = "a"
    """Letters."""
    AN = "an"
    """Letters and digits."""
    ANS = "ans"
    """Any characters of ISO/IEC 8859."""
    B = "b"
    """Binary."""
    CN = "cn"
    """Digits, two in a byte, left-justified and padded with F."""
    N = "n"
    """Digits, two in a byte, right-justified and padded with 0."""


class Source(StrEnum):
    """Who makes a value."""

    CARD = "card"
    TERMINAL = "terminal"
    ISSUER = "issuer"


class Entry(NamedTuple):
    """What the dictionary says of a tag. Lengths are in bytes."""

    tag: int
    name: str
    format: Format
    shortest: int
    longest: int
    source: Source
    templates: tuple[int, ...] = ()


class Tag(IntEnum):
    """The tags that the card application and the terminal work with, by name."""

    ADF_NAME = 0x4F
    APPLICATION_LABEL = 0x50
    TRACK_2 = 0x57
    PAN = 0x5A
    APPLICATION_TEMPLATE = 0x61
    FCI = 0x6F
    RECORD = 0x70
    FORMAT_2 = 0x77
    FORMAT_1 = 0x80
    AIP = 0x82
    COMMAND_TEMPLATE = 0x83
    DF_NAME = 0x84
    PRIORITY = 0x87
    AUTHORISATION_RESPONSE_CODE = 0x8A
    CDOL1 = 0x8C
    CVM_LIST = 0x8E
    CA_KEY_INDEX = 0x8F
    ISSUER_CERTIFICATE = 0x90
    ISSUER_AUTHENTICATION_DATA = 0x91
    ISSUER_KEY_REMAINDER = 0x92
    AFL = 0x94
    TVR = 0x95
    TRANSACTION_DATE = 0x9A
    TSI = 0x9B
    TRANSACTION_TYPE = 0x9C
    FCI_PROPRIETARY = 0xA5
    EXPIRY = 0x5F24
    EFFECTIVE = 0x5F25
    ISSUER_COUNTRY = 0x5F28
    TRANSACTION_CURRENCY = 0x5F2A
    LANGUAGES = 0x5F2D
    PAN_SEQUENCE = 0x5F34
    TRANSACTION_CURRENCY_EXPONENT = 0x5F36
    AMOUNT = 0x9F02
    AMOUNT_OTHER = 0x9F03
    AID_TERMINAL = 0x9F06
    USAGE_CONTROL = 0x9F07
    VERSION_CARD = 0x9F08
    VERSION_TERMINAL = 0x9F09
    IAC_DEFAULT = 0x9F0D
    IAC_DENIAL = 0x9F0E
    IAC_ONLINE = 0x9F0F
    ISSUER_APPLICATION_DATA = 0x9F10
    LAST_ONLINE_ATC = 0x9F13
    LOWER_OFFLINE_LIMIT = 0x9F14
    MERCHANT_CATEGORY = 0x9F15
    MERCHANT_ID = 0x9F16
    PIN_TRY_COUNTER = 0x9F17
    TOKEN_REQUESTOR = 0x9F19
    TERMINAL_COUNTRY = 0x9F1A
    FLOOR_LIMIT = 0x9F1B
    TERMINAL_ID = 0x9F1C
    TRANSACTION_TIME = 0x9F21
    UPPER_OFFLINE_LIMIT = 0x9F23
    PAR = 0x9F24
    PAN_LAST_FOUR = 0x9F25
    CRYPTOGRAM = 0x9F26
    CRYPTOGRAM_INFORMATION = 0x9F27
    EXTENDED_SELECTION = 0x9F29
    KERNEL_ID = 0x9F2A
    ISSUER_KEY_EXPONENT = 0x9F32
    TERMINAL_CAPABILITIES = 0x9F33
    CVM_RESULTS = 0x9F34
    TERMINAL_TYPE = 0x9F35
    ATC = 0x9F36
    UNPREDICTABLE_NUMBER = 0x9F37
    PDOL = 0x9F38
    ADDITIONAL_CAPABILITIES = 0x9F40
    SEQUENCE_COUNTER = 0x9F41
    CARD_CURRENCY = 0x9F42
    CARD_CURRENCY_EXPONENT = 0x9F44
    CARD_CERTIFICATE = 0x9F46
    CARD_KEY_EXPONENT = 0x9F47
    CARD_KEY_REMAINDER = 0x9F48
    STATIC_TAGS = 0x9F4A
    SIGNED_DYNAMIC_DATA = 0x9F4B
    MERCHANT_NAME = 0x9F4E
    LOG_FORMAT = 0x9F4F
    TTQ = 0x9F66
    CTQ = 0x9F6C
    FORM_FACTOR = 0x9F6E
    ISSUER_DISCRETIONARY = 0xBF0C
    SERVICE_CONTEXT = 0xDF20


_A, _AN, _ANS, _B, _CN, _N = Format
_CARD, _TERMINAL, _ISSUER = Source
_RECORD = (0x70, 0x77)
_ANSWER = (0x77, 0x80)

_ENTRIES: Final = (
    Entry(0x42, "Issuer Identification Number (IIN)", _N, 3, 3, _CARD, (0xBF0C, 0x73)),
    Entry(0x4F, "Application Dedicated File (ADF) Name", _B, 5, 16, _CARD, (0x61,)),
    Entry(0x50, "Application Label", _ANS, 1, 16, _CARD, (0x61, 0xA5)),
    Entry(0x57, "Track 2 Equivalent Data", _B, 1, 19, _CARD, _RECORD),
    Entry(0x5A, "Application Primary Account Number (PAN)", _CN, 1, 10, _CARD, _RECORD),
    Entry(0x61, "Application Template", _B, 0, 252, _CARD, (0x70, 0xBF0C)),
    Entry(0x6F, "File Control Information (FCI) Template", _B, 0, 252, _CARD),
    Entry(0x70, "READ RECORD Response Message Template", _B, 0, 252, _CARD),
    Entry(0x71, "Issuer Script Template 1", _B, 0, 255, _ISSUER),
    Entry(0x72, "Issuer Script Template 2", _B, 0, 255, _ISSUER),
    Entry(0x73, "Directory Discretionary Template", _B, 0, 252, _CARD, (0x61,)),
    Entry(0x77, "Response Message Template Format 2", _B, 0, 253, _CARD),
    Entry(0x80, "Response Message Template Format 1", _B, 0, 253, _CARD),
    Entry(0x81, "Amount, Authorised (Binary)", _B, 4, 4, _TERMINAL),
    Entry(0x82, "Application Interchange Profile (AIP)", _B, 2, 2, _CARD, _ANSWER),
    Entry(0x83, "Command Template", _B, 0, 252, _TERMINAL),
    Entry(0x84, "Dedicated File (DF) Name", _B, 5, 16, _CARD, (0x6F,)),
    Entry(0x86, "Issuer Script Command", _B, 1, 261, _ISSUER, (0x71, 0x72)),
    Entry(0x87, "Application Priority Indicator", _B, 1, 1, _CARD, (0x61, 0xA5)),
    Entry(0x88, "Short File Identifier (SFI)", _B, 1, 1, _CARD, (0xA5,)),
    Entry(0x89, "Authorisation Code", _AN, 6, 6, _ISSUER),
    Entry(0x8A, "Authorisation Response Code", _AN, 2, 2, _ISSUER),
    Entry(0x8C, "Card Risk Management Data Object List 1 (CDOL1)", _B, 0, 252, _CARD, _RECORD),
    Entry(0x8D, "Card Risk Management Data Object List 2 (CDOL2)", _B, 0, 252, _CARD, _RECORD),
    Entry(0x8E, "Cardholder Verification Method (CVM) List", _B, 10, 252, _CARD, _RECORD),
    Entry(0x8F, "Certification Authority Public Key Index", _B, 1, 1, _CARD, _RECORD),
    Entry(0x90, "Issuer Public Key Certificate", _B, 1, 248, _CARD, _RECORD),
    Entry(0x91, "Issuer Authentication Data", _B, 8, 16, _ISSUER),
    Entry(0x92, "Issuer Public Key Remainder", _B, 1, 248, _CARD, _RECORD),
    Entry(0x93, "Signed Static Application Data", _B, 1, 248, _CARD, _RECORD),
    Entry(0x94, "Application File Locator (AFL)", _B, 0, 252, _CARD, _ANSWER),
    Entry(0x95, "Terminal Verification Results (TVR)", _B, 5, 5, _TERMINAL),
    Entry(0x96, "Kernel Identifier - Terminal", _B, 8, 8, _TERMINAL),
    Entry(0x97, "Transaction Certificate Data Object List (TDOL)", _B, 0, 252, _CARD, _RECORD),
    Entry(0x98, "Transaction Certificate (TC) Hash Value", _B, 20, 20, _TERMINAL),
    Entry(0x99, "Transaction Personal Identification Number (PIN) Data", _B, 1, 12, _TERMINAL),
    Entry(0x9A, "Transaction Date", _N, 3, 3, _TERMINAL),
    Entry(0x9B, "Transaction Status Information (TSI)", _B, 2, 2, _TERMINAL),
    Entry(0x9C, "Transaction Type", _N, 1, 1, _TERMINAL),
    Entry(0x9D, "Directory Definition File (DDF) Name", _B, 5, 16, _CARD, (0x61,)),
    Entry(0xA5, "File Control Information (FCI) Proprietary Template", _B, 0, 252, _CARD, (0x6F,)),
    Entry(0x5F20, "Cardholder Name", _ANS, 2, 26, _CARD, _RECORD),
    Entry(0x5F24, "Application Expiration Date", _N, 3, 3, _CARD, _RECORD),
    Entry(0x5F25, "Application Effective Date", _N, 3, 3, _CARD, _RECORD),
    Entry(0x5F28, "Issuer Country Code", _N, 2, 2, _CARD, _RECORD),
    Entry(0x5F2A, "Transaction Currency Code", _N, 2, 2, _TERMINAL),
    Entry(0x5F2D, "Language Preference", _AN, 2, 8, _CARD, (0xA5,)),
    Entry(0x5F30, "Service Code", _N, 2, 2, _CARD, _RECORD),
    Entry(0x5F34, "Application PAN Sequence Number", _N, 1, 1, _CARD, _RECORD),
    Entry(0x5F36, "Transaction Currency Exponent", _N, 1, 1, _TERMINAL),
    Entry(0x5F50, "Issuer URL", _ANS, 1, 255, _CARD, (0xBF0C, 0x73)),
    Entry(0x5F53, "International Bank Account Number (IBAN)", _AN, 1, 34, _CARD, (0xBF0C, 0x73)),
    Entry(0x5F54, "Bank Identifier Code (BIC)", _AN, 8, 11, _CARD, (0xBF0C, 0x73)),
    Entry(0x5F55, "Issuer Country Code (alpha2 format)", _A, 2, 2, _CARD, (0xBF0C, 0x73)),
    Entry(0x5F56, "Issuer Country Code (alpha3 format)", _A, 3, 3, _CARD, (0xBF0C, 0x73)),
    Entry(0x5F57, "Account Type", _N, 1, 1, _TERMINAL),
    Entry(0x9F01, "Acquirer Identifier", _N, 6, 6, _TERMINAL),
    Entry(0x9F02, "Amount, Authorised (Numeric)", _N, 6, 6, _TERMINAL),
    Entry(0x9F03, "Amount, Other (Numeric)", _N, 6, 6, _TERMINAL),
    Entry(0x9F04, "Amount, Other (Binary)", _B, 4, 4, _TERMINAL),
    Entry(0x9F05, "Application Discretionary Data", _B, 1, 32, _CARD, _RECORD),
    Entry(0x9F06, "Application Identifier (AID) - terminal", _B, 5, 16, _TERMINAL),
    Entry(0x9F07, "Application Usage Control", _B, 2, 2, _CARD, _RECORD),
    Entry(0x9F08, "Application Version Number", _B, 2, 2, _CARD, _RECORD),
    Entry(0x9F09, "Application Version Number - terminal", _B, 2, 2, _TERMINAL),
    Entry(0x9F0B, "Cardholder Name Extended", _ANS, 27, 45, _CARD, _RECORD),
    Entry(0x9F0D, "Issuer Action Code - Default", _B, 5, 5, _CARD, _RECORD),
    Entry(0x9F0E, "Issuer Action Code - Denial", _B, 5, 5, _CARD, _RECORD),
    Entry(0x9F0F, "Issuer Action Code - Online", _B, 5, 5, _CARD, _RECORD),
    Entry(0x9F10, "Issuer Application Data", _B, 0, 32, _CARD, _ANSWER),
    Entry(0x9F11, "Issuer Code Table Index", _N, 1, 1, _CARD, (0xA5,)),
    Entry(0x9F12, "Application Preferred Name", _ANS, 1, 16, _CARD, (0x61, 0xA5)),
    Entry(0x9F13, "Last Online Application Transaction Counter (ATC) Register", _B, 2, 2, _CARD),
    Entry(0x9F14, "Lower Consecutive Offline Limit", _B, 1, 1, _CARD, _RECORD),
    Entry(0x9F15, "Merchant Category Code", _N, 2, 2, _TERMINAL),
    Entry(0x9F16, "Merchant Identifier", _ANS, 15, 15, _TERMINAL),
    Entry(0x9F17, "Personal Identification Number (PIN) Try Counter", _B, 1, 1, _CARD),
    Entry(0x9F18, "Issuer Script Identifier", _B, 4, 4, _ISSUER, (0x71, 0x72)),
    Entry(0x9F19, "Token Requestor ID", _N, 6, 6, _CARD, (0x70, 0x77, 0xBF0C)),
    Entry(0x9F1A, "Terminal Country Code", _N, 2, 2, _TERMINAL),
    Entry(0x9F1B, "Terminal Floor Limit", _B, 4, 4, _TERMINAL),
    Entry(0x9F1C, "Terminal Identification", _AN, 8, 8, _TERMINAL),
    Entry(0x9F1D, "Terminal Risk Management Data", _B, 1, 8, _TERMINAL),
    Entry(0x9F1E, "Interface Device (IFD) Serial Number", _AN, 8, 8, _TERMINAL),
    Entry(0x9F1F, "Track 1 Discretionary Data", _ANS, 0, 64, _CARD, _RECORD),
    Entry(0x9F20, "Track 2 Discretionary Data", _CN, 0, 16, _CARD, _RECORD),
    Entry(0x9F21, "Transaction Time", _N, 3, 3, _TERMINAL),
    Entry(0x9F22, "Certification Authority Public Key Index - terminal", _B, 1, 1, _TERMINAL),
    Entry(0x9F23, "Upper Consecutive Offline Limit", _B, 1, 1, _CARD, _RECORD),
    Entry(0x9F24, "Payment Account Reference (PAR)", _AN, 29, 29, _CARD, (0x70, 0x77, 0xBF0C)),
    Entry(0x9F25, "Last 4 Digits of PAN", _N, 2, 2, _CARD, _RECORD),
    Entry(0x9F26, "Application Cryptogram", _B, 8, 8, _CARD, _ANSWER),
    Entry(0x9F27, "Cryptogram Information Data", _B, 1, 1, _CARD, _ANSWER),
    Entry(0x9F29, "Extended Selection", _B, 1, 11, _CARD, (0x61,)),
    Entry(0x9F2A, "Kernel Identifier", _B, 1, 8, _CARD, (0x61,)),
    Entry(0x9F2D, "ICC PIN Encipherment Public Key Certificate", _B, 1, 248, _CARD, _RECORD),
    Entry(0x9F2E, "ICC PIN Encipherment Public Key Exponent", _B, 1, 3, _CARD, _RECORD),
    Entry(0x9F2F, "ICC PIN Encipherment Public Key Remainder", _B, 1, 248, _CARD, _RECORD),
    Entry(0x9F32, "Issuer Public Key Exponent", _B, 1, 3, _CARD, _RECORD),
    Entry(0x9F33, "Terminal Capabilities", _B, 3, 3, _TERMINAL),
    Entry(0x9F34, "Cardholder Verification Method (CVM) Results", _B, 3, 3, _TERMINAL),
    Entry(0x9F35, "Terminal Type", _N, 1, 1, _TERMINAL),
    Entry(0x9F36, "Application Transaction Counter (ATC)", _B, 2, 2, _CARD, _ANSWER),
    Entry(0x9F37, "Unpredictable Number", _B, 4, 4, _TERMINAL),
    Entry(0x9F38, "Processing Options Data Object List (PDOL)", _B, 0, 252, _CARD, (0xA5,)),
    Entry(0x9F39, "Point-of-Service (POS) Entry Mode", _N, 1, 1, _TERMINAL),
    Entry(0x9F3A, "Amount, Reference Currency", _B, 4, 4, _TERMINAL),
    Entry(0x9F3B, "Application Reference Currency", _N, 2, 8, _CARD, _RECORD),
    Entry(0x9F3C, "Transaction Reference Currency Code", _N, 2, 2, _TERMINAL),
    Entry(0x9F3D, "Transaction Reference Currency Exponent", _N, 1, 1, _TERMINAL),
    Entry(0x9F40, "Additional Terminal Capabilities", _B, 5, 5, _TERMINAL),
    Entry(0x9F41, "Transaction Sequence Counter", _N, 2, 4, _TERMINAL),
    Entry(0x9F42, "Application Currency Code", _N, 2, 2, _CARD, _RECORD),
    Entry(0x9F43, "Application Reference Currency Exponent", _N, 1, 4, _CARD, _RECORD),
    Entry(0x9F44, "Application Currency Exponent", _N, 1, 1, _CARD, _RECORD),
    Entry(0x9F45, "Data Authentication Code", _B, 2, 2, _CARD),
    Entry(0x9F46, "ICC Public Key Certificate", _B, 1, 248, _CARD, _RECORD),
    Entry(0x9F47, "ICC Public Key Exponent", _B, 1, 3, _CARD, _RECORD),
    Entry(0x9F48, "ICC Public Key Remainder", _B, 1, 248, _CARD, _RECORD),
    Entry(0x9F49, "Dynamic Data Authentication Data Object List", _B, 0, 252, _CARD, _RECORD),
    Entry(0x9F4A, "Static Data Authentication Tag List", _B, 1, 252, _CARD, _RECORD),
    Entry(0x9F4B, "Signed Dynamic Application Data", _B, 1, 248, _CARD, _RECORD),
    Entry(0x9F4C, "ICC Dynamic Number", _B, 2, 8, _CARD),
    Entry(0x9F4D, "Log Entry", _B, 2, 2, _CARD, (0xBF0C, 0x73)),
    Entry(0x9F4E, "Merchant Name and Location", _ANS, 0, 255, _TERMINAL),
    Entry(0x9F4F, "Log Format", _B, 0, 252, _CARD),
    Entry(0x9F66, "Terminal Transaction Qualifiers (TTQ)", _B, 4, 4, _TERMINAL),
    Entry(0x9F6C, "Card Transaction Qualifiers (CTQ)", _B, 2, 2, _CARD, _RECORD),
    Entry(0x9F6E, "Form Factor Indicator", _B, 4, 32, _CARD, _RECORD),
    Entry(0xBF0C, "FCI Issuer Discretionary Data", _B, 0, 222, _CARD, (0xA5,)),
    Entry(0xDF20, "Tandem Service Context", _B, 1, 1, _TERMINAL),
)
DICTIONARY: Final = {entry.tag: entry for entry in _ENTRIES}
"""Every tag that is known here."""


def name_of(tag: int) -> str:
    """The name of a tag, or `Unknown`."""
    entry = DICTIONARY.get(tag)
    return "Unknown" if entry is None else entry.name


def format_of(tag: int) -> Format:
    """The format of a tag's values; binary for a tag that is not known."""
    entry = DICTIONARY.get(tag)
    return Format.B if entry is None else entry.format


def fits(tag: int, value: bytes) -> bool:
    """Whether a value has a length that the dictionary allows, and digits where it has digits.

    True for tags that are not known.
    """
    entry = DICTIONARY.get(tag)
    if entry is None:
        return True
    if not entry.shortest <= len(value) <= entry.longest:
        return False
    digits = value.hex()
    if entry.format is Format.CN:
        digits = digits.rstrip("f")
    return entry.format not in {Format.N, Format.CN} or digits.isdigit() or not digits
