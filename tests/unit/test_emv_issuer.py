import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emv_made import (
    AIP,
    IDENTIFIER,
    LAST_DAY,
    PAN,
    RECORDS,
    RID,
    TODAY,
    authority,
    changed,
    entropy,
    key,
)
from tandem.emv.certificates import recover_card
from tandem.emv.errors import KeyMalformed
from tandem.emv.issuer import Issuer
from tandem.kernel import Invalid

CARD = key(1408, "card").public
MADE = Issuer.create(authority().current, IDENTIFIER, date(2031, 6, 2), 9, entropy("issuer"))


def test_a_card_is_authenticated_from_the_authority_that_a_terminal_trusts() -> None:
    certificate = MADE.certify_card(CARD, PAN, date(2030, 5, 1), 77, RECORDS + AIP)
    trusted = authority().trusted()
    issuer = trusted.recover_issuer(MADE.rid, MADE.authority_index, MADE.certificate, PAN, TODAY)
    assert (issuer.key, issuer.holder, issuer.serial) == (MADE.private.public, IDENTIFIER, 9)
    assert issuer.expires == MADE.expires == date(2031, 6, 30)
    card = recover_card(issuer.key, certificate, PAN, RECORDS + AIP, TODAY)
    assert (card.key, card.serial, card.expires) == (CARD, 77, date(2030, 5, 31))


def test_an_issuer_s_key_leaves_room_for_the_record_of_a_card_s_certificate() -> None:
    assert len(MADE.private.public.modulus) == 247
    assert (MADE.rid, MADE.authority_index) == (RID, 1)


@pytest.mark.parametrize(
    ("pan", "expires", "field"),
    [
        ("9901234567890126", date(2030, 5, 1), "pan"),
        ("98012", date(2030, 5, 1), "pan"),
        (IDENTIFIER, date(2030, 5, 1), "pan"),
        (PAN, date(2031, 7, 1), "expires"),
    ],
)
def test_an_issuer_certifies_its_own_cards_for_its_own_time(
    pan: str, expires: date, field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        MADE.certify_card(CARD, pan, expires, 1, b"")
    assert refused.value.field == field
    assert PAN not in refused.value.sentence()


def test_an_issuer_does_not_outlive_its_authority() -> None:
    with pytest.raises(Invalid) as refused:
        Issuer.create(
            authority().current, IDENTIFIER, date(2032, 1, 1), 9, entropy("late"), bits=1152
        )
    assert refused.value.field == "expires"
    assert LAST_DAY.isoformat() in refused.value.sentence()


def test_an_issuer_is_stored_and_read_back() -> None:
    read = Issuer.from_bytes(MADE.to_bytes())
    assert read.to_bytes() == MADE.to_bytes()
    assert (read.certificate, read.expires) == (MADE.certificate, MADE.expires)
    made = [i.certify_card(CARD, PAN, date(2030, 5, 1), 1, b"") for i in (read, MADE)]
    assert made[0] == made[1]
    assert "PrivateKey(1976 bits)" in repr(read)


@given(st.data())
def test_a_damaged_issuer_is_refused_or_has_the_same_key(draw: st.DataObject) -> None:
    try:
        read = Issuer.from_bytes(changed(MADE.to_bytes(), draw))
    except KeyMalformed:
        return
    assert read.private.public == MADE.private.public


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", 2),
        ("rid", "8HRhbg=="),
        ("authority_index", 256),
        ("identifier", "98"),
        ("identifier", "9801x"),
        ("identifier", "980123\n"),
        ("serial", -1),
        ("certificate", []),
        ("private", ""),
        ("more", 1),
    ],
)
def test_what_is_no_issuer_is_not_read(field: str, value: object) -> None:
    stored = json.loads(MADE.to_bytes()) | {field: value}
    with pytest.raises(KeyMalformed):
        Issuer.from_bytes(json.dumps(stored).encode())
