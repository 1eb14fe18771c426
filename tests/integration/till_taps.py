"""Taps of a phone as a till's host takes them, and what they come to."""

import itertools
from typing import Any

from town import Door, Someone, Town, key, said

from card_phone import Phone
from tandem.db import Idempotency
from tandem.payments import NewTap, TapTrace

_NUMBER = itertools.count(1)


async def phone_of(town: Town, someone: Someone) -> Phone:
    """Somebody's phone, with a card on it."""
    made = Phone(town.services.cards, someone.id, someone.device_id, town.services.clock)
    await made.add(key())
    return made


async def message(
    town: Town,
    phone: Phone,
    amount: int,
    *,
    told: dict[str, Any] | None = None,
    **tap: Any,  # noqa: ANN401 - what a tap or a message is made of
) -> NewTap:
    """Tap, and what the till's host makes of it; `told` is what it says otherwise."""
    outcome = await phone.tap(amount, **tap)
    number = next(_NUMBER)
    fields: dict[str, Any] = {
        "amount": amount,
        "currency": "CNY",
        "pan": phone.pan,
        "sequence": 0,
        "icc": outcome.online_data,
        "day": town.services.clock.now().date(),
        "trace": TapTrace(
            link="test", terminal="T1", reference=f"ref {number}", rrn=f"{number:012d}"
        ),
        **(told or {}),
    }
    return NewTap(**fields)


async def pay(
    town: Town, door: Door, new: NewTap, idem: Idempotency | None = None
) -> dict[str, Any]:
    """Pay by a tap: what the host is answered."""
    return said(await town.services.payments.pay_by_card(door.at, new, idem or key(owner=door.id)))
