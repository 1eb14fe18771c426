"""Run the benchmark: `make bench`, or `make bench ARGS=--quick`."""

import argparse
import dataclasses
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import structlog
import uvloop

from bench.database import NotMeasurableError, open_server
from bench.machine import this_machine
from bench.plan import PLANS, Plan
from bench.report import changes, progress, table
from bench.result import Measure, Run
from bench.rounds import open_bench
from bench.steps import COUNTED, count_steps
from bench.tap import open_taps
from tandem.app import tune_process
from tandem.db.errors import DatabaseUnavailable

HERE: Final = Path(__file__).parent
RESULTS: Final = HERE / "results"
REFERENCE: Final = HERE / "reference.json"
"""A run that is kept in the repository, for whoever has none of their own yet."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench ARGS=...",
        description="Measure Tandem against the usual way, on one PostgreSQL with fsync on. "
        "Set TANDEM_BENCH_DATABASE_URL to measure on a server of your own: its role must be "
        "allowed to create databases and roles.",
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="less than a minute: a first look")
    size.add_argument("--smoke", action="store_true", help="only see that everything runs")
    size.add_argument(
        "--steps", action="store_true", help="count the Python steps of a payment, time nothing"
    )
    parser.add_argument("--rounds", type=int, help="how many rounds")
    parser.add_argument(
        "--only",
        nargs="+",
        default=[""],
        metavar="TEXT",
        help="only what has one of these in its name, as the progress shows it: 'http uniform' iso",
    )
    parser.add_argument("--json", type=Path, help="write the figures here instead of bench/results")
    parser.add_argument("--profile", type=Path, help="write a cProfile of Tandem's server here")
    return parser.parse_args()


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def measure(plan: Plan, profile: Path | None, only: Sequence[str]) -> Run:
    """The whole run, or only what has one of these texts in its name."""
    began = time.monotonic()
    async with open_server(os.environ, _tell) as server:
        machine = this_machine(server.version, server.folder)
        with tempfile.TemporaryDirectory(prefix="tandem-bench-") as folder:
            async with (
                open_bench(server, plan, Path(folder), _tell, profile) as bench,
                open_taps(plan, Path(folder), _tell) as taps,
            ):
                first = await bench.prepare(_tell)
                steps = [
                    step
                    for step in (*bench.steps(), *taps.steps())
                    if any(text in step.measure.key for text in only)
                ]
                tune_process()
                for number in range(1, plan.rounds + 1):
                    count = iter(range(1, len(steps) + 1))

                    def tell(
                        done: Measure, number: int = number, count: Iterator[int] = count
                    ) -> None:
                        where = f"round {number}/{plan.rounds} {next(count):>2}/{len(steps)}"
                        progress(_tell, where, done)

                    await bench.round(steps, tell)
                _tell("Verifying the books")
                verified = await bench.verify()
    return Run(
        date=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        plan=plan.name,
        machine=machine,
        measures=[*first, *(step.measure for step in steps)],
        verified_transfers=verified,
        seconds=time.monotonic() - began,
    )


async def steps(plan: Plan) -> list[str]:
    """What Python does for a payment."""
    async with open_server(os.environ, _tell) as server:
        return (await count_steps(server, plan, _tell)).table(COUNTED)


def earlier(run: Run) -> Run | None:
    """The last run of the same plan on a machine like this one, or the reference if it is."""
    for path in (*sorted(RESULTS.glob("*.json"), reverse=True), REFERENCE):
        try:
            before = msgspec.json.decode(path.read_bytes(), type=Run)
        except (OSError, msgspec.MsgspecError):
            continue  # none yet, or of another version of the benchmark
        if before.machine.name == run.machine.name and before.plan == run.plan:
            return before
    return None


def main() -> int:
    """Measure, print the table, write the JSON, say what changed."""
    # What the database's supervisor logs is not news here.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    arguments = _arguments()
    plan = PLANS["smoke" if arguments.smoke else "quick" if arguments.quick else "full"]
    if arguments.rounds:
        plan = dataclasses.replace(plan, rounds=max(1, arguments.rounds))
    try:
        if arguments.steps:
            print("\n".join(uvloop.run(steps(PLANS["quick"]))))
            return 0
        run = uvloop.run(measure(plan, arguments.profile, arguments.only))
    except (NotMeasurableError, DatabaseUnavailable) as error:
        _tell(error.sentence() if isinstance(error, DatabaseUnavailable) else str(error))
        return 1
    except KeyboardInterrupt:
        _tell("Stopped.")
        return 130
    print("\n".join(("", *table(run))))
    before = earlier(run)
    if before is not None:
        print("\n".join(("", *changes(run, before))))
    target = arguments.json or RESULTS / f"{run.date.replace(':', '')}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=1) + b"\n")
    _tell(f"Written to {os.path.relpath(target)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
