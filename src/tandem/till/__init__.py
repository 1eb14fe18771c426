"""What joins the terminal program to who decides, and to its shop's policy.

    [tandem]   the REST API: payments, and what the till accepts, live
    [host]     an acquirer's host over ISO 8583: payments go there instead

The rooms `tap` and `acquiring` stand on one floor and don't know each other; here they meet.
"""

from tandem.till.host import HostOnline, HostTls, host_client
from tandem.till.orders import Order, OrderWatch, orders_watched
from tandem.till.policy import PolicyWatch, watched
from tandem.till.rest import RestOnline
from tandem.till.tandem import Tandem, TandemSettings, fetch_trusted, open_tandem

__all__ = [
    "HostOnline",
    "HostTls",
    "Order",
    "OrderWatch",
    "PolicyWatch",
    "RestOnline",
    "Tandem",
    "TandemSettings",
    "fetch_trusted",
    "host_client",
    "open_tandem",
    "orders_watched",
    "watched",
]
