"""What belongs on the device: made right, and opened by nobody else."""

from datetime import date
from functools import cache
from types import MappingProxyType
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from test_cards_life import card

from emv_made import authority, entropy, key
from tandem.cards.keys import IssuerKeys, MasterKey
from tandem.cards.model import DeviceCard
from tandem.cards.package import (
    card_limits,
    check_device_key,
    make_profile,
    unwrap,
    valid_until,
    wrap,
)
from tandem.emv.card import Application, CardState, Profile, signed_data
from tandem.emv.certificates import last_day, recover_card
from tandem.emv.cryptograms import DEFAULT_VERSION
from tandem.emv.errors import KeyMalformed
from tandem.emv.issuer import Issuer
from tandem.kernel import Invalid
from tandem.settings import Settings

SETTINGS = Settings()
PAN = "9801234567890121"
DEVICE = X25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = DEVICE.public_key().public_bytes_raw()
CARD = card(device_key=PUBLIC, last_four=PAN[-4:])


@cache
def keys() -> IssuerKeys:
    issuer = Issuer.create(authority().current, "980123", date(2030, 12, 31), 1, entropy("issuer"))
    master = MasterKey(index=1, version=DEFAULT_VERSION.number, key=bytes(range(32)))
    return IssuerKeys(bytes(32), authority(), issuer, 1, MappingProxyType({1: master}))


@cache
def made() -> Profile:
    return make_profile(CARD, PAN, keys(), key(1408, "card"), 7, SETTINGS)


def test_a_terminal_believes_what_the_vault_made() -> None:
    profile, today = made(), date(2027, 1, 1)
    trusted = authority().trusted()
    aid, certificates = profile.data.aid, profile.certificates
    issuer = trusted.recover_issuer(aid[:5], certificates.ca_index, certificates.issuer, PAN, today)
    found = recover_card(issuer.key, certificates.card, PAN, signed_data(profile.data), today)
    assert (found.holder, found.serial, found.expires) == (PAN, 7, CARD.expiry)
    Application(profile, CardState(), entropy("card"))  # it works with what it was given


def test_both_halves_have_the_same_key() -> None:
    master = keys().masters[1]
    assert made().keys.cryptogram_key == master.card_key(PAN, CARD.sequence)
    assert made().keys.cryptogram_key != master.card_key(PAN, CARD.sequence + 1)
    assert len(made().keys.cryptogram_key) == 32


def test_limits_are_in_the_cards_currency() -> None:
    yen, yuan = card_limits("JPY", SETTINGS), card_limits("CNY", SETTINGS)
    assert (yuan.unverified_amount, yen.unverified_amount) == (5000, 50)
    assert (yuan.offline_total, yen.offline_total) == (20_000, 200)


def test_only_the_device_opens_its_package() -> None:
    sealed = wrap(made(), CARD.device_key, CARD.id)
    assert unwrap(sealed, DEVICE, CARD.id) == made()
    assert made().keys.cryptogram_key not in sealed
    for other, card_id in (
        (X25519PrivateKey.from_private_bytes(bytes(32)), CARD.id),
        (DEVICE, UUID(int=9)),
    ):
        with pytest.raises(KeyMalformed):
            unwrap(sealed, other, card_id)
    assert wrap(made(), CARD.device_key, CARD.id) != sealed


@given(st.data())
def test_a_package_that_was_touched_opens_for_nobody(data: st.DataObject) -> None:
    sealed = wrap(made(), CARD.device_key, CARD.id)
    at = data.draw(st.integers(0, len(sealed) - 1))
    flipped = sealed[:at] + bytes((sealed[at] ^ data.draw(st.sampled_from((1, 64))),))
    flipped += sealed[at + 1 :]
    cut = sealed[: data.draw(st.integers(0, len(sealed) - 1))]
    for wrong in (flipped, cut, data.draw(st.binary(max_size=200))):
        with pytest.raises(KeyMalformed):
            unwrap(wrong, DEVICE, CARD.id)


@pytest.mark.parametrize(
    "raw", [b"", bytes(31), bytes(33), bytes(32), b"\1".ljust(32, b"\0")], ids=len
)
def test_no_secret_is_sealed_for_a_key_that_anybody_has(raw: bytes) -> None:
    with pytest.raises(Invalid):
        check_device_key(raw)


def test_a_devices_key_is_taken() -> None:
    assert check_device_key(PUBLIC) == PUBLIC


@given(st.dates(date(2026, 1, 1), date(2040, 12, 31)), st.integers(1, 5))
def test_a_card_is_good_to_the_end_of_a_month(today: date, years: int) -> None:
    until = valid_until(today, years, date(2049, 12, 31))
    assert until == last_day(until)
    assert (until.year, until.month) == (today.year + years, today.month)
    assert valid_until(today, years, date(2026, 12, 31)) <= date(2026, 12, 31)


def test_secrets_have_no_repr() -> None:
    shown = f"{keys()!r} {keys().master!r} {made().keys!r} {CARD!r}"
    assert isinstance(CARD, DeviceCard)
    assert "\\x" not in shown
