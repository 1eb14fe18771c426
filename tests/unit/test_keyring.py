"""The key ring: what is sealed opens only unchanged, in its own place, with its own key."""

import contextlib
import json
import os
import random
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.kernel import system_entropy
from tandem.keyring import (
    FileKeyRing,
    KeyFileExposed,
    KeyFileMissing,
    KeyFileUnusable,
    KeyNotInRing,
    KeyUnknown,
    SealBroken,
    key_file,
)
from tandem.keyring.seal import Key, seal, unseal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def ring(path: Path) -> FileKeyRing:
    return FileKeyRing.create(path, system_entropy)


def test_what_was_sealed_opens_and_never_looks_the_same_twice(ring: FileKeyRing) -> None:
    first, second = ring.seal(b"secret", b"row 1"), ring.seal(b"secret", b"row 1")
    assert first != second
    assert b"secret" not in first
    assert ring.open(first, b"row 1") == ring.open(second, b"row 1") == b"secret"


def test_the_form_is_stable() -> None:
    """Stored values must open for ever: this one is of the first release."""
    key = Key(bytes(range(8)), bytes(range(32)))
    stored = bytes.fromhex(
        "01" + "0001020304050607" + "5a" * 12 + "f455813a800174d9a8f03c2f16b40af17b4dee9c"
    )
    assert seal(key, b"seed", b"people:1", lambda count: b"\x5a" * count) == stored
    assert unseal(key, stored, b"people:1") == b"seed"


@given(
    plaintext=st.binary(max_size=64),
    context=st.binary(max_size=32),
    flip=st.integers(min_value=0),
)
def test_one_changed_bit_anywhere_breaks_the_seal(
    plaintext: bytes, context: bytes, flip: int
) -> None:
    key = Key(b"k" * 8, b"s" * 32)
    sealed = bytearray(seal(key, plaintext, context, random.Random(1).randbytes))  # noqa: S311 - repeatable
    assert unseal(key, bytes(sealed), context) == plaintext
    sealed[flip % len(sealed)] ^= 1 << (flip // len(sealed)) % 8
    with pytest.raises(SealBroken):
        unseal(key, bytes(sealed), context)


def test_a_seal_moved_to_another_row_is_broken(ring: FileKeyRing) -> None:
    sealed = ring.seal(b"secret", b"row 1")
    with pytest.raises(SealBroken):
        ring.open(sealed, b"row 2")


@pytest.mark.parametrize("length", [0, 1, 9, 21, 36])
def test_a_cut_seal_is_broken(ring: FileKeyRing, length: int) -> None:
    with pytest.raises(SealBroken):
        ring.open(ring.seal(b"", b"")[:length], b"")


def test_another_version_is_broken(ring: FileKeyRing) -> None:
    with pytest.raises(SealBroken):
        ring.open(b"\x02" + ring.seal(b"x", b"")[1:], b"")


def test_a_key_of_another_ring_is_unknown(ring: FileKeyRing, tmp_path: Path) -> None:
    other = FileKeyRing.create(tmp_path / "others", system_entropy)
    with pytest.raises(KeyUnknown) as refusal:
        ring.open(other.seal(b"x", b""), b"")
    assert refusal.value.key_id == other.primary


def test_after_rotation_the_old_opens_and_the_new_seals(ring: FileKeyRing, path: Path) -> None:
    other_process = FileKeyRing.load(path, system_entropy)
    old, before = ring.primary, ring.seal(b"before", b"")
    new = ring.rotate()
    after = ring.seal(b"after", b"")
    assert new == ring.primary != old
    assert after[1:9].hex() == new
    assert ring.open(before, b"") == b"before"
    assert other_process.open(after, b"") == b"after"  # it looked into the file again
    assert FileKeyRing.load(path, system_entropy).primary == new
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_rotation_holds_for_every_process_of_the_machine(ring: FileKeyRing, path: Path) -> None:
    other_process = FileKeyRing.load(path, system_entropy)
    new = ring.rotate()
    assert other_process.seal(b"x", b"")[1:9].hex() == new


def test_a_process_whose_file_is_gone_goes_on_sealing(ring: FileKeyRing, path: Path) -> None:
    path.rename(path.with_name("gone"))
    assert ring.open(ring.seal(b"x", b""), b"") == b"x"
    path.write_text("not a key file")
    path.chmod(0o600)
    assert ring.seal(b"x", b"")[1:9].hex() == ring.primary


def test_a_key_that_is_added_opens_and_seals_when_it_is_promoted(
    ring: FileKeyRing, path: Path
) -> None:
    old = ring.primary
    new = ring.add()
    assert (ring.primary, ring.ids) == (old, (old, new))
    assert ring.seal(b"x", b"")[1:9].hex() == old
    for _ in range(2):
        ring.promote(new)
        assert ring.ids == (new, old)
    assert FileKeyRing.load(path, system_entropy).seal(b"x", b"")[1:9].hex() == new
    with pytest.raises(KeyNotInRing):
        ring.promote("00" * 8)
    assert ring.primary == new


def test_others_may_pass_a_folder_made_for_the_keys_and_not_read_it(tmp_path: Path) -> None:
    """What else is put into it may be PostgreSQL's account's: it runs as that where we are root."""
    path = tmp_path / "tandem" / "keys"
    FileKeyRing.open_or_create(path, system_entropy)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o711
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_rotations_at_once_lose_no_key(ring: FileKeyRing, path: Path) -> None:
    rings = [FileKeyRing.load(path, system_entropy) for _ in range(8)]
    threads = [threading.Thread(target=each.rotate) for each in rings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(json.loads(path.read_text())["keys"]) == 9
    assert {ring.primary, *(each.primary for each in rings)} <= {
        key["id"] for key in json.loads(path.read_text())["keys"]
    }


def test_many_that_make_the_file_at_once_share_one_key(path: Path) -> None:
    rings: list[FileKeyRing] = []
    threads = [
        threading.Thread(target=lambda: rings.append(FileKeyRing.open_or_create(path, os.urandom)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({ring.primary for ring in rings}) == 1
    assert len(rings) == 8
    assert list(path.parent.iterdir()) == [path]  # nothing unfinished is left


def test_making_it_never_replaces_one(ring: FileKeyRing, path: Path) -> None:
    with pytest.raises(KeyFileUnusable):
        FileKeyRing.create(path, system_entropy)
    assert FileKeyRing.load(path, system_entropy).primary == ring.primary


def test_a_rotation_that_dies_half_way_leaves_the_old_file(
    ring: FileKeyRing, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(KeyFileUnusable, match="no space left"):
        ring.rotate()
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o644])
def test_a_file_that_others_may_read_is_refused(ring: FileKeyRing, path: Path, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(KeyFileExposed) as refusal:
        FileKeyRing.load(ring.path, system_entropy)
    assert refusal.value.mode == f"{mode:o}"
    assert "chmod 600" in refusal.value.sentence()


def test_a_missing_file_is_missing(path: Path) -> None:
    with pytest.raises(KeyFileMissing):
        FileKeyRing.load(path, system_entropy)


GOOD = {"id": "00" * 8, "key": "A" * 43 + "="}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "\x00",
        json.dumps({"version": 1, "primary": "00" * 8, "keys": []}),
        json.dumps({"version": 1, "primary": "11" * 8, "keys": [GOOD]}),
        json.dumps({"version": 2, "primary": "00" * 8, "keys": [GOOD]}),
        json.dumps({"version": 1, "primary": "00" * 8, "keys": [GOOD, GOOD]}),
        json.dumps({"version": 1, "primary": "00", "keys": [{**GOOD, "id": "00"}]}),
        json.dumps({"version": 1, "primary": "00" * 8, "keys": [{**GOOD, "key": "QUJD"}]}),
        json.dumps({"version": 1, "primary": "00" * 8, "keys": [{**GOOD, "key": "é" * 44}]}),
        json.dumps({"version": 1, "primary": "00" * 8, "keys": [GOOD], "more": 1}),
        "x" * ((1 << 20) + 1),
    ],
)
def test_what_is_no_key_file_is_refused(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(KeyFileUnusable):
        FileKeyRing.load(path, system_entropy)


def test_a_good_file_of_that_form_is_read(path: Path) -> None:
    path.write_text(json.dumps({"version": 1, "primary": "00" * 8, "keys": [GOOD]}))
    path.chmod(0o600)
    assert FileKeyRing.load(path, system_entropy).primary == "00" * 8


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file_is_refused_at_once(path: Path, make: object) -> None:
    assert callable(make)
    make(path, 0o600)
    with pytest.raises(KeyFileUnusable):
        FileKeyRing.load(path, system_entropy)


def test_a_secret_is_in_no_repr_and_no_refusal(ring: FileKeyRing, path: Path) -> None:
    stored = json.loads(path.read_text())["keys"][0]["key"]
    shown = [repr(ring), repr(ring._primary), str(ring), repr(ring._keys)]
    path.write_text(path.read_text().replace('"version": 1', '"version": "x"'))
    with contextlib.suppress(KeyFileUnusable):
        FileKeyRing.load(path, system_entropy)
        pytest.fail("a damaged file was read")
    try:
        FileKeyRing.load(path, system_entropy)
    except KeyFileUnusable as refusal:
        shown += [repr(refusal), refusal.sentence(), repr(refusal.data())]
    for text in shown:
        assert stored not in text
        assert repr(ring._primary.secret)[2:-1] not in text


def test_where_the_keys_are(tmp_path: Path) -> None:
    assert key_file({}, tmp_path) == tmp_path / "keys"
    assert key_file({"TANDEM_KEY_FILE": ""}, tmp_path) == tmp_path / "keys"
    assert key_file({"TANDEM_KEY_FILE": "/k/f"}, tmp_path) == Path("/k/f")
