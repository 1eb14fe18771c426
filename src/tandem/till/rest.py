"""The terminal's way to who decides over Tandem's own REST API.

Each request has a key that follows from the payment, so it happens once however often it is sent;
a reversal names the key of what it takes back.
"""

import base64
from typing import Any, Final

import httpx
import msgspec

from tandem.acquiring import ResponseCode
from tandem.acquiring.refusals import CODES
from tandem.merchants import WayRefused
from tandem.tap import Payment, Reply, Secret
from tandem.tap.payment import REFUND, Unanswered, Unreachable
from tandem.till.tandem import Tandem

_FAULT: Final = 500
_TOO_MANY: Final = 429
_NOT_OURS: Final = frozenset({"unauthenticated", "scope_missing", "wrong_kind_of_key"})
"""Refusals of the key: nothing was asked, and another key may ask it again."""
_CODES: Final = {kind.code: code for kind, code in CODES.items()} | {
    WayRefused.code: ResponseCode.NOT_PERMITTED_TO_TERMINAL
}
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class _Taken(msgspec.Struct):
    """A `TapTaken`; a refund or a reversal that was done has none of it."""

    approved: bool = True
    response_code: str = ResponseCode.APPROVED
    authorisation_code: str | None = None
    issuer_answer: bytes | None = None


class _Problem(msgspec.Struct):
    code: str
    detail: str


class RestOnline:
    """The terminal's `Online` over a Tandem."""

    def __init__(self, tandem: Tandem) -> None:
        self._tandem = tandem

    async def authorise(self, payment: Payment, secret: Secret, *, repeat: bool) -> Reply:
        """Ask for a payment, or for a refund to the card that was tapped."""
        del repeat  # the key says so
        if payment.type == REFUND:
            body = _what(payment) | {"pan": secret.pan, "number": payment.original}
            return await self._ask("taps/refunds", _key(payment), body)
        return await self._ask("taps", _key(payment), tap_body(payment, secret))

    async def advise(self, payment: Payment, secret: Secret, *, repeat: bool) -> Reply:
        """Tell of an approval offline, or of who went through a gate without an answer."""
        del repeat
        return await self._ask("taps", _key(payment), tap_body(payment, secret) | {"offline": True})

    async def reverse(self, payment: Payment, secret: Secret, *, repeat: bool) -> Reply:
        """Take a payment back that was not answered."""
        del secret, repeat
        key = _key(payment)
        return await self._ask("taps/reversals", f"{key}-reversal", {"key": key})

    async def _ask(self, what: str, key: str, body: dict[str, Any]) -> Reply:
        path = f"{self._tandem.path}/{what}"
        try:
            answer = await self._tandem.http.post(path, json=body, headers={"Idempotency-Key": key})
            if answer.is_success:
                return _reply(msgspec.json.decode(answer.content, type=_Taken))
            problem = msgspec.json.decode(answer.content, type=_Problem)
        except _NOT_SENT as error:
            raise Unreachable(str(error) or type(error).__name__) from error
        except (httpx.HTTPError, msgspec.MsgspecError) as error:
            raise Unanswered(str(error) or type(error).__name__) from error
        if answer.status_code >= _FAULT:
            raise Unanswered(problem.detail)
        if problem.code in _NOT_OURS:
            raise Unreachable(problem.detail)
        later = answer.status_code == _TOO_MANY
        code = ResponseCode.UNAVAILABLE if later else _CODES.get(problem.code)
        return Reply(approved=False, code=code or ResponseCode.DO_NOT_HONOUR)


def _reply(taken: _Taken) -> Reply:
    return Reply(
        approved=taken.approved,
        code=taken.response_code,
        authorisation_code=taken.authorisation_code or "",
        icc=taken.issuer_answer or b"",
    )


def _key(payment: Payment) -> str:
    """What this payment's request is known by: its number may begin anew, its moment does not."""
    return f"{payment.number}-{payment.at:%Y%m%dT%H%M%S%z}"


def _what(payment: Payment) -> dict[str, Any]:
    return {"amount": payment.amount, "currency": payment.currency}


def tap_body(payment: Payment, secret: Secret) -> dict[str, Any]:
    """What Tandem is told of a tap: the body of its request."""
    return _what(payment) | {
        "pan": secret.pan,
        "sequence": None if secret.sequence is None else int(secret.sequence),
        "icc": base64.b64encode(secret.icc).decode(),
        "day": f"{payment.at:%Y-%m-%d}",
        "number": payment.rrn,
        **({"order_id": payment.order} if payment.order else {}),
    }
