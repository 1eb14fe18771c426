"""The sandbox over the API: its clock and its buyer. Mounted in sandbox mode only."""

from datetime import timedelta
from typing import Annotated, Final, Protocol

from msgspec import Meta

from tandem.api.operation import Body, Call, operation
from tandem.kernel import Ids
from tandem.ledger import Outcome
from tandem.sandbox.buyer import Buyer, BuyerRule, BuyerRules
from tandem.sandbox.clock import ClockView, VirtualClock
from tandem.sandbox.walk_in import list_walk_ins, sign_in_to_sandbox
from tandem.settings import Settings
from tandem.wallet import TopUpView, Wallet


class Services(Protocol):
    """What these operations use."""

    @property
    def virtual_clock(self) -> VirtualClock:
        """The sandbox's clock."""
        ...

    @property
    def buyer(self) -> Buyer:
        """The sandbox's buyer."""
        ...

    @property
    def settings(self) -> Settings:
        """Whether this is a sandbox."""
        ...

    @property
    def wallet(self) -> Wallet:
        """Books top-ups."""
        ...

    @property
    def ids(self) -> Ids:
        """Makes references that no other top-up has."""
        ...


MOST_PLAY_MONEY: Final = 10_000_000
"""The most minor units of one top-up: enough for every limit, and no balance overflows by it."""


class AdvanceClock(Body, frozen=True, kw_only=True):
    """How far to move the clock."""

    seconds: Annotated[
        int, Meta(ge=1, le=366 * 86_400, description="Forward by this much", examples=[3600])
    ]


class SetBuyer(Body, frozen=True, kw_only=True):
    """The buyer's rules; the first that matches holds."""

    rules: Annotated[
        tuple[BuyerRule, ...],
        Meta(
            max_length=100,
            examples=[[{"amount": 1300, "action": "decline"}, {"action": "pay"}]],
        ),
    ]


class PlayMoney(Body, frozen=True, kw_only=True):
    """How much play money to put into one's own wallet."""

    amount: Annotated[
        int,
        Meta(ge=1, le=MOST_PLAY_MONEY, description="Minor units of the currency", examples=[10000]),
    ]
    currency: Annotated[
        str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217 code", examples=["CNY"])
    ]


@operation(
    "GET",
    "/v1/sandbox/clock",
    tag="Sandbox",
    summary="Read the clock",
    who=("operator", "merchant", "person"),
    scope="payments:read",
)
async def get_clock(call: Call[Services]) -> ClockView:
    """What time it is in the sandbox: the time that a phone makes its pay codes for."""
    return call.services.virtual_clock.view()


@operation(
    "POST",
    "/v1/sandbox/clock/advance",
    tag="Sandbox",
    summary="Advance the clock",
    who=("operator", "merchant"),
    scope="payments:write",
)
async def advance_clock(call: Call[Services], body: AdvanceClock) -> ClockView:
    """Move the clock forward. Timers follow: what is due by then expires or is tried again."""
    return await call.services.virtual_clock.advance(timedelta(seconds=body.seconds))


@operation(
    "POST",
    "/v1/sandbox/top-ups",
    tag="Sandbox",
    summary="Top up your wallet",
    who=("person",),
    status=201,
    idempotency="required",
    answer=TopUpView,
)
async def top_up_in_sandbox(call: Call[Services], body: PlayMoney) -> Outcome:
    """Put play money into your own wallet, as the operator books what came in at the bank."""
    assert call.services.settings.sandbox, "production has no such door"
    assert call.idempotency is not None, "the operation requires one"
    return await call.services.wallet.top_up(
        call.principal.owner_id,
        body.amount,
        body.currency,
        f"sandbox {call.services.ids.new().hex}",
        call.idempotency,
    )


@operation(
    "GET",
    "/v1/sandbox/buyer",
    tag="Sandbox",
    summary="Read the buyer's rules",
    who=("operator", "merchant"),
    scope="payments:read",
)
async def get_buyer(call: Call[Services]) -> BuyerRules:
    """What the buyer does with which payment."""
    return await call.services.buyer.rules()


@operation(
    "PUT",
    "/v1/sandbox/buyer",
    tag="Sandbox",
    summary="Set the buyer's rules",
    who=("operator", "merchant"),
    scope="payments:write",
)
async def set_buyer(call: Call[Services], body: SetBuyer) -> BuyerRules:
    """Let a buyer pay, decline or be slow, by a payment's amount or by a name in it."""
    return await call.services.buyer.set_rules(BuyerRules(rules=body.rules))


SANDBOX_OPERATIONS: Final = (
    get_clock,
    advance_clock,
    get_buyer,
    set_buyer,
    top_up_in_sandbox,
    list_walk_ins,
    sign_in_to_sandbox,
)
