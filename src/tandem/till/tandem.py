"""The terminal's connection to a Tandem: the REST API, under a key that is a terminal's only.

Such a key has the scope `taps:write`, and `refunds:write` where the till gives money back. It sees
no payment, no balance and no other till's policy than by asking for it
(docs/decisions/0018-the-phone-and-the-till.md).
"""

import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple
from urllib.parse import urlsplit

import httpx
import msgspec
from msgspec import Meta

from tandem.emv.authority import TrustedKeys
from tandem.emv.errors import KeyMalformed
from tandem.kernel import Invalid
from tandem.tap import TerminalMisset
from tandem.till.files import secret_file

_LOCAL: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class TandemSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[tandem]`: where it is, which till this is, and the file of its key.

    `ca` is a file of authorities to believe beside the system's; an answer is waited for
    `answer_seconds`.
    """

    url: Annotated[str, Meta(pattern=r"^https?://[^\s]+$")]
    till: Annotated[str, Meta(pattern=r"^til_[0-9a-f]{32}$")]
    key_file: str
    ca: str = ""
    answer_seconds: Annotated[float, Meta(gt=0, le=120)] = 15.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme != "https" and parts.hostname not in _LOCAL:
            raise Invalid("url", "must be https://…, or http:// of this machine")


class Tandem(NamedTuple):
    """An open connection, and which till it is for."""

    settings: TandemSettings
    http: httpx.AsyncClient

    @property
    def path(self) -> str:
        """Where the till is in the API."""
        return f"/v1/tills/{self.settings.till}"


@contextlib.asynccontextmanager
async def open_tandem(given: Mapping[str, Any], folder: Path) -> AsyncIterator[Tandem]:
    """The connection that `[tandem]` describes. Raises `TerminalMisset`."""
    try:
        settings = msgspec.convert(dict(given), TandemSettings)
        key = secret_file(folder / settings.key_file).decode("ascii").strip()
        trust = ssl.create_default_context()
        if settings.ca:
            trust.load_verify_locations(folder / settings.ca)
    except (msgspec.MsgspecError, ValueError, OSError, Invalid) as error:
        raise TerminalMisset(f"[tandem]: {error}") from error
    async with httpx.AsyncClient(
        base_url=settings.url.rstrip("/"),
        headers={"Authorization": f"Bearer {key}"},
        timeout=settings.answer_seconds,
        verify=trust,
    ) as http:
        yield Tandem(settings, http)


async def fetch_trusted(tandem: Tandem) -> TrustedKeys:
    """The public keys by which a terminal knows the operator's cards. Raises `TerminalMisset`."""
    try:
        answer = await tandem.http.get("/v1/card-authorities")
        if answer.is_success:
            return TrustedKeys.from_bytes(answer.content)
        raise TerminalMisset(f"{tandem.settings.url} answers {answer.status_code}: {answer.text}")
    except httpx.HTTPError as error:
        raise TerminalMisset(f"{tandem.settings.url} did not answer: {error}") from error
    except KeyMalformed as error:
        raise TerminalMisset(f"{tandem.settings.url}: {error.sentence()}") from error
