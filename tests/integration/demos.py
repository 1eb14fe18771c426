"""`tandem demo` as a process of its own."""

import asyncio
import os
import sys
from pathlib import Path

LIMIT_SECONDS = 120


def environment(data: Path, **more: str) -> dict[str, str]:
    """What a demo with this data folder finds set; nothing of Tandem's but what is given."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("TANDEM_")}
    return kept | {"TANDEM_DATA": str(data)} | more


async def demo(data: Path, *options: str, **more: str) -> tuple[int | None, str, str]:
    """Run it to its end: its status, and what it printed on both outputs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tandem", "demo", *options),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(data, **more),
    )
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, out.decode(), err.decode()
