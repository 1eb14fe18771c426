"""Tap: readers, and the two programs in front of and behind them: the device and the terminal."""

from tandem.tap.device import Device
from tandem.tap.device_store import DeviceStore, Provisioned, read_card
from tandem.tap.errors import (
    CardHeld,
    DeviceUnusable,
    FieldUnusable,
    PasscodeLocked,
    PasscodeWrong,
    ReaderUnusable,
    TapRefused,
    VirtualReaderRefused,
)
from tandem.tap.transport import CardPort, Direct, DirectField, Field, Transport
from tandem.tap.vpcd import Presence, SocketField

__all__ = [
    "CardHeld",
    "CardPort",
    "Device",
    "DeviceStore",
    "DeviceUnusable",
    "Direct",
    "DirectField",
    "Field",
    "FieldUnusable",
    "PasscodeLocked",
    "PasscodeWrong",
    "Presence",
    "Provisioned",
    "ReaderUnusable",
    "SocketField",
    "TapRefused",
    "Transport",
    "VirtualReaderRefused",
    "read_card",
]
