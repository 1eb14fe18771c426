"""The key ring: secrets are encrypted at rest, each bound to its row, under keys that rotate."""

from tandem.keyring.errors import (
    HsmEmpty,
    HsmGone,
    HsmUnusable,
    KeyFileExposed,
    KeyFileMissing,
    KeyFileUnusable,
    KeyNotInRing,
    KeyRingRefused,
    KeyUnknown,
    SealBroken,
)
from tandem.keyring.file import FileKeyRing, key_file
from tandem.keyring.hsm import HsmKeyRing
from tandem.keyring.named import (
    KeyringName,
    folder_of,
    keyring_name,
    load_keyring,
    open_or_create_keyring,
)
from tandem.keyring.seal import KeyRing, RotatingRing, sealed_anew
from tandem.keyring.uri import TokenAt, read_uri

__all__ = [
    "FileKeyRing",
    "HsmEmpty",
    "HsmGone",
    "HsmKeyRing",
    "HsmUnusable",
    "KeyFileExposed",
    "KeyFileMissing",
    "KeyFileUnusable",
    "KeyNotInRing",
    "KeyRing",
    "KeyRingRefused",
    "KeyUnknown",
    "KeyringName",
    "RotatingRing",
    "SealBroken",
    "TokenAt",
    "folder_of",
    "key_file",
    "keyring_name",
    "load_keyring",
    "open_or_create_keyring",
    "read_uri",
    "sealed_anew",
]
