"""Where secrets are sealed, and how many under each key of the ring."""

from collections import Counter
from typing import Final

from tandem.acquiring import LINK_KEYS
from tandem.cards import FUNDING_SEALS, PAN_SEALS
from tandem.db import Pool
from tandem.db.rewrite import count_by_key
from tandem.events import SIGNING_SECRETS
from tandem.people import CODE_SEEDS
from tandem.tags import TAG_KEYS

SEALED: Final = (CODE_SEEDS, SIGNING_SECRETS, PAN_SEALS, FUNDING_SEALS, TAG_KEYS, LINK_KEYS)
"""Sealed row by row: seeds of pay codes, secrets of webhooks, card numbers, keys of tags and of
links with terminals."""


async def secrets_by_key(pool: Pool) -> Counter[str]:
    """How many secrets are sealed under each key, by its id; card keys too."""
    found = Counter[str]()
    for column in SEALED:
        found.update(await count_by_key(pool, column.table, column.column))
    found.update(await count_by_key(pool, "card_keys", "sealed"))
    return found
