"""Taps that are torn, and answers that are changed on the way: never paid, never a crash."""

from collections.abc import Callable

import pytest

from emv_tap import (
    FINGER,
    TERMINAL,
    WIDE,
    Device,
    answer_of,
    gate,
    is_the_card_s,
    profile,
    ready,
    seeded,
    verified,
)
from tandem.emv.apdu import Ins
from tandem.emv.tags import Tag
from tandem.emv.terminal import (
    Answer,
    Lost,
    Message,
    Result,
    Start,
    Terminal,
    Tvr,
    Why,
    run,
    tap,
)
from tandem.emv.tlv import constructed, primitive, read_one

# -- torn and silent -------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", Lost)
@pytest.mark.parametrize("at", range(8))
def test_a_tap_torn_at_any_command_is_tried_again_and_then_works(at: int, lost: Lost) -> None:
    device = verified()

    def leaves(command: bytes) -> Answer:
        answer = device.transmit(command)
        return lost if len(device.commands) > at else answer

    outcome = run(ready(), seeded(), leaves)
    assert (outcome.result, outcome.start) == (Result.TRY_AGAIN, Start.ACTIVATION)
    assert outcome.why is (Why.TORN if lost is Lost.TORN else Why.SILENT)
    assert outcome.ui.message is Message.PRESENT_AGAIN
    assert outcome.card is None
    before = device.state.atc
    device.card.reset()
    again = run(ready(), seeded("again"), device.transmit)
    assert again.result is Result.APPROVED
    assert device.state.atc == before + 1


@pytest.mark.parametrize("at", range(3))
def test_a_gate_torn_at_any_command_is_tried_again(at: int) -> None:
    device = Device()

    def leaves(command: bytes) -> Answer:
        answer = device.transmit(command)
        return Lost.TORN if len(device.commands) > at else answer

    assert run(ready(gate(), 300), seeded(), leaves).why is Why.TORN
    device.card.reset()
    assert run(ready(gate(), 300), seeded(), device.transmit).result is Result.ONLINE_REQUEST


def test_the_dialogue_is_a_generator_of_commands() -> None:
    dialogue = tap(ready(), seeded())
    assert next(dialogue).startswith(b"\x00\xa4\x04\x00\x0e2PAY.SYS.DDF01")
    with pytest.raises(StopIteration) as stop:
        dialogue.send(Lost.SILENT)
    assert stop.value.value.why is Why.SILENT


# -- changed on the way ----------------------------------------------------------------------------


def changing(device: Device, answer_at: int, byte_at: int, mask: int) -> Callable[[bytes], bytes]:
    count = iter(range(1000))

    def change(command: bytes) -> bytes:
        answer = bytearray(device.transmit(command))
        if next(count) == answer_at:
            answer[byte_at % len(answer)] ^= mask
        return bytes(answer)

    return change


def lengths(amount: int, shop: Terminal) -> list[int]:
    device = verified()
    run(ready(shop, amount), seeded(), device.transmit)
    return [len(answer) for answer in device.answers]


@pytest.mark.parametrize("answer_at", range(8))
@pytest.mark.parametrize("amount", [3800, 8000])
def test_an_answer_changed_at_any_byte_never_pays_what_the_card_did_not_sign(
    answer_at: int, amount: int
) -> None:
    device = verified()
    survived: list[int] = []
    for byte_at in range(lengths(amount, TERMINAL)[answer_at]):
        for mask in (0x01, 0x80) if answer_at in {2, 7} else (0x40,):
            device.card.reset()
            device.card.present(FINGER)
            wire = changing(device, answer_at, byte_at, mask)
            outcome = run(ready(amount=amount), seeded(), wire)
            if outcome.result in {Result.APPROVED, Result.ONLINE_REQUEST}:
                survived.append(byte_at)
                assert outcome.card is not None
                assert outcome.card.signed
                assert is_the_card_s(outcome, amount)
    # Names, priorities and languages are nobody's business but the till's.
    assert not survived or answer_at < 2


def test_a_gate_s_answer_changed_at_any_byte_is_found_out_by_the_issuer_or_harmless() -> None:
    device = Device(profile(limits=WIDE))
    whole = lengths(300, gate())[2]
    for byte_at in range(whole):
        device.card.reset()
        outcome = run(ready(gate(), 300), seeded(), changing(device, 2, byte_at, 0x01))
        assert outcome.result is not Result.APPROVED


@pytest.mark.parametrize("tag", [Tag.AMOUNT, Tag.TRANSACTION_CURRENCY, Tag.UNPREDICTABLE_NUMBER])
@pytest.mark.parametrize("where", [{Ins.GET_PROCESSING_OPTIONS}, {Ins.GENERATE_AC}, set(Ins)])
def test_amounts_changed_on_the_way_to_the_card_are_caught(tag: Tag, where: set[int]) -> None:
    device = verified()
    values = {
        Tag.AMOUNT: (bytes.fromhex("000000003800"), bytes.fromhex("000000000001")),
        Tag.TRANSACTION_CURRENCY: (b"\x01\x56", b"\x08\x40"),
        Tag.UNPREDICTABLE_NUMBER: (seeded()(4), b"\0\0\0\0"),
    }
    true, false = values[tag]

    def lies(command: bytes) -> bytes:
        if command[1] in where:
            # the country stands there with the same digits: only the last one is the currency
            head, _, tail = command.rpartition(true)
            command = head + false + tail if _ else command
        return device.transmit(command)

    outcome = run(ready(), seeded(), lies)
    assert outcome.result in {Result.DECLINED, Result.END_APPLICATION}
    assert outcome.why in {Why.AUTHENTICATION_FAILED, Why.CARD_ERROR}


def test_a_verification_that_the_card_did_not_have_is_not_taken() -> None:
    """Somebody between sets the bit in the processing options; the signed answer tells."""
    device = Device(profile(limits=WIDE))

    def helps(command: bytes) -> bytes:
        answer = device.transmit(command)
        if command[1] == Ins.GET_PROCESSING_OPTIONS:
            return answer.replace(b"\x9f\x6c\x02\x00\x00", b"\x9f\x6c\x02\x00\x80")
        return answer

    outcome = run(ready(), seeded(), helps)
    assert (outcome.result, outcome.why) == (Result.DECLINED, Why.VERIFICATION_CHANGED)


def test_a_signature_that_is_taken_away_is_a_decline() -> None:
    device = verified()

    def strips(command: bytes) -> bytes:
        answer = device.transmit(command)
        if command[1] != Ins.GENERATE_AC:
            return answer
        return answer_of(
            primitive(Tag.CRYPTOGRAM_INFORMATION, b"\x40"),
            primitive(Tag.ATC, b"\x00\x01"),
            primitive(Tag.CRYPTOGRAM, bytes(8)),
            primitive(Tag.ISSUER_APPLICATION_DATA, b"\x00"),
        )

    outcome = run(ready(), seeded(), strips)
    assert (outcome.result, outcome.why) == (Result.DECLINED, Why.AUTHENTICATION_FAILED)
    assert outcome.card is not None
    assert Tvr(int.from_bytes(outcome.card.values[Tag.TVR], "big")) == Tvr.CDA_FAILED


def test_a_decision_that_stands_somewhere_else_is_a_decline() -> None:
    device = verified()

    def hides(command: bytes) -> bytes:
        answer = device.transmit(command)
        if command[1] != Ins.GENERATE_AC:
            return answer
        first, *rest = read_one(answer[:-2]).children
        return answer_of(constructed(0x61, first), *rest)

    outcome = run(ready(), seeded(), hides)
    assert (outcome.result, outcome.why) == (Result.DECLINED, Why.AUTHENTICATION_FAILED)


def test_an_old_signature_is_a_decline() -> None:
    device = verified()
    run(ready(), seeded("first"), device.transmit)
    old = device.answers[-1]
    device.card.reset()
    device.card.present(FINGER)

    def replays(command: bytes) -> bytes:
        answer = device.transmit(command)
        return old if command[1] == Ins.GENERATE_AC else answer

    outcome = run(ready(), seeded("second"), replays)
    assert (outcome.result, outcome.why) == (Result.DECLINED, Why.AUTHENTICATION_FAILED)
