"""How an installation is: what is known of it, and what of that wants somebody's attention. Pure.

Each finding has a code, how bad it is, the facts, and a sentence with what to do. The console says
the same in the reader's language, by the code.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from tandem.health.vitals import Process

Level = Literal["attention", "bad"]

SILENT_SECONDS: Final = 30
CLOCK_MS: Final = (2_000, 20_000)
CONNECTIONS: Final = (0.8, 0.95)
DISK_FREE: Final = (0.1, 0.03)
QUEUE: Final = 1_000
SLOW_US: Final = 500_000
LAG_SECONDS: Final = 60
TRANSACTION_SECONDS: Final = 3600
LATE_SECONDS: Final = 60
DELIVERY_LATE_SECONDS: Final = 600
VERIFIED_WITHIN: Final = timedelta(hours=48)


class ReplicaView(msgspec.Struct, frozen=True):
    """A server that follows the database's log."""

    name: Annotated[str, Meta(examples=["replica-1"])]
    state: Annotated[str | None, Meta(description="As PostgreSQL says it", examples=["streaming"])]
    lag_seconds: Annotated[float | None, Meta(description="null: it may not be seen")]


class DatabaseView(msgspec.Struct, frozen=True):
    """The database."""

    version: Annotated[str, Meta(examples=["18.4"])]
    schema: Annotated[str, Meta(description="The newest migration in it", examples=["0013"])]
    size_bytes: Annotated[int, Meta(examples=[52_428_800])]
    connections: Annotated[int, Meta(examples=[14])]
    max_connections: Annotated[int, Meta(examples=[100])]
    longest_transaction_seconds: Annotated[
        int | None, Meta(description="null: other roles' may not be seen", examples=[0])
    ]
    replicas: Annotated[list[ReplicaView], Meta(examples=[[]])]


class JobView(msgspec.Struct, frozen=True):
    """What waits for its time, or for another try."""

    kind: Annotated[
        str,
        Meta(
            examples=["webhook_deliveries"],
            extra_json_schema={
                "enum": [
                    "payments_to_expire",
                    "requests_to_expire",
                    "packets_to_return",
                    "reservations_to_release",
                    "webhook_deliveries",
                    "issuer_messages",
                ]
            },
        ),
    ]
    waiting: Annotated[int, Meta(description="How many there are", examples=[3])]
    due: Annotated[int, Meta(description="How many of them should have happened", examples=[0])]
    oldest_due_seconds: Annotated[
        int, Meta(description="How late the latest of them is", examples=[0])
    ]
    tried: Annotated[int, Meta(description="How many were tried in vain before", examples=[0])]
    failed: Annotated[int, Meta(description="How many nobody tries any more", examples=[0])]


class LastVerification(msgspec.Struct, frozen=True):
    """The newest verification that came to its end."""

    id: Annotated[str, Meta(examples=["ver_0199f0a4c0de70008000000000000041"])]
    status: Annotated[str, Meta(examples=["right"])]
    ended_at: datetime


class Known(NamedTuple):
    """All that is known of an installation at a moment."""

    now: datetime
    database: DatabaseView
    processes: Sequence[Process]
    jobs: Sequence[JobView]
    timers_run: bool
    verification: LastVerification | None


SENTENCES: Final = {
    "no_process": "No process says how it is. Is `tandem up` running?",
    "process_silent": "Process {pid} on {host} has said nothing for {seconds} seconds. If it was "
    "not stopped by force, look at its log.",
    "versions_differ": "Processes of several versions run: {versions}. Upgrade them all.",
    "clock": "The clock of {host} is {milliseconds} ms off the database's. Check NTP: pay codes "
    "depend on it.",
    "journal_stopped": "The journal of process {pid} on {host} does not run: it takes no payments. "
    "Look at its log.",
    "journal_queue": "{waiting} entries wait in process {pid} on {host}. The database is slow, or "
    "away.",
    "journal_slow": "Process {pid} on {host} takes {milliseconds} ms for a group. Look at the "
    "database's disk.",
    "link_down": "The link {name} ({side}) has no connection. Ask who runs its other end.",
    "disk": "{percent} % of the disk of {host} are free. Make room: a full disk takes no payments.",
    "connections": "{connections} of {most} connections of the database are used. "
    "Raise max_connections, or run fewer workers.",
    "replica_lag": "Replica {name} is {seconds} seconds behind. Look at it and at the network.",
    "long_transaction": "A transaction has been open for {seconds} seconds: it keeps the database "
    "from tidying up. Look in pg_stat_activity for who has it.",
    "timers_stopped": "No process runs the timers: nothing expires. Look at the log.",
    "late": "{due} {kind} are late, the latest by {seconds} seconds. Look at the log for `a timer "
    "failed`.",
    "deliveries_late": "{due} webhook deliveries wait for {seconds} seconds. Look at Jobs for "
    "whose they are.",
    "never_verified": "The books were never verified. Begin a verification.",
    "verified_long_ago": "The books were last verified {hours} hours ago. Begin a verification, "
    "and have one run each night.",
    "books_differ": "The last verification found differences. Stop taking payments and keep the "
    "database as it is.",
}
"""What each code says, and what to do."""


class FindingView(msgspec.Struct, frozen=True):
    """Something that wants attention."""

    code: Annotated[
        str, Meta(examples=["never_verified"], extra_json_schema={"enum": list(SENTENCES)})
    ]
    level: Annotated[Level, Meta(examples=["attention"])]
    facts: Annotated[dict[str, Any], Meta(examples=[{}])]
    sentence: Annotated[
        str,
        Meta(
            description="What is so, and what to do",
            examples=["The books were never verified. Begin a verification."],
        ),
    ]


def judge(known: Known) -> list[FindingView]:
    """What wants attention, the worst first."""
    found = [
        *_of_processes(known.processes),
        *_of_database(known.database),
        *_of_jobs(known),
        *_of_books(known),
    ]
    return sorted(found, key=lambda finding: finding.level != "bad")


def finding(code: str, level: Level, **facts: Any) -> FindingView:  # noqa: ANN401 - numbers and names
    """A finding with its sentence."""
    return FindingView(code, level, facts, SENTENCES[code].format(**facts))


def _of_processes(processes: Sequence[Process]) -> Iterator[FindingView]:
    alive = [one for one in processes if one.silent_seconds <= SILENT_SECONDS]
    if not alive:
        yield finding("no_process", "bad")
    for one in processes:
        if one not in alive:
            yield finding(
                "process_silent",
                "attention",
                host=one.host,
                pid=one.pid,
                seconds=one.silent_seconds,
            )
    versions = sorted({one.version for one in alive})
    if len(versions) > 1:
        yield finding("versions_differ", "bad", versions=", ".join(versions))
    for one in alive:
        yield from _of_process(one)
    up: dict[tuple[str, str], int] = {}
    for link in (link for one in alive for link in one.state.links):
        up[link.name, link.side] = up.get((link.name, link.side), 0) + link.connections
    for (name, side), connections in up.items():
        if not connections:
            yield finding("link_down", "attention", name=name, side=side)


def _of_process(one: Process) -> Iterator[FindingView]:
    who = {"host": one.host, "pid": one.pid}
    off = abs(one.clock_ahead_ms)
    if off > CLOCK_MS[0]:
        level: Level = "bad" if off > CLOCK_MS[1] else "attention"
        yield finding("clock", level, host=one.host, milliseconds=one.clock_ahead_ms)
    journal = one.state.journal
    if not journal.running:
        yield finding("journal_stopped", "bad", **who)
    if journal.waiting > QUEUE:
        yield finding("journal_queue", "attention", waiting=journal.waiting, **who)
    if journal.median_us > SLOW_US:
        yield finding("journal_slow", "attention", milliseconds=journal.median_us // 1000, **who)
    disk = one.state.disk
    if disk is not None and disk.total and disk.free / disk.total < DISK_FREE[0]:
        free = disk.free / disk.total
        level = "bad" if free < DISK_FREE[1] else "attention"
        yield finding("disk", level, host=one.host, percent=round(free * 100, 1))


def _of_database(database: DatabaseView) -> Iterator[FindingView]:
    used = database.connections / database.max_connections
    if used > CONNECTIONS[0]:
        yield finding(
            "connections",
            "bad" if used > CONNECTIONS[1] else "attention",
            connections=database.connections,
            most=database.max_connections,
        )
    for replica in database.replicas:
        if replica.lag_seconds is not None and replica.lag_seconds > LAG_SECONDS:
            yield finding(
                "replica_lag", "attention", name=replica.name, seconds=round(replica.lag_seconds)
            )
    longest = database.longest_transaction_seconds
    if longest is not None and longest > TRANSACTION_SECONDS:
        yield finding("long_transaction", "attention", seconds=longest)


def _of_jobs(known: Known) -> Iterator[FindingView]:
    if known.processes and not known.timers_run:
        yield finding("timers_stopped", "bad")
    for job in known.jobs:
        late = job.oldest_due_seconds
        if job.kind == "webhook_deliveries":
            if late > DELIVERY_LATE_SECONDS:
                yield finding("deliveries_late", "attention", due=job.due, seconds=late)
        elif late > LATE_SECONDS:
            yield finding("late", "attention", kind=job.kind, due=job.due, seconds=late)


def _of_books(known: Known) -> Iterator[FindingView]:
    last = known.verification
    if last is None:
        yield finding("never_verified", "attention")
        return
    if last.status == "differs":
        yield finding("books_differ", "bad")
    age = known.now - last.ended_at
    if age > VERIFIED_WITHIN:
        yield finding("verified_long_ago", "attention", hours=int(age.total_seconds() // 3600))
