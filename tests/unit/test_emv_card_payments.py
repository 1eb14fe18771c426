"""What a card signs, for whom, and what it remembers of it."""

from datetime import timedelta
from typing import Final

import msgspec
import pytest
from emv_commands import (
    AAC,
    AAC_CDA,
    ARQC,
    ARQC_CDA,
    NOTHING,
    RECORD,
    SELECT,
    TC_CDA,
    Values,
    generate,
    gpo,
    issuer_data,
    proved,
    send,
    status,
    value,
    verified,
)

from emv_tap import (
    AID,
    CRYPTOGRAM_KEY,
    DATA,
    FINGER,
    LIMITS,
    NOW,
    PROFILE,
    Device,
    later,
    profile,
    seeded,
)
from tandem.emv import apdu
from tandem.emv.apdu import Response, Status
from tandem.emv.application_data import CryptogramType, IssuerApplicationData, Method, Verifier
from tandem.emv.card import (
    Application,
    Card,
    CardState,
    Reason,
    Unsaved,
    Verification,
)
from tandem.emv.cryptograms import (
    CCD_6,
    CVN_10,
    CVN_18,
    CVN_22,
    Version,
    cryptogram_matches,
    issuer_authentication_data,
)
from tandem.emv.errors import IssuerAnswerForged, IssuerAnswerMalformed
from tandem.emv.tags import Tag
from tandem.emv.tlv import first, read_one
from tandem.kernel import ManualClock

# -- cryptograms -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "secret"),
    [
        (CCD_6, CRYPTOGRAM_KEY),
        (CCD_6, bytes(range(32))),
        (CVN_10, CRYPTOGRAM_KEY),
        (CVN_18, CRYPTOGRAM_KEY),
        (CVN_22, CRYPTOGRAM_KEY),
    ],
)
@pytest.mark.parametrize("control", [ARQC_CDA, TC_CDA, ARQC, AAC, AAC_CDA])
def test_the_issuer_finds_every_cryptogram_right_and_reads_who_verified(
    version: Version, secret: bytes, control: int
) -> None:
    device = Device(profile(version=version.number, index=7, cryptogram_key=secret))
    device.card.present(FINGER, failed_tries=2)
    online: Values = {Tag.TVR: bytes.fromhex("0000000800")}
    commands = gpo(), generate(control, online)
    answer = send(device, SELECT, *commands)
    assert value(answer, Tag.FORMAT_2, Tag.CRYPTOGRAM_INFORMATION)[0] == control & 0xC0
    signed = control in {ARQC_CDA, TC_CDA}
    data = issuer_data(answer, online)
    if signed:
        cryptogram = proved(answer, commands)
        assert first([read_one(answer.data)], Tag.FORMAT_2, Tag.CRYPTOGRAM) is None
    else:
        cryptogram = value(answer, Tag.FORMAT_2, Tag.CRYPTOGRAM)
    assert cryptogram_matches(version, secret, data, cryptogram)
    said = IssuerApplicationData.parse(data.application_data)
    assert (said.version, said.key_index) == (version, 7)
    results = said.results
    assert (results.verifier, results.method) == (Verifier.SECURE_ELEMENT, Method.FINGER)
    assert (results.failed_tries, results.transit, results.cda) == (2, False, signed)
    assert results.cryptogram.information == control & 0xC0


def test_without_verification_the_card_says_nobody() -> None:
    device = Device()
    answer = send(device, SELECT, gpo(), generate())
    said = IssuerApplicationData.parse(issuer_data(answer).application_data)
    assert not said.results.verified
    assert value(answer, Tag.FORMAT_2, Tag.CTQ) == b"\x00\x00"


def test_offline_approvals_end_with_the_card_s_own_limit() -> None:
    device = Device(profile(limits=msgspec.structs.replace(LIMITS, offline_count=1)))
    kinds = []
    for _ in range(2):
        device.card.present(FINGER)
        answer = send(device, SELECT, gpo(), generate(TC_CDA))
        kinds.append(value(answer, Tag.FORMAT_2, Tag.CRYPTOGRAM_INFORMATION)[0])
    assert kinds == [0x40, 0x80]
    assert (device.state.offline_count, device.state.offline_total) == (1, 3800)


def test_a_card_s_answer_never_repeats_a_signature() -> None:
    signatures = set[bytes]()
    device = Device()
    for _ in range(3):
        device.card.present(FINGER)
        answer = send(device, SELECT, gpo(), generate())
        signatures.add(value(answer, Tag.FORMAT_2, Tag.SIGNED_DYNAMIC_DATA))
    assert len(signatures) == 3


def test_what_a_device_shows_of_a_tap_is_the_terminal_s_word() -> None:
    device = Device()
    device.card.present(Verification(Verifier.OPERATING_SYSTEM, Method.FACE, NOW))
    name = "Café Zürich".encode("latin-1")
    send(
        device, SELECT, gpo({Tag.MERCHANT_NAME: name}), generate(changed={Tag.MERCHANT_NAME: name})
    )
    last = device.card.last
    assert last is not None
    assert (last.merchant, last.reason, last.signed) == ("Café Zürich", Reason.DONE, True)
    assert last.verification is not None
    assert last.verification.method is Method.FACE


# -- verification ----------------------------------------------------------------------------------

OVER: Final[Values] = {Tag.AMOUNT: bytes.fromhex("000000005001")}


def test_a_payment_that_needs_a_verified_person_is_refused_before_anything_is_counted() -> None:
    device = Device()
    assert status(device, SELECT, gpo(OVER)) == Status.NOT_ALLOWED
    assert device.state == CardState()
    last = device.card.last
    assert last is not None
    assert (last.reason, last.amount, last.currency) == (Reason.VERIFY, 5001, 156)
    assert (last.merchant, last.merchant_category) == ("Noodles", 5812)
    assert status(device, generate(changed=OVER)) == Status.CONDITIONS_NOT_SATISFIED
    device.card.present(FINGER)
    answer = send(device, SELECT, gpo(OVER), generate(changed=OVER))
    assert value(answer, Tag.FORMAT_2, Tag.CRYPTOGRAM_INFORMATION) == b"\x80"


@pytest.mark.parametrize(
    ("age_s", "good"), [(0, True), (60, True), (61, False), (3600, False), (-1, False)]
)
def test_a_verification_is_good_for_a_minute(age_s: int, *, good: bool) -> None:
    device = Device()
    device.card.present(FINGER._replace(at=later(-age_s)))
    assert (status(device, SELECT, gpo(OVER)) == Status.OK) is good


def test_a_verification_is_good_for_one_payment() -> None:
    device = verified()
    assert status(device, SELECT, gpo(OVER), generate(changed=OVER)) == Status.OK
    assert status(device, SELECT, gpo(OVER)) == Status.NOT_ALLOWED


def test_a_verification_outlives_a_torn_tap_until_there_is_a_cryptogram() -> None:
    device = verified()
    send(device, SELECT, gpo(OVER))
    device.card.reset()
    assert status(device, SELECT, gpo(OVER), generate(AAC, OVER)) == Status.OK
    assert status(device, SELECT, gpo(OVER), generate(changed=OVER)) == Status.OK
    device.card.reset()
    assert status(device, SELECT, gpo(OVER)) == Status.NOT_ALLOWED


def test_a_verification_that_ages_during_the_tap_is_still_that_of_its_beginning() -> None:
    device = verified()
    device.clock.advance(timedelta(seconds=60))
    send(device, SELECT, gpo(OVER))
    device.clock.advance(timedelta(seconds=60))
    answer = send(device, generate(changed=OVER))
    assert value(answer, Tag.FORMAT_2, Tag.CTQ) == b"\x00\x80"


# -- gates -----------------------------------------------------------------------------------------


def at_gate(amount: str, changed: Values = NOTHING) -> Values:
    return {Tag.SERVICE_CONTEXT: b"\x01", Tag.AMOUNT: bytes.fromhex(amount)} | changed


def test_at_a_gate_the_card_answers_at_once() -> None:
    device = Device()
    fare = at_gate("000000000300")
    answer = send(device, SELECT, gpo(fare))
    data = issuer_data(answer, fare)
    cryptogram = value(answer, Tag.FORMAT_2, Tag.CRYPTOGRAM)
    assert cryptogram_matches(CCD_6, CRYPTOGRAM_KEY, data, cryptogram)
    results = IssuerApplicationData.parse(data.application_data).results
    assert (results.transit, results.verified, results.cda) == (True, False, False)
    assert value(answer, Tag.FORMAT_2, Tag.TRACK_2).hex().startswith(DATA.pan + "d3112")
    assert value(answer, Tag.FORMAT_2, Tag.PAR).decode() == DATA.par
    assert (device.state.atc, device.state.transit_total) == (1, 300)
    assert device.state.unverified_count == 0
    last = device.card.last
    assert last is not None
    assert (last.transit, last.cryptogram) == (True, CryptogramType.ARQC)


def test_a_verified_person_at_a_gate_is_said_to_be_verified() -> None:
    device = verified()
    fare = at_gate("000000009000")
    answer = send(device, SELECT, gpo(fare))
    results = IssuerApplicationData.parse(issuer_data(answer, fare).application_data).results
    assert (results.verified, results.transit) == (True, False)


@pytest.mark.parametrize(
    ("fare", "expected"),
    [
        (at_gate("000000002000"), "at once"),
        (at_gate("000000002001"), "ordinary"),
        (at_gate("000000005001"), "refused"),
        (at_gate("000000000001", {Tag.TTQ: bytes.fromhex("21404000")}), "refused"),
        (at_gate("000000000001", {Tag.TRANSACTION_CURRENCY: bytes.fromhex("0840")}), "refused"),
    ],
)
def test_over_a_gate_s_limit_a_shop_s_rules_hold(fare: Values, expected: str) -> None:
    device = Device()
    answer = send(device, SELECT, gpo(fare))
    if expected == "refused":
        assert answer.status == Status.NOT_ALLOWED
        return
    at_once = first([read_one(answer.data)], Tag.FORMAT_2, Tag.CRYPTOGRAM) is not None
    assert at_once is (expected == "at once")
    if not at_once:
        assert status(device, generate(changed=fare)) == Status.OK
        assert (device.state.transit_count, device.state.unverified_count) == (0, 1)


# -- what is remembered ----------------------------------------------------------------------------


def test_an_answer_is_withheld_until_its_state_is_saved() -> None:
    card = Card([Application(PROFILE(), CardState(), seeded())], ManualClock(NOW))
    assert isinstance(card.transmit(SELECT.write()), bytes)
    withheld = card.transmit(gpo().write())
    assert isinstance(withheld, Unsaved)
    assert (withheld.aid, withheld.state.atc) == (AID, 1)
    with pytest.raises(RuntimeError, match="waits for its state"):
        card.transmit(RECORD.write())
    assert withheld.saved().endswith(b"\x90\x00")
    with pytest.raises(RuntimeError, match="for nobody"):
        withheld.saved()
    assert isinstance(card.transmit(RECORD.write()), bytes)


def test_an_answer_that_was_withheld_when_the_field_went_never_leaves() -> None:
    application = Application(PROFILE(), CardState(), seeded())
    card = Card([application], ManualClock(NOW))
    card.transmit(SELECT.write())
    withheld = card.transmit(gpo().write())
    assert isinstance(withheld, Unsaved)
    card.reset()
    with pytest.raises(RuntimeError, match="for nobody"):
        withheld.saved()
    card.transmit(SELECT.write())
    again = card.transmit(gpo().write())
    assert isinstance(again, Unsaved)
    assert again.state.atc == 2, "its number is gone all the same"


def test_a_signed_online_payment_is_saved_once() -> None:
    card = Card([Application(PROFILE(), CardState(), seeded())], ManualClock(NOW))
    card.present(FINGER)
    saves = 0
    for command in (SELECT, gpo(), RECORD, generate()):
        answer = card.transmit(command.write())
        if isinstance(answer, Unsaved):
            saves += 1
            answer.saved()
    assert saves == 1


def test_no_number_serves_twice_whenever_the_device_crashes() -> None:
    saved, seen = CardState(), list[bytes]()
    for crash in range(40):
        card = Card([Application(PROFILE(), saved, seeded(str(crash)))], ManualClock(NOW))
        card.present(FINGER)
        for step, command in enumerate((SELECT, gpo(), RECORD, generate(TC_CDA))):
            answer = card.transmit(command.write())
            if isinstance(answer, Unsaved):
                if crash % 5 == step:
                    break  # power is lost before the file is written
                saved = answer.state
                if crash % 7 == step:
                    break  # and here after it
                answer = answer.saved()
            if command.ins == apdu.Ins.GENERATE_AC:
                seen.append(value(Response.read(answer), Tag.FORMAT_2, Tag.ATC))
    assert len(seen) > 10
    assert len(set(seen)) == len(seen)
    assert seen == sorted(seen)


def test_when_the_numbers_are_used_up_the_card_is_silent() -> None:
    device = Device(state=CardState(atc=0xFFFE))
    assert status(device, SELECT, gpo()) == Status.OK
    assert status(device, SELECT, gpo()) == Status.CONDITIONS_NOT_SATISFIED
    assert device.state.atc == 0xFFFF


def test_a_blocked_card_is_selected_as_invalidated_and_does_nothing() -> None:
    device = Device(state=CardState(blocked=True))
    device.card.present(FINGER)
    assert status(device, SELECT) == Status.SELECTED_INVALIDATED
    assert status(device, gpo()) == Status.CONDITIONS_NOT_SATISFIED


# -- the issuer's answer ---------------------------------------------------------------------------


def asked_online(version: Version = CCD_6) -> tuple[Device, bytes]:
    device = Device(profile(version=version.number), state=CardState(atc=4, offline_count=2))
    device.card.present(FINGER)
    commands = gpo(), generate(ARQC)
    answer = send(device, SELECT, *commands)
    return device, value(answer, Tag.FORMAT_2, Tag.CRYPTOGRAM)


def answer_to(cryptogram: bytes, update: str, atc: int = 5) -> bytes:
    return issuer_authentication_data(
        CCD_6, CRYPTOGRAM_KEY, atc.to_bytes(2, "big"), cryptogram, bytes.fromhex(update)
    )


def test_the_issuer_s_answer_sets_the_counters_and_can_block() -> None:
    device, cryptogram = asked_online()
    (application,) = device.applications
    state = application.issuer_answered(5, answer_to(cryptogram, "00020000"))
    assert (state.last_online_atc, state.offline_count, state.blocked) == (5, 0, False)
    assert application.state == state
    device, cryptogram = asked_online()
    (application,) = device.applications
    assert application.issuer_answered(5, answer_to(cryptogram, "00200000")).blocked
    assert status(device, SELECT, gpo()) == Status.CONDITIONS_NOT_SATISFIED


def test_by_method_1_it_is_a_response_code() -> None:
    device, cryptogram = asked_online(CVN_10)
    answer = issuer_authentication_data(CVN_10, CRYPTOGRAM_KEY, b"\x00\x05", cryptogram, b"00")
    assert device.applications[0].issuer_answered(5, answer).offline_count == 0


def test_only_the_issuer_s_first_answer_to_the_last_payment_counts() -> None:
    device, cryptogram = asked_online()
    (application,) = device.applications
    good = answer_to(cryptogram, "00020000")
    before = application.state
    for atc, data in ((4, good), (6, good), (5, bytes((good[0] ^ 1,)) + good[1:])):
        with pytest.raises(IssuerAnswerForged):
            application.issuer_answered(atc, data)
    with pytest.raises(IssuerAnswerMalformed):
        application.issuer_answered(5, good[:-1])
    assert application.state == before
    application.issuer_answered(5, good)
    with pytest.raises(IssuerAnswerForged):
        application.issuer_answered(5, good)


def test_an_answer_that_comes_after_the_next_tap_began_is_too_late() -> None:
    device, cryptogram = asked_online()
    send(device, SELECT, gpo())
    with pytest.raises(IssuerAnswerForged):
        device.applications[0].issuer_answered(5, answer_to(cryptogram, "00020000"))
