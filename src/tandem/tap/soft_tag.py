"""A rolling tag without a chip: a state machine from command to answer, as NTAG 424 DNA is one.

For tests, and for whoever has no tag yet: `tandem tag virtual` holds it to the virtual reader. It
speaks the commands of a Type 4 tag and those of the chip's own that writing and wiping need; its
state is saved before an answer goes out, so that a counter never comes twice. It protects nothing:
its keys are in a file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from tandem.emv.apdu import Command, Response, Status
from tandem.emv.ciphers import xor
from tandem.emv.errors import Malformed
from tandem.kernel import Entropy
from tandem.tags.sun import KEY_BYTES, LAST_COUNTER, MAC_BYTES, UID_BYTES, encrypt, sign
from tandem.tap import ntag424
from tandem.tap.ntag424 import (
    CLA,
    FACTORY,
    FACTORY_KEY,
    FREE,
    KEYS,
    NDEF_BYTES,
    NDEF_FILE,
    Channel,
    FileSettings,
    Ins,
    Sw,
)
from tandem.tap.tag import APPLICATION

MAKER: Final = b"\x04"
"""What UIDs of seven bytes by NXP begin with (ISO/IEC 7816-6)."""
_CONTAINER_ID, _NDEF_ID = bytes.fromhex("E103"), bytes.fromhex("E104")
_CONTAINER: Final = bytes.fromhex("001720010000FF0406E104010000000506E10500808283")
_HARDWARE: Final = bytes.fromhex("04040230001105")
_SOFTWARE: Final = bytes.fromhex("04040201021105")
_REST: Final = bytes(7)
_SELECT, _READ, _UPDATE = 0xA4, 0xB0, 0xD6
_BY_NAME, _BY_ID = 0x04, 0x00
_NOT_SATISFIED: Final = 0x6982
_OUTSIDE: Final = 0x6B00
_HEADERS: Final = {Ins.CHANGE_FILE_SETTINGS: 1, Ins.WRITE_DATA: 7, Ins.CHANGE_KEY: 1}
_CAPABILITIES: Final = bytes(12)
_VERSION_AT: Final = KEY_BYTES


class SoftState(msgspec.Struct, frozen=True):
    """What the tag keeps. `settings` is the data of ChangeFileSettings."""

    uid: bytes
    keys: tuple[bytes, ...] = (FACTORY_KEY,) * KEYS
    versions: tuple[int, ...] = (0,) * KEYS
    settings: bytes = FACTORY.write_out()
    content: bytes = bytes(NDEF_BYTES)
    counter: int = 0

    def __repr__(self) -> str:
        return f"SoftState({self.uid.hex()}, {self.counter})"


def blank(entropy: Entropy) -> SoftState:
    """A tag as it comes."""
    return SoftState(MAKER + entropy(UID_BYTES - len(MAKER)))


@dataclass(frozen=True, slots=True)
class _Proving:
    """Between the two commands of an authentication."""

    number: int
    rnd_b: bytes


class SoftTag:
    """The tag in a field. `save` is called before an answer that depends on it.

    Nothing that comes from a reader raises; what `save` raises goes on.
    """

    def __init__(
        self, state: SoftState, save: Callable[[SoftState], None], entropy: Entropy
    ) -> None:
        self.state = state
        self._save = save
        self._entropy = entropy
        self._selected = False
        self._file: bytes | None = None
        self._shown: bytes | None = None
        self._channel: Channel | None = None
        self._number = 0
        self._proving: _Proving | None = None
        self._more: list[bytes] = []

    def reset(self) -> None:
        """The field is new, or gone."""
        self._selected = False
        self._file = self._shown = None
        self._leave()

    def exchange(self, apdu: bytes) -> bytes:
        """Answer a command."""
        try:
            command = Command.read(apdu)
        except Malformed:
            return Response(b"", Status.WRONG_LENGTH).write()
        if command.cla == CLA and self._selected:
            answer = self._own(command)
        elif command.cla == 0:
            answer = self._iso(command)
        else:
            answer = Response(b"", Status.UNKNOWN_CLASS)
        return answer.write()

    # -- as any Type 4 tag ---------------------------------------------------------------------

    def _iso(self, command: Command) -> Response:
        at = command.p1 << 8 | command.p2
        if command.ins == _SELECT:
            return Response(b"", self._select(command))
        if command.ins == _READ and self._file is not None and command.le is not None:
            held = self._readable(self._file)
            if held is None:
                return Response(b"", _NOT_SATISFIED)
            found = held[at : at + command.le]
            return Response(found, Status.OK) if at < len(held) else Response(b"", _OUTSIDE)
        if command.ins == _UPDATE and self._file == _NDEF_ID:
            return Response(b"", self._update(at, command.data))
        return Response(b"", Status.CONDITIONS_NOT_SATISFIED)

    def _select(self, command: Command) -> int:
        self._leave()
        self._shown = None
        if command.p1 == _BY_NAME:
            self._selected = command.data == APPLICATION
            self._file = None
            return Status.OK if self._selected else Status.FILE_NOT_FOUND
        known = command.p1 == _BY_ID and command.data in (_CONTAINER_ID, _NDEF_ID)
        self._file = command.data if known and self._selected else None
        return Status.FILE_NOT_FOUND if self._file is None else Status.OK

    def _readable(self, file: bytes) -> bytes | None:
        """A file as it is read; the NDEF file counts and signs, once for each selection of it."""
        if file == _CONTAINER_ID:
            return _CONTAINER
        settings = self._settings()
        if settings.read != FREE:
            return None
        if settings.mirror is None or self._channel is not None:
            return self.state.content
        if self._shown is None:
            if self.state.counter == LAST_COUNTER:
                return None
            self._keep(counter=self.state.counter + 1)
            self._shown = self._mirrored(*settings.mirror)
        return self._shown

    def _mirrored(self, picc_at: int, mac_at: int) -> bytes:
        state, shown = self.state, bytearray(self.state.content)
        picc = encrypt(state.keys[1], state.uid, state.counter, self._entropy)
        mac = sign(state.keys[2], state.uid, state.counter)
        for at, value in ((picc_at, picc), (mac_at, mac)):
            shown[at : at + 2 * len(value)] = value.hex().upper().encode()
        return bytes(shown)

    def _update(self, at: int, data: bytes) -> int:
        if self._settings().write != FREE or self._channel is not None:
            return _NOT_SATISFIED
        if at + len(data) > NDEF_BYTES:
            return _OUTSIDE
        self._put(at, data)
        return Status.OK

    # -- the chip's own -------------------------------------------------------------------------

    def _own(self, command: Command) -> Response:
        more, self._more = self._more, []
        proving, self._proving = self._proving, None
        ins, data = command.ins, command.data
        if ins == Ins.GET_VERSION and not data:
            more = [_HARDWARE, _SOFTWARE, self.state.uid + _REST]
        if ins in (Ins.GET_VERSION, Ins.MORE) and more and not data:
            first, *self._more = more
            return Response(first, Sw.MORE if self._more else Sw.OK)
        if ins == Ins.MORE and proving is not None:
            return self._prove(proving, data)
        if ins == Ins.AUTHENTICATE:
            return self._challenge(data)
        if ins == Ins.GET_KEY_VERSION and self._channel is None and len(data) == 1:
            known = data[0] < KEYS
            version = bytes((self.state.versions[data[0]],)) if known else b""
            return Response(version, Sw.OK if known else Sw.NO_SUCH_KEY)
        if ins in _HEADERS:
            return self._full(Ins(ins), data)
        self._leave()
        return Response(b"", Sw.ILLEGAL)

    def _challenge(self, data: bytes) -> Response:
        self._leave()
        if len(data) < 2 or data[1] + 2 != len(data):  # noqa: PLR2004 -- number, and a length
            return Response(b"", Sw.LENGTH)
        if data[0] >= KEYS:
            return Response(b"", Sw.NO_SUCH_KEY)
        self._proving = _Proving(data[0], self._entropy(KEY_BYTES))
        key = self.state.keys[data[0]]
        return Response(ntag424.chained(key, self._proving.rnd_b), Sw.MORE)

    def _prove(self, proving: _Proving, data: bytes) -> Response:
        key = self.state.keys[proving.number]
        if len(data) != 2 * KEY_BYTES:
            return Response(b"", Sw.LENGTH)
        opened = ntag424.unchained(key, data)
        rnd_a, proved = opened[:KEY_BYTES], opened[KEY_BYTES:]
        if proved != ntag424.turned(proving.rnd_b):
            return Response(b"", Sw.AUTHENTICATION)
        ti = self._entropy(ntag424.TI_BYTES)
        self._channel = ntag424.channel(key, rnd_a, proving.rnd_b, ti)
        self._number = proving.number
        said = ntag424.chained(key, ti + ntag424.turned(rnd_a) + _CAPABILITIES)
        return Response(said, Sw.OK)

    def _full(self, ins: Ins, body: bytes) -> Response:
        """A command in full mode; whatever is wrong with it ends the authentication."""
        channel = self._channel
        status = Sw.AUTHENTICATION
        if channel is not None and len(body) >= _HEADERS[ins] + MAC_BYTES:
            opened = channel.open(ins, body, _HEADERS[ins])
            status = Sw.INTEGRITY if opened is None else self._act(ins, *opened)
        if status is not Sw.OK or channel is None:
            self._leave()
            return Response(b"", status)
        channel.counter += 1
        if self._channel is None:  # the key that it stood on is gone
            return Response(b"", Sw.OK)
        return Response(channel.answer(), Sw.OK)

    def _act(self, ins: Ins, header: bytes, data: bytes) -> Sw:
        if ins is Ins.CHANGE_KEY:
            return self._change_key(header[0], data) if self._number == 0 else Sw.PERMISSION
        if header[0] != NDEF_FILE:
            return Sw.PARAMETER
        if ins is Ins.CHANGE_FILE_SETTINGS:
            return self._change_settings(data)
        return self._write(header[1:4], header[4:7], data)

    def _change_settings(self, data: bytes) -> Sw:
        before, wanted = self._settings(), FileSettings.read_in(data)
        if before.change != self._number:
            return Sw.PERMISSION
        if wanted is None or not _fits(wanted):
            return Sw.PARAMETER
        # the count begins anew when the mirror is switched on
        begins = before.mirror is None and wanted.mirror is not None
        self._keep(settings=data, counter=0 if begins else self.state.counter)
        return Sw.OK

    def _write(self, place: bytes, length: bytes, data: bytes) -> Sw:
        settings = self._settings()
        at, count = int.from_bytes(place, "little"), int.from_bytes(length, "little")
        if settings.write != self._number or not settings.full:
            return Sw.PERMISSION
        if count != len(data):
            return Sw.LENGTH
        if at + count > NDEF_BYTES:
            return Sw.BOUNDARY
        self._put(at, data)
        return Sw.OK

    def _change_key(self, number: int, data: bytes) -> Sw:
        if number >= KEYS:
            return Sw.NO_SUCH_KEY
        if len(data) != len(ntag424.key_change(number, FACTORY_KEY, FACTORY_KEY, 0)):
            return Sw.LENGTH
        new, version = data[:KEY_BYTES], data[_VERSION_AT]
        if number:
            new = xor(new, self.state.keys[number])
        if ntag424.key_change(number, new, self.state.keys[number], version) != data:
            return Sw.INTEGRITY
        keys, versions = list(self.state.keys), list(self.state.versions)
        keys[number], versions[number] = new, version
        self._keep(keys=tuple(keys), versions=tuple(versions))
        if number == self._number:
            self._leave()
        return Sw.OK

    # --------------------------------------------------------------------------------------------

    def _leave(self) -> None:
        """Nobody is authenticated, and nothing is half done."""
        self._channel = self._proving = None
        self._number = 0
        self._more = []

    def _settings(self) -> FileSettings:
        found = FileSettings.read_in(self.state.settings)
        assert found is not None, "only what could be read was kept"
        return found

    def _put(self, at: int, data: bytes) -> None:
        held = self.state.content
        self._keep(content=held[:at] + data + held[at + len(data) :])

    def _keep(self, **changes: object) -> None:
        changed = msgspec.structs.replace(self.state, **changes)
        self._save(changed)
        self.state = changed


def _fits(settings: FileSettings) -> bool:
    """Whether what the chip puts into the file fits, one after the other."""
    if settings.mirror is None:
        return True
    picc, mac = settings.mirror
    return picc + 2 * KEY_BYTES <= mac and mac + 2 * MAC_BYTES <= NDEF_BYTES
