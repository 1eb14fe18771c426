"""A card, a terminal and the air between them, for the tests of card and kernel."""

from dataclasses import replace
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
from tandem.emv.cryptograms import CCD_6, CryptogramData, cryptogram_matches
from tandem.emv.tags import Tag
from tandem.emv.terminal import (
    Combination,
    Knowledge,
    Outcome,
    Ready,
    Terminal,
    Transaction,
    prepare,
)
from tandem.emv.terminal.entry import Prepared
from tandem.emv.tlv import Tlv, constructed
from tandem.kernel import Currency, Entropy, ManualClock, currency

AID: Final = bytes.fromhex("F074616E64656D")
RID: Final = AID[:5]
NOW: Final = datetime(2029, 6, 15, 12, 30, 45, tzinfo=UTC)
PAN: Final = "9801234567890121"
CNY: Final = currency("CNY")
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


TERMINAL: Final = Terminal(
    combinations=(
        Combination(
            aid=AID[:6],
            transaction_limit=100_000,
            floor_limit=5_000,
            cvm_limit=10_000,
        ),
    ),
    country=156,
    merchant_name="Noodles",
    merchant_category=5812,
    merchant_id="M1",
    terminal_id="T1",
)


def terminal(**changed: object) -> Terminal:
    """The terminal with other settings of its combination."""
    (combination,) = TERMINAL.combinations
    return msgspec.structs.replace(
        TERMINAL, combinations=(msgspec.structs.replace(combination, **changed),)
    )


def gate(**changed: object) -> Terminal:
    """A gate of public transport."""
    fields: dict[str, object] = {"transit": True, "floor_limit": 0} | changed
    return msgspec.structs.replace(terminal(**fields), merchant_category=4111)


PAYMENT: Final = Transaction(amount=0, currency=CNY, at=NOW, sequence=42)


def payment(amount: int) -> Transaction:
    """A payment in yuan."""
    return replace(PAYMENT, amount=amount)


@cache
def knowledge() -> Knowledge:
    """What terminals of the operator hold."""
    return Knowledge(trusted=authority().trusted())


def later(seconds: float) -> datetime:
    """A moment after the tests' now."""
    return NOW + timedelta(seconds=seconds)


def combination(**changed: object) -> Combination:
    """An AID that is taken, without limits unless they are given."""
    return msgspec.structs.replace(Combination(aid=AID), **changed)


def prepared(
    transaction: Transaction, taken: Combination, base: Terminal = TERMINAL
) -> Prepared | None:
    """What pre-processing makes of one combination; None if it may not be used."""
    shop = msgspec.structs.replace(base, combinations=(taken,))
    made = prepare(shop, transaction, Knowledge())
    if isinstance(made, Outcome):
        return None
    assert isinstance(made, Ready)
    (found,) = made.prepared
    return found


OK: Final = b"\x90\x00"
WIDE: Final = msgspec.structs.replace(
    LIMITS, offline_total=10**9, offline_count=10**6, transit_total=10**9, transit_count=10**6
)


def ready(shop: Terminal = TERMINAL, amount: int = 3800) -> Ready:
    """A reader that waits for a card to pay this."""
    made = prepare(shop, payment(amount), knowledge())
    assert isinstance(made, Ready)
    return made


def verified() -> Device:
    """A device whose person was verified, with a card that approves much offline."""
    device = Device(profile(limits=WIDE))
    device.card.present(FINGER)
    return device


def answer_of(*children: Tlv) -> bytes:
    """A response of format 2."""
    return constructed(Tag.FORMAT_2, *children).raw + OK


def is_the_card_s(outcome: Outcome, amount: int, unit: Currency = CNY) -> bool:
    """Whether the issuer would find the cryptogram right, for this card and this amount."""
    assert outcome.card is not None
    values = outcome.card.values
    data = CryptogramData(
        amount=bytes.fromhex(f"{amount:012d}"),
        amount_other=bytes(6),
        country=values[Tag.TERMINAL_COUNTRY],
        tvr=values[Tag.TVR],
        currency=bytes.fromhex(f"{unit.number:04d}"),
        date=values[Tag.TRANSACTION_DATE],
        type=b"\x00",
        unpredictable_number=values[Tag.UNPREDICTABLE_NUMBER],
        aip=values[Tag.AIP],
        atc=values[Tag.ATC],
        application_data=values[Tag.ISSUER_APPLICATION_DATA],
    )
    cryptogram = values[Tag.CRYPTOGRAM]
    return outcome.card.pan == DATA.pan and cryptogram_matches(
        CCD_6, CRYPTOGRAM_KEY, data, cryptogram
    )


UNSIGNED: Final = msgspec.structs.replace(
    terminal(tac_denial=bytes(5), tac_online=bytes(5)), capabilities=bytes.fromhex("000800")
)
"""A terminal that takes cards which prove nothing, for those of the tests."""
