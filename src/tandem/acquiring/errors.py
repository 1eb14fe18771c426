"""Why a message, a link's settings or a connection cannot be used.

    AcquiringRefused
    ├── FrameBroken         the bytes cannot be divided into messages any more
    ├── MessageMalformed    a message, or one of its elements, cannot be read or written
    ├── MacMissing          a message must have a MAC at its end and has none
    ├── MacWrong            its MAC is not that of its bytes under the link's key
    ├── NotSignedOn         a payment before the sign-on
    ├── TerminalUnknown     the terminal is not one of the link's
    ├── TransactionUnknown  a type of message or a processing code that is not done here
    ├── AmountImpossible    an amount that cannot be moved
    ├── NotSent             the host is not there: the request was not sent
    ├── NoAnswer            it was sent, and nobody knows what became of it
    ├── KeyBlockBroken      a key block was not made under this key, or was changed
    ├── LinkKeyMissing      the key that a link signs on with is not in the key store
    ├── LinkKeyUnfit        what was given is no key of that kind
    ├── LinkKeyExists       there is a key of this name already
    └── LinksUnusable       the settings of the links contradict themselves

None carries a card number, a key, or bytes of a message.
"""

from dataclasses import dataclass, field
from typing import ClassVar, Final

from tandem.acquiring.message import Message
from tandem.kernel import Refused

_PLACES: Final = {0: "The type", 1: "The bitmap"}


@dataclass(eq=False)
class AcquiringRefused(Refused):
    """Something on the way to or from a shop's equipment cannot be used."""

    code: ClassVar[str] = "acquiring_refused"


@dataclass(eq=False)
class FrameBroken(AcquiringRefused):
    """A length or a header cannot be right, so nobody knows where the next message begins."""

    code: ClassVar[str] = "frame_broken"
    reason: str

    def sentence(self) -> str:
        """Say what is wrong and where to look."""
        return (
            f"The bytes of this link do not divide into messages: {self.reason}. "
            "Compare its length header and header with the settings."
        )


@dataclass(eq=False)
class MessageMalformed(AcquiringRefused):
    """An element cannot be read or written. `element` is its number; 0 the type, 1 the bitmaps.

    `partial` is what could be read before it, to answer with; it stays out of `data`.
    """

    code: ClassVar[str] = "message_malformed"
    element: int
    reason: str
    partial: Message | None = field(default=None, repr=False)

    def sentence(self) -> str:
        """Name the element."""
        place = _PLACES.get(self.element, f"Element {self.element}")
        return f"{place} of the message {self.reason}."

    def data(self) -> dict[str, object]:
        """The element and what is wrong with it."""
        return {"element": self.element, "reason": self.reason}


@dataclass(eq=False)
class MacMissing(AcquiringRefused):
    """The link's messages end with a MAC (element 64 or 128), and this one does not."""

    code: ClassVar[str] = "mac_missing"

    def sentence(self) -> str:
        """Say what to send."""
        return "This link's messages need a MAC as their last element, 64 or 128."


@dataclass(eq=False)
class MacWrong(AcquiringRefused):
    """The MAC is not that of the message under any key that is in use."""

    code: ClassVar[str] = "mac_wrong"

    def sentence(self) -> str:
        """Say what helps if nobody tampered."""
        return (
            "The MAC of the message is wrong: it was changed on its way, or made under another "
            "key or another setting. Sign on again for a new key."
        )


@dataclass(eq=False)
class KeyBlockBroken(AcquiringRefused):
    """A TR-31 key block cannot be opened."""

    code: ClassVar[str] = "key_block_broken"
    reason: str

    def sentence(self) -> str:
        """Say what is wrong with it."""
        return f"The key block cannot be opened: {self.reason}."


@dataclass(eq=False)
class LinkKeyMissing(AcquiringRefused):
    """The key that a link's settings name is not in the key store."""

    code: ClassVar[str] = "link_key_missing"
    link: str
    key: str

    def sentence(self) -> str:
        """Name the command."""
        return (
            f"The link {self.link} has no key: there is none called {self.key}. Make it with "
            "`tandem acquiring keys create`, or enter it with `tandem acquiring keys enter`."
        )


@dataclass(eq=False)
class LinkKeyUnfit(AcquiringRefused):
    """What was given is no key of that kind. Its text holds no part of it."""

    code: ClassVar[str] = "link_key_unfit"
    reason: str

    def sentence(self) -> str:
        """Say what is wrong with it."""
        return f"The key cannot be used: {self.reason}."


@dataclass(eq=False)
class LinkKeyExists(AcquiringRefused):
    """There is a key of this name, and it was not to be replaced."""

    code: ClassVar[str] = "link_key_exists"
    name: str

    def sentence(self) -> str:
        """Say what helps."""
        return f"There is a key {self.name} already. Give it another name, or --replace it."


@dataclass(eq=False)
class LinksUnusable(AcquiringRefused):
    """The settings of the links cannot be read, or two of them cannot hold together."""

    code: ClassVar[str] = "links_unusable"
    reason: str

    def sentence(self) -> str:
        """Say which and why."""
        return f"The links' settings cannot be used: {self.reason}."


@dataclass(eq=False)
class NotSignedOn(AcquiringRefused):
    """The link takes payments only after a sign-on, and there was none on this connection."""

    code: ClassVar[str] = "not_signed_on"

    def sentence(self) -> str:
        """Say what to send first."""
        return "Sign on first: a network management request 0800 with 001 in element 70."


@dataclass(eq=False)
class TerminalUnknown(AcquiringRefused):
    """The terminal (element 41) is not one of this link's."""

    code: ClassVar[str] = "terminal_unknown"
    terminal: str

    def sentence(self) -> str:
        """Name the terminal."""
        return f"The terminal {self.terminal!r} is not one of this link's."


@dataclass(eq=False)
class TransactionUnknown(AcquiringRefused):
    """A type of message, or a processing code with it, that is not done here."""

    code: ClassVar[str] = "transaction_unknown"
    mti: str
    processing_code: str | None = None

    def sentence(self) -> str:
        """Name the type and the processing code."""
        rest = f" with processing code {self.processing_code}" if self.processing_code else ""
        return f"A message {self.mti}{rest} is nothing that is done here."


@dataclass(eq=False)
class AmountImpossible(AcquiringRefused):
    """Nothing, or more than can be moved. `amount` in minor units."""

    code: ClassVar[str] = "amount_impossible"
    amount: int

    def sentence(self) -> str:
        """Name the amount."""
        return f"An amount of {self.amount} minor units cannot be moved."


@dataclass(eq=False)
class NotSent(AcquiringRefused):
    """There is no connection to the host, or no sign-on: the request never left."""

    code: ClassVar[str] = "host_not_connected"
    reason: str

    def sentence(self) -> str:
        """Say why, and that nothing has happened."""
        return f"The host cannot be asked: {self.reason}. The request was not sent."


@dataclass(eq=False)
class NoAnswer(AcquiringRefused):
    """The request was sent, and there was no answer: it may have been done. Reverse it."""

    code: ClassVar[str] = "host_did_not_answer"
    reason: str

    def sentence(self) -> str:
        """Say what to do."""
        return f"The host did not answer: {self.reason}. Reverse the request, or repeat it."
