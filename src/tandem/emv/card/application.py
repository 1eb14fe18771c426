"""The card application: from command to response, in the order of a transaction.

    selected ──GET PROCESSING OPTIONS──► initiated ──GENERATE AC──► done
        ▲            │ at a gate, within limits: the cryptogram at once ▲
        └──SELECT────┴──────────────────────────────────────────────────┘

One SELECT is one chance: whatever comes out of order is refused with 6985 and changes nothing. The
counter of transactions (ATC) goes up with GET PROCESSING OPTIONS, and there is one cryptogram for
each number, so no number ever serves twice, torn tap or not.

Structures are those of EMV Book 3, 6.5; the answer at a gate is all that GENERATE AC would say, in
the response to GET PROCESSING OPTIONS. A payment is one tap: there is no second GENERATE AC, and
the issuer's answer comes by the device's own network (`Application.issuer_answered`).
"""

from enum import Enum, auto
from typing import Final, NamedTuple

import msgspec

from tandem.emv.apdu import MAX_RESPONSE_DATA, Command, Ins, Response, Status
from tandem.emv.application_data import (
    MAX_TRIES,
    CardVerificationResults,
    CryptogramType,
    IssuerApplicationData,
    Method,
    Verifier,
)
from tandem.emv.card.answer import after_answer
from tandem.emv.card.commands import (
    CommandRefused,
    number,
    template,
    two_bytes,
    values_of,
    wrong_instruction,
)
from tandem.emv.card.files import (
    AIP,
    CDOL1,
    MAX_RECORD,
    PDOL,
    Record,
    bcd,
    file_control_information,
    file_locator,
    records,
    track_2,
)
from tandem.emv.card.holder import Holder, Tap
from tandem.emv.card.profile import MAX_ATC, Profile
from tandem.emv.card.risk import Asked, Decision, Reason, decide
from tandem.emv.card.state import CardState
from tandem.emv.cryptograms import (
    VERSIONS,
    CryptogramData,
    application_cryptogram,
    check_issuer_authentication_data,
)
from tandem.emv.dynamic import sign_combined, transaction_hash
from tandem.emv.errors import IssuerAnswerForged
from tandem.emv.rsa import PrivateKey
from tandem.emv.tags import Tag
from tandem.emv.tlv import Tlv, constructed, primitive, write
from tandem.kernel import Entropy, Invalid

MAX_CARD_KEY: Final = 200
"""The longest key of a card, in bytes: its signature has to fit a response beside 32 bytes of 9F10
and the card transaction qualifiers (Book 2, Annex D1.2.1 has 205 without the latter)."""

_AT_A_GATE: Final = 0x01
_CVM_REQUIRED: Final = 0x40
_DEVICE_CVM_PERFORMED: Final = 0x80
_CDA: Final = 0x10
_TYPE_SHIFT: Final = 6
_TYPES: Final = frozenset(CryptogramType)
_DYNAMIC_NUMBER_BYTES: Final = 8


class _Phase(Enum):
    SELECTED = auto()
    INITIATED = auto()
    DONE = auto()


class _Initiated(NamedTuple):
    """What GET PROCESSING OPTIONS left for GENERATE AC."""

    data: bytes
    values: dict[int, bytes]
    holder: Holder


class _Outstanding(NamedTuple):
    """The last ARQC, while the issuer's answer to it is outstanding."""

    atc: int
    cryptogram: bytes
    amount: int


class Application:
    """One card, selected or not. `state` is what it is to remember; whoever drives it saves it.

    Raises `KeyMalformed` or `Invalid` for a profile that no card can work with.
    """

    def __init__(self, profile: Profile, state: CardState, entropy: Entropy) -> None:
        self.profile = profile
        self.state = state
        self.last: Tap | None = None
        self._entropy = entropy
        self._version = VERSIONS[profile.keys.version]
        self._signer = PrivateKey.from_bytes(profile.keys.private_key)
        found = records(profile.data, profile.certificates)
        _check(profile, self._signer, found)
        self._records = {(record.sfi, record.number): record.data for record in found}
        self._locator = file_locator(found)
        self._phase: _Phase | None = None
        self._initiated: _Initiated | None = None
        self._outstanding: _Outstanding | None = None

    def select(self) -> Response:
        """Begin anew, and answer SELECT."""
        self._phase = _Phase.SELECTED
        self._initiated = None
        status = Status.SELECTED_INVALIDATED if self.state.blocked else Status.OK
        return Response(file_control_information(self.profile.data), status)

    def deselect(self) -> None:
        """Forget the transaction under way: the field is gone, or another card was selected."""
        self._phase = None
        self._initiated = None

    def handle(self, command: Command, holder: Holder) -> Response:
        """Answer any command but SELECT. Every one is answered; `state` may be another then."""
        try:
            return Response(self._answer(command, holder), Status.OK)
        except CommandRefused as refused:
            return Response(b"", refused.status)

    def issuer_answered(self, atc: int, received: bytes) -> CardState:
        """Take the issuer's proved answer (91) to the last ARQC, and return the state to save.

        It arrives by the device's own network. The issuer decides through it about the offline
        counters, and may block the application. Raises `IssuerAnswerForged` if it is not the
        issuer's or not for that transaction, `IssuerAnswerMalformed` if it cannot be read.
        """
        asked = self._outstanding
        if asked is None or asked.atc != atc:
            raise IssuerAnswerForged
        key, version = self.profile.keys.cryptogram_key, self._version
        answer = check_issuer_authentication_data(
            version, key, two_bytes(atc), asked.cryptogram, received
        )
        self._outstanding = None
        self.state = after_answer(
            self.state, self.profile.limits, version.arpc, answer, atc, asked.amount
        )
        return self.state

    def _answer(self, command: Command, holder: Holder) -> bytes:
        wrong = wrong_instruction(command)
        if wrong is not None:
            raise CommandRefused(wrong)
        if command.le not in {None, MAX_RESPONSE_DATA}:
            raise CommandRefused(Status.WRONG_LENGTH)
        if command.ins == Ins.GET_PROCESSING_OPTIONS:
            return self._get_processing_options(command, holder)
        if command.ins == Ins.GENERATE_AC:
            return self._generate_ac(command)
        if command.data:
            raise CommandRefused(Status.WRONG_LENGTH)
        if command.ins == Ins.READ_RECORD:
            return self._read_record(command)
        return self._get_data(command, holder)

    def _get_processing_options(self, command: Command, holder: Holder) -> bytes:
        if (command.p1, command.p2) != (0, 0):
            raise CommandRefused(Status.WRONG_PARAMETERS)
        if self._phase is not _Phase.SELECTED:
            raise CommandRefused(Status.CONDITIONS_NOT_SATISFIED)
        if self.state.blocked or self.state.atc >= MAX_ATC:
            raise CommandRefused(Status.CONDITIONS_NOT_SATISFIED)
        data = template(command.data)
        values = values_of(PDOL, data)
        self._initiated = _Initiated(data, values, holder)
        at_a_gate = values[Tag.SERVICE_CONTEXT][0] == _AT_A_GATE
        decision = self._decide(values, CryptogramType.ARQC, transit=at_a_gate)
        if at_a_gate and decision.reason is Reason.VERIFY:
            at_a_gate = False
            decision = self._decide(values, CryptogramType.ARQC)
        if decision.reason is Reason.VERIFY:
            # Before anything is counted: the person verifies themselves, and taps again.
            self._finish(decision)
            raise CommandRefused(Status.NOT_ALLOWED)
        self._outstanding = None
        atc = self.state.atc + 1
        self.state = msgspec.structs.replace(self.state, atc=atc)
        if at_a_gate:
            state = msgspec.structs.replace(decision.state, atc=atc)
            return self._at_once(decision._replace(state=state))
        self._phase = _Phase.INITIATED
        return constructed(
            Tag.FORMAT_2,
            primitive(Tag.AIP, AIP),
            primitive(Tag.AFL, self._locator),
            self._qualifiers(),
        ).raw

    def _at_once(self, decision: Decision) -> bytes:
        """The answer at a gate: cryptogram and card number with the processing options."""
        values = self._current.values
        results = self._results(decision, transit=True)
        cryptogram = self._cryptogram(values, bytes(5), results)
        data = self.profile.data
        answer = (
            primitive(Tag.AIP, AIP),
            primitive(Tag.TRACK_2, track_2(data)),
            primitive(Tag.PAN_SEQUENCE, bcd(data.sequence, 1)),
            *self._head(decision.cryptogram),
            primitive(Tag.CRYPTOGRAM, cryptogram),
            primitive(Tag.ISSUER_APPLICATION_DATA, results),
            self._qualifiers(),
            primitive(Tag.PAR, data.par.encode()),
            primitive(Tag.TOKEN_REQUESTOR, bcd(data.token_requestor, 6)),
        )
        self._finish(decision, cryptogram, transit=True)
        return constructed(Tag.FORMAT_2, *answer).raw

    def _generate_ac(self, command: Command) -> bytes:
        kind = command.p1 >> _TYPE_SHIFT
        if command.p2 or command.p1 & ~(0x3 << _TYPE_SHIFT | _CDA) or kind not in _TYPES:
            raise CommandRefused(Status.WRONG_PARAMETERS)
        if self._phase is not _Phase.INITIATED:
            raise CommandRefused(Status.CONDITIONS_NOT_SATISFIED)
        values = values_of(CDOL1, command.data)
        before = self._current.values
        if any(values[tag] != before[tag] for tag in values.keys() & before.keys()):
            # Whoever tells two amounts in one transaction gets no cryptogram for either.
            self._phase = _Phase.DONE
            raise CommandRefused(Status.CONDITIONS_NOT_SATISFIED)
        signed = bool(command.p1 & _CDA)
        decision = self._decide(values, CryptogramType(kind), signed=signed)
        signed = signed and decision.cryptogram is not CryptogramType.AAC
        results = self._results(decision, signed=signed)
        cryptogram = self._cryptogram(values, values[Tag.TVR], results)
        self._finish(decision, cryptogram, signed=signed)
        return self._cryptogram_answer(decision, command.data, cryptogram, results, signed=signed)

    def _cryptogram_answer(
        self, decision: Decision, data: bytes, cryptogram: bytes, results: bytes, *, signed: bool
    ) -> bytes:
        """The response to GENERATE AC (Book 3, 6.5.5.4), with the signature of Book 2, 6.6."""
        head = self._head(decision.cryptogram)
        rest = (primitive(Tag.ISSUER_APPLICATION_DATA, results), self._qualifiers())
        if not signed:
            proof = primitive(Tag.CRYPTOGRAM, cryptogram)
            return constructed(Tag.FORMAT_2, *head, proof, *rest).raw
        values = self._current.values
        signature = sign_combined(
            self._signer,
            dynamic_number=self._entropy(_DYNAMIC_NUMBER_BYTES),
            information=decision.cryptogram.information,
            cryptogram=cryptogram,
            transaction=transaction_hash(self._current.data, data, write((*head, *rest))),
            unpredictable_number=values[Tag.UNPREDICTABLE_NUMBER],
        )
        proof = primitive(Tag.SIGNED_DYNAMIC_DATA, signature)
        return constructed(Tag.FORMAT_2, *head, proof, *rest).raw

    def _read_record(self, command: Command) -> bytes:
        if self._phase is not _Phase.INITIATED:
            raise CommandRefused(Status.CONDITIONS_NOT_SATISFIED)
        if command.p2 & 0b111 != 0b100:  # noqa: PLR2004 -- P1 is a record's number (6.5.11.2)
            raise CommandRefused(Status.WRONG_PARAMETERS)
        sfi = command.p2 >> 3
        if all(known != sfi for known, _ in self._records):
            raise CommandRefused(Status.FILE_NOT_FOUND)
        record = self._records.get((sfi, command.p1))
        if record is None:
            raise CommandRefused(Status.RECORD_NOT_FOUND)
        return record

    def _get_data(self, command: Command, holder: Holder) -> bytes:
        """ATC, last online ATC, and the tries that the device has left; there is no log."""
        if self._phase is None:
            raise CommandRefused(Status.CONDITIONS_NOT_SATISFIED)
        tag = command.p1 << 8 | command.p2
        if tag == Tag.ATC:
            return primitive(tag, two_bytes(self.state.atc)).raw
        if tag == Tag.LAST_ONLINE_ATC:
            return primitive(tag, two_bytes(self.state.last_online_atc)).raw
        if tag == Tag.PIN_TRY_COUNTER and holder.tries_left is not None:
            return primitive(tag, bytes((min(holder.tries_left, 0xFF),))).raw
        raise CommandRefused(Status.DATA_NOT_FOUND)

    @property
    def _current(self) -> _Initiated:
        assert self._initiated is not None, "there is a transaction under way"
        return self._initiated

    def _decide(
        self,
        values: dict[int, bytes],
        cryptogram: CryptogramType,
        *,
        transit: bool = False,
        signed: bool = False,
    ) -> Decision:
        current = self._current
        asked = Asked(
            cryptogram=cryptogram,
            type=values[Tag.TRANSACTION_TYPE][0],
            amount=number(values[Tag.AMOUNT]),
            currency=number(values[Tag.TRANSACTION_CURRENCY]),
            cvm_required=bool(current.values[Tag.TTQ][1] & _CVM_REQUIRED),
            transit=transit,
            signed=signed,
        )
        verified = current.holder.verification is not None
        profile = self.profile
        return decide(profile.limits, profile.data.currency, self.state, asked, verified=verified)

    def _results(self, decision: Decision, *, transit: bool = False, signed: bool = False) -> bytes:
        """What the card tells its issuer (9F10)."""
        holder = self._current.holder
        verification = holder.verification
        keys = self.profile.keys
        results = CardVerificationResults(
            cryptogram=decision.cryptogram,
            verifier=Verifier.NOBODY if verification is None else verification.verifier,
            method=Method.NONE if verification is None else verification.method,
            failed_tries=min(holder.failed_tries, MAX_TRIES),
            transit=transit and verification is None,
            cda=signed,
        )
        return IssuerApplicationData(
            version=self._version, key_index=keys.index, results=results
        ).write()

    def _cryptogram(self, values: dict[int, bytes], tvr: bytes, results: bytes) -> bytes:
        data = CryptogramData(
            amount=values[Tag.AMOUNT],
            amount_other=values[Tag.AMOUNT_OTHER],
            country=values[Tag.TERMINAL_COUNTRY],
            tvr=tvr,
            currency=values[Tag.TRANSACTION_CURRENCY],
            date=values[Tag.TRANSACTION_DATE],
            type=values[Tag.TRANSACTION_TYPE],
            unpredictable_number=values[Tag.UNPREDICTABLE_NUMBER],
            aip=AIP,
            atc=two_bytes(self.state.atc),
            application_data=results,
        )
        return application_cryptogram(self._version, self.profile.keys.cryptogram_key, data)

    def _head(self, cryptogram: CryptogramType) -> tuple[Tlv, Tlv]:
        return (
            primitive(Tag.CRYPTOGRAM_INFORMATION, bytes((cryptogram.information,))),
            primitive(Tag.ATC, two_bytes(self.state.atc)),
        )

    def _qualifiers(self) -> Tlv:
        """The card transaction qualifiers: whether the device verified the person."""
        verified = self._current.holder.verification is not None
        return primitive(Tag.CTQ, bytes((0, _DEVICE_CVM_PERFORMED if verified else 0)))

    def _finish(
        self,
        decision: Decision,
        cryptogram: bytes = b"",
        *,
        transit: bool = False,
        signed: bool = False,
    ) -> None:
        values, holder = self._current.values, self._current.holder
        amount = number(values[Tag.AMOUNT])
        self.state = decision.state
        self._phase = _Phase.DONE
        if decision.cryptogram is CryptogramType.ARQC:
            self._outstanding = _Outstanding(self.state.atc, cryptogram, amount)
        self.last = Tap(
            atc=self.state.atc,
            amount=amount,
            currency=number(values[Tag.TRANSACTION_CURRENCY]),
            type=values[Tag.TRANSACTION_TYPE][0],
            merchant=values[Tag.MERCHANT_NAME].rstrip(b"\0 ").decode("latin-1"),
            merchant_category=number(values[Tag.MERCHANT_CATEGORY]),
            cryptogram=decision.cryptogram,
            reason=decision.reason,
            verification=holder.verification,
            transit=transit,
            signed=signed,
        )


def _check(profile: Profile, signer: PrivateKey, found: tuple[Record, ...]) -> None:
    """Refuse what could not answer later: every answer has to fit, every key its algorithm."""
    algorithm = VERSIONS[profile.keys.version].algorithm
    if len(profile.keys.cryptogram_key) not in algorithm.key_bytes:
        raise Invalid("cryptogram_key", f"is no key for {algorithm.label}")
    if len(signer.public.modulus) > MAX_CARD_KEY:
        raise Invalid("private_key", f"must have at most {8 * MAX_CARD_KEY} bits")
    if any(len(record.data) > MAX_RECORD for record in found):
        raise Invalid("certificates", "do not fit into records")
