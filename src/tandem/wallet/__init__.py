"""The balance wallet: balances, history, sending and asking for money, top-ups."""

from tandem.wallet.bank import TopUpDetails, TransferTo
from tandem.wallet.errors import (
    AccountsUnusable,
    PersonNotActive,
    RequestClosed,
    SendsToSelf,
)
from tandem.wallet.model import MoneyRequest, Send, TopUp
from tandem.wallet.search import Wanted
from tandem.wallet.service import Wallet
from tandem.wallet.shapes import (
    BalanceView,
    HistoryLine,
    LineType,
    RequestView,
    SendView,
    TopUpView,
    WalletView,
    request_view,
    send_view,
    top_up_view,
)

__all__ = [
    "AccountsUnusable",
    "BalanceView",
    "HistoryLine",
    "LineType",
    "MoneyRequest",
    "PersonNotActive",
    "RequestClosed",
    "RequestView",
    "Send",
    "SendView",
    "SendsToSelf",
    "TopUp",
    "TopUpDetails",
    "TopUpView",
    "TransferTo",
    "Wallet",
    "WalletView",
    "Wanted",
    "request_view",
    "send_view",
    "top_up_view",
]
