"""The acquirer's host as a part of a living Tandem: programs, processes and files, all real."""

import asyncio
import itertools
import os
import re
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest
from card_site import CARD_ID, HERE, START_YUAN, Counter, Site, counter, links, site

from acquiring_host import code
from acquiring_play import original
from conftest import open_folder
from living import fresh_key, made
from tandem.acquiring import Client, De, Message, NotSent
from tandem.kernel import SystemClock
from tandem.tap import (
    Payment,
    State,
)
from tandem.tap.terminal import issuer_data

_STAN: Final = itertools.count(500_000)


@pytest.fixture(scope="module")
async def place() -> AsyncIterator[Site]:
    with open_folder() as folder:
        async with site(folder, workers=2) as opened:
            yield opened


@asynccontextmanager
async def connected(place: Site, **settings: Any) -> AsyncIterator[Client]:  # noqa: ANN401 - as the client takes them
    async with place.client(**settings) as client:
        await client.ready(60)
        yield client


def message(mti: str, amount: int, **changes: str | None) -> Message:
    """A message of the till; `changes` by name of the element, None leaves one out."""
    now, stan = SystemClock().now(), next(_STAN)
    fields: dict[str, str | None] = {
        "PROCESSING_CODE": "000000", "AMOUNT": f"{amount:012d}", "STAN": f"{stan:06d}",
        "LOCAL_TIME": f"{now:%H%M%S}", "LOCAL_DATE": f"{now:%m%d}", "ENTRY_MODE": "071",
        "CONDITION": "00", "RRN": f"{stan:012d}", "TERMINAL": HERE, "MERCHANT": "M1".ljust(15),
        "CURRENCY": "156", **changes,
    }  # fmt: skip
    kept = {De[name]: value for name, value in fields.items() if value is not None}
    return Message(mti, dict(sorted(kept.items())))


def purchase(paid: Counter, mti: str = "0200", **changes: str | None) -> Message:
    """The message of the last payment, once more."""
    payment, secret = paid.online.asked[-1]
    return message(
        mti,
        payment.amount,
        ICC=secret.icc.hex().upper(),
        TRACK2=secret.track_2,
        SEQUENCE_NUMBER=None if secret.sequence is None else secret.sequence.rjust(3, "0"),
        **changes,
    )


async def test_a_terminal_and_a_phone_pay_as_programs_and_the_money_moves(place: Site) -> None:
    before = await place.spent()
    status, said = await place.take("80.00")
    assert "Approved  80.00 CNY" in said, said
    assert status == 0
    assert await place.spent() == before + 8000
    file = place.folder / "iso8583.trace"
    trace = file.read_text()
    assert place.profile.data.pan not in trace
    answer = trace[trace.rindex("out 0210") :]
    assert "00  approved" in answer
    assert "91 Issuer authentication data" in answer  # the ARPC
    assert file.stat().st_mode & 0o077 == 0


async def test_the_card_believes_the_issuer_that_answered(place: Site) -> None:
    async with connected(place) as client:
        with counter(place, client) as here:
            paid = await here.till.take(15_00)
            assert paid.approved
            assert paid.atc is not None
            data = issuer_data(here.online.replies[-1].icc)
            here.device.issuer_answered(CARD_ID, paid.atc, data)  # raises if forged


async def test_a_repeat_is_answered_as_before_after_a_restart_too(place: Site) -> None:
    async with connected(place) as client:
        with counter(place, client) as here:
            assert (await here.till.take(12_34)).approved
            first = here.online.replies[-1]
            again = purchase(here, "0201", **sent_as(here.online.asked[-1][0]))
            before = await place.spent()
            asked: dict[int, str] = {De.STAN: "000001", De.CURRENCY: "156", De.TERMINAL: HERE}
            totals = await client.request(Message("0500", asked))
    await place.server.stop()
    await place.server.start()
    async with connected(place) as client:
        repeated = await client.request(again)
        assert code(repeated) == "00"
        assert repeated.text(De.AUTHORISATION_CODE) == first.authorisation_code
        assert repeated.binary(De.ICC) == first.icc
        assert await place.spent() == before
        other = Message("0201", {**again.fields, De.AMOUNT: f"{99:012d}"})
        assert code(await client.request(other)) == "94"
        after = await client.request(Message("0500", asked))
        assert (
            after.fields.items()
            >= {k: v for k, v in totals.fields.items() if k not in {De.MAC, De.MAC2}}.items()
        )


def sent_as(payment: Payment) -> dict[str, str | None]:
    """What makes a message the same as the one that the terminal sent."""
    return {
        "STAN": payment.stan,
        "LOCAL_TIME": f"{payment.at:%H%M%S}",
        "LOCAL_DATE": f"{payment.at:%m%d}",
        "RRN": payment.rrn,
        "CATEGORY": "5814",
    }


async def test_another_process_takes_the_links_over_when_theirs_dies(place: Site) -> None:
    days: list[str] = []
    async with connected(place, on_cutover=days.append) as client:
        holder = holders(place)
        assert len(holder) == 1
        with counter(place, client) as here:
            assert (await here.till.take(10_01)).approved
            os.kill(holder[0], signal.SIGKILL)
            async with asyncio.timeout(60):
                while client.counts["connected"] < 2:  # noqa: ASYNC110 - a count, and no event
                    await asyncio.sleep(0.1)
            await client.ready(60)
            assert (await here.till.take(10_02)).approved
            assert not here.store.due()
        assert holders(place) != holder
        assert len(holders(place)) == 1
    assert len(days) == 2, "each sign-on is followed by the business day"


def holders(place: Site) -> list[int]:
    """The workers that a connection to the host's port is at."""
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    told = [[line.split()[n] for n in (1, 3, 9)] for line in lines]
    here = f":{place.port:04X}"
    wanted = {
        f"socket:[{inode}]"
        for local, state, inode in told
        if local.endswith(here) and state == "01"
    }
    return [pid for pid in place.server.worker_pids() if wanted & set(descriptors(pid))]


def descriptors(pid: int) -> Iterator[str]:
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            yield str(descriptor.readlink())


async def test_no_answer_in_time_is_reversed_and_nothing_is_gone(place: Site) -> None:
    before = await place.spent()
    async with connected(place, answer_seconds=1) as client:
        (worker,) = holders(place)
        with counter(place, client) as here:
            os.kill(worker, signal.SIGSTOP)
            try:
                payment = await here.till.take(20_00)
            finally:
                os.kill(worker, signal.SIGCONT)
            assert not payment.approved
            assert [due.state for due in here.store.due()] == [State.REVERSAL_DUE]
            async with asyncio.timeout(60):
                while here.store.due():
                    await here.till.send_due()
                    await asyncio.sleep(0.2)
            assert here.online.replies[-1].code == "00"
    assert await place.spent() == before


async def test_what_was_approved_offline_is_sent_on_when_the_host_is_back(place: Site) -> None:
    before = await place.spent()
    await place.server.stop()
    status, said = await place.take("3.80")
    assert "Approved  3.80 CNY" in said, said
    assert "The host is not connected" in said
    assert status == 0
    await place.server.start()
    assert await place.spent() == before
    sending = (
        *("terminal", "send", "--settings", str(place.terminal_file)),
        *("--folder", str(place.folder / "till")),
    )
    status, said = await place.run(*sending)
    assert (status, "1 sent on; 0 left." in said) == (0, True), said
    assert await place.spent() == before + 380
    status, said = await place.run(*sending)
    assert "0 sent on; 0 left." in said
    assert await place.spent() == before + 380


async def test_a_shop_that_takes_no_taps_is_obeyed_by_the_host_at_once(place: Site) -> None:
    before = await place.spent()
    async with connected(place) as client, place.server.client(place.shop.key) as shop:
        with counter(place, client) as here:
            path = f"/v1/shops/{place.shop.shop_id}/acceptance"
            for enabled, result in ((False, "58"), (True, "00")):
                rules = {"ways": {"tap": {"enabled": enabled}}}
                made(await shop.put(path, json=rules, headers={"Idempotency-Key": fresh_key()}))
                payment = await here.till.take(11_00)
                assert (payment.response_code, payment.approved) == (result, enabled)
    assert await place.spent() == before + 1100


async def test_a_key_is_rotated_and_replaced_beside_the_running_host(place: Site) -> None:
    status, said = await place.run("keys", "rotate")
    assert status == 0, said
    async with connected(place) as client:
        with counter(place, client) as here:
            assert (await here.till.take(10_03)).approved
    status, said = await place.run("acquiring", "keys", "list")
    assert "harbour aes" in " ".join(said.split())
    assert bytes(range(1, 17)).hex() not in said.lower().replace(" ", "")
    await replace(place, bytes(range(2, 18)))
    with pytest.raises(NotSent):
        async with place.client() as client:
            await client.ready(4)
    await replace(place, bytes(range(1, 17)))
    async with connected(place):
        pass


async def replace(place: Site, key: bytes) -> None:
    """Enter another key, and wait until the host knows it."""
    status, said = await place.run(
        *("acquiring", "keys", "enter", "harbour", "--replace"), given=key.hex()
    )
    assert status == 0, said
    await asyncio.sleep(2)


async def test_what_is_configured_wrongly_stops_the_start_with_a_sentence(place: Site) -> None:
    await place.server.stop()
    file = place.folder / "links.toml"
    right = file.read_text()
    for text, why in (
        (
            right.replace('{ key = "harbour" }', '{ key = "nobody" }'),
            "no key: there is none called",
        ),
        (right.replace(place.shop.till_id, "til_" + "0" * 32), "there is no til_000"),
        (right + "\nnonsense = 1\n", "nonsense"),
        (links(place.port, place.shop.till_id, mac='{ key = "x" }'), "links' settings"),
    ):
        file.write_text(text)
        with pytest.raises(AssertionError, match="it ended with"):
            await place.server.start()
        said = place.server.log.read_text()[-3000:]
        assert why in re.sub(r"\s+", " ", said), said
    file.write_text(right)
    await place.server.start()


async def test_a_refund_and_its_reversal_over_the_host(place: Site) -> None:
    async with connected(place) as client:
        with counter(place, client) as here:
            assert (await here.till.take(30_00)).approved
            before = await place.spent()
            asked = purchase(here)
        paid = here.online.asked[-1][0]
        rrn = f"{paid.at.year % 10}{paid.at.timetuple().tm_yday:03d}{paid.at:%H}{paid.stan}"
        refund = Message(
            "0200",
            {
                **{k: v for k, v in asked.fields.items() if k != De.ICC},
                De.PROCESSING_CODE: "200000",
                De.AMOUNT: f"{10_00:012d}",
                De.RRN: rrn,
            },
        )
        answer = await client.request(refund)
        assert code(answer) == "00", (place.folder / "iso8583.trace").read_text()[-2500:]
        assert await place.spent() == before - 1000
        about = original("0200", int(refund.text(De.STAN) or 0), "0000000000")
        undone = message("0420", 10_00, ORIGINAL=about)
        for mti in ("0420", "0421"):
            assert code(await client.request(Message(mti, dict(undone.fields)))) == "00"
        assert await place.spent() == before


async def test_the_books_are_whole_in_the_end(place: Site) -> None:
    status, said = await place.run("ledger", "verify")
    assert status == 0, said
    assert 0 < await place.spent() < START_YUAN * 100
    assert place.server.faults() == []
