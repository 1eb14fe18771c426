"""Terminals: payments by tap over this API, and what a till accepts, live."""

import base64
from collections.abc import AsyncIterator
from datetime import date
from hashlib import sha256
from typing import Annotated, Final, Protocol
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.acquiring import ResponseCode, decline_code
from tandem.api.operation import Body, Call, Live, Query, operation
from tandem.api.routes.approve import refunder
from tandem.cards import Cards
from tandem.db import Idempotency
from tandem.kernel import MAX_AMOUNT, Invalid, read_id, show_id
from tandem.merchants import Acceptance, Merchants, Place, TermsWatch, WayRefused
from tandem.payments import (
    At,
    CardPayments,
    CardUnknown,
    CurrencyNotTaken,
    MerchantNotActive,
    NewTap,
    PaymentConflict,
    PaymentTaken,
    PaymentView,
    RefundAboveLimit,
    RefundExceedsCaptured,
    RefundNotCovered,
    RefundView,
    ReversalNotCovered,
    TapTrace,
    authorisation_code,
)

LINK: Final = "REST API"
"""What stands for an acquirer's link in the trace of a tap that came over this API: no link can be
called that."""
_KEY_DIGITS: Final = 60

Pan = Annotated[
    str,
    Meta(
        pattern="^[0-9]{12,19}$",
        max_length=19,
        description="The number that the card told (5A): that of the device, never a person's own",
        examples=["9801230000000121"],
    ),
]
Number = Annotated[
    str,
    Meta(
        pattern="^[0-9A-Za-z]{1,12}$",
        max_length=12,
        description="Your number of it, which stands on the receipt: a refund names it",
        examples=["633217000001"],
    ),
]
Minor = Annotated[int, Meta(ge=1, le=MAX_AMOUNT, description="Minor units", examples=[3800])]
Code = Annotated[
    str, Meta(pattern="^[A-Z]{3}$", max_length=3, description="ISO 4217 code", examples=["CNY"])
]


class Services(Protocol):
    """What these operations use."""

    @property
    def payments(self) -> CardPayments:
        """Payments, those by device cards among them."""
        ...

    @property
    def merchants(self) -> Merchants:
        """Shops and tills."""
        ...

    @property
    def terms_watch(self) -> TermsWatch:
        """What tills accept, followed."""
        ...

    @property
    def cards(self) -> Cards:
        """The token vault, for what terminals hold: public keys, whose wallet a card is."""
        ...


class TakeTap(Body, frozen=True, kw_only=True):
    """A tap, as the terminal's kernel has it after the card has answered."""

    amount: Minor
    currency: Code
    pan: Pan
    sequence: Annotated[
        Annotated[int, Meta(ge=0, le=99)] | None,
        Meta(description="The card's sequence number (5F34)", examples=[0]),
    ] = None
    icc: Annotated[
        str,
        Meta(
            pattern="^[A-Za-z0-9+/]+={0,2}$",
            max_length=340,
            description="What the chip said and was told, as TLV in Base64: the cryptogram and all "
            "that it covers (docs/acquiring.md, element 55)",
            examples=["nyYIASNFZ4mrze8="],
        ),
    ]
    day: Annotated[date, Meta(description="The terminal's own date, as the card was told it (9A)")]
    number: Number
    offline: Annotated[
        bool,
        Meta(
            description="It has happened: terminal and card approved it without asking, or a gate "
            "of public transport let the person through without an answer. Then `icc` has what the "
            "card asked"
        ),
    ] = False
    order_id: Annotated[
        str | None,
        Meta(
            description="The till's order that this pays, instead of by its code",
            examples=["pay_0199f0a4c0de7000800000000000002a"],
        ),
    ] = None

    def __repr__(self) -> str:
        return f"TakeTap({self.amount} {self.currency}, …{self.pan[-4:]})"


class TapTaken(msgspec.Struct, frozen=True):
    """What became of a tap."""

    approved: bool
    response_code: Annotated[
        str,
        Meta(
            description="ISO 8583, element 39, as the acquirer's host says it (docs/acquiring.md)",
            examples=["00"],
        ),
    ]
    authorisation_code: Annotated[
        str | None, Meta(description="For the receipt, if it was approved", examples=["00002A"])
    ]
    issuer_answer: Annotated[
        str | None,
        Meta(
            description="The issuer's proof for the card, as TLV (91) in Base64; none to a wrong "
            "cryptogram, nor to what comes late",
            examples=["kQgBI0VnggAAgA=="],
        ),
    ]
    payment: PaymentView


class _Tapped(msgspec.Struct, frozen=True):
    """A `TapAnswer` to what asked for money."""

    payment: PaymentView
    reason: str | None
    issuer_answer: str | None


class ReverseTap(Body, frozen=True, kw_only=True):
    """Which tap is taken back."""

    key: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=255,
            pattern="^[ -~]+$",
            description="The Idempotency-Key that the tap was sent under",
            examples=["t1-000017"],
        ),
    ]


class TapReversed(msgspec.Struct, frozen=True):
    """It has no effect, and none when it comes later."""

    key: Annotated[str, Meta(examples=["t1-000017"])]


class RefundTap(Body, frozen=True, kw_only=True):
    """A refund to the card that is held to the reader."""

    amount: Minor
    currency: Code
    pan: Pan
    number: Annotated[Number, Meta(description="The number of the tap that paid")]

    def __repr__(self) -> str:
        return f"RefundTap({self.amount} {self.currency}, …{self.pan[-4:]})"


class TillAcceptance(msgspec.Struct, frozen=True):
    """What a till accepts: the stricter of its shop's policy and its own."""

    till_id: Annotated[str, Meta(examples=["til_0199f0a4c0de70008000000000000004"])]
    shop: Annotated[str, Meta(description="The shop's name", examples=["Blue Door, East Gate"])]
    active: Annotated[bool, Meta(description="Whether the merchant takes payments at all")]
    acceptance: Acceptance
    wallets: Annotated[
        dict[str, str],
        Meta(
            description="The operator's own wallet: the token requestor of its cards (9F19), and "
            "the name that it has in the policy",
            examples=[{"98000000001": "tandem"}],
        ),
    ]


class BeatQuery(Query, frozen=True):
    """How often a stream is to be heard of."""

    beat_seconds: Annotated[
        int,
        Meta(
            ge=1,
            le=15,
            description="How often a comment comes when nothing happens: whoever hears none for "
            "longer knows that the connection is dead",
            examples=[1],
        ),
    ] = 15


class AuthorityKey(msgspec.Struct, frozen=True):
    """A public key of an authority, in hexadecimal digits (EMV Book 2, 11.2)."""

    rid: Annotated[
        str, Meta(description="Whose it is: how its AIDs begin", examples=["F074616E64"])
    ]
    index: Annotated[int, Meta(description="What a card names it by (8F)", examples=[1])]
    modulus: Annotated[str, Meta(examples=["C0FFEE"])]
    exponent: Annotated[int, Meta(examples=[65537])]
    expires: Annotated[date, Meta(description="The last day on which it is meant to be used")]
    check_sum: Annotated[
        str,
        Meta(
            description="SHA-1 of all of it", examples=["9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B"]
        ),
    ]


class RevokedCertificate(msgspec.Struct, frozen=True):
    """An issuer's certificate that is not to be accepted any more."""

    rid: Annotated[str, Meta(examples=["F074616E64"])]
    index: Annotated[int, Meta(examples=[1])]
    serial: Annotated[int, Meta(examples=[3])]


class CardAuthorities(msgspec.Struct, frozen=True):
    """What a terminal holds of the operator's cards: no secret is in it."""

    version: Annotated[int, Meta(description="Of this form", examples=[1])]
    keys: list[AuthorityKey]
    revoked: list[RevokedCertificate]


@operation(
    "POST",
    "/v1/tills/{till_id}/taps",
    tag="Terminals",
    summary="Take a payment by tap",
    who=("merchant",),
    scope="taps:write",
    status=201,
    idempotency="required",
    errors=(
        CardUnknown,
        WayRefused,
        CurrencyNotTaken,
        MerchantNotActive,
        PaymentConflict,
        PaymentTaken,
    ),
)
async def take_tap(call: Call[Services], till_id: UUID, body: TakeTap) -> TapTaken:
    """Checks the card's cryptogram and pays, or declines: `approved` says which.

    Whoever gets no answer sends the same request again, or takes it back by its key. What was
    approved `offline` is sent in the same way afterwards, as often as it takes. A gate that asked,
    got no answer and let the person through sends it so under the key of its question: if that has
    arrived, this is refused (`idempotency_key_reused`), and the question again gets its answer.

    With `order_id` the tap pays that order: if it is approved the order is cancelled in the same
    moment, so that nobody pays it by its code as well. If it is declined the order stays open.
    """
    assert call.idempotency is not None, "the operation requires one"
    owner_id, payments = call.principal.owner_id, call.services.payments
    return await taken(payments, owner_id, till_id, body, call.idempotency)


async def taken(
    payments: CardPayments,
    merchant_id: UUID,
    till_id: UUID,
    body: TakeTap,
    idempotency: Idempotency,
) -> TapTaken:
    """What becomes of a tap: the one way from a terminal's words to a payment."""
    once = _of_till(idempotency, till_id)
    if body.offline and body.order_id is not None:
        raise Invalid("offline", "an order is paid online: it may be paid otherwise meanwhile")
    new = NewTap(
        amount=body.amount,
        currency=body.currency,
        pan=body.pan,
        sequence=body.sequence,
        icc=_unpacked(body.icc),
        day=body.day,
        trace=TapTrace(
            link=LINK, terminal=show_id("til", till_id), reference=once.key, rrn=body.number
        ),
        offline=body.offline,
        order_id=None if body.order_id is None else read_id("pay", body.order_id, "order_id"),
    )
    at = At(merchant_id, till_id=till_id)
    done = await payments.pay_by_card(at, new, once)
    tapped = msgspec.json.decode(done.body, type=_Tapped)
    payment = tapped.payment
    approved = tapped.reason is None
    return TapTaken(
        approved,
        ResponseCode.APPROVED if tapped.reason is None else decline_code(tapped.reason),
        authorisation_code(payment.id) if approved else None,
        tapped.issuer_answer,
        payment,
    )


@operation(
    "POST",
    "/v1/tills/{till_id}/taps/reversals",
    tag="Terminals",
    summary="Take a tap back that had no answer",
    who=("merchant",),
    scope="taps:write",
    idempotency="required",
    errors=(ReversalNotCovered,),
)
async def reverse_tap(call: Call[Services], till_id: UUID, body: ReverseTap) -> TapReversed:
    """What it paid goes back; if it was never seen, it does nothing when it comes."""
    merchant_id = call.principal.owner_id
    await call.services.merchants.till(merchant_id, till_id)
    original = _key(till_id, body.key)
    await call.services.payments.reverse(merchant_id, (original,), 0, _once(call, till_id))
    return TapReversed(body.key)


@operation(
    "POST",
    "/v1/tills/{till_id}/taps/refunds",
    tag="Terminals",
    summary="Refund to a card that is tapped",
    who=("merchant",),
    scope="refunds:write",
    status=201,
    idempotency="required",
    errors=(CardUnknown, RefundAboveLimit, RefundExceedsCaptured, RefundNotCovered),
)
async def refund_tap(call: Call[Services], till_id: UUID, body: RefundTap) -> RefundView:
    """Back to where the payment came from, which this card made under that number."""
    merchant_id = call.principal.owner_id
    await call.services.merchants.till(merchant_id, till_id)
    done = await call.services.payments.refund_by_card(
        merchant_id,
        body.pan,
        body.number,
        body.amount,
        body.currency,
        _once(call, till_id),
        by=refunder(call.principal),
    )
    return msgspec.json.decode(done.body, type=RefundView)


@operation(
    "GET",
    "/v1/tills/{till_id}/acceptance",
    tag="Terminals",
    summary="See what a till accepts",
    who=("merchant",),
    scope="taps:write",
    or_scope="shops:read",
)
async def get_till_acceptance(call: Call[Services], till_id: UUID) -> TillAcceptance:
    """The stricter of the shop's policy and the till's own."""
    place = await call.services.merchants.place(call.principal.owner_id, till_id=till_id)
    return _acceptance(place, call.services.cards.wallets)


@operation(
    "GET",
    "/v1/tills/{till_id}/acceptance/stream",
    tag="Terminals",
    summary="Follow what a till accepts",
    who=("merchant",),
    scope="taps:write",
    or_scope="shops:read",
)
async def stream_till_acceptance(call: Call[Services], till_id: UUID, query: BeatQuery) -> Live:
    """Server-sent events `acceptance`: what the till accepts now, and again after each change.

    A change is sent within half a second. A comment comes every 15 seconds when nothing happens, or
    as often as `beat_seconds` says.
    """
    places = call.services.terms_watch.follow(call.principal.owner_id, till_id)
    first = await anext(places)
    frames = _frames(first, places, call.services.cards.wallets)
    return Live(frames, query.beat_seconds)


@operation(
    "GET",
    "/v1/card-authorities",
    tag="Terminals",
    summary="Get the public keys that terminals hold",
    who=("merchant",),
    scope="taps:write",
)
async def get_card_authorities(call: Call[Services]) -> CardAuthorities:
    """By these a terminal knows the operator's cards: what `trusted` in its settings names.

    There is no secret in it. Nothing is found before the operator's first card.
    """
    keys = await call.services.cards.vault.find()
    return msgspec.json.decode(keys.trusted.to_bytes(), type=CardAuthorities)


async def _frames(
    first: Place, places: AsyncIterator[Place], wallets: dict[str, str]
) -> AsyncIterator[bytes]:
    """The policy in the stream's form, whenever it is another one than before."""
    try:
        sent = b""
        place = first
        while True:
            shown = msgspec.json.encode(_acceptance(place, wallets), order="deterministic")
            if shown != sent:
                yield b"event: acceptance\ndata: " + shown + b"\n\n"
                sent = shown
            place = await anext(places)
    finally:
        await places.aclose()  # type: ignore[attr-defined]  # an async generator has it


def _acceptance(place: Place, wallets: dict[str, str]) -> TillAcceptance:
    assert place.till_id is not None, "a till was asked for"
    active = place.merchant_status == "active"
    till = show_id("til", place.till_id)
    return TillAcceptance(till, place.shop_name, active, place.acceptance, wallets)


def _once(call: Call[Services], till_id: UUID) -> Idempotency:
    """What makes it happen once: the till's own key, which no other request of the merchant has."""
    assert call.idempotency is not None, "the operation requires one"
    return _of_till(call.idempotency, till_id)


def _of_till(idempotency: Idempotency, till_id: UUID) -> Idempotency:
    return idempotency._replace(key=_key(till_id, idempotency.key))


def _key(till_id: UUID, key: str) -> str:
    """A till's key as it is kept: a till names its own requests, and none of anybody else's."""
    return f"tap/{sha256(till_id.bytes + key.encode()).hexdigest()[:_KEY_DIGITS]}"


def _unpacked(text: str) -> bytes:
    """Base64's bytes. Raises `Invalid`."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise Invalid("icc", "is no Base64") from None


OPERATIONS = (
    take_tap,
    reverse_tap,
    refund_tap,
    get_till_acceptance,
    stream_till_acceptance,
    get_card_authorities,
)
