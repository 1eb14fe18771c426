"""What the tests of the tap room share: a device in a folder with its card, and a shop."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from emv_tap import PROFILE, ready, seeded
from tandem.emv.card import CardState, Profile, Tap
from tandem.emv.terminal import Outcome, run
from tandem.kernel import Clock, system_entropy
from tandem.tap import Device, DeviceStore, Provisioned, Transport

PASSCODE: Final = "135790"


def provisioned(profile: Profile, state: CardState) -> Provisioned:
    """A card as a device holds it."""
    card_id = f"crd_{profile.data.aid.hex():0>32}"
    return Provisioned(id=card_id, profile=profile, state=state)


@contextmanager
def device_in(
    folder: Path,
    clock: Clock,
    *profiles: Profile,
    told: list[Tap] | None = None,
    passcode: str | None = None,
    state: CardState | None = None,
) -> Iterator[Device]:
    """A device in this folder, with its cards added if they are not there yet."""
    with DeviceStore(folder, system_entropy) as store:
        held = {card.profile.data.aid for card in store.cards()}
        for each in profiles or (PROFILE(),):
            if each.data.aid not in held:
                store.add(provisioned(each, state or CardState()))
        made = Device(store, clock, seeded(), (told if told is not None else []).append)
        if passcode is not None and not made.has_passcode:
            made.set_passcode(passcode)
        yield made


def pay(transport: Transport, amount: int = 3800) -> Outcome:
    """A tap for this amount at the tests' shop."""
    return run(ready(amount=amount), seeded("terminal"), transport.transmit)
