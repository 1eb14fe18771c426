"""A process of its own that pays between a few people through its own journal.

`python rival.py URL NUMBER TURNS`: prints how many payments it made, as the journal answered.
"""

import asyncio
import sys
from collections import Counter

from moves import Move, account, journal_on, new_ids, once, owner, pay
from tandem.ledger import InsufficientFunds, Outcome

PEOPLE = 6


async def main(url: str, number: int, turns: int) -> None:
    ids = new_ids()
    ring = [account(place) for place in range(1, PEOPLE + 1)]
    if number % 2:
        ring.reverse()

    def entries(turn: int) -> list[Move]:
        return [
            Move(
                id=ids.entry(),
                transfers=(
                    pay(ring[place], ring[(place + 1) % PEOPLE], 7),
                    pay(ring[(place + 1) % PEOPLE], ring[(place + 3) % PEOPLE], 3),
                ),
                # every process asks for the same: each request happens once in all
                idempotency=once(owner(0), f"{turn}-{place}-{number % 2}"),
            )
            for place in range(PEOPLE)
        ]

    told: Counter[str] = Counter()
    async with journal_on(url) as journal:
        for turn in range(turns):
            came = await asyncio.gather(*map(journal.submit, entries(turn)), return_exceptions=True)
            for outcome in came:
                if isinstance(outcome, Outcome):
                    told["again" if outcome.replayed else "done"] += 1
                elif isinstance(outcome, InsufficientFunds):
                    told["refused"] += 1
                else:
                    raise outcome
    print(told["done"], told["again"], told["refused"])  # noqa: T201 - what the test reads


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
