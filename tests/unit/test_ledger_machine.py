"""The ledger in memory against a plain model of it, in random plays."""

import hypothesis

from ledger_play import InMemory, Play


class PlayInMemory(Play):
    system_of = InMemory


TestLedgerInMemory = PlayInMemory.TestCase
TestLedgerInMemory.settings = hypothesis.settings(
    max_examples=200,
    stateful_step_count=20,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    phases=[p for p in hypothesis.Phase if p is not hypothesis.Phase.explain],
)
