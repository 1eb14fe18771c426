"""From messages to typed requests, what they are known by, and from outcomes to answers."""

from datetime import UTC, date, datetime

import pytest

from acquiring_play import DAY, ICC, NOW, PAN, SECRET, money, network, original
from tandem.acquiring import De, Message, MessageMalformed, ResponseCode
from tandem.acquiring.errors import AmountImpossible, MacWrong, TransactionUnknown
from tandem.acquiring.model import (
    Advice,
    Authorisation,
    MoneyRequest,
    Outcome,
    Purchase,
    Reconciliation,
    Refund,
    Request,
    Reversal,
    Totals,
)
from tandem.acquiring.refusals import response_code
from tandem.acquiring.requests import read_request, undo
from tandem.acquiring.respond import answer, answer_money, answer_totals
from tandem.kernel import Invalid, NotFound, Refused
from tandem.merchants import WayRefused
from tandem.people import LimitExceeded

TOTALS = Totals(debits=3, debits_amount=3000, credits=1, credits_amount=500, authorisations=2)


def read(message: Message, now: datetime = NOW) -> Request:
    return read_request(message, "harbour", now, SECRET)


def read_money(message: Message, now: datetime = NOW) -> MoneyRequest:
    request = read(message, now)
    assert not isinstance(request, Reconciliation)
    return request


def test_a_purchase_says_everything_that_a_payment_needs() -> None:
    request = read_money(money(RRN="632711000017", LOCATION="The Blue Door".ljust(40)))
    assert isinstance(request, Purchase)
    assert (request.amount, request.currency) == (1234, "EUR")
    assert (request.link, request.terminal, request.merchant) == (
        "harbour", "TERM0001", "SHOP00000000001",
    )  # fmt: skip
    assert (request.stan, request.rrn) == ("000001", "632711000017")
    assert request.local_at == datetime(2026, 11, 23, 13)  # noqa: DTZ001 - a terminal's clock has no zone
    assert (request.card.pan, request.card.expiry) == (PAN, "2812")
    assert request.card.sequence_number == 1
    assert request.card.track2 == f"{PAN}=2812201000000000"
    assert request.card.icc == bytes.fromhex(ICC)
    assert request.contactless
    assert request.key == "harbour/2/TERM0001/000001/2026-11-23"
    assert not request.repeat
    assert PAN not in repr(request)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (money("0100"), Authorisation),
        (money("0100", AMOUNT="000000000000"), Authorisation),
        (money("0200"), Purchase),
        (money("0201"), Purchase),
        (money("0200", PROCESSING_CODE="200000"), Refund),
        (money("0220"), Advice),
        (money("0221", PROCESSING_CODE="200000"), Advice),
        (money("0400"), Reversal),
        (money("0401"), Reversal),
        (money("0420"), Reversal),
        (money("0421"), Reversal),
    ],
)
def test_each_type_and_processing_code_is_a_request_of_its_own(
    message: Message, kind: type[MoneyRequest]
) -> None:
    request = read_money(message)
    assert type(request) is kind
    assert request.repeat == message.repeat


@pytest.mark.parametrize(
    ("message", "element"),
    [
        *((money(**{De(n).name: None}), n) for n in (3, 4, 11, 12, 13, 41, 42, 49)),
        (money(TERMINAL="        "), 41),
        (money(LOCAL_DATE="0230"), 13),
        (money(LOCAL_DATE="1301"), 13),
        (money(LOCAL_TIME="240000"), 13),
        (money(CURRENCY="000"), 49),
        (money(PAN="4761739001010028"), 35),
        (money(TRACK2=PAN), 35),
        (money(TRACK2="=2812"), 35),
        (money(EXPIRY="2813"), 14),
        (money(EXPIRY="2800"), 14),
        (money(TRACK2=None, ICC=None), 2),
        (money("0220", ORIGINAL=original("0200", 1)), 90),
        (money("0420", REPLACEMENT_AMOUNTS="x" * 42), 95),
        (Message("0500", {De.CURRENCY: "978", De.SETTLEMENT_DATE: "1131"}), 15),
        (Message("0500", {}), 49),
    ],
)
def test_what_is_missing_or_cannot_be_is_named(message: Message, element: int) -> None:
    with pytest.raises(MessageMalformed) as refused:
        read(message)
    assert refused.value.element == element
    assert response_code(refused.value) is ResponseCode.FORMAT_ERROR


@pytest.mark.parametrize(
    "message",
    [
        money(PROCESSING_CODE="010000"),
        money("0100", PROCESSING_CODE="200000"),
        money("0120"),
        money("0300"),
        money("0600"),
        network("001"),
    ],
)
def test_what_is_not_done_here_is_said(message: Message) -> None:
    with pytest.raises(TransactionUnknown) as refused:
        read(message)
    assert response_code(refused.value) is ResponseCode.INVALID_TRANSACTION


@pytest.mark.parametrize(
    "message",
    [
        money(AMOUNT="000000000000"),
        money("0220", AMOUNT="000000000000"),
        money("0420", REPLACEMENT_AMOUNTS="000000001235".ljust(42, "0")),
    ],
)
def test_amounts_that_cannot_be_moved_are_refused(message: Message) -> None:
    with pytest.raises(AmountImpossible) as refused:
        read(message)
    assert response_code(refused.value) is ResponseCode.INVALID_AMOUNT


@pytest.mark.parametrize(
    "repeat",
    [
        money("0201"),
        money("0201", TRANSMITTED_AT="1123130101", LOCAL_TIME="130101", EXPIRY="2812"),
        money("0201", PAN=PAN),
        money("0201", CONDITION="01"),
    ],
)
def test_a_repeat_is_known_as_the_same_however_it_is_stamped(repeat: Message) -> None:
    first, second = read_money(money()), read_money(repeat)
    assert first.key == second.key
    assert first.fingerprint == second.fingerprint


@pytest.mark.parametrize(
    "other",
    [
        money("0201", AMOUNT="000000001235"),
        money("0201", CURRENCY="840"),
        money("0201", PROCESSING_CODE="200000"),
        money("0201", TRACK2="4761739001010028=2812201000000000"),
        money("0201", SEQUENCE_NUMBER="002"),
        money("0201", ICC=ICC.replace("0001", "0002")),
        money("0201", MERCHANT="SHOP00000000002"),
        money("0201", RRN="632711000018"),
        money("0220"),
    ],
)
def test_a_repeat_with_other_content_is_known_as_another(other: Message) -> None:
    first, second = read_money(money()), read_money(other)
    assert first.key == second.key
    assert first.fingerprint != second.fingerprint


@pytest.mark.parametrize(
    "other",
    [
        money("0200", 2),
        money(TERMINAL="TERM0002"),
        money(LOCAL_DATE="1122"),
        money("0100"),
        money("0400"),
    ],
)
def test_another_number_terminal_day_or_class_is_another_payment(other: Message) -> None:
    assert read_money(money()).key != read_money(other).key


def test_fingerprints_are_keyed_so_that_no_card_can_be_searched_for() -> None:
    other = read_request(money(), "harbour", NOW, bytes(32))
    assert isinstance(other, Purchase)
    assert other.fingerprint != read_money(money()).fingerprint


def test_a_reversal_that_comes_again_as_an_advice_is_the_same() -> None:
    given = {"ORIGINAL": original("0200", 1)}
    prints = {
        read_money(money(mti, 2, RESPONSE_CODE=code, ICC=icc, **given)).fingerprint
        for mti, code, icc in (("0400", "68", ICC), ("0401", "17", None), ("0421", "68", None))
    }
    assert len(prints) == 1


@pytest.mark.parametrize(
    ("now", "day", "year"),
    [
        (datetime(2026, 12, 31, 23, tzinfo=UTC), "0101", 2027),
        (datetime(2027, 1, 1, 0, tzinfo=UTC), "1231", 2026),
        (datetime(2026, 6, 1, tzinfo=UTC), "0601", 2026),
        (datetime(2028, 3, 1, tzinfo=UTC), "0229", 2028),
        (datetime(2027, 3, 1, tzinfo=UTC), "0229", 2028),
    ],
)
def test_the_year_that_terminals_leave_out_is_the_nearest(
    now: datetime, day: str, year: int
) -> None:
    assert read_money(money(LOCAL_DATE=day), now).local_at.year == year


def test_a_reference_is_made_of_the_terminal_s_time_if_there_is_none() -> None:
    assert read_money(money()).rrn == "632713000001"
    assert read_money(money("0201")).rrn == "632713000001"


def test_a_reversal_names_its_original() -> None:
    request = read_money(money("0420", 2, ORIGINAL=original("0200", 1), RRN="632711000001"))
    assert isinstance(request, Reversal)
    assert request.original.keys == ("harbour/2/TERM0001/000001/2026-11-23",)
    assert (request.original.mti, request.original.stan) == ("0200", "000001")
    assert request.original.rrn == "632711000001"
    assert request.final_amount is None
    assert request.key == "harbour/4/TERM0001/000002/2026-11-23"


@pytest.mark.parametrize(
    ("field", "keys"),
    [
        (None, ["2/TERM0001/000002/2026-11-23", "1/TERM0001/000002/2026-11-23"]),
        (original("0100", 1), ["1/TERM0001/000001/2026-11-23"]),
        (original("0000", 1), ["2/TERM0001/000001/2026-11-23", "1/TERM0001/000001/2026-11-23"]),
        (
            original("0200", 1, "1122235959"),
            ["2/TERM0001/000001/2026-11-23", "2/TERM0001/000001/2026-11-22"],
        ),
        (original("0200", 1, "9999999999"), ["2/TERM0001/000001/2026-11-23"]),
        (original("0200", 1, "0000000000"), ["2/TERM0001/000001/2026-11-23"]),
    ],
)
def test_an_original_is_looked_for_under_every_key_that_it_may_have(
    field: str | None, keys: list[str]
) -> None:
    request = read_money(money("0400", 2, ORIGINAL=field))
    assert isinstance(request, Reversal)
    assert request.original.keys == tuple(f"harbour/{key}" for key in keys)


def test_a_part_of_a_payment_is_reversed_down_to_what_it_came_to() -> None:
    request = read_money(money("0420", REPLACEMENT_AMOUNTS="000000001000".ljust(42, "0")))
    assert isinstance(request, Reversal)
    assert request.final_amount == 1000


def test_an_advice_completes_an_authorisation_or_tells_of_an_offline_approval() -> None:
    given = {"AUTHORISATION_CODE": "A1B2C3", "RESPONSE_CODE": "Y1"}
    offline = read_money(money("0220", **given))
    assert isinstance(offline, Advice)
    assert (offline.original, offline.authorisation_code) == (None, "A1B2C3")
    assert offline.response_code == "Y1"
    completion = money("0220", TRACK2=None, ICC=None, ORIGINAL=original("0100", 7), **given)
    request = read_money(completion)
    assert isinstance(request, Advice)
    assert request.original is not None
    assert request.original.keys == ("harbour/1/TERM0001/000007/2026-11-23",)


def test_what_the_host_takes_back_is_a_reversal_of_that_payment() -> None:
    request = read_money(money())
    reversal = undo(request)
    assert reversal.original.keys == (request.key,)
    assert reversal.key == f"{request.key}/undo"
    assert reversal.by_host
    assert (reversal.amount, reversal.currency) == (request.amount, request.currency)


def test_an_answer_repeats_what_names_the_payment_and_not_the_card() -> None:
    message = money("0201", PAN=PAN, NETWORK="003", ACQUIRER="123456")
    request = read_money(message)
    outcome = Outcome(
        code=ResponseCode.APPROVED,
        authorisation_code="A1B2C3",
        icc=bytes.fromhex("910A00112233445566778899"),
        settlement_date=date(2026, 11, 24),
    )
    reply = answer_money(message, request, outcome)
    assert reply.mti == "0210"
    assert {int(n) for n in reply.fields} == {
        3, 4, 11, 12, 13, 15, 24, 25, 32, 37, 38, 39, 41, 42, 49, 55,
    }  # fmt: skip
    assert reply.text(De.SETTLEMENT_DATE) == "1124"
    assert reply.text(De.RRN) == "632713000001"
    assert reply.text(De.ICC) == "910A00112233445566778899"
    assert answer(message, ResponseCode.APPROVED, echo=(2, 60)).text(De.PAN) == PAN


def test_a_decline_has_no_more_than_its_reason() -> None:
    message = money()
    outcome = Outcome(code=ResponseCode.INSUFFICIENT_FUNDS)
    reply = answer_money(message, read_money(message), outcome)
    assert reply.text(De.RESPONSE_CODE) == "51"
    assert not {De.AUTHORISATION_CODE, De.ICC, De.SETTLEMENT_DATE} & set(reply.fields)


def totals_message(**changes: str) -> Message:
    fields: dict[int, str] = {
        De.STAN: "000009", De.SETTLEMENT_DATE: "1122", De.SETTLEMENT_CURRENCY: "978",
        De.CREDITS_NUMBER: "0000000001", De.DEBITS_NUMBER: "0000000003",
        De.CREDITS_AMOUNT: f"{500:016d}", De.DEBITS_AMOUNT: f"{3000:016d}",
    }  # fmt: skip
    return Message("0500", fields | {De[name]: value for name, value in changes.items()})


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, "1"),
        ({"AUTHORISATIONS_NUMBER": "0000000002"}, "1"),
        ({"AUTHORISATIONS_NUMBER": "0000000003"}, "2"),
        ({"DEBITS_NUMBER": "0000000004"}, "2"),
        ({"CREDITS_AMOUNT": f"{501:016d}"}, "2"),
        ({"DEBITS_REVERSED_NUMBER": "0000000001"}, "2"),
    ],
)
def test_totals_are_compared_and_the_host_s_own_are_told(
    changes: dict[str, str], code: str
) -> None:
    message = totals_message(**changes)
    request = read(message)
    assert isinstance(request, Reconciliation)
    assert (request.day, request.currency) == (date(2026, 11, 22), "EUR")
    reply = answer_totals(message, request, TOTALS)
    assert reply.mti == "0510"
    assert reply.text(De.SETTLEMENT_CODE) == code
    assert reply.text(De.DEBITS_AMOUNT) == f"{3000:016d}"
    assert reply.text(De.NET_AMOUNT) == f"D{2500:016d}"
    assert reply.text(De.SETTLEMENT_DATE) == "1122"


def test_totals_may_only_be_asked_for_and_those_of_one_terminal() -> None:
    message = Message("0520", {De.STAN: "000009", De.CURRENCY: "978", De.TERMINAL: "TERM0001"})
    request = read(message)
    assert request == Reconciliation(
        link="harbour", day=DAY, currency="EUR", terminal="TERM0001", claimed=None
    )
    assert isinstance(request, Reconciliation)
    refunds = Totals(credits=1, credits_amount=500, debits_reversed_amount=7)
    reply = answer_totals(message, request, refunds)
    assert reply.mti == "0530"
    assert reply.text(De.SETTLEMENT_CODE) == "1"
    assert reply.text(De.NET_AMOUNT) == f"C{507:016d}"


@pytest.mark.parametrize(
    ("refused", "code"),
    [
        (MacWrong(), "63"),
        (WayRefused("tap", "way_off", None, "CNY", ()), "58"),
        (WayRefused("tap", "wallet_refused", None, "CNY", ()), "57"),
        (WayRefused("tap", "amount_above_limit", 100, "CNY", ()), "61"),
        (LimitExceeded("per_day", 1, 0, "EUR"), "61"),
        (NotFound("payment", "pay_1"), "25"),
        (Invalid("amount", "is odd"), "30"),
        (Refused(), "05"),
    ],
)
def test_refusals_of_the_rooms_have_their_codes(refused: Refused, code: str) -> None:
    assert response_code(refused).value == code
