"""The card application, driven by any reader: no order of commands gets more than it should.

What a byte begins with is a command as terminals send it, one with bytes of it changed, any bytes
at all, or what happens beside the field: the person verifies, the field goes, the device crashes.
"""

from datetime import timedelta
from typing import Final

from bytes_in import Taken

from emv_tap import FINGER, LIMITS, NOW, PROFILE, seeded
from tandem.emv import apdu
from tandem.emv.apdu import PPSE, Ins, Response
from tandem.emv.card import Application, Card, CardState, Unsaved
from tandem.emv.card.files import CDOL1, PDOL
from tandem.emv.tags import Tag
from tandem.emv.tlv import Tlv, first, primitive, read_one
from tandem.kernel import ManualClock

_COMMANDS: Final = 40
_CURRENCIES: Final = (b"\x01\x56", b"\x08\x40")
_AMOUNTS: Final = (0, 1, 300, 2000, 2001, 5000, 5001, 30000, 10**12 - 1)
_SPENT: Final = 0xFFFD


class Run:
    """A device with one card, and what was seen of it so far."""

    def __init__(self, taken: Taken) -> None:
        self._taken = taken
        # Also a card whose numbers are nearly used up.
        self._saved = CardState(atc=_SPENT if taken.byte() & 1 else 0)
        self._seen: set[int] = set()
        self._told: dict[int, bytes] = {}
        self._clock = ManualClock(NOW)
        self._boots = 0
        self._begun = False
        self._boot()

    def step(self) -> None:
        """One command, or one event."""
        taken = self._taken
        kind = taken.byte()
        match kind % 10:
            case 0:
                self._send(apdu.select(PROFILE().data.aid[: 5 + taken.byte() % 3]).write())
            case 1:
                self._send(self._options().write())
            case 2:
                self._send(self._generate().write())
            case 3:
                self._send(apdu.read_record(taken.byte() % 32, taken.byte()).write())
            case 4:
                self._send(apdu.get_data((Tag.ATC, Tag.PIN_TRY_COUNTER)[taken.byte() % 2]).write())
            case 5:
                self._send(taken.piece())
            case 6:
                self._send(apdu.select(PPSE, following=bool(taken.byte() & 1)).write())
            case 7:
                self._clock.advance(timedelta(seconds=taken.byte()))
                self._card.present(FINGER._replace(at=self._clock.now()), failed_tries=taken.byte())
            case 8:
                self._card.reset()
                self._begun = False
            case _:
                self._boot()

    def _boot(self) -> None:
        self._boots += 1
        application = Application(PROFILE(), self._saved, seeded(str(self._boots)))
        self._card = Card([application], self._clock)
        self._begun = False

    def _options(self) -> apdu.Command:
        taken = self._taken
        flags = taken.byte()
        self._told = {
            Tag.TTQ: bytes((0x21, 0x40 if flags & 1 else 0, 0x40, 0)),
            Tag.AMOUNT: bytes.fromhex(f"{_AMOUNTS[taken.byte() % len(_AMOUNTS)]:012d}"),
            Tag.TRANSACTION_CURRENCY: _CURRENCIES[flags >> 1 & 1],
            Tag.TRANSACTION_TYPE: bytes((0x20 if flags & 4 else 0,)),
            Tag.SERVICE_CONTEXT: bytes((flags >> 3 & 1,)),
        }
        data = self._changed(PDOL.fill(self._told))
        return apdu.get_processing_options(primitive(Tag.COMMAND_TEMPLATE, data).raw)

    def _generate(self) -> apdu.Command:
        control = (0x00, 0x40, 0x50, 0x80, 0x90, 0xC0)[self._taken.byte() % 6]
        return apdu.generate_ac(control, self._changed(CDOL1.fill(self._told)))

    def _changed(self, data: bytes) -> bytes:
        """The same, or with one byte of it changed."""
        at, mask = self._taken.byte(), self._taken.byte()
        if at >= len(data):
            return data
        return data[:at] + bytes((data[at] ^ mask,)) + data[at + 1 :]

    def _send(self, command: bytes) -> None:
        before = self._saved
        answer = self._card.transmit(command)
        if isinstance(answer, Unsaved):
            if self._taken.byte() & 0x80:
                return self._boot()  # it crashed, and nothing was saved or said
            self._saved = answer.state
            answer = answer.saved()
        response = Response.read(answer)
        self._look(command, before, response)
        return None

    def _look(self, command: bytes, before: CardState, response: Response) -> None:
        saved = self._saved
        assert before.atc <= saved.atc <= before.atc + 1
        if saved.atc != before.atc:
            assert command[1] == Ins.GET_PROCESSING_OPTIONS
            self._begun = True
        if not response.ok:
            assert not response.data or response.status >> 8 == 0x62
            return
        assert len(response.data) <= apdu.MAX_RESPONSE_DATA
        if command[1] in {Ins.GET_PROCESSING_OPTIONS, Ins.GENERATE_AC}:
            self._proved([read_one(response.data)])
        if command[1] == Ins.SELECT:
            self._begun = False

    def _proved(self, found: list[Tlv]) -> None:
        proof = first(found, Tag.FORMAT_2, Tag.CRYPTOGRAM) or first(
            found,
            Tag.FORMAT_2,
            Tag.SIGNED_DYNAMIC_DATA,
        )
        if proof is None:
            return
        number = first(found, Tag.FORMAT_2, Tag.ATC)
        assert number is not None
        atc = int.from_bytes(number.value, "big")
        assert self._begun, "no cryptogram without processing options"
        assert atc not in self._seen, "one cryptogram for each number"
        assert atc == self._saved.atc, "it was saved before it left"
        self._seen.add(atc)
        for name in ("unverified", "transit", "offline"):
            total, count = f"{name}_total", f"{name}_count"
            assert getattr(self._saved, total) <= getattr(LIMITS, total)
            assert getattr(self._saved, count) <= getattr(LIMITS, count)


def card(data: bytes) -> None:
    """No order of commands reuses a number, leaps one, gets two cryptograms, or passes a limit."""
    taken = Taken(data)
    run = Run(taken)
    for _ in range(_COMMANDS):
        if not taken:
            break
        run.step()
