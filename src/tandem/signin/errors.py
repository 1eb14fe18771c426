"""Why somebody is not signed in, or may not do this as they are signed in.

Refused
├── PasskeyRefused      the passkey's answer does not hold
├── CodeRefused         a code or the handle beside it is wrong
├── SignInPaused        too many wrong codes
├── SignInNeeded        this is for whoever signed in, not for a key
├── SignInStale         the passkey must be asked for again first
├── DeviceNeeded        this is for a device, and the session belongs to none
├── LastPasskey         without it nobody could sign in any more
├── NoPasskey           there is none that could be asked for
├── TooManyPasskeys     as many as there may be
├── LastOwner           without them nobody could look after the staff
├── StaffSuspended      they work here, and are kept out for now
├── NeedsApproval       another member of staff can approve it: each kind in its own room
├── StaffInvited        they have not come yet, so nothing can be suspended
└── ApprovalRefused     whoever confirmed an approval cannot give it
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from tandem.kernel import Refused

if TYPE_CHECKING:
    from tandem.signin.model import Limits

_REASONS: Final = {
    "challenge": "It answers nothing that was asked a moment ago: it came late, or was sent before",
    "malformed": "It cannot be read",
    "origin": "It was made on another address",
    "domain": "It was made for another domain",
    "unknown": "The passkey is not known here, or was removed",
    "holder": "It is somebody else's",
    "not_verified": "The device did not check who you are, by a finger, a face or a PIN",
    "signature": "Its signature is wrong",
    "suspect": "The passkey was used from two places at once, and may have been copied",
    "algorithm": "Its key is of a kind that is not taken here",
    "known": "This passkey is there already",
}


@dataclass(eq=False)
class PasskeyRefused(Refused):
    """What the authenticator answered does not hold. `reason` is a stable word."""

    code: ClassVar[str] = "passkey_refused"
    passing: ClassVar[bool] = True
    reason: str

    def sentence(self) -> str:
        """Say what is wrong and what to do."""
        return f"{_REASONS[self.reason]}. Begin again."


@dataclass(eq=False)
class CodeRefused(Refused):
    """The code is wrong, was used or is over, or nobody has this handle. Which is not told."""

    code: ClassVar[str] = "sign_in_code_refused"

    def sentence(self) -> str:
        """Say what to look at."""
        return "This handle and this code do not go together. Look at both; a code works once."


@dataclass(eq=False)
class SignInPaused(Refused):
    """Too many wrong codes were typed for this handle."""

    code: ClassVar[str] = "sign_in_paused"
    until: datetime

    def sentence(self) -> str:
        """Say how long, and what goes on."""
        return (
            f"Too many wrong codes: none of another device is taken before {self.until:%H:%M} UTC. "
            "Passkeys and recovery codes work meanwhile."
        )


@dataclass(eq=False)
class SignInNeeded(Refused):
    """This is for whoever signed in with a passkey; an API key cannot do it."""

    code: ClassVar[str] = "sign_in_needed"

    def sentence(self) -> str:
        """Say what to do."""
        return "Sign in with a passkey for this; an API key cannot do it."


@dataclass(eq=False)
class SignInStale(Refused):
    """What changes how one signs in asks for the passkey a moment before."""

    code: ClassVar[str] = "sign_in_stale"
    passing: ClassVar[bool] = True
    minutes: int

    def sentence(self) -> str:
        """Say what to do."""
        return (
            f"Confirm with your passkey first (POST /v1/session/verify); it counts for "
            f"{self.minutes} minutes. Nothing was changed."
        )


@dataclass(eq=False)
class DeviceNeeded(Refused):
    """This is for a device, and the session does not belong to one."""

    code: ClassVar[str] = "device_needed"

    def sentence(self) -> str:
        """Say what to do."""
        return "This browser is no device of yours yet. Add it (POST /v1/people/me/devices)."


@dataclass(eq=False)
class LastPasskey(Refused):
    """The last passkey stays: without it nobody could sign in."""

    code: ClassVar[str] = "last_passkey"

    def sentence(self) -> str:
        """Say what to do."""
        return "This is your last passkey. Add another one first."


@dataclass(eq=False)
class NoPasskey(Refused):
    """There is no passkey that payments could ask for."""

    code: ClassVar[str] = "no_passkey"

    def sentence(self) -> str:
        """Say what to do."""
        return "You have no passkey yet. Add one first."


@dataclass(eq=False)
class TooManyPasskeys(Refused):
    """There are as many passkeys as one may have."""

    code: ClassVar[str] = "too_many_passkeys"
    most: int

    def sentence(self) -> str:
        """Say what to do."""
        return f"You have {self.most} passkeys, which is the most. Remove one first."


@dataclass(eq=False)
class LastOwner(Refused):
    """The last owner stays: nobody else could look after the staff."""

    code: ClassVar[str] = "last_owner"

    def sentence(self) -> str:
        """Say what to do."""
        return "This is the last owner. Make somebody else owner first."


@dataclass(eq=False)
class StaffSuspended(Refused):
    """A member of staff is suspended. Told to whoever has just shown that it is them."""

    code: ClassVar[str] = "staff_suspended"
    passing: ClassVar[bool] = True
    employer: str

    def sentence(self) -> str:
        """Say whom to ask."""
        return (
            f"You are suspended and cannot sign in. Ask a manager or an owner of {self.employer}."
        )


@dataclass(eq=False)
class StaffInvited(Refused):
    """A member who has not taken their invitation is let go, not suspended."""

    code: ClassVar[str] = "staff_invited"

    def sentence(self) -> str:
        """Say what to do."""
        return "They have not taken their invitation yet. Let them go instead."


class Deed(msgspec.Struct, frozen=True):
    """What one member of staff does and another approves.

    An action, the shown id of what it is done to, and in minor units how much it moves, if it does.
    """

    action: str
    object: str
    amount: int | None = None
    currency: str | None = None

    def is_in(self, approved: "Deed") -> bool:
        """Whether this is what was approved; what names no amount is of as much as that."""
        same = (self.action, self.object) == (approved.action, approved.object)
        return same and self.amount in {None, approved.amount}


class NeedsApproval(Refused, ABC):
    """It is more than this member of staff may: another one can approve it, there and then.

    `approval` says how; it is None for a key, which nobody stands behind.
    """

    passing: ClassVar[bool] = True
    approval: dict[str, Any] | None

    @abstractmethod
    def deed(self) -> Deed:
        """What is to be approved."""

    @abstractmethod
    def within(self, limits: "Limits") -> bool:
        """Whether it is within what this member of staff gives back themselves."""


_UNAPPROVED: Final = {
    "self": "Nobody approves what they do themselves",
    "role": "This member of staff may not approve it",
    "limit": "It is more than this member of staff may give back",
    "suspended": "This member of staff is suspended",
    "other": "What was approved is not what was asked now",
}


@dataclass(eq=False)
class ApprovalRefused(Refused):
    """The passkey is right, and its holder cannot approve this. `reason` is a stable word."""

    code: ClassVar[str] = "approval_refused"
    passing: ClassVar[bool] = True
    reason: str

    def sentence(self) -> str:
        """Say why not and what to do."""
        return f"{_UNAPPROVED[self.reason]}. Nothing was done; ask another manager or an owner."
