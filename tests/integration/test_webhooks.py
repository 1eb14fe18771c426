"""Webhooks against real receivers on loopback: signatures, order, retries, several processes."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from hooks import (
    START,
    House,
    Receiver,
    Request,
    deliveries,
    dispatching,
    endpoint,
    house,
    only_delivery,
    receiver,
    running,
    settle,
    status,
    until,
)
from moves import once
from tandem.events import (
    MAX_TESTS,
    CreateEndpoint,
    Dispatcher,
    EndpointOff,
    NewEndpoint,
    TooManyEndpoints,
    TooManyTests,
    UpdateEndpoint,
    dispatch,
    load_endpoints,
)
from tandem.events import send as sending
from tandem.events.dispatch import LEASE, PARKED, PLACES_PER_ENDPOINT
from tandem.events.model import GAPS
from tandem.kernel import Invalid, NotFound, read_id


@pytest.fixture
async def shop(fresh_database: str, tmp_path: Path) -> AsyncIterator[House]:
    async with house(fresh_database, tmp_path) as made:
        yield made


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    async with receiver() as made:
        yield made


# -- what is sent --------------------------------------------------------------------------------


async def test_a_webhook_is_what_the_standard_says(shop: House, hook: Receiver) -> None:
    made = await endpoint(shop, hook.url + "?from=tandem")
    await shop.announce(7)
    async with dispatching(shop) as dispatcher:
        await settle(dispatcher)
    (got,) = hook.requests
    assert Webhook(made.secret).verify(got.body, got.headers) == {
        "type": "payment.captured",
        "timestamp": "2026-03-14T12:00:00Z",
        "data": {"number": 7, "note": "é\u2028"},
    }
    (event,) = await shop.webhooks().events(shop.merchant_id, None, 10)
    assert got.headers["webhook-id"] == f"evt_{event.id.hex}"
    assert got.headers["host"] == f"127.0.0.1:{hook.port}"
    assert got.headers["content-type"] == "application/json"
    assert got.line == "POST /hooks?from=tandem HTTP/1.1"
    assert await deliveries(shop, made) == [("delivered", 1, 200)]
    for spoilt in (got.body.replace(b"7", b"8"), got.body + b" "):
        with pytest.raises(WebhookVerificationError):
            Webhook(made.secret).verify(spoilt, got.headers)


async def test_both_secrets_sign_for_a_day_after_a_roll(shop: House, hook: Receiver) -> None:
    made = await endpoint(shop, hook.url)
    number = read_id("whe", made.id)
    outcome = await shop.webhooks().roll_secret(shop.merchant_id, number, None)
    rolled = msgspec.json.decode(outcome.body, type=NewEndpoint)
    assert rolled.secret != made.secret
    async with dispatching(shop) as dispatcher:
        await shop.announce(1)
        await settle(dispatcher)
        shop.clock.advance(timedelta(days=1))
        await shop.announce(2)
        await settle(dispatcher)
    first, second = hook.requests
    for secret in (made.secret, rolled.secret):
        Webhook(secret).verify(first.body, first.headers)
    Webhook(rolled.secret).verify(second.body, second.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(made.secret).verify(second.body, second.headers)


async def test_secrets_are_sealed_at_rest(shop: House, hook: Receiver) -> None:
    key = once(shop.merchant_id, "create")
    new = CreateEndpoint(url=hook.url)
    first = await shop.webhooks().create(shop.merchant_id, new, key)
    again = await shop.webhooks().create(shop.merchant_id, new, key)
    assert (first.replayed, again.replayed) == (False, True)
    assert first.body == again.body
    made = msgspec.json.decode(first.body, type=NewEndpoint)
    assert len(await shop.webhooks().list(shop.merchant_id)) == 1
    stored = await shop.pool.fetchrow(
        "SELECT (SELECT secret FROM webhook_endpoints), (SELECT answer FROM idempotency)"
    )
    assert stored is not None
    raw = base64.b64decode(made.secret.removeprefix("whsec_"))
    for column in stored:
        assert raw not in column
        assert made.secret.encode()[6:] not in column


async def test_only_wanted_types_are_sent(shop: House, hook: Receiver) -> None:
    made = await endpoint(shop, hook.url, "payment.refunded")
    await shop.announce(1)
    assert await deliveries(shop, made) == []
    number = read_id("whe", made.id)
    change = UpdateEndpoint(types=("payment.refunded", "payment.captured"))
    await shop.webhooks().update(shop.merchant_id, number, change)
    await shop.announce(2)
    assert len(await deliveries(shop, made)) == 1


# -- order and retries ---------------------------------------------------------------------------


async def test_retries_come_after_growing_gaps_and_then_it_has_failed(
    shop: House, hook: Receiver
) -> None:
    made = await endpoint(shop, hook.url)
    hook.answers = [status(500) for _ in range(len(GAPS) + 1)]
    await shop.announce(1)
    async with dispatching(shop) as dispatcher:
        await settle(dispatcher)
        for number, gap in enumerate(GAPS, 1):
            assert await deliveries(shop, made) == [("pending", number, 500)]
            shop.clock.advance(gap - timedelta(milliseconds=1))
            await settle(dispatcher)
            assert len(hook.requests) == number, "not before its time"
            shop.clock.advance(timedelta(milliseconds=1))
            await settle(dispatcher)
            assert len(hook.requests) == number + 1
        assert await deliveries(shop, made) == [("failed", len(GAPS) + 1, 500)]
        shop.clock.advance(timedelta(days=30))
        await settle(dispatcher)
    assert len(hook.requests) == len(GAPS) + 1
    assert len({request.headers["webhook-id"] for request in hook.requests}) == 1
    assert len({request.body for request in hook.requests}) == 1
    assert shop.clock.now() - START - timedelta(days=30) < timedelta(days=3)


async def test_an_object_s_events_arrive_in_order(shop: House, hook: Receiver) -> None:
    made = await endpoint(shop, hook.url)
    payment, other = shop.ids.new(), shop.ids.new()
    hook.answers = [status(503)]
    await shop.announce(1, object_id=payment)
    async with dispatching(shop) as dispatcher:
        await settle(dispatcher)
        await shop.announce(2, 3, object_id=payment)
        await shop.announce(10, object_id=other)
        await settle(dispatcher)
        assert hook.numbers == [1, 10], "another object does not wait"
        shop.clock.advance(GAPS[0])
        await settle(dispatcher)
    assert hook.numbers == [1, 10, 1, 2, 3]
    assert {line[0] for line in await deliveries(shop, made)} == {"delivered"}


async def test_the_next_one_goes_on_when_one_has_failed_for_good(
    shop: House, hook: Receiver
) -> None:
    made = await endpoint(shop, hook.url)
    payment = shop.ids.new()
    hook.answers = [status(500) for _ in range(len(GAPS) + 1)]
    await shop.announce(1, 2, object_id=payment)
    async with dispatching(shop) as dispatcher:
        await settle(dispatcher)
        for gap in GAPS:
            assert 2 not in hook.numbers
            shop.clock.advance(gap)
            await settle(dispatcher)
    assert hook.numbers == [1] * (len(GAPS) + 1) + [2]
    assert await deliveries(shop, made) == [("failed", 13, 500), ("delivered", 1, 200)]


async def test_many_events_of_one_object_do_not_hide_others(shop: House, hook: Receiver) -> None:
    await endpoint(shop, hook.url)
    stuck = shop.ids.new()
    hook.answers = [status(500)]
    await shop.announce(0, object_id=stuck)
    async with dispatching(shop) as dispatcher:
        await settle(dispatcher)
        await shop.announce(*range(1, 101), object_id=stuck)
        await shop.announce(500)
        await settle(dispatcher)
        assert hook.numbers == [0, 500]
        shop.clock.advance(PARKED)
        await settle(dispatcher)
    assert hook.numbers == [0, 500, *range(101)]


async def test_what_was_sent_can_be_sent_again(shop: House, hook: Receiver) -> None:
    made = await endpoint(shop, hook.url)
    await shop.announce(1)
    webhooks = shop.webhooks()
    async with dispatching(shop) as dispatcher:
        await settle(dispatcher)
        number = await only_delivery(shop, made)
        again, event_type, _ = await webhooks.resend(shop.merchant_id, number)
        assert (again.status, again.attempts, event_type) == ("pending", 1, "payment.captured")
        await settle(dispatcher)
        assert hook.numbers == [1, 1]
        hook.answers = [status(500)]
        await webhooks.resend(shop.merchant_id, number)
        await settle(dispatcher)
        assert await deliveries(shop, made) == [("pending", 3, 500)]
        await webhooks.resend(shop.merchant_id, number)  # not in twelve hours: now
        await settle(dispatcher)
    assert await deliveries(shop, made) == [("delivered", 4, 200)]
    with pytest.raises(NotFound):
        await webhooks.resend(shop.ids.new(), number)


async def test_a_test_event_is_sent_to_one_endpoint_whatever_it_wants(
    shop: House, hook: Receiver
) -> None:
    made = await endpoint(shop, hook.url, "payout.made")
    await endpoint(shop, hook.url)
    number = read_id("whe", made.id)
    hook.answers = [status(503, body=b"<b>no\r\nroom\x00\xff</b>")]
    async with dispatching(shop) as dispatcher:
        key = once(shop.merchant_id, "test", "1")
        first = await shop.webhooks().test(shop.merchant_id, number, key)
        again = await shop.webhooks().test(shop.merchant_id, number, key)
        assert (again.body, again.replayed) == (first.body, True)
        await settle(dispatcher)
        (request,) = hook.requests
        told = Webhook(made.secret).verify(request.body, request.headers)
        assert told["type"] == "webhook.test"
        assert told["data"] == {"id": made.id}  # a cashier reads it, and the URL may be a secret
        ((sent, kind, body),) = await shop.webhooks().deliveries(shop.merchant_id, number, None, 9)
        said = ("failed", "webhook.test", "<b>no\nroom\ufffd\ufffd</b>")  # and not tried again
        assert (sent.status, kind, body) == said
        await shop.webhooks().test(shop.merchant_id, number, None)
        await settle(dispatcher)
        assert await deliveries(shop, made) == [("failed", 1, 503), ("delivered", 1, 200)]
        for _ in range(MAX_TESTS):
            await shop.webhooks().test(shop.merchant_id, number, None)
        with pytest.raises(TooManyTests):
            await shop.webhooks().test(shop.merchant_id, number, None)
        await settle(dispatcher)
        assert len(hook.requests) == 2 + MAX_TESTS
        await shop.webhooks().update(shop.merchant_id, number, UpdateEndpoint(enabled=False))
        with pytest.raises(EndpointOff):
            await shop.webhooks().test(shop.merchant_id, number, None)


async def test_410_switches_the_endpoint_off(shop: House, hook: Receiver) -> None:
    made = await endpoint(shop, hook.url)
    payment = shop.ids.new()
    await shop.announce(1, 2, object_id=payment)
    hook.answers = [status(410)]
    terms = "SELECT terms FROM merchants"
    before = await shop.pool.fetchval(terms)
    async with dispatching(shop) as dispatcher:
        await settle(dispatcher)
        assert hook.numbers == [1]
        assert await deliveries(shop, made) == [("failed", 1, 410), ("failed", 1, None)]
        (now,) = await shop.webhooks().list(shop.merchant_id)
        assert not now.enabled
        assert await shop.pool.fetchval(terms) > before
        number = read_id("whe", made.id)
        (_, (first, *_)) = await shop.webhooks().deliveries(shop.merchant_id, number, None, 2)
        with pytest.raises(EndpointOff):
            await shop.webhooks().resend(shop.merchant_id, first.id)
        await shop.webhooks().update(shop.merchant_id, number, UpdateEndpoint(enabled=True))
        await shop.webhooks().resend(shop.merchant_id, first.id)
        await settle(dispatcher)
    assert hook.numbers == [1, 1]


async def test_nothing_is_sent_to_a_deleted_endpoint(shop: House, hook: Receiver) -> None:
    made = await endpoint(shop, hook.url)
    await shop.announce(1)
    await shop.webhooks().delete(shop.merchant_id, read_id("whe", made.id))
    async with dispatching(shop) as dispatcher:
        await settle(dispatcher)
    assert hook.requests == []
    assert await shop.webhooks().list(shop.merchant_id) == ()
    with pytest.raises(NotFound):
        await shop.webhooks().get(shop.merchant_id, read_id("whe", made.id))
    assert await shop.pool.fetchval("SELECT status FROM webhook_deliveries") == "failed"


# -- several processes, slow endpoints -----------------------------------------------------------


async def test_two_dispatchers_send_each_delivery_once(shop: House, hook: Receiver) -> None:
    made = await endpoint(shop, hook.url)
    await shop.announce(*range(60))
    async with dispatching(shop) as one, dispatching(shop) as two:
        await asyncio.gather(settle(one), settle(two))
    assert sorted(hook.numbers) == list(range(60))
    assert set(await deliveries(shop, made)) == {("delivered", 1, 200)}


async def test_what_a_killed_process_held_is_tried_again(shop: House, hook: Receiver) -> None:
    await endpoint(shop, hook.url)
    await shop.announce(1)
    never = asyncio.Event()

    async def hang(_: Request) -> bytes:
        await never.wait()
        return status(200)

    hook.reply = hang
    async with dispatching(shop) as killed, dispatching(shop) as other:
        await killed.round()
        await until("it is under way", lambda: hook.numbers == [1])
        hook.reply = None
        for task in killed._tasks:
            task.cancel()
        await settle(other)
        assert hook.numbers == [1], "claimed"
        shop.clock.advance(LEASE)
        await settle(other)
    assert hook.numbers == [1, 1]


async def test_a_late_answer_does_not_undo_a_later_try(shop: House, hook: Receiver) -> None:
    made = await endpoint(shop, hook.url)
    await shop.announce(1)
    go = asyncio.Event()

    async def wait_then_fail(_: Request) -> bytes:
        await go.wait()
        return status(500)

    hook.reply = wait_then_fail
    async with dispatching(shop) as late, dispatching(shop) as other:
        await late.round()
        await until("it is under way", lambda: hook.numbers == [1])
        hook.reply = None
        shop.clock.advance(LEASE)
        await settle(other)
        go.set()
        await asyncio.gather(*late._tasks)
    assert await deliveries(shop, made) == [("delivered", 2, 200)]


async def test_a_clock_that_jumps_does_not_send_twice(shop: House, hook: Receiver) -> None:
    await endpoint(shop, hook.url)
    await shop.announce(1)
    go = asyncio.Event()

    async def wait(_: Request) -> bytes:
        await go.wait()
        return status(200)

    hook.reply = wait
    async with dispatching(shop) as dispatcher:
        await dispatcher.round()
        await until("it is under way", lambda: hook.numbers == [1])
        shop.clock.advance(timedelta(days=1))
        await dispatcher.round()
        assert len(dispatcher._tasks) == 1
        go.set()
        await settle(dispatcher)
    assert hook.numbers == [1]


async def test_a_slow_endpoint_holds_nobody_up(
    shop: House, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "SEND_SECONDS", 2.0)
    never = asyncio.Event()

    async def hang(_: Request) -> bytes:
        await never.wait()
        return status(200)

    async with receiver() as slow:
        slow.reply = hang
        tarpit = await endpoint(shop, slow.url)
        await shop.announce(*range(50))
        await shop.webhooks().delete(shop.merchant_id, read_id("whe", tarpit.id))
        await shop.pool.execute("UPDATE webhook_endpoints SET enabled = true, deleted_at = NULL")
        quick = await endpoint(shop, hook.url)
        endpoints = await shop.webhooks().list(shop.merchant_id)
        dispatcher = Dispatcher(shop.pool, shop.clock, shop.keyring, shop.settings)
        shop.journal.on_commit(dispatcher.wake)
        async with running(dispatcher):
            await until("slow is full", lambda: slow.under_way == PLACES_PER_ENDPOINT)
            only_quick = tuple(e for e in endpoints if e.url == quick.url)
            await shop.announce(*range(100, 120), endpoints=only_quick)
            await until("quick got all", lambda: len(hook.requests) == 20)
            assert slow.under_way == slow.most_at_once == len(slow.requests) == PLACES_PER_ENDPOINT
            await until("a try was given up", lambda: len(slow.requests) > PLACES_PER_ENDPOINT)
            await asyncio.sleep(0.2)
            assert len(slow.requests) == PLACES_PER_ENDPOINT + 1, "one place while it is slow"
        never.set()
    assert ("pending", 1, None) in await deliveries(shop, tarpit)


async def test_a_commit_wakes_the_dispatcher(
    shop: House, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "POLL_SECONDS", 60.0)
    await endpoint(shop, hook.url)
    dispatcher = Dispatcher(shop.pool, shop.clock, shop.keyring, shop.settings)
    shop.journal.on_commit(dispatcher.wake)
    async with running(dispatcher):
        await asyncio.sleep(0.1)
        await shop.announce(1)
        await until("it arrived before the next poll", lambda: hook.numbers == [1])


# -- the merchant's own things -------------------------------------------------------------------


async def test_a_merchant_sees_only_its_own(shop: House, hook: Receiver) -> None:
    made = await endpoint(shop, hook.url)
    await shop.announce(1)
    number, stranger = read_id("whe", made.id), shop.ids.new()
    delivery = await only_delivery(shop, made)
    (event,) = await shop.webhooks().events(shop.merchant_id, None, 10)
    webhooks = shop.webhooks()
    with pytest.raises(NotFound):
        await webhooks.get(stranger, number)
    with pytest.raises(NotFound):
        await webhooks.deliveries(stranger, number, None, 10)
    with pytest.raises(NotFound):
        await webhooks.delivery(stranger, delivery)
    with pytest.raises(NotFound):
        await webhooks.event(stranger, event.id)
    with pytest.raises(NotFound):
        await webhooks.update(stranger, number, UpdateEndpoint(enabled=False))
    with pytest.raises(NotFound):
        await webhooks.create(stranger, CreateEndpoint(url=hook.url), None)
    assert await webhooks.events(stranger, None, 10) == []
    assert (await webhooks.event(shop.merchant_id, event.id)).data == event.data


async def test_another_merchant_cannot_touch_an_endpoint(shop: House, hook: Receiver) -> None:
    made = await endpoint(shop, hook.url)
    number, other = read_id("whe", made.id), shop.ids.new()
    await shop.pool.execute(
        "INSERT INTO merchants (id, name, status, terms, created_at) "
        "VALUES ($1, 'Other', 'active', 1, $2)",
        other,
        START,
    )
    for attempt in (
        shop.webhooks().update(other, number, UpdateEndpoint(enabled=False)),
        shop.webhooks().delete(other, number),
        shop.webhooks().roll_secret(other, number, None),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert (await shop.webhooks().get(shop.merchant_id, number)).enabled


async def test_endpoints_are_checked_and_counted(shop: House, hook: Receiver) -> None:
    for wrong in (
        CreateEndpoint(url=hook.url, types=("send.sent",)),
        CreateEndpoint(url=hook.url, types=("payment.created", "payment.created")),
        CreateEndpoint(url="ftp://127.0.0.1/"),
    ):
        with pytest.raises(Invalid):
            await shop.webhooks().create(shop.merchant_id, wrong, None)
    for _ in range(20):
        await endpoint(shop, hook.url)
    with pytest.raises(TooManyEndpoints):
        await endpoint(shop, hook.url)
    async with shop.pool.acquire() as connection:
        assert len(await load_endpoints(connection, shop.merchant_id)) == 20


async def test_lists_go_page_by_page(shop: House, hook: Receiver) -> None:
    made = await endpoint(shop, hook.url)
    await shop.announce(*range(5))
    number, webhooks = read_id("whe", made.id), shop.webhooks()
    events = await webhooks.events(shop.merchant_id, None, 3)
    events = [*events, *await webhooks.events(shop.merchant_id, events[-1].id, 3)]
    assert [json.loads(event.data)["number"] for event in events] == [4, 3, 2, 1, 0]
    page = await webhooks.deliveries(shop.merchant_id, number, None, 3)
    rest = await webhooks.deliveries(shop.merchant_id, number, page[-1][0].id, 3)
    assert [d.event_id for d, *_ in (*page, *rest)] == [event.id for event in events]
