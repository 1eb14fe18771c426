"""The terminal's side of a tap, from the directory to the outcome. No I/O: a generator.

    dialogue = tap(ready, entropy)
    command = next(dialogue)
    while True:
        answer = what the card answers to it, or `Lost.TORN`, or `Lost.SILENT`
        command = dialogue.send(answer)       # until StopIteration, whose value is the Outcome

so that it runs over any transport, and a test can tear it anywhere; `run` does that loop for a
function that transmits. It follows EMV Book 3, 10 and 6 within the frame of Contactless Books A and
B, for cards that answer as the Books say. Nothing that a card does raises an exception here.

One tap, one decision: the outcome of an ARQC is an online request, and what the host answers is
taken up by `complete`, without the card.
"""

from collections.abc import Callable, Generator
from dataclasses import replace
from enum import Enum
from typing import Final, TypeAlias

from tandem.emv import apdu
from tandem.emv.apdu import Command, Response, Status
from tandem.emv.application_data import CryptogramType
from tandem.emv.dol import Dol
from tandem.emv.errors import AuthenticationFailed, Malformed
from tandem.emv.rsa import PublicKey
from tandem.emv.tags import Tag
from tandem.emv.terminal import authentication, ending
from tandem.emv.terminal.actions import Reach, asks
from tandem.emv.terminal.authentication import Said
from tandem.emv.terminal.checks import (
    Velocity,
    read_date,
    restrictions,
    risk,
    velocity,
    wants_velocity,
)
from tandem.emv.terminal.cvm import DEVICE, Asking, Verified, device_verified, verify
from tandem.emv.terminal.ending import Words
from tandem.emv.terminal.entry import Candidate, Ready, candidates, selected
from tandem.emv.terminal.outcome import CardRead, Cvm, Outcome, Why
from tandem.emv.terminal.reading import (
    FCI_TAGS,
    CardFault,
    Values,
    check_card_number,
    locations,
    one_template,
    take_cryptogram,
    take_processing_options,
    take_record,
)
from tandem.emv.terminal.settings import Transaction
from tandem.emv.terminal.terminal_data import terminal_values
from tandem.emv.terminal.tvr import Tsi, Tvr
from tandem.emv.tlv import Tlv, primitive
from tandem.kernel import Entropy


class Lost(Enum):
    """There is no answer: the card left the field, or it stays and says nothing."""

    TORN = "torn"
    SILENT = "silent"


Answer: TypeAlias = "bytes | Lost"
Dialogue: TypeAlias = Generator[bytes, Answer, Outcome]

_CDA_CAPABLE: Final = 0x08
_AIP_CDA: Final = 0x01
_CONTROL_CDA: Final = 0x10
_TYPE_SHIFT: Final = 6
_RESERVED_TYPE: Final = 3
_UNPREDICTABLE_BYTES: Final = 4
_RANK: Final = {CryptogramType.AAC: 0, CryptogramType.ARQC: 1, CryptogramType.TC: 2}


def tap(ready: Ready, entropy: Entropy) -> Dialogue:
    """The dialogue with a card that is in the field: yields commands, is sent answers."""
    return (yield from _Tap(ready, entropy).dialogue())


def run(ready: Ready, entropy: Entropy, transmit: Callable[[bytes], Answer]) -> Outcome:
    """The same for a transport that answers at once."""
    dialogue = tap(ready, entropy)
    try:
        command = next(dialogue)
        while True:
            command = dialogue.send(transmit(command))
    except StopIteration as stop:
        outcome: Outcome = stop.value
        return outcome


class _Gone(Exception):
    def __init__(self, lost: Lost) -> None:
        super().__init__(lost)
        self.lost = lost


class _Tap:
    """One card in the field."""

    def __init__(self, ready: Ready, entropy: Entropy) -> None:
        self._ready = ready
        self._entropy = entropy
        self._words = Words(ready.transaction)
        self._number = entropy(_UNPREDICTABLE_BYTES)

    def dialogue(self) -> Dialogue:
        """From the directory to the outcome."""
        try:
            return (yield from self._applications())
        except CardFault as fault:
            return ending.ended(self._words, fault.why)
        except _Gone as gone:
            why = Why.TORN if gone.lost is Lost.TORN else Why.SILENT
            return ending.again(self._words, why)

    def _applications(self) -> Dialogue:
        """Combination selection: each candidate in turn, until one can be used (Book B, 3.3)."""
        directory = yield from _send(apdu.select(apdu.PPSE))
        if not directory.ok:
            raise CardFault(Why.NO_DIRECTORY)
        try:
            found = candidates(directory.data, self._ready.prepared)
        except Malformed:
            raise CardFault from None
        for candidate in found:
            response = yield from _send(apdu.select(candidate.name))
            fci = selected(response.data, candidate) if response.ok else None
            if fci is None:
                continue
            application = _Application(self._ready, self._entropy, candidate, self._number)
            outcome = yield from application.dialogue(fci)
            if outcome is not None:
                return outcome
        raise CardFault(Why.NO_APPLICATION)


class _Application:
    """The application that was selected, until the outcome."""

    def __init__(self, ready: Ready, entropy: Entropy, candidate: Candidate, number: bytes) -> None:
        self._ready = ready
        self._entropy = entropy
        self._candidate = candidate
        self._prepared = candidate.prepared
        self._number = number
        self._words = Words(ready.transaction)
        self._ours = terminal_values(ready, candidate, number)
        self._fci = Values()
        self._values = Values()
        self._tvr = Tvr.NOTHING
        self._tsi = Tsi.NOTHING
        self._pdol_values = b""

    def dialogue(self, fci: Tlv) -> Generator[bytes, Answer, Outcome | None]:
        """The outcome, or None if the next application is to be tried."""
        self._fci.take(fci.children, FCI_TAGS)
        self._words = Words(self._ready.transaction, _languages(self._fci))
        self._pdol_values = _dol(self._fci.get(Tag.PDOL)).fill(self._ours)
        template = primitive(Tag.COMMAND_TEMPLATE, self._pdol_values).raw
        response = yield from _send(apdu.get_processing_options(template))
        if response.status == Status.CONDITIONS_NOT_SATISFIED:
            return None
        if response.status == Status.NOT_ALLOWED:
            return ending.see_phone(self._words)
        take_processing_options(_data(response), self._values)
        if self._values.get(Tag.CRYPTOGRAM) is not None:
            return self._at_a_gate()
        signed = yield from self._records()
        return (yield from self._decision(signed))

    def _records(self) -> Generator[bytes, Answer, bytes]:
        """Read along the file locator; what of it is signed comes back."""
        signed = b""
        for location in locations(self._values.need(Tag.AFL)):
            response = yield from _send(apdu.read_record(location.sfi, location.record))
            signed += take_record(_data(response), location, self._values)
        self._values.agree(self._fci)
        for tag in (Tag.PAN, Tag.EXPIRY, Tag.CDOL1):
            self._values.need(tag)
        check_card_number(self._values)
        return signed

    @property
    def _pan(self) -> str:
        return self._values.need(Tag.PAN).hex().rstrip("f")

    def _decision(self, signed: bytes) -> Dialogue:
        """All checks, then GENERATE AC, then what follows from it."""
        ready, values = self._ready, self._values
        cdol = _dol(values.get(Tag.CDOL1))
        key = self._authenticate(signed, cdol)
        self._tvr |= restrictions(values, self._prepared, ready.terminal, ready.transaction)
        if self._pan in ready.knowledge.exceptions:
            self._tvr |= Tvr.ON_EXCEPTION_FILE
        verified = self._verify()
        self._tvr |= risk(self._prepared, ready.transaction, self._entropy)
        if wants_velocity(values):
            counters = yield from _counters()
            self._tvr |= velocity(values, counters)
        self._tsi |= Tsi.TERMINAL_RISK_MANAGEMENT
        asked = asks(self._tvr, values, self._prepared.combination, self._reach())
        could_verify = asked is not CryptogramType.AAC and verified.tvr & Tvr.CVM_FAILED
        if could_verify and _knows_device_cvm(values):
            return ending.see_phone(self._words)
        self._ours |= {Tag.TVR: self._tvr.value_bytes, Tag.CVM_RESULTS: verified.results}
        sign = key is not None and asked is not CryptogramType.AAC
        control = asked << _TYPE_SHIFT | (_CONTROL_CDA if sign else 0)
        cdol_values = cdol.fill(values.all() | self._ours)
        response = yield from _send(apdu.generate_ac(control, cdol_values))
        self._tsi |= Tsi.CARD_RISK_MANAGEMENT
        return self._decided(asked, verified, key if sign else None, cdol_values, _data(response))

    def _authenticate(self, signed: bytes, cdol: Dol) -> PublicKey | None:
        """Offline data authentication as far as it goes before GENERATE AC (Book 3, 10.3)."""
        values, ready = self._values, self._ready
        can = ready.terminal.capabilities[2] & _CDA_CAPABLE
        if not can or not values.need(Tag.AIP)[0] & _AIP_CDA:
            self._tvr |= Tvr.ODA_NOT_PERFORMED
            return None
        self._tsi |= Tsi.ODA
        if authentication.missing(values):
            self._tvr |= Tvr.CARD_DATA_MISSING | Tvr.CDA_FAILED
            return None
        today = ready.transaction.at.date()
        try:
            key = authentication.card_key(
                values, self._candidate.aid, signed, ready.knowledge.trusted, today
            )
        except AuthenticationFailed:
            key = None
        # Without our number in it, a signature could be an old one (Book 2, 6.6).
        if key is None or not cdol.asks_for(Tag.UNPREDICTABLE_NUMBER):
            self._tvr |= Tvr.CDA_FAILED
            return None
        return key

    def _verify(self) -> Verified:
        ready = self._ready
        asking = Asking(self._values, self._prepared, ready.terminal, ready.transaction)
        verified = verify(asking)
        self._tvr |= verified.tvr
        if verified.performed:
            self._tsi |= Tsi.CVM
        return verified

    def _reach(self) -> Reach:
        terminal = self._ready.terminal
        return Reach(
            online=not terminal.offline_only,
            offline=not terminal.online_only,
            online_required=self._prepared.online_required,
        )

    def _decided(
        self,
        asked: CryptogramType,
        verified: Verified,
        key: PublicKey | None,
        cdol_values: bytes,
        data: bytes,
    ) -> Outcome:
        """Card action analysis (10.8): what the card decided, and whether it proved it."""
        answer = Values()
        objects = take_cryptogram(data, answer)
        answer.agree(self._fci)
        answer.agree(self._values, but=Tag.CTQ)  # that is compared, and declined: see below
        kind = answer.need(Tag.CRYPTOGRAM_INFORMATION)[0] >> _TYPE_SHIFT
        if kind == _RESERVED_TYPE or _RANK[CryptogramType(kind)] > _RANK[asked]:
            raise CardFault
        decided = CryptogramType(kind)
        proved: dict[int, bytes] = {}
        if key is not None and decided is not CryptogramType.AAC:
            said = Said(self._pdol_values, cdol_values, objects)
            try:
                cryptogram = authentication.proved_cryptogram(key, said, answer, self._number)
            except AuthenticationFailed:
                self._ours[Tag.TVR] = (self._tvr | Tvr.CDA_FAILED).value_bytes
                return self._declined(Why.AUTHENTICATION_FAILED, answer)
            proved[Tag.CRYPTOGRAM] = cryptogram
        else:
            answer.need(Tag.CRYPTOGRAM)
        if self._verification_changed(verified, answer):
            return self._declined(Why.VERIFICATION_CHANGED, answer)
        card = self._read(answer, proved, signed=bool(proved))
        if decided is CryptogramType.AAC:
            return ending.declined(self._words, Why.CARD_DECLINED, card)
        if decided is CryptogramType.TC:
            return ending.approved(self._words, Why.CARD_APPROVED, card, verified.cvm)
        if self._ready.terminal.offline_only:
            return ending.declined(self._words, Why.NO_ANSWER, card)
        return ending.online(self._words, card, verified.cvm)

    def _verification_changed(self, verified: Verified, answer: Values) -> bool:
        """Whether the card says something else of the person now, where the signature covers it."""
        said = answer.get(Tag.CTQ)
        if said is None:
            return verified.cvm is Cvm.DEVICE
        return said != self._values.get(Tag.CTQ)

    def _at_a_gate(self) -> Outcome:
        """The card answered at once: only at a gate, and only an ARQC (`tandem.emv.card`)."""
        values = self._values
        for tag in (Tag.TRACK_2, Tag.ATC, Tag.ISSUER_APPLICATION_DATA):
            values.need(tag)
        values.agree(self._fci)
        check_card_number(values)
        information = values.need(Tag.CRYPTOGRAM_INFORMATION)[0]
        if not self._prepared.combination.transit:
            raise CardFault
        if information >> _TYPE_SHIFT != CryptogramType.ARQC:
            raise CardFault
        cvm = Cvm.DEVICE if device_verified(values) else Cvm.NONE
        if self._prepared.cvm_required and cvm is Cvm.NONE:
            return ending.see_phone(self._words)
        card = self._read(Values(), {}, transit=True)
        ready, limit = self._ready, self._prepared.combination.deferred_limit
        if card.pan in ready.knowledge.exceptions or _expired(card, ready.transaction):
            return ending.declined(self._words, Why.NOT_VALID, card)
        outcome = ending.online(self._words, card, cvm)
        return replace(outcome, deferrable=0 < ready.transaction.amount <= limit)

    def _declined(self, why: Why, answer: Values) -> Outcome:
        return ending.declined(self._words, why, self._read(answer, {}))

    def _read(
        self,
        answer: Values,
        proved: dict[int, bytes],
        *,
        signed: bool = False,
        transit: bool = False,
    ) -> CardRead:
        ours = self._ours | {Tag.TSI: self._tsi.value_bytes}
        cards = self._fci.all() | self._values.all() | answer.all() | proved
        return CardRead(cards | ours, signed=signed, transit=transit)


def _send(command: Command) -> Generator[bytes, Answer, Response]:
    """One command and its response. Raises `_Gone`, or `CardFault` for what is no response."""
    answer = yield command.write()
    if isinstance(answer, Lost):
        raise _Gone(answer)
    try:
        return Response.read(answer)
    except Malformed:
        raise CardFault from None


def _counters() -> Generator[bytes, Answer, Velocity]:
    """The card's counters for the velocity check (Book 3, 10.6.3)."""
    found: list[int | None] = []
    for tag in (Tag.ATC, Tag.LAST_ONLINE_ATC):
        response = yield from _send(apdu.get_data(tag))
        value = None
        if response.ok:
            values = Values()
            values.take((one_template(response.data, tag),))
            value = int.from_bytes(values.need(tag), "big")
        found.append(value)
    return Velocity(*found)


def _data(response: Response) -> bytes:
    """What a response holds, if it is no refusal."""
    if not response.ok:
        raise CardFault
    return response.data


def _dol(value: bytes | None) -> Dol:
    try:
        return Dol.read(value or b"")
    except Malformed:
        raise CardFault from None


def _expired(card: CardRead, transaction: Transaction) -> bool:
    """Whether the month that track 2 says has passed; its form was checked."""
    month = card.track_2.partition("=")[2][:4]
    return read_date(bytes.fromhex(month + "01")) < transaction.at.date().replace(day=1)


def _knows_device_cvm(values: Values) -> bool:
    listed = values.get(Tag.CVM_LIST) or b""
    return any(code & 0x3F == DEVICE for code in listed[8::2])


def _languages(values: Values) -> tuple[str, ...]:
    """Up to four languages, as the card prefers them (5F2D)."""
    text = (values.get(Tag.LANGUAGES) or b"").decode("latin-1").lower()
    pairs = (text[at : at + 2] for at in range(0, len(text), 2))
    return tuple(
        pair for pair in pairs if len(pair) == len("en") and pair.isascii() and pair.isalpha()
    )
