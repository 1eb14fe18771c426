"""A card driven by any reader: commands in any order, fields that go, devices that crash."""

from enum import Enum, auto

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from emv_tap import AID, FINGER, LIMITS, NOW, PROFILE, seeded
from tandem.emv import apdu
from tandem.emv.apdu import PPSE, Command, Response, Status
from tandem.emv.card import Application, Card, CardState, Unsaved
from tandem.emv.card.files import CDOL1, PDOL
from tandem.emv.card.profile import MAX_ATC
from tandem.emv.tags import Tag
from tandem.emv.tlv import first, primitive, read_one
from tandem.kernel import ManualClock


class Phase(Enum):
    NOTHING = auto()
    SELECTED = auto()
    INITIATED = auto()
    DONE = auto()


AMOUNTS = st.sampled_from([0, 1, 300, 2000, 2001, 5000, 5001, 30000])


class AnyReader(RuleBasedStateMachine):
    """The model knows the phase, what is saved and what was seen; the card has to agree."""

    @initialize(atc=st.sampled_from([0, MAX_ATC - 3, MAX_ATC]))
    def begin(self, atc: int) -> None:
        self.saved = CardState(atc=atc)
        self.seen: dict[int, bytes] = {}
        self.boots = 0
        self.boot()

    def boot(self) -> None:
        self.boots += 1
        application = Application(PROFILE(), self.saved, seeded(str(self.boots)))
        self.card = Card([application], ManualClock(NOW))
        self.phase = Phase.NOTHING
        self.verified = False
        self.amount = 0

    def send(self, command: Command) -> Response:
        answer = self.card.transmit(command.write())
        if isinstance(answer, Unsaved):
            assert answer.state.atc >= self.saved.atc
            self.saved = answer.state
            answer = answer.saved()
        response = Response.read(answer)
        self.look(response)
        return response

    def look(self, response: Response) -> None:
        """Whatever cryptogram leaves has a number of its own, which is saved already."""
        if not response.ok:
            return
        found = [read_one(response.data)]
        number = first(found, Tag.FORMAT_2, Tag.ATC)
        proof = first(found, Tag.FORMAT_2, Tag.CRYPTOGRAM) or first(
            found, Tag.FORMAT_2, Tag.SIGNED_DYNAMIC_DATA
        )
        if number is None or proof is None:
            return
        atc = int.from_bytes(number.value, "big")
        assert atc not in self.seen
        assert atc == self.saved.atc
        self.seen[atc] = proof.value

    @rule()
    def select(self) -> None:
        assert self.send(apdu.select(AID)).status == Status.OK
        self.phase = Phase.SELECTED

    @rule(name=st.sampled_from([PPSE, b"nobody", b""]))
    def select_another(self, name: bytes) -> None:
        status = self.send(apdu.select(name)).status
        expected = {PPSE: Status.OK, b"nobody": Status.FILE_NOT_FOUND, b"": Status.WRONG_LENGTH}
        assert status == expected[name]
        if name:
            self.phase = Phase.NOTHING

    @rule(amount=AMOUNTS, gate=st.booleans(), cvm=st.booleans())
    def options(self, amount: int, *, gate: bool, cvm: bool) -> None:
        values: dict[int, bytes] = {
            Tag.TTQ: bytes((0x21, 0x40 if cvm else 0, 0x40, 0)),
            Tag.AMOUNT: bytes.fromhex(f"{amount:012d}"),
            Tag.TRANSACTION_CURRENCY: b"\x01\x56",
            Tag.SERVICE_CONTEXT: bytes((gate,)),
        }
        data = primitive(Tag.COMMAND_TEMPLATE, PDOL.fill(values)).raw
        before = self.saved
        response = self.send(apdu.get_processing_options(data))
        if self.phase is not Phase.SELECTED or before.atc == MAX_ATC:
            assert response.status == Status.CONDITIONS_NOT_SATISFIED
            assert self.saved == before
            return
        if response.status == Status.NOT_ALLOWED:
            assert not self.verified
            assert self.saved == before
            self.phase = Phase.DONE
            return
        assert response.status == Status.OK
        assert self.saved.atc == before.atc + 1
        self.amount = amount
        if first([read_one(response.data)], Tag.FORMAT_2, Tag.CRYPTOGRAM) is not None:
            assert gate
            self.phase, self.verified = Phase.DONE, False
            return
        assert self.verified or (not cvm and amount <= LIMITS.unverified_amount)
        self.phase = Phase.INITIATED

    @rule(sfi=st.integers(0, 4), record=st.integers(0, 4))
    def record(self, sfi: int, record: int) -> None:
        status = self.send(apdu.read_record(sfi, record)).status
        if self.phase is not Phase.INITIATED:
            assert status == Status.CONDITIONS_NOT_SATISFIED
        else:
            assert status in {Status.OK, Status.RECORD_NOT_FOUND, Status.FILE_NOT_FOUND}

    @rule(control=st.sampled_from([0x00, 0x40, 0x50, 0x80, 0x90]), lie=st.booleans())
    def generate(self, control: int, *, lie: bool) -> None:
        values: dict[int, bytes] = {
            Tag.AMOUNT: bytes.fromhex(f"{self.amount + lie:012d}"),
            Tag.TRANSACTION_CURRENCY: b"\x01\x56",
        }
        before = self.saved
        response = self.send(apdu.generate_ac(control, CDOL1.fill(values)))
        if self.phase is not Phase.INITIATED or lie:
            assert response.status == Status.CONDITIONS_NOT_SATISFIED
            assert self.saved == before
        else:
            assert response.status == Status.OK
            found = first([read_one(response.data)], Tag.FORMAT_2, Tag.CRYPTOGRAM_INFORMATION)
            assert found is not None
            if found.value != b"\x00":
                self.verified = False
        if self.phase is Phase.INITIATED:
            self.phase = Phase.DONE

    @rule()
    def counter(self) -> None:
        response = self.send(apdu.get_data(Tag.ATC))
        if self.phase is Phase.NOTHING:
            assert response.status == Status.CONDITIONS_NOT_SATISFIED
        else:
            assert read_one(response.data).value == self.saved.atc.to_bytes(2, "big")

    @rule()
    def verify(self) -> None:
        self.card.present(FINGER)
        self.verified = True

    @rule()
    def leave(self) -> None:
        self.card.reset()
        self.phase = Phase.NOTHING

    @rule()
    def crash(self) -> None:
        self.boot()

    @precondition(lambda self: self.phase is Phase.SELECTED)
    @rule()
    def crash_before_saving(self) -> None:
        """The file was never written: no answer left, and the number may serve."""
        values: dict[int, bytes] = {Tag.TTQ: bytes(4), Tag.TRANSACTION_CURRENCY: b"\x01\x56"}
        data = primitive(Tag.COMMAND_TEMPLATE, PDOL.fill(values)).raw
        self.card.transmit(apdu.get_processing_options(data).write())
        self.boot()

    @invariant()
    def within_limits(self) -> None:
        if hasattr(self, "saved"):
            for kind in ("unverified", "transit", "offline"):
                for limit in (f"{kind}_total", f"{kind}_count"):
                    assert getattr(self.saved, limit) <= getattr(LIMITS, limit)


TestAnyReader = AnyReader.TestCase
TestAnyReader.settings = settings(max_examples=60, stateful_step_count=40)
