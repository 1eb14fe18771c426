"""A card, a terminal and the air between them, for the tests of card and kernel."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Final

import msgspec
from emv_made import authority, entropy, key

from tandem.emv.application_data import Method, Verifier
from tandem.emv.card import (
    Application,
    Card,
    CardData,
    CardKeys,
    CardState,
    Certificates,
    Limits,
    Profile,
    Unsaved,
    Verification,
    signed_data,
)
from tandem.emv.certificates import Certificate, certify_card
from tandem.kernel import Entropy, ManualClock

AID: Final = bytes.fromhex("F074616E64656D")
RID: Final = AID[:5]
NOW: Final = datetime(2029, 6, 15, 12, 30, 45, tzinfo=UTC)
PAN: Final = "9801234567890121"
LIMITS: Final = Limits(
    unverified_amount=5000,
    unverified_total=12000,
    unverified_count=3,
    transit_amount=2000,
    transit_total=6000,
    transit_count=4,
    offline_total=20000,
    offline_count=2,
)
FINGER: Final = Verification(Verifier.SECURE_ELEMENT, Method.FINGER, NOW)
DATA: Final = CardData(
    aid=AID,
    label="TANDEM",
    pan=PAN,
    sequence="01",
    effective=date(2029, 1, 1),
    expiry=date(2031, 12, 31),
    par="9801" + "A1" * 12 + "B",
    token_requestor="98012345678",
    country=156,
    currency=156,
    currency_exponent=2,
    languages="enzh",
)
CRYPTOGRAM_KEY: Final = bytes(range(16))


@cache
def issuer_certificate() -> Certificate:
    """The certificate of the issuer's key, by the operator's authority."""
    return authority().current.certify_issuer(
        key(1976, "issuer").public, PAN[:6], date(2031, 12, 31), 1
    )


def profile(data: CardData = DATA, limits: Limits = LIMITS, **changed: object) -> Profile:
    """A card as the vault would make it; `changed` are other fields of its keys."""
    certificate = certify_card(
        key(1976, "issuer"),
        key(1408, "card").public,
        data.pan,
        data.expiry,
        7,
        signed_data(data),
    )
    keys = CardKeys(cryptogram_key=CRYPTOGRAM_KEY, private_key=key(1408, "card").to_bytes())
    return Profile(
        data=data,
        certificates=Certificates(ca_index=1, issuer=issuer_certificate(), card=certificate),
        keys=msgspec.structs.replace(keys, **changed),
        limits=limits,
    )


PROFILE: Final = cache(profile)


def seeded(seed: str = "") -> Entropy:
    """Bytes that are the same in each run."""
    return entropy(seed)


class Device:
    """A device that does what it should: it saves a state, and only then lets the answer go."""

    def __init__(
        self,
        *profiles: Profile,
        state: CardState | None = None,
        clock: ManualClock | None = None,
    ) -> None:
        self.clock = clock or ManualClock(NOW)
        found = profiles or (PROFILE(),)
        self.saved = {p.data.aid: state or CardState() for p in found}
        self.applications = [Application(p, self.saved[p.data.aid], seeded()) for p in found]
        self.card = Card(self.applications, self.clock)
        self.commands: list[bytes] = []
        self.answers: list[bytes] = []

    def transmit(self, command: bytes) -> bytes:
        """Answer a command as a device does."""
        self.commands.append(command)
        answer = self.card.transmit(command)
        if isinstance(answer, Unsaved):
            self.saved[answer.aid] = answer.state
            answer = answer.saved()
        self.answers.append(answer)
        return answer

    @property
    def state(self) -> CardState:
        """What is saved for the first card."""
        return self.saved[self.applications[0].profile.data.aid]


def later(seconds: float) -> datetime:
    """A moment after the tests' now."""
    return NOW + timedelta(seconds=seconds)
