"""Writing a rolling tag: a shop's signed link and its keys on an NTAG 424 DNA, or off it again.

    write_rolling(transport, package, entropy)
    wipe(transport, package, entropy)

Key 0 changes first: from then on only whoever has this tag's keys goes on, and a tag that is taken
away in between is finished by doing it again. Which keys are changed already is told by their
versions, which anybody may ask for.
"""

import contextlib
from typing import Final

from tandem.emv.apdu import MAX_RESPONSE_DATA, Command, Response
from tandem.kernel import Entropy
from tandem.tags import TagPackage
from tandem.tags.sun import KEY_BYTES, UID_BYTES, read_link, read_message
from tandem.tap import ntag424
from tandem.tap.errors import TagUnusable
from tandem.tap.ntag424 import (
    CLA,
    CLOSED,
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
from tandem.tap.tag import APPLICATION, Type4, ask, ndeflib, read_url
from tandem.tap.transport import Transport

_FACTORY_VERSION: Final = 0
_VERSION: Final = 1
"""The version that keys have which were changed here."""
_NTAG: Final = bytes((0x04, 0x04))
_MAJOR, _NTAG_424 = 3, 0x30
_LENGTH: Final = 2
_AT_ONCE: Final = 224
"""The most data that one command holds, enciphered and signed."""
_ANSWER: Final = 32
_FOREIGN: Final = "its keys are of another tag; wipe it with that one's keys, `tandem tag wipe`"


def write_rolling(transport: Transport, package: TagPackage, entropy: Entropy) -> int:
    """Write the link and the keys, and see that the tag signs. Returns its counter.

    Raises `TagUnusable`; done again with the same package it goes on where it was.
    """
    chip = Chip(transport, entropy)
    keys = package.keys().by_number()
    versions = chip.key_versions()
    if _FACTORY_VERSION not in versions:
        with contextlib.suppress(TagUnusable):  # to write it again would set its count back
            return _check(chip, package)
        chip.select()
    if versions[0] == _FACTORY_VERSION:
        chip.authenticate(FACTORY_KEY)
        chip.change_key(0, keys[0], FACTORY_KEY, _VERSION)
    chip.authenticate(keys[0])
    for number in range(1, KEYS):
        if versions[number] == _FACTORY_VERSION:
            chip.change_key(number, keys[number], FACTORY_KEY, _VERSION)
    content = _content(package.url)
    chip.change_settings(CLOSED)
    chip.write(content)
    mirror = (_after(content, b"picc_data="), _after(content, b"cmac="))
    chip.change_settings(FileSettings(read=FREE, write=0, change=0, mirror=mirror))
    return _check(chip, package)


def wipe(transport: Transport, package: TagPackage, entropy: Entropy) -> None:
    """Make the tag as it came: empty, with its factory keys. Raises `TagUnusable`."""
    chip = Chip(transport, entropy)
    keys = package.keys().by_number()
    versions = chip.key_versions()
    if versions[0] == _FACTORY_VERSION:
        raise TagUnusable("it has its factory keys already")
    chip.authenticate(keys[0])
    chip.change_settings(CLOSED)
    chip.write(bytes(NDEF_BYTES))
    chip.change_settings(FACTORY)
    for number in range(1, KEYS):
        if versions[number] != _FACTORY_VERSION:
            chip.change_key(number, FACTORY_KEY, keys[number], _FACTORY_VERSION)
    chip.change_key(0, FACTORY_KEY, keys[0], _FACTORY_VERSION)


class Chip:
    """An NTAG 424 DNA in the field. Raises `TagUnusable`, as each of its methods does."""

    def __init__(self, transport: Transport, entropy: Entropy) -> None:
        self.transport = transport
        self._entropy = entropy
        self._channel: Channel | None = None
        self.select()
        hardware = self._send(Ins.GET_VERSION, wanted=Sw.MORE)
        if hardware[:2] != _NTAG or len(hardware) <= _MAJOR or hardware[_MAJOR] != _NTAG_424:
            raise TagUnusable("it is no NTAG 424 DNA, which a rolling link needs")
        self._send(Ins.MORE, wanted=Sw.MORE)
        self.uid = self._send(Ins.MORE)[:UID_BYTES]

    def select(self) -> None:
        """Begin anew: nobody is authenticated."""
        self._channel = None
        name = Command(0, 0xA4, 0x04, 0x00, APPLICATION, MAX_RESPONSE_DATA)
        if not ask(self.transport, name).ok:
            raise TagUnusable("it is no NTAG 424 DNA, which a rolling link needs")

    def key_versions(self) -> list[int]:
        """The versions of all keys; anybody may ask who is not authenticated."""
        found = [self._send(Ins.GET_KEY_VERSION, bytes((number,))) for number in range(KEYS)]
        if any(len(version) != 1 for version in found):
            raise TagUnusable("it answers with what is no version of a key")
        return [version[0] for version in found]

    def authenticate(self, key: bytes) -> None:
        """Prove to each other that both know key 0 (AuthenticateEV2First)."""
        self._channel = None
        hidden = self._send(Ins.AUTHENTICATE, bytes((0, 0)), wanted=Sw.MORE)
        if len(hidden) != KEY_BYTES:
            raise TagUnusable("it is in another mode (LRP)")
        rnd_a, rnd_b = self._entropy(KEY_BYTES), ntag424.unchained(key, hidden)
        proof = ntag424.chained(key, rnd_a + ntag424.turned(rnd_b))
        answer = self._send(Ins.MORE, proof, refused={Sw.AUTHENTICATION: _FOREIGN})
        if len(answer) != _ANSWER:
            raise TagUnusable("it answers with what is no proof of its key")
        opened = ntag424.unchained(key, answer)
        ti, proved = opened[: ntag424.TI_BYTES], opened[ntag424.TI_BYTES :][:KEY_BYTES]
        if proved != ntag424.turned(rnd_a):
            raise TagUnusable(_FOREIGN)
        self._channel = ntag424.channel(key, rnd_a, rnd_b, ti)

    def change_key(self, number: int, new: bytes, old: bytes, version: int) -> None:
        """Change a key. After key 0, nobody is authenticated."""
        change = ntag424.key_change(number, new, old, version)
        self._full(Ins.CHANGE_KEY, bytes((number,)), change, signed=number != 0)
        if number == 0:
            self._channel = None

    def change_settings(self, settings: FileSettings) -> None:
        """Change how the NDEF file is protected."""
        self._full(Ins.CHANGE_FILE_SETTINGS, bytes((NDEF_FILE,)), settings.write_out())

    def write(self, content: bytes) -> None:
        """Write the NDEF file, its length last."""
        self._write(0, bytes(_LENGTH))
        for at in range(_LENGTH, len(content), _AT_ONCE):
            self._write(at, content[at : at + _AT_ONCE])
        self._write(0, content[:_LENGTH])

    def _write(self, at: int, data: bytes) -> None:
        place = b"".join(number.to_bytes(3, "little") for number in (at, len(data)))
        self._full(Ins.WRITE_DATA, bytes((NDEF_FILE,)) + place, data)

    def _full(self, ins: Ins, header: bytes, data: bytes, *, signed: bool = True) -> None:
        """A command in full mode whose answer has no data, but a MAC unless its key is gone."""
        channel = self._channel
        assert channel is not None, "authenticate first"
        sealed = channel.seal(ins, header, data)
        answer = self._send(ins, sealed)
        channel.counter += 1
        if signed and channel.read_answer(answer) != b"":
            raise TagUnusable("its answer is not signed as it should be")

    def _send(
        self,
        ins: Ins,
        data: bytes = b"",
        *,
        wanted: Sw = Sw.OK,
        refused: dict[Sw, str] | None = None,
    ) -> bytes:
        command = Command(CLA, ins, 0, 0, data, MAX_RESPONSE_DATA)
        response: Response = ask(self.transport, command)
        if response.status != wanted:
            said = (refused or {}).get(response.status)  # type: ignore[call-overload]  # any number
            raise TagUnusable(said or f"it answers {response.status:04X} to {ins.name}")
        return response.data


def _content(url: str) -> bytes:
    """The NDEF file with this link: its length, and the message."""
    ndef = ndeflib()
    message = b"".join(ndef.message_encoder([ndef.UriRecord(url)]))
    if len(message) + _LENGTH > NDEF_BYTES:
        raise TagUnusable(f"it holds {NDEF_BYTES - _LENGTH} bytes, and this takes {len(message)}")
    return len(message).to_bytes(_LENGTH, "big") + message


def _after(content: bytes, name: bytes) -> int:
    """Where the value of a parameter begins."""
    return content.index(name) + len(name)


def _check(chip: Chip, package: TagPackage) -> int:
    """Read the tag as a phone does. Returns its counter."""
    chip.select()
    url = read_url(Type4(chip.transport)) or ""
    link = read_link(url, package.url.rpartition("/t/")[0])
    keys = package.keys()
    said = None if link is None else read_message(keys.meta, keys.mac, link.picc_data, link.mac)
    if said is None or said.uid != chip.uid:
        raise TagUnusable("what was written does not come back")
    return said.counter
