"""Passkeys, staff, codes: rows, views and what is decided about them. Pure."""

import hashlib
import re
from base64 import b32encode
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.access import Employer, role_of
from tandem.kernel import Entropy, show_id

HolderKind = Literal["person", "staff"]
MAX_PASSKEYS: Final = 20
FRESH: Final = timedelta(minutes=10)
"""For so long after the passkey was asked for one may change how one signs in."""
ASKED: Final = timedelta(minutes=5)
"""For so long what an authenticator was asked may be answered."""
DEVICE_CODE: Final = timedelta(minutes=10)
INVITATION: Final = timedelta(days=7)
RECOVERY_CODES: Final = 10
WRONG_MAX: Final = 5
PAUSE: Final = timedelta(minutes=15)
"""After so many wrong codes for a handle, so long none is looked at."""
FORGET_WRONG: Final = timedelta(hours=1)

_ALPHABET: Final = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"
)
"""From the alphabet of RFC 4648 §6 to Crockford's, which has no letters that look like digits."""
_ALIKE: Final = str.maketrans({"O": "0", "I": "1", "L": "1"})
_GROUP: Final = 4
DEVICE_CODE_BYTES: Final = 5
RECOVERY_BYTES: Final = 10
_CODE: Final = re.compile(r"[0-9A-HJKMNP-TV-Z]{8}|[0-9A-HJKMNP-TV-Z]{16}", re.ASCII)


class Holder(NamedTuple):
    """Whose passkeys they are."""

    kind: HolderKind
    id: UUID


class Passkey(msgspec.Struct, frozen=True):
    """A row of `passkeys`. `suspect_at`: its counter went back, so it signs nobody in any more."""

    id: UUID
    holder_kind: HolderKind
    holder_id: UUID
    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: list[str]
    backup_eligible: bool
    backed_up: bool
    aaguid: UUID
    name: str
    created_at: datetime
    last_used_at: datetime | None
    suspect_at: datetime | None
    removed_at: datetime | None

    @property
    def holder(self) -> Holder:
        """Whose it is."""
        return Holder(self.holder_kind, self.holder_id)


class Member(msgspec.Struct, frozen=True):
    """A row of `staff` without its invitation's hash."""

    id: UUID
    employer_kind: Employer
    employer_id: UUID
    name: str
    role: str
    refund_limit: int | None
    refund_day_limit: int | None
    status: Literal["invited", "active", "suspended", "removed"]
    invited_until: datetime | None
    created_at: datetime


class Limits(NamedTuple):
    """What a member gives back: of one payment, and in a day, in hundredths; None: no limit."""

    of_payment: int | None
    of_day: int | None


def limits_of(member: Member) -> Limits:
    """A member's own limits, or those of their role."""
    role = role_of(member.employer_kind, member.role)
    own, own_day = member.refund_limit, member.refund_day_limit
    of_payment = role.refund_limit if own is None else own
    return Limits(of_payment, role.day_limit(of_payment) if own_day is None else own_day)


class PasskeyView(msgspec.Struct, frozen=True):
    """A passkey as its holder sees it."""

    id: Annotated[str, Meta(examples=["psk_0199f0a4c0de70008000000000000032"])]
    name: Annotated[str, Meta(examples=["Lin's phone"])]
    synced: Annotated[
        bool, Meta(description="Whether it is kept by a password manager on several devices")
    ]
    suspect: Annotated[
        bool, Meta(description="It may have been copied, and signs nobody in: remove it")
    ]
    created_at: datetime
    last_used_at: datetime | None


class MemberView(msgspec.Struct, frozen=True):
    """A member of the staff."""

    id: Annotated[str, Meta(examples=["stf_0199f0a4c0de70008000000000000033"])]
    name: Annotated[str, Meta(examples=["Xu"])]
    role: Annotated[str, Meta(examples=["cashier"])]
    refund_limit: Annotated[
        int | None,
        Meta(
            description="The most of one payment that they refund, in hundredths; null: as their "
            "role has it"
        ),
    ]
    refund_day_limit: Annotated[
        int | None,
        Meta(
            description=(
                "The most that they refund in a day, in each currency, in hundredths; null: as "
                "their role has it"
            )
        ),
    ]
    status: Annotated[
        Literal["invited", "active", "suspended", "removed"],
        Meta(description="Who is suspended signs in no more until they are resumed"),
    ]
    invited_until: Annotated[datetime | None, Meta(description="Until then the invitation holds")]
    created_at: datetime


class Invited(msgspec.Struct, frozen=True):
    """A member with their invitation, which is shown this once."""

    staff: MemberView
    token: Annotated[str, Meta(description="Give it to them; it works once", examples=["inv_…"])]
    url: Annotated[
        str,
        Meta(
            description="The same as a link; what is behind the # reaches no server",
            examples=["https://pay.example/join#inv_…"],
        ),
    ]


def passkey_view(passkey: Passkey) -> PasskeyView:
    """The passkey as its holder sees it."""
    return PasskeyView(
        show_id("psk", passkey.id),
        passkey.name,
        passkey.backed_up,
        passkey.suspect_at is not None,
        passkey.created_at,
        passkey.last_used_at,
    )


def member_view(member: Member) -> MemberView:
    """The member as they are listed."""
    return MemberView(
        show_id("stf", member.id),
        member.name,
        member.role,
        member.refund_limit,
        member.refund_day_limit,
        member.status,
        member.invited_until,
        member.created_at,
    )


def new_code(size: int, entropy: Entropy) -> str:
    """A code for people to type: letters and digits in groups of four, 5 bytes are 8 of them."""
    letters = b32encode(entropy(size)).translate(_ALPHABET).decode()
    return "-".join(letters[at : at + _GROUP] for at in range(0, len(letters), _GROUP))


def read_code(text: str) -> str | None:
    """A code as it is hashed, however it was typed; None if it can be none."""
    bare = re.sub(r"[\s-]", "", text).upper().translate(_ALIKE)
    return bare if _CODE.fullmatch(bare) else None


def is_guessable(code: str) -> bool:
    """Whether this is as short as a code for another device: 40 bits, of which tries are counted.

    A recovery code has 80. It is never guessed, and if wrong ones were counted anybody could keep
    a person from theirs.
    """
    return len(code) * 5 <= DEVICE_CODE_BYTES * 8


def code_hash(code: str, of: UUID) -> bytes:
    """The hash that a code of somebody's is stored under.

    A recovery code has 80 random bits: more rounds would only cost the server.
    """
    return hashlib.sha256(b"tandem code\0" + of.bytes + code.replace("-", "").encode()).digest()


def subject_of(handle: str) -> bytes:
    """What wrong codes for a handle are counted under, whether or not somebody has it."""
    return hashlib.sha256(b"tandem tries\0" + handle.lower().encode()).digest()


def browser_of(header: str | None) -> str:
    """A browser's name for a list of sessions, from its User-Agent: "Chrome on Android"."""
    text = header or ""
    browser = next((name for sign, name in _BROWSERS if sign in text), None)
    system = next((name for sign, name in _SYSTEMS if sign in text), None)
    if browser is None:
        return "Unknown browser" if system is None else f"A browser on {system}"
    return browser if system is None else f"{browser} on {system}"


# The first that fits: many name others' signs beside their own.
_BROWSERS: Final = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("MicroMessenger", "WeChat"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS: Final = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
