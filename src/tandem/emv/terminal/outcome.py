"""What a tap comes to, and what is said and shown about it (Contactless Book A).

Every tap ends in an `Outcome`: one of the results that the books know, with its parameters. What a
card does wrong is a result as well, never an exception; `why` tells the one who reads the log.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum, StrEnum
from typing import Final, NamedTuple

from tandem.emv.tags import Tag
from tandem.emv.tlv import is_constructed, primitive, write
from tandem.kernel import Currency


class Result(StrEnum):
    """How a tap ends."""

    APPROVED = "approved"
    DECLINED = "declined"
    ONLINE_REQUEST = "online_request"
    """The issuer is to be asked; `complete` makes the final outcome of its answer."""
    TRY_AGAIN = "try_again"
    """The card is to be presented again: for the same payment, with a new cryptogram."""
    TRY_ANOTHER_INTERFACE = "try_another_interface"
    END_APPLICATION = "end_application"


class Start(StrEnum):
    """Where the reader begins again."""

    PREPROCESSING = "A"
    """With another amount or payment."""
    ACTIVATION = "B"
    """Waiting for a card."""


class Message(IntEnum):
    """What is said, by the numbers of Contactless Book A."""

    APPROVED = 0x03
    NOT_AUTHORISED = 0x07
    PRESENT_CARD = 0x15
    PROCESSING = 0x16
    CARD_READ_OK = 0x17
    APPROVED_PLEASE_SIGN = 0x1A
    AUTHORISING = 0x1B
    TRY_ANOTHER_CARD = 0x1C
    INSERT_CARD = 0x1D
    CLEAR = 0x1E
    SEE_PHONE = 0x20
    PRESENT_AGAIN = 0x21
    INSERT_OR_SWIPE = 0x18
    ONE_CARD_ONLY = 0x19
    WELCOME = 0x14


LANGUAGES: Final = ("en", "zh")
"""What readers speak, by ISO 639-1."""

MESSAGES: Final = {
    Message.APPROVED: {"en": "Approved", "zh": "交易成功"},
    Message.NOT_AUTHORISED: {"en": "Not authorised", "zh": "未获授权"},
    Message.WELCOME: {"en": "Welcome", "zh": "欢迎"},
    Message.PRESENT_CARD: {"en": "Present card", "zh": "请出示卡片"},
    Message.PROCESSING: {"en": "Processing", "zh": "正在处理"},
    Message.CARD_READ_OK: {
        "en": "Card read OK. Please remove card",
        "zh": "读卡成功 请移开卡片",
    },
    Message.INSERT_OR_SWIPE: {"en": "Please insert or swipe card", "zh": "请插卡或刷卡"},
    Message.ONE_CARD_ONLY: {"en": "Please present one card only", "zh": "请只出示一张卡片"},
    Message.APPROVED_PLEASE_SIGN: {"en": "Approved. Please sign", "zh": "交易成功 请签名"},
    Message.AUTHORISING: {"en": "Authorising, please wait", "zh": "正在授权 请稍候"},
    Message.TRY_ANOTHER_CARD: {
        "en": "Insert, swipe or try another card",
        "zh": "请插卡、刷卡或换一张卡片",
    },
    Message.INSERT_CARD: {"en": "Please insert card", "zh": "请插卡"},
    Message.CLEAR: {"en": "", "zh": ""},
    Message.SEE_PHONE: {"en": "See phone for instructions", "zh": "请按手机提示操作"},
    Message.PRESENT_AGAIN: {"en": "Present card again", "zh": "请再次出示卡片"},
}
"""The messages by language, the English ones as the books word them."""


def language_of(preferred: Iterable[str], own: str) -> str:
    """The first of a card's languages that is spoken here, else the terminal's (Book 4, 11.1)."""
    return next((each for each in preferred if each in LANGUAGES), own)


class UiStatus(StrEnum):
    """In which state the reader shows itself."""

    NOT_READY = "not_ready"
    IDLE = "idle"
    READY_TO_READ = "ready_to_read"
    PROCESSING = "processing"
    CARD_READ_SUCCESSFULLY = "card_read_successfully"
    PROCESSING_ERROR = "processing_error"


class Tone(StrEnum):
    """What is heard."""

    NONE = "none"
    SUCCESS = "success"
    ALERT = "alert"


class Lights(NamedTuple):
    """How many of the reader's four lights are lit, and what is heard."""

    lit: int
    blinking: bool = False
    tone: Tone = Tone.NONE


LIGHTS: Final = {
    UiStatus.NOT_READY: Lights(0),
    UiStatus.IDLE: Lights(1, blinking=True),
    UiStatus.READY_TO_READ: Lights(1),
    UiStatus.PROCESSING: Lights(1),
    UiStatus.CARD_READ_SUCCESSFULLY: Lights(4, tone=Tone.SUCCESS),
    UiStatus.PROCESSING_ERROR: Lights(0, tone=Tone.ALERT),
}


@dataclass(frozen=True, slots=True)
class UiRequest:
    """What the reader is to show. `hold_ms` is how long at least, in milliseconds.

    `languages` are the card's, in its order, if it said; `amount` in minor units of `currency`.
    """

    message: Message
    status: UiStatus
    hold_ms: int = 0
    languages: tuple[str, ...] = ()
    amount: int | None = None
    currency: Currency | None = None

    def text(self, own: str = "en") -> str:
        """The message in the card's language, or the terminal's `own`."""
        return MESSAGES[self.message][language_of(self.languages, own)]

    @property
    def lights(self) -> Lights:
        """The lights and the tone of its status."""
        return LIGHTS[self.status]


class Cvm(StrEnum):
    """What the terminal still has to do about the cardholder's verification."""

    NOT_APPLICABLE = "not_applicable"
    NONE = "none"
    """Nothing: no verification was needed."""
    DEVICE = "device"
    """Nothing: the device verified the person."""


class Alternate(Enum):
    """Which other interface is meant, if another one is to be tried."""

    NONE = 0
    CONTACT_CHIP = 1


class Why(StrEnum):
    """What led to an outcome, for logs and tests."""

    CARD_APPROVED = "card_approved"
    CARD_DECLINED = "card_declined"
    CARD_ASKED_ONLINE = "card_asked_online"
    HOST_APPROVED = "host_approved"
    HOST_DECLINED = "host_declined"
    NO_ANSWER = "no_answer"
    DEFERRED = "deferred"
    """Approved at a gate without an answer: the cryptogram is sent on later."""
    NOT_ALLOWED = "contactless_not_allowed"
    TORN = "torn"
    SILENT = "silent"
    VERIFY = "verify_on_device"
    NO_DIRECTORY = "no_directory"
    NO_APPLICATION = "no_application"
    CARD_ERROR = "card_error"
    """It answered with an error, or with what is not as the books have it."""
    DATA_MISSING = "data_missing"
    NOT_VALID = "not_valid"
    """Expired, or on the exception file."""
    AUTHENTICATION_FAILED = "authentication_failed"
    VERIFICATION_CHANGED = "verification_changed"
    """What the card said of the person's verification changed during the tap."""


@dataclass(frozen=True, slots=True)
class CardRead:
    """What was read and said in a tap: values by tag, the terminal's and the card's.

    It holds the card number and is to be treated so. `signed` says that the card proved itself to
    the terminal (CDA), `transit` that it answered at once, at a gate.
    """

    values: Mapping[int, bytes] = field(repr=False)
    signed: bool = False
    transit: bool = False

    @property
    def pan(self) -> str:
        """The card number (of the device)."""
        pan = self.values.get(Tag.PAN)
        if pan is not None:
            return pan.hex().rstrip("f")
        return self.values.get(Tag.TRACK_2, b"").hex().partition("d")[0]

    @property
    def track_2(self) -> str:
        """Track 2 with `=` as its mark, as hosts take it (ISO 8583, data element 35)."""
        return self.values.get(Tag.TRACK_2, b"").hex().rstrip("f").replace("d", "=")

    @property
    def sequence(self) -> str | None:
        """The PAN sequence number, two digits."""
        value = self.values.get(Tag.PAN_SEQUENCE)
        return None if value is None else value.hex()

    def tlv(self, tags: tuple[int, ...]) -> bytes:
        """Those of these data objects that are there, written one after another."""
        return write(
            primitive(tag, self.values[tag])
            for tag in tags
            if tag in self.values and not is_constructed(tag)
        )


ONLINE_TAGS: Final = (
    Tag.CRYPTOGRAM,
    Tag.CRYPTOGRAM_INFORMATION,
    Tag.ISSUER_APPLICATION_DATA,
    Tag.UNPREDICTABLE_NUMBER,
    Tag.ATC,
    Tag.TVR,
    Tag.TRANSACTION_DATE,
    Tag.TRANSACTION_TYPE,
    Tag.AMOUNT,
    Tag.TRANSACTION_CURRENCY,
    Tag.AIP,
    Tag.TERMINAL_COUNTRY,
    Tag.AMOUNT_OTHER,
    Tag.TERMINAL_CAPABILITIES,
    Tag.CVM_RESULTS,
    Tag.TERMINAL_TYPE,
    Tag.DF_NAME,
    Tag.VERSION_TERMINAL,
    Tag.PAN_SEQUENCE,
    Tag.CTQ,
    Tag.TTQ,
    Tag.SERVICE_CONTEXT,
    Tag.PAR,
    Tag.TOKEN_REQUESTOR,
)
"""What an issuer needs to check a cryptogram (Book 4, Annex C): it fits in 255 bytes."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a tap ended, with its parameters (Book A, tables 6-1 to 6-3).

    `start` says where to begin again, None if not. `ui` is shown now and `ui_on_restart` when the
    reader waits for a card again; `field_off_ms` is how long the field goes off before. `receipt`
    says whether one may be printed. `card` is what was read, None if nothing was.
    """

    result: Result
    why: Why
    ui: UiRequest
    start: Start | None = None
    ui_on_restart: UiRequest | None = None
    cvm: Cvm = Cvm.NOT_APPLICABLE
    card: CardRead | None = None
    receipt: bool = False
    field_off_ms: int | None = None
    alternate: Alternate = Alternate.NONE
    deferrable: bool = False
    """At a gate: without an answer of the host the person is let through all the same."""
    issuer_data: bytes = field(default=b"", repr=False)
    """Issuer Authentication Data (91) of the host's answer. It does not go back to the card: a
    device gets it by its own network."""

    @property
    def online_data(self) -> bytes:
        """What goes to the host, as TLV (ISO 8583, data element 55); no card number is in it."""
        return b"" if self.card is None else self.card.tlv(ONLINE_TAGS)
