"""Acquiring: the ISO 8583 host that shops' terminals and switches connect to."""

from tandem.acquiring.books import Books, decline_code
from tandem.acquiring.client import Client, ClientSettings
from tandem.acquiring.codec import Codec
from tandem.acquiring.codes import RESPONSES, NetworkCode, ResponseCode
from tandem.acquiring.desk import Context
from tandem.acquiring.elements import De
from tandem.acquiring.errors import (
    AcquiringRefused,
    FrameBroken,
    KeyBlockBroken,
    LinkKeyExists,
    LinkKeyMissing,
    LinkKeyUnfit,
    LinksUnusable,
    MacMissing,
    MacWrong,
    MessageMalformed,
    NoAnswer,
    NotSent,
)
from tandem.acquiring.framing import Deframer, Frame, put_frame
from tandem.acquiring.keys import KeyStore, MacKeys, check_keys, issue_key, receive_key
from tandem.acquiring.keystore import LINK_KEYS, KeyKind, LinkKey, LinkKeys, combine, split
from tandem.acquiring.links import (
    Directory,
    HostSettings,
    Limits,
    Link,
    Listener,
    Mac,
    Tls,
    read_host_settings,
    read_links,
)
from tandem.acquiring.mac import MacKey, check_mac, seal_message
from tandem.acquiring.message import Message, mti_name, response_mti
from tandem.acquiring.model import (
    VERIFICATION,
    Advice,
    Authorisation,
    Authoriser,
    Card,
    CardRequest,
    MoneyRequest,
    Original,
    Outcome,
    Purchase,
    Reconciliation,
    Refund,
    Request,
    Reversal,
    Totals,
)
from tandem.acquiring.refusals import response_code
from tandem.acquiring.service import Host, open_listeners
from tandem.acquiring.session import Session
from tandem.acquiring.tls import check_files
from tandem.acquiring.trace import Line, describe, mask, render
from tandem.acquiring.tracefile import TraceFile
from tandem.acquiring.wire import Wire

__all__ = [
    "LINK_KEYS",
    "RESPONSES",
    "VERIFICATION",
    "AcquiringRefused",
    "Advice",
    "Authorisation",
    "Authoriser",
    "Books",
    "Card",
    "CardRequest",
    "Client",
    "ClientSettings",
    "Codec",
    "Context",
    "De",
    "Deframer",
    "Directory",
    "Frame",
    "FrameBroken",
    "Host",
    "HostSettings",
    "KeyBlockBroken",
    "KeyKind",
    "KeyStore",
    "Limits",
    "Line",
    "Link",
    "LinkKey",
    "LinkKeyExists",
    "LinkKeyMissing",
    "LinkKeyUnfit",
    "LinkKeys",
    "LinksUnusable",
    "Listener",
    "Mac",
    "MacKey",
    "MacKeys",
    "MacMissing",
    "MacWrong",
    "Message",
    "MessageMalformed",
    "MoneyRequest",
    "NetworkCode",
    "NoAnswer",
    "NotSent",
    "Original",
    "Outcome",
    "Purchase",
    "Reconciliation",
    "Refund",
    "Request",
    "ResponseCode",
    "Reversal",
    "Session",
    "Tls",
    "Totals",
    "TraceFile",
    "Wire",
    "check_files",
    "check_keys",
    "check_mac",
    "combine",
    "decline_code",
    "describe",
    "issue_key",
    "mask",
    "mti_name",
    "open_listeners",
    "put_frame",
    "read_host_settings",
    "read_links",
    "receive_key",
    "render",
    "response_code",
    "response_mti",
    "seal_message",
    "split",
]
