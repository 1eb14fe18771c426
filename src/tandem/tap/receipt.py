"""A payment's receipt as plain text (EMV Book 4, 11.4): the card number masked, nothing secret."""

from typing import Final
from unicodedata import east_asian_width

from tandem.emv.terminal import Cvm, language_of
from tandem.kernel import format_amount
from tandem.tap.payment import Payment
from tandem.tap.terminal_settings import Shop

WIDTH: Final = 32
_STAN: Final = 6
_WORDS: Final = {
    "en": {
        "terminal": "Terminal",
        "number": "Number",
        "refund of": "Refund of",
        "purchase": "PURCHASE",
        "refund": "REFUND",
        "card": "Contactless",
        "counter": "Counter",
        "approval": "Approval",
        Cvm.DEVICE: "Verified on the device",
        Cvm.NONE: "No verification needed",
        "approved": "APPROVED",
        "approved offline": "APPROVED OFFLINE",
        "declined": "DECLINED",
        "no answer": "NO ANSWER YET, SENT AGAIN",
    },
    "zh": {
        "terminal": "终端号",
        "number": "流水号",
        "refund of": "原流水号",
        "purchase": "消费",
        "refund": "退款",
        "card": "非接触卡号",
        "counter": "交易计数",
        "approval": "授权码",
        Cvm.DEVICE: "已在设备上验证",
        Cvm.NONE: "无需验证",
        "approved": "交易成功",
        "approved offline": "脱机交易成功",
        "declined": "交易被拒绝",
        "no answer": "尚无应答 将再次发送",
    },
}


def receipt(payment: Payment, shop: Shop, own: str = "en") -> str:
    """The receipt, a line for each thing, at most 32 columns wide where nothing is longer.

    It is in the card's language, or the terminal's `own`. A Chinese character has two columns.
    """
    words = _WORDS[language_of(payment.languages, own)]
    amount = f"{payment.currency} {format_amount(payment.amount, payment.unit)}"
    kind = words["refund" if payment.is_refund else "purchase"]
    lines = [
        _centred(shop.printed_name or shop.name),
        "",
        _line(f"{payment.at:%Y-%m-%d}", f"{payment.at:%H:%M:%S}"),
        _line(words["terminal"], shop.terminal),
        _line(words["number"], payment.stan),
        _line(words["refund of"], payment.original[-_STAN:]) if payment.original else "",
        "",
        _line(kind, amount),
        _line(words["card"], payment.card) if payment.card else "",
        _line(payment.label, payment.aid) if payment.aid else "",
        _line(words["counter"], str(payment.atc)) if payment.atc is not None else "",
        _line(words["approval"], payment.authorisation_code) if payment.authorisation_code else "",
        words.get(payment.cvm, "") if payment.approved else "",
        "",
        _centred(_result(payment, words)),
    ]
    shown: list[str] = []
    for line in lines:
        if line or (shown and shown[-1]):
            shown.append(line)
    return "\n".join(shown)


def _line(left: str, right: str) -> str:
    return f"{left}{' ' * max(1, WIDTH - _columns(left) - _columns(right))}{right}"


def _centred(text: str) -> str:
    return f"{' ' * max(0, (WIDTH - _columns(text)) // 2)}{text}"


def _columns(text: str) -> int:
    return sum(2 if east_asian_width(each) in "WF" else 1 for each in text)


def _result(payment: Payment, words: dict[str, str]) -> str:
    if payment.is_refund and not payment.approved and not payment.response_code:
        return words["no answer"]
    if not payment.approved:
        return f"{words['declined']} {payment.response_code}".rstrip()
    return words["approved offline" if payment.offline else "approved"]
