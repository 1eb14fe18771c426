"""How much is measured: the whole run, a quick one, and a tiny one that shows that it all works."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes and times of a run. Times in seconds, for each measurement of each round."""

    name: str
    rounds: int
    people: int
    merchants: int
    commits: int
    """Bare commits, one after another, for each round."""
    warm_seconds: float
    journal_seconds: float
    journal_clients: tuple[int, ...]
    usual_seconds: int
    usual_clients: tuple[int, ...]
    http_seconds: float
    http_connections: tuple[int, ...]
    code_connections: int
    """Connections at which merchants take pay codes."""
    taps: int
    """Taps, one after another, over each transport."""
    iso_links: tuple[int, ...] = (1, 8)
    iso_in_flight: int = 64
    """Requests over ISO 8583 that wait for their answers at one time, of all links together."""


PLANS: Final = {
    "full": Plan(
        name="full",
        rounds=3,
        people=5_000,
        merchants=500,
        commits=1_500,
        warm_seconds=0.3,
        journal_seconds=1.5,
        journal_clients=(1, 16, 64, 256, 1024),
        usual_seconds=2,
        usual_clients=(1, 16),
        http_seconds=2.0,
        http_connections=(1, 64, 256),
        code_connections=64,
        taps=300,
    ),
    "quick": Plan(
        name="quick",
        rounds=1,
        people=2_000,
        merchants=200,
        commits=1_000,
        warm_seconds=0.3,
        journal_seconds=1.0,
        journal_clients=(1, 16, 1024),
        usual_seconds=1,
        usual_clients=(1, 16),
        http_seconds=1.5,
        http_connections=(64,),
        code_connections=64,
        taps=100,
    ),
    "smoke": Plan(
        name="smoke",
        rounds=1,
        people=100,
        merchants=5,
        commits=10,
        warm_seconds=0.0,
        journal_seconds=0.1,
        journal_clients=(1, 16),
        usual_seconds=1,
        usual_clients=(1, 16),
        http_seconds=0.2,
        http_connections=(4,),
        code_connections=4,
        taps=3,
        iso_in_flight=4,
    ),
}
"""`full` takes up to seven minutes, `quick` up to one, `smoke` a few seconds and says nothing."""
