"""The one place where the parts are put together.

    async with open_services(dsn, settings, keyring) as services:
        app = create_app(services, operations(settings), built=built_files())

Everything that a process of Tandem does beside answering requests runs here as a task: timers,
webhooks, live updates, keeping up with revoked keys and, in a sandbox, with the virtual clock.
"""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple

import asyncpg
import structlog

from tandem import __version__
from tandem.access import Access
from tandem.acquiring import Books, Context, Host, HostSettings, LinkKeys, TraceFile
from tandem.api.operation import Operation
from tandem.api.operations import OPERATIONS
from tandem.cards import Cards, Issuers
from tandem.catalogue import Catalogue
from tandem.checkout import Checkout, Invoices, PaymentLinks
from tandem.db import Connection, Pool, open_journal_connection, open_pool, open_reader, work
from tandem.events import Dispatcher, EventHub, Webhooks
from tandem.health import Health, LinkState, State, Vitals, disk_of
from tandem.issuers import open_issuers
from tandem.kernel import Entropy, Ids, Refused, SystemClock, system_entropy
from tandem.keyring import RotatingRing, folder_of
from tandem.ledger import Journal, Verifications
from tandem.merchants import Merchants, TermsWatch
from tandem.packets import Packets
from tandem.payments import CardPayments, PaymentRecords
from tandem.people import People
from tandem.sandbox import Buyer, VirtualClock
from tandem.sandbox.phone import SandboxPhones
from tandem.sandbox.routes import SANDBOX_OPERATIONS
from tandem.screening import MessageScreening
from tandem.settings import Mode, Settings
from tandem.settlement import (
    Corrections,
    IssuerSettlements,
    MerchantBooks,
    Payouts,
    Statements,
    Withdrawals,
)
from tandem.shifts import Shifts
from tandem.signin import Approvals, Audit, Consents, Keeper, Recovery, SignIn, Staff, site_of
from tandem.tags import Tags
from tandem.timers import Due, run_timers
from tandem.wallet import Splits, Wallet

log = structlog.get_logger(__name__)

_RESTART_SECONDS: Final = 1.0
_DATABASE_AWAY: Final = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what the driver raises if the server dies between two messages
)
_GC_THRESHOLDS: Final = (50_000, 50, 100)


@dataclass(eq=False)
class ModeMismatch(Refused):
    """The database belongs to a sandbox and is to be run in production, or the reverse."""

    code: ClassVar[str] = "mode_mismatch"
    database: Mode
    asked: Mode

    def sentence(self) -> str:
        """Say what to do."""
        return (
            f"This database was made for {self.database} and cannot be run as {self.asked}: "
            f"play money and money do not mix. Set TANDEM_MODE={self.database}, "
            "or use another data folder or database."
        )


class Links:
    """The links with terminals that this process serves, while it is their host."""

    def __init__(self) -> None:
        self.host: Host | None = None

    def states(self) -> list[LinkState]:
        """How many connections each has."""
        if self.host is None:
            return []
        counts = self.host.link_counts()
        return [
            LinkState(name, "terminals", of_link["connections"]) for name, of_link in counts.items()
        ]


@dataclass(frozen=True, slots=True)
class Services:
    """All use cases, and what they stand on."""

    settings: Settings
    pool: Pool
    journal: Journal
    clock: SystemClock
    ids: Ids
    entropy: Entropy
    keyring: RotatingRing
    access: Access
    people: People
    sign_in: SignIn
    recovery: Recovery
    staff: Staff
    consents: Consents
    approvals: Approvals
    audit: Audit
    merchants: Merchants
    terms_watch: TermsWatch
    catalogue: Catalogue
    shifts: Shifts
    webhooks: Webhooks
    hub: EventHub
    cards: Cards
    tags: Tags
    payments: CardPayments
    records: PaymentRecords
    checkout: Checkout
    payment_links: PaymentLinks
    invoices: Invoices
    wallet: Wallet
    splits: Splits
    packets: Packets
    screening: MessageScreening
    payouts: Payouts
    withdrawals: Withdrawals
    corrections: Corrections
    issuer_settlements: IssuerSettlements
    books: MerchantBooks
    statements: Statements
    verifications: Verifications
    health: Health
    vitals: Vitals
    links: "Links"
    link_keys: LinkKeys
    virtual_clock: VirtualClock
    buyer: Buyer
    sandbox_phones: SandboxPhones


@asynccontextmanager
async def open_services(
    dsn: str, settings: Settings, keyring: RotatingRing, *, background: bool = True
) -> AsyncIterator[Services]:
    """Everything, connected to a migrated database; `background` also runs the tasks.

    Raises `ModeMismatch` if the database belongs to the other mode.
    """
    clock, entropy = SystemClock(), system_entropy
    ids = Ids(clock, entropy)
    async with AsyncExitStack() as stack:
        pool = await open_pool(dsn)
        stack.push_async_callback(pool.close)
        await check_mode(pool, settings.mode)
        virtual_clock = await _virtual_clock(pool, clock, settings)
        journal = await stack.enter_async_context(_journal(dsn, clock, ids, settings))
        issuers = await stack.enter_async_context(
            open_issuers(settings.issuers, pool, clock, ids, entropy, at_once=background)
        )
        ground = Ground(settings, pool, journal, clock, ids, entropy, keyring)
        services = put_together(ground, issuers, virtual_clock, lambda: open_reader(dsn))
        journal.on_commit(services.hub.take)
        await stack.enter_async_context(services.verifications.running())
        if background:
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            stack.callback(_cancel, _start(tasks, services, dsn))
        yield services


async def _virtual_clock(pool: Pool, clock: SystemClock, settings: Settings) -> VirtualClock:
    made = VirtualClock(pool, clock)
    if settings.sandbox:
        await made.read()
    return made


class Ground(NamedTuple):
    """What all use cases stand on."""

    settings: Settings
    pool: Pool
    journal: Journal
    clock: SystemClock
    ids: Ids
    entropy: Entropy
    keyring: RotatingRing


def put_together(
    ground: Ground,
    issuers: Issuers,
    virtual_clock: VirtualClock,
    connect: Callable[[], Awaitable[Connection]],
) -> Services:
    """All use cases, each with those that it needs. `connect` opens what reads for long."""
    settings, pool, journal, clock, ids, entropy, keyring = ground
    access = Access(pool, clock, ids, entropy, settings)
    keeper = Keeper(pool, clock, ids, entropy, access, site_of(settings))
    cards = Cards(pool, clock, ids, entropy, keyring, settings, issuers)
    tags = Tags(pool, clock, ids, entropy, keyring, settings)
    payments = CardPayments(
        pool, journal, clock, ids, entropy, keyring, settings, cards, tags, issuers
    )
    people = People(pool, clock, ids, entropy, access, keyring, settings)
    screening = MessageScreening(pool, clock, ids, settings)
    wallet = Wallet(pool, journal, clock, ids, settings, screening)
    merchants = Merchants(pool, clock, ids, entropy, access, keyring, settings)
    sign_in = SignIn(keeper, people)
    checkout = Checkout(pool, clock, ids, entropy, keyring, settings, payments)
    links = Links()
    look = partial(_state, journal, issuers, links, folder_of(keyring))
    return Services(
        **ground._asdict(),
        access=access,
        people=people,
        sign_in=sign_in,
        recovery=Recovery(keeper, sign_in),
        staff=Staff(keeper, sign_in, settings.public_url),
        consents=Consents(keeper),
        approvals=Approvals(keeper),
        audit=Audit(pool),
        merchants=merchants,
        terms_watch=TermsWatch(pool, merchants),
        catalogue=Catalogue(pool, clock, ids),
        shifts=Shifts(pool, clock, ids),
        webhooks=Webhooks(pool, clock, ids, entropy, keyring, settings),
        hub=EventHub(pool, clock),
        cards=cards,
        tags=tags,
        payments=payments,
        records=PaymentRecords(pool),
        checkout=checkout,
        payment_links=PaymentLinks(checkout),
        invoices=Invoices(checkout),
        screening=screening,
        wallet=wallet,
        splits=Splits(pool, journal, ids, settings, screening),
        packets=Packets(pool, journal, clock, ids, entropy, keyring, settings, screening),
        payouts=Payouts(pool, journal, ids, settings),
        withdrawals=Withdrawals(pool, journal, ids, settings),
        corrections=Corrections(pool, journal, ids),
        issuer_settlements=IssuerSettlements(pool, journal, ids, settings),
        books=MerchantBooks(pool),
        statements=Statements(pool),
        verifications=Verifications(pool, clock, ids, connect),
        health=Health(pool, clock, __version__, settings.mode),
        vitals=Vitals(pool, SystemClock(), ids.new(), __version__, look),
        links=links,
        link_keys=LinkKeys(pool, clock, ids, entropy, keyring),
        virtual_clock=virtual_clock,
        buyer=Buyer(pool, people, wallet, payments, clock, settings),
        sandbox_phones=SandboxPhones(
            *(pool, clock, ids, entropy, keyring, settings, people, merchants, cards), payments
        ),
    )


def _state(journal: Journal, issuers: Issuers, links: Links, folder: Path | None) -> State:
    """How this process is: its journal, its links to hosts, its disk."""
    asked = [LinkState(name, "issuers", int(up)) for name, up in issuers.connected().items()]
    return State(journal.state, [*links.states(), *asked], disk_of(folder))


def _journal(dsn: str, clock: SystemClock, ids: Ids, settings: Settings) -> Journal:
    return Journal(lambda: open_journal_connection(dsn), clock, ids, day_of=settings.day_of)


@asynccontextmanager
async def open_host(
    services: Services, settings: HostSettings, sockets: Sequence[socket.socket] = ()
) -> AsyncIterator[Host]:
    """The acquirer's host over the books; `sockets` as `tandem.acquiring.Host` takes them.

    Raises `LinksUnusable` if its settings cannot be used.
    """
    keys, clock, own = services.link_keys, services.clock, services.settings
    await keys.read()
    with ExitStack() as stack:
        trace = None
        if settings.trace is not None:
            trace = stack.enter_context(TraceFile(Path(settings.trace), clock))
        context = Context(
            services.entropy,
            keys.fingerprints,
            local_now=lambda: clock.now().astimezone(own.timezone),
            business_day=lambda: own.day_of(clock.now()),
            trace=None if trace is None else trace.message,
            trace_refusal=None if trace is None else trace.refusal,
        )
        books = Books(services.payments, services.pool, clock, own, settings.links)
        following = asyncio.create_task(_keep_running("keys of links", keys.follow))
        stack.callback(following.cancel)
        async with Host(settings, books, keys, context, sockets) as host:
            services.links.host = host
            stack.callback(setattr, services.links, "host", None)
            yield host


def _start(tasks: asyncio.TaskGroup, services: Services, dsn: str) -> list[asyncio.Task[None]]:
    """Start what runs beside the requests."""
    dispatcher = Dispatcher(services.pool, services.clock, services.keyring, services.settings)
    services.journal.on_commit(dispatcher.wake)
    due: tuple[Due, ...] = (
        services.payments.expire_due,
        services.wallet.expire_due,
        services.packets.expire_due,
        services.invoices.follow_due,
        services.sign_in.purge_due,
        services.cards.purge_due,
    )
    work_of: dict[str, Callable[[], Awaitable[None]]] = {
        "webhooks": dispatcher.run,
        "live updates": services.hub.run,
        "terms followed": services.terms_watch.run,
        "revoked keys": services.access.follow,
        "timers": lambda: run_timers(dsn, due, services.clock),
        "vitals": services.vitals.run,
    }
    if services.settings.akismet_key:
        work_of["screening"] = services.screening.run
    if services.settings.issuers is not None:
        work_of["issuers"] = services.payments.follow_issuers
    if services.settings.sandbox:
        work_of["virtual clock"] = services.virtual_clock.follow
        due += (services.buyer.act,)
    return [tasks.create_task(_keep_running(name, run), name=name) for name, run in work_of.items()]


async def _keep_running(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run a task again when it fails: the database may be away for a moment."""
    while True:
        try:
            await run()
        except _DATABASE_AWAY as error:
            log.warning("task lost its database", task=name, error=repr(error))
        except Exception:
            log.exception("task failed", task=name)
        await asyncio.sleep(_RESTART_SECONDS)


def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()


async def check_mode(pool: Pool, mode: Mode) -> None:
    """Note the installation's mode on its first start, hold to it afterwards."""
    async with work(pool) as connection:
        await connection.execute(
            "INSERT INTO installation (id, mode) VALUES (1, $1) ON CONFLICT (id) DO NOTHING", mode
        )
        noted: Mode = await connection.fetchval("SELECT mode FROM installation WHERE id = 1")
    if noted != mode:
        raise ModeMismatch(noted, mode)


def operations(settings: Settings) -> tuple[Operation[Any], ...]:
    """What the API of this installation can do; a sandbox more than production."""
    return (*OPERATIONS, *SANDBOX_OPERATIONS) if settings.sandbox else OPERATIONS


def tune_process() -> None:
    """Let the garbage collector look less often: a group makes many short-lived objects.

    Without this a journal spends a tenth of its time there (bench/).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
