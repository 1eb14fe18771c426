"""The balance wallet: balances, history, sending, asking for money, splitting, top-ups."""

from tandem.wallet.errors import RemindedLately, RequestClosed, SendsToSelf, SplitClosed
from tandem.wallet.model import MAX_PARTS, MoneyRequest, Send, TopUp
from tandem.wallet.service import Wallet
from tandem.wallet.shapes import (
    BalanceView,
    HistoryLine,
    RequestView,
    SendView,
    SplitPart,
    SplitView,
    TopUpView,
    WalletView,
    request_view,
    send_view,
    split_view,
    top_up_view,
)
from tandem.wallet.splits import Asked, Parted, Splits

__all__ = [
    "MAX_PARTS",
    "Asked",
    "BalanceView",
    "HistoryLine",
    "MoneyRequest",
    "Parted",
    "RemindedLately",
    "RequestClosed",
    "RequestView",
    "Send",
    "SendView",
    "SendsToSelf",
    "SplitClosed",
    "SplitPart",
    "SplitView",
    "Splits",
    "TopUp",
    "TopUpView",
    "Wallet",
    "WalletView",
    "request_view",
    "send_view",
    "split_view",
    "top_up_view",
]
