"""What people read on the pages of codes and tags: in their language, money as the wallet has it.

The pages come before any app, without JavaScript. What a payment's state and a refusal are called
there is the apps' word for it (a test compares them), and so are the signs of currencies.
"""

import json
import unicodedata
from collections.abc import Mapping
from importlib.resources import files
from typing import Final, NamedTuple

from tandem.kernel import Currency, format_amount
from tandem.web.faces import quality

Texts = Mapping[str, str]

EN: Final[Texts] = {
    "language": "en",
    "title": "Pay",
    "paying": "You are paying",
    "of": "This code is of",
    "known": "Registered with the operator",
    "pay": "Pay with your wallet",
    "scan": "Open your wallet and scan the shop’s code there.",
    "scan.or": "Or scan the shop’s code from within your wallet.",
    "tap": "Open your wallet and hold the phone to the tag there.",
    "tap.or": "Or open your wallet and hold the phone to the tag there.",
    "amount": "You type the amount in the wallet.",
    "safe": "Nothing is paid yet: you confirm it in your wallet.",
    "anew": "Ask the shop for a new code if you still want to pay.",
    "unknown": "This code is not known here",
    "unknown.lead": "Nothing was paid. Ask the shop to show the code again, and scan it once more.",
    "unpaid": "Not paid",
    "status.created": "Waiting to be paid",
    "status.waiting": "Waiting for confirmation",
    "status.authorised": "Reserved",
    "status.captured": "Paid",
    "status.partially_refunded": "Paid, partly refunded",
    "status.refunded": "Refunded",
    "status.cancelled": "Cancelled by the shop",
    "status.declined": "Declined",
    "status.expired": "The time is over",
    "problem.tag_link_wrong": "Nothing was paid: this tag’s link is not right. Tap the tag again.",
    "problem.tag_tap_used": (
        "Nothing was paid: this tap was used, or somebody tapped after you. Tap the tag again."
    ),
    "problem.tag_off": "Nothing was paid: this tag is switched off. Ask the shop for a code.",
}
ZH: Final[Texts] = {
    "language": "zh",
    "title": "付款",
    "paying": "付款给",
    "of": "收款方",
    "known": "已在运营方登记",
    "pay": "用你的钱包付款",
    "scan": "请打开钱包，扫商家的码。",
    "scan.or": "也可以在钱包里扫商家的码。",
    "tap": "请打开钱包，把手机靠近标签。",
    "tap.or": "也可以打开钱包，把手机靠近标签。",
    "amount": "金额在钱包里输入。",
    "safe": "尚未付款：请在钱包里确认。",
    "anew": "如仍要付款，请向商家另要一个码。",
    "unknown": "没有找到这个码",
    "unknown.lead": "没有付款。请商家重新出示码，再扫一次。",
    "unpaid": "未付款",
    "status.created": "等待付款",
    "status.waiting": "等待确认",
    "status.authorised": "已预留",
    "status.captured": "已付款",
    "status.partially_refunded": "已付款，部分退款",
    "status.refunded": "已退款",
    "status.cancelled": "商家已取消",
    "status.declined": "已拒绝",
    "status.expired": "已过期",
    "problem.tag_link_wrong": "尚未付款：标签的链接不正确，请再碰一次。",
    "problem.tag_tap_used": "尚未付款：这次碰触已使用，或在你之后有人碰过。请再碰一次。",
    "problem.tag_off": "尚未付款：这个标签已停用。请向商家要一个码。",
}

SYMBOLS: Final[Mapping[str, Mapping[str, str]]] = json.loads(
    (files("tandem.web") / "symbols.json").read_bytes()
)
"""CLDR's narrow symbols of currencies, and where Chinese has another one than English."""


class Amount(NamedTuple):
    """An amount in the parts that a page sets differently: the whole large, the rest small."""

    currency: str
    whole: str
    decimals: str

    @property
    def text(self) -> str:
        """All of it."""
        return self.currency + self.whole + self.decimals

    @property
    def fit(self) -> str:
        """How small it is set to fit a narrow phone, by its length."""
        length = len(self.text)
        return "tight" if length > 16 else "snug" if length > 11 else "free"  # noqa: PLR2004


def language_of(header: str) -> Texts:
    """The texts in the first language of an Accept-Language header that we write, else English."""
    wanted = []
    for place, part in enumerate(header.lower().split(",")[:20]):
        tag, _, weight = part.strip().partition(";")
        wanted.append((-quality(weight), place, tag.strip()[:2]))
    for weight, _, language in sorted(wanted):
        if weight < 0 and language in ("zh", "en"):
            return ZH if language == "zh" else EN
    return EN


def amount_of(minor: int, unit: Currency, language: str) -> Amount:
    """An amount as the wallet writes it in this language: `¥1,234.50`, `CHF 12.00`."""
    whole, point, decimals = format_amount(minor, unit).partition(".")
    symbol = SYMBOLS[language].get(unit.code) or SYMBOLS["en"].get(unit.code, unit.code)
    # A letter needs room before a digit, a sign needs none (UTS 35, currency spacing).
    apart = "" if unicodedata.category(symbol[-1])[0] in "SZ" else "\N{NO-BREAK SPACE}"
    return Amount(symbol + apart, f"{int(whole):,}", point + decimals)
