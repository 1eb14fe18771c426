"""Codes: what a scanned text is, and the codes that a shop shows, as text and as pictures."""

import asyncio
from typing import Annotated, Literal, Protocol
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.api.operation import Body, Call, Query, Raw, operation
from tandem.codes import (
    LinkCode,
    PersonCode,
    SchemeCode,
    TandemCode,
    WalletCode,
    code_faults,
    draw_qr,
    read_scan,
)
from tandem.codes.scan import MAX_SCAN
from tandem.kernel import Currency, NotFound, currency, show_id
from tandem.merchants import Merchants, Place, WayRefused
from tandem.payments import CurrencyNotTaken, Payments, link, order_code
from tandem.settings import Settings

SVG = "image/svg+xml"
PNG = "image/png"
Scale = Annotated[int, Meta(ge=1, le=32, description="Pixels of a module's side", examples=[8])]


class Services(Protocol):
    """What these operations use."""

    @property
    def merchants(self) -> Merchants:
        """Shops and tills."""
        ...

    @property
    def payments(self) -> Payments:
        """Orders."""
        ...

    @property
    def settings(self) -> Settings:
        """Where codes lead."""
        ...


class ReadCode(Body, frozen=True, kw_only=True):
    """A text that was scanned."""

    text: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAX_SCAN,
            description="What the camera or the scanner read",
            examples=["281234567812345678"],
        ),
    ]


class CodeField(msgspec.Struct, frozen=True):
    """One data object of an EMVCo payload."""

    path: Annotated[str, Meta(description="Its ids from the root", examples=["59"])]
    name: Annotated[str, Meta(examples=["Merchant Name"])]
    value: Annotated[str, Meta(examples=["Blue Door"])]
    meaning: Annotated[str, Meta(description="What it stands for, if it is a code")]


class CodeReading(msgspec.Struct, frozen=True):
    """What a text is."""

    kind: Annotated[
        Literal["tandem", "scheme", "link", "pay_code", "wallet_code", "unknown"],
        Meta(
            description=(
                "tandem: a shop's code of Tandem; scheme: an EMVCo code of others, or a damaged "
                "one; link: a bare link; pay_code: a person's code; wallet_code: a code of "
                "another wallet; unknown: nothing known here"
            ),
            examples=["tandem"],
        ),
    ]
    url: Annotated[
        str | None,
        Meta(description="Where it leads", examples=["https://pay.example/c/Zm9vYmFyYmF6cXV4MTIz"]),
    ] = None
    schemes: Annotated[
        tuple[str, ...], Meta(description="Whose codes are in it", examples=[["Tandem"]])
    ] = ()
    faults: Annotated[
        tuple[str, ...], Meta(description="What is wrong with it; pay by none that has any")
    ] = ()
    fields: Annotated[tuple[CodeField, ...], Meta(description="All its data objects")] = ()
    reason: Annotated[str | None, Meta(description="Why it is unknown")] = None


class CodeQuery(Query, frozen=True):
    """The code to make of a shop or a till."""

    currency: Annotated[
        Annotated[str, Meta(pattern="^[A-Z]{3}$")] | None,
        Meta(
            description=(
                "The currency in which people pay, one that the merchant takes; if not given, the "
                "first of the operator's that it takes"
            ),
            examples=["CNY"],
        ),
    ] = None


class ScaleQuery(Query, frozen=True):
    """How large to draw."""

    scale: Scale = 8


class PictureQuery(CodeQuery, frozen=True):
    """The picture to draw."""

    scale: Scale = 8


class CodeView(msgspec.Struct, frozen=True):
    """A code to show."""

    url: Annotated[
        str,
        Meta(
            description="The link in it: an ordinary camera opens it",
            examples=["https://pay.example/c/Zm9vYmFyYmF6cXV4MTIz"],
        ),
    ]
    payload: Annotated[
        str, Meta(description="The text to draw: an EMVCo merchant-presented payload")
    ]


@operation(
    "POST",
    "/v1/codes/read",
    tag="Codes",
    summary="Read a code",
    who=("merchant", "person", "operator"),
    office="read",
    scope="payments:read",
)
async def read_code(call: Call[Services], body: ReadCode) -> CodeReading:
    """What a scanned text is: one of Tandem's, of another scheme or wallet, or nothing known.

    Nothing is looked up and nothing is paid. A person's pay code is told by its form only.
    """
    del call  # a key is needed, and no more is asked of it
    return _reading(body.text)


@operation(
    "GET",
    "/v1/shops/{shop_id}/code",
    tag="Codes",
    summary="Get a shop's static code",
    who=("merchant",),
    scope="shops:read",
    errors=(CurrencyNotTaken,),
)
async def get_shop_code(call: Call[Services], shop_id: UUID, query: CodeQuery) -> CodeView:
    """A code to print: people type the amount."""
    return await _static_code(call, query.currency, shop_id=shop_id)


@operation(
    "GET",
    "/v1/shops/{shop_id}/code.svg",
    tag="Codes",
    summary="Draw a shop's static code as SVG",
    who=("merchant",),
    scope="shops:read",
    media_type=SVG,
    errors=(CurrencyNotTaken,),
)
async def draw_shop_code_svg(call: Call[Services], shop_id: UUID, query: PictureQuery) -> Raw:
    """A picture that stays sharp at any size."""
    return await _svg(await _static_code(call, query.currency, shop_id=shop_id), query.scale)


@operation(
    "GET",
    "/v1/shops/{shop_id}/code.png",
    tag="Codes",
    summary="Draw a shop's static code as PNG",
    who=("merchant",),
    scope="shops:read",
    media_type=PNG,
    errors=(CurrencyNotTaken,),
)
async def draw_shop_code_png(call: Call[Services], shop_id: UUID, query: PictureQuery) -> Raw:
    """A picture of black and white pixels."""
    return await _png(await _static_code(call, query.currency, shop_id=shop_id), query.scale)


@operation(
    "GET",
    "/v1/tills/{till_id}/code",
    tag="Codes",
    summary="Get a till's static code",
    who=("merchant",),
    scope="shops:read",
    errors=(CurrencyNotTaken,),
)
async def get_till_code(call: Call[Services], till_id: UUID, query: CodeQuery) -> CodeView:
    """A code to stick to a till: people type the amount."""
    return await _static_code(call, query.currency, till_id=till_id)


@operation(
    "GET",
    "/v1/tills/{till_id}/code.svg",
    tag="Codes",
    summary="Draw a till's static code as SVG",
    who=("merchant",),
    scope="shops:read",
    media_type=SVG,
    errors=(CurrencyNotTaken,),
)
async def draw_till_code_svg(call: Call[Services], till_id: UUID, query: PictureQuery) -> Raw:
    """A picture that stays sharp at any size."""
    return await _svg(await _static_code(call, query.currency, till_id=till_id), query.scale)


@operation(
    "GET",
    "/v1/tills/{till_id}/code.png",
    tag="Codes",
    summary="Draw a till's static code as PNG",
    who=("merchant",),
    scope="shops:read",
    media_type=PNG,
    errors=(CurrencyNotTaken,),
)
async def draw_till_code_png(call: Call[Services], till_id: UUID, query: PictureQuery) -> Raw:
    """A picture of black and white pixels."""
    return await _png(await _static_code(call, query.currency, till_id=till_id), query.scale)


@operation(
    "GET",
    "/v1/payments/{payment_id}/code",
    tag="Codes",
    summary="Get an order's code",
    who=("merchant",),
    scope="payments:read",
    errors=(WayRefused,),
)
async def get_payment_code(call: Call[Services], payment_id: UUID) -> CodeView:
    """The code of a payment that was created as an order: whoever scans it pays this amount.

    Refused while the shop does not take the payment by scan, also if the order is for `click`: its
    link, `/c/` and the `code_token`, can then be clicked and not shown as a code.
    """
    return await _payment_code(call, payment_id)


@operation(
    "GET",
    "/v1/payments/{payment_id}/code.svg",
    tag="Codes",
    summary="Draw an order's code as SVG",
    who=("merchant",),
    scope="payments:read",
    media_type=SVG,
    errors=(WayRefused,),
)
async def draw_payment_code_svg(call: Call[Services], payment_id: UUID, query: ScaleQuery) -> Raw:
    """A picture that stays sharp at any size."""
    return await _svg(await _payment_code(call, payment_id), query.scale)


@operation(
    "GET",
    "/v1/payments/{payment_id}/code.png",
    tag="Codes",
    summary="Draw an order's code as PNG",
    who=("merchant",),
    scope="payments:read",
    media_type=PNG,
    errors=(WayRefused,),
)
async def draw_payment_code_png(call: Call[Services], payment_id: UUID, query: ScaleQuery) -> Raw:
    """A picture of black and white pixels."""
    return await _png(await _payment_code(call, payment_id), query.scale)


def _reading(text: str) -> CodeReading:
    scan = read_scan(text)
    if isinstance(scan, (TandemCode, SchemeCode)):
        payload = scan.payload
        return CodeReading(
            "tandem" if isinstance(scan, TandemCode) else "scheme",
            url=scan.url if isinstance(scan, TandemCode) else None,
            schemes=tuple(payload.schemes),
            faults=code_faults(payload),
            fields=tuple(CodeField(*line) for line in payload.describe()),
        )
    if isinstance(scan, LinkCode):
        return CodeReading("link", url=scan.url)
    if isinstance(scan, PersonCode):
        return CodeReading("pay_code")
    if isinstance(scan, WalletCode):
        return CodeReading("wallet_code")
    return CodeReading("unknown", reason=scan.reason)


async def _static_code(
    call: Call[Services],
    code: str | None,
    *,
    shop_id: UUID | None = None,
    till_id: UUID | None = None,
) -> CodeView:
    place = await call.services.merchants.place(
        call.principal.owner_id, shop_id=shop_id, till_id=till_id
    )
    settings = call.services.settings
    token = place.till_code_token or place.shop_code_token
    return _code(settings, place, token, _unit(settings, place, code))


async def _payment_code(call: Call[Services], payment_id: UUID) -> CodeView:
    owner = call.principal.owner_id
    payment = await call.services.payments.of_merchant(owner, payment_id)
    if payment.code_token is None:
        raise NotFound("code of payment", show_id("pay", payment_id))
    place = await call.services.merchants.place(
        owner, shop_id=payment.shop_id, till_id=payment.till_id
    )
    settings = call.services.settings
    # A code is there to be scanned, whatever the order was made for.
    place.acceptance.check("scan", settings.wallet, payment.currency, payment.amount)
    return _code(
        settings,
        place,
        payment.code_token,
        currency(payment.currency),
        payment.amount,
        payment.order_reference,
    )


def _unit(settings: Settings, place: Place, code: str | None) -> Currency:
    """The currency of a static code: one that the merchant takes. Raises `CurrencyNotTaken`."""
    taken = sorted(place.currencies)
    if code is None:
        ours = (unit.code for unit in settings.currencies if unit.code in taken)
        code = next(ours, taken[0])
    if code not in taken:
        raise CurrencyNotTaken(code, tuple(taken))
    return currency(code)


def _code(
    settings: Settings,
    place: Place,
    token: str,
    unit: Currency,
    amount: int | None = None,
    reference: str | None = None,
) -> CodeView:
    url = settings.public_url
    return CodeView(link(url, token), order_code(url, place, token, unit, amount, reference))


async def _svg(code: CodeView, scale: int) -> Raw:
    """Drawing takes some milliseconds: beside the event loop, not in it."""
    drawn = await asyncio.to_thread(lambda: draw_qr(code.payload).svg("Code to pay", scale))
    return Raw(drawn.encode(), SVG)


async def _png(code: CodeView, scale: int) -> Raw:
    return Raw(await asyncio.to_thread(lambda: draw_qr(code.payload).png(scale)), PNG)


OPERATIONS = (
    read_code,
    get_shop_code,
    draw_shop_code_svg,
    draw_shop_code_png,
    get_till_code,
    draw_till_code_svg,
    draw_till_code_png,
    get_payment_code,
    draw_payment_code_svg,
    draw_payment_code_png,
)
