"""People, their devices and their terms: rows and shapes. Pure. Amounts in minor units."""

import re
from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.db import Integer, SmallInt, Table
from tandem.kernel import MAX_AMOUNT, Invalid, show_id

PersonStatus = Literal["active", "suspended"]
Name = Annotated[str, Meta(min_length=1, max_length=100, examples=["Lin Wei"])]
Handle = Annotated[
    str,
    Meta(
        pattern="^@?[a-z0-9][a-z0-9_.]{1,30}$",
        max_length=32,
        description="What others send money to, with or without the @ that it is shown with",
        examples=["lin"],
    ),
]
LimitAmount = Annotated[int, Meta(ge=0, le=MAX_AMOUNT, description="Minor units")]
CurrencyCode = Annotated[
    str, Meta(pattern="^[A-Z]{3}$", max_length=3, description="ISO 4217 code", examples=["CNY"])
]
_HANDLE: Final = re.compile(r"[a-z0-9][a-z0-9_.]{1,30}", re.ASCII)


class Person(msgspec.Struct, frozen=True):
    """A row of `people`. `terms` counts the changes of what entries are decided under."""

    id: UUID
    handle: str
    name: str
    status: PersonStatus
    terms: int
    created_at: datetime


class Limits(msgspec.Struct, frozen=True):
    """What a person may spend in one currency."""

    per_payment: LimitAmount
    per_day: LimitAmount


class PersonTerms(msgspec.Struct, frozen=True):
    """What entries for a person are decided under; `limits` by currency code.

    `passkey_above` is the amount above which their passkey is asked for, by currency.
    """

    id: UUID
    handle: str
    name: str
    status: PersonStatus
    terms: int
    limits: dict[str, Limits]
    passkey_above: dict[str, int] = {}


class Device(msgspec.Struct, frozen=True):
    """A row of `devices`. `code_step` and `code_counter` are the mark of the last pay code used."""

    id: UUID
    person_id: UUID
    name: str
    code_index: Integer
    code_seed: bytes
    code_step: int
    code_counter: SmallInt
    wrong_codes: Integer
    paused_until: datetime | None
    created_at: datetime
    revoked_at: datetime | None


DEVICES: Final = Table(
    "devices",
    Device,
    mutable=("code_step", "code_counter", "wrong_codes", "paused_until"),
    # No decision asks for `wrong_codes`: whoever writes it begins anew.
    guards=("code_step", "code_counter", "paused_until", "revoked_at"),
    rank=20,
)


class CreatePerson(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person who wants a wallet, and the device that they hold."""

    handle: Handle
    name: Name
    device_name: Annotated[str, Meta(min_length=1, max_length=100, examples=["Lin's phone"])] = (
        "Phone"
    )


class AddDevice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A further device."""

    name: Annotated[str, Meta(min_length=1, max_length=100, examples=["Lin's watch"])]


class ChangeDevice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a device is called from now on."""

    name: Annotated[str, Meta(min_length=1, max_length=100, examples=["Lin's old phone"])]


class SetLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person's limits in one currency."""

    currency: CurrencyCode
    per_payment: LimitAmount
    per_day: LimitAmount


class SetPasskeyAbove(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Above which amount payments in a currency ask for the passkey; null: they never do."""

    currency: CurrencyCode
    above: LimitAmount | None


class PersonView(msgspec.Struct, frozen=True):
    """A person."""

    id: Annotated[str, Meta(examples=["ppl_0199f0a4c0de70008000000000000001"])]
    handle: Annotated[str, Meta(examples=["@lin"])]
    name: Annotated[str, Meta(examples=["Lin Wei"])]
    status: PersonStatus
    created_at: datetime


class DeviceView(msgspec.Struct, frozen=True):
    """A device of a person's."""

    id: Annotated[str, Meta(examples=["dev_0199f0a4c0de70008000000000000002"])]
    name: Annotated[str, Meta(examples=["Lin's phone"])]
    created_at: datetime
    revoked_at: datetime | None


class NewDevice(msgspec.Struct, frozen=True):
    """A new device with its secrets, which are shown this once.

    `code_index` and `code_seed` make pay codes offline (docs/codes.md).
    """

    id: Annotated[str, Meta(examples=["dev_0199f0a4c0de70008000000000000002"])]
    name: str
    key: Annotated[str, Meta(description="The device's API key", examples=["tk_dev_…"])]
    code_index: Annotated[str, Meta(description="Eight digits", examples=["12345678"])]
    code_seed: Annotated[str, Meta(description="32 bytes in base64")]
    created_at: datetime


class NewPerson(msgspec.Struct, frozen=True):
    """A new person with the device that signed them up."""

    person: PersonView
    device: NewDevice


def is_handle(text: str) -> bool:
    """Whether this can be a handle, without its @."""
    return _HANDLE.fullmatch(text) is not None


def read_handle(text: str) -> str:
    """A new handle, checked, without the @ that it may be typed with. Raises `Invalid`."""
    text = text.removeprefix("@")
    if not is_handle(text):
        raise Invalid(
            "handle", "must be 2 to 31 of a-z, 0-9, point and underscore, a letter or digit first"
        )
    return text


def person_view(person: Person) -> PersonView:
    """The person as they are shown."""
    return PersonView(
        show_id("ppl", person.id),
        f"@{person.handle}",
        person.name,
        person.status,
        person.created_at,
    )


def device_view(device: Device) -> DeviceView:
    """The device as it is shown."""
    return DeviceView(show_id("dev", device.id), device.name, device.created_at, device.revoked_at)
