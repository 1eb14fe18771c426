"""Signing up, devices, limits, suspending."""

import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final, TypeVar
from uuid import UUID

import asyncpg
import msgspec

from tandem.access import Access
from tandem.codes import paycode
from tandem.db import Connection, Idempotency, Pool, earlier_answer, keep_answer, work
from tandem.db.audit import Actor, about, acts
from tandem.kernel import (
    Clock,
    Entropy,
    Ids,
    Invalid,
    NotFound,
    clean_text,
    currency,
    read_id,
    show_id,
)
from tandem.keyring import KeyRing
from tandem.ledger import open_accounts, set_terms
from tandem.ledger import person as person_account
from tandem.people.errors import HandleTaken, SignUpClosed
from tandem.people.model import (
    Device,
    DeviceView,
    Limits,
    NewDevice,
    NewPerson,
    Person,
    PersonStatus,
    PersonTerms,
    device_view,
    person_view,
    read_handle,
)
from tandem.people.store import (
    count_devices,
    devices_of,
    find_id_by_handle,
    insert_device,
    list_people,
    load_terms,
    people_of_reference,
    person_by_id,
    seed_context,
)
from tandem.settings import Settings

NAME_LENGTH: Final = 100
MAX_DEVICES: Final = 20
"""How many devices in use a person may have."""
_DRAWS: Final = 100
_HANDLE_IS_UNIQUE: Final = "people_handle_key"
T = TypeVar("T", bound=msgspec.Struct)


class People:
    """The use cases of people."""

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        ids: Ids,
        entropy: Entropy,
        access: Access,
        keyring: KeyRing,
        settings: Settings,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._ids = ids
        self._entropy = entropy
        self._access = access
        self._keyring = keyring
        self._settings = settings

    async def sign_up(
        self, handle: str, name: str, device_name: str, idempotency: Idempotency | None
    ) -> NewPerson:
        """A new person with a first device. Raises `HandleTaken`, `Invalid`."""
        handle, shown = read_handle(handle), clean_text(name, "name", NAME_LENGTH)
        label = clean_text(device_name, "device_name", NAME_LENGTH)
        with _handle_is_free(handle):
            async with work(self._pool) as connection:
                if idempotency is not None:
                    earlier = await self._earlier(connection, idempotency, NewPerson)
                    if earlier is not None:
                        return earlier
                made = await self._insert_person(connection, self._ids.new(), handle, shown, label)
                await self._keep(connection, idempotency, made)
                person_id = read_id("ppl", made.person.id)
                acts(Actor("person", person_id, "person", person_id, shown))  # or the operator
        return made

    async def check_newcomer(self, handle: str, name: str) -> tuple[str, str]:
        """Handle and name as they would be kept, if somebody may sign up with them now.

        Raises `HandleTaken`, `Invalid`, `SignUpClosed`.
        """
        if self._settings.sign_up != "open":
            raise SignUpClosed
        handle, shown = read_handle(handle), clean_text(name, "name", NAME_LENGTH)
        async with self._pool.acquire() as connection:
            if await connection.fetchval("SELECT 1 FROM people WHERE handle = $1", handle):
                raise HandleTaken(handle)
        return handle, shown

    @asynccontextmanager
    async def newcomer(
        self, person_id: UUID, handle: str, name: str, device_name: str
    ) -> AsyncIterator[tuple[Connection, NewPerson]]:
        """A new person with this id, in a unit of work in which they also get what they ask for.

        Handle and name are checked. Raises `HandleTaken`; `Invalid` for the device's name.
        """
        label = clean_text(device_name, "device_name", NAME_LENGTH)
        with _handle_is_free(handle):
            async with work(self._pool) as connection:
                yield (
                    connection,
                    await self._insert_person(connection, person_id, handle, name, label),
                )

    async def get(self, person_id: UUID) -> Person:
        """The person. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            return await person_by_id(connection, person_id)

    async def find_by_handle(self, handle: str) -> Person:
        """The person with this handle. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            return await person_by_id(connection, await find_id_by_handle(connection, handle))

    async def find_by_reference(self, reference: str) -> Person:
        """The person whose reference for bank transfers this is. Raises `Invalid`, `NotFound`."""
        async with self._pool.acquire() as connection:
            found = await people_of_reference(connection, reference)
        if not found:
            raise NotFound("person", f"with the reference {reference}")
        return found[0]

    async def search(
        self,
        query: str | None,
        before: UUID | None,
        limit: int,
        status: PersonStatus | None = None,
    ) -> list[Person]:
        """People, newest first, by how handle or name begins, or by their whole id or reference.

        Raises `Invalid` for a reference with a mistake in it.
        """
        async with self._pool.acquire() as connection:
            return await list_people(connection, query, before, limit, status)

    async def terms(self, person_id: UUID) -> PersonTerms:
        """The person's terms: status and limits. Raises `NotFound`."""
        async with self._pool.acquire() as connection:
            return await load_terms(connection, person_id)

    async def set_limits(
        self, person_id: UUID, code: str, per_payment: int, per_day: int
    ) -> Limits:
        """Set a person's limits in a currency. Raises `NotFound`, `Invalid`."""
        unit = currency(code)
        async with work(self._pool) as connection:
            await self._bump(connection, person_id)
            await connection.execute(
                "INSERT INTO person_limits (person_id, currency, per_payment, per_day) "
                "VALUES ($1, $2, $3, $4) ON CONFLICT (person_id, currency) "
                "DO UPDATE SET per_payment = $3, per_day = $4",
                person_id,
                unit.code,
                per_payment,
                per_day,
            )
        return Limits(per_payment, per_day)

    async def set_passkey_above(self, person_id: UUID, code: str, above: int | None) -> None:
        """Above which amount payments ask for the passkey. Raises `NotFound`, `Invalid`."""
        unit = self._settings.unit(code)
        async with work(self._pool) as connection:
            await self._bump(connection, person_id)
            if above is None:
                await connection.execute(
                    "DELETE FROM passkey_limits WHERE person_id = $1 AND currency = $2",
                    person_id,
                    unit.code,
                )
                return
            await connection.execute(
                "INSERT INTO passkey_limits (person_id, currency, above) VALUES ($1, $2, $3) "
                "ON CONFLICT (person_id, currency) DO UPDATE SET above = $3",
                person_id,
                unit.code,
                above,
            )

    async def set_status(self, person_id: UUID, status: PersonStatus) -> Person:
        """Suspend a person, or let them pay again. Raises `NotFound`."""
        async with work(self._pool) as connection:
            await self._bump(connection, person_id)
            await connection.execute(
                "UPDATE people SET status = $2 WHERE id = $1", person_id, status
            )
            return await person_by_id(connection, person_id)

    async def add_device(
        self, person_id: UUID, name: str, idempotency: Idempotency | None
    ) -> NewDevice:
        """A further device, with a key and a seed of its own.

        Raises `NotFound`; `Invalid` for a name that cannot be shown, and for too many devices.
        """
        label = clean_text(name, "name", NAME_LENGTH)
        async with work(self._pool) as connection:
            if idempotency is not None:
                earlier = await self._earlier(connection, idempotency, NewDevice)
                if earlier is not None:
                    return earlier
            if await count_devices(connection, person_id) >= MAX_DEVICES:
                raise Invalid(
                    "name", f"a person has at most {MAX_DEVICES} devices: take one out of use first"
                )
            made = await self._insert_device(connection, person_id, label)
            await self._keep(connection, idempotency, made)
        return made

    async def devices(self, person_id: UUID, before: UUID | None, limit: int) -> list[Device]:
        """A person's devices, newest first."""
        async with self._pool.acquire() as connection:
            return await devices_of(connection, person_id, before, limit)

    async def rename_device(self, person_id: UUID, device_id: UUID, name: str) -> DeviceView:
        """Call a device something else. Raises `NotFound`; `Invalid` for what cannot be shown."""
        label = clean_text(name, "name", NAME_LENGTH)
        async with work(self._pool) as connection:
            row = await connection.fetchrow(
                "UPDATE devices SET name = $3 WHERE id = $1 AND person_id = $2 RETURNING *",
                device_id,
                person_id,
                label,
            )
            changed = _changed(device_id, row)
            forget_name = await self._access.rename_device(connection, device_id, label)
        forget_name()
        return changed

    async def revoke_device(self, person_id: UUID, device_id: UUID) -> DeviceView:
        """Take a device out of use: its key and its pay codes work no more. Raises `NotFound`."""
        async with work(self._pool) as connection:
            row = await connection.fetchrow(
                "UPDATE devices SET revoked_at = coalesce(revoked_at, $3) "
                "WHERE id = $1 AND person_id = $2 RETURNING *",
                device_id,
                person_id,
                self._clock.now(),
            )
            changed = _changed(device_id, row)
            await self._access.revoke_device(connection, device_id)
        return changed

    async def _insert_person(
        self, connection: Connection, person_id: UUID, handle: str, name: str, device_name: str
    ) -> NewPerson:
        now = self._clock.now()
        person = Person(person_id, handle, name, "active", 1, now)
        await connection.execute(
            "INSERT INTO people (id, handle, name, status, terms, created_at) "
            "VALUES ($1, $2, $3, 'active', 1, $4)",
            person.id,
            handle,
            name,
            now,
        )
        keys = [person_account(person.id, unit) for unit in self._settings.currencies]
        await open_accounts(connection, keys, now)
        about(show_id("ppl", person.id))
        device = await self._insert_device(connection, person.id, device_name)
        return NewPerson(person_view(person), device)

    async def _insert_device(self, connection: Connection, person_id: UUID, name: str) -> NewDevice:
        seed, now = self._entropy(paycode.SEED_BYTES), self._clock.now()
        device_id = self._ids.new()
        sealed = self._keyring.seal(seed, seed_context(device_id))
        for _ in range(_DRAWS):
            index = paycode.allocate_index(self._entropy)
            device = Device(
                device_id, person_id, name, int(index), sealed, 0, 0, 0, None, now, None
            )
            if await insert_device(connection, device):
                break
        else:  # with half of all indexes taken this happens once in 10^30
            raise RuntimeError(f"{_DRAWS} random code indexes were taken, one after another")
        about(show_id("dev", device_id))
        key = await self._access.create(
            connection,
            kind="person",
            owner_id=person_id,
            name=name,
            scopes=["wallet"],
            device_id=device_id,
        )
        shown = device_view(device)
        return NewDevice(shown.id, name, key.secret, index, base64.b64encode(seed).decode(), now)

    async def _bump(self, connection: Connection, person_id: UUID) -> None:
        """Let no entry be committed any more that was made under the terms as they were."""
        version: int | None = await connection.fetchval(
            "UPDATE people SET terms = terms + 1 WHERE id = $1 RETURNING terms", person_id
        )
        if version is None:
            raise NotFound("person", show_id("ppl", person_id))
        keys = [person_account(person_id, unit) for unit in self._settings.currencies]
        await set_terms(connection, keys, version, self._clock.now())

    # An answer with secrets is kept sealed: a repeat gets them again, a reader of the table not.

    async def _earlier(
        self, connection: Connection, idempotency: Idempotency, shape: type[T]
    ) -> T | None:
        sealed = await earlier_answer(connection, idempotency)
        if sealed is None:
            return None
        return msgspec.json.decode(self._keyring.open(sealed, _context(idempotency)), type=shape)

    async def _keep(
        self, connection: Connection, idempotency: Idempotency | None, made: msgspec.Struct
    ) -> None:
        if idempotency is not None:
            sealed = self._keyring.seal(msgspec.json.encode(made), _context(idempotency))
            await keep_answer(connection, idempotency, sealed, self._clock.now())


def _changed(device_id: UUID, row: asyncpg.Record | None) -> DeviceView:
    """A device after a change to its row. Raises `NotFound` where there was none to change."""
    if row is None:
        raise NotFound("device", show_id("dev", device_id))
    return DeviceView(show_id("dev", device_id), row["name"], row["created_at"], row["revoked_at"])


@contextmanager
def _handle_is_free(handle: str) -> Iterator[None]:
    """What a rival took meanwhile. Raises `HandleTaken`."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != _HANDLE_IS_UNIQUE:
            raise
        raise HandleTaken(handle) from error


def _context(idempotency: Idempotency) -> bytes:
    return b"answer " + idempotency.owner_id.bytes + idempotency.key.encode()
