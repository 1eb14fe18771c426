"""The wallet on PostgreSQL: top-ups, sends, requests, history; and payouts."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs
from town import Someone, Town, at_once, key, open_town, said

from tandem.db import IdempotencyConflict
from tandem.kernel import Invalid, NotFound, read_id, show_id
from tandem.ledger import InsufficientFunds, Outcome, ReferenceBooked
from tandem.people import LimitExceeded, PayerNotActive
from tandem.settlement import PayoutNotCovered
from tandem.wallet import PersonNotActive, RequestClosed, SendsToSelf


@pytest.fixture(scope="module")
async def town(
    module_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Town]:
    async with open_town(module_database, tmp_path_factory.mktemp("keys")) as made:
        yield made
        await made.check()


@pytest.fixture
async def lin(town: Town) -> Someone:
    return await town.person(yuan=100)


@pytest.fixture
async def mei(town: Town) -> Someone:
    return await town.person(name="Mei Chen")


async def asked_for(town: Town, who: Someone, payer: Someone, amount: int, **more: Any) -> UUID:  # noqa: ANN401 - arguments of ask
    outcome = await town.services.wallet.ask(who.id, payer.id, amount, "CNY", "tea", key(), **more)
    return read_id("req", said(outcome)["id"])


async def balance(who: Someone) -> int:
    return int((await who.balance())["balance"])


# -- well ----------------------------------------------------------------------------------------


async def test_money_goes_from_one_to_the_other(town: Town, lin: Someone, mei: Someone) -> None:
    wallet = town.services.wallet
    sent = said(await wallet.send(lin.id, mei.id, 700, "CNY", "lunch", key()))
    assert (sent["direction"], sent["other"], sent["amount"]) == ("sent", "Mei Chen", 700)
    send_id = read_id("snd", sent["id"])
    assert (await wallet.sent(mei.id, send_id)).direction == "received"
    assert [await balance(who) for who in (lin, mei)] == [9300, 700]
    assert (await lin.balance())["spent_today"] == 700
    assert (await mei.balance())["spent_today"] == 0


async def test_a_late_copy_of_a_refused_send_reaches_no_newcomer(town: Town, lin: Someone) -> None:
    """Nobody had the handle when it was refused; a stranger who takes it gets nothing."""
    wallet, again = town.services.wallet, key()
    for repeated in (False, True):
        with pytest.raises(NotFound) as nobody:
            await wallet.send(lin.id, "latecomer", 500, "CNY", None, again)
        assert nobody.value.replayed is repeated
    await town.services.people.sign_up("latecomer", "A stranger", "Phone", None)
    with pytest.raises(NotFound):
        await wallet.send(lin.id, "latecomer", 500, "CNY", None, again)
    assert await balance(lin) == 10_000
    said(await wallet.send(lin.id, "latecomer", 500, "CNY", None, key()))
    assert await balance(lin) == 9500


async def test_a_request_is_accepted(town: Town, lin: Someone, mei: Someone) -> None:
    wallet = town.services.wallet
    request = await asked_for(town, mei, lin, 250)
    accepted = said(await wallet.accept(lin.id, request, key()))
    assert (accepted["status"], accepted["direction"]) == ("accepted", "received")
    assert [await balance(who) for who in (lin, mei)] == [9750, 250]
    shown = await wallet.request(mei.id, request)
    assert (shown.send_id, shown.direction) == (accepted["send_id"], "asked")
    for status in ("declined", "cancelled"):
        who = lin if status == "declined" else mei
        with pytest.raises(RequestClosed):
            await wallet.close(who.id, request, status, key())
    with pytest.raises(RequestClosed):
        await wallet.accept(lin.id, request, key())
    assert await balance(mei) == 250


async def test_requests_are_declined_withdrawn_and_expire(
    town: Town, lin: Someone, mei: Someone
) -> None:
    wallet = town.services.wallet
    first, second, third = [await asked_for(town, mei, lin, n) for n in (1, 2, 3)]
    await wallet.close(lin.id, first, "declined", key())
    await wallet.close(mei.id, second, "cancelled", key())
    fourth = await asked_for(town, mei, lin, 4, expires_seconds=60)
    town.wait(seconds=61)
    with pytest.raises(RequestClosed):  # before any timer came
        await wallet.accept(lin.id, fourth, key())
    assert await wallet.expire_due() == 1
    assert await wallet.expire_due() == 0
    listed = [(r.id, r.status) for r in await wallet.requests(lin.id, None, 10)]
    states = {fourth: "expired", third: "open", second: "cancelled", first: "declined"}
    assert listed == [(show_id("req", request), status) for request, status in states.items()]
    assert listed == [(r.id, r.status) for r in await wallet.requests(mei.id, None, 10)]
    assert [r.id for r in await wallet.requests(lin.id, third, 1)] == [show_id("req", second)]
    assert await balance(lin) == 10_000


async def test_history_tells_every_movement_and_what_is_reserved(
    town: Town, lin: Someone, mei: Someone
) -> None:
    payments, wallet, door = town.services.payments, town.services.wallet, await town.merchant()
    await wallet.send(lin.id, mei.id, 100, "CNY", "lunch", key())
    partly = await town.paid(door, lin, 1000, manual=True)
    await payments.capture(door.id, partly, 300, key())
    await payments.capture(door.id, partly, 200, key(), final=True)
    cancelled = await town.paid(door, lin, 40, manual=True)
    await payments.cancel(door.id, cancelled, key())
    await payments.refund(door.id, partly, 50, None, key())
    held = await town.paid(door, lin, 7, manual=True)
    lines = await wallet.history(lin.id, "CNY", None, 50)
    assert [(line.type, line.change, line.reserved) for line in reversed(lines)] == [
        ("top_up", 10_000, 0),
        ("send", -100, 0),
        ("reserved", 0, 1000),
        ("payment", -300, -1000),
        ("reserved", 0, 700),
        ("payment", -200, -700),
        ("reserved", 0, 40),
        ("released", 0, -40),
        ("refund", 50, 0),
        ("reserved", 0, 7),
    ]
    now = await lin.balance()
    assert sum(line.change for line in lines) == now["balance"] == lines[0].balance
    assert sum(line.reserved for line in lines) == now["reserved"] == 7
    assert [line.number for line in lines] == list(range(10, 0, -1))
    assert lines[0].object_id == f"pay_{held.hex}"
    assert {line.with_name for line in lines} == {None, "Mei Chen", "Blue Door, East"}
    assert await wallet.history(lin.id, "CNY", 4, 2) == lines[7:9]
    assert await wallet.history(lin.id, "EUR", None, 5) == []
    assert await wallet.history(lin.id, None, None, 50) == lines
    (theirs,) = await wallet.history(mei.id, "CNY", None, 5)
    assert (theirs.change, theirs.with_name, theirs.message) == (100, "Lin Wei", "lunch")


async def test_top_ups_and_payouts_are_listed(town: Town, lin: Someone) -> None:
    services, door = town.services, await town.merchant()
    await town.top_up(lin.id, 500)
    assert [t.amount for t in await services.wallet.top_ups(lin.id, None, 9)] == [500, 10_000]
    await town.paid(door, lin, 100)
    for amount in (30, 20):
        await services.payouts.make(door.id, amount, "CNY", f"o {door.id} {amount}", key())
    made = await services.payouts.of_merchant(door.id, None, 9)
    assert [p.amount for p in made] == [20, 30]
    assert [p.amount for p in await services.payouts.of_merchant(door.id, made[0].id, 9)] == [30]


# -- refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", [0, -1, -(2**63), 10**15 + 1, 2**63, 10**40])
async def test_amounts_that_cannot_be(town: Town, lin: Someone, mei: Someone, amount: int) -> None:
    services, door = town.services, await town.merchant()
    for call in (
        services.wallet.send(lin.id, mei.id, amount, "CNY", None, key()),
        services.wallet.ask(lin.id, mei.id, amount, "CNY", None, key()),
        services.wallet.top_up(lin.id, amount, "CNY", f"ref {amount}", key()),
        services.payouts.make(door.id, amount, "CNY", f"ref {amount}", key()),
    ):
        with pytest.raises(Invalid):
            await call
    assert await balance(lin) == 10_000


async def test_currencies(town: Town, lin: Someone, mei: Someone) -> None:
    services, door = town.services, await town.merchant()
    for code in ("QQQ", "cny", "", "CNY\0"):
        for call in (
            services.wallet.send(lin.id, mei.id, 1, code, None, key()),
            services.wallet.ask(lin.id, mei.id, 1, code, None, key()),
            services.wallet.top_up(lin.id, 1, code, f"ref {code!r}", key()),
            services.payouts.make(door.id, 1, code, f"ref {code!r}", key()),
            services.wallet.history(lin.id, code, None, 1),
        ):
            with pytest.raises(Invalid):
                await call
    with pytest.raises(InsufficientFunds):
        await services.wallet.send(lin.id, mei.id, 1, "EUR", None, key())
    with pytest.raises(Invalid):  # a real currency, but not one that wallets here are in
        await services.wallet.top_up(lin.id, 1, "THB", "ref THB", key())


@pytest.mark.parametrize(
    "text", ["", " ", "x" * 141, "a\x1b[31mb", "a\u202eb", "two\nlines", "\u3164"]
)
async def test_messages_that_nobody_can_read(
    town: Town, lin: Someone, mei: Someone, text: str
) -> None:
    wallet = town.services.wallet
    before = await town.count("events")
    for call in (
        wallet.send(lin.id, mei.id, 1, "CNY", text, key()),
        wallet.ask(lin.id, mei.id, 1, "CNY", text, key()),
    ):
        with pytest.raises(Invalid) as refused:
            await call
        assert refused.value.field == "message"
    assert await town.count("events") == before


async def test_messages_are_kept_in_one_form(town: Town, lin: Someone, mei: Someone) -> None:
    wallet = town.services.wallet
    for message, kept in (
        (" cafe\u0301 ", "caf\u00e9"),
        ("\U0001f35c", "\U0001f35c"),
        (None, None),
    ):
        sent = said(await wallet.send(lin.id, mei.id, 1, "CNY", message, key()))
        requested = said(await wallet.ask(lin.id, mei.id, 1, "CNY", message, key()))
        assert (sent["message"], requested["message"]) == (kept, kept)


async def test_oneself_limits_balance_and_suspension(
    town: Town, lin: Someone, mei: Someone
) -> None:
    wallet, people = town.services.wallet, town.services.people
    for call in (
        wallet.send(lin.id, lin.id, 1, "CNY", None, key()),
        wallet.ask(lin.id, lin.id, 1, "CNY", None, key()),
    ):
        with pytest.raises(SendsToSelf):
            await call
    with pytest.raises(InsufficientFunds):
        await wallet.send(lin.id, mei.id, 10_001, "CNY", None, key())
    await people.set_limits(lin.id, "CNY", 1000, 1500)
    with pytest.raises(LimitExceeded):
        await wallet.send(lin.id, mei.id, 1001, "CNY", None, key())
    request = await asked_for(town, mei, lin, 600)
    await wallet.send(lin.id, mei.id, 1000, "CNY", None, key())
    with pytest.raises(LimitExceeded):
        await wallet.accept(lin.id, request, key())
    assert (await wallet.request(lin.id, request)).status == "open"
    town.wait(days=1)
    await people.set_status(mei.id, "suspended")
    for call in (
        wallet.send(lin.id, mei.id, 1, "CNY", None, key()),
        wallet.send(mei.id, lin.id, 1, "CNY", None, key()),
        wallet.ask(lin.id, mei.id, 1, "CNY", None, key()),
        wallet.accept(lin.id, request, key()),
    ):
        with pytest.raises((PersonNotActive, PayerNotActive)):
            await call
    await people.set_status(mei.id, "active")
    await wallet.accept(lin.id, request, key())


async def test_what_is_somebody_elses_is_not_there(town: Town, lin: Someone, mei: Someone) -> None:
    wallet, eve, nobody = town.services.wallet, await town.person(yuan=10), town.services.ids.new()
    request = await asked_for(town, mei, lin, 5)
    sent = said(await wallet.send(lin.id, mei.id, 5, "CNY", None, key()))
    calls = [
        wallet.request(eve.id, request),
        wallet.accept(eve.id, request, key()),
        wallet.accept(mei.id, request, key()),  # who asked cannot agree for who is asked
        wallet.close(eve.id, request, "declined", key()),
        wallet.close(eve.id, request, "cancelled", key()),
        wallet.close(mei.id, request, "declined", key()),
        wallet.close(lin.id, request, "cancelled", key()),
        wallet.request(lin.id, nobody),
        wallet.sent(eve.id, read_id("snd", sent["id"])),
        wallet.sent(lin.id, nobody),
        wallet.view(nobody),
        wallet.send(lin.id, nobody, 1, "CNY", None, key()),
        wallet.ask(lin.id, nobody, 1, "CNY", None, key()),
        wallet.top_up(nobody, 1, "CNY", "to nobody", key()),
        wallet.person_by_handle("@no.body"),
        wallet.person_by_handle("a\0b"),
        town.services.payouts.make(nobody, 1, "CNY", "to nobody", key()),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            await call
    assert (await wallet.request(lin.id, request)).status == "open"
    assert await wallet.requests(eve.id, None, 10) == []


async def test_a_bank_reference_is_booked_once(town: Town, lin: Someone) -> None:
    services, door = town.services, await town.merchant()
    await services.wallet.top_up(lin.id, 10, "CNY", "B-77", key("first"))
    with pytest.raises(ReferenceBooked):
        await services.wallet.top_up(lin.id, 10, "CNY", "B-77", key())
    again = await services.wallet.top_up(lin.id, 10, "CNY", "B-77", key("first"))
    assert again.replayed
    keys = [key() for _ in range(16)]
    with capture_logs():  # of entries that the database refused, with their tracebacks
        outcomes, refused = await at_once(
            services.wallet.top_up(lin.id, 10, "CNY", "B-78", one) for one in keys
        )
    assert (len(outcomes), {type(one) for one in refused}) == (1, {ReferenceBooked})
    await services.corrections.make("B-78", None, "not there", key())
    late, refused = await at_once(
        services.wallet.top_up(lin.id, 10, "CNY", "B-78", one) for one in keys
    )
    assert [one.replayed for one in late] == [True], "the reference is free, refusals are kept"
    assert {(type(one), getattr(one, "replayed", None)) for one in refused} == {
        (ReferenceBooked, True)
    }
    await services.wallet.top_up(lin.id, 10, "CNY", "B-78", key())
    await town.paid(door, lin, 100)
    with capture_logs():
        outcomes, refused = await at_once(
            services.payouts.make(door.id, 1, "CNY", "P-78", key()) for _ in range(16)
        )
    assert (len(outcomes), {type(one) for one in refused}) == (1, {ReferenceBooked})
    assert await balance(lin) == 10_000 + 20 - 100


async def test_payouts_are_covered(town: Town, lin: Someone) -> None:
    payouts, payments = town.services.payouts, town.services.payments
    door = await town.merchant(overdraft=1000)
    with pytest.raises(PayoutNotCovered):
        await payouts.make(door.id, 1, "CNY", f"a {door.id}", key())
    with pytest.raises(Invalid, match="CHF is not used here"):
        await payouts.make(door.id, 1, "CHF", f"a {door.id}", key())
    paid = await town.paid(door, lin, 100)
    with pytest.raises(PayoutNotCovered) as refused:  # an overdraft is for refunds
        await payouts.make(door.id, 101, "CNY", f"b {door.id}", key())
    assert refused.value.available == 100
    outcomes, _ = await at_once(
        payouts.make(door.id, 30, "CNY", f"c{number} {door.id}", key()) for number in range(16)
    )
    assert len(outcomes) == 3
    await payments.refund(door.id, paid, 100, None, key())
    assert await door.balance() == -90
    with pytest.raises(PayoutNotCovered):
        await payouts.make(door.id, 1, "CNY", f"d {door.id}", key())


# -- the same key --------------------------------------------------------------------------------


async def test_the_same_key_at_once_has_one_effect(town: Town, lin: Someone, mei: Someone) -> None:
    wallet, payouts, door = town.services.wallet, town.services.payouts, await town.merchant()
    await town.paid(door, lin, 100)
    request = await asked_for(town, mei, lin, 5)
    cases: list[tuple[Any, str]] = [
        (lambda k: wallet.send(lin.id, mei.id, 7, "CNY", None, k), "sends"),
        (lambda k: wallet.ask(lin.id, mei.id, 7, "CNY", None, k), "money_requests"),
        (lambda k: wallet.accept(lin.id, request, k), "sends"),
        (lambda k: wallet.top_up(lin.id, 9, "CNY", f"T {lin.handle}", k), "top_ups"),
        (lambda k: payouts.make(door.id, 9, "CNY", f"P {lin.handle}", k), "payouts"),
    ]
    for number, (call, table) in enumerate(cases):
        before, name = await town.count(table), f"wallet {number} {lin.handle}"
        outcomes, refused = await at_once(call(key(name)) for _ in range(64))
        assert refused == []
        assert len({outcome.body for outcome in outcomes}) == 1
        assert sum(not outcome.replayed for outcome in outcomes) == 1
        assert await call(key(name)) == Outcome(outcomes[0].body, replayed=True)
        with pytest.raises(IdempotencyConflict):
            await call(key(name, "another body"))
        assert await town.count(table) == before + 1
    assert [await balance(who) for who in (lin, mei)] == [10_000 - 100 - 7 - 5 + 9, 12]


async def test_a_booking_that_is_repeated_while_it_is_made(town: Town, lin: Someone) -> None:
    """The second arrives while the first commits: alone in its group, it meets the row itself."""
    wallet = town.services.wallet
    for number in range(12):
        reference = f"R {lin.handle} {number}"
        calls = (wallet.top_up(lin.id, 1, "CNY", reference, key(reference)) for _ in range(2))
        outcomes, refused = await at_once(calls)
        assert refused == []
        assert outcomes[0].body == outcomes[1].body


async def test_many_sends_back_and_forth_at_once(town: Town, lin: Someone, mei: Someone) -> None:
    await town.top_up(mei.id, 10_000)
    pairs = [(lin.id, mei.id), (mei.id, lin.id)] * 24
    outcomes, refused = await at_once(
        town.services.wallet.send(one, other, 400, "CNY", None, key()) for one, other in pairs
    )
    assert (len(outcomes), refused) == (48, [])
    assert [await balance(who) for who in (lin, mei)] == [10_000, 10_000]


async def test_sums_near_the_limit_of_numbers(town: Town) -> None:
    rich, other = await town.person(), await town.person()
    most = 10**15
    await town.services.people.set_limits(rich.id, "CNY", most, most)
    for _ in range(3):
        await town.top_up(rich.id, most)
    send = town.services.wallet.send
    await send(rich.id, other.id, most - 1, "CNY", None, key())
    with pytest.raises(LimitExceeded) as refused:
        await send(rich.id, other.id, 2, "CNY", None, key())
    assert refused.value.left == 1
    await send(rich.id, other.id, 1, "CNY", None, key())
    assert await balance(rich) == 2 * most
