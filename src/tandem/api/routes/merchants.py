"""Merchants: shops, tills, what they accept, API keys; for themselves and for the operator."""

from typing import Annotated, Literal, Protocol
from uuid import UUID

from msgspec import Meta

from tandem.access import SCOPES, KeyView, NewKey, NoSuchScope
from tandem.access.model import key_view
from tandem.api.errors import ScopeMissing
from tandem.api.operation import Call, ListQuery, Page, operation, page
from tandem.ledger import OverdraftInUse
from tandem.merchants import (
    Acceptance,
    CreateKey,
    CreateMerchant,
    CreateShop,
    CreateTill,
    CurrencyTerms,
    Merchants,
    MerchantView,
    SetCurrency,
    ShopView,
    TillView,
    TipSettings,
    UpdateShop,
    UpdateTill,
    shop_view,
    till_view,
)
from tandem.merchants.model import merchant_view


class Services(Protocol):
    """What these operations use."""

    @property
    def merchants(self) -> Merchants:
        """The use cases of merchants."""
        ...


class MerchantsQuery(ListQuery, frozen=True):
    """Which merchants to list."""

    search: Annotated[
        Annotated[str, Meta(min_length=1, max_length=100)] | None,
        Meta(description="Only merchants whose name begins with this"),
    ] = None
    status: Annotated[
        Literal["active", "suspended"] | None, Meta(description="Only merchants in this state")
    ] = None


@operation(
    "POST",
    "/v1/merchants",
    tag="Merchants",
    summary="Make a merchant",
    who=("operator",),
    status=201,
    idempotency="required",
)
async def create_merchant(call: Call[Services], body: CreateMerchant) -> MerchantView:
    """A merchant, with the currencies that it takes and its fees. Make it a key next."""
    made = await call.services.merchants.create(body.name, body.currencies, call.idempotency)
    return merchant_view(made)


@operation(
    "GET",
    "/v1/merchants",
    tag="Merchants",
    summary="List merchants",
    who=("operator",),
)
async def list_merchants(call: Call[Services], query: MerchantsQuery) -> Page[MerchantView]:
    """All merchants, newest first."""
    rows = await call.services.merchants.all(
        query.after_id("mer"), query.limit + 1, query.search, query.status
    )
    return page(rows, query.limit, merchant_view)


@operation(
    "GET",
    "/v1/merchants/me",
    tag="Merchants",
    summary="See yourself",
    who=("merchant",),
    scope="shops:read",
    rows={"currencies": "currency"},
)
async def get_my_merchant(call: Call[Services]) -> MerchantView:
    """The merchant whose key asks, with its fees: as a table, by currency."""
    return merchant_view(await call.services.merchants.get(call.principal.owner_id))


@operation(
    "GET",
    "/v1/merchants/{merchant_id}",
    tag="Merchants",
    summary="Get a merchant",
    who=("operator",),
    rows={"currencies": "currency"},
)
async def get_merchant(call: Call[Services], merchant_id: UUID) -> MerchantView:
    """One merchant, with its fees and how far it may go below zero: as a table, by currency."""
    return merchant_view(await call.services.merchants.get(merchant_id))


@operation(
    "PUT",
    "/v1/merchants/{merchant_id}/currencies",
    tag="Merchants",
    summary="Set fees and overdraft",
    who=("operator",),
    errors=(OverdraftInUse,),
    why=True,
)
async def set_merchant_currency(
    call: Call[Services], merchant_id: UUID, body: SetCurrency
) -> MerchantView:
    """Fees and overdraft in one currency; they hold from the next payment on."""
    terms = CurrencyTerms(body.fee_basis_points, body.fee_fixed, body.overdraft)
    return merchant_view(
        await call.services.merchants.set_currency(merchant_id, body.currency, terms)
    )


@operation(
    "POST",
    "/v1/merchants/{merchant_id}/suspend",
    tag="Merchants",
    summary="Suspend",
    who=("operator",),
    office="support",
    why=True,
)
async def suspend_merchant(call: Call[Services], merchant_id: UUID) -> MerchantView:
    """It takes no payments until it is resumed. Refunds go on."""
    return merchant_view(await call.services.merchants.set_status(merchant_id, "suspended"))


@operation(
    "POST",
    "/v1/merchants/{merchant_id}/resume",
    tag="Merchants",
    summary="Resume",
    who=("operator",),
    office="support",
    why=True,
)
async def resume_merchant(call: Call[Services], merchant_id: UUID) -> MerchantView:
    """It takes payments again."""
    return merchant_view(await call.services.merchants.set_status(merchant_id, "active"))


@operation(
    "POST",
    "/v1/merchants/{merchant_id}/keys",
    tag="Merchants",
    summary="Make a key for a merchant",
    who=("operator",),
    status=201,
    idempotency="required",
    errors=(NoSuchScope,),
)
async def create_key_for_merchant(
    call: Call[Services], merchant_id: UUID, body: CreateKey
) -> NewKey:
    """The first key of a merchant, with which it makes its own. The secret is shown only here."""
    return await call.services.merchants.create_key(
        merchant_id, body.name, body.scopes, call.idempotency
    )


@operation(
    "GET",
    "/v1/merchants/{merchant_id}/keys",
    tag="Merchants",
    summary="List keys of a merchant",
    who=("operator",),
)
async def list_keys_for_merchant(
    call: Call[Services], merchant_id: UUID, query: ListQuery
) -> Page[KeyView]:
    """Keys, also revoked ones, without their secrets, newest first."""
    rows = await call.services.merchants.keys(merchant_id, query.after_id("key"), query.limit + 1)
    return page(rows, query.limit, key_view)


@operation(
    "DELETE",
    "/v1/merchants/{merchant_id}/keys/{key_id}",
    tag="Merchants",
    summary="Revoke a key of a merchant",
    who=("operator",),
    why=True,
)
async def revoke_key_for_merchant(call: Call[Services], merchant_id: UUID, key_id: UUID) -> None:
    """It works no more, everywhere within a second."""
    await call.services.merchants.revoke_key(merchant_id, key_id)


@operation(
    "POST",
    "/v1/merchants/{merchant_id}/shops",
    tag="Merchants",
    summary="Make a shop for a merchant",
    who=("operator",),
    status=201,
    idempotency="required",
)
async def create_shop_for_merchant(
    call: Call[Services], merchant_id: UUID, body: CreateShop
) -> ShopView:
    """A shop with a static code, on which people type the amount."""
    made = await call.services.merchants.create_shop(
        merchant_id,
        body.name,
        body.city,
        body.country,
        body.category,
        body.acceptance,
        call.idempotency,
        language=body.language,
    )
    return shop_view(made)


@operation(
    "GET",
    "/v1/merchants/{merchant_id}/shops",
    tag="Merchants",
    summary="List shops of a merchant",
    who=("operator",),
)
async def list_shops_for_merchant(
    call: Call[Services], merchant_id: UUID, query: ListQuery
) -> Page[ShopView]:
    """Shops, newest first."""
    rows = await call.services.merchants.shops(merchant_id, query.after_id("shp"), query.limit + 1)
    return page(rows, query.limit, shop_view)


@operation(
    "POST",
    "/v1/keys",
    tag="Merchants",
    summary="Make a key",
    who=("merchant",),
    scope="keys:write",
    status=201,
    idempotency="required",
    errors=(NoSuchScope,),
)
async def create_key(call: Call[Services], body: CreateKey) -> NewKey:
    """A key with some of the scopes that this one has. The secret is shown only here."""
    for scope in body.scopes:
        if scope in SCOPES["merchant"] and scope not in call.principal.scopes:
            raise ScopeMissing(scope)
    return await call.services.merchants.create_key(
        call.principal.owner_id, body.name, body.scopes, call.idempotency
    )


@operation(
    "GET",
    "/v1/keys",
    tag="Merchants",
    summary="List keys",
    who=("merchant",),
    scope="keys:write",
)
async def list_keys(call: Call[Services], query: ListQuery) -> Page[KeyView]:
    """Keys, also revoked ones, without their secrets, newest first."""
    rows = await call.services.merchants.keys(
        call.principal.owner_id, query.after_id("key"), query.limit + 1
    )
    return page(rows, query.limit, key_view)


@operation(
    "DELETE",
    "/v1/keys/{key_id}",
    tag="Merchants",
    summary="Revoke a key",
    who=("merchant",),
    scope="keys:write",
)
async def revoke_key(call: Call[Services], key_id: UUID) -> None:
    """It works no more, everywhere within a second."""
    await call.services.merchants.revoke_key(call.principal.owner_id, key_id)


@operation(
    "POST",
    "/v1/shops",
    tag="Merchants",
    summary="Make a shop",
    who=("merchant",),
    scope="shops:write",
    status=201,
    idempotency="required",
)
async def create_shop(call: Call[Services], body: CreateShop) -> ShopView:
    """A shop with a static code, on which people type the amount."""
    made = await call.services.merchants.create_shop(
        call.principal.owner_id,
        body.name,
        body.city,
        body.country,
        body.category,
        body.acceptance,
        call.idempotency,
        language=body.language,
    )
    return shop_view(made)


@operation(
    "GET",
    "/v1/shops",
    tag="Merchants",
    summary="List shops",
    who=("merchant",),
    scope="shops:read",
)
async def list_shops(call: Call[Services], query: ListQuery) -> Page[ShopView]:
    """Shops, newest first."""
    rows = await call.services.merchants.shops(
        call.principal.owner_id, query.after_id("shp"), query.limit + 1
    )
    return page(rows, query.limit, shop_view)


@operation(
    "GET",
    "/v1/shops/{shop_id}",
    tag="Merchants",
    summary="Get a shop",
    who=("merchant",),
    scope="shops:read",
)
async def get_shop(call: Call[Services], shop_id: UUID) -> ShopView:
    """One shop, with what it accepts."""
    return shop_view(await call.services.merchants.shop(call.principal.owner_id, shop_id))


@operation(
    "PATCH",
    "/v1/shops/{shop_id}",
    tag="Merchants",
    summary="Change a shop",
    who=("merchant",),
    scope="shops:write",
)
async def update_shop(call: Call[Services], shop_id: UUID, body: UpdateShop) -> ShopView:
    """Name, city, country, category or language; what is left out stays."""
    changed = await call.services.merchants.update_shop(call.principal.owner_id, shop_id, body)
    return shop_view(changed)


@operation(
    "PUT",
    "/v1/shops/{shop_id}/acceptance",
    tag="Merchants",
    summary="Set what a shop accepts",
    who=("merchant",),
    scope="shops:write",
)
async def set_shop_acceptance(call: Call[Services], shop_id: UUID, body: Acceptance) -> ShopView:
    """Ways to pay and wallets, up to what amount. What is not said is accepted."""
    changed = await call.services.merchants.accept_at_shop(call.principal.owner_id, shop_id, body)
    return shop_view(changed)


@operation(
    "PUT",
    "/v1/shops/{shop_id}/tips",
    tag="Merchants",
    summary="Set how a shop asks for a tip",
    who=("merchant",),
    scope="shops:write",
)
async def set_shop_tips(call: Call[Services], shop_id: UUID, body: TipSettings) -> ShopView:
    """What its tills suggest, and whether another amount may be typed. With neither none asks."""
    changed = await call.services.merchants.ask_for_tips(call.principal.owner_id, shop_id, body)
    return shop_view(changed)


@operation(
    "POST",
    "/v1/shops/{shop_id}/tills",
    tag="Merchants",
    summary="Make a till",
    who=("merchant",),
    scope="shops:write",
    status=201,
    idempotency="required",
)
async def create_till(call: Call[Services], shop_id: UUID, body: CreateTill) -> TillView:
    """A till of a shop, with a static code of its own."""
    made = await call.services.merchants.create_till(
        call.principal.owner_id, shop_id, body.name, body.acceptance, call.idempotency
    )
    return till_view(made)


@operation(
    "GET",
    "/v1/shops/{shop_id}/tills",
    tag="Merchants",
    summary="List a shop's tills",
    who=("merchant",),
    scope="shops:read",
)
async def list_tills(call: Call[Services], shop_id: UUID, query: ListQuery) -> Page[TillView]:
    """A shop's tills, newest first."""
    rows = await call.services.merchants.tills(
        call.principal.owner_id, shop_id, query.after_id("til"), query.limit + 1
    )
    return page(rows, query.limit, till_view)


@operation(
    "GET",
    "/v1/tills/{till_id}",
    tag="Merchants",
    summary="Get a till",
    who=("merchant",),
    scope="shops:read",
)
async def get_till(call: Call[Services], till_id: UUID) -> TillView:
    """One till, with what it accepts beside its shop."""
    return till_view(await call.services.merchants.till(call.principal.owner_id, till_id))


@operation(
    "PATCH",
    "/v1/tills/{till_id}",
    tag="Merchants",
    summary="Change a till",
    who=("merchant",),
    scope="shops:write",
)
async def update_till(call: Call[Services], till_id: UUID, body: UpdateTill) -> TillView:
    """Rename it, close it or open it again. What is left out stays.

    A closed till takes no payment, by whatever way, and its static code neither; what it took is
    still refunded. What a terminal approved offline is taken: if it was stolen, revoke its key too.
    """
    return till_view(
        await call.services.merchants.update_till(call.principal.owner_id, till_id, body)
    )


@operation(
    "PUT",
    "/v1/tills/{till_id}/acceptance",
    tag="Merchants",
    summary="Set what a till accepts",
    who=("merchant",),
    scope="shops:write",
)
async def set_till_acceptance(call: Call[Services], till_id: UUID, body: Acceptance) -> TillView:
    """The stricter of the shop's policy and the till's own holds."""
    changed = await call.services.merchants.accept_at_till(call.principal.owner_id, till_id, body)
    return till_view(changed)


OPERATIONS = (
    create_merchant,
    list_merchants,
    get_my_merchant,
    get_merchant,
    set_merchant_currency,
    suspend_merchant,
    resume_merchant,
    create_key_for_merchant,
    list_keys_for_merchant,
    revoke_key_for_merchant,
    create_shop_for_merchant,
    list_shops_for_merchant,
    create_key,
    list_keys,
    revoke_key,
    create_shop,
    list_shops,
    get_shop,
    update_shop,
    set_shop_acceptance,
    set_shop_tips,
    create_till,
    list_tills,
    get_till,
    update_till,
    set_till_acceptance,
)
