"""The two ceremonies: what is asked, what holds, and that nothing hostile is a fault of ours."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator import BE, UP, UV, Algorithm, Authenticator, Facts, Says, read, show
from tandem.kernel import Invalid
from tandem.settings import Settings
from tandem.signin.ceremony import (
    Site,
    challenge_in,
    check_made,
    check_signed,
    creation_options,
    request_options,
    show_bytes,
    site_of,
    went_back,
)
from tandem.signin.errors import PasskeyRefused
from tandem.signin.model import Passkey
from tandem.signin.shapes import Assertion, Attestation, User

NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
LIN = UUID("0199f0a4-c0de-7000-8000-000000000001")
SITE = Site("pay.example", "tandem", ("https://pay.example", "https://till.pay.example"))
CHALLENGE = bytes(range(32))


def made_by(keys: Authenticator, says: Says | None = None) -> Passkey:
    """A passkey of Lin's, as it is kept."""
    user = User(show_bytes(LIN.bytes), "@lin", "Lin")
    options = msgspec.to_builtins(creation_options(SITE, CHALLENGE, user, []))
    answer = msgspec.convert(keys.create(options, says or Says()), Attestation)
    assert challenge_in(answer) == CHALLENGE
    made = check_made(SITE, answer, CHALLENGE)
    return Passkey(
        LIN,
        "person",
        LIN,
        made.credential_id,
        made.public_key,
        made.sign_count,
        [],
        made.backup_eligible,
        made.backed_up,
        made.aaguid,
        "Phone",
        NOW,
        None,
        None,
        None,
    )


def asked() -> Facts:
    """What the browser is asked to sign."""
    options: Facts = msgspec.to_builtins(request_options(SITE, CHALLENGE, []))
    return options


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "EdDSA"])
@pytest.mark.parametrize("origin", SITE.origins)
def test_a_passkey_is_made_and_signs(algorithm: Algorithm, origin: str) -> None:
    keys = Authenticator(origin, algorithm)
    passkey = made_by(keys)
    assert passkey.backup_eligible
    assert passkey.backed_up
    answer = msgspec.convert(keys.get(asked()), Assertion)
    signed = check_signed(SITE, answer, CHALLENGE, passkey, discovered=True)
    assert signed == (0, True, False)


def test_a_key_that_stays_on_its_device_counts() -> None:
    keys = Authenticator(SITE.origins[0], counts=True)
    alone = Says(flags=UP | UV)
    passkey = made_by(keys, alone)
    assert (passkey.sign_count, passkey.backup_eligible) == (1, False)
    answer = msgspec.convert(keys.get(asked(), alone), Assertion)
    assert check_signed(SITE, answer, CHALLENGE, passkey, discovered=True) == (2, False, False)
    later = msgspec.structs.replace(passkey, sign_count=2)
    assert check_signed(SITE, answer, CHALLENGE, later, discovered=True).cloned


@pytest.mark.parametrize(
    ("known", "told", "copied"),
    [(0, 0, False), (0, 1, False), (1, 2, False), (1, 1, True), (2, 1, True), (1, 0, True)],
)
def test_a_counter_only_grows(known: int, told: int, copied: bool) -> None:  # noqa: FBT001 - a column of the table
    assert went_back(known, told) is copied


def test_another_challenge_is_not_the_one_that_was_asked() -> None:
    keys = Authenticator(SITE.origins[0])
    passkey = made_by(keys)
    answer = msgspec.convert(keys.get(asked()), Assertion)
    with pytest.raises(PasskeyRefused):
        check_signed(SITE, answer, bytes(32), passkey, discovered=True)


def test_whoever_was_asked_by_name_need_not_say_it() -> None:
    keys = Authenticator(SITE.origins[0])
    passkey = made_by(keys)
    answer = msgspec.convert(keys.get(asked(), Says(hide_user=True)), Assertion)
    check_signed(SITE, answer, CHALLENGE, passkey, discovered=False)
    with pytest.raises(PasskeyRefused) as refused:
        check_signed(SITE, answer, CHALLENGE, passkey, discovered=True)
    assert refused.value.reason == "holder"


def test_a_passkey_does_not_begin_to_be_synced() -> None:
    keys = Authenticator(SITE.origins[0])
    passkey = made_by(keys, Says(flags=UP | UV))
    answer = msgspec.convert(keys.get(asked(), Says(flags=UP | UV | BE)), Assertion)
    with pytest.raises(PasskeyRefused) as refused:
        check_signed(SITE, answer, CHALLENGE, passkey, discovered=True)
    assert refused.value.reason == "signature"


KEYS = Authenticator(SITE.origins[0])
PASSKEY = made_by(KEYS)
PARTS = ("clientDataJSON", "authenticatorData", "signature", "userHandle")


@given(
    part=st.sampled_from(PARTS),
    place=st.integers(0, 400),
    bit=st.integers(0, 7),
)
def test_one_bit_that_is_changed_signs_nobody_in(part: str, place: int, bit: int) -> None:
    answer = KEYS.get(asked())
    data = bytearray(read(answer["response"][part]))
    data[place % len(data)] ^= 1 << bit
    answer["response"][part] = show(bytes(data))
    changed = msgspec.convert(answer, Assertion)
    with pytest.raises(PasskeyRefused):
        check_signed(SITE, changed, CHALLENGE, PASSKEY, discovered=True)


@given(data=st.data())
def test_whatever_is_sent_is_refused_and_no_fault(data: st.DataObject) -> None:
    junk = st.binary(min_size=1, max_size=300).map(show)
    answer = KEYS.get(asked())
    attested = Authenticator(SITE.origins[0]).create(
        msgspec.to_builtins(creation_options(SITE, CHALLENGE, User("AA", "a", "a"), []))
    )
    for name in data.draw(st.sets(st.sampled_from(PARTS), min_size=1)):
        answer["response"][name] = data.draw(junk)
    attested["response"]["attestationObject"] = data.draw(junk)
    with pytest.raises(PasskeyRefused):
        check_signed(SITE, msgspec.convert(answer, Assertion), CHALLENGE, PASSKEY, discovered=True)
    with pytest.raises(PasskeyRefused):
        check_made(SITE, msgspec.convert(attested, Attestation), CHALLENGE)


@pytest.mark.parametrize(
    ("settings", "domain", "origins"),
    [
        (
            Settings(public_url="https://pay.example"),
            "pay.example",
            ("https://pay.example",),
        ),
        (
            Settings(public_url="https://pay.example:8443/wallet"),
            "pay.example",
            ("https://pay.example:8443",),
        ),
        (
            Settings(
                public_url="https://wallet.pay.example",
                passkey_domain="pay.example",
                passkey_origins=("https://till.pay.example",),
            ),
            "pay.example",
            ("https://wallet.pay.example", "https://till.pay.example"),
        ),
        (Settings(), "localhost", ("http://127.0.0.1:8080", "http://localhost:8080")),
        (Settings(public_url="http://localhost:9000"), "localhost", ("http://localhost:9000",)),
        (
            Settings(public_url="http://[::1]:9000"),
            "localhost",
            ("http://[::1]:9000", "http://localhost:9000"),
        ),
    ],
)
def test_passkeys_are_made_for_the_public_address(
    settings: Settings, domain: str, origins: tuple[str, ...]
) -> None:
    assert site_of(settings) == Site(domain, "tandem", origins)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(public_url="https://pay.example", passkey_domain="other.example"),
        Settings(public_url="https://pay.example", passkey_domain="wallet.pay.example"),
        Settings(public_url="https://evilpay.example", passkey_domain="pay.example"),
        Settings(public_url="https://pay.example", passkey_origins=("https://example",)),
    ],
)
def test_a_domain_that_no_browser_would_take_is_told_at_the_start(settings: Settings) -> None:
    with pytest.raises(Invalid) as refused:
        site_of(settings)
    assert refused.value.field == "TANDEM_PASSKEY_DOMAIN"
