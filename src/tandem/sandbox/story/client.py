"""One party's view of the API: a key, calls, and what the calls took."""

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx

from tandem.kernel import Ids
from tandem.sandbox.story.errors import StoryBroke, expect

Json = dict[str, Any]
_FIRST_ERROR = 400
_SHOWN_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, and how long it took in milliseconds."""

    method: str
    path: str
    status: int
    body: Any
    milliseconds: int

    @property
    def call(self) -> str:
        """`POST /v1/payments 201 · 4 ms`, with ids cut short."""
        parts = [_short(part) for part in self.path.partition("?")[0].split("/")]
        return f"{self.method} {'/'.join(parts)} {self.status} · {self.milliseconds} ms"

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - a field of the JSON
        """A field of the body."""
        return self.body[name]


class Api:
    """Calls the API under one key, with an idempotency key for each call that wants one."""

    def __init__(self, http: httpx.AsyncClient, key: str, ids: Ids) -> None:
        self.key = key
        self._http = http
        self._ids = ids

    async def get(self, path: str) -> Reply:
        """Read. Raises `StoryBroke` if it is refused."""
        return self._done(await self._call("GET", path, None))

    async def post(self, path: str, body: Json | None = None) -> Reply:
        """Do something. Raises `StoryBroke` if it is refused."""
        return self._done(await self._call("POST", path, body))

    async def put(self, path: str, body: Json) -> Reply:
        """Set something. Raises `StoryBroke` if it is refused."""
        return self._done(await self._call("PUT", path, body))

    async def content(self, path: str) -> bytes:
        """A picture's bytes. Raises `StoryBroke` if it is refused."""
        answer = await self._http.get(path, headers=self._headers("GET"))
        expect(answer.is_success, f"{path} is answered", answer.text[:300])
        return answer.content

    async def refused(self, path: str, body: Json, code: str) -> Reply:
        """Do something that has to be refused with this code. Raises `StoryBroke` if it is not."""
        reply = await self._call("POST", path, body)
        found = reply.body.get("code") if isinstance(reply.body, dict) else None
        expect(
            reply.status >= _FIRST_ERROR and found == code,
            f"POST {path} is refused as {code}",
            (reply.status, reply.body),
        )
        return reply

    async def _call(self, method: str, path: str, body: Json | None) -> Reply:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            answer = await self._http.request(
                method, path, json=body, headers=self._headers(method)
            )
        except httpx.HTTPError as error:
            raise StoryBroke(f"{method} {path} is answered", repr(error)) from error
        took = int((loop.time() - began) * 1000)
        json = answer.headers.get("content-type", "").partition(";")[0].endswith("json")
        return Reply(method, path, answer.status_code, answer.json() if json else None, took)

    def _headers(self, method: str) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        if method == "POST" and self.key:
            headers["Idempotency-Key"] = f"story-{self._ids.new().hex}"
        return headers

    @staticmethod
    def _done(reply: Reply) -> Reply:
        expect(
            reply.status < _FIRST_ERROR,
            f"{reply.method} {reply.path} is done",
            (reply.status, reply.body),
        )
        return reply


def _short(part: str) -> str:
    prefix, under, digits = part.partition("_")
    return f"{prefix}_…{digits[-_SHOWN_DIGITS:]}" if under and len(digits) > 16 else part  # noqa: PLR2004 - an id has 32 digits
