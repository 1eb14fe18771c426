"""The key ring: secrets are encrypted at rest, each bound to its row, under keys that rotate."""

from tandem.keyring.errors import (
    KeyFileExposed,
    KeyFileMissing,
    KeyFileUnusable,
    KeyNotInRing,
    KeyRingRefused,
    KeyUnknown,
    SealBroken,
)
from tandem.keyring.file import FileKeyRing, key_file
from tandem.keyring.seal import KeyRing, sealed_anew

__all__ = [
    "FileKeyRing",
    "KeyFileExposed",
    "KeyFileMissing",
    "KeyFileUnusable",
    "KeyNotInRing",
    "KeyRing",
    "KeyRingRefused",
    "KeyUnknown",
    "SealBroken",
    "key_file",
    "sealed_anew",
]
