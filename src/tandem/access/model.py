"""Who asks: API keys and sessions, what they may do, how they are stored. Pure."""

import base64
import hashlib
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.access.errors import NoSuchScope
from tandem.kernel import Entropy, show_id

Kind = Literal["operator", "merchant", "person"]

SCOPES: Final[dict[Kind, dict[str, str]]] = {
    "operator": {
        "operator": "Everything that the operator does",
        "operator:read": "See people, merchants, cards, payments and the ledger",
        "operator:support": "Suspend and resume people and merchants; devices, cards, new codes",
        "operator:money": "Book top-ups, payouts, withdrawals and corrections",
    },
    "person": {"wallet": "Everything that a person does with their wallet"},
    "merchant": {
        "payments:write": "Take, capture and cancel payments",
        "payments:read": "See payments and refunds",
        "refunds:write": "Refund payments",
        "checkout:write": "Make and change payment links and invoices",
        "checkout:read": "See payment links and invoices, and where checkout returns to",
        "checkout:settings": "Say where checkout returns to and who may frame it, make the secret "
        "of its results",
        "taps:write": "Be a till's terminal: take payments by tap, take back what had no "
        "answer, know what the till accepts",
        "shops:write": "Make and change shops, tills and what they accept",
        "shops:read": "See shops and tills",
        "keys:write": "Make API keys with no more scopes than this one has, and revoke keys",
        "webhooks:write": "Make and change webhook endpoints, send deliveries again",
        "webhooks:read": "See webhook endpoints and deliveries",
        "events:read": "See events, and follow them live",
        "payouts:read": "See payouts",
        "balance:read": "See the balance and its statement",
        "staff:write": "Invite staff with roles that can do no more than this key, change them",
        "staff:manage": "Suspend and resume staff whose role can do less than this key, and say "
        "what they may refund",
        "staff:read": "See the staff",
        "audit:read": "See who did what",
    },
}
"""The scopes of each kind of key, with what they allow."""

Scope = Annotated[str, Meta(extra_json_schema={"enum": list(SCOPES["merchant"])})]
"""A scope of a merchant's key, as the API documents it."""
MEANINGS: Final = ". ".join(f"`{name}`: {what}" for name, what in SCOPES["merchant"].items())
"""What each scope of a merchant's key allows, in a sentence of the API's documentation."""

SECRET_BYTES: Final = 32
_PREFIX: Final[dict[Kind, str]] = {"operator": "op", "merchant": "mer", "person": "dev"}
_SECRET = re.compile(r"tk_(?:op|mer|dev)_[A-Za-z0-9_-]{43}", re.ASCII)


class SignedIn(msgspec.Struct, frozen=True):
    """Who signed in: a person, or a member of a merchant's or the operator's staff.

    `refund_limit` is the most of one payment that they give back, `refund_day_limit` the most in a
    day: in hundredths of a currency's unit, the same for each; None: no limit.
    """

    session_id: UUID
    holder_id: UUID
    role: str | None
    refund_limit: int | None
    refund_day_limit: int | None


class Principal(msgspec.Struct, frozen=True):
    """Who asks: the owner of the key or the session that a request came with.

    `key_id` is the id of either. `device_id` is a person's device: of its key always, of a session
    if it belongs to one. `signed_in` is there for a session.
    """

    kind: Kind
    owner_id: UUID
    key_id: UUID
    device_id: UUID | None
    scopes: frozenset[str]
    name: str
    signed_in: SignedIn | None = None


class Key(msgspec.Struct, frozen=True):
    """A row of `api_keys` without its hash. `hint` is the last four characters."""

    id: UUID
    owner_kind: Kind
    owner_id: UUID
    device_id: UUID | None
    name: str
    hint: str
    scopes: list[str]
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None = None


class KeyView(msgspec.Struct, frozen=True):
    """An API key as it is listed: never the secret itself."""

    id: Annotated[str, Meta(examples=["key_0199f0a4c0de70008000000000000005"])]
    name: Annotated[str, Meta(examples=["Till server"])]
    hint: Annotated[str, Meta(description="The secret's last four characters", examples=["x7Qa"])]
    scopes: Annotated[list[Scope], Meta(examples=[["payments:write", "payments:read"]])]
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: Annotated[
        datetime | None, Meta(description="When it was used last, to the minute")
    ]


class NewKey(msgspec.Struct, frozen=True):
    """A new API key with its secret, which is shown this once."""

    id: Annotated[str, Meta(examples=["key_0199f0a4c0de70008000000000000005"])]
    name: str
    scopes: Annotated[list[Scope], Meta(examples=[["payments:write", "payments:read"]])]
    secret: Annotated[str, Meta(description="Shown once; keep it safe", examples=["tk_mer_…"])]
    created_at: datetime


def new_secret(kind: Kind, entropy: Entropy) -> str:
    """A secret of 256 random bits."""
    random = base64.urlsafe_b64encode(entropy(SECRET_BYTES)).decode().rstrip("=")
    return f"tk_{_PREFIX[kind]}_{random}"


def digest(secret: str) -> bytes | None:
    """The hash that a secret is stored under; None if it cannot be a secret.

    SHA-256 without salt or stretching suffices for 256 random bits, and it is looked up by it.
    """
    if _SECRET.fullmatch(secret) is None:
        return None
    return hashlib.sha256(secret.encode()).digest()


def widened(kind: Kind, scopes: Iterable[str]) -> frozenset[str]:
    """What scopes come to: `operator` is all of the operator's."""
    given = frozenset(scopes)
    return given | frozenset(SCOPES[kind]) if "operator" in given else given


def check_scopes(kind: Kind, scopes: list[str]) -> list[str]:
    """The scopes in order, each once. Raises `NoSuchScope`."""
    known = tuple(SCOPES[kind])
    for scope in scopes:
        if scope not in known:
            raise NoSuchScope(scope, known)
    return sorted(set(scopes))


def key_view(key: Key) -> KeyView:
    """The key as it is listed."""
    return KeyView(
        show_id("key", key.id),
        key.name,
        key.hint,
        key.scopes,
        key.created_at,
        key.revoked_at,
        key.last_used_at,
    )
