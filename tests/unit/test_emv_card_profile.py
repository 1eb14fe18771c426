"""Profiles: what the vault makes, written, read, and refused if no card could work with it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from emv_commands import ARQC_CDA, COUNTER, SELECT, generate, gpo, send

from emv_made import key
from emv_tap import (
    DATA,
    FINGER,
    PROFILE,
    Device,
    profile,
    seeded,
)
from tandem.emv.apdu import Command, Status
from tandem.emv.card import (
    ActionCodes,
    Application,
    CardData,
    CardState,
    Limits,
    Profile,
)
from tandem.emv.card.holder import Holder
from tandem.emv.cryptograms import CVN_18
from tandem.emv.errors import KeyMalformed
from tandem.kernel import Invalid


@pytest.mark.parametrize(
    ("codec"),
    [
        (msgspec.json.encode, msgspec.json.decode),
        (msgspec.msgpack.encode, msgspec.msgpack.decode),
    ],
)
def test_a_profile_and_a_state_are_written_and_read(
    codec: tuple[Callable[[Any], bytes], Callable[..., Any]],
) -> None:
    write_it, read_it = codec
    assert read_it(write_it(PROFILE()), type=Profile) == PROFILE()
    state = CardState(atc=3, blocked=True)
    assert read_it(write_it(state), type=CardState) == state


FLAGS = {"go_online", "blocked"}


@pytest.mark.parametrize("field", [f for f in CardState.__struct_fields__ if f not in FLAGS])
def test_a_state_that_cannot_be_is_not_read(field: str) -> None:
    """Below zero it would allow more than the limits; beyond two bytes there is no number."""
    beyond = 0x10000 if field in {"atc", "last_online_atc"} else -(10**9)
    for bad in (-1, beyond, "1", None):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(msgspec.json.encode({field: bad}), type=CardState)


def test_a_profile_shows_no_keys() -> None:
    shown = repr(PROFILE().keys)
    assert "\\x01" not in shown
    assert shown == "CardKeys(version=166, index=1)"


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("aid", b"\xf0tand"),
        ("aid", b"\xa0\x00\x00\x00\x03\x10\x10"),
        ("aid", b"\xf0" * 17),
        ("label", ""),
        ("label", "seventeen letters"),
        ("label", "été"),
        ("pan", "9801234567890122"),
        ("pan", "98012345678"),
        ("sequence", "1"),
        ("par", "9801"),
        ("token_requestor", "123"),
        ("languages", "e"),
        ("service_code", "20"),
        ("country", 0),
        ("currency", 1000),
        ("currency_exponent", 10),
        ("priority", 16),
        ("kernel_id", bytes(9)),
        ("usage_control", b"\x00"),
        ("expiry", DATA.effective - timedelta(days=1)),
        ("expiry", DATA.expiry.replace(year=2050)),
    ],
)
def test_what_no_card_can_say_makes_no_profile(field: str, bad: object) -> None:
    fields = {name: getattr(DATA, name) for name in DATA.__struct_fields__}
    with pytest.raises(Invalid) as refused:
        CardData(**(fields | {field: bad}))
    assert field in {refused.value.field, "currency"}


def test_keys_that_cannot_work_make_no_card() -> None:
    for bad in (
        profile(cryptogram_key=bytes(15)),
        profile(cryptogram_key=bytes(32), version=CVN_18.number),
        profile(private_key=key(1976, "issuer").to_bytes()),
    ):
        with pytest.raises(Invalid):
            Application(bad, CardState(), seeded())
    with pytest.raises(KeyMalformed):
        Application(profile(private_key=b"none"), CardState(), seeded())
    with pytest.raises(Invalid):
        profile(version=1)
    with pytest.raises(Invalid):
        profile(index=256)


def test_limits_are_not_negative() -> None:
    with pytest.raises(Invalid):
        Limits(unverified_amount=-1)


def test_the_longest_key_just_fits_an_answer() -> None:
    device = Device(profile(private_key=key(1600, "long").to_bytes()))
    device.card.present(FINGER)
    send(device, SELECT, gpo())
    assert len(device.transmit(generate(ARQC_CDA).write())) == 258
    too_long = profile(private_key=key(1608, "long").to_bytes())
    with pytest.raises(Invalid):
        Application(too_long, CardState(), seeded())


def test_a_device_cannot_say_negative_tries() -> None:
    device = Device()
    with pytest.raises(ValueError, match="negative"):
        device.card.present(failed_tries=-1)
    with pytest.raises(ValueError, match="negative"):
        device.card.present(tries_left=-1)


def test_certificates_that_fit_no_record_make_no_card() -> None:
    made = PROFILE()
    issuer = made.certificates.issuer._replace(signature=bytes(300))
    certificates = msgspec.structs.replace(made.certificates, issuer=issuer)
    with pytest.raises(Invalid):
        Application(msgspec.structs.replace(made, certificates=certificates), CardState(), seeded())
    with pytest.raises(Invalid):
        msgspec.structs.replace(made.certificates, ca_index=256)
    with pytest.raises(Invalid):
        ActionCodes(denial=bytes(4))


def test_an_application_answers_for_itself_when_nobody_selected_it() -> None:
    application = Application(PROFILE(), CardState(), seeded())
    for command, expected in (
        (COUNTER, Status.CONDITIONS_NOT_SATISFIED),
        (gpo(), Status.CONDITIONS_NOT_SATISFIED),
        (Command(0x00, 0x88, 0, 0), Status.UNKNOWN_INSTRUCTION),
    ):
        assert application.handle(command, Holder()).status == expected
