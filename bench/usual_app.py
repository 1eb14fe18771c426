"""The HTTP server of the usual way: a transaction for each request, on a pool of connections.

It answers `POST /v1/wallet/payments` at static codes as Tandem does, with the same checks and the
same rows: the key by its hash, idempotency, who may pay and up to what, the shop's policy, the fee,
both events. It reads what it needs for each request, as programs do that cannot know whether a
cached row still holds. Everything that is not the way of committing it shares with Tandem: the HTTP
server, the shapes, the fee and policy functions, the statements that read.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec

from bench.names import PUBLIC_URL, UNIT
from bench.usual import (
    CLAIM,
    EARN,
    EVENTS,
    LOCK,
    PAY,
    PAYMENT,
    SESSION,
    TAKE,
    TRANSFERS,
    numbered,
)
from tandem.access.model import digest
from tandem.api.routes.paying import PayCodeOfShop
from tandem.db import Connection, Pool
from tandem.db.rights import work_as_application
from tandem.kernel import Clock, Ids, transfer_id
from tandem.ledger import AccountCode, AccountKey, InsufficientFunds, merchant, person
from tandem.merchants import Place, fee, load_place
from tandem.payments import Payment, merchant_view, person_view
from tandem.payments.codes import link_token
from tandem.people import PersonTerms, Spending, load_terms, objection
from tandem.settings import Settings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

POOL_SIZE: Final = 16
"""Connections of the pool; on the machines tried, more of them were slower or no faster."""

_KEY: Final = (
    "SELECT owner_id, scopes FROM api_keys "
    "WHERE hash = $1 AND owner_kind = 'person' AND revoked_at IS NULL"
)
_EARLIER: Final = "SELECT fingerprint, answer FROM idempotency WHERE owner_id = $1 AND key = $2"
_BODY: Final = msgspec.json.Decoder(PayCodeOfShop)
_STATEMENTS: Final = {
    statement: numbered(statement)
    for statement in (CLAIM, LOCK, PAY, TAKE, EARN, PAYMENT, TRANSFERS, EVENTS)
}


class RefusedError(Exception):
    """The request is refused; nothing was written."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A payment that somebody asked for: who, what, and what makes it happen once."""

    person_id: UUID
    key: str
    fingerprint: bytes
    token: str
    amount: int


async def open_usual_pool(url: str) -> Pool:
    """The pool that the usual way works on."""
    return await asyncpg.create_pool(
        url,
        min_size=POOL_SIZE,
        max_size=POOL_SIZE,
        init=work_as_application,
        server_settings={"application_name": "usual", **SESSION},
    )


class UsualApp:
    """The ASGI application."""

    def __init__(self, pool: Pool, clock: Clock, ids: Ids, settings: Settings) -> None:
        self._pool = pool
        self._clock = clock
        self._ids = ids
        self._settings = settings
        self._spending = Spending(settings.limit_per_payment, settings.limit_per_day)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request: 201 with the payment, 400 with why not."""
        assert scope["type"] == "http", "it is started without a lifespan"
        raw = b""
        more = True
        while more:
            message = await receive()
            raw += message.get("body", b"")
            more = message.get("more_body", False)
        try:
            status, body = 201, await self._pay(dict(scope["headers"]), raw)
        except Exception as error:  # noqa: BLE001 - the load generator shows it, and ends
            status, body = 400, repr(error).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _pay(self, headers: dict[bytes, bytes], raw: bytes) -> bytes:
        secret = headers[b"authorization"].decode().removeprefix("Bearer ")
        body = _BODY.decode(raw)
        token = link_token(body.code, PUBLIC_URL)
        if body.amount is None or body.currency != UNIT.code:
            raise RefusedError("no amount")
        async with self._pool.acquire() as connection:
            key = await connection.fetchrow(_KEY, digest(secret))
            if key is None or "wallet" not in key["scopes"]:
                raise RefusedError("key")
            asked = Asked(
                key["owner_id"],
                headers[b"idempotency-key"].decode(),
                sha256(b"POST /v1/wallet/payments\n" + msgspec.json.encode(body)).digest(),
                token,
                body.amount,
            )
            payer = await load_terms(connection, asked.person_id)
            place = await load_place(connection, code_token=asked.token)
            if place is None:
                raise RefusedError("code")
            place.acceptance.check("scan", self._settings.wallet, UNIT.code, asked.amount)
            async with connection.transaction():
                return await self._book(connection, asked, payer, place)

    async def _book(
        self, connection: Connection, asked: Asked, payer: PersonTerms, place: Place
    ) -> bytes:
        """The transaction. Returns the answer."""
        now = self._clock.now()
        charge = fee(place.currencies[UNIT.code], asked.amount, first=True)
        payment = _payment(self._ids.new(), asked, payer, place, charge, now)
        answer = msgspec.json.encode(person_view(payment))
        entry = self._ids.entry()
        values: dict[str, Any] = {
            "person": payer.id,
            "payer": person(payer.id, UNIT).id,
            "merchant": place.merchant_id,
            "payee": merchant(place.merchant_id, UNIT).id,
            "fees": AccountKey.of(place.merchant_id, UNIT, AccountCode.FEES).id,
            "shop": place.shop_id,
            "payment": payment.id,
            "first": transfer_id(entry, 1),
            "second": transfer_id(entry, 2),
            "third": self._ids.new(),
            "fourth": self._ids.new(),
            "key": asked.key,
            "fingerprint": asked.fingerprint,
            "answer": answer,
            "amount": asked.amount,
            "fee": charge,
            "payer_name": payer.name,
            "merchant_name": place.merchant_name,
            "shop_name": place.shop_name,
            "merchant_event": msgspec.json.encode(merchant_view(payment)).decode(),
            "person_event": answer.decode(),
        }
        claim = _STATEMENTS[CLAIM]
        claimed = await connection.execute(claim.text, *map(values.__getitem__, claim.names))
        if claimed != "INSERT 0 1":
            return await _earlier(connection, asked)
        lock = _STATEMENTS[LOCK]
        rows = await connection.fetch(lock.text, *map(values.__getitem__, lock.names))
        self._check(rows, values["payer"], payer, asked.amount, now)
        for statement in (PAY, TAKE, EARN, PAYMENT, TRANSFERS, EVENTS):
            text, wanted = _STATEMENTS[statement]
            row = await connection.fetchrow(text, *map(values.__getitem__, wanted))
            values.update(row or {})
        return answer

    def _check(
        self,
        rows: list[asyncpg.Record],
        account: UUID,
        payer: PersonTerms,
        amount: int,
        now: datetime,
    ) -> None:
        """Raise why this person cannot pay the amount, if so: status, limits, balance."""
        row = next(row for row in rows if row["id"] == account)
        spent = row["spent"] if row["spent_day"] >= self._settings.day_of(now) else 0
        wrong = objection(self._spending, payer, amount, UNIT.code, spent)
        if wrong is not None:
            raise wrong
        available = row["credits_posted"] - row["debits_posted"] - row["debits_pending"]
        if amount > available + row["overdraft"]:
            raise InsufficientFunds(account, available, amount)


async def _earlier(connection: Connection, asked: Asked) -> bytes:
    """The answer that the key got before."""
    row = await connection.fetchrow(_EARLIER, asked.person_id, asked.key)
    if row is None or row["fingerprint"] != asked.fingerprint:
        raise RefusedError("idempotency key")
    answer: bytes = row["answer"]
    return answer


def _payment(
    payment_id: UUID, asked: Asked, payer: PersonTerms, place: Place, charge: int, now: datetime
) -> Payment:
    return Payment(
        id=payment_id,
        merchant_id=place.merchant_id,
        shop_id=place.shop_id,
        till_id=None,
        person_id=payer.id,
        way="scan",
        source="static_code",
        status="captured",
        capture="automatic",
        currency=UNIT.code,
        amount=asked.amount,
        authorised=asked.amount,
        captured=asked.amount,
        refunded=0,
        fee=charge,
        pending_id=None,
        decline_reason=None,
        order_reference=None,
        description=None,
        payer_name=payer.name,
        merchant_name=place.merchant_name,
        shop_name=place.shop_name,
        code_token=None,
        expires_at=None,
        created_at=now,
        updated_at=now,
    )
