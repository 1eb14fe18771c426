"""People: signing up, devices, limits; for themselves and for the operator."""

from typing import Annotated, Literal, Protocol
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.access import SessionOver
from tandem.api.operation import Call, ListQuery, Page, operation, page
from tandem.kernel import Invalid, read_id
from tandem.people import (
    AddDevice,
    ChangeDevice,
    CreatePerson,
    DeviceView,
    HandleTaken,
    NewDevice,
    NewPerson,
    People,
    PersonView,
    SetLimits,
    SignUpClosed,
    Spending,
    device_view,
    person_view,
)
from tandem.settings import Settings
from tandem.signin import SignIn, SignInStale


class Services(Protocol):
    """What these operations use."""

    @property
    def people(self) -> People:
        """The use cases of people."""
        ...

    @property
    def sign_in(self) -> SignIn:
        """Knows whose session asks."""
        ...

    @property
    def settings(self) -> Settings:
        """Who may sign up, and the limits of people who have none of their own."""
        ...


class PeopleQuery(ListQuery, frozen=True):
    """Which people to list."""

    search: Annotated[
        Annotated[str, Meta(min_length=1, max_length=100)] | None,
        Meta(
            description="Only people whose handle or name begins with this, or whose id or "
            "reference for bank transfers it is"
        ),
    ] = None
    status: Annotated[
        Literal["active", "suspended"] | None, Meta(description="Only people in this state")
    ] = None


class PersonCard(msgspec.Struct, frozen=True):
    """Another person, as somebody sees them who is about to send them money."""

    handle: Annotated[str, Meta(examples=["@mei"])]
    name: Annotated[str, Meta(examples=["Mei Chen"])]


class LimitsView(msgspec.Struct, frozen=True):
    """What a person may spend in one currency, in minor units."""

    currency: Annotated[str, Meta(examples=["CNY"])]
    per_payment: Annotated[int, Meta(examples=[500_000])]
    per_day: Annotated[int, Meta(examples=[2_000_000])]
    own: Annotated[bool, Meta(description="Set for this person, not the operator's default")]
    passkey_above: Annotated[
        int | None,
        Meta(description="Above this the person's passkey is asked for; null: it is not"),
    ] = None


class LimitsList(msgspec.Struct, frozen=True):
    """A person's limits in every currency."""

    data: list[LimitsView]


@operation(
    "POST",
    "/v1/people",
    tag="People",
    summary="Sign up",
    who=("anyone", "operator"),
    status=201,
    idempotency="optional",
    errors=(HandleTaken, SignUpClosed),
)
async def sign_up(call: Call[Services], body: CreatePerson) -> NewPerson:
    """Make a wallet, with the device that is to hold its key.

    The device's key and the seed of its pay codes are shown in this answer only. No API key is
    needed where the operator lets anyone sign up; elsewhere it is the operator's.

    Send an Idempotency-Key: if the answer is lost on its way, the same request with the same key
    gets it again, secrets and all. Without one a repeat makes no second wallet either, but it is
    refused with `handle_taken`, since a handle belongs to one person.
    """
    caller = call.caller
    if call.services.settings.sign_up == "operator" and (
        caller is None or caller.kind != "operator"
    ):
        raise SignUpClosed
    return await call.services.people.sign_up(
        body.handle, body.name, body.device_name, call.idempotency
    )


@operation("GET", "/v1/people", tag="People", summary="List people", who=("operator",))
async def list_people(call: Call[Services], query: PeopleQuery) -> Page[PersonView]:
    """Everybody who has a wallet, newest first."""
    rows = await call.services.people.search(
        query.search, query.after_id("ppl"), query.limit + 1, query.status
    )
    return page(rows, query.limit, person_view)


@operation("GET", "/v1/people/me", tag="People", summary="See yourself", who=("person",))
async def get_me(call: Call[Services]) -> PersonView:
    """The person whose device asks."""
    return person_view(await call.services.people.get(call.principal.owner_id))


@operation("GET", "/v1/people/me/limits", tag="People", summary="See your limits", who=("person",))
async def get_my_limits(call: Call[Services]) -> LimitsList:
    """What you may spend for one payment and in one day, in each currency."""
    return await _limits(call, call.principal.owner_id)


@operation("GET", "/v1/people/me/devices", tag="People", summary="List devices", who=("person",))
async def list_my_devices(call: Call[Services], query: ListQuery) -> Page[DeviceView]:
    """Your devices, newest first."""
    return await _devices(call, call.principal.owner_id, query)


@operation(
    "POST",
    "/v1/people/me/devices",
    tag="People",
    summary="Add a device",
    who=("person",),
    status=201,
    idempotency="required",
    errors=(SignInStale, SessionOver),
)
async def add_my_device(call: Call[Services], body: AddDevice) -> NewDevice:
    """A further device with a key and a seed of its own, shown in this answer only.

    The browser of a session that belongs to none is this device from now on. A session asks for the
    passkey a moment before: a device's key lasts longer than it does.
    """
    owner = call.principal.owner_id
    await call.services.sign_in.check_may_add_device(call.principal)
    made = await call.services.people.add_device(owner, body.name, call.idempotency)
    await call.services.sign_in.bind_device(call.principal, read_id("dev", made.id))
    return made


@operation(
    "PATCH",
    "/v1/people/me/devices/{device_id}",
    tag="People",
    summary="Rename a device",
    who=("person",),
)
async def rename_my_device(call: Call[Services], device_id: UUID, body: ChangeDevice) -> DeviceView:
    """Call one of your devices what you know it by. Its key and its pay codes stay as they are."""
    owner = call.principal.owner_id
    return await call.services.people.rename_device(owner, device_id, body.name)


@operation(
    "DELETE",
    "/v1/people/me/devices/{device_id}",
    tag="People",
    summary="Take a device out of use",
    who=("person",),
)
async def revoke_my_device(call: Call[Services], device_id: UUID) -> DeviceView:
    """Its key and its pay codes work no more. A lost phone is taken out of use from another."""
    return await call.services.people.revoke_device(call.principal.owner_id, device_id)


@operation(
    "GET",
    "/v1/people/handles/{handle}",
    tag="People",
    summary="Find a person by handle",
    who=("person", "operator"),
)
async def find_person(call: Call[Services], handle: str) -> PersonCard:
    """Who has this handle: to show before money is sent there. With or without the @."""
    found = await call.services.people.find_by_handle(handle.removeprefix("@"))
    return PersonCard(f"@{found.handle}", found.name)


@operation("GET", "/v1/people/{person_id}", tag="People", summary="Get a person", who=("operator",))
async def get_person(call: Call[Services], person_id: UUID) -> PersonView:
    """One person."""
    return person_view(await call.services.people.get(person_id))


@operation(
    "POST",
    "/v1/people/{person_id}/suspend",
    tag="People",
    summary="Suspend",
    who=("operator",),
    office="support",
    why=True,
)
async def suspend_person(call: Call[Services], person_id: UUID) -> PersonView:
    """This wallet neither pays nor sends until it is resumed. Its money stays where it is."""
    return person_view(await call.services.people.set_status(person_id, "suspended"))


@operation(
    "POST",
    "/v1/people/{person_id}/resume",
    tag="People",
    summary="Resume",
    who=("operator",),
    office="support",
    why=True,
)
async def resume_person(call: Call[Services], person_id: UUID) -> PersonView:
    """This wallet can pay again."""
    return person_view(await call.services.people.set_status(person_id, "active"))


@operation(
    "GET",
    "/v1/people/{person_id}/limits",
    tag="People",
    summary="See a person's limits",
    who=("operator",),
)
async def get_limits(call: Call[Services], person_id: UUID) -> LimitsList:
    """What this person may spend, in each currency."""
    return await _limits(call, person_id)


@operation(
    "PUT",
    "/v1/people/{person_id}/limits",
    tag="People",
    summary="Set a person's limits",
    who=("operator",),
    why=True,
)
async def set_limits(call: Call[Services], person_id: UUID, body: SetLimits) -> LimitsView:
    """Limits of this person's own in one currency; they hold from the next payment on."""
    known = [unit.code for unit in call.services.settings.currencies]
    if body.currency not in known:
        raise Invalid("currency", f"must be one of {', '.join(known)}")
    set_to = await call.services.people.set_limits(
        person_id, body.currency, body.per_payment, body.per_day
    )
    return LimitsView(body.currency, set_to.per_payment, set_to.per_day, own=True)


@operation(
    "GET",
    "/v1/people/{person_id}/devices",
    tag="People",
    summary="List a person's devices",
    who=("operator",),
)
async def list_devices(call: Call[Services], person_id: UUID, query: ListQuery) -> Page[DeviceView]:
    """A person's devices, newest first."""
    return await _devices(call, person_id, query)


@operation(
    "POST",
    "/v1/people/{person_id}/devices",
    tag="People",
    summary="Add a device for a person",
    who=("operator",),
    office="support",
    status=201,
    idempotency="required",
    why=True,
)
async def add_device(call: Call[Services], person_id: UUID, body: AddDevice) -> NewDevice:
    """For a person who lost every device: a new one, with a key and a seed of its own."""
    return await call.services.people.add_device(person_id, body.name, call.idempotency)


@operation(
    "DELETE",
    "/v1/people/{person_id}/devices/{device_id}",
    tag="People",
    summary="Take a person's device out of use",
    who=("operator",),
    office="support",
    why=True,
)
async def revoke_device(call: Call[Services], person_id: UUID, device_id: UUID) -> DeviceView:
    """Its key and its pay codes work no more."""
    return await call.services.people.revoke_device(person_id, device_id)


async def _devices(call: Call[Services], owner: UUID, query: ListQuery) -> Page[DeviceView]:
    rows = await call.services.people.devices(owner, query.after_id("dev"), query.limit + 1)
    return page(rows, query.limit, device_view)


async def _limits(call: Call[Services], person_id: UUID) -> LimitsList:
    settings = call.services.settings
    spending = Spending(settings.limit_per_payment, settings.limit_per_day)
    terms = await call.services.people.terms(person_id)
    rows = []
    for unit in settings.currencies:
        limits, own = spending.of(terms, unit.code), unit.code in terms.limits
        above = terms.passkey_above.get(unit.code)
        rows.append(
            LimitsView(unit.code, limits.per_payment, limits.per_day, own=own, passkey_above=above)
        )
    return LimitsList(rows)


OPERATIONS = (
    sign_up,
    list_people,
    get_me,
    get_my_limits,
    list_my_devices,
    add_my_device,
    rename_my_device,
    revoke_my_device,
    find_person,
    get_person,
    suspend_person,
    resume_person,
    get_limits,
    set_limits,
    list_devices,
    add_device,
    revoke_device,
)
