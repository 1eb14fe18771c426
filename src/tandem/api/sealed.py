"""Where secrets are sealed, and how many under each key of the ring."""

from collections import Counter
from typing import Final
from uuid import UUID

from tandem.acquiring import LINK_KEYS
from tandem.cards import FUNDING_SEALS, PAN_SEALS
from tandem.checkout import RESULT_SECRETS
from tandem.db import Pool
from tandem.db.rewrite import SealedColumn, count_by_key
from tandem.events import SIGNING_SECRETS
from tandem.packets import PACKET_LINKS
from tandem.people import CODE_SEEDS
from tandem.tags import TAG_KEYS


def sandbox_card_context(card_id: UUID) -> bytes:
    """What the profile of a card on the sandbox's phone is bound to."""
    return b"sandbox card " + card_id.bytes


SANDBOX_CARDS: Final = SealedColumn(
    "sandbox_cards", "sealed", "crd", sandbox_card_context, key="card_id"
)

SEALED: Final = (
    *(CODE_SEEDS, SIGNING_SECRETS, RESULT_SECRETS, PAN_SEALS, FUNDING_SEALS, TAG_KEYS, LINK_KEYS),
    *(PACKET_LINKS, SANDBOX_CARDS),
)
"""Sealed row by row: seeds of pay codes, secrets of webhooks and of results, card numbers, keys of
tags and of links with terminals, links of red packets, the cards of a sandbox's phones."""


async def secrets_by_key(pool: Pool) -> Counter[str]:
    """How many secrets are sealed under each key, by its id; card keys too."""
    found = Counter[str]()
    for column in SEALED:
        found.update(await count_by_key(pool, column.table, column.column))
    found.update(await count_by_key(pool, "card_keys", "sealed"))
    return found
