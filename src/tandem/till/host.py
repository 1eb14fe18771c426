"""The terminal's way to who decides over an acquirer's host: ISO 8583."""

import ssl
from datetime import UTC
from pathlib import Path
from typing import Any, Final

import msgspec

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
from tandem.emv.terminal import Why
from tandem.kernel import Clock, Entropy
from tandem.tap import Payment, Reply, Secret, TerminalMisset, TerminalSettings
from tandem.tap.payment import REFUND, Unanswered, Unreachable, Unsendable
from tandem.till.files import secret_file

_CONTACTLESS_CHIP: Final = "071"
_NORMAL: Final = "00"
_APPROVED_OFFLINE: Final = "Y1"
_UNABLE_ONLINE: Final = "Y3"
"""Approved, since nobody could be asked (EMV Book 4, Annex A6)."""
_NO_ANSWER: Final = "68"
_APPROVALS: Final = frozenset({"00", "11", "16"})
"""Approved; approved for a VIP; approved, update track 3 (ISO 8583:1987, element 39)."""
_TAKEN: Final = _APPROVALS | {"08"}
"""Of what was approved offline also "honour with identification": the person has left. Not 10, a
part of the amount: somebody has to see that the rest is not paid."""
_CONDITIONAL: Final = frozenset({"08", "10"})
"""Approved with identification, or in part: a question that is answered so is taken back."""
_ACQUIRERS: Final = "0" * 22


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
        reply = await self._ask(f"{kind}{int(repeat)}", fields, _APPROVALS)
        return msgspec.structs.replace(reply, undo=reply.code in _CONDITIONAL)

    async def advise(self, payment: Payment, secret: Secret, *, repeat: bool) -> Reply:
        """0220 or 0221: approved offline.

        Not of a question about a card that a gate got no answer to: no money moves for it.
        """
        if self._only_asks(payment):
            return await self.authorise(payment, secret, repeat=repeat)
        code = _UNABLE_ONLINE if payment.why == Why.DEFERRED else _APPROVED_OFFLINE
        fields = self._fields(payment) | _card(secret) | {De.RESPONSE_CODE: code}
        return await self._ask("0221" if repeat else "0220", fields, _TAKEN)

    async def reverse(self, payment: Payment, secret: Secret, *, repeat: bool) -> Reply:
        """0420 or 0421: the request of the same number had no answer."""
        kind = "0100" if self._only_asks(payment) else "0200"
        original = f"{kind}{payment.stan}{_transmitted(payment)}{_ACQUIRERS}"
        fields = self._fields(payment) | {
            De.PAN: secret.pan,
            De.RESPONSE_CODE: _NO_ANSWER,
            De.ORIGINAL: original,
        }
        return await self._ask("0421" if repeat else "0420", fields, _APPROVALS)

    def _fields(self, payment: Payment, *, first: bool = False) -> dict[int, str]:
        shop = self._settings.shop
        # A reversal names its request by this moment: that of the first one is the payment's own.
        transmitted = _transmitted(payment) if first else f"{self._clock.now():%m%d%H%M%S}"
        return {
            De.PROCESSING_CODE: "200000" if payment.type == REFUND else "000000",
            De.AMOUNT: f"{payment.amount:012d}",
            De.TRANSMITTED_AT: transmitted,
            De.STAN: payment.stan,
            De.RRN: payment.original or payment.rrn,
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

    async def _ask(self, mti: str, fields: dict[int, str], approvals: frozenset[str]) -> Reply:
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
            approved=code in approvals,
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
            self._keys = msgspec.toml.decode(secret_file(path), type=dict[str, str])

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
