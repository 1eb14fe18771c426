"""`tandem demo`: the story comes out, shows what it promises, and touches nothing else."""

import asyncio
import io
import os
import re
import signal
import sys
from pathlib import Path

import httpx
import pytest
from demos import LIMIT_SECONDS, demo, environment
from rich.console import Console
from servers import gone

from conftest import open_folder
from living import living
from tandem.kernel import SystemClock, system_entropy
from tandem.sandbox.story import StoryBroke, play, stage

PROMISED = (
    "shows a code for one order",
    "types the amount",
    "made without a network",
    "pay_code_used",
    "capture later, in parts",
    "Refund, in parts",
    "refund_exceeds_captured",
    "send each other money",
    "Declined: payer_cannot_pay",
    "way_refused",
    "fetches what is sealed for its key",
    "The taps go",
    "Verified on the device",
    "The issuer's answer reaches the watch",
    "Approved offline, kept on the terminal's disk, and sent on",
    "See phone for instructions",
    "passes at once",
    "Declined: 63, security violation",
    "The terminal knows it",
    "This shop does not take tap payments at the moment",
    "for 22.00 CNY instead",
    "Declined: 41, lost card",
    "Both receipts",
    "The journal",
    "sees payment.captured live",
    "its signature is right",
    "invites Bo, a cashier",
)


async def test_the_story_comes_out(new_data: Path) -> None:
    # Whatever else is set, the demo is the same: it must not go near another database.
    status, out, err = await demo(
        new_data,
        "--once",
        TANDEM_DATABASE_URL="postgresql://nobody@127.0.0.1:1/money",
        TANDEM_LIMIT_PER_PAYMENT="1",
        TANDEM_MODE="production",
    )
    assert status == 0, out + err
    assert [promise for promise in PROMISED if promise not in out] == []
    assert out.rstrip().endswith("The story came out as it should.")
    assert "nothing differs" in out
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 80
    assert "Traceback" not in err
    (sums,) = re.findall(r"^ *Sum +(.*)$", out, re.MULTILINE)
    debits, credited, difference = re.findall(r"[\d.]+(?= CNY)", sums)
    assert debits == credited
    assert difference == "0.00"
    delays = re.findall(r"live, (\d+) ms", out)
    assert len(delays) >= 3
    assert os.listdir(new_data) == ["demo"]  # noqa: PTH208 - in a test's coroutine nothing else runs


async def test_a_second_one_begins_anew_or_goes_on(new_data: Path) -> None:
    for options, top_ups in (((), "580.00"), ((), "580.00"), (("--keep",), "1160.00")):
        status, out, err = await demo(new_data, "--once", *options)
        assert status == 0, out + err
        assert re.search(rf"bank +1 +{top_ups} CNY", out), out[-1500:]


async def test_it_serves_until_it_is_stopped(new_data: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tandem", "demo"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(new_data),
        start_new_session=True,
    )
    assert process.stdout is not None
    shown: list[str] = []
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            while not shown or not shown[-1].startswith("curl"):
                line = (await process.stdout.readline()).decode()
                assert line, "".join(shown)
                shown.append(line)
            asked = await asyncio.create_subprocess_shell(
                shown[-1], stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
            )
            answer, _ = await asked.communicate()
            assert b'"balances"' in answer
            told = "".join(shown)
            url = re.search(r" API +(http\S+)", told)
            assert url is not None
            async with httpx.AsyncClient(base_url=url[1], trust_env=False) as anyone:
                offered = (await anyone.get("/v1/sandbox/sign-in")).json()["data"]
            staff = {(one["kind"], one["name"], one["role"]) for one in offered if one["role"]}
            assert staff == {
                ("merchant", "Ada Shen", "owner"),
                ("merchant", "Bo Xu", "cashier"),
                ("operator", "Noor Haddad", "owner"),
            }
            for face in ("/wallet/", "/till/#", "/console#merchant", "/console#operator"):
                assert f"{url[1]}{face}" in told
            assert re.search(r"/checkout/s/\S+", told)
            pid = int((new_data / "demo/postgres/postmaster.pid").read_text().splitlines()[0])
            second = await demo(new_data, "--once")
            assert second[0] == 1
            assert "in use by process" in second[2]
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 0
            assert gone(pid)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_it_fits_a_narrow_terminal(new_data: Path) -> None:
    status, out, _ = await demo(new_data, "--once", COLUMNS="200")
    assert status == 0
    wide = [line for line in out.splitlines() if len(line) > 80]
    assert all("─" in line for line in wide), wide


async def test_it_never_clears_what_is_not_a_demo(new_data: Path) -> None:
    os.mkdir(new_data)  # noqa: PTH102 - in a test's coroutine nothing else runs
    async with living(new_data / "demo"):
        pass
    for options in ((), ("--keep",)):
        status, out, err = await demo(new_data, "--once", *options)
        assert (status, out) == (1, "")
        assert "was not made by `tandem demo`" in err
    assert "postgres" in os.listdir(new_data / "demo")  # noqa: PTH208 - as above


async def test_a_step_that_comes_out_wrong_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: object, **__: object) -> str:
        return "280000000000000000"  # a code that no phone has made

    monkeypatch.setattr("tandem.sandbox.story.cast.Person.pay_code", wrong)
    with open_folder() as folder:
        async with living(folder / "data") as server:
            out = io.StringIO()
            page = Console(file=out, width=80)
            clock = SystemClock()
            async with stage(server.url, server.operator_key, clock, system_entropy, page) as scene:
                with pytest.raises(StoryBroke) as broke:
                    await play(scene)
    assert "POST /v1/payments is done" in broke.value.sentence()
    assert "pay_code_invalid" in broke.value.sentence()
    assert "The journal" not in out.getvalue()
