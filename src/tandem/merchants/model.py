"""Merchants, shops, tills, and what each accepts: rows, shapes, decisions. Pure.

Amounts in minor units.
"""

from datetime import datetime
from typing import Annotated, Final, Literal, get_args
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tandem.access.model import MEANINGS, Scope
from tandem.kernel import MAX_AMOUNT, basis_points, show_id
from tandem.merchants.errors import WayRefused

Way = Literal["tap", "scan", "click"]
WAYS: Final[tuple[Way, ...]] = get_args(Way)
"""The ways that a policy can be about."""

OfferedWay = Literal["scan", "click"]
OFFERED: Final[tuple[OfferedWay, ...]] = get_args(OfferedWay)
"""The ways that payments can be made in here: what is asked for, and what refusals recommend."""

MerchantStatus = Literal["active", "suspended"]

Name = Annotated[str, Meta(min_length=1, max_length=100, examples=["Blue Door"])]
CurrencyCode = Annotated[
    str, Meta(pattern="^[A-Z]{3}$", max_length=3, description="ISO 4217 code", examples=["CNY"])
]
Country = Annotated[
    str,
    Meta(pattern="^[A-Z]{2}$", max_length=2, description="ISO 3166-1 alpha-2", examples=["CN"]),
]
Category = Annotated[
    str,
    Meta(
        pattern="^[0-9]{4}$",
        max_length=4,
        description="ISO 18245 merchant category",
        examples=["5814"],
    ),
]
Language = Annotated[
    str,
    Meta(
        pattern="^[a-z]{2}$",
        max_length=2,
        description="ISO 639-1: the language of a name or city that is not in Latin letters",
        examples=["zh"],
    ),
]
Money = Annotated[int, Meta(ge=0, le=MAX_AMOUNT, description="Minor units")]
ListedNames = Annotated[
    tuple[Annotated[str, Meta(min_length=1, max_length=64)], ...], Meta(max_length=100)
]


class WayRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether a way is open, and up to what amount in each currency (none named: any)."""

    enabled: bool = True
    max_amount: Annotated[
        dict[CurrencyCode, Money],
        Meta(description="Largest amount by currency", examples=[{"CNY": 50000}], max_length=200),
    ] = {}


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which wallets or partners are taken: all, or only some, less those refused."""

    only: Annotated[ListedNames | None, Meta(description="None: all")] = None
    refused: ListedNames = ()

    def takes(self, name: str) -> bool:
        """Whether this one is taken."""
        return name not in self.refused and (self.only is None or name in self.only)


class Acceptance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An acceptance policy: which ways and wallets a shop or till takes.

    What is not said is accepted. `partners` is kept for later: there are no partner operators yet,
    so it has no effect.
    """

    ways: Annotated[
        dict[Way, WayRule],
        Meta(description="By way: tap, scan, click", examples=[{"tap": {"enabled": False}}]),
    ] = {}
    wallets: Choice = Choice()
    partners: Annotated[Choice, Meta(description="Kept for later; has no effect yet")] = Choice()
    aids: Annotated[
        Choice,
        Meta(
            description="Contactless applications by their AID in hexadecimal digits, or its first "
            "five bytes or more. The shop's terminals obey it"
        ),
    ] = Choice()

    def rule(self, way: Way) -> WayRule:
        """What holds for a way."""
        return self.ways.get(way, _OPEN)

    def objection(self, way: Way, wallet: str, currency: str, amount: int) -> str | None:
        """The reason why this way does not take the payment; None if it does."""
        rule = self.rule(way)
        if not rule.enabled:
            return "way_off"
        if not self.wallets.takes(wallet):
            return "wallet_refused"
        limit = rule.max_amount.get(currency)
        return "amount_above_limit" if limit is not None and amount > limit else None

    def takes_aid(self, aid: str) -> bool:
        """Whether a terminal takes this application; a name stands for all AIDs that begin so."""
        only = self.aids.only
        return not _begins(aid, self.aids.refused) and (only is None or _begins(aid, only))

    def remaining(self, currency: str, amount: int, wallet: str) -> tuple[Way, ...]:
        """The ways that are offered here and take the payment."""
        return tuple(
            way for way in OFFERED if self.objection(way, wallet, currency, amount) is None
        )

    def check(self, way: Way, wallet: str, currency: str, amount: int) -> None:
        """Raise `WayRefused` if this way does not take the payment."""
        reason = self.objection(way, wallet, currency, amount)
        if reason is not None:
            limit = self.rule(way).max_amount.get(currency)
            left = self.remaining(currency, amount, wallet)
            most = limit if reason == "amount_above_limit" else None
            raise WayRefused(way, reason, most, currency, left)

    def check_partner(self, way: Way, partner: str, currency: str, amount: int) -> None:
        """Raise `WayRefused` if the partner's wallets are not taken, or not in this way."""
        if not self.partners.takes(partner):
            raise WayRefused(way, "partner_refused", None, currency, ())
        self.check(way, partner, currency, amount)


class TipSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a shop asks for a tip. Neither percentages nor an own amount: it does not ask."""

    percentages: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=100)], ...],
        Meta(max_length=4, description="What is suggested, of the price", examples=[[5, 10, 15]]),
    ] = ()
    own_amount: Annotated[
        bool, Meta(description="Whether the customer may type another amount", examples=[True])
    ] = False


_OPEN: Final = WayRule()
CLOSED: Final = Acceptance({way: WayRule(enabled=False) for way in WAYS})
"""What a closed till accepts."""


def narrow(shop: Acceptance, till: Acceptance) -> Acceptance:
    """What holds at a till: the stricter of the shop's policy and the till's own."""
    ways: dict[Way, WayRule] = {}
    for way in WAYS:
        one, other = shop.rule(way), till.rule(way)
        limits = dict(one.max_amount)
        for code, limit in other.max_amount.items():
            limits[code] = min(limit, limits.get(code, limit))
        ways[way] = WayRule(one.enabled and other.enabled, limits)
    return Acceptance(
        ways,
        _both(shop.wallets, till.wallets),
        _both(shop.partners, till.partners),
        _both_aids(shop.aids, till.aids),
    )


def _both(one: Choice, other: Choice) -> Choice:
    only = one.only if other.only is None else other.only
    if one.only is not None and other.only is not None:
        only = tuple(name for name in one.only if name in other.only)
    return Choice(only, tuple(dict.fromkeys((*one.refused, *other.refused))))


def _both_aids(one: Choice, other: Choice) -> Choice:
    """The same of AIDs, whose names stand for longer ones: the longer of two that agree."""
    both = _both(one, other)
    if one.only is None or other.only is None:
        return both
    longer = [n for n in one.only if _begins(n, other.only)]
    longer += [n for n in other.only if _begins(n, one.only)]
    return Choice(tuple(dict.fromkeys(longer)), both.refused)


def _begins(aid: str, names: tuple[str, ...]) -> bool:
    return any(aid.upper().startswith(name.upper()) for name in names)


class CurrencyTerms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a merchant pays and may owe in one currency."""

    fee_basis_points: Annotated[
        int, Meta(ge=0, le=10_000, description="Hundredths of a percent", examples=[60])
    ]
    fee_fixed: Annotated[Money, Meta(description="A fixed part for each payment", examples=[10])]
    overdraft: Annotated[
        Money, Meta(description="How far refunds may take the balance below zero", examples=[0])
    ] = 0


def fee(terms: CurrencyTerms, amount: int, *, first: bool) -> int:
    """The fee of a capture: basis points of it, and the fixed part with a payment's first one.

    Never more than the amount.
    """
    fixed = terms.fee_fixed if first else 0
    return min(amount, basis_points(amount, terms.fee_basis_points) + fixed)


class Merchant(msgspec.Struct, frozen=True):
    """A row of `merchants`, with its currencies."""

    id: UUID
    name: str
    status: MerchantStatus
    terms: int
    created_at: datetime
    currencies: dict[str, CurrencyTerms]


class Shop(msgspec.Struct, frozen=True):
    """A row of `shops`."""

    id: UUID
    merchant_id: UUID
    name: str
    city: str
    country: str
    category: str
    acceptance: Acceptance
    code_token: str
    created_at: datetime
    language: str | None = None
    tips: TipSettings = TipSettings()


class Till(msgspec.Struct, frozen=True):
    """A row of `tills`. One that is closed takes nothing, and stays for what it took."""

    id: UUID
    shop_id: UUID
    merchant_id: UUID
    name: str
    acceptance: Acceptance
    code_token: str
    created_at: datetime
    closed_at: datetime | None = None


class Place(msgspec.Struct, frozen=True):
    """Where a payment is taken, with all terms that hold there; `terms` is their version."""

    merchant_id: UUID
    merchant_name: str
    merchant_status: MerchantStatus
    terms: int
    currencies: dict[str, CurrencyTerms]
    shop_id: UUID
    shop_name: str
    shop_city: str
    shop_country: str
    shop_category: str
    shop_code_token: str
    till_id: UUID | None
    till_name: str | None
    till_code_token: str | None
    acceptance: Acceptance
    shop_language: str | None = None


class CreateMerchant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A merchant, and the currencies that it takes with their fees."""

    name: Name
    currencies: Annotated[
        dict[CurrencyCode, CurrencyTerms],
        Meta(
            min_length=1,
            max_length=50,
            examples=[{"CNY": {"fee_basis_points": 60, "fee_fixed": 10}}],
        ),
    ]


class SetCurrency(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A merchant's terms in one currency."""

    currency: CurrencyCode
    fee_basis_points: Annotated[int, Meta(ge=0, le=10_000, examples=[60])]
    fee_fixed: Money
    overdraft: Money = 0


class CreateShop(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A shop."""

    name: Name
    city: Annotated[str, Meta(min_length=1, max_length=60, examples=["Hangzhou"])]
    country: Country
    category: Category = "5999"
    language: Language | None = None
    acceptance: Acceptance = Acceptance()


class UpdateShop(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes of a shop; what is not given stays. `language` null takes it away."""

    name: Name | None = None
    city: Annotated[str, Meta(min_length=1, max_length=60)] | None = None
    country: Country | None = None
    category: Category | None = None
    language: Language | UnsetType | None = UNSET


class CreateTill(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A till of a shop."""

    name: Annotated[str, Meta(min_length=1, max_length=100, examples=["Till 1"])]
    acceptance: Acceptance = Acceptance()


class UpdateTill(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes of a till; what is not given stays."""

    name: Name | UnsetType = UNSET
    closed: Annotated[
        bool | UnsetType, Meta(description="Closed: it takes no payment until it is opened again")
    ] = UNSET


class CreateKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An API key with the scopes that it may use."""

    name: Annotated[str, Meta(min_length=1, max_length=100, examples=["Till server"])]
    scopes: Annotated[
        list[Scope],
        Meta(
            description=MEANINGS,
            min_length=1,
            max_length=20,
            examples=[["payments:write", "payments:read"]],
        ),
    ]


class MerchantView(msgspec.Struct, frozen=True):
    """A merchant."""

    id: Annotated[str, Meta(examples=["mer_0199f0a4c0de70008000000000000006"])]
    name: Name
    status: MerchantStatus
    currencies: dict[str, CurrencyTerms]
    created_at: datetime


class ShopView(msgspec.Struct, frozen=True):
    """A shop, with what it accepts."""

    id: Annotated[str, Meta(examples=["shp_0199f0a4c0de70008000000000000003"])]
    name: Name
    city: str
    country: str
    category: str
    language: Language | None
    acceptance: Acceptance
    code_token: Annotated[str, Meta(description="Of its static code: /c/{token}")]
    created_at: datetime
    tips: TipSettings = TipSettings()


class TillView(msgspec.Struct, frozen=True):
    """A till, with what it accepts beside what its shop does."""

    id: Annotated[str, Meta(examples=["til_0199f0a4c0de70008000000000000004"])]
    shop_id: str
    name: str
    acceptance: Acceptance
    code_token: Annotated[str, Meta(description="Of its static code: /c/{token}")]
    created_at: datetime
    closed_at: Annotated[
        datetime | None, Meta(description="Since when it takes nothing; none: it is open")
    ]


def merchant_view(merchant: Merchant) -> MerchantView:
    """The merchant as it is shown."""
    return MerchantView(
        show_id("mer", merchant.id),
        merchant.name,
        merchant.status,
        merchant.currencies,
        merchant.created_at,
    )


def shop_view(shop: Shop) -> ShopView:
    """The shop as it is shown."""
    return ShopView(
        show_id("shp", shop.id),
        shop.name,
        shop.city,
        shop.country,
        shop.category,
        shop.language,
        shop.acceptance,
        shop.code_token,
        shop.created_at,
        shop.tips,
    )


def till_view(till: Till) -> TillView:
    """The till as it is shown."""
    return TillView(
        show_id("til", till.id),
        show_id("shp", till.shop_id),
        till.name,
        till.acceptance,
        till.code_token,
        till.created_at,
        till.closed_at,
    )
