"""A house for clients that mean harm, and what they need to speak to it over a socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

import httpx

from conftest import open_folder
from living import (
    Living,
    Person,
    Shop,
    fresh_key,
    living,
    open_shop,
    sign_up,
)


@dataclass(frozen=True)
class House:
    """A server of two workers with two merchants and three people."""

    server: Living
    mine: Shop
    theirs: Shop
    lin: Person
    mei: Person
    eve: Person

    @asynccontextmanager
    async def unharmed(self) -> AsyncIterator[None]:
        """What happens inside writes nothing, and afterwards the server answers.

        But what a repeat gets: a refusal is kept under its idempotency key; and the count of wrong
        tries.
        """
        before = await self.server.rows()
        yield
        after = await self.server.rows()
        may_grow = {"idempotency": 0, "code_tries": 0}
        assert after | may_grow == before | may_grow
        async with self.server.client() as client:
            assert (await client.get("/readyz")).status_code == 200
        assert self.server.faults() == []

    def order(self, **more: object) -> dict[str, object]:
        """A good order of mine."""
        return {"amount": 500, "currency": "CNY", "shop_id": self.mine.shop_id} | more


@asynccontextmanager
async def open_house() -> AsyncIterator[House]:
    """A house with a new server, for as long as the block lasts."""
    with open_folder() as folder:
        async with (
            living(folder / "data", workers=2, TANDEM_RATE_PER_SECOND="100000") as server,
            server.client(server.operator_key) as operator,
        ):
            yield House(
                server,
                await open_shop(server, operator, "Blue Door"),
                await open_shop(server, operator, "Red Gate"),
                await sign_up(operator, "lin", yuan=9000),
                await sign_up(operator, "mei", yuan=9000),
                await sign_up(operator, "eve", yuan=9000),
            )


def problem(response: httpx.Response, status: int, code: str) -> None:
    """The answer is this problem, and as a problem must be."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    body = response.json()
    assert (response.status_code, body["code"]) == (status, code), body
    assert body["status"] == status
    assert body["type"] == f"/problems/{code}"
    assert body["request_id"] == response.headers["x-request-id"]
    assert body["detail"]


class Answer(NamedTuple):
    """What came back over a socket, until the server closed it."""

    status: int
    head: bytes
    body: bytes


async def say(server: Living, *parts: bytes) -> Answer:
    """Write bytes to the server, and read until it closes. Status 0 if it says nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        async with asyncio.timeout(20):
            try:
                for part in parts:
                    writer.write(part)
                    await writer.drain()
            except ConnectionError:
                pass  # it said no, and we were still talking
            text = b""
            try:
                while chunk := await reader.read(65_536):
                    text += chunk
            except ConnectionError:
                pass
    finally:
        writer.close()
    head, _, body = text.partition(b"\r\n\r\n")
    return Answer(int(head[9:12] or 0), head, body)


def head(
    house: House, *more: bytes, target: bytes = b"/v1/payments", verb: bytes = b"POST"
) -> bytes:
    """The head of a request with my key that asks to close the connection after it."""
    lines = (
        verb + b" " + target + b" HTTP/1.1",
        b"Host: tandem",
        b"Connection: close",
        b"Content-Type: application/json",
        b"Authorization: Bearer " + house.mine.key.encode(),
        b"Idempotency-Key: " + fresh_key().encode(),
        *more,
    )
    return b"\r\n".join(lines) + b"\r\n\r\n"
