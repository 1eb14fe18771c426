"""The till's reader: every way a payment can end, and what it owes its host after a crash."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from emv_tap import NOW, PAN, WIDE, profile
from tandem.emv.terminal import Answer, Cvm, UiRequest
from tandem.kernel import Invalid, ManualClock
from tandem.merchants import Acceptance, WayRefused
from tandem.merchants.model import Choice, WayRule
from tandem.tap import (
    Device,
    Direct,
    DirectField,
    NoCard,
    Payment,
    PolicyUnknown,
    Reply,
    State,
    StoreUnusable,
    TerminalMisset,
    TerminalStore,
    Transport,
    Unanswered,
    Unreachable,
    read_terminal_settings,
    read_trusted,
    receipt,
)
from tandem.tap.payment import mask
from tandem.tap.terminal import issuer_data
from tap_play import PASSCODE, device_in
from tap_shop import NO, SETTINGS, SETTINGS_TEXT, YES, FakeHost, Says, till_in

FLOOR = 5_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "terminal"


@pytest.fixture
def device(tmp_path: Path, clock: ManualClock) -> Iterator[Device]:
    with device_in(tmp_path / "device", clock, profile(limits=WIDE), passcode=PASSCODE) as made:
        made.verify(PASSCODE)
        yield made


async def test_a_small_payment_is_approved_offline_and_sent_on(
    folder: Path, device: Device, clock: ManualClock
) -> None:
    host, shown = FakeHost(YES), list[UiRequest]()
    with till_in(folder, DirectField(device), host, clock, shown=shown) as (till, store):
        payment = await till.take(3800)
        assert (payment.approved, payment.offline, payment.cvm) == (True, True, Cvm.DEVICE)
        assert [due.state for due in store.due()] == [State.ADVICE_DUE]
        assert host.asked == []
        assert len(await till.send_due()) == 1
        assert host.asked == [("advise", payment.number, False)]
        assert store.due() == ()
    assert [(ui.text(), ui.lights.lit) for ui in shown] == [
        ("Present card", 1),
        ("Processing", 1),
        ("Approved", 4),
    ]


async def test_above_the_floor_limit_the_host_decides(
    folder: Path, device: Device, clock: ManualClock
) -> None:
    host, shown = FakeHost(YES, NO), list[UiRequest]()
    with till_in(folder, DirectField(device), host, clock, shown=shown) as (till, store):
        payment = await till.take(8000)
        assert (payment.approved, payment.authorisation_code) == (True, "A00001")
        device.verify(PASSCODE)
        payment = await till.take(8000)
        assert (payment.approved, payment.response_code) == (False, "51")
        assert store.due() == ()
    words = [ui.text() for ui in shown]
    assert words[:4] == ["Present card", "Processing", "Authorising, please wait", "Approved"]
    assert words[-1] == "Not authorised"


# -- what is owed to the host --------------------------------------------------------------------


async def test_a_request_without_an_answer_is_declined_and_reversed_until_it_is_acknowledged(
    folder: Path, device: Device, clock: ManualClock
) -> None:
    busy = msgspec.structs.replace(NO, code="91")
    host = FakeHost(Unanswered(), Unanswered(), Unreachable(), busy, YES)
    with till_in(folder, DirectField(device), host, clock) as (till, store):
        payment = await till.take(8000)
        assert not payment.approved
        assert [len(await till.send_due()) for _ in range(4)] == [0, 0, 0, 1]
        (state, _), *_ = store.last(1)
        assert state is State.REVERSED
    assert host.asked == [
        ("authorise", 1, False),
        ("reverse", 1, False),
        *[("reverse", 1, True)] * 3,
    ]


async def test_what_a_host_took_and_the_terminal_did_not_is_taken_back(
    folder: Path, device: Device, clock: ManualClock
) -> None:
    host = FakeHost(msgspec.structs.replace(NO, code="10", undo=True), YES)
    with till_in(folder, DirectField(device), host, clock) as (till, store):
        assert not (await till.take(8000)).approved
        assert len(await till.send_due()) == 1
        assert states(store)[0] is State.REVERSED
    assert host.asked == [("authorise", 1, False), ("reverse", 1, False)]


async def test_a_host_that_was_not_reached_needs_no_reversal(
    folder: Path, device: Device, clock: ManualClock
) -> None:
    with till_in(folder, DirectField(device), FakeHost(Unreachable()), clock) as (till, store):
        assert not (await till.take(8000)).approved
        assert store.due() == ()


@pytest.mark.parametrize("ended", [KeyboardInterrupt(), asyncio.CancelledError()])
async def test_a_request_that_was_under_way_when_it_crashed_is_reversed(
    folder: Path, device: Device, clock: ManualClock, ended: BaseException
) -> None:
    host = FakeHost(YES)

    def die() -> None:
        raise ended

    with till_in(folder, DirectField(device), host, clock) as (till, store):
        host.before = lambda: copied.append(states(store))
        copied: list[list[State]] = []
        await till.take(8000)
        assert copied == [[State.ASKING]], "it is on disk before it is sent"
    device.verify(PASSCODE)
    host.before = die
    with (
        till_in(folder, DirectField(device), host, clock) as (till, _),
        pytest.raises(type(ended)),
    ):
        await till.take(8000)
    with till_in(folder, DirectField(device), FakeHost(YES), clock) as (till, store):
        assert states(store)[0] is State.REVERSAL_DUE
        assert len(await till.send_due()) == 1


def contents(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


def states(store: TerminalStore) -> list[State]:
    return [state for state, _ in store.last(100)]


async def test_a_process_that_died_in_the_middle_leaves_a_reversal(
    folder: Path, device: Device, clock: ManualClock, tmp_path: Path
) -> None:
    """The files as they are on disk while the host is asked, opened by another process."""
    host = FakeHost(YES)
    crashed = tmp_path / "crashed"

    def snapshot() -> None:
        crashed.mkdir(mode=0o700)
        for path in folder.iterdir():
            (crashed / path.name).write_bytes(path.read_bytes())
            (crashed / path.name).chmod(0o600)

    host.before = snapshot
    with till_in(folder, DirectField(device), host, clock) as (till, _):
        await till.take(8000)
    again = FakeHost(YES)
    with till_in(crashed, DirectField(device), again, clock) as (till, _):
        assert len(await till.send_due()) == 1
    assert again.asked == [("reverse", 1, False)]


async def test_approvals_offline_survive_a_restart_and_go_in_order(
    folder: Path, device: Device, clock: ManualClock
) -> None:
    for _ in range(3):
        with till_in(folder, DirectField(device), FakeHost(), clock) as (till, _):
            assert (await till.take(100)).approved
    host = FakeHost(YES, Unanswered(), YES, YES)
    with till_in(folder, DirectField(device), host, clock) as (till, _):
        assert len(await till.send_due()) == 2
        assert len(await till.send_due()) == 1
    assert host.asked == [
        ("advise", 1, False),
        ("advise", 2, False),
        ("advise", 3, False),
        ("advise", 2, True),
    ]


async def test_an_advice_that_the_host_refuses_is_told_and_not_sent_for_ever(
    folder: Path, device: Device, clock: ManualClock
) -> None:
    with till_in(folder, DirectField(device), FakeHost(NO), clock) as (till, store):
        await till.take(100)
        with capture_logs() as logged:
            (settled,) = await till.send_due()
        assert [entry["code"] for entry in logged] == ["51"]
        ((_, payment),) = store.last(1)
        assert payment.response_code == "51"
        assert settled == payment
        assert payment.unpaid
        with pytest.raises(Invalid, match="took nothing"):
            await till.refund(payment.number)
        assert await till.send_due() == []


async def test_a_host_says_yes_to_an_advice_in_a_code_of_its_own(
    folder: Path, device: Device, clock: ManualClock
) -> None:
    taken = Reply(approved=True, code="08")
    with till_in(folder, DirectField(device), FakeHost(taken), clock) as (till, store):
        await till.take(100)
        (settled,) = await till.send_due()
        assert (settled.response_code, settled.unpaid) == ("08", False)
        ((_, kept),) = store.last(1)
        assert not kept.unpaid


@pytest.mark.parametrize(("code", "unpaid"), [("", False), ("00", False), ("51", True)])
def test_a_payment_that_an_older_version_stored_is_read(
    clock: ManualClock, code: str, *, unpaid: bool
) -> None:
    now = Payment(
        number=1, at=clock.now(), amount=1, currency="CNY", approved=True, offline=True,
        response_code=code,
    )  # fmt: skip
    before = msgspec.to_builtins(now)
    del before["host_approved"]
    assert msgspec.convert(before, Payment).unpaid is unpaid


async def test_what_is_secret_is_sealed_and_goes_when_nothing_is_due(
    folder: Path, device: Device, clock: ManualClock
) -> None:
    with till_in(folder, DirectField(device), FakeHost(YES), clock) as (till, store):
        await till.take(100)
        kept = contents(folder)
        assert PAN.encode() not in kept
        assert store.due()[0].secret.pan == PAN
        assert PAN not in repr(store.due())
        await till.send_due()
        assert store._folder.rows("SELECT sealed FROM payments") == [(None,)]


async def test_an_approval_that_cannot_be_kept_is_not_shown(
    folder: Path, device: Device, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[UiRequest] = []

    def full(*_: object) -> None:
        raise StoreUnusable("here", "no space left on device")

    with till_in(folder, DirectField(device), FakeHost(), clock, shown=shown) as (till, _):
        monkeypatch.setattr(TerminalStore, "save", full)
        with pytest.raises(StoreUnusable):
            await till.take(100)
    assert [ui.text() for ui in shown] == ["Present card", "Processing"]


# -- torn, absent, refused -----------------------------------------------------------------------


class Tears:
    """A field in which the first taps tear at this command."""

    def __init__(self, device: Device, at: int, times: int = 1) -> None:
        self.device, self.at, self.times = device, at, times

    def wait(self, within_seconds: float) -> Transport:
        del within_seconds
        inner = Direct(self.device)
        if not self.times:
            return inner
        self.times -= 1
        return Torn(inner, self.at)

    def gone(self, within_seconds: float) -> bool:
        return within_seconds > 0


class Torn:
    """A device that is taken away at this command."""

    def __init__(self, inner: Direct, at: int) -> None:
        self.inner, self.left = inner, at

    def transmit(self, apdu: bytes) -> Answer:
        if not self.left:
            self.inner.tear()
        self.left -= 1
        return self.inner.transmit(apdu)


@pytest.mark.parametrize("at", range(8))
async def test_a_torn_tap_is_tapped_again_and_paid_once(
    folder: Path, device: Device, clock: ManualClock, at: int
) -> None:
    shown: list[UiRequest] = []
    host = FakeHost(YES)
    field = Tears(device, at)
    with till_in(folder, field, host, clock, shown=shown) as (till, store):
        payment = await till.take(100)
        assert payment.approved
        assert len(store.due()) == 1
    assert [ui.text() for ui in shown].count("Present card again") == 2


class Empty:
    """Nobody is there, and time passes."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock

    def wait(self, within_seconds: float) -> None:
        self.clock.advance(timedelta(seconds=within_seconds))

    def gone(self, within_seconds: float) -> bool:
        return within_seconds > 0


async def test_nobody_taps(folder: Path, clock: ManualClock) -> None:
    with till_in(folder, Empty(clock), FakeHost(), clock) as (till, store):
        with pytest.raises(NoCard):
            await till.take(100)
        assert states(store) == [State.DONE]


OFF = Acceptance({"tap": WayRule(enabled=False)})


async def test_where_tap_is_off_no_card_is_asked_for(
    folder: Path, device: Device, clock: ManualClock
) -> None:
    shown: list[UiRequest] = []
    policy = Says(OFF)
    with till_in(folder, DirectField(device), FakeHost(), clock, policy=policy, shown=shown) as (
        till,
        _,
    ):
        with pytest.raises(WayRefused) as refused:
            await till.take(100)
        assert refused.value.reason == "way_off"
        policy.acceptance = Acceptance({"tap": WayRule(max_amount={"CNY": 99})})
        with pytest.raises(WayRefused):
            await till.take(100)
        policy.acceptance = None
        with pytest.raises(PolicyUnknown):
            await till.take(100)
    assert shown == []


async def test_a_change_of_the_policy_ends_the_waiting(folder: Path, clock: ManualClock) -> None:
    policy = Says(Acceptance())

    class Changes(Empty):
        def wait(self, within_seconds: float) -> None:
            assert within_seconds <= 0.5
            policy.acceptance = OFF

    with (
        till_in(folder, Changes(clock), FakeHost(), clock, policy=policy) as (till, _),
        pytest.raises(WayRefused),
    ):
        await till.take(100)


@pytest.mark.parametrize("taken", [Choice(refused=("f074616e64",)), Choice(only=("A000000003",))])
async def test_an_application_that_the_shop_does_not_take_is_not_even_asked_for(
    folder: Path, device: Device, clock: ManualClock, taken: Choice
) -> None:
    policy, host = Says(Acceptance(aids=taken)), FakeHost(YES)
    with till_in(folder, DirectField(device), host, clock, policy=policy) as (till, store):
        payment = await till.take(8000)
        assert (payment.approved, payment.card) == (False, "")
        policy.acceptance = Acceptance(aids=Choice(only=("F074616E64656D",)))
        assert (await till.take(8000)).approved
        assert store.due() == ()
    assert len(host.asked) == 1


async def test_an_application_refused_while_the_card_was_read_is_declined(
    folder: Path, device: Device, clock: ManualClock
) -> None:
    policy, host = Says(Acceptance()), FakeHost()

    class Changes(DirectField):
        def wait(self, within_seconds: float) -> Transport | None:
            policy.acceptance = Acceptance(aids=Choice(refused=("F074616E64656D",)))
            return super().wait(within_seconds)

    with till_in(folder, Changes(device), host, clock, policy=policy) as (till, store):
        payment = await till.take(8000)
        assert (payment.approved, payment.why) == (False, "aid_refused")
        assert store.due() == ()


# -- paper and settings --------------------------------------------------------------------------


async def test_the_receipt_says_what_happened_and_hides_the_card(
    folder: Path, device: Device, clock: ManualClock
) -> None:
    with till_in(folder, DirectField(device), FakeHost(YES), clock) as (till, _):
        payment = await till.take(8000)
    assert (
        receipt(payment, SETTINGS.shop)
        == """\
           Blue Door

2029-06-15              20:30:45
Terminal                      T1
Number                    000001

PURCHASE               CNY 80.00
Contactless     ************0121
TANDEM            F074616E64656D
Counter                        1
Approval                  A00001
Verified on the device

            APPROVED"""
    )


def test_a_declined_receipt_says_so(clock: ManualClock) -> None:
    payment = Payment(number=1, at=clock.now(), amount=1, currency="CNY", response_code="51")
    assert receipt(payment, SETTINGS.shop).endswith("DECLINED 51")


@given(st.text("0123456789", max_size=19))
def test_a_masked_number_shows_four_digits_at_most(pan: str) -> None:
    assert sum(c.isdigit() for c in mask(pan)) <= 4


@given(st.binary(max_size=60))
def test_whatever_a_host_sends_as_chip_data_is_read_or_left(icc: bytes) -> None:
    assert isinstance(issuer_data(icc), bytes)


def test_the_issuer_s_data_is_found() -> None:
    assert issuer_data(bytes.fromhex("8A023030" + "910A" + "11" * 10)) == b"\x11" * 10


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('currency = "CNY"', 'currency = "XX"'),
        ('zone = "Asia/Shanghai"', 'zone = "../etc"'),
        ('aid = "F0', 'aid = "X0'.lower()),
        ("floor_limit = 5000", "floor_limit = -1"),
        ("floor_limit = 5000", 'tac_denial = "84000000"'),
        ("floor_limit = 5000", 'tac_online = "30F880F8GG"'),
        ("country = 156", "country = 1000"),
        ('name = "Blue Door"', 'name = ""'),
        ("[shop]", "[shopp]"),
        ("wait_seconds = 2", "wait_seconds = 0"),
        ("[[aids]]", "[aids]"),
    ],
)
def test_settings_that_cannot_be_are_refused(old: str, new: str) -> None:
    text = SETTINGS_TEXT.replace("f074", "F074")
    assert old in text
    with pytest.raises(TerminalMisset):
        read_terminal_settings(text.replace(old, new).encode())


def test_settings_without_end_and_names_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TerminalMisset, match="nested"):
        read_terminal_settings(b"a=" + b"[" * 100_000)
    odd = msgspec.structs.replace(SETTINGS, trusted="a\0b")
    with pytest.raises(TerminalMisset, match="file's name"):
        read_trusted(odd, tmp_path)


@given(st.binary(max_size=200))
def test_no_settings_make_anything_but_a_refusal(text: bytes) -> None:
    with pytest.raises(TerminalMisset):
        read_terminal_settings(text)
