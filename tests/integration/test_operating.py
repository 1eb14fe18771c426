"""What the guide for operators says to type is what works."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from living import Living, Person, Shop, living, made, open_shop, post, sign_up
from tandem.settings import read_settings

ROOT: Final = Path(__file__).parents[2]
GUIDE: Final = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
LIMIT_S: Final = 120


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """The commands of backup and restore, in order."""
    return [line[2:] for block in blocks("console") for line in block.splitlines()]


def run(command: str, data: Path, folder: Path) -> str:
    """As the reader types it, in a folder of their own."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    kept = {name: text for name, text in os.environ.items() if not name.startswith("TANDEM_")}
    done = subprocess.run(  # noqa: S602 - the guide's own commands, as a reader's shell runs them
        command,
        shell=True,
        cwd=folder,
        env={**kept, "PATH": path, "TANDEM_DATA": str(data)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    assert "Traceback" not in done.stdout
    return done.stdout


async def test_a_backup_taken_while_it_serves_is_restored_with_its_keys(
    new_data: Path, tmp_path: Path
) -> None:
    backup, *restore = commands()
    restored = new_data.with_name("restored")
    async with living(new_data) as server:
        async with server.client(server.operator_key) as operator:
            lin = await sign_up(operator, "lin", yuan=100)
            door = await open_shop(server, operator, "Blue Door")
        async with server.client(door.key) as shop:
            await post(shop, "/v1/webhooks", {"url": "http://127.0.0.1:1/hook"})
        assert await pays(server, door, lin) == "captured"
        await asyncio.to_thread(run, backup, new_data, tmp_path)
        await asyncio.to_thread(run, "tandem keys rotate", new_data, tmp_path)
        assert await pays(server, door, lin, counter=1) == "captured", "after the backup"
        restored.mkdir(mode=0o711)
        shutil.copy2(new_data / "keys", restored / "keys")
        operator_key = server.operator_key
    said = [await asyncio.to_thread(run, command, restored, tmp_path) for command in restore]
    assert "nothing differs" in said[-2]
    assert "missing" not in said[-1]
    async with living(restored) as server:
        async with server.client(lin.key) as phone:
            wallet = made(await phone.get("/v1/wallet"))
        assert wallet["balances"][0]["balance"] == 9_900, "as it was at the backup"
        assert await pays(server, door, lin, counter=2) == "captured"
        async with server.client(operator_key) as operator:
            assert made(await operator.get("/v1/merchants"))["data"]
        assert server.faults() == []


async def pays(server: Living, door: Shop, who: Person, counter: int = 0) -> str:
    code = who.pay_code(counter=counter)
    order = {"till_id": door.till_id, "amount": 100, "currency": "CNY", "pay_code": code}
    async with server.client(door.key) as shop:
        return str((await post(shop, "/v1/payments", order))["status"])


def test_the_settings_of_the_service_are_settings() -> None:
    (block,) = [block for block in blocks("sh") if "TANDEM_DATA=" in block]
    given = dict(re.findall(r"^(\w+)='(.*)'$", block, re.MULTILINE))
    assert len(given) == len(block.splitlines())
    assert read_settings(given).reaches_others


def test_the_unit_is_one_that_systemd_reads(tmp_path: Path) -> None:
    checker = shutil.which("systemd-analyze")
    if checker is None:
        pytest.skip("no systemd on this machine")
    (unit,) = blocks("ini")
    path = tmp_path / "tandem.service"
    path.write_text(re.sub(r"^(ExecStart=)\S+", r"\1/bin/true", unit, flags=re.MULTILINE))
    done = subprocess.run(  # noqa: S603 - a program of the system, on a file of ours
        [checker, "verify", str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    ours = [line for line in done.stderr.splitlines() if "tandem.service" in line]
    assert ours == []
