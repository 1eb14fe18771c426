"""The terminal's exception file: a listed card is not approved without the host."""

import os
from collections.abc import Iterator
from errno import EACCES
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from emv_tap import NOW, PAN, WIDE, profile
from tandem.kernel import ManualClock
from tandem.tap import Device, DirectField, TerminalMisset, Unreachable, read_exceptions
from tandem.tap.exceptions import ExceptionFile
from tap_play import PASSCODE, device_in
from tap_shop import SETTINGS, YES, FakeHost, till_in

OTHER = "9801230000000121"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def device(tmp_path: Path, clock: ManualClock) -> Iterator[Device]:
    with device_in(tmp_path / "device", clock, profile(limits=WIDE), passcode=PASSCODE) as made:
        made.verify(PASSCODE)
        yield made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "exceptions.txt"
    made.write_text(f"# of the operator\n\n{OTHER}\n")
    return made


def write(file: Path, *numbers: str) -> None:
    file.write_text("".join(f"{number}\n" for number in numbers))


async def test_a_card_that_is_listed_while_the_terminal_runs_is_not_approved_offline(
    tmp_path: Path, device: Device, clock: ManualClock, file: Path
) -> None:
    settings = msgspec.structs.replace(SETTINGS, exceptions=file.name)
    listed = read_exceptions(settings, tmp_path)
    host = FakeHost(Unreachable(), YES)
    folder, field = tmp_path / "till", DirectField(device)
    with till_in(folder, field, host, clock, exceptions=listed) as (till, _):
        assert (await till.take(100)).offline
        write(file, OTHER, PAN)
        refused = await till.take(100)
        assert (refused.approved, refused.why) == (False, "no_answer")
        assert not (await till.take(100)).offline, "the host may know better"
        write(file)
        assert (await till.take(100)).offline
    assert [what for what, _, _ in host.asked] == ["authorise", "authorise"]


async def test_a_terminals_action_code_declines_a_listed_card_without_asking(
    tmp_path: Path, device: Device, clock: ManualClock, file: Path
) -> None:
    (aid,) = SETTINGS.aids
    denies = msgspec.structs.replace(aid, tac_denial="9400000000")
    settings, host = msgspec.structs.replace(SETTINGS, aids=(denies,)), FakeHost()
    write(file, PAN)
    listed, folder, field = ExceptionFile(file), tmp_path / "till", DirectField(device)
    with till_in(folder, field, host, clock, settings=settings, exceptions=listed) as (till, _):
        assert (await till.take(100)).why == "card_declined"
    assert host.asked == []


@pytest.mark.parametrize("gate", [False, True])
async def test_where_nobody_is_asked_a_listed_card_is_declined(
    tmp_path: Path, device: Device, clock: ManualClock, file: Path, *, gate: bool
) -> None:
    (aid,) = SETTINGS.aids
    aids = (msgspec.structs.replace(aid, transit=gate, deferred_limit=1000),)
    settings = msgspec.structs.replace(SETTINGS, kind="offline", aids=aids)
    listed, field = ExceptionFile(file), DirectField(device)
    write(file, PAN)
    with till_in(
        tmp_path / "till", field, FakeHost(), clock, settings=settings, exceptions=listed
    ) as (till, store):
        assert not (await till.take(100)).approved
        assert store.due() == ()


def test_what_cannot_be_used_is_said_and_the_list_before_holds(file: Path) -> None:
    listed = ExceptionFile(file)
    assert OTHER in listed
    assert PAN not in listed
    for spoil, reason in (
        (lambda: file.write_text(f"{PAN}\n9801-2300\n"), "line 2: is no number"),
        (lambda: file.write_bytes(b"\xff\xfe"), "is no text"),
        (file.unlink, "no such file"),
    ):
        spoil()
        with capture_logs() as logged:
            assert OTHER in listed
            assert PAN not in listed
        assert [reason in entry["reason"] for entry in logged] == [True], "once"
        assert PAN not in str(logged)
        with pytest.raises(TerminalMisset, match=reason):
            ExceptionFile(file)
    file.write_text(PAN)
    assert PAN in listed
    assert OTHER not in listed


def test_a_file_whose_rights_are_mended_is_read_again(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As whoever may not read it sees it: root, who may run this, reads everything."""
    read = Path.read_text

    def read_text(self: Path, encoding: str | None = None) -> str:
        if not self.stat().st_mode & 0o400:
            raise PermissionError(EACCES, "Permission denied")
        return read(self, encoding=encoding)

    monkeypatch.setattr(Path, "read_text", read_text)
    listed = ExceptionFile(file)
    write(file, PAN)
    file.chmod(0o000)
    with capture_logs() as logged:
        assert PAN not in listed
        assert OTHER in listed
    assert ["permission denied" in entry["reason"] for entry in logged] == [True]
    seen = file.stat().st_ctime_ns
    while file.stat().st_ctime_ns == seen:  # a file's clock ticks some hundred times a second
        file.chmod(0o600)
    assert PAN in listed
    assert OTHER not in listed


def test_a_byte_order_mark_is_no_part_of_the_first_number(file: Path) -> None:
    file.write_text(f"{PAN}\r\n", encoding="utf-8-sig")
    assert PAN in ExceptionFile(file)


def test_what_is_no_file_is_not_waited_for(file: Path) -> None:
    listed = ExceptionFile(file)
    file.unlink()
    os.mkfifo(file)
    with capture_logs() as logged:
        assert OTHER in listed
    assert ["no regular file" in entry["reason"] for entry in logged] == [True]
    for path in (file, Path("/dev/zero"), file.parent, file.parent / "a\0b"):
        with pytest.raises(TerminalMisset):
            ExceptionFile(path)


def test_without_the_setting_there_is_no_such_file(tmp_path: Path) -> None:
    assert PAN not in read_exceptions(SETTINGS, tmp_path)
