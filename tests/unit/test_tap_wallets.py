"""Wallets that a shop refuses: whose a card is says the operator; an unknown one pays online."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from emv_tap import DATA, NOW, WIDE, profile
from tandem.kernel import ManualClock
from tandem.merchants import Acceptance, Choice
from tandem.tap import Device, DirectField, Unreachable
from tap_play import PASSCODE, device_in
from tap_shop import NO, SETTINGS, YES, FakeHost, Says, till_in

OURS = {DATA.token_requestor: "tandem"}
REFUSES = Acceptance(wallets=Choice(refused=("tandem",)))
OFFLINE, ONLINE = 100, 8000


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


@pytest.mark.parametrize("amount", [OFFLINE, ONLINE])
@pytest.mark.parametrize(
    "accepted", [REFUSES, Acceptance(wallets=Choice(only=("harbour",)))], ids=["refused", "others"]
)
async def test_the_operators_wallet_is_refused_without_any_setting(
    folder: Path, device: Device, clock: ManualClock, accepted: Acceptance, amount: int
) -> None:
    host, policy = FakeHost(), Says(accepted, OURS)
    assert SETTINGS.wallets == {}
    with till_in(folder, DirectField(device), host, clock, policy=policy) as (till, store):
        payment = await till.take(amount)
        assert (payment.approved, payment.why) == (False, "wallet_refused")
        assert store.due() == ()
    assert host.asked == []


async def test_a_wallet_of_the_settings_is_refused_by_its_name_and_renames_none_of_the_operators(
    folder: Path, device: Device, clock: ManualClock
) -> None:
    named = msgspec.structs.replace(SETTINGS, wallets={DATA.token_requestor: "harbour"})
    policy = Says(Acceptance(wallets=Choice(refused=("harbour",))))
    field = DirectField(device)
    with till_in(folder, field, FakeHost(), clock, policy=policy, settings=named) as (till, _):
        assert (await till.take(OFFLINE)).why == "wallet_refused"
        policy.wallets = OURS
        assert (await till.take(OFFLINE)).approved
        policy.acceptance = REFUSES
        assert (await till.take(OFFLINE)).why == "wallet_refused"


async def test_where_wallets_are_refused_one_without_a_name_is_not_approved_offline(
    folder: Path, device: Device, clock: ManualClock
) -> None:
    host = FakeHost(NO, YES)
    with till_in(folder, DirectField(device), host, clock, policy=Says(REFUSES)) as (till, store):
        payment = await till.take(OFFLINE)
        assert (payment.approved, payment.why) == (False, "wallet_unknown")
        assert host.asked == []
        device.verify(PASSCODE)
        assert not (await till.take(ONLINE)).approved, "who decides says so"
        device.verify(PASSCODE)
        assert (await till.take(ONLINE)).approved
        assert store.due() == ()


async def test_at_a_gate_one_without_a_name_does_not_pass_without_an_answer(
    folder: Path, device: Device, clock: ManualClock
) -> None:
    (aid,) = SETTINGS.aids
    gate = msgspec.structs.replace(aid, transit=True, floor_limit=0, deferred_limit=1000)
    settings = msgspec.structs.replace(SETTINGS, aids=(gate,))
    host, policy = FakeHost(Unreachable(), Unreachable()), Says(REFUSES)
    field = DirectField(device)
    with till_in(folder, field, host, clock, policy=policy, settings=settings) as (till, store):
        assert not (await till.take(300)).approved
        assert store.due() == ()
        policy.acceptance = Acceptance()
        assert (await till.take(300)).approved
