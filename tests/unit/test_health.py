"""What of an installation wants attention."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from tandem.health import DiskState, JobView, Known, LinkState, State, judge
from tandem.health.model import SENTENCES, DatabaseView, LastVerification, ReplicaView
from tandem.health.vitals import Process
from tandem.ledger import JournalState

NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
JOURNAL = JournalState(
    running=True, waiting=0, groups=9, entries=20, largest_group=4, median_ms=2.0, slowest_ms=9.0
)
STATE = State(JOURNAL, [LinkState("east-gate", "terminals", 1)], DiskState(50, 100))
PROCESS = Process(UUID(int=1), "pay-1", 4711, "0.1.0", STATE, 1, NOW, 2)
DATABASE = DatabaseView("18.4", "0013", 1, 10, 100, 0, [])
VERIFIED = LastVerification("ver_1", "right", NOW - timedelta(hours=9))
WELL = Known(NOW, DATABASE, [PROCESS], [], timers_run=True, verification=VERIFIED)


def codes(known: Known) -> list[tuple[str, str]]:
    return [(finding.code, finding.level) for finding in judge(known)]


def process(*, state: dict[str, Any] | None = None, **changes: Any) -> Process:  # noqa: ANN401 - fields of Process
    changed = msgspec.structs.replace(STATE, **(state or {}))
    return msgspec.structs.replace(PROCESS, state=changed, **changes)


def journal(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of JournalState
    return {"journal": msgspec.structs.replace(JOURNAL, **changes)}


def job(kind: str, late: int) -> JobView:
    return JobView(kind, 5, 2, late, 0, 0)


def test_all_is_well() -> None:
    assert judge(WELL) == []


@pytest.mark.parametrize(
    ("known", "found"),
    [
        ({"processes": []}, [("no_process", "bad")]),
        (
            {"processes": [PROCESS, process(silent_seconds=31)]},
            [("process_silent", "attention")],
        ),
        ({"processes": [PROCESS, process(version="0.2.0")]}, [("versions_differ", "bad")]),
        ({"processes": [process(clock_ahead_ms=-2_001)]}, [("clock", "attention")]),
        ({"processes": [process(clock_ahead_ms=20_001)]}, [("clock", "bad")]),
        ({"processes": [process(state=journal(running=False))]}, [("journal_stopped", "bad")]),
        ({"processes": [process(state=journal(waiting=1_001))]}, [("journal_queue", "attention")]),
        (
            {"processes": [process(state=journal(median_ms=501.0))]},
            [("journal_slow", "attention")],
        ),
        ({"processes": [process(state={"disk": DiskState(9, 100)})]}, [("disk", "attention")]),
        ({"processes": [process(state={"disk": DiskState(2, 100)})]}, [("disk", "bad")]),
        ({"processes": [process(state={"disk": None})]}, []),
        (
            {"processes": [process(state={"links": [LinkState("a", "issuers", 0)]})]},
            [("link_down", "attention")],
        ),
        ({"timers_run": False}, [("timers_stopped", "bad")]),
        ({"jobs": [job("payments_to_expire", 61)]}, [("late", "attention")]),
        ({"jobs": [job("payments_to_expire", 60)]}, []),
        ({"jobs": [job("webhook_deliveries", 600)]}, []),
        ({"jobs": [job("webhook_deliveries", 601)]}, [("deliveries_late", "attention")]),
        ({"verification": None}, [("never_verified", "attention")]),
        (
            {"verification": LastVerification("ver_1", "differs", NOW)},
            [("books_differ", "bad")],
        ),
        (
            {"verification": LastVerification("ver_1", "right", NOW - timedelta(hours=49))},
            [("verified_long_ago", "attention")],
        ),
    ],
)
def test_each_thing_that_is_wrong(known: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert codes(WELL._replace(**known)) == found


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"connections": 81}, [("connections", "attention")]),
        ({"connections": 96}, [("connections", "bad")]),
        ({"replicas": [ReplicaView("r", "streaming", 61.0)]}, [("replica_lag", "attention")]),
        ({"replicas": [ReplicaView("r", None, None)]}, []),
        ({"longest_transaction_seconds": 3601}, [("long_transaction", "attention")]),
        ({"longest_transaction_seconds": None}, []),
    ],
)
def test_the_database(changes: dict[str, Any], found: list[tuple[str, str]]) -> None:
    database = msgspec.structs.replace(DATABASE, **changes)
    assert codes(WELL._replace(database=database)) == found


def test_a_link_is_up_if_any_process_has_it() -> None:
    down = process(state={"links": [LinkState("east-gate", "terminals", 0)]})
    assert codes(WELL._replace(processes=[down, PROCESS])) == []


def test_the_worst_comes_first_and_says_what_to_do() -> None:
    known = WELL._replace(processes=[process(clock_ahead_ms=3_000)], timers_run=False)
    bad, rest = judge(known)
    assert (bad.level, rest.level) == ("bad", "attention")
    assert "3000 ms" in rest.sentence
    assert "NTP" in rest.sentence


def test_every_code_has_been_seen_here() -> None:
    with open(__file__, encoding="utf-8") as text:  # noqa: PTH123 - a test's own text
        own = text.read()
    assert [code for code in SENTENCES if f'"{code}"' not in own] == []
