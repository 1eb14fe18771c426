"""A payment's receipt as plain text (EMV Book 4, 11.4): the card number masked, nothing secret."""

from typing import Final

from tandem.emv.terminal import Cvm
from tandem.kernel import format_amount
from tandem.tap.payment import Payment
from tandem.tap.terminal_settings import Shop

WIDTH: Final = 32
_STAN: Final = 6
_CVM: Final = {
    Cvm.DEVICE: "Verified on the device",
    Cvm.NONE: "No verification needed",
}


def receipt(payment: Payment, shop: Shop) -> str:
    """The receipt, a line for each thing, at most 32 characters wide where nothing is longer."""
    amount = f"{payment.currency} {format_amount(payment.amount, payment.unit)}"
    kind = "REFUND" if payment.is_refund else "PURCHASE"
    lines = [
        shop.name.center(WIDTH).rstrip(),
        "",
        _line(f"{payment.at:%Y-%m-%d}", f"{payment.at:%H:%M:%S}"),
        _line("Terminal", shop.terminal),
        _line("Number", payment.stan),
        _line("Refund of", payment.original[-_STAN:]) if payment.original else "",
        "",
        _line(kind, amount),
        _line("Contactless", payment.card) if payment.card else "",
        _line(payment.label, payment.aid) if payment.aid else "",
        _line("Counter", str(payment.atc)) if payment.atc is not None else "",
        _line("Approval", payment.authorisation_code) if payment.authorisation_code else "",
        _CVM.get(payment.cvm, "") if payment.approved else "",
        "",
        _result(payment).center(WIDTH).rstrip(),
    ]
    shown: list[str] = []
    for line in lines:
        if line or (shown and shown[-1]):
            shown.append(line)
    return "\n".join(shown)


def _line(left: str, right: str) -> str:
    space = WIDTH - len(left) - len(right)
    return f"{left}{' ' * max(1, space)}{right}"


def _result(payment: Payment) -> str:
    if payment.is_refund and not payment.approved and not payment.response_code:
        return "NO ANSWER YET, SENT AGAIN"
    if not payment.approved:
        return f"DECLINED {payment.response_code}".rstrip()
    return "APPROVED OFFLINE" if payment.offline else "APPROVED"
