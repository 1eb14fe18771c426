"""One issuer that is away, or slow, keeps no other waiting."""

import asyncio
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import pytest
from issuer_town import Bank, open_bank
from town import key

from tandem.issuers import Rules
from tandem.kernel import read_id
from tandem.payments.issuers import IssuerAdvice

_OTHER: Final = UUID(int=5)
_BACKLOG: Final = 50
"""More than are sent to one issuer at once."""


async def backlog(bank: Bank, payment_id: UUID) -> None:
    """Much that another issuer should have heard of long ago."""
    pool = bank.town.services.pool
    await pool.execute(
        "INSERT INTO issuers (id, name, last_number, created_at) VALUES ($1, 'gone', 0, now())",
        _OTHER,
    )
    for number in range(1, _BACKLOG + 1):
        await pool.execute(
            "WITH asked AS (INSERT INTO issuer_authorisations SELECT $1, $2, funding_id, "
            "person_id, merchant_id, shop_id, till_id, capture, amount, currency, $3, "
            "status, response, authorisation_code, until, created_at, updated_at "
            "FROM issuer_authorisations WHERE payment_id = $4 RETURNING payment_id) "
            "INSERT INTO issuer_advices (id, payment_id, issuer_id, kind, amount, currency, "
            "status, attempts, next_at, created_at, updated_at) SELECT $5, payment_id, $2, "
            "'refund', 1, 'CNY', 'due', 0, to_timestamp(0), now(), now() FROM asked",
            uuid4(),
            _OTHER,
            number,
            payment_id,
            uuid4(),
        )


async def test_an_issuer_that_never_answers_keeps_no_other_waiting(
    module_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_bank(module_database, tmp_path, Rules()) as bank:
        payments = bank.town.services.payments
        door = await bank.town.merchant()
        phone = await bank.phone(await bank.town.person())
        paid = (await bank.pay(door, await bank.tap(phone, 1000)))["payment"]
        payment_id = read_id("pay", paid["id"])
        await backlog(bank, payment_id)
        await payments.refund(door.id, payment_id, 400, None, key(owner=door.id))
        tell, silent = payments._tell, asyncio.Event()
        asked: list[UUID] = []

        async def slow(advice: IssuerAdvice) -> None:
            if advice.issuer_id == _OTHER:
                asked.append(advice.id)
                await silent.wait()
            await tell(advice)

        monkeypatch.setattr(payments, "_tell", slow)
        following = asyncio.create_task(payments.follow_issuers())
        while bank.agrees() != 600:  # noqa: ASYNC110 - its books are none of ours
            await asyncio.sleep(0.01)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        assert 0 < len(asked) < _BACKLOG, "and no more than that at once"
