"""What an operator may set, read once from the environment. Every name begins with TANDEM_."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tandem.kernel import Currency, Invalid, currency

Mode = Literal["sandbox", "production"]
MINUTE: Final = 60
DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class Settings:
    """The operator's settings. Times in seconds, amounts in minor units."""

    mode: Mode = "production"
    public_url: str = "http://127.0.0.1:8080"
    """Where people's phones reach this Tandem: codes carry it."""
    wallet: str = "tandem"
    """The name of this wallet in acceptance policies."""
    timezone: ZoneInfo = ZoneInfo("UTC")
    """The operator's calendar: a day's limit begins anew at its midnight."""
    currencies: tuple[Currency, ...] = tuple(map(currency, ("CNY", "EUR", "USD", "GBP", "JPY")))
    sign_up: Literal["open", "operator"] = "open"
    """Who may make a wallet: anyone, or only the operator."""
    limit_per_payment: int = 500_000
    limit_per_day: int = 2_000_000
    """What a person may spend unless the operator set other limits, in minor units."""
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
    rate_per_second: int = 50
    """Requests a second that one key may make, with bursts of four times as many."""
    sign_ups_per_hour: int = 100
    """Sign-ups and wrong keys that one network address may make in an hour."""

    @property
    def sandbox(self) -> bool:
        """Whether money here is play money."""
        return self.mode == "sandbox"


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings of an environment. Raises `Invalid` naming the variable and what it must be."""
    given = {
        name[7:].lower(): value for name, value in environment.items() if name.startswith("TANDEM_")
    }
    values: dict[str, object] = {}
    for name in ("public_url", "wallet"):
        if name in given:
            values[name] = given[name].rstrip("/")
    for name, choices in (("mode", ("sandbox", "production")), ("sign_up", ("open", "operator"))):
        if name in given:
            if given[name] not in choices:
                raise Invalid(f"TANDEM_{name.upper()}", f"must be {' or '.join(choices)}")
            values[name] = given[name]
    for name, annotation in Settings.__annotations__.items():
        if annotation is int and name in given:
            values[name] = _whole(name, given[name])
    if "currencies" in given:
        codes = [code.strip() for code in given["currencies"].split(",")]
        values["currencies"] = tuple(currency(code, "TANDEM_CURRENCIES") for code in codes)
    if "timezone" in given:
        try:
            values["timezone"] = ZoneInfo(given["timezone"])
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise Invalid(
                "TANDEM_TIMEZONE", "must be an IANA name such as Asia/Shanghai"
            ) from error
    return Settings(**values)  # type: ignore[arg-type]  # each value was checked for its field


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:19]) <= 10**15:
        raise Invalid(f"TANDEM_{name.upper()}", "must be a whole number from 1 to 10^15")
    return int(text)
