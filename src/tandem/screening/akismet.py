"""Akismet's opinion of a message, where the operator has a key for it.

What is sent: the text, the author's network address (Akismet wants one) and this Tandem's address;
no name, handle, amount or id. `TANDEM_AKISMET_URL` names another server that speaks the same API
(akismet.com/developers: comment-check, submit-spam, submit-ham).
"""

from types import TracebackType
from typing import Final, Self

import akismet
import httpx

from tandem.settings import Settings

TIMEOUT_SECONDS: Final = 5.0
UNKNOWN_CLIENT: Final = "0.0.0.0"  # noqa: S104 - no address to listen on
_TYPE: Final = "message"


class AkismetAwayError(Exception):
    """Akismet gave no answer that can be used: it is away, over its limit, or knows no such key."""


class _ByAddress(httpx.AsyncHTTPTransport):
    """Sends what is meant for Akismet to another address: the library knows one only."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = httpx.URL(address)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it there."""
        request.url = request.url.copy_with(
            scheme=self._address.scheme,
            host=self._address.host,
            port=self._address.port,
            raw_path=self._address.raw_path.rstrip(b"/") + request.url.raw_path,
        )
        request.headers["host"] = self._address.netloc.decode()
        return await super().handle_async_request(request)


class Akismet:
    """Asks Akismet, while it is open."""

    def __init__(self, settings: Settings) -> None:
        assert settings.akismet_key, "there is a key"
        http = httpx.AsyncClient(
            headers={"User-Agent": akismet.USER_AGENT},
            timeout=TIMEOUT_SECONDS,
            transport=_ByAddress(settings.akismet_url),
            trust_env=False,
        )
        self._http = http
        self._sandbox = settings.sandbox
        self._client = akismet.AsyncClient(
            akismet.Config(key=settings.akismet_key, url=settings.public_url), http
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    def _about(self, message: str) -> akismet.AkismetArguments:
        if self._sandbox:  # nothing is learnt from what people play with
            return {"comment_content": message, "comment_type": _TYPE, "is_test": True}
        return {"comment_content": message, "comment_type": _TYPE}

    async def is_spam(self, message: str, client: str | None) -> bool:
        """Whether Akismet takes a message for spam. Raises `AkismetAwayError`."""
        try:
            answer = await self._client.comment_check(
                user_ip=client or UNKNOWN_CLIENT,
                **self._about(message),
            )
        except akismet.AkismetError as error:
            raise AkismetAwayError(_plain(error)) from None
        return answer != akismet.CheckResponse.HAM

    async def learn(self, message: str, client: str | None, *, spam: bool) -> None:
        """Tell Akismet what the operator decided. Raises `AkismetAwayError`."""
        tell = self._client.submit_spam if spam else self._client.submit_ham
        try:
            await tell(
                user_ip=client or UNKNOWN_CLIENT,
                **self._about(message),
            )
        except akismet.AkismetError as error:
            raise AkismetAwayError(_plain(error)) from None


def _plain(error: Exception) -> str:
    """What went wrong, without the key, which some of the library's sentences have in them."""
    if isinstance(error, akismet.APIKeyError):
        return "the key or the address is not known there"
    if isinstance(error, akismet.RequestError):
        return str(error)
    return "an answer that is not of this API"
