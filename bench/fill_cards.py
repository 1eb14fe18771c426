"""Device cards, tills and a link's key, for what is measured over ISO 8583.

Every person has a card, every merchant's shop a till. The cards' keys are those that the vault
makes, so the host checks each cryptogram as it does for anybody.
"""

import os
from datetime import UTC, date, datetime
from typing import Final

import msgspec

from bench import names
from bench.database import connected
from bench.over_http import SETTINGS
from tandem.acquiring import LinkKeys
from tandem.cards import DEVICE_CARDS, DeviceCard, KeyVault, MasterKey, pan_hash
from tandem.cards.numbers import account_reference, own_requestor, pan_context
from tandem.db import open_pool
from tandem.kernel import Ids, SystemClock, system_entropy
from tandem.keyring import KeyRing

LINK_KEY: Final = "bench"
EXPIRES: Final = date(2049, 12, 31)

_TILLS: Final = (
    "INSERT INTO tills (id, shop_id, merchant_id, name, acceptance, code_token, created_at) "
    "SELECT t.id, t.shop_id, t.merchant_id, 'Till', '{}', 'benchtill' || lpad(n::text, 11, '0'), "
    "now() FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) WITH ORDINALITY "
    "AS t (id, shop_id, merchant_id, n)"
)


async def fill_cards(url: str, people: int, merchants: int, keyring: KeyRing) -> MasterKey:
    """Fill a database that has people and merchants. Returns what the cards' keys are made of."""
    clock, entropy = SystemClock(), system_entropy
    ids = Ids(clock, entropy)
    async with await open_pool(url, size=2) as pool:
        keys = await KeyVault(pool, clock, entropy, keyring, SETTINGS).keys()
        links = LinkKeys(pool, clock, ids, entropy, keyring)
        await links.put(LINK_KEY, "aes", names.LINK_SECRET)
    now = datetime.now(UTC)
    rows = [
        msgspec.structs.astuple(_card(number, keys.lookup, keys.master, keyring, now))
        for number in range(people)
    ]
    kinds = (names.TILL, names.SHOP, names.MERCHANT)
    tills = [[names.uuid_of_number(kind, n) for n in range(merchants)] for kind in kinds]
    async with connected(url) as connection:
        await connection.execute(_TILLS, *tills)
        await connection.copy_records_to_table(
            "device_cards", records=rows, columns=DEVICE_CARDS.columns
        )
        await connection.execute("VACUUM ANALYZE")
    return keys.master


def _card(
    number: int, lookup: bytes, master: MasterKey, keyring: KeyRing, now: datetime
) -> DeviceCard:
    card_id, pan = names.uuid_of_number(names.CARD, number), names.pan(number)
    person_id = names.uuid_of_number(names.PERSON, number)
    return DeviceCard(
        id=card_id,
        person_id=person_id,
        device_id=names.uuid_of_number(names.DEVICE, number),
        requestor=own_requestor(SETTINGS.card_range),
        status="active",
        proof="green",
        funding_kind="balance",
        funding_currency=names.UNIT.code,
        pan_hash=pan_hash(lookup, pan),
        pan_sealed=keyring.seal(pan.encode(), pan_context(card_id)),
        last_four=pan[-4:],
        sequence=0,
        effective=date(2024, 1, 1),
        expiry=EXPIRES,
        par=account_reference(lookup, SETTINGS.card_range, person_id.bytes),
        key_index=master.index,
        version=master.version,
        device_key=os.urandom(32),
        code_hash=None,
        code_until=None,
        code_tries=0,
        atc=0,
        seen=0,
        wrong_cryptograms=0,
        delivered_at=now,
        replaces=None,
        created_at=now,
        updated_at=now,
    )
