import hashlib
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emv_made import changed, key
from tandem.emv.dynamic import (
    check_combined,
    check_dynamic,
    sign_combined,
    sign_dynamic,
    transaction_hash,
)
from tandem.emv.errors import AuthenticationFailed, Fault, Signed

CARD = key(1408, "card")
UNPREDICTABLE = bytes.fromhex("12345779")
NUMBER = bytes.fromhex("0102030405060708")
CRYPTOGRAM = bytes.fromhex("A1A2A3A4A5A6A7A8")
TRANSACTION = transaction_hash(b"pdol", b"cdol1", b"response")
ROOM = 176 - 22 - 3


@dataclass(frozen=True)
class Said:
    """What a terminal knows of a payment before it looks at the signature."""

    information: int = 0x80
    transaction: bytes = TRANSACTION
    unpredictable_number: bytes = UNPREDICTABLE

    def checks(self, signature: bytes) -> tuple[bytes, bytes]:
        return check_combined(
            CARD.public,
            signature,
            information=self.information,
            transaction=self.transaction,
            unpredictable_number=self.unpredictable_number,
        )


def combined(number: bytes = NUMBER, information: int = 0x80) -> bytes:
    return sign_combined(
        CARD,
        dynamic_number=number,
        information=information,
        cryptogram=CRYPTOGRAM,
        transaction=TRANSACTION,
        unpredictable_number=UNPREDICTABLE,
    )


def signed(data: bytes, terminal: bytes, header: bytes | None = None) -> bytes:
    """What a card would sign that does not keep to the format."""
    start = bytes((5, 1, len(data))) if header is None else header
    return CARD.sign((start + data).ljust(ROOM + 3, b"\xbb") + terminal)


# -- DDA -----------------------------------------------------------------------------------------


@given(st.binary(min_size=2, max_size=8), st.binary(max_size=100))
def test_a_card_signs_what_the_terminal_sent(number: bytes, terminal: bytes) -> None:
    signature = sign_dynamic(CARD, number, terminal)
    assert check_dynamic(CARD.public, signature, terminal) == number
    with pytest.raises(AuthenticationFailed) as refused:
        check_dynamic(CARD.public, signature, terminal + b"\0")
    assert refused.value.data() == {"what": Signed.DYNAMIC_DATA, "fault": Fault.HASH}


@given(st.data())
def test_no_changed_byte_of_a_dynamic_signature_passes(draw: st.DataObject) -> None:
    signature = sign_dynamic(CARD, NUMBER, UNPREDICTABLE)
    with pytest.raises(AuthenticationFailed):
        check_dynamic(CARD.public, changed(signature, draw), UNPREDICTABLE)
    with pytest.raises(AuthenticationFailed) as refused:
        check_dynamic(CARD.public, signature, changed(UNPREDICTABLE, draw))
    assert refused.value.fault is Fault.HASH


@pytest.mark.parametrize("length", [0, 1, 9])
def test_a_dynamic_number_has_two_to_eight_bytes(length: int) -> None:
    with pytest.raises(ValueError, match="2 to 8 bytes"):
        sign_dynamic(CARD, bytes(length), UNPREDICTABLE)
    with pytest.raises(ValueError, match="2 to 8 bytes"):
        combined(bytes(length))


# -- CDA -----------------------------------------------------------------------------------------


@given(st.binary(min_size=2, max_size=8), st.integers(0, 255))
def test_a_terminal_gets_number_and_cryptogram_out_of_the_signature(
    number: bytes, information: int
) -> None:
    found = Said(information=information).checks(combined(number, information))
    assert found == (number, CRYPTOGRAM)


@given(st.data())
def test_no_changed_byte_of_a_combined_signature_passes(draw: st.DataObject) -> None:
    with pytest.raises(AuthenticationFailed):
        Said().checks(changed(combined(), draw))


@given(st.data())
def test_a_signature_is_for_this_payment_only(draw: st.DataObject) -> None:
    signature = combined()
    for said, fault in (
        (Said(unpredictable_number=changed(UNPREDICTABLE, draw)), Fault.HASH),
        (Said(transaction=changed(TRANSACTION, draw)), Fault.TRANSACTION),
        (Said(transaction=b""), Fault.TRANSACTION),
        (Said(information=draw.draw(st.integers(0, 127))), Fault.OTHER_DECISION),
    ):
        with pytest.raises(AuthenticationFailed) as refused:
            said.checks(signature)
        assert refused.value.data() == {"what": Signed.DYNAMIC_DATA, "fault": fault}


@given(
    st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=9)
)
def test_the_transaction_hash_is_sha_1_over_everything_in_order(
    pdol: bytes, cdol1: bytes, response: bytes, cdol2: bytes
) -> None:
    wanted = hashlib.sha1(pdol + cdol1 + cdol2 + response).digest()  # noqa: S324 - Book 2, B3.1
    assert transaction_hash(pdol, cdol1, response, cdol2) == wanted


def test_a_signature_of_one_kind_is_none_of_the_other() -> None:
    with pytest.raises(AuthenticationFailed) as refused:
        Said().checks(sign_dynamic(CARD, NUMBER, UNPREDICTABLE))
    assert refused.value.fault is Fault.DYNAMIC_LENGTH


def test_a_signature_of_another_card_does_not_recover() -> None:
    other = key(1408, "other card")
    for signature in (
        sign_dynamic(other, NUMBER, UNPREDICTABLE),
        sign_combined(
            other,
            dynamic_number=NUMBER,
            information=0x80,
            cryptogram=CRYPTOGRAM,
            transaction=TRANSACTION,
            unpredictable_number=UNPREDICTABLE,
        ),
    ):
        with pytest.raises(AuthenticationFailed) as refused:
            Said().checks(signature)
        assert refused.value.fault is Fault.TRAILER
        with pytest.raises(AuthenticationFailed) as refused:
            check_dynamic(CARD.public, signature, UNPREDICTABLE)
        assert refused.value.fault is Fault.TRAILER


GOOD = bytes((8,)) + NUMBER + b"\x80" + CRYPTOGRAM + TRANSACTION


@pytest.mark.parametrize(
    ("data", "header", "fault"),
    [
        (GOOD, "050126", None),
        (GOOD + b"more of the card's own", None, None),
        (GOOD[:-1], None, Fault.DYNAMIC_LENGTH),
        (b"", None, Fault.DYNAMIC_LENGTH),
        (b"\0" + GOOD[1:], None, Fault.DYNAMIC_LENGTH),
        (b"\1" + GOOD[1:], None, Fault.DYNAMIC_LENGTH),
        (b"\x09" + GOOD[1:], None, Fault.DYNAMIC_LENGTH),
        (b"\xff" + GOOD[1:], None, Fault.DYNAMIC_LENGTH),
        (GOOD[:5], None, Fault.DYNAMIC_LENGTH),
        (GOOD, "030126", Fault.FORMAT),
        (GOOD, "040126", Fault.FORMAT),
        (GOOD, "050226", Fault.HASH_ALGORITHM),
        (GOOD, "0501" + f"{ROOM + 1:02X}", Fault.DYNAMIC_LENGTH),
        (GOOD, "0501FF", Fault.DYNAMIC_LENGTH),
        (GOOD, "050125", Fault.DYNAMIC_LENGTH),
    ],
)
def test_a_signature_that_contradicts_itself_is_refused(
    data: bytes, header: str | None, fault: Fault | None
) -> None:
    start = None if header is None else bytes.fromhex(header)
    signature = signed(data, UNPREDICTABLE, start)
    if fault is None:
        assert Said().checks(signature) == (NUMBER, CRYPTOGRAM)
        return
    with pytest.raises(AuthenticationFailed) as refused:
        Said().checks(signature)
    assert refused.value.fault is fault
    assert refused.value.sentence()


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(signature: bytes) -> None:
    for check in (Said().checks, lambda s: check_dynamic(CARD.public, s, UNPREDICTABLE)):
        with pytest.raises(AuthenticationFailed):
            check(signature)


@given(st.binary(max_size=ROOM))
def test_any_dynamic_data_of_a_card_is_read_or_refused(data: bytes) -> None:
    signature = signed(data, UNPREDICTABLE)
    try:
        number = check_dynamic(CARD.public, signature, UNPREDICTABLE)
    except AuthenticationFailed as refused:
        assert refused.fault is Fault.DYNAMIC_LENGTH  # noqa: PT017 - most are read
        return
    assert data[: 1 + len(number)] == bytes((len(number),)) + number


@pytest.mark.parametrize(
    "wrong",
    [
        {"cryptogram": bytes(7)},
        {"transaction": bytes(32)},
        {"unpredictable_number": bytes(8)},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_parts_of_another_length_are_not_signed(wrong: dict[str, bytes]) -> None:
    parts = {
        "dynamic_number": NUMBER,
        "cryptogram": CRYPTOGRAM,
        "transaction": TRANSACTION,
        "unpredictable_number": UNPREDICTABLE,
    }
    with pytest.raises(ValueError, match=r"not \(8, 20, 4\)"):
        sign_combined(CARD, information=0x80, **(parts | wrong))
