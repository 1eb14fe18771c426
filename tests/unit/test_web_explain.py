"""What is wrong with a request is said in plain words, whatever is asked and whatever is wrong."""

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

from tandem.api.routes.merchants import create_key, create_merchant, create_shop
from tandem.api.routes.payments import create_payment, list_payments
from tandem.api.routes.people import sign_up
from tandem.api.routes.wallet import get_history, send_money
from tandem.api.routes.webhooks import create_webhook, update_webhook
from tandem.app import operations
from tandem.cards import AddCard
from tandem.kernel import MAX_AMOUNT, NOTE_LENGTH, Invalid, Rule
from tandem.settings import Settings
from tandem.web.explain import FORMS, explain, wanted
from tandem.web.reading import decode_body, decode_query

OPERATIONS = operations(Settings(mode="sandbox"))
BODIES = list({op.body_type: None for op in OPERATIONS if op.body_type is not None})
QUERIES = list({op.query_type: None for op in OPERATIONS if op.query_type is not None})
OURS = re.compile(r"`|regex|enum|\bint\b|\bstr\b|array|\.\.\.|Object|Expected")
"""What belongs to the decoder's own language."""


def of_body(operation: Any, **fields: Any) -> tuple[str, str, str]:  # noqa: ANN401 - any JSON
    """The field, the pointer and the reason of a body's refusal."""
    decoder = msgspec.json.Decoder(operation.body_type)
    with pytest.raises(Invalid) as refused:
        decode_body(decoder, msgspec.json.encode(fields))
    data = refused.value.data()
    return data["field"], data["pointer"], data["reason"]


PAY = {"amount": 1, "currency": "CNY"}
STATES = (
    "created, waiting, authorised, captured, partially_refunded, refunded, cancelled, declined "
    "or expired"
)
SHOP = {"name": "x", "city": "y", "country": "CN"}
FEES = {"fee_basis_points": 60, "fee_fixed": 10}


@pytest.mark.parametrize(
    ("operation", "body", "field", "pointer", "reason"),
    [
        (
            create_payment,
            PAY | {"way": "fax"},
            "way",
            "/way",
            "must be tap, scan or click, not 'fax'",
        ),
        (
            create_payment,
            PAY | {"way": 1},
            "way",
            "/way",
            "must be tap, scan or click, not a number",
        ),
        (
            *(create_payment, PAY | {"currency": "cny"}, "currency", "/currency"),
            "must be an ISO 4217 currency code such as CNY, not 'cny'",
        ),
        (
            *(create_payment, PAY | {"expires_seconds": 5}, "expires_seconds", "/expires_seconds"),
            "must be a whole number from 10 to 2592000",
        ),
        (
            *(create_payment, PAY | {"description": ""}, "description", "/description"),
            "must be a text of 1 to 140 characters",
        ),
        (
            *(create_payment, PAY | {"description": "x" * 141}, "description", "/description"),
            "must be a text of 1 to 140 characters",
        ),
        (
            *(create_payment, PAY | {"shop_id": ["x"]}, "shop_id", "/shop_id"),
            "must be a text, not a list",
        ),
        (
            create_merchant,
            {"name": "x", "currencies": {"CNY": FEES, "EUR": FEES | {"fee_basis_points": 20_000}}},
            "currencies.EUR.fee_basis_points",
            "/currencies/EUR/fee_basis_points",
            "must be a whole number from 0 to 10000",
        ),
        (
            create_merchant,
            {"name": "x", "currencies": {"CNY": {"fee_fixed": 10}}},
            "currencies.CNY.fee_basis_points",
            "/currencies/CNY/fee_basis_points",
            "is missing",
        ),
        (
            create_merchant,
            {"name": "x", "currencies": {"CNY": FEES, "yuan/~": FEES}},
            "currencies",
            "/currencies/yuan~1~0",
            "the name 'yuan/~' must be an ISO 4217 currency code such as CNY",
        ),
        (
            create_merchant,
            {"name": "x", "currencies": {}},
            *("currencies", "/currencies", "must be an object of 1 to 50 members"),
        ),
        (
            create_shop,
            {
                **SHOP,
                "acceptance": {"ways": {"scan": {"max_amount": {"CNY": 5, "EUR": -1}}}},
            },
            "acceptance.ways.scan.max_amount.EUR",
            "/acceptance/ways/scan/max_amount/EUR",
            "must be a whole number of minor units from 0 to 1000000000000000",
        ),
        (
            create_shop,
            {
                **SHOP,
                "acceptance": {"ways": {"scan": {}, "walk": {}}},
            },
            "acceptance.ways",
            "/acceptance/ways/walk",
            "the name 'walk' must be tap, scan or click",
        ),
        (
            create_shop,
            {"name": "x", "city": "y", "country": "cn"},
            *("country", "/country", "must be an ISO 3166-1 country code such as CN, not 'cn'"),
        ),
        (
            create_shop,
            {"name": "x", "city": "y", "country": "CN", "category": "1"},
            "category",
            "/category",
            "must be an ISO 18245 merchant category such as 5814, not '1'",
        ),
        (
            create_key,
            {"name": "x", "scopes": []},
            *("scopes", "/scopes", "must be a list of 1 to 20 entries"),
        ),
        (
            send_money,
            PAY | {"to": "a b"},
            *("to", "/to", f"must be {FORMS['^@?[a-z0-9][a-z0-9_.]{1,30}$']}, not 'a b'"),
        ),
        (
            update_webhook,
            {"enabled": "yes"},
            *("enabled", "/enabled", "must be true or false, not a text"),
        ),
        (
            update_webhook,
            {"url": None},
            *("url", "/url", "must be a text of 1 to 2000 characters, not null"),
        ),
        (
            create_webhook,
            {"url": "x", "types": ["payment.captured", 5]},
            *("types[1]", "/types/1", "must be a text, not a number"),
        ),
    ],
)
def test_a_body(
    operation: Any,  # noqa: ANN401 - any operation
    body: dict[str, Any],
    field: str,
    pointer: str,
    reason: str,
) -> None:
    assert of_body(operation, **body) == (field, pointer, reason)


@pytest.mark.parametrize(
    ("operation", "query", "field", "reason"),
    [
        (list_payments, b"limit=x", "limit", "must be a whole number from 1 to 100, not 'x'"),
        (list_payments, b"limit=0", "limit", "must be a whole number from 1 to 100, not '0'"),
        (list_payments, b"limit=", "limit", "must be a whole number from 1 to 100"),
        (
            *(list_payments, b"status=paid", "status"),
            f"must be {STATES}, not 'paid'",
        ),
        (
            *(get_history, b"currency=yuan", "currency"),
            "must be an ISO 4217 currency code such as CNY, not 'yuan'",
        ),
        (get_history, b"page=2", "page", "is not known here"),
    ],
)
def test_a_query(operation: Any, query: bytes, field: str, reason: str) -> None:  # noqa: ANN401 - any operation
    with pytest.raises(Invalid) as refused:
        decode_query(operation.query_type, query)
    assert (refused.value.field, refused.value.reason) == (field, reason)


@pytest.mark.parametrize(
    ("operation", "body", "rule"),
    [
        (create_payment, PAY | {"way": "fax"}, {"rule": "choice"}),
        (create_payment, {"currency": "CNY"}, {"rule": "missing"}),
        (create_payment, PAY | {"amuont": 1}, {"rule": "unknown"}),
        (create_payment, PAY | {"currency": "yuan"}, {"rule": "form"}),
        (create_payment, PAY | {"amount": 0}, {"rule": "amount", "least": 1, "most": MAX_AMOUNT}),
        (
            *(create_payment, PAY | {"description": "a" * 999}),
            {"rule": "length", "least": 1, "most": NOTE_LENGTH},
        ),
        (
            sign_up,
            {"handle": "lin", "name": "L" * 999},
            {"rule": "length", "least": 1, "most": 100},
        ),
        (
            create_webhook,
            {"url": "https://a.example", "types": {}},
            {"rule": "entries", "most": 20},
        ),
    ],
)
def test_programs_are_told_the_rule(
    operation: Any,  # noqa: ANN401 - any operation
    body: dict[str, Any],
    rule: dict[str, Any],
) -> None:
    decoder = msgspec.json.Decoder(operation.body_type)
    with pytest.raises(Invalid) as refused:
        decode_body(decoder, msgspec.json.encode(body))
    data = refused.value.data()
    assert {name: data[name] for name in ("rule", "least", "most") if name in data} == rule


def test_a_query_has_the_same_rules() -> None:
    query: Any = list_payments.query_type
    with pytest.raises(Invalid) as refused:
        decode_query(query, b"limit=0")
    assert refused.value.rule == Rule("number", 1, 100)


def test_a_handle_may_be_signed_up_as_it_is_shown() -> None:
    decoder = msgspec.json.Decoder(sign_up.body_type)
    decode_body(decoder, b'{"handle":"@lin","name":"Lin"}')
    field, _, reason = of_body(sign_up, handle="Lin Wei", name="Lin")
    assert (field, reason) == ("handle", f"must be {wanted(_field('handle'))}, not 'Lin Wei'")


def _field(name: str) -> Any:  # noqa: ANN401 - a type
    assert sign_up.body_type is not None
    fields = msgspec.structs.fields(sign_up.body_type)
    return next(field.type for field in fields if field.name == name)


def patterns(kind: inspect.Type) -> set[str]:
    """Every pattern within a type."""
    if isinstance(kind, inspect.StrType):
        return {kind.pattern} - {None}  # type: ignore[return-value]  # None was taken out
    inner: list[inspect.Type] = []
    for name in ("type", "key_type", "value_type", "item_type"):
        inner += [getattr(kind, name)] if hasattr(kind, name) else []
    inner += getattr(kind, "types", ())
    inner += (field.type for field in getattr(kind, "fields", ()))
    return set().union(*map(patterns, inner))


def test_every_pattern_has_its_words_and_no_other_does() -> None:
    kinds = map(inspect.type_info, (*BODIES, *QUERIES))
    assert set().union(*map(patterns, kinds)) == set(FORMS)


@pytest.mark.parametrize(
    ("name", "value"),
    [("number", "4761 7390 0101 0119"), ("security_code", "12a"), ("number", "4761739001010119x")],
)
def test_a_mistyped_card_is_not_repeated(name: str, value: str) -> None:
    card = {"number": "4761739001010119", "expiry": "2912", name: value}
    body = {"currency": "CNY", "device_key": f"{'A' * 43}=", "card": card}
    with pytest.raises(Invalid) as refused:
        decode_body(msgspec.json.Decoder(AddCard), msgspec.json.encode(body))
    assert refused.value.field == f"card.{name}"
    assert value not in refused.value.sentence()
    assert "digits" in refused.value.sentence()


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(kind=st.sampled_from(BODIES), data=st.data())
def test_whatever_is_wrong_is_said_in_plain_words(kind: Any, data: st.DataObject) -> None:  # noqa: ANN401 - a type
    names = st.sampled_from([field.encode_name for field in msgspec.structs.fields(kind)])
    body = data.draw(st.dictionaries(names | st.just("other"), values, max_size=4) | values)
    raw = msgspec.json.encode(body)
    message = complaint(raw, kind)
    if message is None:
        return
    for known in (msgspec.json.decode(raw),), ():
        wrong = explain(message, kind, *known)
        assert not OURS.search(re.sub(r"'[^']*'", "''", wrong.reason)), (message, wrong)
        assert re.match(r"must be |is missing|is not known here|the name '", wrong.reason)
        assert "of another" not in wrong.reason
        assert (wrong.reason + wrong.field + wrong.pointer).isprintable()


def complaint(raw: bytes, kind: Any) -> str | None:  # noqa: ANN401 - a type
    """What msgspec says about it; None if it is right, or no JSON (a number that has no place)."""
    try:
        msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        return str(error)
    except msgspec.DecodeError:
        return None
    return None
