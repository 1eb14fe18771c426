"""The phone: it holds cards, knows whether its person is there, and answers in the field.

A state is on the disk before the answer that follows from it leaves. If it cannot be written the
reader hears 6F00, and nothing was given away.
"""

import threading
from collections.abc import Callable
from typing import Final

import structlog

from tandem.emv.apdu import Response, Status
from tandem.emv.application_data import Method, Verifier
from tandem.emv.card import Application, Card, Tap, Unsaved, Verification
from tandem.emv.rsa import SignatureFault
from tandem.kernel import Clock, Entropy
from tandem.tap.device_store import ACTIVE, DeviceStore, Provisioned
from tandem.tap.errors import PasscodeWrong, StoreUnusable
from tandem.tap.passcode import cleared, counted, new_passcode, right

log = structlog.get_logger(__name__)

_NO_DIAGNOSIS: Final = Response(b"", Status.NO_DIAGNOSIS).write()


class Device:
    """A device with what its store holds: a `CardPort`. `on_tap` is told what each tap came to.

    It presents its active cards, of those with the same AID the first. `tapped` is the id of the
    card that was last used.

    Commands come from one reader at a time; a passcode may be given meanwhile, from another thread.
    Raises as `DeviceStore.cards` and `Application` do.
    """

    def __init__(
        self,
        store: DeviceStore,
        clock: Clock,
        entropy: Entropy,
        on_tap: Callable[[Tap], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._on_tap = on_tap
        self._lock = threading.Lock()
        self._told: Tap | None = None
        self.tapped = ""
        self.reload()

    def reload(self) -> None:
        """Present what the store holds now: after cards came, went, or were suspended."""
        first: dict[bytes, Provisioned] = {}
        for card in self._store.cards():
            if card.status == ACTIVE:
                first.setdefault(card.profile.data.aid, card)
        with self._lock:
            self._ids = {aid: card.id for aid, card in first.items()}
            self._applications = {
                card.id: Application(card.profile, card.state, self._entropy)
                for card in first.values()
            }
            self._card = Card(tuple(self._applications.values()), self._clock)
        self._present(None)

    @property
    def has_passcode(self) -> bool:
        """Whether a passcode was set."""
        return self._store.passcode() is not None

    @property
    def tries_left(self) -> int | None:
        """How many tries of the passcode are left; None if none was set."""
        passcode = self._store.passcode()
        return None if passcode is None else passcode.tries_left

    def set_passcode(self, digits: str, before: str | None = None) -> None:
        """Set a passcode, or change it by the one `before`.

        Raises `PasscodeWrong` and `PasscodeLocked` if that one is not right, and `Invalid`.
        """
        new = new_passcode(digits, self._entropy)
        if self._store.passcode() is not None:
            self._check(before or "")
        self._store.save_passcode(new)

    def verify(self, digits: str) -> None:
        """Verify the person by the passcode, for the next payment and a minute.

        Raises `PasscodeWrong`, `PasscodeLocked`, and `StoreUnusable` if none was set.
        """
        self._check(digits)
        now = self._clock.now()
        self._present(Verification(Verifier.OPERATING_SYSTEM, Method.PASSCODE, now))

    def exchange(self, apdu: bytes) -> bytes:
        """Answer a command of a reader."""
        with self._lock:
            try:
                answer = self._saved(self._card.transmit(apdu))
            except (StoreUnusable, SignatureFault):
                log.exception("a command was not answered")
                self._card.reset()
                return _NO_DIAGNOSIS
            done = self._card.last
        if done is not None and done is not self._told:
            self._told = done
            self._on_tap(done)
        return answer

    def reset(self) -> None:
        """The field is new, or gone."""
        with self._lock:
            self._card.reset()

    def issuer_answered(self, card_id: str, atc: int, data: bytes) -> None:
        """Give a card its issuer's answer (91), which came by the device's own network.

        Raises `IssuerAnswerForged`, `IssuerAnswerMalformed`, `KeyError` for a card that is not
        here, and `StoreUnusable` if the state could not be saved.
        """
        with self._lock:
            application = self._applications[card_id]
            self._store.save_state(card_id, application.issuer_answered(atc, data))

    def _saved(self, answer: bytes | Unsaved) -> bytes:
        if isinstance(answer, Unsaved):
            self.tapped = self._ids[answer.aid]
            self._store.save_state(self.tapped, answer.state)
            return answer.saved()
        return answer

    def _check(self, digits: str) -> None:
        kept = self._store.passcode()
        if kept is None:
            raise StoreUnusable("this folder", "it has no passcode yet: tandem device passcode")
        tried = counted(kept)
        self._store.save_passcode(tried)
        if not right(tried, digits):
            self._present(None)
            raise PasscodeWrong(tried.tries_left)
        self._store.save_passcode(cleared(tried))

    def _present(self, verification: Verification | None) -> None:
        passcode = self._store.passcode()
        with self._lock:
            if passcode is None:
                self._card.present(verification)
            else:
                self._card.present(
                    verification, failed_tries=passcode.wrong, tries_left=passcode.tries_left
                )
