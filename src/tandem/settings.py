"""What an operator may set, read once from the environment. Every name begins with TANDEM_."""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tandem.kernel import Currency, Invalid, currency

Mode = Literal["sandbox", "production"]
Network = IPv4Network | IPv6Network
MINUTE: Final = 60
DAY: Final = 86_400
MAX_SECONDS: Final = 3650 * DAY
"""The longest time that can be set: dates stay within what calendars can write."""

MAX_URL: Final = 54
"""The longest address that still fits into a code together with a token (tandem.codes)."""

PREFIX: Final = "TANDEM_"
PLACES: Final = (
    "TANDEM_DATA",
    "TANDEM_DATABASE_URL",
    "TANDEM_DATABASE_ROLE",
    "TANDEM_KEY_FILE",
    "TANDEM_KEYRING",
    "TANDEM_ACQUIRING_CONFIG",
)
"""Where things are: looked up where they are needed, and no part of `Settings`."""

_OTHERS: Final = re.compile(
    r"TANDEM_(?:TEST|BENCH)_.*|TANDEM_(?:.*_)?(?:SERVICE_HOST|SERVICE_PORT(?:_.*)?"
    r"|PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_.*)?)",
    re.DOTALL,
)
"""What our own tests and benchmark go by, and what Kubernetes puts into every container beside a
service that is called tandem (Kubernetes: Service, "Environment variables")."""
_LINKED_PORT: Final = re.compile(r"TANDEM_(?:.*_)?PORT", re.DOTALL)
"""As above; its value is an address, as tcp://10.0.0.1:8080."""

_DIGITS: Final = re.compile(r"[0-9]{1,16}", re.ASCII)
_AID: Final = re.compile(r"[Ff][0-9A-Fa-f](?:[0-9A-Fa-f]{2}){5,15}", re.ASCII)
_WALLET: Final = re.compile(r"[a-z0-9._-]{1,64}", re.ASCII)
_URL: Final = re.compile(
    r"(?:https://(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[::1\])"
    r"|http://(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\]))"
    r"(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~-]+)*",
    re.ASCII,
)
"""Of what a code may carry (tandem.codes): https, or http of this machine itself."""
_DOMAIN: Final = re.compile(r"[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,8}", re.ASCII)
_SLASHES: Final = 2
_LOOPBACK: Final = re.compile(
    r"https?://(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?=[:/]|\Z)", re.ASCII
)

_READABLE: Final = 4.5
"""The least contrast of text with its ground (WCAG 2.2, success criterion 1.4.3)."""

_COLOUR: Final = re.compile(r"#[0-9A-Fa-f]{6}", re.ASCII)
_STEPS: Final = 100
_DARK: Final = 0.04045
"""Below this sRGB is a straight line, above it a power."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The operator's settings. Times in seconds.

    Amounts are in hundredths of a currency's unit and hold in each currency (`of_hundredths`).
    """

    mode: Mode = "production"
    public_url: str = "http://127.0.0.1:8080"
    """Where people's phones reach this Tandem: codes carry it."""
    wallet: str = "tandem"
    """The name of this wallet in acceptance policies."""
    accent: str = "#123A5C"
    """The operator's colour, from which cards' faces are made."""
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    """The operator's calendar: a day's limit begins anew at its midnight."""
    currencies: tuple[Currency, ...] = tuple(map(currency, ("CNY", "EUR", "USD", "GBP", "JPY")))
    sign_up: Literal["open", "operator"] = "open"
    """Who may make a wallet: anyone, or only the operator."""
    limit_per_payment: int = 500_000
    limit_per_day: int = 2_000_000
    """What a person may spend unless the operator set other limits."""
    confirm_above: int = 100_000
    """A pay code of a larger amount waits for the person to confirm."""
    order_seconds: int = 3 * 3600
    """How long a shop's code for an order can be paid unless the order says otherwise."""
    confirm_seconds: int = 5 * MINUTE
    """How long a payment waits for the person to confirm."""
    authorisation_seconds: int = 7 * DAY
    """How long an authorised amount stays reserved."""
    request_seconds: int = 7 * DAY
    """How long a request for money stays open unless it says otherwise."""
    packet_seconds: int = DAY
    """How long a red packet can be opened; what is left then goes back to its maker."""
    rate_per_second: int = 50
    """Requests a second that one key may make, with bursts of four times as many."""
    sign_ups_per_hour: int = 100
    """Sign-ups and wrong keys that one network address may make in an hour."""
    passkey_domain: str = ""
    """The domain that passkeys are made for; empty: the public address's own."""
    passkey_origins: tuple[str, ...] = ()
    """Further addresses on which people sign in with them."""
    session_idle_seconds: int = 14 * DAY
    """How long a person stays signed in without coming by."""
    session_seconds: int = 90 * DAY
    """How long they stay signed in at most."""
    staff_session_idle_seconds: int = 12 * 3600
    staff_session_seconds: int = 7 * DAY
    """The same for the staff of merchants and of the operator."""
    sign_ins_per_hour: int = 1_000
    """Sign-ins that one network address may begin in an hour."""
    visits_per_hour: int = 600
    """Payments that visitors of payment links and invoices may begin in an hour, of one address."""
    card_range: str = "980123"
    """The digits that device cards' numbers begin with, 3 to 8."""
    card_aid: bytes = bytes.fromhex("F074616E6401")
    """The application identifier of device cards; its first five bytes name the authority."""
    card_label: str = "TANDEM"
    """What a terminal calls a device card."""
    card_country: int = 156
    """The ISO 3166-1 number of the issuer's country."""
    card_years: int = 3
    """How long a device card is good."""
    card_proof: Literal["green", "yellow", "orange"] = "green"
    """What adding a card asks for at least: nothing, a one-time code, the operator's word."""
    card_unverified: int = 5_000
    """What a device card pays at a shop without verifying the person."""
    card_transit: int = 2_000
    """What it pays at a gate of public transport."""
    card_offline: int = 20_000
    """What it approves in all without asking, until its issuer answers."""
    issuers: Path | None = None
    """The file that says which issuers this Tandem is connected to."""
    akismet_key: str = ""
    """The operator's key at Akismet, which then checks what people write to each other."""
    akismet_url: str = "https://rest.akismet.com"
    """Where its API is."""
    top_up_accounts: Path | None = None
    """The file of the operator's bank accounts to which people transfer money for their wallets."""
    trusted_proxies: tuple[Network, ...] = ()
    """Whose X-Forwarded-For says where a request came from."""

    @property
    def sandbox(self) -> bool:
        """Whether money here is play money."""
        return self.mode == "sandbox"

    @property
    def signs_in_with_tls(self) -> bool:
        """Whether browsers reach this Tandem over TLS."""
        return self.public_url.startswith("https:")

    @property
    def reaches_others(self) -> bool:
        """Whether codes lead to somewhere else than the machine on which they are opened."""
        return _LOOPBACK.match(self.public_url) is None

    def unit(self, code: str) -> Currency:
        """The operator's currency of this code. Raises `Invalid` if it has no such currency."""
        for unit in self.currencies:
            if unit.code == code:
                return unit
        currency(code)
        taken = ", ".join(unit.code for unit in self.currencies)
        raise Invalid("currency", f"{code} is not used here; there are {taken}")

    def day_of(self, moment: datetime) -> date:
        """The operator's calendar day of a moment."""
        return moment.astimezone(self.timezone).date()


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings of an environment. Raises `Invalid` naming the variable and what it must be.

    So it does for a variable that begins with TANDEM_ and is not known.
    """
    check_names(environment)
    values: dict[str, Any] = {}
    for name in Settings.__annotations__:
        variable = f"{PREFIX}{name.upper()}"
        if variable in environment:
            values[name] = _READERS.get(name, _whole)(variable, environment[variable])
    return Settings(**values)


def check_names(environment: Mapping[str, str]) -> None:
    """Raise `Invalid` for a variable that looks like a setting and is none: it is misspelt.

    Ignored, a limit or a database that somebody set would silently not be the one in use.
    """
    known = (*PLACES, *(f"{PREFIX}{name.upper()}" for name in Settings.__annotations__))
    for name in sorted(environment):
        if not name.startswith(PREFIX) or name in known or _OTHERS.fullmatch(name):
            continue
        if _LINKED_PORT.fullmatch(name) and "://" in environment[name]:
            continue
        (nearest,) = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0)
        raise Invalid(name, f"is no setting of Tandem; the nearest is {nearest}")


def can_be_public(url: str) -> bool:
    """Whether an address may be the public one: codes can carry it together with a token."""
    return len(url) <= MAX_URL and _URL.fullmatch(url) is not None


def _url(name: str, text: str) -> str:
    url = text.rstrip("/")
    if not can_be_public(url):
        raise Invalid(
            name,
            "must be an https address such as https://pay.example (http only for this machine "
            f"itself), at most {MAX_URL} characters and without a query",
        )
    return url


def _wallet(name: str, text: str) -> str:
    if _WALLET.fullmatch(text) is None:
        raise Invalid(name, "must be 1 to 64 of a-z, 0-9, point, underscore and hyphen")
    return text


def _accent(name: str, text: str) -> str:
    """A colour on which white text can be read, in capitals.

    Raises `Invalid` for anything else; what it says of a light colour names a darker one of the
    same hue that will do.
    """
    if _COLOUR.fullmatch(text) is None:
        raise Invalid(name, "must be a colour as #123A5C: a # and six hexadecimal digits")
    found = _contrast_with_white(text)
    if found < _READABLE:
        raise Invalid(
            name,
            f"is too light: white text on it has a contrast of {int(found * 100) / 100} to 1, and "
            f"needs {_READABLE} to 1; {_darker(text)} of the same hue has it",
        )
    return text.upper()


def _contrast_with_white(colour: str) -> float:
    """The contrast ratio of white with a colour, from 1 to 21 (WCAG 2.2, "contrast ratio")."""
    return 1.05 / (_luminance(_channels(colour)) + 0.05)


def _darker(colour: str) -> str:
    """The lightest of a colour's shades on which white can be read."""
    red, green, blue = _channels(colour)
    shades = (
        "#{:02X}{:02X}{:02X}".format(*(round(one * left / _STEPS) for one in (red, green, blue)))
        for left in range(_STEPS, -1, -1)
    )
    return next(shade for shade in shades if _contrast_with_white(shade) >= _READABLE)


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


def _whole(name: str, text: str) -> int:
    seconds = name.endswith("_SECONDS")
    most = MAX_SECONDS if seconds else 10**15
    if _DIGITS.fullmatch(text) is None or not 1 <= int(text) <= most:
        what = "of seconds, at most ten years" if seconds else "from 1 to 10^15"
        raise Invalid(name, f"must be a whole number {what}")
    return int(text)


def _matching(pattern: str, reason: str) -> Callable[[str, str], str]:
    def read(name: str, text: str) -> str:
        if re.fullmatch(pattern, text, re.ASCII) is None:
            raise Invalid(name, f"must be {reason}")
        return text

    return read


def _aid(name: str, text: str) -> bytes:
    if _AID.fullmatch(text) is None:
        raise Invalid(name, "must be 6 to 16 bytes in hexadecimal digits, the first one F0 to FF")
    return bytes.fromhex(text)


def _between(least: int, most: int, what: str) -> Callable[[str, str], int]:
    def read(name: str, text: str) -> int:
        if _DIGITS.fullmatch(text) is None or not least <= int(text) <= most:
            raise Invalid(name, f"must be {what} from {least} to {most}")
        return int(text)

    return read


def _one_of(*choices: str) -> Callable[[str, str], str]:
    def read(name: str, text: str) -> str:
        if text not in choices:
            raise Invalid(name, f"must be {' or '.join(choices)}")
        return text

    return read


def _currencies(name: str, text: str) -> tuple[Currency, ...]:
    found = tuple(currency(code.strip(), name) for code in text.split(","))
    if len(set(found)) < len(found):
        raise Invalid(name, "must name each currency once")
    return found


def _networks(name: str, text: str) -> tuple[Network, ...]:
    parts = text.split(",") if text else []
    try:
        return tuple(ip_network(part.strip()) for part in parts)
    except ValueError as error:
        raise Invalid(
            name, "must be addresses and networks with commas between, such as 10.0.0.0/8,::1"
        ) from error


def _domain(name: str, text: str) -> str:
    if _DOMAIN.fullmatch(text) is None:
        raise Invalid(name, "must be a domain such as pay.example")
    return text


def _origins(name: str, text: str) -> tuple[str, ...]:
    origins = tuple(part.strip().rstrip("/") for part in text.split(",")) if text else ()
    for origin in origins:
        if _URL.fullmatch(origin) is None or origin.count("/") != _SLASHES:
            raise Invalid(
                name, "must be addresses with commas between, such as https://till.pay.example"
            )
    return origins


def _timezone(name: str, text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Invalid(name, "must be an IANA name such as Asia/Shanghai") from error


_READERS: Final[dict[str, Callable[[str, str], Any]]] = {
    "public_url": _url,
    "wallet": _wallet,
    "accent": _accent,
    "mode": _one_of("sandbox", "production"),
    "sign_up": _one_of("open", "operator"),
    "currencies": _currencies,
    "timezone": _timezone,
    "trusted_proxies": _networks,
    "akismet_key": _matching(r"[0-9A-Za-z]{0,64}", "up to 64 letters and digits"),
    "akismet_url": _url,
    "passkey_domain": _domain,
    "passkey_origins": _origins,
    "card_range": _matching(r"[0-9]{3,8}", "3 to 8 digits"),
    "card_aid": _aid,
    "card_label": _matching(r"[0-9A-Za-z ]{1,16}", "1 to 16 letters, digits and spaces"),
    "card_country": _between(1, 999, "an ISO 3166-1 number"),
    "packet_seconds": _between(MINUTE, 7 * DAY, "a number of seconds"),
    "card_years": _between(1, 5, "a number of years"),
    "card_proof": _one_of("green", "yellow", "orange"),
    "issuers": lambda _name, text: Path(text).absolute() if text else None,
    "top_up_accounts": lambda _name, text: Path(text).absolute() if text else None,
}
