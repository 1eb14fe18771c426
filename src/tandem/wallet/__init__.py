"""The balance wallet: balances, history, sending and asking for money, top-ups."""

from tandem.wallet.errors import (
    PersonNotActive,
    RequestClosed,
    SendsToSelf,
)
from tandem.wallet.model import MoneyRequest, Send, TopUp
from tandem.wallet.service import Wallet
from tandem.wallet.shapes import (
    BalanceView,
    HistoryLine,
    RequestView,
    SendView,
    TopUpView,
    WalletView,
    request_view,
    send_view,
    top_up_view,
)

__all__ = [
    "BalanceView",
    "HistoryLine",
    "MoneyRequest",
    "PersonNotActive",
    "RequestClosed",
    "RequestView",
    "Send",
    "SendView",
    "SendsToSelf",
    "TopUp",
    "TopUpView",
    "Wallet",
    "WalletView",
    "request_view",
    "send_view",
    "top_up_view",
]
