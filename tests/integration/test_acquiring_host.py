"""The host on loopback: payments, repeats, order, time, keys, and how it stops."""

import asyncio
from collections.abc import Callable, Coroutine
from itertools import product
from typing import Any

import msgspec
import pytest
import uvloop
from structlog.testing import capture_logs

from acquiring_bank import ARPC, Bank
from acquiring_host import SOON, code, codes, open_client, open_host, open_wire, stans, until
from acquiring_play import NOW, PAN, make_context, make_link, money, network, original
from tandem.acquiring import De, Limits, Mac, Message, NetworkCode, Outcome, Wire, render
from tandem.acquiring.model import Purchase, Reversal

TOTALS = Message("0500", {De.STAN: "000099", De.CURRENCY: "978", De.DEBITS_NUMBER: "0000000001",
                          De.DEBITS_AMOUNT: f"{1234:016d}"})  # fmt: skip


async def test_a_day_at_a_shop() -> None:
    bank = Bank()
    async with open_host(bank=bank) as host, open_client(host) as client:
        paid = await client.request(money("0200", 1))
        assert (paid.mti, code(paid)) == ("0210", "00")
        assert paid.binary(De.ICC) == ARPC
        assert paid.text(De.AUTHORISATION_CODE) == "A00001"
        reserved = await client.request(money("0100", 2))
        assert (reserved.mti, code(reserved)) == ("0110", "00")
        completed = await client.request(
            money("0220", 3, ORIGINAL=original("0100", 2), AMOUNT="000000000500")
        )
        assert (completed.mti, code(completed)) == ("0230", "00")
        refunded = await client.request(
            money("0200", 4, PROCESSING_CODE="200000", AMOUNT="000000000034")
        )
        assert code(refunded) == "00"
        assert bank.taken == 1234 + 500 - 34
        reversed_ = await client.request(money("0420", 5, ORIGINAL=original("0200", 1)))
        assert (reversed_.mti, code(reversed_)) == ("0430", "00")
        assert bank.taken == 500 - 34
        totals = await client.request(TOTALS)
        assert totals.text(De.SETTLEMENT_CODE) == "2"
        assert totals.text(De.DEBITS_NUMBER) == "0000000002"
        assert totals.text(De.DEBITS_REVERSED_AMOUNT) == f"{1234:016d}"
    counts = host.link_counts()["harbour"]
    assert counts["answered_00"] == 8  # six requests, sign-on and sign-off
    assert counts["connections"] == 0


@pytest.mark.parametrize(
    "wire",
    [
        Wire(),
        Wire(length="ascii", bitmap="hex", binary="hex", icc="hex"),
        Wire(
            length="bcd", length_counts_itself=True, header="tpdu", numeric="bcd",
            prefixes="bcd", track2="bcd",
        ),
        Wire(header="iso", text="cp500", prefixes="binary"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "mac",
    [
        None,
        Mac(key="master"),
        Mac(key="master", algorithm="aes-cmac", padding=2),
        Mac(key="fixed", keys="fixed", size=4),
    ],
)
async def test_every_way_to_write_and_to_authenticate_works_end_to_end(
    wire: Wire, mac: Mac | None
) -> None:
    link = make_link(wire=wire, mac=mac)
    bank = Bank()
    async with open_host(link, bank=bank) as host, open_client(host, link) as client:
        replies = [await client.request(money("0200", stan)) for stan in (1, 2)]
        assert codes(replies) == ["00", "00"]
        if mac is not None and mac.keys == "session":
            await client.manage(NetworkCode.KEY_CHANGE)
            assert code(await client.request(money("0200", 3))) == "00"
        assert client.counts["mac_wrong"] == 0


async def test_a_repeat_is_answered_as_before_and_booked_once() -> None:
    bank = Bank()
    async with open_host(bank=bank) as host, open_client(host) as client:
        first = await client.request(money("0200", 1))
        again = await client.request(money("0201", 1, LOCAL_TIME="130009"))
        assert {**again.fields, De.LOCAL_TIME: "130000"} == first.fields
        assert bank.taken == 1234
        other = await client.request(money("0201", 1, AMOUNT="000000009999"))
        assert code(other) == "94"
        assert bank.taken == 1234
        for mti in ("0420", "0421", "0400"):
            reply = await client.request(money(mti, 2, ORIGINAL=original("0200", 1)))
            assert code(reply) == "00"
        assert bank.taken == 0


async def test_a_repeat_while_the_first_is_under_way_waits_for_it() -> None:
    bank, go = Bank(), asyncio.Event()

    async def wait(_: object) -> None:
        await go.wait()

    bank.before = wait
    async with open_host(bank=bank) as host, open_wire(host) as one, open_wire(host) as other:
        await one.sign_on()
        await other.sign_on()
        await one.send(money("0200", 1))
        await other.send(money("0201", 1))
        await until(lambda: len(bank.asked) == 2)
        go.set()
        assert codes([*await one.answers(1), *await other.answers(1)]) == ["00", "00"]
    assert bank.taken == 1234


async def test_a_reversal_that_overtakes_its_original_wins() -> None:
    bank = Bank()
    async with open_host(bank=bank) as host, open_client(host) as client:
        assert code(await client.request(money("0400", 2, ORIGINAL=original("0200", 1)))) == "00"
        assert code(await client.request(money("0200", 1))) == "25"
    assert bank.taken == 0


@pytest.mark.parametrize("order", ["ready", "arrival"])
async def test_answers_keep_the_order_that_is_set(order: str) -> None:
    bank = Bank()

    async def wait(request: object) -> None:
        if isinstance(request, Purchase) and request.stan == "000001":
            await asyncio.sleep(0.2)

    bank.before = wait
    async with open_host(make_link(order=order), bank=bank) as host, open_wire(host) as wire:
        await wire.sign_on()
        await wire.send(*(money("0200", stan) for stan in (1, 2, 3)))
        found = stans(await wire.answers(3))
        assert (found == [1, 2, 3]) == (order == "arrival")
        assert sorted(found) == [1, 2, 3]


async def test_a_payment_that_is_not_decided_in_time_is_undone_and_said_to_be() -> None:
    bank = Bank()

    async def wait(request: object) -> None:
        if isinstance(request, Purchase):
            await asyncio.sleep(1.5)

    bank.after = wait  # booked, and then nothing
    link = make_link(limits=Limits(answer_seconds=1))
    async with open_host(link, bank=bank) as host, open_client(host) as client:
        reply = await client.request(money("0200", 1))
        assert code(reply) == "91"
        assert bank.taken == 0
        assert isinstance(bank.asked[-1], Reversal)
        assert bank.asked[-1].by_host
    counts = host.link_counts()["harbour"]
    assert (counts["late"], counts["undone"]) == (1, 1)


async def test_an_answer_that_cannot_be_written_is_undone_and_said_to_be() -> None:
    class Careless(Bank):
        async def purchase(self, request: Purchase) -> Outcome:
            outcome = await super().purchase(request)
            return msgspec.structs.replace(outcome, authorisation_code="more than six")

    bank = Careless()
    async with open_host(bank=bank) as host, open_client(host) as client:
        assert code(await client.request(money("0200", 1))) == "96"
    assert bank.taken == 0


async def test_work_under_way_is_answered_when_the_host_stops() -> None:
    bank, began = Bank(), asyncio.Event()

    async def wait(_: object) -> None:
        began.set()
        await asyncio.sleep(0.3)

    bank.before = wait
    async with open_host(bank=bank) as host:
        port = host.ports[0]
        async with open_wire(host) as wire:
            await wire.sign_on()
            await wire.send(money("0200", 1))
            await began.wait()
            stopping = asyncio.create_task(host.stop())
            await asyncio.sleep(0.05)
            await wire.send(money("0200", 2))  # too late to be taken
            assert codes(await wire.answers(1)) == ["00"]
            await stopping
            assert await wire.ended()
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", port)
    assert bank.taken == 1234
    assert len(bank.asked) == 1


async def test_what_never_ends_does_not_keep_the_host_from_stopping() -> None:
    bank = Bank()

    async def wait(_: object) -> None:
        await asyncio.Event().wait()

    bank.before = wait
    async with open_host(bank=bank) as host, open_wire(host) as wire:
        await wire.sign_on()
        await wire.send(money("0200", 1))
        await until(lambda: bank.asked)
        async with asyncio.timeout(SOON):
            await host.stop(within_seconds=0.1)
        assert host.connections == 0
        assert host.under_way == 0


async def test_a_terminal_that_closed_its_side_still_gets_its_answer() -> None:
    bank = Bank()

    async def wait(_: object) -> None:
        await asyncio.sleep(0.1)

    bank.before = wait
    async with open_host(bank=bank) as host, open_wire(host) as wire:
        await wire.sign_on()
        await wire.send(money("0200", 1), money("0200", 2))
        wire.writer.write_eof()
        assert codes(await wire.answers(2)) == ["00", "00"]
        assert await wire.ended()


async def test_an_answer_that_nobody_waits_for_is_counted_and_harms_nobody() -> None:
    bank, go = Bank(), asyncio.Event()

    async def wait(_: object) -> None:
        await go.wait()

    bank.before = wait
    async with open_host(bank=bank) as host:
        async with open_wire(host) as wire:
            await wire.sign_on()
            await wire.send(money("0200", 1))
            await until(lambda: bank.asked)
            wire.reset()
            await until(lambda: not host.connections)
        go.set()
        async with open_client(host) as client:
            assert code(await client.request(money("0201", 1))) == "00"  # so it comes again
        assert host.link_counts()["harbour"]["undelivered"] == 1
    assert bank.taken == 1234


async def test_a_new_business_day_is_told_and_a_quiet_link_is_asked() -> None:
    days = [NOW.date()]
    context = make_context(business_day=lambda: days[-1])
    link = make_link(cutover=True, echo_seconds=1)
    async with open_host(link, context=context) as host, open_wire(host, link) as wire:
        await wire.sign_on()
        for day in ("1123", "1124"):  # the one that it is, and then the new one
            (told,) = await wire.answers(1)
            assert (told.text(De.NETWORK_CODE), told.text(De.SETTLEMENT_DATE)) == ("201", day)
            await wire.send(
                Message("0810", {De.STAN: told.text(De.STAN) or "", De.NETWORK_CODE: "201"})
            )
            days.append(days[0].replace(day=24))
        (asked,) = await wire.answers(1)
        assert asked.text(De.NETWORK_CODE) == "301"


async def test_who_asks_and_closes_its_side_at_once_still_hears() -> None:
    async with open_host() as host, open_wire(host) as wire:
        wire.writer.write(wire.terminal.write(network("001")) + wire.terminal.write(network("301")))
        wire.writer.write_eof()
        assert codes(await wire.answers(2)) == ["00", "00"]
        assert await wire.ended()


async def test_the_trace_and_the_logs_show_no_card() -> None:
    lines: list[str] = []
    context = make_context(
        trace=lambda link, way, message: lines.append(render(message, NOW, link, way))
    )
    bank = Bank()

    async def fail(request: object) -> None:
        if isinstance(request, Purchase):
            raise OSError("the books are broken")

    bank.after = fail
    with capture_logs() as logs:
        async with open_host(bank=bank, context=context) as host, open_client(host) as client:
            assert code(await client.request(money("0200", 1))) == "96"
    assert bank.taken == 0
    shown = "\n".join(lines) + repr(logs)
    assert "a request to the authoriser failed" in shown
    assert "476173******0010" in shown
    assert PAN not in shown
    assert "2812201" not in shown


async def test_many_terminals_at_once_all_get_their_own_answers() -> None:
    bank = Bank(balance=10**9)
    link = make_link(limits=Limits(pending=8, per_second=100_000, connections=50))
    async with open_host(link, bank=bank) as host:

        async def shop(number: int) -> None:
            async with open_client(host) as client:
                terminal = f"TERM{number:04d}"
                replies = await asyncio.gather(
                    *(client.request(money("0200", s, TERMINAL=terminal)) for s in range(1, 21))
                )
                assert codes(replies) == ["00"] * 20
                assert stans(replies) == list(range(1, 21))
                assert {reply.text(De.TERMINAL) for reply in replies} == {terminal}

        await asyncio.gather(*(shop(number) for number in range(20)))
    assert bank.taken == 20 * 20 * 1234


async def test_terminals_are_told_apart_on_one_port() -> None:
    north = make_link(name="north", terminals=("TERM0001",))
    south = make_link(name="south", terminals=("TERM0002",))
    async with open_host(north, south) as host, open_client(host) as client:
        for stan, terminal in product((1, 2), ("TERM0001", "TERM0002", "TERM0003")):
            reply = await client.request(money("0200", stan, TERMINAL=terminal))
            assert code(reply) == ("58" if terminal == "TERM0003" else "00")
        assert code(await client.request(network("301"))) == "00"
    assert [host.link_counts()[name].get("answered_00") for name in ("north", "south")] == [
        4 + 1,
        2,
    ]


@pytest.mark.parametrize(
    "play",
    [
        test_a_day_at_a_shop,
        test_work_under_way_is_answered_when_the_host_stops,
        test_a_terminal_that_closed_its_side_still_gets_its_answer,
        test_many_terminals_at_once_all_get_their_own_answers,
    ],
)
def test_the_same_on_the_loop_that_serves(play: Callable[[], Coroutine[Any, Any, None]]) -> None:
    uvloop.run(play())
