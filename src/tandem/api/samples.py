"""Examples of the main objects, made by hand: one story, so that they fit each other.

Lin has had 100.00 yuan, and pays 38.00 for two coffees at Blue Door, whose till reads the code on
her phone. The fee is 0.60 % and 0.10. Types that have no sample get an example from their fields
(`tandem.api.examples`).
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from tandem.access import KeyView, NewKey
from tandem.api.routes.bookings import CreateCorrection
from tandem.api.routes.books import MerchantStatement
from tandem.api.routes.codes import CodeField, CodeReading, CodeView
from tandem.api.routes.ledger import (
    StatementLine,
    StatementPage,
    TrialBalance,
    TrialLineView,
)
from tandem.api.routes.paying import Scanned
from tandem.api.routes.payments import CapturePayment, CreatePayment, CreateRefund
from tandem.api.routes.records import BookedPayment, PaymentRecord, TapRecord
from tandem.api.routes.splits import MakeSplit
from tandem.api.routes.wallet import History
from tandem.api.views import AccountView, TransferView
from tandem.codes import merchant_presented
from tandem.events import DeliveryView, EndpointTest, EndpointView, EventView
from tandem.kernel import currency
from tandem.merchants import (
    Acceptance,
    CurrencyTerms,
    MerchantView,
    ShopView,
    TillView,
    WayRule,
)
from tandem.packets import PacketLinkView, PacketShareView, PacketView
from tandem.payments import PaymentView, PersonPaymentView, RefundView
from tandem.people import DeviceView, NewDevice, NewPerson, PersonView
from tandem.settlement import (
    CorrectionView,
    MerchantBalance,
    MerchantLine,
    PayoutView,
    WithdrawalView,
)
from tandem.wallet import (
    BalanceView,
    HistoryLine,
    RequestView,
    SendView,
    SplitPart,
    SplitView,
    TopUpView,
    WalletView,
)


def _id(prefix: str, number: int) -> str:
    return f"{prefix}_0199f0a4c0de70008000{number:012x}"


def _at(minutes: int) -> datetime:
    return datetime(2026, 5, 4, 9, 30, tzinfo=UTC) + timedelta(minutes=minutes)


LIN: Final = _id("ppl", 1)
PHONE: Final = _id("dev", 2)
SHOP: Final = _id("shp", 3)
TILL: Final = _id("til", 4)
MERCHANT: Final = _id("mer", 6)
PAID: Final = _id("pay", 0x2A)
REFUNDED: Final = _id("ref", 0x2B)
SENT: Final = _id("snd", 0x2C)
ASKED: Final = _id("req", 0x2D)
TOPPED_UP: Final = _id("top", 0x2E)
PACKET: Final = _id("pkt", 0x40)
SPLIT: Final = _id("spl", 0x42)
ENTRY: Final = _id("ent", 0x100)
LINS_ACCOUNT, DOORS_ACCOUNT, FEES_ACCOUNT = (_id("acc", n) for n in (0x12702, 0x62703, 0x2704))
OF_SHOP: Final = "Zm9vYmFyYmF6cXV4MTIz"
URL: Final = f"https://pay.example/c/{OF_SHOP}"
CODE: Final = merchant_presented(
    url=URL,
    name="Blue Door",
    city="Hangzhou",
    country="CN",
    mcc="5814",
    currency=currency("CNY"),
    amount_minor=3800,
    reference="order-1027",
)

PAYMENT: Final = PaymentView(
    id=PAID,
    status="captured",
    amount=3800,
    currency="CNY",
    authorised=3800,
    captured=3800,
    refunded=0,
    fee=33,
    way="scan",
    source="pay_code",
    capture="automatic",
    shop_id=SHOP,
    till_id=TILL,
    payer="L***",
    order_reference="order-1027",
    description="Two coffees",
    decline_reason=None,
    code_token=None,
    expires_at=None,
    created_at=_at(0),
    updated_at=_at(0),
)
MINE: Final = PersonPaymentView(
    id=PAID,
    status="captured",
    amount=3800,
    currency="CNY",
    captured=3800,
    refunded=0,
    merchant="Blue Door",
    shop="Blue Door, East Gate",
    way="scan",
    description="Two coffees",
    decline_reason=None,
    expires_at=None,
    created_at=_at(0),
    updated_at=_at(0),
)
PERSON: Final = PersonView(LIN, "@lin", "Lin Wei", "active", _at(-60))
DEVICE: Final = NewDevice(
    id=PHONE,
    name="Lin's phone",
    key="tk_dev_…",
    code_index="34567890",
    code_seed="AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    created_at=_at(-60),
)
TRANSFER: Final = TransferView(
    id=_id("trf", 0x101),
    entry_id=ENTRY,
    object_id=PAID,
    debit_account_id=LINS_ACCOUNT,
    credit_account_id=DOORS_ACCOUNT,
    amount=3800,
    currency="CNY",
    code="payment",
    kind="posted",
    pending_id=None,
    created_at=_at(0),
    debit_kind="person",
    credit_kind="merchant",
    debit_name="Lin Wei",
    credit_name="Blue Door",
)
FEE: Final = msgspec.structs.replace(
    TRANSFER,
    id=_id("trf", 0x102),
    debit_account_id=DOORS_ACCOUNT,
    credit_account_id=FEES_ACCOUNT,
    amount=33,
    code="fee",
    debit_kind="merchant",
    credit_kind="fees",
    debit_name="Blue Door",
    credit_name=None,
)
RECORD: Final = PaymentRecord(
    id=PAID,
    merchant_id=MERCHANT,
    merchant="Blue Door",
    shop="Blue Door, East Gate",
    person_id=LIN,
    person="Lin Wei",
    payment=PAYMENT,
)
LINES: Final = [
    HistoryLine(
        number=2,
        type="payment",
        change=-3800,
        reserved=0,
        balance=6200,
        currency="CNY",
        with_name="Blue Door, East Gate",
        message="Two coffees",
        message_state="clear",
        object_id=PAID,
        created_at=_at(0),
    ),
    HistoryLine(
        number=1,
        type="top_up",
        change=10_000,
        reserved=0,
        balance=10_000,
        currency="CNY",
        with_name=None,
        message="BANK-2026-77",
        message_state="clear",
        object_id=TOPPED_UP,
        created_at=_at(-30),
    ),
]
EARNED: Final = MerchantLine(
    number=1,
    type="payment",
    change=3800,
    reserved=0,
    balance=3800,
    currency="CNY",
    object_id=PAID,
    order_reference="order-1027",
    message=None,
    entry_id=ENTRY,
    created_at=_at(0),
)
CHARGED: Final = msgspec.structs.replace(EARNED, number=2, type="fee", change=-33, balance=3767)
TERMS: Final = CurrencyTerms(fee_basis_points=60, fee_fixed=10, overdraft=0)
POLICY: Final = Acceptance(ways={"click": WayRule(enabled=False)})
BALANCES: Final = (  # kind, how many, debits, credits
    ("bank", 1, 10_000, 0),
    ("person", 2, 3800, 10_000),
    ("merchant", 1, 33, 3800),
    ("fees", 1, 0, 33),
)

_OBJECTS: Final[tuple[msgspec.Struct, ...]] = (
    PAYMENT,
    MINE,
    PERSON,
    DEVICE,
    TRANSFER,
    RECORD,
    LINES[0],
    EARNED,
    POLICY,
    TERMS,
    RefundView(REFUNDED, PAID, 800, "CNY", "One coffee was cold", 0, _at(5)),
    BookedPayment(RECORD, None, [TRANSFER, FEE]),
    TapRecord(
        *(_id("crd", 0x4A), 17, "secure_element", "finger"),
        gate=False,
        offline=False,
        terminal="T1",
        receipt="000000000017",
        at=_at(1),
    ),
    WalletView([BalanceView("CNY", 6200, 6200, 0, 3800, 500_000, 2_000_000)]),
    History(LINES, has_more=False, next=None),
    SendView(SENT, "sent", "Mei Chen", 2500, "CNY", "Lunch", "clear", None, _at(10)),
    RequestView(
        *(ASKED, "asked", "Mei Chen", 2500, "CNY", "Lunch", "clear", "open", None),
        *(_at(7 * 24 * 60), _at(10), _at(10)),
    ),
    PacketView(
        id=PACKET,
        role="made",
        maker="Lin Wei",
        amount=2000,
        currency="CNY",
        shares=3,
        division="luck",
        audience="link",
        message="Happy new year",
        message_state="clear",
        status="open",
        opened=1,
        opened_amount=688,
        mine=None,
        can_open=False,
        expires_at=_at(24 * 60),
        created_at=_at(0),
        updated_at=_at(1),
    ),
    PacketShareView(
        *(_id("psh", 0x41), "Mei Chen", 688), mine=False, luckiest=False, created_at=_at(1)
    ),
    PacketLinkView("https://pay.example/wallet/packet#mJ0x3o5mR1mM8nq0v3XyZQ"),
    SplitView(
        *(SPLIT, 3800, 1268, 1266, "CNY", "Two coffees and a cake", PAID),
        [
            SplitPart(_id("req", 0x43), "Mei Chen", 1266, "accepted"),
            SplitPart(_id("req", 0x44), "Noor Haddad", 1266, "open"),
        ],
        *(1, None, _at(10)),
    ),
    TopUpView(TOPPED_UP, 10_000, "CNY", "BANK-2026-77", _at(-30), 0),
    PayoutView(_id("pyt", 0x2F), MERCHANT, 3700, "CNY", "OUT-2026-12", _at(60), 0),
    WithdrawalView(_id("wdr", 0x30), LIN, 5000, "CNY", "OUT-2026-13", _at(60), 0),
    CorrectionView(
        *(_id("cor", 0x31), TOPPED_UP, LIN, 9000, "CNY", "100.00 came in, not 190.00", _at(-20)),
    ),
    MerchantView(MERCHANT, "Blue Door", "active", {"CNY": TERMS}, _at(-90)),
    ShopView(
        *(SHOP, "Blue Door, East Gate", "Hangzhou", "CN", "5814", "zh", POLICY, OF_SHOP, _at(-90)),
    ),
    TillView(TILL, SHOP, "Till 1", Acceptance(), "YmFyYmF6cXV4MTIzZm9v", _at(-90), None),
    KeyView(
        *(_id("key", 5), "Till server", "x7Qa", ["payments:read", "payments:write"]),
        *(_at(-90), None, _at(0)),
    ),
    NewKey(
        *(_id("key", 5), "Till server", ["payments:read", "payments:write"], "tk_mer_…", _at(-90)),
    ),
    NewPerson(PERSON, DEVICE),
    DeviceView(PHONE, "Lin's phone", _at(-60), None),
    Scanned("order", "Blue Door", "Blue Door, East Gate", MINE, ["CNY"]),
    CodeView(URL, CODE.write()),
    CodeReading(
        "tandem",
        url=URL,
        schemes=("Tandem",),
        fields=(
            CodeField("54", "Transaction Amount", "38.00", ""),
            CodeField("59", "Merchant Name", "Blue Door", ""),
        ),
    ),
    EventView(
        *(_id("evt", 0x3A), "payment.captured", _at(0)),
        msgspec.Raw(msgspec.json.encode(PAYMENT)),
    ),
    EndpointView(
        id=_id("whe", 0x3B),
        url="https://shop.example/hooks/tandem",
        types=("payment.captured", "payment.refunded"),
        enabled=True,
        created_at=_at(-90),
    ),
    EndpointTest(id=_id("whe", 0x3B)),
    DeliveryView(
        id=_id("whd", 0x3C),
        endpoint_id=_id("whe", 0x3B),
        event_id=_id("evt", 0x3A),
        type="payment.captured",
        status="delivered",
        attempts=1,
        next_attempt_at=None,
        last_attempt_at=_at(0),
        last_status=204,
        last_error=None,
        created_at=_at(0),
        last_body=None,
    ),
    AccountView(
        *(LINS_ACCOUNT, "person", LIN, "CNY", 6200, 0, 3800, 0, 10_000, 0, 2, _at(-60), "Lin Wei"),
    ),
    StatementLine(2, -3800, 6200, TRANSFER),
    StatementPage(
        [StatementLine(2, -3800, 6200, TRANSFER)], has_more=True, next=2, opening=0, closing=6200
    ),
    TrialBalance([TrialLineView("CNY", *line, 0, 0) for line in BALANCES], balanced=True),
    MerchantBalance("CNY", 3767, 3767, 3767, 0, 0),
    MerchantStatement([CHARGED, EARNED], has_more=False, next=None),
)

SAMPLES: Final[Mapping[type, Any]] = {
    **{type(made): msgspec.json.decode(msgspec.json.encode(made)) for made in _OBJECTS},
    # Requests: what is not said of them is left out.
    Acceptance: {"ways": {"click": {"enabled": False}, "scan": {"max_amount": {"CNY": 50_000}}}},
    CreatePayment: {
        "amount": 3800,
        "currency": "CNY",
        "till_id": TILL,
        "pay_code": "283456789065134296",
        "order_reference": "order-1027",
        "description": "Two coffees",
    },
    CapturePayment: {"amount": 3800},
    MakeSplit: {
        "people": [{"of": "@mei"}, {"of": "@noor"}],
        "payment_id": PAID,
        "message": "Two coffees and a cake",
    },
    CreateRefund: {"amount": 800, "reason": "One coffee was cold"},
    CreateCorrection: {
        "booking": TOPPED_UP,
        "amount": 9000,
        "reason": "100.00 came in, not 190.00",
    },
}
"""An example of each of these types, as plain JSON."""
