"""A process that runs the embedded server until it is interrupted: what the tests kill.

supervisor.py FOLDER [asyncio|uvloop]   prints `ready PID URL` when the server is up
"""

import asyncio
import sys
from pathlib import Path

import uvloop

from tandem.db.embedded import EmbeddedPostgres
from tandem.kernel import Refused


async def main(folder: Path) -> None:
    async with EmbeddedPostgres(folder) as server:
        sys.stdout.write(f"ready {server.pid} {server.dsn}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    run = uvloop.run if sys.argv[2:] == ["uvloop"] else asyncio.run
    try:
        run(main(Path(sys.argv[1])))
    except Refused as refusal:
        sys.exit(f"{refusal.code}: {refusal.sentence()}")
    except KeyboardInterrupt:
        sys.stdout.write("stopped\n")
