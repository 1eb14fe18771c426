"""The installation as whoever runs it sees it: health, jobs, keys, verifications of the books."""

from datetime import date, datetime
from typing import Annotated, Protocol
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.access import Principal
from tandem.acquiring import LinkKeys
from tandem.api.operation import Call, ListQuery, Page, operation, page
from tandem.api.sealed import secrets_by_key
from tandem.cards import Cards
from tandem.db import Pool
from tandem.events import EndpointOff, Webhooks
from tandem.health import Health, HealthView, JobView
from tandem.kernel import Clock, show_id
from tandem.keyring import RotatingRing
from tandem.ledger import VerificationRuns, Verifications, VerificationView, verification_view
from tandem.office import DeliveryFilter, DeliveryOfMerchant, all_deliveries


class Services(Protocol):
    """What these operations use."""

    @property
    def pool(self) -> Pool:
        """Connections for reads."""
        ...

    @property
    def clock(self) -> Clock:
        """The time."""
        ...

    @property
    def health(self) -> Health:
        """How the installation is."""
        ...

    @property
    def verifications(self) -> Verifications:
        """Verifications of the books."""
        ...

    @property
    def webhooks(self) -> Webhooks:
        """Sends deliveries again."""
        ...

    @property
    def keyring(self) -> RotatingRing:
        """The ids of the keys at rest."""
        ...

    @property
    def cards(self) -> Cards:
        """The card keys' numbers and times."""
        ...

    @property
    def link_keys(self) -> LinkKeys:
        """The keys of links with terminals."""
        ...


class JobList(msgspec.Struct, frozen=True):
    """What waits, by kind."""

    data: list[JobView]


class DeliveriesQuery(ListQuery, frozen=True):
    """Which deliveries to list."""

    status: Annotated[
        DeliveryFilter,
        Meta(description="Those that nobody tries any more, those overdue, or all that wait"),
    ] = "failed"


class RingKeyView(msgspec.Struct, frozen=True):
    """A key that secrets are sealed under, by its id: never the key."""

    id: Annotated[str, Meta(examples=["9f86d081884c7d65"])]
    use: Annotated[
        str,
        Meta(
            description="`seals` what is new, `opens` what is old, or `missing` while secrets "
            "need it",
            examples=["seals"],
            extra_json_schema={"enum": ["seals", "opens", "missing"]},
        ),
    ]
    secrets: Annotated[int, Meta(description="How many are sealed under it", examples=[42])]


class CardKeyView(msgspec.Struct, frozen=True):
    """A key of the operator's cards: never the key."""

    kind: Annotated[
        str,
        Meta(
            description="The authority that terminals know, the issuer that it certified, or a "
            "master key of cards",
            examples=["authority"],
            extra_json_schema={"enum": ["authority", "issuer", "master"]},
        ),
    ]
    number: Annotated[int, Meta(examples=[1])]
    created_at: datetime
    expires: Annotated[
        date | None, Meta(description="The last day of its certificate; null: it has none")
    ]


class LinkKeyView(msgspec.Struct, frozen=True):
    """A key of a link with terminals: never the key."""

    name: Annotated[str, Meta(description="Empty for the host's own", examples=["east-gate"])]
    kind: Annotated[str, Meta(examples=["aes"])]
    check_value: Annotated[
        str, Meta(description="By which both ends know that it is the same", examples=["8CA64D"])
    ]
    changed_at: datetime


class KeysView(msgspec.Struct, frozen=True):
    """All keys, by what may be shown of them."""

    place: Annotated[str, Meta(description="Where the key ring is kept", examples=["the key file"])]
    ring: list[RingKeyView]
    cards: list[CardKeyView]
    links: list[LinkKeyView]


@operation(
    "GET",
    "/v1/installation/health",
    tag="Installation",
    summary="See how the installation is",
    who=("operator",),
    rows=("findings", "processes"),
)
async def get_health(call: Call[Services]) -> HealthView:
    """Database, processes, what waits, the books; and what of that wants attention, in words.

    `status` is `well`, `attention` or `bad`: watch that. Load balancers ask `/readyz`.
    As a table it is what wants attention and the processes.
    """
    return await call.services.health.look()


@operation(
    "GET",
    "/v1/installation/jobs",
    tag="Installation",
    summary="See what waits",
    who=("operator",),
)
async def get_jobs(call: Call[Services]) -> JobList:
    """What waits for its time or for another try, by kind: how much, how late, how often tried."""
    return JobList(await call.services.health.jobs())


@operation(
    "GET",
    "/v1/installation/deliveries",
    tag="Installation",
    summary="List webhook deliveries of all merchants",
    who=("operator",),
)
async def list_all_deliveries(
    call: Call[Services], query: DeliveriesQuery
) -> Page[DeliveryOfMerchant]:
    """Those that failed, are late or wait, newest first. What they say is the merchants' own."""
    async with call.services.pool.acquire() as connection:
        rows = await all_deliveries(
            connection,
            query.status,
            query.after_id("whd"),
            query.limit + 1,
            call.services.clock.now(),
        )
    return page(rows, query.limit, lambda row: row)


@operation(
    "POST",
    "/v1/installation/deliveries/{delivery_id}/resend",
    tag="Installation",
    summary="Send a merchant's delivery again",
    who=("operator",),
    office="support",
    errors=(EndpointOff,),
)
async def resend_for_merchant(call: Call[Services], delivery_id: UUID) -> None:
    """Try it now. Receivers know what they had before by its `webhook-id`."""
    await call.services.webhooks.resend_for_operator(delivery_id)


@operation(
    "GET",
    "/v1/installation/keys",
    tag="Installation",
    summary="See the keys",
    who=("operator",),
    rows=("ring", "cards", "links"),
)
async def get_keys(call: Call[Services]) -> KeysView:
    """Every key by its id, use and age; never a key. They are changed on the command line."""
    services = call.services
    counts = await secrets_by_key(services.pool)
    ids = services.keyring.ids
    ring = [
        RingKeyView(
            key_id,
            "seals" if key_id == ids[0] else "opens" if key_id in ids else "missing",
            counts[key_id],
        )
        for key_id in (*ids, *sorted(counts.keys() - set(ids)))
    ]
    return KeysView(
        services.keyring.place,
        ring,
        [CardKeyView(*row) for row in await services.cards.vault.about()],
        [LinkKeyView(*row) for row in await services.link_keys.list()],
    )


# -- verifications -------------------------------------------------------------------------------


@operation(
    "POST",
    "/v1/ledger/verifications",
    tag="Operator",
    summary="Begin to verify the books",
    who=("operator",),
    office="money",
    status=201,
    errors=(VerificationRuns,),
)
async def start_verification(call: Call[Services]) -> VerificationView:
    """Recompute every balance from the transfers, in one snapshot, beside the payments.

    It goes on by itself; read it for how far it is. One runs at a time.
    """
    by = call.principal
    row = await call.services.verifications.start(_actor(by), by.name)
    return verification_view(row)


@operation(
    "GET",
    "/v1/ledger/verifications",
    tag="Operator",
    summary="List verifications of the books",
    who=("operator",),
)
async def list_verifications(call: Call[Services], query: ListQuery) -> Page[VerificationView]:
    """When the books were verified, by whom, and what was found, newest first.

    Those of `tandem ledger verify`, which cron runs at night, are among them.
    """
    rows = await call.services.verifications.list(query.after_id("ver"), query.limit + 1)
    return page(rows, query.limit, verification_view)


@operation(
    "GET",
    "/v1/ledger/verifications/{verification_id}",
    tag="Operator",
    summary="Get a verification",
    who=("operator",),
    rows="differences",
)
async def get_verification(call: Call[Services], verification_id: UUID) -> VerificationView:
    """How far one is, or what came of it."""
    return verification_view(await call.services.verifications.get(verification_id))


@operation(
    "POST",
    "/v1/ledger/verifications/{verification_id}/stop",
    tag="Operator",
    summary="Stop a verification",
    who=("operator",),
    office="money",
)
async def stop_verification(call: Call[Services], verification_id: UUID) -> VerificationView:
    """It stops within a second, in whichever process it runs."""
    return verification_view(await call.services.verifications.stop(verification_id))


def _actor(principal: Principal) -> str:
    """Whoever asks, as the audit log names them."""
    if principal.signed_in is None:
        return show_id("key", principal.key_id)
    return show_id("stf", principal.signed_in.holder_id)


OPERATIONS = (
    get_health,
    get_jobs,
    list_all_deliveries,
    resend_for_merchant,
    get_keys,
    start_verification,
    list_verifications,
    get_verification,
    stop_verification,
)
