"""What joins the terminal program to its host, over ISO 8583, and to its shop's policy, over REST.

The rooms `tap` and `acquiring` stand on one floor and don't know each other; here they meet.
"""

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from datetime import UTC
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import msgspec
import structlog
from msgspec import Meta

from tandem.acquiring import (
    VERIFICATION,
    Client,
    ClientSettings,
    De,
    Message,
    MessageMalformed,
    NoAnswer,
    NotSent,
)
from tandem.kernel import Clock, Entropy
from tandem.merchants import Acceptance, narrow
from tandem.tap import Payment, Reply, Secret, TerminalMisset, TerminalSettings
from tandem.tap.payment import REFUND, Unanswered, Unreachable, Unsendable

log = structlog.get_logger(__name__)

_CONTACTLESS_CHIP: Final = "071"
_NORMAL: Final = "00"
_APPROVED_OFFLINE: Final = "Y1"
_NO_ANSWER: Final = "68"
_ACQUIRERS: Final = "0" * 22
_LOOK_SECONDS: Final = 0.5
_HTTP_SECONDS: Final = 5.0
_REFUSED: Final = frozenset({401, 403, 404})


class HostOnline:
    """The terminal's `Online` over a client of the ISO 8583 host."""

    def __init__(self, client: Client, settings: TerminalSettings, clock: Clock) -> None:
        self._client = client
        self._settings = settings
        self._clock = clock

    async def authorise(self, payment: Payment, secret: Secret, *, repeat: bool) -> Reply:
        """0200, or 0100 if it only asks about the card; 0201 or 0101 if it was sent before."""
        fields = self._fields(payment, first=not repeat) | _card(secret)
        kind = "010" if self._only_asks(payment) else "020"
        return await self._ask(f"{kind}{int(repeat)}", fields)

    async def advise(self, payment: Payment, secret: Secret, *, repeat: bool) -> Reply:
        """0220 or 0221: approved offline."""
        fields = self._fields(payment) | _card(secret) | {De.RESPONSE_CODE: _APPROVED_OFFLINE}
        return await self._ask("0221" if repeat else "0220", fields)

    async def reverse(self, payment: Payment, secret: Secret, *, repeat: bool) -> Reply:
        """0420 or 0421: the request of the same number had no answer."""
        kind = "0100" if self._only_asks(payment) else "0200"
        original = f"{kind}{payment.stan}{_transmitted(payment)}{_ACQUIRERS}"
        fields = self._fields(payment) | {
            De.PAN: secret.pan,
            De.RESPONSE_CODE: _NO_ANSWER,
            De.ORIGINAL: original,
        }
        return await self._ask("0421" if repeat else "0420", fields)

    def _fields(self, payment: Payment, *, first: bool = False) -> dict[int, str]:
        shop = self._settings.shop
        # A reversal names its request by this moment: that of the first one is the payment's own.
        transmitted = _transmitted(payment) if first else f"{self._clock.now():%m%d%H%M%S}"
        return {
            De.PROCESSING_CODE: "200000" if payment.type == REFUND else "000000",
            De.AMOUNT: f"{payment.amount:012d}",
            De.TRANSMITTED_AT: transmitted,
            De.STAN: payment.stan,
            De.LOCAL_TIME: f"{payment.at:%H%M%S}",
            De.LOCAL_DATE: f"{payment.at:%m%d}",
            De.CATEGORY: f"{shop.category:04d}",
            De.ENTRY_MODE: _CONTACTLESS_CHIP,
            De.CONDITION: VERIFICATION if self._only_asks(payment) else _NORMAL,
            De.TERMINAL: shop.terminal.ljust(8),
            De.MERCHANT: shop.merchant.ljust(15),
            De.CURRENCY: f"{payment.unit.number:03d}",
        }

    def _only_asks(self, payment: Payment) -> bool:
        """Whether no money is to move: nothing, or the one unit that asks about the card."""
        if payment.amount == 0:
            return True
        aid = next((each for each in self._settings.aids if each.takes(payment.aid)), None)
        return aid is not None and aid.status_check and payment.amount == 10**payment.unit.exponent

    async def _ask(self, mti: str, fields: dict[int, str]) -> Reply:
        try:
            answer = await self._client.request(Message(mti, fields))
        except NotSent as error:
            raise Unreachable(error.sentence()) from error
        except NoAnswer as error:
            raise Unanswered(error.sentence()) from error
        except MessageMalformed as error:
            raise Unsendable(error.sentence()) from error
        code = answer.text(De.RESPONSE_CODE) or ""
        return Reply(
            approved=code == "00",
            code=code,
            authorisation_code=(answer.text(De.AUTHORISATION_CODE) or "").strip(),
            icc=answer.binary(De.ICC) or b"",
        )


def _card(secret: Secret) -> dict[int, str]:
    fields: dict[int, str] = {De.ICC: secret.icc.hex().upper()}
    if secret.track_2:
        fields[De.TRACK2] = secret.track_2
    else:
        fields[De.PAN] = secret.pan
    if secret.sequence is not None:
        fields[De.SEQUENCE_NUMBER] = secret.sequence.rjust(3, "0")
    return fields


def _transmitted(payment: Payment) -> str:
    """The moment of the payment in UTC, as elements 7 and 90 write it."""
    return f"{payment.at.astimezone(UTC):%m%d%H%M%S}"


# -- the host's settings -------------------------------------------------------------------------


class HostTls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """TLS to the host: whom to believe, and who we are. Paths beside the settings' file.

    Without `ca` the system's authorities are believed.
    """

    ca: str = ""
    certificate: str = ""
    key: str = ""


class KeyFile:
    """The link's keys by name: a TOML file of mode 0600, `name = "hexadecimal digits"`."""

    def __init__(self, path: Path | None) -> None:
        self._keys: dict[str, str] = {}
        if path is not None:
            self._keys = msgspec.toml.decode(_secret(path), type=dict[str, str])

    def link_key(self, name: str) -> bytes:
        """The key of this name. Raises `KeyError` if there is none, or none that can be read."""
        try:
            return bytes.fromhex(self._keys[name])
        except ValueError:
            raise KeyError(name) from None


def host_client(settings: TerminalSettings, folder: Path, clock: Clock, entropy: Entropy) -> Client:
    """The client that `[host]` describes. Raises `TerminalMisset`, `LinksUnusable`."""
    given: dict[str, Any] = dict(settings.host)
    keys, tls = given.pop("keys", None), given.pop("tls", None)
    try:
        context = None if tls is None else _context(msgspec.convert(tls, HostTls), folder)
        read = msgspec.convert(given, ClientSettings)
        store = KeyFile(None if keys is None else folder / str(keys))
    except (msgspec.MsgspecError, ValueError, OSError) as error:
        raise TerminalMisset(f"[host]: {error}") from error
    return Client(read, store, clock, entropy, tls=context)


def _context(tls: HostTls, folder: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(folder / tls.ca) if tls.ca else None)
    if tls.certificate:
        context.load_cert_chain(folder / tls.certificate, folder / tls.key if tls.key else None)
    return context


def _secret(path: Path) -> bytes:
    """A file that only its owner may read. Raises `OSError`, `ValueError`."""
    descriptor = os.open(path, os.O_RDONLY)
    with os.fdopen(descriptor, "rb") as file:
        if os.fstat(descriptor).st_mode & 0o077:
            raise ValueError(f"{path} is open to others: close it with chmod 600")
        return file.read()


# -- the shop's policy ---------------------------------------------------------------------------


class PolicySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[policy]`: where Tandem is, which till this is, and the file of its key (shops:read)."""

    url: Annotated[str, Meta(pattern=r"^https?://[^\s]+$")]
    till: Annotated[str, Meta(pattern=r"^til_[0-9a-f]{32}$")]
    key_file: str


class _Named(msgspec.Struct):
    acceptance: Acceptance
    shop_id: str = ""


class PolicyWatch:
    """What the till accepts, asked for twice a second while the block lasts.

    While Tandem cannot be reached the last answer holds: a till has to go on without a network. A
    key that is not taken any more leaves nothing known, and so does a till that is gone.
    """

    def __init__(self, settings: PolicySettings, client: httpx.AsyncClient) -> None:
        self._settings = settings
        self._client = client
        self._known: Acceptance | None = None
        self._heard = asyncio.Event()

    def current(self) -> Acceptance | None:
        """The stricter of the shop's policy and the till's own; None if it is not known."""
        return self._known

    async def heard(self, within_seconds: float) -> bool:
        """Wait for the first answer, whatever it is. False if none came in time."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._heard.wait(), within_seconds)
        return self._heard.is_set()

    async def run(self) -> None:
        """Ask, for ever. Whatever ends it, nothing is known from then on."""
        try:
            while True:
                try:
                    self._known = await self._ask()
                    self._heard.set()
                except (httpx.HTTPError, msgspec.MsgspecError) as error:
                    log.info("the shop's policy was not asked for", reason=str(error))
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            self._known = None

    async def _ask(self) -> Acceptance | None:
        till = await self._get(f"/v1/tills/{self._settings.till}")
        shop = None if till is None else await self._get(f"/v1/shops/{till.shop_id}")
        if till is None or shop is None:
            log.warning("this till's key is not taken, or the till is gone")
            return None
        return narrow(shop.acceptance, till.acceptance)

    async def _get(self, path: str) -> _Named | None:
        answer = await self._client.get(path)
        if answer.status_code in _REFUSED:
            return None
        answer.raise_for_status()
        return msgspec.json.decode(answer.content, type=_Named)


@contextlib.asynccontextmanager
async def watched_policy(given: Mapping[str, Any], folder: Path) -> AsyncIterator[PolicyWatch]:
    """The policy that `[policy]` describes, watched. Raises `TerminalMisset`."""
    try:
        settings = msgspec.convert(dict(given), PolicySettings)
        key = _secret(folder / settings.key_file).decode().strip()
    except (msgspec.MsgspecError, ValueError, OSError) as error:
        raise TerminalMisset(f"[policy]: {error}") from error
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(
        base_url=settings.url, headers=headers, timeout=_HTTP_SECONDS
    ) as client:
        watch = PolicyWatch(settings, client)
        task = asyncio.create_task(watch.run(), name="policy watch")
        try:
            yield watch
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
