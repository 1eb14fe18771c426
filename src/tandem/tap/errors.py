"""The refusals of the tap room.

TapRefused
├── ReaderUnusable       no PC/SC, no such reader, or one that cannot be used: says why
├── VirtualReaderRefused the virtual reader cannot be set up safely here
├── VirtualReaderOfAnother  it is another user's to end
├── FieldUnusable        the way to a reader's field cannot be opened
├── StoreUnusable       the device's folder cannot be read or written, or is another's
├── PasscodeWrong        with the tries that are left
├── PasscodeLocked       no try is left: the device is set up anew
├── TapCancelled         the till wants no card any more
├── CardHeld             this card is on the device already
├── NotConnected         the device has no vault
├── DeviceTaken          the device has cards of another vault or device
├── VaultAway            the vault was not reached: nobody knows what became of a request
└── VaultRefused         the vault refuses, in its own words
"""

from dataclasses import dataclass
from typing import ClassVar

from tandem.kernel import Refused


@dataclass(eq=False)
class TapRefused(Refused):
    """Something about readers, devices or terminals was not done."""

    code: ClassVar[str] = "tap_refused"


@dataclass(eq=False)
class ReaderUnusable(TapRefused):
    """A reader cannot be used; `reason` says why and what helps."""

    code: ClassVar[str] = "reader_unusable"
    reason: str

    def sentence(self) -> str:
        """Say why."""
        return f"There is no reader to use: {self.reason}."


@dataclass(eq=False)
class VirtualReaderRefused(TapRefused):
    """The virtual reader was not started; `reason` says why and what helps."""

    code: ClassVar[str] = "virtual_reader_refused"
    reason: str

    def sentence(self) -> str:
        """Say why."""
        return f"The virtual reader was not started: {self.reason}."


@dataclass(eq=False)
class VirtualReaderOfAnother(TapRefused):
    """The virtual reader is another user's to end."""

    code: ClassVar[str] = "virtual_reader_of_another"

    def sentence(self) -> str:
        """Say who may."""
        return "Another user started the virtual reader: end it as that user, or as root."


@dataclass(eq=False)
class FieldUnusable(TapRefused):
    """Nobody answers at `where`, or it cannot be opened."""

    code: ClassVar[str] = "field_unusable"
    where: str
    reason: str

    def sentence(self) -> str:
        """Name the place and the reason."""
        return f"{self.where} cannot be used: {self.reason}."


@dataclass(eq=False)
class StoreUnusable(TapRefused):
    """The folder of a device or a terminal cannot be used."""

    code: ClassVar[str] = "tap_store_unusable"
    folder: str
    reason: str

    def sentence(self) -> str:
        """Name the folder and the reason."""
        return f"The folder {self.folder} cannot be used: {self.reason}."


@dataclass(eq=False)
class PasscodeWrong(TapRefused):
    """A wrong passcode; `tries_left` more are allowed."""

    code: ClassVar[str] = "passcode_wrong"
    tries_left: int

    def sentence(self) -> str:
        """Say how many tries are left."""
        if self.tries_left == 1:
            return "This is not the passcode. One try is left."
        return f"This is not the passcode. {self.tries_left} tries are left."


@dataclass(eq=False)
class PasscodeLocked(TapRefused):
    """Too many wrong passcodes: nothing opens this device again."""

    code: ClassVar[str] = "passcode_locked"

    def sentence(self) -> str:
        """Say what to do."""
        return (
            "Too many wrong passcodes: this device is locked. Erase it, set it up anew and add "
            "its cards again."
        )


@dataclass(eq=False)
class CardHeld(TapRefused):
    """This card is there already, with counters that must not begin again."""

    code: ClassVar[str] = "card_held"
    card: str

    def sentence(self) -> str:
        """Say what to do."""
        return f"The card {self.card} is on this device already. Remove it first."


@dataclass(eq=False)
class NotConnected(TapRefused):
    """The device is connected to no vault."""

    code: ClassVar[str] = "device_not_connected"

    def sentence(self) -> str:
        """Name the command."""
        return (
            "This device is connected to no Tandem yet. With the key of a device of yours "
            "(operator: tandem operator device add): tandem device connect URL"
        )


@dataclass(eq=False)
class DeviceTaken(TapRefused):
    """The device has cards under another key, or of another Tandem."""

    code: ClassVar[str] = "device_taken"

    def sentence(self) -> str:
        """Say what to do."""
        return (
            "This device has cards under another key. Remove them first (tandem device remove), "
            "or use a folder of its own for the other device (--folder)."
        )


@dataclass(eq=False)
class VaultAway(TapRefused):
    """The vault was not reached, or did not answer as one."""

    code: ClassVar[str] = "vault_away"
    passing: ClassVar[bool] = True
    url: str
    reason: str

    def sentence(self) -> str:
        """Say why, and what to do."""
        why = self.reason.rstrip(".")
        return f"{self.url} did not answer: {why}. Whatever was asked can be asked again."


@dataclass(eq=False)
class VaultRefused(TapRefused):
    """The vault refuses. `reason` is its code, `detail` its sentence."""

    code: ClassVar[str] = "vault_refused"
    reason: str
    detail: str

    def sentence(self) -> str:
        """Say what it says."""
        return self.detail


@dataclass(eq=False)
class TerminalMisset(TapRefused):
    """The terminal's settings cannot be used."""

    code: ClassVar[str] = "terminal_misset"
    reason: str

    def sentence(self) -> str:
        """Say where and why."""
        return f"The terminal's settings cannot be used: {self.reason.rstrip('.')}."


@dataclass(eq=False)
class PolicyUnknown(TapRefused):
    """What the shop accepts could not be asked yet, so nothing is taken."""

    code: ClassVar[str] = "policy_unknown"
    passing: ClassVar[bool] = True

    def sentence(self) -> str:
        """Say what is missing."""
        return "What this shop accepts is not known yet, so no tap is taken. Is Tandem reachable?"


@dataclass(eq=False)
class NoCard(TapRefused):
    """Nobody tapped in time."""

    code: ClassVar[str] = "no_card"

    def sentence(self) -> str:
        """Say what happened."""
        return "Nobody tapped in time; nothing was paid."


@dataclass(eq=False)
class TapCancelled(TapRefused):
    """The till wants no card any more."""

    code: ClassVar[str] = "tap_cancelled"

    def sentence(self) -> str:
        """Say what happened."""
        return "Cancelled; nothing was paid."


@dataclass(eq=False)
class TagUnusable(TapRefused):
    """The tag in the field cannot be read or written."""

    code: ClassVar[str] = "tag_unusable"
    reason: str

    def sentence(self) -> str:
        """Say why."""
        return f"This tag cannot be used: {self.reason}."
