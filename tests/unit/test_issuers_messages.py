"""What issuers are asked, element by element, and what the simulated one makes of it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.acquiring import Codec, De, Mac, Message, Wire
from tandem.cards import (
    Acceptor,
    AskKind,
    CardDetails,
    Eligibility,
    IssuerAsked,
    IssuerOriginal,
)
from tandem.issuers import Deed, IssuerLink, Rule
from tandem.issuers.accounts import Accounts, kind_of
from tandem.issuers.links import IssuerTls
from tandem.issuers.messages import (
    check_message,
    code_message,
    eligibility,
    payment_message,
    read_tagged,
    reference_number,
    tagged,
    trace_number,
)

NOW = datetime(2026, 11, 27, 18, 30, 5, tzinfo=UTC)
CARD = CardDetails("4761739001010119", "2912", "123")
SHOP = Acceptor(UUID(int=0xA1), UUID(int=0xB2), "5814", "Blue Door 蓝门", "Hangzhou", "CN")
CODEC = Codec(Wire(numeric="bcd", prefixes="bcd"))


def asked(kind: AskKind, number: int = 7, amount: int = 3800, **more: object) -> IssuerAsked:
    fields: dict[str, object] = {
        "kind": kind, "number": number, "card": CARD, "amount": amount, "currency": "CNY",
        "acceptor": SHOP, "sent_at": NOW, **more,
    }  # fmt: skip
    return IssuerAsked(**fields)  # type: ignore[arg-type]  # each test gives what fits


def original(kind: AskKind, number: int = 7, amount: int = 3800) -> IssuerOriginal:
    return IssuerOriginal(kind, number, NOW, amount, "000007")


def test_a_purchase_says_what_an_issuer_needs() -> None:
    message = payment_message(asked(AskKind.PURCHASE), "123")
    assert message.mti == "0200"
    assert dict(message.fields) == {
        2: "4761739001010119", 3: "000000", 4: "000000003800", 7: "1127183005", 11: "000007",
        12: "183005", 13: "1127", 14: "2912", 18: "5814", 22: "071", 25: "00", 32: "123",
        37: "000000000007", 41: "000000B2", 42: "0000000000000A1",
        43: "Blue Door ??           Hangzhou       CN", 49: "156",
    }  # fmt: skip
    assert CODEC.read(CODEC.write(message)) == message


@pytest.mark.parametrize(
    ("kind", "about", "mti", "repeated", "code"),
    [
        (AskKind.COMPLETION, AskKind.AUTHORISATION, "0220", "0221", "000000"),
        (AskKind.REFUND, AskKind.PURCHASE, "0220", "0221", "200000"),
        (AskKind.REVERSAL, AskKind.AUTHORISATION, "0420", "0421", "000000"),
    ],
)
def test_what_has_happened_names_its_original(
    kind: AskKind, about: AskKind, mti: str, repeated: str, code: str
) -> None:
    told = asked(kind, 9, 1200, original=original(about), sent_at=NOW + timedelta(hours=1))
    message = payment_message(told, "123")
    again = payment_message(msgspec.structs.replace(told, attempts=3), "123")
    assert (message.mti, again.mti, message.fields) == (mti, repeated, again.fields)
    named = "0100" if about is AskKind.AUTHORISATION else "0200"
    assert message.text(De.ORIGINAL) == f"{named}0000071127183005{'123':0>11}{'':0>11}"
    assert message.text(De.STAN) == "000009"
    assert message.text(De.PROCESSING_CODE) == code
    if kind is AskKind.REVERSAL:  # of the original's amount so much is left
        assert message.text(De.AMOUNT) == "000000003800"
        assert (message.text(De.REPLACEMENT_AMOUNTS) or "")[:12] == "000000001200"
    else:
        assert message.text(De.AMOUNT) == "000000001200"
    assert CODEC.read(CODEC.write(message)) == message


def test_a_check_and_a_code_say_what_they_are_for() -> None:
    check = check_message(3, CARD, NOW, "1")
    assert (check.mti, kind_of(check)) == ("0100", "check")
    assert read_tagged(check.text(De.PRIVATE) or "") == {"PU": "TOKEN", "CV": "123"}
    code = code_message(4, CARD, "402917", NOW, "1")
    assert (code.mti, kind_of(code)) == ("0620", "code")
    assert read_tagged(code.text(De.PRIVATE) or "") == {"PU": "CODE", "CD": "402917"}
    for message in (check, code):
        assert CODEC.read(CODEC.write(message)) == message


def test_only_three_answers_let_a_card_be_added() -> None:
    found = {f"{n:02d}": eligibility(f"{n:02d}") for n in range(100)}
    assert {code: what for code, what in found.items() if what is not Eligibility.REFUSED} == {
        "00": Eligibility.APPROVED, "01": Eligibility.CALL, "85": Eligibility.PROVE,
    }  # fmt: skip
    assert eligibility("") is Eligibility.REFUSED


@given(st.integers(1, 10**13))
def test_numbers_fit_their_elements(number: int) -> None:
    assert len(trace_number(number)) == 6
    assert trace_number(number) != "000000"
    assert len(reference_number(number)) == 12
    assert trace_number(number) != trace_number(number + 1)


@given(st.text())
def test_any_text_is_taken_apart(text: str) -> None:
    read_tagged(text)


@given(
    st.dictionaries(st.from_regex(r"\A[A-Z]{2}\Z"), st.from_regex(r"\A[ -~]{0,99}\Z"), max_size=5)
)
def test_what_was_tagged_is_read(values: dict[str, str]) -> None:
    assert read_tagged(tagged(list(values.items()))) == values


def test_nothing_of_a_card_shows() -> None:
    shown = repr(asked(AskKind.PURCHASE)) + repr(CARD) + repr(payment_message(
        asked(AskKind.PURCHASE), "1"
    ))  # fmt: skip
    assert CARD.pan not in shown
    assert "123" not in repr(CARD)


def test_a_message_that_comes_again_does_nothing() -> None:
    accounts = Accounts(10_000)
    message = payment_message(asked(AskKind.PURCHASE), "1")
    repeat = Message("0201", message.fields)
    assert [accounts.book(one) for one in (message, repeat, message)] == ["00"] * 3
    assert accounts.owed() == {"156": 3800}


def test_a_reversal_that_comes_first_forestalls() -> None:
    accounts = Accounts(10_000)
    back = payment_message(asked(AskKind.REVERSAL, 8, 0, original=original(AskKind.PURCHASE)), "1")
    assert accounts.book(back) == "25"
    assert accounts.book(payment_message(asked(AskKind.PURCHASE), "1")) == "25"
    assert accounts.owed() == {}


def test_an_account_has_a_limit() -> None:
    accounts = Accounts(5000)
    assert accounts.book(payment_message(asked(AskKind.AUTHORISATION, 1), "1")) == "00"
    assert accounts.book(payment_message(asked(AskKind.AUTHORISATION, 2), "1")) == "51"
    assert (accounts.held(), accounts.owed()) == (3800, {"156": 0})


def test_a_rule_fits_by_message_card_and_amount() -> None:
    rule = Rule(do=Deed.SILENT, card_ends="0119", amount_ends="00")
    assert rule.fits("payment", CARD.pan, 3800)
    assert not rule.fits("advice", CARD.pan, 3800)
    assert not rule.fits("payment", CARD.pan, 3801)
    assert not rule.fits("payment", "4761739001010127", 3800)


@pytest.mark.parametrize(
    ("host", "guarded", "tls", "left_open"),
    [
        ("127.0.0.1", False, False, ()),
        ("::1", False, False, ()),
        ("localhost", False, False, ()),
        ("localhost.example", False, False, ("numbers", "answers")),
        ("10.9.0.1", False, False, ("numbers", "answers")),
        ("10.9.0.1", True, False, ("numbers",)),
        ("10.9.0.1", False, True, ()),
    ],
)
def test_a_link_says_what_nothing_protects(
    host: str,
    guarded: bool,  # noqa: FBT001 - pytest passes it by name
    tls: bool,  # noqa: FBT001 - as above
    left_open: tuple[str, ...],
) -> None:
    link = IssuerLink(
        name="harbour-bank",
        ranges=("476173",),
        host=host,
        mac=Mac(key="harbour", algorithm="aes-cmac", keys="fixed") if guarded else None,
        tls=IssuerTls(authority="ca.pem") if tls else None,
    )
    assert link.unguarded == left_open
