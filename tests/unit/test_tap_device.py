"""The phone as a program: what it saves, when, and what it lets nobody do."""

import sqlite3
import stat
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from emv_tap import CRYPTOGRAM_KEY, NOW, PAN, PROFILE
from tandem.emv.apdu import Response, Status
from tandem.emv.card import CardState, Reason, Tap
from tandem.emv.terminal import Cvm, Result, Why
from tandem.kernel import Invalid, ManualClock, system_entropy
from tandem.tap import (
    CardHeld,
    Device,
    DeviceStore,
    Direct,
    PasscodeLocked,
    PasscodeWrong,
    StoreUnusable,
)
from tandem.tap.passcode import MAX_TRIES
from tap_play import PASSCODE, device_in, pay, provisioned


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "device"


def saved(folder: Path) -> CardState:
    """The state on the disk, read past the program."""
    with sqlite3.connect(folder / "device.db") as db:
        (state,) = db.execute("SELECT state FROM cards").fetchone()
    return msgspec.json.decode(state, type=CardState)


def test_a_tap_is_paid_and_told(folder: Path, clock: ManualClock) -> None:
    told: list[Tap] = []
    with device_in(folder, clock, told=told) as device:
        outcome = pay(Direct(device))
    assert outcome.result is Result.APPROVED
    assert [(tap.amount, tap.merchant.strip(), tap.reason) for tap in told] == [
        (3800, "Noodles", Reason.DONE)
    ]


def test_no_answer_leaves_before_its_state_is_on_the_disk(folder: Path, clock: ManualClock) -> None:
    with device_in(folder, clock) as device:
        transport, seen = Direct(device), []

        class Watched:
            def transmit(self, apdu: bytes) -> bytes:
                answer = transport.transmit(apdu)
                assert isinstance(answer, bytes)
                if b"\x9f\x36\x02" in answer:
                    number = answer[answer.index(b"\x9f\x36\x02") + 3 :][:2]
                    seen.append((int.from_bytes(number, "big"), saved(folder).atc))
                return answer

        pay(Watched())
    assert seen == [(1, 1)]


def test_a_device_that_was_ended_goes_on_above_its_last_number(
    folder: Path, clock: ManualClock
) -> None:
    for number in (1, 2, 3):
        with device_in(folder, clock) as device:
            pay(Direct(device), amount=100)
        assert saved(folder).atc == number


def test_what_cannot_be_saved_is_not_answered(
    folder: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreUnusable("here", "no space left on device")

    with device_in(folder, clock) as device:
        with monkeypatch.context() as patched, capture_logs() as logged:
            patched.setattr(DeviceStore, "save_state", full)
            assert pay(Direct(device)).why is Why.CARD_ERROR
        assert [entry["event"] for entry in logged] == ["a command was not answered"]
        assert saved(folder).atc == 0
        assert pay(Direct(device)).result is Result.APPROVED
    assert saved(folder).atc == 2, "the number that was not answered is used up"


def test_a_counter_never_goes_back(folder: Path) -> None:
    with DeviceStore(folder, system_entropy) as store:
        card = provisioned(PROFILE(), CardState(atc=7))
        store.add(card)
        with pytest.raises(StoreUnusable):
            store.save_state(card.id, CardState(atc=6))
        assert saved(folder).atc == 7


def test_one_program_at_a_time_has_a_device(folder: Path) -> None:
    with DeviceStore(folder, system_entropy), pytest.raises(StoreUnusable, match="another"):
        DeviceStore(folder, system_entropy)


def test_cards_and_keys_cannot_be_read_from_the_folder(folder: Path, clock: ManualClock) -> None:
    with device_in(folder, clock, passcode=PASSCODE):
        pass
    secrets = (CRYPTOGRAM_KEY, PAN.encode(), PASSCODE.encode(), PROFILE().keys.private_key[40:72])
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name
        assert not [s for s in secrets if s in path.read_bytes()], path.name
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_file_that_others_may_read_is_refused(folder: Path) -> None:
    with DeviceStore(folder, system_entropy):
        pass
    (folder / "device.db").chmod(0o644)
    with pytest.raises(StoreUnusable, match="others may read"):
        DeviceStore(folder, system_entropy)


def test_a_card_is_held_once_and_can_be_removed(folder: Path) -> None:
    card = provisioned(PROFILE(), CardState())
    with DeviceStore(folder, system_entropy) as store:
        store.add(card)
        with pytest.raises(CardHeld):
            store.add(card)
        assert store.cards() == (card,)
        assert store.remove(card.id)
        assert not store.remove(card.id)
        assert store.cards() == ()


def test_of_cards_with_one_aid_the_chosen_one_is_presented(
    folder: Path, clock: ManualClock
) -> None:
    first = provisioned(PROFILE(), CardState())
    other = msgspec.structs.replace(first, id="crd_other")
    with DeviceStore(folder, system_entropy) as store:
        for card in (first, other):
            store.add(card)
        device = Device(store, clock, system_entropy)
        for chosen in (first, other, first):
            store.choose(chosen.id)
            device.reload()
            before = {card.id: card.state.atc for card in store.cards()}
            pay(Direct(device), 100)
            after = {card.id: card.state.atc for card in store.cards()}
            assert device.tapped == chosen.id
            assert after == before | {chosen.id: before[chosen.id] + 1}


def test_a_suspended_card_is_not_presented(folder: Path, clock: ManualClock) -> None:
    card = provisioned(PROFILE(), CardState())
    with DeviceStore(folder, system_entropy) as store:
        store.add(card)
        store.set_status(card.id, "suspended")
        device = Device(store, clock, system_entropy)
        assert pay(Direct(device)).why is Why.NO_APPLICATION
        store.set_status(card.id, "active")
        device.reload()
        assert pay(Direct(device)).result is Result.APPROVED


# -- the passcode --------------------------------------------------------------------------------


def test_a_verified_payment_may_be_higher_and_only_once(folder: Path, clock: ManualClock) -> None:
    with device_in(folder, clock, passcode=PASSCODE) as device:
        assert pay(Direct(device), 30_000).why is Why.VERIFY
        device.verify(PASSCODE)
        outcome = pay(Direct(device), 30_000)
        assert (outcome.result, outcome.cvm) == (Result.ONLINE_REQUEST, Cvm.DEVICE)
        assert pay(Direct(device), 30_000).why is Why.VERIFY


def test_a_verification_is_good_for_a_minute(folder: Path, clock: ManualClock) -> None:
    with device_in(folder, clock, passcode=PASSCODE) as device:
        device.verify(PASSCODE)
        clock.advance(timedelta(seconds=61))
        assert pay(Direct(device), 30_000).why is Why.VERIFY


def test_wrong_tries_are_counted_over_restarts_until_it_locks(
    folder: Path, clock: ManualClock
) -> None:
    for left in range(MAX_TRIES - 1, -1, -1):
        with device_in(folder, clock, passcode=PASSCODE) as device:
            with pytest.raises(PasscodeWrong) as refused:
                device.verify("000001")
            assert refused.value.tries_left == left
    with device_in(folder, clock) as device:
        assert device.tries_left == 0
        with pytest.raises(PasscodeLocked):
            device.verify(PASSCODE)
        with pytest.raises(PasscodeLocked):
            device.set_passcode("246801", PASSCODE)


def test_a_right_try_gives_all_tries_back(folder: Path, clock: ManualClock) -> None:
    with device_in(folder, clock, passcode=PASSCODE) as device:
        with pytest.raises(PasscodeWrong):
            device.verify("000001")
        device.verify(PASSCODE)
        assert device.tries_left == MAX_TRIES


def test_a_wrong_try_takes_the_verification_before_it_away(
    folder: Path, clock: ManualClock
) -> None:
    with device_in(folder, clock, passcode=PASSCODE) as device:
        device.verify(PASSCODE)
        with pytest.raises(PasscodeWrong):
            device.verify("000001")
        assert pay(Direct(device), 30_000).why is Why.VERIFY


def test_a_try_is_counted_even_if_the_process_ends_in_it(
    folder: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends(*_: object) -> bool:
        raise KeyboardInterrupt

    with device_in(folder, clock, passcode=PASSCODE) as device:
        monkeypatch.setattr("tandem.tap.device.right", ends)
        with pytest.raises(KeyboardInterrupt):
            device.verify("000001")
        assert device.tries_left == MAX_TRIES - 1


@pytest.mark.parametrize(
    "digits",
    ["", "12345", "1234567890123", "111111", "12345a", "\uff11\uff12" * 3],
)
def test_what_is_no_passcode_is_not_set(folder: Path, clock: ManualClock, digits: str) -> None:
    with device_in(folder, clock) as device, pytest.raises(Invalid):
        device.set_passcode(digits)


# -- whatever a reader sends ---------------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(commands=st.lists(st.binary(max_size=300), max_size=6))
def test_nothing_that_a_reader_sends_raises(
    tmp_path_factory: pytest.TempPathFactory, commands: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("device")
    with device_in(folder, ManualClock(NOW)) as device:
        for command in commands:
            assert Response.read(device.exchange(command)).status != Status.OK
