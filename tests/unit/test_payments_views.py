"""What each side sees of a payment, and is told about it: never more than is theirs."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from moves import CNY, NOON
from tandem.acquiring.books import DECLINES
from tandem.codes import CodeDamaged, NotEmvco, data_object, merchant_presented
from tandem.codes.emvco import crc16
from tandem.codes.paycode import Mark
from tandem.events import EVENTS
from tandem.kernel import show_id
from tandem.payments import Command, Landing, merchant_view, person_view
from tandem.payments.by_issuer import REASONS, REVERSED, SILENT
from tandem.payments.codes import is_token, link, link_token, new_token
from tandem.payments.entries import ByMerchant, ByPerson, GiveBack, PayStatic, PayWithCode
from tandem.payments.errors import CodeOfAnotherOperator
from tandem.payments.model import PAYMENTS, Payment, Source
from tandem.payments.shapes import OF_TAPS, masked
from tandem.screening import CLEAR
from tandem.wallet.entries import MakeSend, MakeTopUp
from tandem.wallet.model import SENDS
from tills import DEVICE_IDS, DOOR_ID, LIN_ID, MEI_ID, RULES, SPENDING, Books, asked, lin, mei, shop


class Story:
    """What happened to Lin, entry by entry."""

    def __init__(self) -> None:
        self.books = Books()

    def do(self, kind: Callable[..., Any], **fields: Any) -> Payment | None:  # noqa: ANN401 - fields of an entry
        """Decide an entry; the payment that its answer is about, if it is one."""
        entry = kind(id=self.books.ids.entry(), idempotency=None, **fields)
        shown = msgspec.json.decode(self.books.decide(entry, NOON).body)["id"]
        rows: list[Payment] = list(self.books.tables[PAYMENTS].values())
        return next((p for p in rows if show_id("pay", p.id) == shown), None)

    def by_code(self, step: int, amount: int) -> Payment | None:
        """Lin shows a pay code."""
        return self.do(
            PayWithCode,
            shop=shop,
            rules=RULES,
            new=asked(amount, source=Source.PAY_CODE),
            payer=lin,
            device_id=DEVICE_IDS[0],
            mark=Mark(step, 0),
        )


@pytest.fixture
def books() -> Books:
    """Lin paid by pay code and at the static code, declined, got a refund, sent money."""
    story = Story()
    story.do(MakeTopUp, receiver=lin, amount=4000, currency="CNY", reference="B1")
    captured = story.by_code(1, 300)
    waiting = story.by_code(2, 450)
    story.by_code(3, 700)  # above Lin's limit: declined
    decline = Command.DECLINE
    story.do(ByPerson, shop=shop, rules=RULES, payment=waiting, payer=lin, command=decline)
    story.do(GiveBack, shop=shop, payment=captured, amount=100, reason="cold")
    new = asked(200, manual=True, source=Source.STATIC_CODE)
    held = story.do(PayStatic, shop=shop, rules=RULES, new=new, payer=lin)
    story.do(ByMerchant, shop=shop, payment=held, command=Command.CANCEL)
    story.do(
        MakeSend,
        spending=SPENDING,
        sender=lin,
        receiver=mei,
        amount=50,
        currency="CNY",
        message="tea",
        screened=CLEAR,
    )
    return story.books


def test_a_merchant_is_told_nothing_that_names_the_person(books: Books) -> None:
    told = [event for event in books.tables[EVENTS].values() if event.owner_id == DOOR_ID]
    assert len(told) == 7
    for event in told:
        for secret in (LIN_ID.hex, str(LIN_ID), "Lin Wei", '"lin"', "handle", "device"):
            assert secret not in event.data, (event.type, secret)
        assert msgspec.json.decode(event.data)["payer"] == "L***"


def test_a_person_is_told_nothing_of_fees_and_of_the_merchants_own_references(
    books: Books,
) -> None:
    told = [event for event in books.tables[EVENTS].values() if event.owner_id == LIN_ID]
    assert {event.type.split(".")[0] for event in told} == {"payment", "send", "top_up"}
    for event in told:
        shown = msgspec.json.decode(event.data)
        assert not {"fee", "order_reference", "code_token", "shop_id", "till_id"} & shown.keys()


def test_both_sides_are_told_of_each_step(books: Books) -> None:
    steps = ["captured", "waiting", "declined", "declined", "refunded", "authorised", "cancelled"]
    events = list(books.tables[EVENTS].values())
    for owner_id in (DOOR_ID, LIN_ID):
        mine = [e.type for e in events if e.owner_id == owner_id and e.type.startswith("payment.")]
        assert mine == [f"payment.{step}" for step in steps]
    assert [e.type for e in events if e.owner_id == MEI_ID] == ["send.received"]


def test_decline_reasons_are_stable_codes(books: Books) -> None:
    reasons = [p.decline_reason for p in books.tables[PAYMENTS].values() if p.decline_reason]
    assert reasons == ["declined_by_person", LIMIT]


def test_a_shop_learns_that_a_wallet_cannot_pay_and_only_the_person_why(books: Books) -> None:
    (payment,) = (p for p in books.tables[PAYMENTS].values() if p.decline_reason == LIMIT)
    for reason in (LIMIT, "limit_per_day", "insufficient_funds", "payer_not_active", "new_one"):
        declined = msgspec.structs.replace(payment, decline_reason=reason)
        assert merchant_view(declined).decline_reason == "payer_cannot_pay"
        assert person_view(declined).decline_reason == reason
    for known in ("declined_by_person", None):
        declined = msgspec.structs.replace(payment, decline_reason=known)
        assert merchant_view(declined).decline_reason == known
    told = [e for e in books.tables[EVENTS].values() if e.object_id == payment.id]
    reasons = {e.owner_id: msgspec.json.decode(e.data)["decline_reason"] for e in told}
    assert reasons == {DOOR_ID: "payer_cannot_pay", LIN_ID: LIMIT}


def test_views_show_the_same_payment(books: Books) -> None:
    for payment in books.tables[PAYMENTS].values():
        theirs, mine = merchant_view(payment), person_view(payment)
        for name in ("id", "status", "amount", "currency", "captured", "refunded", "way"):
            assert getattr(theirs, name) == getattr(mine, name)
    (send,) = books.tables[SENDS].values()
    assert send.sender_name == "Lin Wei"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (None, None),
        ("L", "L"),
        ("Li", "L*"),
        ("Lin Wei", "L***"),
        ("林", "林"),
        ("林薇", "林*"),
        ("x" * 100, "x***"),
    ],
)
def test_masked_names(name: str | None, shown: str | None) -> None:
    assert masked(name) == shown


def test_a_token_leads_back_to_itself_and_to_no_other_operator() -> None:
    token = new_token(lambda count: bytes(range(count)))
    assert is_token(token)
    assert len(token) == 20
    url = link("https://pay.example", token)
    assert link_token(url, "https://pay.example") == token
    for other in ("https://pay.example.evil", "https://pay", "https://PAY.example"):
        with pytest.raises(CodeOfAnotherOperator):
            link_token(url, other)


LIMIT = "limit_per_payment"
HERE = "https://pay.example"
TOKEN = "a" * 20
SECOND = data_object("51", data_object("00", "org.tandem.pay"))


def shop_code(url: str = f"{HERE}/c/{TOKEN}") -> str:
    return merchant_presented(
        url=url, name="Blue Door", city="Hangzhou", country="CN", mcc="5814", currency=CNY
    ).write()


def resealed(text: str) -> str:
    """The payload with the right CRC at its end."""
    return text[:-4] + crc16(text[:-4])


def test_a_sound_code_of_ours_leads_to_its_token() -> None:
    assert link_token(shop_code(), HERE) == TOKEN
    assert link_token(f" {shop_code()}\n", HERE) == TOKEN


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (shop_code()[:-1] + "x", "the CRC is"),
        (shop_code()[:60], "it does not end with a CRC"),
        (shop_code()[:-8], "it does not end with a CRC"),
        (shop_code().replace("Blue", "Bluf"), "the CRC is"),
        ("000201", "it does not end with a CRC"),
        # cut links, and links within our own address that lead to no code
        (f"{HERE}/c/", "its link"),
        (f"{HERE}/c/" + "a" * 15, "its link"),
        (f"{HERE}/c/" + "a" * 33, "its link"),
        (f"{HERE}/c/{TOKEN}/x", "its link"),
        (f"{HERE}/c/{TOKEN}?x=1", "its link"),
        (f"{HERE}/d/{TOKEN}", "its link"),
        (HERE, "its link"),
        (shop_code(f"{HERE}/c/short"), "its link"),
        # two readers might choose differently
        (resealed(shop_code().replace("5802CN", SECOND + "5802CN")), "more than one"),
        (resealed(shop_code().replace("https://pay", "ftps://xpay")), "Tandem's template"),
    ],
)
def test_a_torn_code_is_damaged_and_nobody_elses(text: str, says: str) -> None:
    with pytest.raises(CodeDamaged) as refused:
        link_token(text, HERE)
    assert says in refused.value.sentence()


@pytest.mark.parametrize(
    ("text", "host"),
    [
        (f"https://pay.example.evil/c/{TOKEN}", "pay.example.evil"),
        (f"https://pay.example:8443/c/{TOKEN}", "pay.example"),
        (f"http://localhost/c/{TOKEN}", "localhost"),
        (shop_code(f"https://pay.other/c/{TOKEN}"), "pay.other"),
        ("https://shop.example", "shop.example"),
        # PromptPay, sound
        ("00020101021129370016A000000677010111011300660000000005802TH530376463048956", None),
        # another wallet's pay code
        ("258888888888888888", None),
    ],
)
def test_a_sound_code_of_others_is_another_operators(text: str, host: str | None) -> None:
    with pytest.raises(CodeOfAnotherOperator) as refused:
        link_token(text, HERE)
    assert refused.value.host == host


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "nothing of ours",
        "WIFI:T:WPA;S:cafe;P:12345678;;",
        "281234567800000000",
        f"https://user@pay.example/c/{TOKEN}",
        f"https://pay.example/c/{TOKEN[:-1]}é",
        "0" * 9000,
    ],
)
def test_a_text_that_is_no_shops_code_is_said_to_be_none(text: str) -> None:
    with pytest.raises(NotEmvco) as refused:
        link_token(text, HERE)
    assert text[:18] not in refused.value.sentence()


@pytest.mark.parametrize("token", ["", "a\0" * 10, "a" * 20 + "\n", "../" * 7, "é" * 20])
def test_what_is_no_token(token: str) -> None:
    assert not is_token(token)


def test_a_landing_page_names_no_person() -> None:
    assert not {"payer", "payer_name", "person_id"} & set(Landing.__struct_fields__)


def test_why_a_tap_cannot_pay_is_one_of_the_reasons_that_are_documented() -> None:
    assert {*DECLINES, *REASONS.values(), "issuer_declined", SILENT, REVERSED} <= set(OF_TAPS)
