"""A phone with a card that the vault made, held at a till's reader: what both say is real."""

from base64 import b64decode
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from tandem.cards import CardDetails, Cards, CardView, unwrap
from tandem.db import Idempotency
from tandem.emv.application_data import Method, Verifier
from tandem.emv.card import Application, Card, CardState, Profile, Unsaved, Verification
from tandem.emv.terminal import (
    Combination,
    Knowledge,
    Outcome,
    Ready,
    Terminal,
    Transaction,
    prepare,
    run,
)
from tandem.kernel import Clock, currency, read_id, system_entropy

READER: Final = Terminal(
    combinations=(),
    country=156,
    merchant_name="Blue Door",
    merchant_category=5814,
    merchant_id="M1",
    terminal_id="T1",
)


class Phone:
    """A device of a person's: adds cards, keeps what it is given, is held at readers."""

    def __init__(self, cards: Cards, person_id: UUID, device_id: UUID, clock: Clock) -> None:
        self.cards, self.clock = cards, clock
        self.person_id, self.device_id = person_id, device_id
        self.secret = X25519PrivateKey.generate()
        self.card_id = UUID(int=0)
        self.profile: Profile | None = None
        self.application: Application | None = None

    async def add(
        self, idempotency: Idempotency, code: str = "CNY", card: CardDetails | None = None
    ) -> CardView:
        """Add a card, and fetch what belongs on the device."""
        public = self.secret.public_key().public_bytes_raw()
        made = await self.cards.add(self.person_id, self.device_id, code, public, None, card)
        card_id = self.card_id = read_id("crd", made.id)
        package = await self.cards.deliver(self.person_id, self.device_id, card_id, idempotency)
        self.profile = unwrap(b64decode(package.sealed), self.secret, card_id)
        self.application = Application(self.profile, CardState(), system_entropy)
        return made

    @property
    def pan(self) -> str:
        """The number of its card."""
        assert self.profile is not None
        return self.profile.data.pan

    async def tap(
        self,
        amount: int,
        *,
        verified: bool = True,
        floor: int = 0,
        gate: bool = False,
        code: str = "CNY",
        at: datetime | None = None,
    ) -> Outcome:
        """Hold it at a reader that takes the operator's cards."""
        assert self.application is not None
        assert self.profile is not None
        card = Card([self.application], self.clock)
        now = self.clock.now()
        finger = Verification(Verifier.SECURE_ELEMENT, Method.FINGER, now - timedelta(seconds=1))
        card.present(finger if verified else None)
        combination = Combination(
            aid=self.profile.data.aid,
            transaction_limit=10**9,
            floor_limit=floor,
            cvm_limit=10**9,
            transit=gate,
            zero_amount=True,
        )
        payment = Transaction(amount=amount, currency=currency(code), at=at or now, sequence=1)
        knowledge = Knowledge(trusted=(await self.cards.vault.keys()).trusted)
        reader = msgspec.structs.replace(READER, combinations=(combination,))
        ready = prepare(reader, payment, knowledge)
        assert isinstance(ready, Ready), ready

        def transmit(command: bytes) -> bytes:
            answer = card.transmit(command)
            return answer.saved() if isinstance(answer, Unsaved) else answer

        return run(ready, system_entropy, transmit)
