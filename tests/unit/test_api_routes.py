"""What the routes add of their own: codes told apart and drawn, frames, sign-up, key scopes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import msgspec
import pytest
from web_fakes import MERCHANT

from tandem.access import Principal
from tandem.api.errors import ScopeMissing
from tandem.api.operation import Body, Call, ListQuery, Method, operation
from tandem.api.routes import codes, merchants, payments, people, webhooks
from tandem.codes import Payload, read_image
from tandem.db import STRANGERS, Idempotency
from tandem.events import Event
from tandem.kernel import Invalid, NotFound, currency
from tandem.merchants import Acceptance, CreateKey, CurrencyTerms, Place, WayRefused, WayRule
from tandem.payments import CurrencyNotTaken
from tandem.people import CreatePerson, Limits, PersonTerms, SignUpClosed
from tandem.settings import Settings

NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
TERMS = CurrencyTerms(0, 0)
PLACE = Place(
    MERCHANT, "Mulan", "active", 1, {"EUR": TERMS, "JPY": TERMS, "CNY": TERMS}, UUID(int=3),
    "木兰咖啡", "Hangzhou", "CN", "5814", "A" * 20, None, None, None, Acceptance(), "zh",
)  # fmt: skip
NO_SCAN = Acceptance({"scan": WayRule(enabled=False)})
SMALL_SCANS = Acceptance({"scan": WayRule(max_amount={"CNY": 3799})})
AT_TILL = msgspec.structs.replace(
    PLACE, till_id=UUID(int=4), till_name="1", till_code_token="B" * 20
)
SETTINGS = Settings(public_url="https://pay.example")


@dataclass
class Asked:
    """Stands for any use case: notes what it was asked, answers what the test wants."""

    answer: Any = None
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    async def __call__(self, *arguments: Any) -> Any:  # noqa: ANN401 - stands for anything
        self.asked.append(arguments)
        return self.answer


def call_of(kind: str | None = "merchant", **services: object) -> Call[Any]:
    scopes = frozenset({"keys:write", "payments:read"})
    caller = None
    if kind is not None:
        caller = Principal(kind, MERCHANT, UUID(int=9), None, scopes, "key")  # type: ignore[arg-type]  # one of three
    return Call(SimpleNamespace(settings=SETTINGS, **services), caller, None, "r-1", "192.0.2.1")


class AnyPlace:
    """Stands for the use cases of merchants: knows one shop with one till."""

    def __init__(self, place: Place = PLACE) -> None:
        self.there = place

    async def place(
        self, merchant_id: UUID, *, shop_id: UUID | None = None, till_id: UUID | None = None
    ) -> Place:
        assert merchant_id == MERCHANT
        if till_id is not None:
            assert till_id == AT_TILL.till_id
            return msgspec.structs.replace(
                self.there, till_id=till_id, till_name="1", till_code_token="B" * 20
            )
        assert shop_id == PLACE.shop_id
        return self.there


async def shop_code(place: Place = PLACE, code: str | None = None) -> Payload:
    call = call_of(merchants=AnyPlace(place))
    query = codes.CodeQuery(currency=code)
    made: Any = await codes.get_shop_code.handler(call, shop_id=PLACE.shop_id, query=query)
    return Payload.parse_strict(made.payload)


async def test_a_static_code_reads_back() -> None:
    call = call_of(merchants=AnyPlace())
    made: Any = await codes.get_shop_code.handler(
        call, shop_id=PLACE.shop_id, query=codes.CodeQuery()
    )
    assert made.url == "https://pay.example/c/" + "A" * 20
    read: Any = await codes.read_code.handler(call, body=codes.ReadCode(text=made.payload))
    assert (read.kind, read.url, read.faults) == ("tandem", made.url, ())
    till: Any = await codes.get_till_code.handler(
        call, till_id=UUID(int=4), query=codes.CodeQuery(currency="EUR")
    )
    assert "5303978" in till.payload
    assert till.url == "https://pay.example/c/" + "B" * 20


async def test_a_static_code_is_in_a_currency_that_the_merchant_takes() -> None:
    # the operator's order, CNY before EUR, among those that the merchant takes
    assert (await shop_code()).currency == currency("CNY")
    assert (await shop_code(code="JPY")).currency == currency("JPY")
    only = msgspec.structs.replace(PLACE, currencies={"EUR": TERMS})
    assert (await shop_code(only)).currency == currency("EUR")
    # one that the operator no longer keeps is still what this merchant takes
    odd = msgspec.structs.replace(PLACE, currencies={"THB": TERMS, "SEK": TERMS})
    assert (await shop_code(odd)).currency == currency("SEK")
    for place, code in ((only, "CNY"), (PLACE, "USD"), (PLACE, "XTS")):
        with pytest.raises(CurrencyNotTaken) as refused:
            await shop_code(place, code)
        assert refused.value.taken == tuple(sorted(place.currencies))


async def test_a_code_has_the_shops_name_in_its_script_and_the_merchants_in_latin() -> None:
    code = await shop_code()
    assert (code.merchant_name, code.get("64.00"), code.get("64.01")) == ("Mulan", "ZH", "木兰咖啡")
    without = await shop_code(msgspec.structs.replace(PLACE, shop_language=None))
    assert (without.merchant_name, without.get("64")) == ("Mulan", None)


async def test_an_orders_code_has_its_amount_and_can_be_drawn() -> None:
    payment = SimpleNamespace(
        code_token="C" * 20, shop_id=PLACE.shop_id, till_id=None, currency="CNY", amount=3800,
        order_reference="order-1027",
    )  # fmt: skip
    found = SimpleNamespace(of_merchant=Asked(payment))
    call = call_of(merchants=AnyPlace(), payments=found)
    made: Any = await codes.get_payment_code.handler(call, payment_id=UUID(int=2))
    assert "540538.00" in made.payload
    assert Payload.parse_strict(made.payload).reference == "order-1027"
    png: Any = await codes.draw_payment_code_png.handler(
        call, payment_id=UUID(int=2), query=codes.ScaleQuery()
    )
    assert read_image(png.content) == [made.payload]
    svg: Any = await codes.draw_payment_code_svg.handler(
        call, payment_id=UUID(int=2), query=codes.ScaleQuery(scale=2)
    )
    assert (svg.media_type, svg.content[:4]) == ("image/svg+xml", b"<svg")
    for reference in ("x" * 26, "订单 7", None):
        payment.order_reference = reference
        made = await codes.get_payment_code.handler(call, payment_id=UUID(int=2))
        assert Payload.parse_strict(made.payload).get("62") is None
    payment.way = "click"
    for takes, reason in ((NO_SCAN, "way_off"), (SMALL_SCANS, "amount_above_limit")):
        closed = msgspec.structs.replace(PLACE, acceptance=takes)
        at_shop = call_of(merchants=AnyPlace(closed), payments=found)
        with pytest.raises(WayRefused) as refused:
            await codes.get_payment_code.handler(at_shop, payment_id=UUID(int=2))
        told = refused.value
        assert (told.way, told.reason, told.ways_left) == ("scan", reason, ("click",))
    payment.code_token = None
    with pytest.raises(NotFound):
        await codes.get_payment_code.handler(call, payment_id=UUID(int=2))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("281234567812345678", "pay_code"),
        ("https://pay.example/c/x", "link"),
        ("134567890123456789", "unknown"),
        ("258888888888888888", "wallet_code"),
        ("00020153039", "scheme"),
        ("\x00", "unknown"),
    ],
)
async def test_codes_are_told_apart(text: str, kind: str) -> None:
    read: Any = await codes.read_code.handler(call_of(), body=codes.ReadCode(text=text))
    assert read.kind == kind
    assert msgspec.json.encode(read)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"expires_seconds": 60}, "expires_seconds"),
        ({"way": "click"}, "way"),
        ({"till_id": "til_" + "0" * 32}, "shop_id"),
        ({"shop_id": None}, "shop_id"),
    ],
)
async def test_a_payment_by_pay_code_takes_nothing_that_it_would_not_heed(
    change: dict[str, Any], field: str
) -> None:
    given = {"amount": 5, "currency": "CNY", "shop_id": "shp_" + "0" * 32, "pay_code": "2" * 18}
    body = msgspec.convert(given | change, payments.CreatePayment)
    with pytest.raises(Invalid) as refused:
        await payments.create_payment.handler(call_of(payments=SimpleNamespace()), body=body)
    assert refused.value.field == field


def test_frames_are_one_event_each() -> None:
    event = Event(MERCHANT, UUID(int=7), "payment.captured", UUID(int=2), '{"a":\n"b"}', NOW)
    lines = webhooks.frame(event).split(b"\n")
    assert lines[0] == b"id: evt_" + UUID(int=7).hex.encode()
    assert lines[1] == b"event: payment.captured"
    assert all(line.startswith(b"data: ") for line in lines[2:-2])
    assert lines[-2:] == [b"", b""]
    data = b"\n".join(line.removeprefix(b"data: ") for line in lines[2:-2])
    assert msgspec.json.decode(data)["data"] == {"a": "b"}


async def test_streams_resume_after_the_last_event() -> None:
    subscribe = Asked(SimpleNamespace())
    call = call_of(hub=SimpleNamespace(subscribe=subscribe))
    await webhooks.stream_events.handler(call)
    last = "evt_" + UUID(int=7).hex
    await webhooks.stream_events.handler(msgspec.structs.replace(call, last_event_id=last))
    assert subscribe.asked == [(MERCHANT, None), (MERCHANT, UUID(int=7))]
    with pytest.raises(Invalid):
        await webhooks.stream_events.handler(msgspec.structs.replace(call, last_event_id="7"))


@pytest.mark.parametrize(
    ("who", "kind", "open_"),
    [("open", None, True), ("operator", None, False), ("operator", "person", False),
     ("operator", "operator", True)],
)  # fmt: skip
async def test_who_may_sign_up(who: Any, kind: str | None, open_: bool) -> None:  # noqa: ANN401, FBT001 - a case
    sign_up = Asked()
    call = call_of(kind, people=SimpleNamespace(sign_up=sign_up))
    once = Idempotency(STRANGERS, "k", bytes(32))
    call = msgspec.structs.replace(call, idempotency=once)
    call.services.settings = Settings(sign_up=who)
    body = CreatePerson(handle="lin", name="Lin Wei")
    if open_:
        await people.sign_up.handler(call, body=body)
        assert sign_up.asked == [("lin", "Lin Wei", "Phone", once)]
    else:
        with pytest.raises(SignUpClosed):
            await people.sign_up.handler(call, body=body)


async def test_limits_are_ones_own_or_the_operators() -> None:
    terms = PersonTerms(MERCHANT, "lin", "Lin", "active", 2, {"EUR": Limits(5, 6)})
    call = call_of("person", people=SimpleNamespace(terms=Asked(terms)))
    shown: Any = await people.get_my_limits.handler(call)
    by_code = {limits.currency: limits for limits in shown.data}
    assert (by_code["EUR"].per_day, by_code["EUR"].own) == (6, True)
    assert (by_code["CNY"].per_day, by_code["CNY"].own) == (SETTINGS.limit_per_day, False)
    assert (by_code["JPY"].per_payment, by_code["JPY"].per_day) == (5000, 20_000)


async def test_a_key_gives_no_scope_that_it_does_not_have() -> None:
    create_key = Asked()
    call = call_of(merchants=SimpleNamespace(create_key=create_key))
    await merchants.create_key.handler(call, body=CreateKey(name="x", scopes=["payments:read"]))
    with pytest.raises(ScopeMissing):
        await merchants.create_key.handler(
            call, body=CreateKey(name="x", scopes=["payments:read", "refunds:write"])
        )
    assert len(create_key.asked) == 1


async def _nothing(call: Call[Any], query: ListQuery) -> None: ...


async def _takes_more(call: Call[Any], payment_id: UUID, more: int) -> None: ...


async def _text_id(call: Call[Any], payment_id: str) -> None: ...


class Loose(msgspec.Struct):
    a: int


async def _loose(call: Call[Any], body: Loose) -> None: ...


async def _body(call: Call[Any], body: Body) -> None: ...


@pytest.mark.parametrize(
    ("method", "path", "handler", "changes"),
    [
        ("GET", "/things", _nothing, {}),
        ("GET", "/v1/things/", _nothing, {}),
        ("GET", "/v1/things/{payment_id}", _nothing, {}),
        ("GET", "/v1/things/{payment_id}", _takes_more, {}),
        ("GET", "/v1/things/{payment_id}", _text_id, {}),
        ("GET", "/v1/things", _nothing, {"who": ()}),
        ("GET", "/v1/things", _nothing, {"scope": None}),
        ("GET", "/v1/things", _nothing, {"who": ("person",)}),
        ("GET", "/v1/things", _nothing, {"idempotency": "required"}),
        ("GET", "/v1/things", _body, {}),
        ("POST", "/v1/things", _loose, {}),
    ],
)
def test_a_wrong_declaration_shows_at_once(
    method: Method,
    path: str,
    handler: Callable[..., Awaitable[None]],
    changes: dict[str, Any],
) -> None:
    declared: dict[str, Any] = {"who": ("merchant",), "scope": "payments:read"} | changes
    with pytest.raises(AssertionError):
        operation(method, path, tag="T", summary="s", **declared)(handler)
