"""The card as a reader sees it: a directory, and the applications that are presented.

An answer that follows from a changed state is withheld until that state is saved:

    answer = card.transmit(command)
    if isinstance(answer, Unsaved):
        store(answer.aid, answer.state)   # durably; if that fails, the answer never leaves
        answer = answer.saved()

So a counter that anybody has seen is on disk, and after a crash the card goes on above it.

SELECT (EMV Book 1, 11.3) takes `2PAY.SYS.DDF01`, or an AID, whole or its first five bytes or more;
of several that begin so the one of highest priority is selected, and with P2 = 02 the next. Phones
route only whole AIDs to an application, so nobody should depend on the shorter ones. A name that
leads nowhere leaves nothing selected.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from tandem.emv.apdu import PPSE, Command, Ins, Response, Status
from tandem.emv.application_data import CryptogramType
from tandem.emv.card.application import Application
from tandem.emv.card.commands import wrong_instruction
from tandem.emv.card.files import directory
from tandem.emv.card.holder import Holder, Tap, Verification
from tandem.emv.card.state import CardState
from tandem.emv.errors import Malformed
from tandem.kernel import Clock

_MIN_NAME: Final = 5
_BY_NAME: Final = 0x04
_FIRST, _NEXT = 0x00, 0x02
_ANY_LENGTH: Final = frozenset({None, 256})


class Unsaved:
    """An answer that may not leave before `state` is saved for the card with this `aid`."""

    def __init__(self, card: "Card", aid: bytes, state: CardState, answer: bytes) -> None:
        self.aid = aid
        self.state = state
        self._card = card
        self._answer = answer

    def saved(self) -> bytes:
        """The state is on disk: here is the answer.

        Raises `RuntimeError` if the card was reset or asked something else since: that answer is
        for nobody any more.
        """
        self._card.release(self)
        return self._answer


class Card:
    """What a device presents in a reader's field: one card, or several with different AIDs."""

    def __init__(self, applications: Sequence[Application], clock: Clock) -> None:
        if len({application.profile.data.aid for application in applications}) < len(applications):
            raise ValueError("two of these cards have the same AID")
        # Without a priority comes last (Book 1, 12.4); the order given decides among equals.
        self._applications = sorted(applications, key=lambda a: a.profile.data.priority or 16)
        self._clock = clock
        self._holder = Holder()
        self._selected: Application | None = None
        self._name = b""
        self._withheld: Unsaved | None = None

    def present(
        self,
        verification: Verification | None = None,
        *,
        failed_tries: int = 0,
        tries_left: int | None = None,
    ) -> None:
        """Say who is at the device, for the next payment. Until then it says nobody.

        A verification is good for one payment, and for as long as the card's limits say. Raises
        `ValueError` for negative tries.
        """
        if failed_tries < 0 or (tries_left is not None and tries_left < 0):
            raise ValueError("there are no negative tries")
        self._holder = Holder(verification, failed_tries, tries_left)

    def reset(self) -> None:
        """The field is gone or new: nothing is selected, and an answer withheld never leaves."""
        if self._selected is not None:
            self._selected.deselect()
        self._selected = None
        self._name = b""
        self._withheld = None

    @property
    def last(self) -> Tap | None:
        """What the last transaction of the selected card came to, if it came to anything."""
        return None if self._selected is None else self._selected.last

    def transmit(self, command: bytes) -> bytes | Unsaved:
        """Answer a command. No input raises anything.

        Raises `RuntimeError` while an earlier answer is withheld: save its state, or reset. A
        `SignatureFault` comes through: the machine miscalculates, and is not to pay with.
        """
        if self._withheld is not None:
            raise RuntimeError("an answer waits for its state to be saved")
        try:
            read = Command.read(command)
        except Malformed:
            return Response(b"", Status.WRONG_LENGTH).write()
        wrong = wrong_instruction(read)
        if wrong is not None:
            return Response(b"", wrong).write()
        if read.ins == Ins.SELECT:
            return self._select(read).write()
        if self._selected is None:
            return Response(b"", Status.CONDITIONS_NOT_SATISFIED).write()
        return self._handle(self._selected, read)

    def release(self, answer: Unsaved) -> None:
        """Let a withheld answer go. For `Unsaved.saved`."""
        if self._withheld is not answer:
            raise RuntimeError("this answer is for nobody any more")
        self._withheld = None

    def _handle(self, application: Application, command: Command) -> bytes | Unsaved:
        state, last = application.state, application.last
        answer = application.handle(command, self._still_good(application)).write()
        done = application.last
        if done is not None and done is not last and done.cryptogram is not CryptogramType.AAC:
            self._holder = self._holder._replace(verification=None)
        if application.state == state:
            return answer
        self._withheld = Unsaved(self, application.profile.data.aid, application.state, answer)
        return self._withheld

    def _still_good(self, application: Application) -> Holder:
        """The holder, without a verification that is too old, or from the future."""
        verification = self._holder.verification
        if verification is None:
            return self._holder
        age = self._clock.now() - verification.at
        good = timedelta() <= age <= timedelta(seconds=application.profile.limits.verification_s)
        return self._holder if good else self._holder._replace(verification=None)

    def _select(self, command: Command) -> Response:
        if command.p1 != _BY_NAME or command.p2 not in {_FIRST, _NEXT}:
            return Response(b"", Status.WRONG_PARAMETERS)
        if not command.data or command.le not in _ANY_LENGTH:
            return Response(b"", Status.WRONG_LENGTH)
        before, name = self._selected, self._name
        self.reset()
        if command.data == PPSE and command.p2 == _FIRST:
            return Response(directory(a.profile.data for a in self._applications), Status.OK)
        found = [a for a in self._applications if a.profile.data.aid.startswith(command.data)]
        if command.p2 == _NEXT:
            after = found.index(before) + 1 if before in found and name == command.data else 0
            found = found[after:] if after else []
        if len(command.data) < _MIN_NAME or not found:
            return Response(b"", Status.FILE_NOT_FOUND)
        self._selected, self._name = found[0], command.data
        return self._selected.select()
