"""Terminal verification results and transaction status (EMV Book 3, Annexes C5 and C6)."""

from enum import IntFlag


class Tvr(IntFlag):
    """What the terminal found, five bytes; only what can happen in a contactless payment."""

    NOTHING = 0
    ODA_NOT_PERFORMED = 0x80_00_00_00_00
    CARD_DATA_MISSING = 0x20_00_00_00_00
    ON_EXCEPTION_FILE = 0x10_00_00_00_00
    CDA_FAILED = 0x04_00_00_00_00
    VERSIONS_DIFFER = 0x80_00_00_00
    EXPIRED = 0x40_00_00_00
    NOT_YET_EFFECTIVE = 0x20_00_00_00
    SERVICE_NOT_ALLOWED = 0x10_00_00_00
    NEW_CARD = 0x08_00_00_00
    CVM_FAILED = 0x80_00_00
    CVM_UNRECOGNISED = 0x40_00_00
    FLOOR_LIMIT = 0x80_00
    LOWER_OFFLINE_LIMIT = 0x40_00
    UPPER_OFFLINE_LIMIT = 0x20_00
    RANDOMLY_SELECTED = 0x10_00
    FORCED_ONLINE = 0x08_00

    @property
    def value_bytes(self) -> bytes:
        """The value of 95."""
        return int(self).to_bytes(5, "big")


class Tsi(IntFlag):
    """What the terminal did, two bytes."""

    NOTHING = 0
    ODA = 0x80_00
    CVM = 0x40_00
    CARD_RISK_MANAGEMENT = 0x20_00
    TERMINAL_RISK_MANAGEMENT = 0x08_00

    @property
    def value_bytes(self) -> bytes:
        """The value of 9B."""
        return int(self).to_bytes(2, "big")
