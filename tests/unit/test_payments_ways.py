"""The way that a shop's policy is asked about is the way that the person's phone went."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace as altered

from moves import CNY, NOON
from tandem.codes import merchant_presented
from tandem.kernel import Invalid
from tandem.merchants import Acceptance, Way, WayRefused, WayRule
from tandem.payments import Command, Payment, Shop
from tandem.payments.codes import link_token
from tandem.payments.entries import ByPerson, CreateOrder, PayStatic
from tandem.payments.model import PAYMENTS, Source
from tandem.wallet.entries import MakeTopUp
from tills import RULES, Books, asked, lin, place

HERE = "https://pay.example"
LINK = f"{HERE}/c/{'a' * 20}"
NO_SCAN = Acceptance({"scan": WayRule(enabled=False)})
NO_CLICK = Acceptance({"click": WayRule(enabled=False)})
SMALL_SCANS = Acceptance({"scan": WayRule(max_amount={"CNY": 100})})


def shop_that(takes: Acceptance) -> Shop:
    return Shop(altered(place, acceptance=takes), ())


class Order:
    """An order of 300 that was made for a way, at a shop that then takes what it is told to."""

    def __init__(self, way: Way, takes: Acceptance) -> None:
        self.books = Books()
        common: dict[str, Any] = {"id": self.books.ids.entry(), "idempotency": None}
        top_up = {"receiver": lin, "amount": 1000, "currency": "CNY", "reference": "B1"}
        self.books.decide(MakeTopUp(**common, **top_up), NOON)  # type: ignore[arg-type]  # as they are
        new = altered(asked(300), way=way)
        made = CreateOrder(
            **common | {"id": self.books.ids.entry()},
            shop=shop_that(Acceptance()),
            rules=RULES,
            new=new,
            code_token="t" * 20,
            expires_seconds=600,
        )
        self.books.decide(made, NOON)
        self.takes = takes

    @property
    def payment(self) -> Payment:
        (found,) = self.books.tables[PAYMENTS].values()
        return found  # type: ignore[no-any-return]  # it is one

    def do(self, command: Command, way: Way | None) -> Payment:
        """Lin does this, having come that way; None: by the payment's id."""
        entry = ByPerson(
            id=self.books.ids.entry(),
            idempotency=None,
            shop=shop_that(self.takes),
            rules=RULES,
            payment=self.payment,
            payer=lin,
            command=command,
            way=way,
        )
        self.books.decide(entry, NOON)
        return self.payment


SCAN, APPROVE = Command.SCAN, Command.APPROVE


@pytest.mark.parametrize("made_for", ["scan", "click"])
@pytest.mark.parametrize("came", ["scan", "click"])
@pytest.mark.parametrize("command", [SCAN, APPROVE])
@pytest.mark.parametrize(
    ("takes", "refused"),
    [
        (Acceptance(), {}),
        (NO_SCAN, {"scan": "way_off"}),
        (NO_CLICK, {"click": "way_off"}),
        (SMALL_SCANS, {"scan": "amount_above_limit"}),
    ],
)
def test_the_way_that_somebody_came_is_checked_and_kept_whatever_the_order_was_made_for(
    made_for: Way, came: Way, command: Command, takes: Acceptance, refused: dict[str, str]
) -> None:
    order = Order(made_for, takes)
    if came in refused:
        before = order.payment
        with pytest.raises(WayRefused) as no:
            order.do(command, came)
        assert (no.value.way, no.value.reason) == (came, refused[came])
        assert came not in no.value.ways_left
        assert order.payment == before
        return
    assert order.do(command, came).way == came
    if command is SCAN:
        done = order.do(APPROVE, None)
        assert (done.status, done.way) == ("captured", came)


def test_the_way_is_asked_about_again_when_the_person_agrees() -> None:
    order = Order("click", Acceptance())
    order.do(SCAN, "scan")
    order.takes = NO_SCAN
    with pytest.raises(WayRefused):
        order.do(APPROVE, None)
    # the link of the same order still works
    assert order.do(SCAN, "click").way == "click"
    assert order.do(APPROVE, None).status == "captured"


def test_who_comes_by_no_code_pays_in_the_way_that_the_order_was_made_for() -> None:
    assert Order("click", NO_SCAN).do(APPROVE, None).way == "click"
    with pytest.raises(WayRefused):
        Order("scan", NO_SCAN).do(APPROVE, None)


@pytest.mark.parametrize(("takes", "fits"), [(NO_SCAN, "click"), (NO_CLICK, "scan")])
def test_a_static_code_too_is_paid_in_the_way_that_somebody_came(
    takes: Acceptance, fits: Way
) -> None:
    books = Order("scan", takes).books
    for way in ("scan", "click"):
        pay = PayStatic(
            id=books.ids.entry(),
            idempotency=None,
            shop=shop_that(takes),
            rules=RULES,
            new=altered(asked(5, source=Source.STATIC_CODE), way=way),
            payer=lin,
        )
        if way == fits:
            assert msgspec.json.decode(books.decide(pay, NOON).body)["way"] == fits
        else:
            with pytest.raises(WayRefused):
                books.decide(pay, NOON)


def test_a_payload_is_scanned_and_only_a_link_can_be_clicked() -> None:
    payload = merchant_presented(
        url=LINK, name="Blue Door", city="Hangzhou", country="CN", mcc="5814", currency=CNY
    ).write()
    assert link_token(LINK, HERE, "click") == link_token(LINK, HERE, "scan") == "a" * 20
    assert link_token(payload, HERE, "scan") == "a" * 20
    with pytest.raises(Invalid) as refused:
        link_token(payload, HERE, "click")
    assert refused.value.field == "way"
