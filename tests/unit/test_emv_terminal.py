"""A tap from the till's side: every way it can end, with a real card in the field."""

from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from emv_made import authority
from emv_tap import (
    AID,
    CNY,
    CRYPTOGRAM_KEY,
    DATA,
    FINGER,
    LIMITS,
    NOW,
    PAYMENT,
    PROFILE,
    TERMINAL,
    Device,
    gate,
    knowledge,
    payment,
    profile,
    seeded,
    terminal,
)
from tandem.emv.authority import Revocation
from tandem.emv.card import ActionCodes, CardState
from tandem.emv.cryptograms import CCD_6, CryptogramData, cryptogram_matches
from tandem.emv.tags import Tag, fits
from tandem.emv.terminal import (
    Alternate,
    Cvm,
    HostAnswer,
    Knowledge,
    Lights,
    Message,
    Outcome,
    Ready,
    Result,
    Start,
    Terminal,
    Tone,
    Transaction,
    Tsi,
    Tvr,
    UiStatus,
    Why,
    complete,
    prepare,
    run,
)
from tandem.emv.tlv import read

OPERATOR = knowledge()


def ready(shop: Terminal, transaction: Transaction, known: Knowledge = OPERATOR) -> Ready:
    made = prepare(shop, transaction, known)
    assert isinstance(made, Ready)
    return made


def pay(
    device: Device,
    amount: int,
    shop: Terminal = TERMINAL,
    transaction: Transaction = PAYMENT,
    known: Knowledge = OPERATOR,
) -> Outcome:
    made = ready(shop, replace(transaction, amount=amount), known)
    device.card.reset()
    return run(made, seeded("terminal"), device.transmit)


def verified() -> Device:
    device = Device()
    device.card.present(FINGER)
    return device


def tvr(outcome: Outcome) -> Tvr:
    assert outcome.card is not None
    return Tvr(int.from_bytes(outcome.card.values[Tag.TVR], "big"))


# -- the ways a tap ends ---------------------------------------------------------------------------


def test_under_the_floor_limit_the_card_approves_and_proves_it() -> None:
    device = verified()
    outcome = pay(device, 3800)
    assert (outcome.result, outcome.why) == (Result.APPROVED, Why.CARD_APPROVED)
    assert (outcome.cvm, outcome.receipt, outcome.start) == (Cvm.DEVICE, True, None)
    assert outcome.card is not None
    assert outcome.card.signed
    assert (outcome.card.pan, outcome.card.sequence) == (DATA.pan, "01")
    assert outcome.card.track_2 == f"{DATA.pan}=311220100000"
    assert outcome.card.values[Tag.TERMINAL_CAPABILITIES].hex() == "000808"
    assert (outcome.ui.message, outcome.ui.text()) == (Message.APPROVED, "Approved")
    assert outcome.ui.lights == Lights(4, tone=Tone.SUCCESS)
    assert (outcome.ui.amount, outcome.ui.currency) == (3800, CNY)
    assert outcome.ui.languages == ("en", "zh")
    assert device.state.offline_total == 3800
    assert len(device.commands) == 8


def test_the_terminal_says_what_it_did() -> None:
    """Transaction status information (9B; Book 3, Annex C6)."""

    def tsi(outcome: Outcome) -> Tsi:
        assert outcome.card is not None
        return Tsi(int.from_bytes(outcome.card.values[Tag.TSI], "big"))

    every = Tsi.ODA | Tsi.CVM | Tsi.CARD_RISK_MANAGEMENT | Tsi.TERMINAL_RISK_MANAGEMENT
    assert tsi(pay(verified(), 3800)) == every
    no_cda = msgspec.structs.replace(terminal(tac_denial=bytes(5)), capabilities=b"\0\x08\0")
    assert tsi(pay(verified(), 8000, no_cda)) == every ^ Tsi.ODA
    assert tsi(pay(Device(), 300, gate())) == Tsi.NOTHING


def test_each_tap_has_a_number_of_its_own() -> None:
    """Or the answer to one could be used in another (Book 2, 6.6)."""
    entropy, numbers = seeded("terminal"), set[bytes]()
    for _ in range(5):
        outcome = run(ready(TERMINAL, payment(3800)), entropy, verified().transmit)
        assert outcome.card is not None
        numbers.add(outcome.card.values[Tag.UNPREDICTABLE_NUMBER])
    assert len(numbers) == 5


def test_over_the_floor_limit_the_issuer_is_asked() -> None:
    outcome = pay(verified(), 8000)
    assert (outcome.result, outcome.why) == (Result.ONLINE_REQUEST, Why.CARD_ASKED_ONLINE)
    assert outcome.ui.message is Message.AUTHORISING
    assert tvr(outcome) == Tvr.FLOOR_LIMIT
    assert outcome.card is not None
    assert outcome.card.signed
    assert not outcome.receipt


def cryptogram_data(outcome: Outcome) -> tuple[CryptogramData, bytes]:
    """As the host puts it together from what came online."""
    sent = {entry.tag: entry.value for entry in read(outcome.online_data)}
    data = CryptogramData(
        amount=sent[Tag.AMOUNT],
        amount_other=sent[Tag.AMOUNT_OTHER],
        country=sent[Tag.TERMINAL_COUNTRY],
        tvr=sent[Tag.TVR],
        currency=sent[Tag.TRANSACTION_CURRENCY],
        date=sent[Tag.TRANSACTION_DATE],
        type=sent[Tag.TRANSACTION_TYPE],
        unpredictable_number=sent[Tag.UNPREDICTABLE_NUMBER],
        aip=sent[Tag.AIP],
        atc=sent[Tag.ATC],
        application_data=sent[Tag.ISSUER_APPLICATION_DATA],
    )
    return data, sent[Tag.CRYPTOGRAM]


@pytest.mark.parametrize(("amount", "shop"), [(8000, TERMINAL), (300, gate()), (300, TERMINAL)])
def test_what_goes_online_is_what_the_issuer_needs_and_no_card_number(
    amount: int, shop: Terminal
) -> None:
    outcome = pay(Device(), amount, shop) if shop is not TERMINAL else pay(verified(), amount)
    data, cryptogram = cryptogram_data(outcome)
    assert cryptogram_matches(CCD_6, CRYPTOGRAM_KEY, data, cryptogram)
    assert int(data.amount.hex()) == amount
    assert len(outcome.online_data) <= 255
    assert bytes.fromhex(DATA.pan) not in outcome.online_data
    assert outcome.card is not None
    assert DATA.pan not in repr(outcome)
    for entry in read(outcome.online_data):
        assert fits(entry.tag, entry.value)


@pytest.mark.parametrize(
    ("answer", "result", "message", "why"),
    [
        (HostAnswer(approved=True), Result.APPROVED, Message.APPROVED, Why.HOST_APPROVED),
        (HostAnswer(approved=False), Result.DECLINED, Message.NOT_AUTHORISED, Why.HOST_DECLINED),
        (None, Result.DECLINED, Message.NOT_AUTHORISED, Why.NO_ANSWER),
    ],
)
def test_the_host_s_answer_decides(
    answer: HostAnswer | None, result: Result, message: Message, why: Why
) -> None:
    asked = pay(verified(), 8000)
    final = complete(asked, answer)
    assert (final.result, final.ui.message, final.why) == (result, message, why)
    assert (final.card, final.ui.amount) == (asked.card, 8000)
    assert final.ui.lights.tone is (Tone.SUCCESS if result is Result.APPROVED else Tone.ALERT)
    assert final.receipt
    with pytest.raises(ValueError, match="asks nobody"):
        complete(final, answer)


def test_the_issuer_s_proof_is_kept_for_whoever_tells_the_device() -> None:
    final = complete(pay(verified(), 8000), HostAnswer(approved=True, issuer_data=b"proof"))
    assert final.issuer_data == b"proof"
    assert "proof" not in repr(final)


def test_over_the_cvm_limit_the_person_is_sent_to_the_device_and_then_taps_again() -> None:
    device = Device()
    outcome = pay(device, 10_000)
    assert (outcome.result, outcome.why) == (Result.TRY_AGAIN, Why.VERIFY)
    assert (outcome.start, outcome.ui.message) == (Start.ACTIVATION, Message.SEE_PHONE)
    assert outcome.field_off_ms == 1300
    assert outcome.ui_on_restart is not None
    assert outcome.ui_on_restart.message is Message.PRESENT_AGAIN
    assert outcome.ui_on_restart.status is UiStatus.READY_TO_READ
    assert outcome.card is None
    assert device.state == CardState()
    device.card.present(FINGER)
    outcome = pay(device, 10_000)
    assert (outcome.result, outcome.cvm) == (Result.ONLINE_REQUEST, Cvm.DEVICE)
    assert outcome.card is not None
    assert outcome.card.values[Tag.TERMINAL_CAPABILITIES].hex() == "000008", "not without CVM"


def test_over_the_card_s_own_limit_too() -> None:
    assert pay(Device(), 5001).why is Why.VERIFY
    outcome = pay(Device(), 5000)
    assert (outcome.result, outcome.cvm) == (Result.APPROVED, Cvm.NONE)


def test_a_card_that_has_enough_of_offline_asks_online() -> None:
    device = Device(state=CardState(offline_count=LIMITS.offline_count))
    device.card.present(FINGER)
    outcome = pay(device, 3800)
    assert outcome.result is Result.ONLINE_REQUEST
    assert tvr(outcome) == Tvr.NOTHING


def test_where_nobody_can_be_asked_that_is_a_decline() -> None:
    alone = msgspec.structs.replace(TERMINAL, type=0x23)
    assert pay(verified(), 3800, alone).result is Result.APPROVED
    device = Device(state=CardState(offline_count=LIMITS.offline_count))
    device.card.present(FINGER)
    outcome = pay(device, 3800, alone)
    assert (outcome.result, outcome.why) == (Result.DECLINED, Why.NO_ANSWER)
    outcome = pay(verified(), 8000, alone)
    assert (outcome.result, outcome.why) == (Result.DECLINED, Why.CARD_DECLINED)


def test_an_online_only_terminal_asks_about_everything() -> None:
    outcome = pay(verified(), 1, msgspec.structs.replace(TERMINAL, type=0x21))
    assert outcome.result is Result.ONLINE_REQUEST


def test_a_merchant_can_force_a_payment_online() -> None:
    outcome = pay(verified(), 1, transaction=replace(PAYMENT, forced_online=True))
    assert outcome.result is Result.ONLINE_REQUEST
    assert tvr(outcome) == Tvr.FORCED_ONLINE


def test_a_refund_needs_nobody_verified_and_goes_online() -> None:
    refund = replace(PAYMENT, type=0x20)
    outcome = pay(Device(), 3800, transaction=refund)
    assert outcome.result is Result.ONLINE_REQUEST
    assert outcome.card is not None
    assert outcome.card.values[Tag.TRANSACTION_TYPE] == b"\x20"


# -- gates -----------------------------------------------------------------------------------------


def test_a_gate_is_three_commands_and_no_verification() -> None:
    device = Device()
    outcome = pay(device, 300, gate())
    assert (outcome.result, outcome.cvm) == (Result.ONLINE_REQUEST, Cvm.NONE)
    assert outcome.card is not None
    assert (outcome.card.transit, outcome.card.signed) == (True, False)
    assert (outcome.card.pan, outcome.card.sequence) == (DATA.pan, "01")
    assert len(device.commands) == 3
    assert complete(outcome, HostAnswer(approved=True)).result is Result.APPROVED


@pytest.mark.parametrize(
    ("limit", "why", "result"),
    [
        (0, Why.NO_ANSWER, Result.DECLINED),
        (299, Why.NO_ANSWER, Result.DECLINED),
        (300, Why.DEFERRED, Result.APPROVED),
    ],
)
def test_a_gate_may_let_a_person_through_when_the_host_is_silent(
    limit: int, why: Why, result: Result
) -> None:
    outcome = complete(pay(Device(), 300, gate(deferred_limit=limit)), None)
    assert (outcome.why, outcome.result) == (why, result)
    assert not outcome.deferrable


def test_a_shop_never_defers() -> None:
    outcome = complete(pay(verified(), 8000, terminal(deferred_limit=99_999)), None)
    assert outcome.result is Result.DECLINED


def test_a_gate_that_asks_for_more_than_a_card_allows_is_a_shop_to_it() -> None:
    outcome = pay(Device(), 2001, gate(floor_limit=5000))
    assert outcome.result is Result.APPROVED
    assert outcome.card is not None
    assert not outcome.card.transit
    assert pay(Device(), 5001, gate()).why is Why.VERIFY


def test_a_gate_refuses_who_is_on_its_list_or_expired() -> None:
    listed = replace(OPERATOR, exceptions=frozenset({DATA.pan}))
    assert pay(Device(), 300, gate(), known=listed).why is Why.NOT_VALID
    expired = replace(PAYMENT, at=NOW.replace(year=2032, month=1, day=1))
    assert pay(Device(), 300, gate(), transaction=expired).why is Why.NOT_VALID
    last_day = replace(PAYMENT, at=NOW.replace(year=2031, month=12, day=31))
    assert pay(Device(), 300, gate(), transaction=last_day).result is Result.ONLINE_REQUEST


# -- offline data authentication -------------------------------------------------------------------


def test_a_terminal_without_the_operator_s_key_declines() -> None:
    outcome = pay(verified(), 3800, known=Knowledge())
    assert (outcome.result, outcome.why) == (Result.DECLINED, Why.CARD_DECLINED)
    assert tvr(outcome) == Tvr.CDA_FAILED


def test_a_revoked_issuer_is_declined() -> None:
    revoked = authority().trusted([Revocation(AID[:5], 1, 1)])
    outcome = pay(verified(), 3800, known=Knowledge(revoked))
    assert (outcome.result, tvr(outcome)) == (Result.DECLINED, Tvr.CDA_FAILED)


def test_expired_certificates_are_declined() -> None:
    late = replace(PAYMENT, at=NOW.replace(year=2032))
    outcome = pay(verified(), 3800, transaction=late)
    assert outcome.result is Result.DECLINED
    assert tvr(outcome) == Tvr.CDA_FAILED | Tvr.EXPIRED


def test_a_card_that_seems_to_know_no_signature_is_declined() -> None:
    device = verified()

    def downgrade(command: bytes) -> bytes:
        answer = device.transmit(command)
        return answer.replace(b"\x82\x02\x19\x00", b"\x82\x02\x18\x00")

    outcome = run(ready(TERMINAL, payment(3800)), seeded(), downgrade)
    assert (outcome.result, tvr(outcome)) == (Result.DECLINED, Tvr.ODA_NOT_PERFORMED)


def test_who_cannot_check_signatures_goes_online_if_set_so() -> None:
    online = msgspec.structs.replace(
        terminal(tac_denial=bytes(5)), type=0x21, capabilities=bytes.fromhex("000800")
    )
    outcome = pay(verified(), 3800, online)
    assert (outcome.result, tvr(outcome)) == (Result.ONLINE_REQUEST, Tvr.ODA_NOT_PERFORMED)
    assert outcome.card is not None
    assert not outcome.card.signed
    data, cryptogram = cryptogram_data(outcome)
    assert cryptogram_matches(CCD_6, CRYPTOGRAM_KEY, data, cryptogram)


# -- restrictions and risk -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shop", "transaction", "known", "bits", "result"),
    [
        (
            TERMINAL,
            replace(PAYMENT, at=NOW.replace(year=2028)),
            OPERATOR,
            Tvr.NOT_YET_EFFECTIVE,
            Result.DECLINED,
        ),
        (terminal(version=b"\x00\x02"), PAYMENT, OPERATOR, Tvr.VERSIONS_DIFFER, None),
        (
            TERMINAL,
            PAYMENT,
            replace(OPERATOR, exceptions={DATA.pan}),
            Tvr.ON_EXCEPTION_FILE,
            None,
        ),
        (
            TERMINAL,
            replace(payment(3800), other=1000),
            OPERATOR,
            Tvr.SERVICE_NOT_ALLOWED,
            Result.DECLINED,
        ),
        (TERMINAL, replace(PAYMENT, type=1), OPERATOR, Tvr.SERVICE_NOT_ALLOWED, Result.DECLINED),
        (
            msgspec.structs.replace(TERMINAL, type=0x14),
            PAYMENT,
            OPERATOR,
            Tvr.SERVICE_NOT_ALLOWED,
            Result.DECLINED,
        ),
    ],
)
def test_what_is_found_stands_in_the_results_and_decides(
    shop: Terminal, transaction: Transaction, known: Knowledge, bits: Tvr, result: Result | None
) -> None:
    outcome = pay(verified(), 3800, shop, replace(transaction, amount=3800), known)
    assert tvr(outcome) == bits
    assert outcome.result is (result or Result.ONLINE_REQUEST)


def test_a_card_s_action_codes_count_as_well() -> None:
    strict = msgspec.structs.replace(
        DATA, action_codes=ActionCodes(denial=bytes.fromhex("0000000800"))
    )
    device = Device(profile(strict))
    device.card.present(FINGER)
    outcome = pay(device, 3800, transaction=replace(PAYMENT, forced_online=True))
    assert (outcome.result, outcome.why) == (Result.DECLINED, Why.CARD_DECLINED)


# -- choosing --------------------------------------------------------------------------------------

OTHER = msgspec.structs.replace(DATA, aid=AID[:6] + b"\x99", label="OTHER", priority=2)


def test_the_application_of_highest_priority_that_is_taken_is_used() -> None:
    device = Device(profile(OTHER), PROFILE())
    device.card.present(FINGER)
    outcome = pay(device, 3800)
    assert outcome.card is not None
    assert outcome.card.values[Tag.DF_NAME] == AID
    only = terminal(aid=OTHER.aid)
    device.card.present(FINGER)
    outcome = pay(device, 3800, only)
    assert outcome.card is not None
    assert outcome.card.values[Tag.DF_NAME] == OTHER.aid


def test_if_the_first_is_blocked_the_next_is_used() -> None:
    device = Device(PROFILE(), profile(OTHER))
    device.applications[0].state = CardState(blocked=True)
    device.card.present(FINGER)
    outcome = pay(device, 3800)
    assert outcome.card is not None
    assert outcome.card.values[Tag.DF_NAME] == OTHER.aid


def test_if_the_first_has_used_up_its_numbers_the_next_is_used() -> None:
    device = Device(PROFILE(), profile(OTHER))
    device.applications[0].state = CardState(atc=0xFFFF)
    device.card.present(FINGER)
    outcome = pay(device, 3800)
    assert outcome.card is not None
    assert outcome.card.values[Tag.DF_NAME] == OTHER.aid


@pytest.mark.parametrize(
    ("device", "shop", "why"),
    [
        (Device(state=CardState(blocked=True)), TERMINAL, Why.NO_APPLICATION),
        (Device(), terminal(aid=b"\xf0other"), Why.NO_APPLICATION),
        (Device(), terminal(partial=False), Why.NO_APPLICATION),
    ],
)
def test_a_card_that_is_not_taken_here_ends_the_tap(
    device: Device, shop: Terminal, why: Why
) -> None:
    outcome = pay(device, 3800, shop)
    assert (outcome.result, outcome.why) == (Result.END_APPLICATION, why)
    assert outcome.ui.message is Message.TRY_ANOTHER_CARD
    assert outcome.ui.lights.tone is Tone.ALERT
    assert outcome.card is None


def test_amounts_that_are_not_taken_by_tap_go_another_way_before_a_card_is_there() -> None:
    with_slot = msgspec.structs.replace(TERMINAL, contact_chip=True)
    outcome = prepare(with_slot, payment(100_000), OPERATOR)
    assert isinstance(outcome, Outcome)
    assert outcome.result is Result.TRY_ANOTHER_INTERFACE
    assert outcome.alternate is Alternate.CONTACT_CHIP
    assert outcome.ui.message is Message.INSERT_OR_SWIPE
    outcome = prepare(TERMINAL, payment(100_000), OPERATOR)
    assert isinstance(outcome, Outcome)
    assert (outcome.result, outcome.why) == (Result.END_APPLICATION, Why.NOT_ALLOWED)


def test_a_reader_that_is_ready_says_so_with_the_amount() -> None:
    made = ready(TERMINAL, payment(3800))
    assert (made.ui.message, made.ui.amount) == (Message.PRESENT_CARD, 3800)
    assert made.ui.lights == Lights(1)


def test_the_device_s_clock_may_differ_from_the_terminal_s() -> None:
    device = verified()
    tomorrow = replace(PAYMENT, at=NOW + timedelta(days=1))
    assert pay(device, 3800, transaction=tomorrow).result is Result.APPROVED
