"""What refusals become over HTTP: problem details (RFC 9457), by one table.

A refusal's class, or the nearest of its parents, has a row in `ROWS`: the status, and an example
from which the reference is made. What has no row is a fault of ours: 500, logged, with nothing
inside shown. The `code` is the refusal's own and never changes; the page at `type` explains it.

`tandem api errors` prints docs/reference/errors.md.
"""

import inspect
import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.access import NoSuchScope, SessionOver
from tandem.api import errors as wire
from tandem.api.operation import PATH_IDS
from tandem.cards import (
    CardBeingChecked,
    CardConflict,
    CardDelivered,
    CardNotEligible,
    CardOfNoIssuer,
    CardRefused,
    CodeOver,
    CodesUsedUp,
    CodeTooSoon,
    CodeWrong,
    IssuerAway,
    IssuerSilent,
)
from tandem.catalogue import GtinTaken, TooManyItems
from tandem.checkout import InvoiceConflict, LinkClosed, ReturnRefused
from tandem.codes import (
    CodeDamaged,
    NotEmvco,
    PayCodeExpired,
    PayCodeInvalid,
    PayCodeMalformed,
    PayCodeUsed,
)
from tandem.db import IdempotencyConflict
from tandem.events import (
    MAX_ENDPOINTS,
    MAX_TESTS,
    EndpointOff,
    TargetRefused,
    TooManyEndpoints,
    TooManyTests,
)
from tandem.kernel import MAX_AMOUNT, Invalid, NotFound, Refused, Rule, show_id
from tandem.keyring import HsmGone
from tandem.ledger import (
    ChangedMeanwhile,
    InsufficientFunds,
    JournalBusy,
    OutcomeUnknown,
    OverdraftInUse,
    ReferenceBooked,
    RefusedEarlier,
    VerificationRuns,
)
from tandem.merchants import WayRefused
from tandem.packets import (
    PacketKept,
    PacketLinksPaused,
    PacketOpened,
    PacketOver,
    PacketOwn,
    PacketUnopened,
)
from tandem.payments import (
    CaptureExceedsAuthorised,
    CardUnknown,
    CodeOfAnotherOperator,
    CodePaused,
    CurrencyNotTaken,
    MerchantNotActive,
    PaymentConflict,
    PaymentTaken,
    RefundAboveLimit,
    RefundExceedsCaptured,
    RefundNotCovered,
    ReversalNotCovered,
)
from tandem.people import (
    HandleTaken,
    LimitExceeded,
    PasskeyNeeded,
    PayerNotActive,
    PersonNotActive,
    SignUpClosed,
)
from tandem.screening import AlreadyAppealed, NotHeld
from tandem.settlement import (
    AlreadyCorrected,
    CorrectionNotCovered,
    PayoutNotCovered,
    SettlementNotCovered,
    WithdrawalNotCovered,
)
from tandem.shifts import ShiftClosed, ShiftOfAnother, ShiftOpen
from tandem.signin import (
    ApprovalRefused,
    CodeRefused,
    DeviceNeeded,
    LastOwner,
    LastPasskey,
    NoPasskey,
    PasskeyRefused,
    SignInNeeded,
    SignInPaused,
    SignInStale,
    StaffInvited,
    StaffSuspended,
    TooManyPasskeys,
)
from tandem.tags import (
    TagKeysWithheld,
    TagOff,
    TagRevoked,
    TagTapOver,
    TagTapUsed,
    TagWrong,
)
from tandem.wallet import RemindedLately, RequestClosed, SendsToSelf, SplitClosed

MEDIA_TYPE: Final = "application/problem+json"

_AN_ID: Final = UUID("0199f0a4-c0de-7000-8000-00000000002a")
_A_TIME: Final = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
_TO_SIGN: Final = {
    "challenge": "q1bX0Yc0Wq3v2dGm8S5t9w",
    "timeout": 300_000,
    "rpId": "pay.example",
    "allowCredentials": [
        {"id": "mGm1yTzB6oW8yAqJ3k5Q2w", "transports": ["internal"], "type": "public-key"}
    ],
    "userVerification": "required",
}
_APPROVAL: Final = {"approvers": ["Bo"], "options": _TO_SIGN}
_PREFIXES: Final[Mapping[str, str]] = {
    **{name: prefix for name, (prefix, _) in PATH_IDS.items()},
    "entry_id": "ent",
}


class Problem(msgspec.Struct, frozen=True):
    """Why a request was refused (RFC 9457)."""

    type: Annotated[str, Meta(description="The page that explains it, relative to this server")]
    title: Annotated[str, Meta(description="The kind of problem, for people")]
    status: Annotated[int, Meta(description="The HTTP status")]
    detail: Annotated[str, Meta(description="What happened and what to do")]
    code: Annotated[str, Meta(description="The kind of problem, for programs; it never changes")]
    request_id: Annotated[str, Meta(description="Name it when you ask about this")]
    data: Annotated[dict[str, Any], Meta(description="The facts behind it; the code says which")]


class Row(NamedTuple):
    """How a refusal is answered. `example` is one of its class."""

    status: int
    example: Refused


ROWS: Final = (
    Row(400, wire.Malformed("invalid character at byte 17")),
    Row(
        400, wire.HeaderMalformed("Idempotency-Key", "must be 1 to 255 printable ASCII characters")
    ),
    Row(400, wire.KeyMissing()),
    Row(400, wire.ReasonMissing()),
    Row(401, wire.Unauthenticated()),
    Row(401, SessionOver()),
    Row(402, InsufficientFunds(_AN_ID, 1200, 3800)),
    Row(402, LimitExceeded("per_day", 2_000_000, 1200, "CNY")),
    Row(402, RefundNotCovered(1200, 3800, "CNY")),
    Row(402, ReversalNotCovered(1200, 3800, "CNY")),
    Row(402, PayoutNotCovered(1200, 3800, "CNY")),
    Row(402, WithdrawalNotCovered(1200, 3800, "CNY")),
    Row(402, CorrectionNotCovered(1200, 3800, "CNY")),
    Row(402, SettlementNotCovered(1200, 3800, "CNY", "received")),
    Row(402, WayRefused("click", "amount_above_limit", 50_000, "CNY", ("scan",))),
    Row(403, wire.WrongKind("person", ("merchant",))),
    Row(403, wire.ScopeMissing("refunds:write")),
    Row(403, wire.OriginRefused()),
    Row(403, PasskeyNeeded(_AN_ID, 150_000, "CNY", 100_000, _TO_SIGN)),
    Row(403, PasskeyRefused("not_verified")),
    Row(403, CodeRefused()),
    Row(403, SignInNeeded()),
    Row(403, SignInStale(10)),
    Row(403, DeviceNeeded()),
    Row(403, StaffSuspended("Blue Door")),
    Row(403, ApprovalRefused("role")),
    Row(403, RefundAboveLimit(_AN_ID, "payment", 20_000, 38_000, 38_000, "CNY", _APPROVAL)),
    Row(403, ShiftOfAnother(_AN_ID, "Ana", _APPROVAL)),
    Row(403, MerchantNotActive()),
    Row(403, PayerNotActive()),
    Row(403, PersonNotActive()),
    Row(403, PacketOwn()),
    Row(403, PacketUnopened()),
    Row(403, SignUpClosed()),
    Row(403, CardNotEligible("too_many_cards")),
    Row(403, CardRefused()),
    Row(404, wire.NoSuchPath("/v1/paymets")),
    Row(404, CardUnknown()),
    Row(404, NotFound("payment", show_id("pay", _AN_ID))),
    Row(405, wire.MethodNotAllowed("DELETE", ("GET", "POST"))),
    Row(409, PaymentConflict("captured", "cancel", ("refund",))),
    Row(409, PaymentTaken(_A_TIME)),
    Row(409, CaptureExceedsAuthorised(1200, 3800, "CNY")),
    Row(409, RefundExceedsCaptured(1200, 3800, "CNY")),
    Row(409, ChangedMeanwhile(_AN_ID)),
    Row(409, RefusedEarlier("way_refused")),
    Row(409, HandleTaken("lin")),
    Row(409, VerificationRuns(show_id("ver", _AN_ID))),
    Row(409, OverdraftInUse(1200, 0, "CNY")),
    Row(409, EndpointOff(_AN_ID)),
    Row(409, TooManyEndpoints(MAX_ENDPOINTS)),
    Row(409, TooManyTests(MAX_TESTS)),
    Row(409, RequestClosed("declined")),
    Row(409, SplitClosed()),
    Row(409, PacketOver("emptied")),
    Row(409, PacketOpened(1288, "CNY")),
    Row(409, PacketKept(_A_TIME)),
    Row(409, ReferenceBooked("bank-2026-05-04-17")),
    Row(409, AlreadyCorrected(show_id("top", _AN_ID), show_id("cor", _AN_ID))),
    Row(409, LinkClosed("off")),
    Row(409, InvoiceConflict("paid", "void")),
    Row(409, PayCodeUsed()),
    Row(409, PayCodeExpired(95)),
    Row(409, CardConflict("lost", "resume", ("remove",))),
    Row(409, CardDelivered()),
    Row(409, LastPasskey()),
    Row(409, NoPasskey()),
    Row(409, TooManyPasskeys(20)),
    Row(409, LastOwner()),
    Row(409, StaffInvited()),
    Row(409, CodeOver()),
    Row(409, GtinTaken("4006381333931")),
    Row(409, TooManyItems(500)),
    Row(409, ShiftOpen(_AN_ID, "Ana")),
    Row(409, ShiftClosed("Ana")),
    Row(409, TagTapUsed()),
    Row(409, TagTapOver()),
    Row(409, TagOff()),
    Row(409, TagKeysWithheld()),
    Row(409, TagRevoked()),
    Row(409, NotHeld("rejected")),
    Row(409, AlreadyAppealed()),
    Row(413, wire.BodyTooLarge(65_536)),
    Row(415, wire.MediaTypeUnsupported("text/plain")),
    Row(
        422,
        Invalid(
            "amount",
            f"must be a whole number of minor units from 1 to {MAX_AMOUNT}",
            rule=Rule("amount", 1, MAX_AMOUNT),
        ),
    ),
    Row(422, IdempotencyConflict("order-1041")),
    Row(422, NoSuchScope("payments:all", ("payments:read", "payments:write"))),
    Row(422, TargetRefused("hooks.example", "has a private address")),
    Row(
        422,
        ReturnRefused("success_url", "https://other.example", ("https://shop.example",)),
    ),
    Row(422, SendsToSelf()),
    Row(422, CurrencyNotTaken("EUR", ("CNY", "USD"))),
    Row(422, CodeOfAnotherOperator("pay.example")),
    Row(422, PayCodeInvalid()),
    Row(422, PayCodeMalformed()),
    Row(422, NotEmvco("it does not begin with 000201")),
    Row(422, CodeDamaged(("its CRC is 1D3D and should be 4A27",))),
    Row(422, CodeWrong(3)),
    Row(422, TagWrong()),
    Row(422, CardOfNoIssuer()),
    Row(429, wire.TooManyRequests("key", 2)),
    Row(429, CodePaused(_A_TIME)),
    Row(429, CardBeingChecked(_A_TIME)),
    Row(429, CodeTooSoon(_A_TIME)),
    Row(429, CodesUsedUp("wrong", _A_TIME)),
    Row(429, SignInPaused(_A_TIME)),
    Row(429, PacketLinksPaused(_A_TIME)),
    Row(429, RemindedLately(_A_TIME)),
    Row(500, wire.InternalFault()),
    Row(503, JournalBusy(1)),
    Row(503, IssuerAway("harbour-bank")),
    Row(503, HsmGone("token tandem", "DeviceRemoved")),
    Row(503, wire.DatabaseAway(2)),
    Row(503, wire.ServerStopping(2)),
    Row(504, OutcomeUnknown(_AN_ID)),
    Row(504, IssuerSilent("harbour-bank")),
)
"""Every refusal that the API answers with, by status. One without a row is a fault of ours."""

_PAUSED: Final = (
    *(CodePaused, CardBeingChecked, CodeTooSoon, CodesUsedUp, SignInPaused),
    *(PacketLinksPaused, RemindedLately),
)
_BY_CLASS: Final = {type(row.example): row for row in ROWS}
BY_CODE: Final = {row.example.code: row for row in ROWS}


def row_of(refusal: type[Refused]) -> Row | None:
    """How refusals of this class are answered; None if they are faults of ours."""
    for kind in refusal.__mro__:
        row = _BY_CLASS.get(kind)
        if row is not None:
            return row
    return None


def title_of(code: str) -> str:
    """The title of a problem: its code in plain letters."""
    return code.replace("_", " ").capitalize()


class Answer(NamedTuple):
    """A problem, ready to send: status, headers of its own, and the body."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


def answer(refused: Refused, request_id: str, now: datetime) -> Answer:
    """The answer to a request that was refused.

    A refusal without a row is answered as `InternalFault`; to log it is the caller's work.
    """
    row = row_of(type(refused))
    if row is None:
        return answer(wire.InternalFault(), request_id, now)
    problem = Problem(
        type=f"/problems/{refused.code}",
        title=title_of(refused.code),
        status=row.status,
        detail=refused.sentence(),
        code=refused.code,
        request_id=request_id,
        data=shown_data(refused),
    )
    return Answer(row.status, tuple(_headers(refused, now)), msgspec.json.encode(problem))


def example(row: Row) -> Problem:
    """The problem of a row's example, for the reference."""
    made: Problem = msgspec.json.decode(
        answer(row.example, "7d3f1c0a9b2e4d58-1f", _A_TIME).body, type=Problem
    )
    return made


def shown_data(refused: Refused) -> dict[str, Any]:
    """A refusal's facts as JSON shows them: ids with their prefixes.

    An id of which it is not known what it names is left out.
    """
    shown: dict[str, Any] = {}
    for name, value in refused.data().items():
        if not isinstance(value, UUID):
            shown[name] = value
        elif name in _PREFIXES:
            shown[name] = show_id(_PREFIXES[name], value)
    return shown


def _headers(refused: Refused, now: datetime) -> Iterable[tuple[bytes, bytes]]:
    """The headers that HTTP wants with some statuses (RFC 9110 §10.2.3, §11.6.1, §15.5.6)."""
    if isinstance(refused, (wire.Unauthenticated, SessionOver)):
        yield b"www-authenticate", b'Bearer realm="tandem"'
    elif isinstance(refused, wire.ScopeMissing):
        scope = refused.scope.encode()  # RFC 6750 §3
        yield (
            b"www-authenticate",
            b'Bearer realm="tandem", error="insufficient_scope", scope="' + scope + b'"',
        )
    elif isinstance(refused, wire.MethodNotAllowed):
        yield b"allow", ", ".join(refused.allowed).encode()
    elif isinstance(refused, _PAUSED):
        wait = max(timedelta(), refused.until - now)
        yield b"retry-after", str(max(1, math.ceil(wait.total_seconds()))).encode()
    else:
        seconds = getattr(refused, "retry_after_seconds", None)
        if seconds is not None:
            yield b"retry-after", str(seconds).encode()


def meaning(refused: Refused) -> str:
    """What a refusal means, for the reference: its class's docstring."""
    text = inspect.getdoc(type(refused)) or ""
    return re.sub(r"\s+", " ", text).strip()


_INTRODUCTION: Final = """\
# Problems

What the API answers when it refuses, by status and code. The answer is
`application/problem+json` (RFC 9457): `type`, `title`, `status`, `detail`, `code`, `request_id`
and `data`. Programs look at `code`, which never changes; `detail` is for people and may be worded
better in the next release. After every refusal nothing was written, unless it says otherwise.

This page is printed by `tandem api errors`; a test compares it.
"""


def reference() -> str:
    """docs/reference/errors.md: every code with its status, meaning, example and data."""
    parts = [_INTRODUCTION]
    for row in ROWS:
        facts = ", ".join(f"`{name}`" for name in shown_data(row.example)) or "none"
        parts.append(
            f"## {row.example.code}\n\n"
            f"Status {row.status}. {meaning(row.example)}\n\n"
            f"> {row.example.sentence()}\n\n"
            f"Data: {facts}.\n"
        )
    return "\n".join(parts)
