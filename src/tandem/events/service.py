"""The use cases of webhooks: a merchant's endpoints, its deliveries, its events."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
from msgspec import UNSET

from tandem.db import Connection, Idempotency, Pool, earlier_answer, keep_answer, work
from tandem.db.audit import about
from tandem.events.errors import EndpointOff, TooManyEndpoints, TooManyTests
from tandem.events.model import (
    MERCHANT_TYPES,
    TEST_TYPE,
    Delivery,
    Endpoint,
    Event,
    Now,
    Sent,
    announce,
)
from tandem.events.secrets import new_secrets, open_secrets, seal_secrets
from tandem.events.send import Resolve, find_addresses, resolve, show_secret
from tandem.events.shapes import (
    CreateEndpoint,
    EndpointTest,
    UpdateEndpoint,
    delivery_view,
    new_endpoint,
)
from tandem.events.store import (
    bump_terms,
    count_tests,
    delete_endpoint,
    find_delivery,
    find_endpoint,
    find_event,
    insert_endpoint,
    list_deliveries,
    list_events,
    load_endpoints,
    lock_secret,
    make_pending,
    merchant_of_delivery,
    set_secret,
    update_endpoint,
    write,
)
from tandem.events.target import read_target
from tandem.kernel import Clock, Entropy, Ids, Invalid, NotFound, Rule, show_id
from tandem.keyring import KeyRing
from tandem.ledger import Outcome
from tandem.settings import Settings

MAX_ENDPOINTS: Final = 20
MAX_TESTS: Final = 3
"""Test events that are on their way to an endpoint at once."""


class Webhooks:
    """A merchant's endpoints, deliveries and events. `find` resolves the names in URLs."""

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        ids: Ids,
        entropy: Entropy,
        keyring: KeyRing,
        settings: Settings,
        *,
        find: Resolve = resolve,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._ids = ids
        self._entropy = entropy
        self._keyring = keyring
        self._sandbox = settings.sandbox
        self._find = find

    # -- endpoints -------------------------------------------------------------------------------

    async def create(
        self, merchant_id: UUID, new: CreateEndpoint, idempotency: Idempotency | None
    ) -> Outcome:
        """A new endpoint; the outcome is a NewEndpoint, with the secret that is shown only here.

        Raises `Invalid` and `TargetRefused` for a URL that Tandem does not send to, `Invalid` for
        an unknown type, `TooManyEndpoints`.
        """
        types = _check_types(new.types)
        await self._check_url(new.url)
        async with work(self._pool) as connection:
            earlier = await self._earlier(connection, idempotency)
            if earlier is not None:
                return earlier
            await self._change(connection, merchant_id)
            if len(await load_endpoints(connection, merchant_id)) >= MAX_ENDPOINTS:
                raise TooManyEndpoints(MAX_ENDPOINTS)
            endpoint = Endpoint(
                self._ids.new(), merchant_id, new.url, types, enabled=True,
                created_at=self._clock.now(),
            )  # fmt: skip
            secrets = new_secrets(self._entropy)
            sealed = seal_secrets(self._keyring, endpoint.id, secrets)
            await insert_endpoint(connection, endpoint, sealed)
            about(show_id("whe", endpoint.id))
            shown = new_endpoint(endpoint, show_secret(secrets.current))
            return await self._answer(connection, shown, idempotency)

    async def list(self, merchant_id: UUID) -> Sequence[Endpoint]:
        """All endpoints of a merchant (there are few), oldest first."""
        async with self._pool.acquire() as connection:
            return await load_endpoints(connection, merchant_id)

    async def get(self, merchant_id: UUID, endpoint_id: UUID) -> Endpoint:
        """One endpoint. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            return await _endpoint(connection, merchant_id, endpoint_id)

    async def update(
        self, merchant_id: UUID, endpoint_id: UUID, change: UpdateEndpoint
    ) -> Endpoint:
        """Change an endpoint's URL or types, or switch it on or off.

        While it is off nothing is announced to it, and what falls due fails; that can be sent again
        later. Raises `NotFound`, and what `create` raises for URL and types.
        """
        await self.get(merchant_id, endpoint_id)  # nothing is looked up for another's endpoint
        if change.types is not UNSET:
            _check_types(change.types)
        if change.url is not UNSET:
            await self._check_url(change.url)
        fields = {
            name: value
            for name, value in msgspec.structs.asdict(change).items()
            if value is not UNSET
        }
        async with work(self._pool) as connection:
            await self._change(connection, merchant_id)
            before = await _endpoint(connection, merchant_id, endpoint_id)
            endpoint = msgspec.structs.replace(before, **fields)
            await update_endpoint(connection, endpoint)
        return endpoint

    async def delete(self, merchant_id: UUID, endpoint_id: UUID) -> None:
        """Send nothing there any more. Raises `NotFound`."""
        async with work(self._pool) as connection:
            await self._change(connection, merchant_id)
            endpoint = await _endpoint(connection, merchant_id, endpoint_id)
            await delete_endpoint(connection, endpoint.id, self._clock.now())

    async def roll_secret(
        self, merchant_id: UUID, endpoint_id: UUID, idempotency: Idempotency | None
    ) -> Outcome:
        """A new secret; the one before signs beside it for a day. The outcome is a NewEndpoint.

        Raises `NotFound`.
        """
        async with work(self._pool) as connection:
            earlier = await self._earlier(connection, idempotency)
            if earlier is not None:
                return earlier
            endpoint = await _endpoint(connection, merchant_id, endpoint_id)
            sealed = await lock_secret(connection, endpoint.id)
            before = open_secrets(self._keyring, endpoint.id, sealed)
            secrets = before.rolled(self._entropy, self._clock.now())
            sealed = seal_secrets(self._keyring, endpoint.id, secrets)
            await set_secret(connection, endpoint.id, sealed)
            shown = new_endpoint(endpoint, show_secret(secrets.current))
            return await self._answer(connection, shown, idempotency)

    # -- deliveries and events -------------------------------------------------------------------

    async def deliveries(
        self, merchant_id: UUID, endpoint_id: UUID, after: UUID | None, limit: int
    ) -> Sequence[Sent]:
        """An endpoint's deliveries, newest first. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            endpoint = await _endpoint(connection, merchant_id, endpoint_id)
            return await list_deliveries(connection, endpoint.id, after, limit)

    async def delivery(self, merchant_id: UUID, delivery_id: UUID) -> Sent:
        """One delivery. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            return await _delivery(connection, merchant_id, delivery_id)

    async def test(
        self, merchant_id: UUID, endpoint_id: UUID, idempotency: Idempotency | None
    ) -> Outcome:
        """Send a test event there, whatever types it wants: an event and a delivery, tried once.

        All staff that reads events reads it, so it says no more than which endpoint it is for. The
        outcome is a DeliveryView. Raises `NotFound`, `EndpointOff`, `TooManyTests`.
        """
        moment = Now(self._clock.now(), self._ids.new)
        async with work(self._pool) as connection:
            earlier = await self._earlier(connection, idempotency)
            if earlier is not None:
                return earlier
            endpoint = await _endpoint(connection, merchant_id, endpoint_id)
            if not endpoint.enabled:
                raise EndpointOff(endpoint.id)
            if await count_tests(connection, endpoint.id) >= MAX_TESTS:
                raise TooManyTests(MAX_TESTS)
            shown = EndpointTest(show_id("whe", endpoint.id))
            told = announce(moment, merchant_id, TEST_TYPE, endpoint.id, shown, [endpoint])
            await write(connection, told)
            delivery = told[-1].row
            assert isinstance(delivery, Delivery), "the endpoint is on: it is sent there"
            made = delivery_view(Sent(delivery, TEST_TYPE, None))
            return await self._answer(connection, made, idempotency)

    async def resend(self, merchant_id: UUID, delivery_id: UUID) -> Sent:
        """Try a delivery now: one that failed, was delivered or waits for its next try.

        Its tries go on counting. Raises `NotFound`, `EndpointOff`.
        """
        async with work(self._pool) as connection:
            found = (await _delivery(connection, merchant_id, delivery_id)).delivery
            endpoint = await find_endpoint(connection, merchant_id, found.endpoint_id)
            if endpoint is None or not endpoint.enabled:
                raise EndpointOff(found.endpoint_id)
            await make_pending(connection, found.id, self._clock.now())
            return await _delivery(connection, merchant_id, delivery_id)

    async def resend_for_operator(self, delivery_id: UUID) -> None:
        """Try any merchant's delivery now. Raises `NotFound`, `EndpointOff`."""
        async with self._pool.acquire() as connection:
            merchant_id = await merchant_of_delivery(connection, delivery_id)
        if merchant_id is None:
            raise NotFound("delivery", show_id("whd", delivery_id))
        await self.resend(merchant_id, delivery_id)

    async def events(self, owner_id: UUID, after: UUID | None, limit: int) -> Sequence[Event]:
        """An owner's events, newest first."""
        async with self._pool.acquire() as connection:
            return await list_events(connection, owner_id, after, limit)

    async def event(self, owner_id: UUID, event_id: UUID) -> Event:
        """One event. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            found = await find_event(connection, owner_id, event_id)
        if found is None:
            raise NotFound("event", show_id("evt", event_id))
        return found

    # -- parts -----------------------------------------------------------------------------------

    async def _check_url(self, url: str) -> None:
        target = read_target(url, sandbox=self._sandbox)
        await find_addresses(target.host, target.port, self._find, sandbox=self._sandbox)

    async def _change(self, connection: Connection, merchant_id: UUID) -> None:
        """Begin to change a merchant's endpoints: nothing is decided on the old ones any more."""
        if not await bump_terms(connection, merchant_id, self._clock.now()):
            raise NotFound("merchant", show_id("mer", merchant_id))

    async def _earlier(
        self, connection: Connection, idempotency: Idempotency | None
    ) -> Outcome | None:
        if idempotency is None:
            return None
        sealed = await earlier_answer(connection, idempotency)
        if sealed is None:
            return None
        return Outcome(self._keyring.open(sealed, _context(idempotency)), replayed=True)

    async def _answer(
        self, connection: Connection, shown: msgspec.Struct, idempotency: Idempotency | None
    ) -> Outcome:
        """Keep the answer for a repeat, sealed: it may hold a secret."""
        body = msgspec.json.encode(shown)
        if idempotency is not None:
            sealed = self._keyring.seal(body, _context(idempotency))
            await keep_answer(connection, idempotency, sealed, self._clock.now())
        return Outcome(body)


def _context(idempotency: Idempotency) -> bytes:
    return b"idempotency.answer:" + idempotency.owner_id.bytes + idempotency.key.encode()


def _check_types(types: Sequence[str]) -> tuple[str, ...]:
    for name in types:
        if name not in MERCHANT_TYPES:
            raise Invalid("types", f"may contain only {', '.join(MERCHANT_TYPES)}")
    if len(set(types)) != len(types):
        raise Invalid("types", "must not contain a type twice", rule=Rule("distinct"))
    return tuple(types)


async def _endpoint(connection: Connection, merchant_id: UUID, endpoint_id: UUID) -> Endpoint:
    found = await find_endpoint(connection, merchant_id, endpoint_id)
    if found is None:
        raise NotFound("webhook endpoint", show_id("whe", endpoint_id))
    return found


async def _delivery(connection: Connection, merchant_id: UUID, delivery_id: UUID) -> Sent:
    found = await find_delivery(connection, merchant_id, delivery_id)
    if found is None:
        raise NotFound("delivery", show_id("whd", delivery_id))
    return found
