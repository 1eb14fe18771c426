"""Cards that lie, are silent or somebody else's: an outcome each time, never a crash."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emv_made import key
from emv_tap import (
    AID,
    DATA,
    OK,
    PAYMENT,
    TERMINAL,
    UNSIGNED,
    Device,
    answer_of,
    gate,
    issuer_certificate,
    knowledge,
    ready,
    seeded,
    verified,
)
from tandem.emv.apdu import Command, Ins
from tandem.emv.card import Certificates
from tandem.emv.card.files import AIP, records
from tandem.emv.certificates import certify_card
from tandem.emv.dol import Dol
from tandem.emv.tags import Tag
from tandem.emv.terminal import (
    Answer,
    Lost,
    Outcome,
    Ready,
    Result,
    Terminal,
    Transaction,
    Tvr,
    Why,
    prepare,
    run,
)
from tandem.emv.tlv import Tlv, constructed, primitive, read_one, write

# -- other people's cards --------------------------------------------------------------------------


DIRECTORY = (
    constructed(
        Tag.FCI,
        constructed(
            Tag.FCI_PROPRIETARY,
            constructed(
                Tag.ISSUER_DISCRETIONARY,
                constructed(Tag.APPLICATION_TEMPLATE, primitive(Tag.ADF_NAME, AID)),
            ),
        ),
    ).raw
    + OK
)
NAME = constructed(Tag.FCI, primitive(Tag.DF_NAME, AID)).raw + OK


def name_asking(pdol: bytes) -> bytes:
    listed = constructed(Tag.FCI_PROPRIETARY, primitive(Tag.PDOL, pdol))
    return constructed(Tag.FCI, primitive(Tag.DF_NAME, AID), listed).raw + OK


OPTIONS = bytes.fromhex("8006180008010100") + OK
OBJECTS: dict[int, bytes] = {
    Tag.PAN: bytes.fromhex("9801234567890121"),
    Tag.EXPIRY: bytes.fromhex("311231"),
    Tag.CDOL1: Dol.of((Tag.AMOUNT, 6), (Tag.UNPREDICTABLE_NUMBER, 4)).write(),
}
APPROVES = bytes.fromhex("8012" + "40" + "0001" + "1122334455667788" + "06010A03A00000") + OK
ASKS = APPROVES.replace(b"\x40\x00\x01", b"\x80\x00\x01")


def record(changed: dict[int, bytes] | None = None, without: Iterable[int] = ()) -> bytes:
    objects = {
        tag: value for tag, value in (OBJECTS | (changed or {})).items() if tag not in without
    }
    children = (primitive(tag, value) for tag, value in objects.items())
    return constructed(Tag.RECORD, *children).raw + OK


def scripted(*answers: bytes, shop: Terminal = UNSIGNED, amount: int = 3800) -> Outcome:
    """A card that gives these answers, whatever it is asked, and then no more."""
    left = iter(answers)

    def card(command: bytes) -> Answer:
        Command.read(command)
        return next(left, Lost.TORN)

    return run(ready(shop, amount), seeded(), card)


LOOSE: dict[int, bytes] = {Tag.IAC_ONLINE: bytes(5), Tag.IAC_DEFAULT: bytes(5)}


def test_a_card_of_format_1_without_lists_is_taken_where_that_is_set() -> None:
    outcome = scripted(DIRECTORY, NAME, OPTIONS, record(LOOSE), APPROVES)
    assert outcome.result is Result.APPROVED
    assert outcome.card is not None
    assert outcome.card.values[Tag.CRYPTOGRAM].hex() == "1122334455667788"
    assert outcome.card.values[Tag.ISSUER_APPLICATION_DATA].hex() == "06010a03a00000"
    assert outcome.card.track_2 == ""


def test_a_card_without_action_codes_wants_to_be_asked_about_everything() -> None:
    assert scripted(DIRECTORY, NAME, OPTIONS, record(), ASKS).result is Result.ONLINE_REQUEST


def test_a_card_that_approves_what_it_was_asked_to_decline_or_send_online_is_ended() -> None:
    outcome = scripted(DIRECTORY, NAME, OPTIONS, record(), APPROVES)
    assert (outcome.result, outcome.why) == (Result.END_APPLICATION, Why.CARD_ERROR)


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([b"\x6a\x82"], Why.NO_DIRECTORY),
        ([b""], Why.CARD_ERROR),
        ([b"\x90"], Why.CARD_ERROR),
        ([bytes(300)], Why.CARD_ERROR),
        ([b"\x6f\x05" + OK], Why.CARD_ERROR),
        ([OK], Why.CARD_ERROR),
        ([constructed(Tag.FCI).raw + OK], Why.NO_APPLICATION),
        ([constructed(Tag.RECORD).raw + OK], Why.NO_APPLICATION),
        ([DIRECTORY, b"\x6a\x82"], Why.NO_APPLICATION),
        ([DIRECTORY, b"\x62\x83"], Why.NO_APPLICATION),
        ([DIRECTORY, b"\x6f\x05" + OK], Why.NO_APPLICATION),
        ([DIRECTORY, NAME.replace(AID, bytes(7))], Why.NO_APPLICATION),
        ([DIRECTORY, NAME, b"\x69\x85"], Why.NO_APPLICATION),
        ([DIRECTORY, NAME, b"\x6a\x80"], Why.CARD_ERROR),
        ([DIRECTORY, NAME, OK], Why.CARD_ERROR),
        ([DIRECTORY, NAME, b"\x80\x02\x18\x00" + OK], Why.CARD_ERROR),
        ([DIRECTORY, NAME, b"\x80\x05\x18\x00\x08\x01\x01" + OK], Why.CARD_ERROR),
        ([DIRECTORY, NAME, b"\x80\x06\x18\x00\x00\x01\x01\x00" + OK], Why.CARD_ERROR),
        ([DIRECTORY, NAME, b"\x80\x06\x18\x00\x09\x01\x01\x00" + OK], Why.CARD_ERROR),
        ([DIRECTORY, NAME, b"\x80\x06\x18\x00\xf8\x01\x01\x00" + OK], Why.CARD_ERROR),
        ([DIRECTORY, NAME, b"\x80\x06\x18\x00\x08\x00\x01\x00" + OK], Why.CARD_ERROR),
        ([DIRECTORY, NAME, b"\x80\x06\x18\x00\x08\x02\x01\x00" + OK], Why.CARD_ERROR),
        ([DIRECTORY, NAME, b"\x80\x06\x18\x00\x08\x01\x01\x02" + OK], Why.CARD_ERROR),
        ([DIRECTORY, NAME, b"\x80\x06\x18\x00\x08\x01\x41\x00" + OK], Why.CARD_ERROR),
        ([DIRECTORY, NAME, answer_of(primitive(Tag.AFL, b"\x08\x01\x01\x00"))], Why.DATA_MISSING),
        ([DIRECTORY, NAME, answer_of(primitive(Tag.AIP, b"\x18\x00"))], Why.DATA_MISSING),
        ([DIRECTORY, NAME, answer_of(primitive(Tag.AIP, b"\x18"))], Why.CARD_ERROR),
        ([DIRECTORY, NAME, OPTIONS, b"\x6a\x83"], Why.CARD_ERROR),
        ([DIRECTORY, NAME, OPTIONS, OK], Why.CARD_ERROR),
        ([DIRECTORY, NAME, OPTIONS, constructed(0x61).raw + OK], Why.CARD_ERROR),
        ([DIRECTORY, NAME, OPTIONS, record(without=[Tag.PAN])], Why.DATA_MISSING),
        ([DIRECTORY, NAME, OPTIONS, record(without=[Tag.EXPIRY])], Why.DATA_MISSING),
        ([DIRECTORY, NAME, OPTIONS, record(without=[Tag.CDOL1])], Why.DATA_MISSING),
        ([DIRECTORY, NAME, OPTIONS, record({Tag.EXPIRY: bytes.fromhex("311331")})], Why.CARD_ERROR),
        ([DIRECTORY, NAME, OPTIONS, record({Tag.EXPIRY: bytes.fromhex("31123A")})], Why.CARD_ERROR),
        ([DIRECTORY, NAME, OPTIONS, record({Tag.CDOL1: b"\x9f"})], Why.CARD_ERROR),
        ([DIRECTORY, NAME, OPTIONS, record({Tag.CDOL1: b"\x9f\x02\xff"})], Why.CARD_ERROR),
        ([DIRECTORY, name_asking(b"\x9f\x02\xfd")], Why.CARD_ERROR),
        ([DIRECTORY, name_asking(b"\x9f\x02\x7f\x9f\x37\x7e")], Why.CARD_ERROR),
        ([DIRECTORY, name_asking(b"\x9f\x02")], Why.CARD_ERROR),
        ([DIRECTORY, name_asking(b"\x9f\x02\xfc")], Why.TORN),
        ([DIRECTORY, NAME, OPTIONS, record({Tag.TRACK_2: b"\x12\x3d"})], Why.CARD_ERROR),
        ([DIRECTORY, NAME, OPTIONS, record({Tag.PAN: b"\xff\xff"})], Why.CARD_ERROR),
        ([DIRECTORY, NAME, OPTIONS, record({Tag.PAN: bytes(3)})], Why.CARD_ERROR),
        ([DIRECTORY, NAME, OPTIONS, record(), b"\x69\x85"], Why.CARD_ERROR),
        ([DIRECTORY, NAME, OPTIONS, record(), OK], Why.CARD_ERROR),
        ([DIRECTORY, NAME, OPTIONS, record(), b"\x80\x03\x80\x00\x01" + OK], Why.CARD_ERROR),
        ([DIRECTORY, NAME, OPTIONS, record(), ASKS.replace(b"\x80\x00\x01", b"\xc0\x00\x01")],
         Why.CARD_ERROR),
        ([DIRECTORY, NAME, OPTIONS, record(), answer_of(primitive(Tag.ATC, b"\x00\x01"))],
         Why.DATA_MISSING),
        ([DIRECTORY, NAME, OPTIONS, record(), answer_of(
            primitive(Tag.CRYPTOGRAM_INFORMATION, b"\x80"), primitive(Tag.ATC, b"\x00\x01"),
        )], Why.DATA_MISSING),
        ([DIRECTORY, NAME, OPTIONS, record(), answer_of(
            primitive(Tag.CRYPTOGRAM_INFORMATION, b"\x80"), primitive(Tag.CRYPTOGRAM, bytes(8)),
        )], Why.DATA_MISSING),
    ],
)  # fmt: skip
def test_what_is_not_as_the_books_have_it_ends_the_tap(answers: list[bytes], why: Why) -> None:
    outcome = scripted(*answers)
    ended = Result.TRY_AGAIN if why is Why.TORN else Result.END_APPLICATION
    assert (outcome.result, outcome.why) == (ended, why)


def test_what_a_file_beyond_10_holds_is_the_card_s_own_and_not_read() -> None:
    options = bytes.fromhex("800A18000801010058010100") + OK
    own = b"anything" + OK
    outcome = scripted(DIRECTORY, NAME, options, record(LOOSE), own, APPROVES)
    assert outcome.result is Result.APPROVED


def test_a_card_of_format_1_may_leave_out_what_it_tells_its_issuer() -> None:
    short = bytes.fromhex("800B4000011122334455667788") + OK
    outcome = scripted(DIRECTORY, NAME, OPTIONS, record(LOOSE), short)
    assert outcome.card is not None
    assert Tag.ISSUER_APPLICATION_DATA not in outcome.card.values


def test_a_data_object_that_comes_twice_ends_the_tap() -> None:
    twice = constructed(
        Tag.RECORD, *(primitive(t, v) for t, v in (*OBJECTS.items(), *OBJECTS.items()))
    )
    assert scripted(DIRECTORY, NAME, OPTIONS, twice.raw + OK).why is Why.CARD_ERROR


OTHER_PAN = bytes.fromhex("9801234567890139")
OTHER_NAME = primitive(Tag.DF_NAME, AID + b"\x01")
APPROVED = (
    primitive(Tag.CRYPTOGRAM_INFORMATION, b"\x40"),
    primitive(Tag.ATC, b"\x00\x01"),
    primitive(Tag.CRYPTOGRAM, bytes(8)),
)
AFL = primitive(Tag.AFL, bytes.fromhex("08010100"))


def test_an_answer_that_takes_back_what_an_earlier_one_said_ends_the_tap() -> None:
    """The exception file and the certificates were for the first number, not for this one."""
    whole = read_one(record(LOOSE)[:-2])
    for changed in (primitive(Tag.PAN, OTHER_PAN), primitive(Tag.EXPIRY, b"\x49\x12\x31")):
        same = whole.first(changed.tag)
        assert same is not None
        outcomes = [
            scripted(DIRECTORY, NAME, OPTIONS, record(LOOSE), answer_of(*APPROVED, more))
            for more in (same, changed)
        ]
        assert [outcome.why for outcome in outcomes] == [Why.CARD_APPROVED, Why.CARD_ERROR]


def test_a_card_number_is_not_taken_from_where_none_stands() -> None:
    """At a gate the exception file is for the number that the host is sent."""
    device = Device()
    run(ready(gate(), 300), seeded(), device.transmit)
    name = primitive(Tag.DF_NAME, AID)
    for more in (primitive(Tag.PAN, OTHER_PAN), constructed(0x73, primitive(Tag.PAN, OTHER_PAN))):
        fci = constructed(Tag.FCI, name, constructed(Tag.FCI_PROPRIETARY, more)).raw + OK
        outcome = scripted(DIRECTORY, fci, device.answers[2], shop=gate())
        assert outcome.card is not None
        assert outcome.card.pan == DATA.pan


def test_no_record_or_option_gives_the_application_another_name() -> None:
    """The acquirer is told the name that was selected."""
    options = answer_of(primitive(Tag.AIP, b"\x18\x00"), AFL, OTHER_NAME)
    records = record(LOOSE | {Tag.DF_NAME: OTHER_NAME.value})
    assert scripted(DIRECTORY, NAME, options, record(LOOSE), APPROVES).why is Why.CARD_ERROR
    assert scripted(DIRECTORY, NAME, OPTIONS, records, APPROVES).why is Why.CARD_ERROR
    renames = answer_of(*APPROVED, OTHER_NAME)
    assert scripted(DIRECTORY, NAME, OPTIONS, record(LOOSE), renames).why is Why.CARD_ERROR


@pytest.mark.parametrize(
    ("first", "then", "why"),
    [
        (b"\x00\x00", None, Why.CARD_APPROVED),
        (b"\x00\x00", b"\x00\x00", Why.CARD_APPROVED),
        (b"\x00\x80", b"\x00\x80", Why.CARD_APPROVED),
        (b"\x00\x80", None, Why.VERIFICATION_CHANGED),
        (b"\x00\x80", b"\x00\x00", Why.VERIFICATION_CHANGED),
        (b"\x00\x00", b"\x00\x80", Why.VERIFICATION_CHANGED),
    ],
)
def test_what_a_card_says_of_its_person_has_to_stand_to_the_end(
    first: bytes, then: bytes | None, why: Why
) -> None:
    options = answer_of(primitive(Tag.AIP, b"\x18\x00"), AFL, primitive(Tag.CTQ, first))
    methods: dict[int, bytes] = {Tag.CVM_LIST: bytes(8) + bytes.fromhex("60001F00")}
    said = () if then is None else (primitive(Tag.CTQ, then),)
    answers = options, record(LOOSE | methods), answer_of(*APPROVED, *said)
    assert scripted(DIRECTORY, NAME, *answers).why is why


@pytest.mark.parametrize(
    ("track", "why"),
    [
        ("9801234567890121D31122010000000F", Why.CARD_APPROVED),
        ("9801234567890121D3112201", Why.CARD_APPROVED),
        ("9801234567890121D31122010000000FFF", Why.CARD_ERROR),
        ("9801234567890121D3112201DD", Why.CARD_ERROR),
        ("9801234567890121D31122010A0000", Why.CARD_ERROR),
        ("9801234567890121D311", Why.CARD_ERROR),
        ("9801234567890121DF", Why.CARD_ERROR),
        ("9801234567890121", Why.CARD_ERROR),
        ("9801234567890139D31122010000000F", Why.CARD_ERROR),
        ("9801234567890121D" + "3112201" + "0" * 13 + "F", Why.CARD_APPROVED),
        ("9801234567890121D" + "3112201" + "0" * 14, Why.CARD_ERROR),
    ],
)
def test_a_track_that_no_acquirer_can_be_sent_ends_the_tap(track: str, why: Why) -> None:
    """Approved offline, it would stand in the way of everything that is to be sent after it."""
    value = bytes.fromhex(track)
    records = record(LOOSE | {Tag.TRACK_2: value})
    assert scripted(DIRECTORY, NAME, OPTIONS, records, APPROVES).why is why


def test_a_gate_s_card_has_one_number() -> None:
    device = Device()
    run(ready(gate(), 300), seeded(), device.transmit)
    children = read_one(device.answers[2][:-2]).children
    same = answer_of(*children, primitive(Tag.PAN, OBJECTS[Tag.PAN]))
    other = answer_of(*children, primitive(Tag.PAN, OTHER_PAN))
    assert scripted(DIRECTORY, NAME, same, shop=gate()).result is Result.ONLINE_REQUEST
    assert scripted(DIRECTORY, NAME, other, shop=gate()).why is Why.CARD_ERROR
    renamed = answer_of(*children, OTHER_NAME)
    assert scripted(DIRECTORY, NAME, renamed, shop=gate()).why is Why.CARD_ERROR


@pytest.mark.parametrize("status", [b"\x61\x10", b"\x6c\x10", b"\x62\x00", b"\x63\x00"])
@pytest.mark.parametrize("at", range(5))
def test_a_card_that_promises_more_is_not_asked_for_ever(status: bytes, at: int) -> None:
    """61xx and 6Cxx are a contact card's; what comes with a warning is no answer either."""
    answers = [DIRECTORY, NAME, OPTIONS, record(LOOSE), APPROVES]
    answers[at] = answers[at][:-2] + status
    outcome = scripted(*answers)
    assert outcome.result is Result.END_APPLICATION


def test_a_directory_full_of_applications_is_gone_through_once() -> None:
    """The most entries that one response holds, each of which is there and then cannot be used."""
    entry = constructed(Tag.APPLICATION_TEMPLATE, primitive(Tag.ADF_NAME, AID[:6]))
    entries = [entry] * 24
    listed = constructed(Tag.ISSUER_DISCRETIONARY, *entries)
    directory = constructed(Tag.FCI, constructed(Tag.FCI_PROPRIETARY, listed)).raw + OK
    commands: list[bytes] = []

    def card(command: bytes) -> Answer:
        commands.append(command)
        if len(commands) == 1:
            return directory
        return NAME if command[1] == Ins.SELECT else b"\x69\x85"

    outcome = run(ready(UNSIGNED), seeded(), card)
    assert outcome.why is Why.NO_APPLICATION
    assert len(commands) == 1 + 2 * len(entries)


def test_records_named_twice_end_the_tap() -> None:
    options = bytes.fromhex("800A1800" + "08010100" + "08010100") + OK
    outcome = scripted(DIRECTORY, NAME, options, record(LOOSE), record(LOOSE), APPROVES)
    assert outcome.why is Why.CARD_ERROR


def test_a_card_cannot_say_what_is_the_terminal_s_to_say() -> None:
    lies: dict[int, bytes] = {
        Tag.AMOUNT: bytes(6),
        Tag.TVR: b"\xff" * 5,
        Tag.CVM_RESULTS: b"\x1f\x00\x02",
        Tag.AUTHORISATION_RESPONSE_CODE: b"00",
        0x9F1D: bytes(8),
    }
    outcome = scripted(DIRECTORY, NAME, OPTIONS, record(LOOSE | lies), APPROVES)
    assert outcome.card is not None
    assert outcome.card.values[Tag.AMOUNT].hex() == "000000003800"
    assert not {Tag.AUTHORISATION_RESPONSE_CODE, 0x9F1D} & outcome.card.values.keys()
    assert outcome.card.values[Tag.TVR] == (Tvr.ODA_NOT_PERFORMED).value_bytes


def test_a_cryptogram_at_once_is_taken_only_at_a_gate() -> None:
    device = Device()
    run(ready(gate(), 300), seeded(), device.transmit)
    eager = device.answers[2]
    assert scripted(DIRECTORY, NAME, eager).why is Why.CARD_ERROR
    assert scripted(DIRECTORY, NAME, eager, shop=gate()).result is Result.ONLINE_REQUEST
    approves = eager.replace(b"\x9f\x27\x01\x80", b"\x9f\x27\x01\x40")
    assert scripted(DIRECTORY, NAME, approves, shop=gate()).why is Why.CARD_ERROR
    lost = eager.replace(b"\x9f\x10\x20", b"\x9f\x11\x20")
    assert scripted(DIRECTORY, NAME, lost, shop=gate()).result is Result.END_APPLICATION
    for month in (b"\xdf\x11", b"\xd0\x01", b"\xd3\x11\xff"):
        odd = eager.replace(b"\xd3\x11\x22", month.ljust(3, b"\x00"))
        assert scripted(DIRECTORY, NAME, odd, shop=gate()).result is not Result.ONLINE_REQUEST
    strict = gate(cvm_limit=0)
    assert scripted(DIRECTORY, NAME, eager, shop=strict).why is Why.VERIFY


COUNTED: dict[int, bytes] = LOOSE | {
    Tag.LOWER_OFFLINE_LIMIT: b"\x02",
    Tag.UPPER_OFFLINE_LIMIT: b"\x04",
}
BOTH = Tvr.LOWER_OFFLINE_LIMIT | Tvr.UPPER_OFFLINE_LIMIT


@pytest.mark.parametrize(
    ("atc", "last", "found"),
    [
        ("9F36020009", "9F13020008", Tvr.NOTHING),
        ("9F36020009", "9F13020006", Tvr.LOWER_OFFLINE_LIMIT),
        ("9F36020009", "9F13020004", BOTH),
        ("9F36020001", "9F13020000", Tvr.NEW_CARD),
        ("9F36020009", "9F13020009", BOTH),
        ("", "9F13020009", BOTH | Tvr.CARD_DATA_MISSING),
    ],
)
def test_a_card_with_offline_limits_is_asked_for_its_counters(
    atc: str, last: str, found: Tvr
) -> None:
    counters = [bytes.fromhex(c) + (OK if c else b"\x6a\x88") for c in (atc, last)]
    outcome = scripted(DIRECTORY, NAME, OPTIONS, record(COUNTED), *counters, APPROVES)
    assert outcome.card is not None
    bits = Tvr(int.from_bytes(outcome.card.values[Tag.TVR], "big"))
    assert bits == found | Tvr.ODA_NOT_PERFORMED
    bad = scripted(DIRECTORY, NAME, OPTIONS, record(COUNTED), b"\x9f\x36\x01\x00" + OK)
    assert bad.why is Why.CARD_ERROR


def test_a_card_that_knows_no_device_is_declined_over_the_limit() -> None:
    outcome = scripted(DIRECTORY, NAME, OPTIONS, record(LOOSE), ASKS, amount=10_000)
    assert outcome.card is not None
    assert outcome.card.values[Tag.CVM_RESULTS].hex() == "3f0001"
    assert Tvr.CVM_FAILED in Tvr(int.from_bytes(outcome.card.values[Tag.TVR], "big"))


def test_a_card_that_should_have_said_so_is_sent_to_its_device() -> None:
    listed: dict[int, bytes] = LOOSE | {Tag.CVM_LIST: bytes(8) + bytes.fromhex("20001F00")}
    outcome = scripted(DIRECTORY, NAME, OPTIONS, record(listed), amount=10_000)
    assert outcome.why is Why.VERIFY


# -- anything at all -------------------------------------------------------------------------------

good = st.sampled_from([DIRECTORY, NAME, OPTIONS, record(), record(LOOSE), APPROVES, ASKS])
anything = st.binary(max_size=260).map(lambda data: data + OK) | st.binary(max_size=20) | good


@given(st.lists(anything | st.sampled_from(Lost), max_size=12), st.booleans())
def test_any_answers_come_to_an_outcome(answers: list[Answer], at_gate: bool) -> None:  # noqa: FBT001 -- drawn
    left = iter(answers)
    shop = gate() if at_gate else TERMINAL
    outcome = run(ready(shop), seeded(), lambda _: next(left, Lost.TORN))
    assert isinstance(outcome, Outcome)
    assert outcome.result is not Result.APPROVED


objects = st.builds(
    primitive,
    st.sampled_from([tag for tag in Tag if tag not in {0x61, 0x6F, 0x70, 0x77, 0xA5, 0xBF0C}]),
    st.binary(max_size=20),
)


wrapped = objects | st.builds(
    lambda found: constructed(0x61, *found), st.lists(objects, max_size=3)
)
several = st.lists(wrapped, max_size=8)


@given(several, several, several, st.sampled_from([UNSIGNED, TERMINAL, gate()]))
def test_any_data_objects_come_to_an_outcome(
    options: list[Tlv], held: list[Tlv], answer: list[Tlv], shop: Terminal
) -> None:
    head = (primitive(Tag.AIP, b"\x19\x00"), primitive(Tag.AFL, b"\x08\x01\x01\x01"))
    records = constructed(Tag.RECORD, *held).raw + OK
    answers = answer_of(*head, *options), records, answer_of(*answer)
    outcome = scripted(DIRECTORY, NAME, *answers, shop=shop)
    assert isinstance(outcome, Outcome)


def test_a_transaction_of_the_future_or_the_past_is_no_crash() -> None:
    for year in (1970, 1999, 2049, 2050, 2099):
        odd: Transaction = replace(PAYMENT, amount=3800, at=PAYMENT.at.replace(year=year))
        made = prepare(TERMINAL, odd, knowledge())
        assert isinstance(made, Ready)
        assert run(made, seeded(), verified().transmit).result is not Result.APPROVED


def test_a_card_that_does_not_ask_for_our_number_proves_nothing() -> None:
    """Its certificates are right, but its signature could be an old one."""
    held: dict[int, bytes] = OBJECTS | {
        Tag.CDOL1: Dol.of((Tag.AMOUNT, 6)).write(),
        Tag.STATIC_TAGS: b"\x82",
    }
    static = write(primitive(tag, value) for tag, value in held.items())
    certificate = certify_card(
        key(1976, "issuer"), key(1408, "card").public, DATA.pan, DATA.expiry, 9, static + AIP
    )
    certificates = Certificates(ca_index=1, issuer=issuer_certificate(), card=certificate)
    keys = [found.data + OK for found in records(DATA, certificates)[1:]]
    locator = bytes.fromhex("0801010110010300")
    options = answer_of(primitive(Tag.AIP, AIP), primitive(Tag.AFL, locator))
    signed = constructed(Tag.RECORD, *(primitive(t, v) for t, v in held.items())).raw + OK
    declines = ASKS.replace(b"\x80\x00\x01", b"\x00\x00\x01")
    outcome = scripted(DIRECTORY, NAME, options, signed, *keys, declines, shop=TERMINAL)
    assert (outcome.result, outcome.why) == (Result.DECLINED, Why.CARD_DECLINED)
    assert outcome.card is not None
    assert Tvr.CDA_FAILED in Tvr(int.from_bytes(outcome.card.values[Tag.TVR], "big"))
