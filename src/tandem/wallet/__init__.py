"""The balance wallet: balances, history, sending, asking for money, splitting, top-ups."""

from tandem.wallet.bank import TopUpDetails, TransferTo
from tandem.wallet.errors import (
    AccountsUnusable,
    RemindedLately,
    RequestClosed,
    SendsToSelf,
    SplitClosed,
)
from tandem.wallet.model import MAX_PARTS, MoneyRequest, Send, TopUp
from tandem.wallet.search import Wanted
from tandem.wallet.service import Wallet
from tandem.wallet.shapes import (
    BalanceView,
    HistoryLine,
    LineType,
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
    "AccountsUnusable",
    "Asked",
    "BalanceView",
    "HistoryLine",
    "LineType",
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
    "TopUpDetails",
    "TopUpView",
    "TransferTo",
    "Wallet",
    "WalletView",
    "Wanted",
    "request_view",
    "send_view",
    "split_view",
    "top_up_view",
]
