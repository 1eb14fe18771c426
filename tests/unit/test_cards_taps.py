"""The check of a tap, with a card that the vault made and a real reader."""

from contextlib import suppress
from datetime import date, datetime, timedelta, timezone
from functools import cache

import msgspec
import pytest
from card_taps import DAY, DELIVERED, KEY, LIMITS, MASTER, NOW, Phone, asked
from hypothesis import given
from hypothesis import strategies as st

from tandem.cards.keys import MasterKey
from tandem.cards.model import WHO, CardCommand, CardStatus, DeviceCard, moved
from tandem.cards.taps import (
    AHEAD,
    BEHIND,
    WRONG_MAX,
    Asked,
    Tap,
    Verdict,
    _is_new,
    _used,
    anywhere_ahead,
    check_tap,
    issuer_answer,
    read_tap,
)
from tandem.emv.application_data import CryptogramType
from tandem.emv.card import CardState
from tandem.emv.cryptograms import CVN_18
from tandem.emv.errors import IssuerAnswerForged
from tandem.emv.tags import Tag
from tandem.emv.tlv import primitive, read, write
from tandem.kernel import Invalid, currency

UNVERIFIED, TRANSIT = LIMITS.unverified_amount, LIMITS.transit_amount
A_DAY = timedelta(days=1)


@cache
def tapped(amount: int, *, verified: bool = True, gate: bool = False, floor: int = 0) -> Tap:
    return Phone().tap(amount, verified=verified, gate=gate, floor=floor)[1]


@cache
def wire(amount: int) -> bytes:
    return Phone().tap(amount)[0].online_data


def judged(tap: Tap, ask: Asked, card: DeviceCard = DELIVERED) -> Verdict:
    return check_tap(card, MASTER, KEY, tap, ask, NOW, datetime.date)


def test_a_tap_pays_once() -> None:
    tap = tapped(3800)
    first = judged(tap, asked(3800))
    assert (first.reason, first.proved, first.card.atc) == (None, True, 1)
    again = judged(tap, asked(3800), first.card)
    assert (again.reason, again.proved) == ("cryptogram_replayed", False)
    assert again.card == first.card


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount": 3801}, "amount_differs"),
        ({"amount": 38}, "amount_differs"),
        ({"currency": 978}, "currency_differs"),
        ({"day": DAY + A_DAY}, "date_differs"),
        ({"day": DAY - A_DAY}, "date_differs"),
        ({"offline": True}, "cryptogram_kind"),
    ],
)
def test_the_message_says_what_the_card_stands_behind(
    changes: dict[str, object], reason: str
) -> None:
    verdict = judged(tapped(3800), msgspec.structs.replace(asked(3800), **changes))
    assert verdict.reason == reason
    assert verdict.card.atc == 1  # used up: it cannot be sent again with the right amount
    assert judged(tapped(3800), asked(3800), verdict.card).reason == "cryptogram_replayed"


@pytest.mark.parametrize(
    ("status", "reason", "atc"),
    [
        ("active", None, 1),
        ("suspended", "card_suspended", 1),
        ("lost", "card_lost", 1),
        ("blocked", "card_blocked", 1),
        ("removed", "card_not_active", 0),
        ("replaced", "card_not_active", 0),
        ("refused", "card_not_active", 0),
        ("waiting_code", "card_not_active", 0),
        ("waiting_operator", "card_not_active", 0),
    ],
)
def test_only_an_active_card_pays(status: str, reason: str | None, atc: int) -> None:
    verdict = judged(tapped(3800), asked(3800), msgspec.structs.replace(DELIVERED, status=status))
    assert (verdict.reason, verdict.card.atc, verdict.card.status) == (reason, atc, status)


def test_a_tap_while_suspended_is_no_good_later() -> None:
    suspended = msgspec.structs.replace(DELIVERED, status="suspended")
    after = judged(tapped(3800), asked(3800), suspended).card
    resumed = msgspec.structs.replace(after, status="active")
    assert judged(tapped(3800), asked(3800), resumed).reason == "cryptogram_replayed"


def test_a_card_that_was_never_handed_out_says_nothing() -> None:
    kept = msgspec.structs.replace(DELIVERED, delivered_at=None)
    assert judged(tapped(3800), asked(3800), kept).reason == "card_not_active"


@pytest.mark.parametrize(
    "changes", [{"expiry": DAY - A_DAY}, {"effective": DAY + A_DAY}], ids=["over", "not yet"]
)
def test_a_card_has_its_days(changes: dict[str, object]) -> None:
    card = msgspec.structs.replace(DELIVERED, **changes)
    assert judged(tapped(3800), asked(3800), card).reason == "card_expired"


@pytest.mark.parametrize(
    ("amount", "limit", "reason"),
    [(UNVERIFIED, UNVERIFIED, None), (UNVERIFIED, UNVERIFIED - 1, "not_verified")],
)
def test_who_was_not_verified_pays_little(amount: int, limit: int, reason: str | None) -> None:
    limits = msgspec.structs.replace(LIMITS, unverified_amount=limit)
    tap = tapped(amount, verified=False)
    assert not tap.card.results.verified
    assert judged(tap, asked(amount, limits=limits)).reason == reason


@pytest.mark.parametrize(
    ("transit", "limit", "reason"),
    [(True, TRANSIT, None), (False, TRANSIT, "not_a_gate"), (True, 299, "not_verified")],
)
def test_the_rules_of_gates_hold_at_gates(*, transit: bool, limit: int, reason: str | None) -> None:
    tap = tapped(300, verified=False, gate=True)
    assert tap.card.results.transit
    limits = msgspec.structs.replace(LIMITS, transit_amount=limit)
    assert judged(tap, asked(300, transit=transit, limits=limits)).reason == reason


def test_what_was_approved_offline_is_told_and_not_asked() -> None:
    tap = tapped(300, floor=1000)
    assert tap.kind is CryptogramType.TC
    assert judged(tap, asked(300, offline=True)).reason is None
    assert judged(tap, asked(300)).reason == "cryptogram_kind"


@pytest.mark.parametrize("gate", [False, True])
@pytest.mark.parametrize(
    ("commands", "reason"),
    [
        ("", None),
        ("0 suspend", None),
        ("-1 suspend", "card_suspended"),
        ("-1 suspend, 0 resume", None),
        ("0 remove", None),
        ("-200 remove", "card_not_active"),
        ("0 replace", None),
        ("-1 replace", "card_not_active"),
        ("1 lose", None),
        ("0 lose", "card_lost"),
        ("0 lose, 1 remove", "card_not_active"),
        ("1 lose, 2 remove", None),
        ("-1 suspend, 1 lose", "card_lost"),
        ("0 suspend, 1 lose", None),
        ("0 block", "card_blocked"),
        ("1 block", None),
        ("0 lose, 1 block", "card_blocked"),
        ("-2 block, 0 restore", None),
    ],
)
def test_what_comes_late_is_taken_if_the_card_still_paid_on_its_day(
    commands: str, reason: str | None, *, gate: bool
) -> None:
    """Goods were given; else who buys offline suspends the card until the till has sent it on."""
    card = DELIVERED
    for number, command in (each.split() for each in commands.split(", ") if each):
        asks = CardCommand(command)
        (actor, *_) = WHO[asks]
        card = moved(card, asks, actor, NOW + int(number) * A_DAY)
    tap = tapped(300, verified=False, gate=True) if gate else tapped(300, floor=1000)
    ask = asked(300, offline=True, transit=gate)
    verdict = judged(tap, ask, card)
    assert (verdict.reason, verdict.card.atc, verdict.proved) == (reason, 1, True)
    assert judged(tap, ask, verdict.card).reason == "cryptogram_replayed"


def test_days_are_those_of_the_operators_calendar() -> None:
    def day_of(moment: datetime) -> date:
        return moment.astimezone(timezone(timedelta(hours=13))).date()

    tap, ask = tapped(300, floor=1000), asked(300, offline=True)
    for at, reason in ((NOW - A_DAY, None), (NOW - A_DAY - A_DAY / 12, "card_suspended")):
        card = moved(DELIVERED, CardCommand.SUSPEND, "person", at)
        assert check_tap(card, MASTER, KEY, tap, ask, NOW, day_of).reason == reason


@pytest.mark.parametrize("status", ["refused", "waiting_code", "waiting_operator"])
def test_what_was_never_active_approved_nothing(status: str) -> None:
    card = msgspec.structs.replace(DELIVERED, status=status)
    verdict = judged(tapped(300, floor=1000), asked(300, offline=True), card)
    assert (verdict.reason, verdict.card.atc) == ("card_not_active", 0)


def test_a_gate_sends_on_what_the_card_asked_and_nobody_else_does() -> None:
    """The rider paid elsewhere meanwhile, with a higher number; whoever comes first, each once."""
    phone = Phone()
    first, second = (phone.tap(300, verified=False, gate=True)[1] for _ in range(2))
    assert (first.kind, first.card.results.transit) == (CryptogramType.ARQC, True)
    late = asked(300, transit=True, offline=True)
    after = judged(second, asked(300, transit=True)).card
    assert judged(first, asked(300, transit=True), after).reason == "cryptogram_replayed"
    paid = judged(first, late, after)
    assert (paid.reason, paid.proved) == (None, True)
    for tap in (first, second):
        assert judged(tap, late, paid.card).reason == "cryptogram_replayed"
    assert judged(first, asked(300, offline=True)).reason == "not_a_gate"
    assert judged(tapped(300), late).reason == "cryptogram_kind"


def test_what_comes_late_may_have_any_number_above_the_highest() -> None:
    """A hostile reader that ran the counter ahead takes nothing from the merchant."""
    seen = msgspec.structs.replace(DELIVERED, atc=1, seen=0b1)
    late = Phone(CardState(atc=AHEAD + 1)).tap(300, floor=1000)[1]
    paid = judged(late, asked(300, offline=True), seen)
    assert (paid.reason, paid.card.atc) == (None, AHEAD + 2)
    assert judged(late, asked(300, offline=True), paid.card).reason == "cryptogram_replayed"
    wrong = msgspec.structs.replace(late, cryptogram=bytes(8))
    assert judged(wrong, asked(300, offline=True), seen).reason == "cryptogram_wrong"


def test_what_comes_late_leaves_the_operators_leave_to_the_next_payment() -> None:
    restored = anywhere_ahead(msgspec.structs.replace(DELIVERED, atc=1, seen=0b1))
    late = Phone(CardState(atc=1)).tap(300, floor=1000)[1]
    card = judged(late, asked(300, offline=True), restored).card
    assert judged(Phone(CardState(atc=AHEAD + 5)).tap(3800)[1], asked(3800), card).reason is None


@pytest.mark.parametrize("status", ["removed", "replaced"])
def test_wrong_cryptograms_of_a_card_that_is_over_end_nothing_more(status: str) -> None:
    card = msgspec.structs.replace(DELIVERED, status=status)
    wrong = msgspec.structs.replace(tapped(300, floor=1000), cryptogram=bytes(8))
    for _ in range(WRONG_MAX + 1):
        verdict = judged(wrong, asked(300, offline=True), card)
        assert (verdict.reason, verdict.card.status) == ("cryptogram_wrong", status)
        card = verdict.card


def test_the_terminals_word_for_the_kind_is_not_taken() -> None:
    """9F27 is outside of the cryptogram: an approval must not be made of a question."""
    tap = msgspec.structs.replace(tapped(3800), kind=CryptogramType.TC)
    assert judged(tap, asked(3800, offline=True)).reason == "cryptogram_kind"


@given(st.data())
def test_whatever_is_changed_the_cryptogram_is_wrong(data: st.DataObject) -> None:
    tap = tapped(3800)
    name = data.draw(st.sampled_from([*tap.data.__struct_fields__, "cryptogram"]))
    value = tap.cryptogram if name == "cryptogram" else getattr(tap.data, name)
    at = data.draw(st.integers(0, len(value) - 1))
    flipped = value[:at] + bytes((value[at] ^ data.draw(st.integers(1, 255)),)) + value[at + 1 :]
    if name == "application_data":
        return  # another test: most of it is refused before
    if name == "cryptogram":
        changed = msgspec.structs.replace(tap, cryptogram=flipped)
    else:
        changed = msgspec.structs.replace(
            tap, data=msgspec.structs.replace(tap.data, **{name: flipped})
        )
    verdict = judged(changed, asked(3800))
    assert (verdict.reason, verdict.card.wrong_cryptograms) == ("cryptogram_wrong", 1)
    assert verdict.card.atc == 0  # a guess uses no number up


@given(st.integers(0, 31), st.integers(1, 255))
def test_the_cards_word_to_its_issuer_cannot_be_changed(at: int, by: int) -> None:
    objects = {one.tag: one.value for one in read(wire(3800))}
    told = objects[Tag.ISSUER_APPLICATION_DATA]
    objects[Tag.ISSUER_APPLICATION_DATA] = told[:at] + bytes((told[at] ^ by,)) + told[at + 1 :]
    changed = write(primitive(tag, value) for tag, value in objects.items())
    try:
        tap = read_tap(changed)
    except Invalid:
        return
    assert judged(tap, asked(3800)).reason == "cryptogram_wrong"


def test_another_key_index_or_version_is_not_chosen_by_the_card() -> None:
    for changes in ({"key_index": 2}, {"version": CVN_18.number}):
        card = msgspec.structs.replace(DELIVERED, **changes)
        assert judged(tapped(3800), asked(3800), card).reason == "cryptogram_wrong"
    other = MasterKey(index=2, version=MASTER.version, key=MASTER.key)
    verdict = check_tap(DELIVERED, other, KEY, tapped(3800), asked(3800), NOW, datetime.date)
    assert verdict.reason is not None


def test_wrong_cryptograms_block_the_card_and_a_right_one_forgives() -> None:
    wrong = msgspec.structs.replace(tapped(3800), cryptogram=bytes(8))
    card, statuses = DELIVERED, []
    for _ in range(WRONG_MAX):
        card = judged(wrong, asked(3800), card).card
        statuses.append(card.status)
    assert statuses == [*["active"] * (WRONG_MAX - 1), "blocked"]
    assert judged(wrong, asked(3800), card).card.wrong_cryptograms == WRONG_MAX
    assert judged(tapped(3800), asked(3800), card).reason == "card_blocked"
    nearly = msgspec.structs.replace(DELIVERED, wrong_cryptograms=WRONG_MAX - 1)
    assert judged(tapped(3800), asked(3800), nearly).card.wrong_cryptograms == 0


@pytest.mark.parametrize(
    ("highest", "atc", "online", "offline"),
    [
        (0, 1, True, True),
        (0, AHEAD, True, True),
        (0, AHEAD + 1, False, True),
        (5, 5, False, False),
        (100, 99, False, True),
        (100, 100 - BEHIND, False, True),
        (100, 99 - BEHIND, False, False),
        (100, 0, False, False),
        (65_535, 65_534, False, True),
    ],
)
def test_the_window_of_numbers(highest: int, atc: int, *, online: bool, offline: bool) -> None:
    card = msgspec.structs.replace(DELIVERED, atc=highest)
    assert _is_new(card, atc, offline=False) is online
    assert _is_new(card, atc, offline=True) is offline


def test_a_number_far_ahead_is_no_replay_and_counts_once_the_operator_restored_the_card() -> None:
    """A hostile reader beside the phone uses up more than a thousand numbers that nobody sees."""
    seen = msgspec.structs.replace(DELIVERED, atc=1, seen=0b1)
    far = Phone(CardState(atc=AHEAD + 1)).tap(3800)[1]
    ahead = judged(far, asked(3800), seen)
    assert (ahead.reason, ahead.proved, ahead.card) == ("counter_ahead", False, seen)
    restored = anywhere_ahead(seen)
    late = Phone(CardState(atc=0)).tap(300, floor=1000)[1]
    assert judged(late, asked(300, offline=True), restored).reason == "cryptogram_replayed"
    paid = judged(far, asked(3800), restored)
    assert (paid.reason, paid.card.atc) == (None, AHEAD + 2)
    assert judged(far, asked(3800), paid.card).reason == "cryptogram_replayed"
    assert not _is_new(paid.card, paid.card.atc + AHEAD + 1, offline=False), "it was for one tap"


NUMBERS = st.integers(1, 150) | st.integers(1, 0xFFFF)


@given(st.lists(st.tuples(NUMBERS, st.booleans()), max_size=80))
def test_a_restored_card_counts_no_number_twice(numbers: list[tuple[int, bool]]) -> None:
    card, counted = DELIVERED, set[int]()
    for atc, offline in numbers:
        card = anywhere_ahead(card)
        assert 0 <= card.seen < 2**63
        highest = max(counted, default=0)
        behind = offline and highest - BEHIND <= atc < highest
        expected = atc not in counted and (atc > highest or behind)
        assert _is_new(card, atc, offline=offline) is expected
        if expected:
            counted.add(atc)
            card = _used(card, atc, NOW, offline=offline)


@given(st.lists(st.tuples(NUMBERS, st.booleans()), max_size=80))
def test_no_number_counts_twice_in_whatever_order(numbers: list[tuple[int, bool]]) -> None:
    card, counted = DELIVERED, set[int]()
    for atc, offline in numbers:
        highest = max(counted, default=0)
        behind = offline and highest - BEHIND <= atc < highest
        ahead = atc > highest and (offline or atc <= highest + AHEAD)
        expected = atc not in counted and (ahead or behind)
        assert _is_new(card, atc, offline=offline) is expected
        if expected:
            counted.add(atc)
            card = _used(card, atc, NOW, offline=offline)
            assert card.atc == max(counted)
            assert 0 <= card.seen < 2**63


def test_the_card_believes_its_issuers_answer() -> None:
    for approved, left in ((True, (0, False)), (False, (700, True))):
        phone = Phone(CardState(offline_total=700, offline_count=1))
        tap = phone.tap(3800)[1]
        (answer,) = read(issuer_answer(MASTER, KEY, tap, approved=approved))
        (application,) = phone.device.applications
        with pytest.raises(IssuerAnswerForged):
            application.issuer_answered(tap.atc, bytes(4) + answer.value[4:])
        state = application.issuer_answered(tap.atc, answer.value)
        assert (state.offline_total, state.go_online) == left
        assert state.last_online_atc == tap.atc


@pytest.mark.parametrize(
    "icc",
    [
        b"",
        b"\x9f",
        bytes(300),
        wire(3800)[:-1],
        wire(3800) + wire(3800)[:11],
        write([one for one in read(wire(3800)) if one.tag != Tag.CRYPTOGRAM]),
        write([one for one in read(wire(3800)) if one.tag != Tag.ATC]),
        write(primitive(one.tag, b"" if one.tag == Tag.AIP else one.value)
              for one in read(wire(3800))),
        write(primitive(one.tag, b"\x99" if one.tag == Tag.CRYPTOGRAM else one.value)
              for one in read(wire(3800))),
        write(primitive(one.tag, b"\xC0" if one.tag == Tag.CRYPTOGRAM_INFORMATION else one.value)
              for one in read(wire(3800))),
    ],
)  # fmt: skip
def test_what_is_no_data_of_our_cards(icc: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        read_tap(icc)
    assert refused.value.field == "icc"


@given(st.binary(max_size=300))
def test_no_bytes_make_anything_but_a_refusal(icc: bytes) -> None:
    with suppress(Invalid):
        read_tap(icc)


@given(st.data())
def test_no_change_of_a_byte_makes_anything_but_a_refusal(data: st.DataObject) -> None:
    icc = wire(3800)
    at = data.draw(st.integers(0, len(icc) - 1))
    try:
        tap = read_tap(icc[:at] + data.draw(st.binary(max_size=3)) + icc[at + 1 :])
    except Invalid:
        return
    verdict = judged(tap, asked(3800))
    assert verdict.reason in (None, "cryptogram_wrong", "cryptogram_kind", "declined_by_card")


def test_every_state_is_judged() -> None:
    for status in CardStatus:
        card = msgspec.structs.replace(DELIVERED, status=status.value)
        assert (judged(tapped(3800), asked(3800), card).reason is None) is (status == "active")


def test_the_currency_is_the_number() -> None:
    assert currency("CNY").number == asked(1).currency
