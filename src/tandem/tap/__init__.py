"""Tap: readers, and the two programs in front of and behind them: the device and the terminal."""

from tandem.tap.device import Device
from tandem.tap.device_store import DeviceStore, Provisioned, VaultLink
from tandem.tap.errors import (
    CardHeld,
    DeviceTaken,
    FieldUnusable,
    NoCard,
    NotConnected,
    PasscodeLocked,
    PasscodeWrong,
    PolicyUnknown,
    ReaderUnusable,
    StoreUnusable,
    TapCancelled,
    TapRefused,
    TerminalMisset,
    VaultAway,
    VaultRefused,
    VirtualReaderRefused,
)
from tandem.tap.payment import Online, Payment, Reply, Secret, State, Unanswered, Unreachable
from tandem.tap.receipt import receipt
from tandem.tap.terminal import Open, Policy, Till
from tandem.tap.terminal_settings import (
    TerminalSettings,
    read_exceptions,
    read_terminal_settings,
    read_trusted,
)
from tandem.tap.terminal_store import TerminalStore
from tandem.tap.transport import CardPort, Direct, DirectField, Field, Transport
from tandem.tap.vault import Vault
from tandem.tap.vpcd import Presence, SocketField

__all__ = [
    "CardHeld",
    "CardPort",
    "Device",
    "DeviceStore",
    "DeviceTaken",
    "Direct",
    "DirectField",
    "Field",
    "FieldUnusable",
    "NoCard",
    "NotConnected",
    "Online",
    "Open",
    "PasscodeLocked",
    "PasscodeWrong",
    "Payment",
    "Policy",
    "PolicyUnknown",
    "Presence",
    "Provisioned",
    "ReaderUnusable",
    "Reply",
    "Secret",
    "SocketField",
    "State",
    "StoreUnusable",
    "TapCancelled",
    "TapRefused",
    "TerminalMisset",
    "TerminalSettings",
    "TerminalStore",
    "Till",
    "Transport",
    "Unanswered",
    "Unreachable",
    "Vault",
    "VaultAway",
    "VaultLink",
    "VaultRefused",
    "VirtualReaderRefused",
    "read_exceptions",
    "read_terminal_settings",
    "read_trusted",
    "receipt",
]
