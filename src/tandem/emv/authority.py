"""The operator's certification authority, and what a terminal holds of it (EMV Book 2, 11.2).

An **authority** (`Authority`) belongs to one RID, the first five bytes of its cards' AIDs. It has
several keys, told apart by an index of one byte which a card names (8F): the newest certifies, the
older ones stay until the last card under them is gone.

    rotate   a new key, the next index ──► its public half to every terminal ──► certify with it
    retire   an old key leaves the authority, and the terminals with the next set

A **terminal** holds the public halves, of any number of authorities, and what they revoked
(`TrustedKeys`). Both are values; both are written as JSON: the one to be sealed by the key ring,
the other, which has no secret, to be sent to terminals. Each public key carries the check sum that
the specification has (table 30). It finds accidents; against malice the way to the terminal must
be trusted.

As the specification advises (11.2.3), a terminal doesn't drop a key by its own calendar: whoever
runs it takes the key out, `TrustedKeys.without_expired` if by date.
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Final, TypeAlias

import msgspec

from tandem.emv.certificates import (
    AUTHORITY_BITS,
    MAX_SERIAL,
    Certificate,
    Certified,
    certify_issuer,
    last_day,
    recover_issuer,
)
from tandem.emv.errors import AuthenticationFailed, Fault, KeyMalformed, Signed
from tandem.emv.rsa import PrivateKey, PublicKey, sha1
from tandem.kernel import Entropy, Invalid

RID_BYTES: Final = 5
MAX_INDEX: Final = 255

_FORMAT: Final = 1
_Index: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=MAX_INDEX)]
_Serial: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=MAX_SERIAL)]


@dataclass(frozen=True, slots=True)
class AuthorityPublicKey:
    """A public key of an authority. `expires` is the last day on which it is meant to be used."""

    rid: bytes
    index: int
    key: PublicKey
    expires: date

    @property
    def check_sum(self) -> bytes:
        """SHA-1 over RID, index, modulus and exponent, 20 bytes (table 30)."""
        parts = (self.rid, bytes((self.index,)), self.key.modulus, self.key.exponent_bytes)
        return sha1(b"".join(parts))


@dataclass(frozen=True, slots=True, order=True)
class Revocation:
    """An issuer certificate that is not to be accepted any more (5.1.2, table 5)."""

    rid: bytes
    index: int
    serial: int


@dataclass(frozen=True, slots=True)
class AuthorityKey:
    """A whole key of an authority. Its secret appears in no repr."""

    public: AuthorityPublicKey
    private: PrivateKey

    def certify_issuer(
        self, key: PublicKey, identifier: str, expires: date, serial: int
    ) -> Certificate:
        """Certify an issuer's key for the cards whose numbers begin with the identifier.

        Raises `Invalid` as `certificates.certify_issuer` does, and for a certificate that would
        outlive this key.
        """
        if last_day(expires) > self.public.expires:
            raise Invalid("expires", f"the authority's key is good until {self.public.expires}")
        return certify_issuer(self.private, key, identifier, expires, serial)


@dataclass(frozen=True, slots=True)
class Authority:
    """A certification authority: its RID and its keys, the newest last."""

    rid: bytes
    keys: tuple[AuthorityKey, ...]

    @staticmethod
    def create(
        rid: bytes, expires: date, entropy: Entropy, bits: int = AUTHORITY_BITS
    ) -> "Authority":
        """A new authority with one key, index 1. Raises `Invalid` for a RID of another length."""
        if len(rid) != RID_BYTES:
            raise Invalid("rid", f"a registered application provider has {RID_BYTES} bytes")
        return Authority(rid, (_new_key(rid, 1, expires, entropy, bits),))

    @property
    def current(self) -> AuthorityKey:
        """The key that certifies now."""
        return self.keys[-1]

    def rotate(self, expires: date, entropy: Entropy, bits: int = AUTHORITY_BITS) -> "Authority":
        """The same with one more key, which certifies from now on.

        Terminals must have it before cards under it come: acquirers are expected to take six
        months (11.2.1). Raises `Invalid` when the indexes are used up: none is given twice.
        """
        index = self.current.public.index + 1
        if index > MAX_INDEX:
            raise Invalid("index", f"this RID has had {MAX_INDEX} keys: use another")
        return Authority(self.rid, (*self.keys, _new_key(self.rid, index, expires, entropy, bits)))

    def retire(self, index: int) -> "Authority":
        """The same without one of the older keys. Raises `Invalid` for any other index."""
        kept = tuple(key for key in self.keys[:-1] if key.public.index != index)
        if len(kept) == len(self.keys) - 1:
            raise Invalid("index", "only an older key of this authority can be retired")
        return Authority(self.rid, (*kept, self.current))

    def trusted(self, revoked: Iterable[Revocation] = ()) -> "TrustedKeys":
        """What its terminals hold."""
        return TrustedKeys(tuple(key.public for key in self.keys), frozenset(revoked))

    def to_bytes(self) -> bytes:
        """All of it, secrets included: to be sealed, and never written anywhere else."""
        keys = [
            _StoredKey(key.public.index, key.public.expires, key.private.to_bytes())
            for key in self.keys
        ]
        return msgspec.json.encode(_StoredAuthority(_FORMAT, self.rid, keys))

    @staticmethod
    def from_bytes(stored: bytes) -> "Authority":
        """Read what `to_bytes` wrote. Raises `KeyMalformed`."""
        try:
            read = msgspec.json.decode(stored, type=_StoredAuthority)
        except (msgspec.MsgspecError, ValueError):
            read = None  # in words of ours: a decoder's message could quote a key
        indexes = [key.index for key in read.keys] if read else []
        if read is None or not indexes or indexes != sorted(set(indexes)):
            raise KeyMalformed("it is no authority, or it is damaged")
        return Authority(read.rid, tuple(_read_key(read.rid, key) for key in read.keys))


@dataclass(frozen=True, slots=True)
class TrustedKeys:
    """The public keys that a terminal goes by, and the certificates that it refuses."""

    keys: tuple[AuthorityPublicKey, ...] = ()
    revoked: frozenset[Revocation] = frozenset()
    _found: dict[tuple[bytes, int], AuthorityPublicKey] = field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        found = {(key.rid, key.index): key for key in self.keys}
        if len(found) != len(self.keys):
            raise Invalid("keys", "two keys have the same RID and index")
        object.__setattr__(self, "_found", found)

    def find(self, rid: bytes, index: int) -> AuthorityPublicKey:
        """The key that a card names (6.2). Raises `AuthenticationFailed` if it is not held."""
        found = self._found.get((rid, index))
        if found is None:
            raise AuthenticationFailed(Signed.ISSUER_CERTIFICATE, Fault.CA_UNKNOWN)
        return found

    def recover_issuer(
        self, rid: bytes, index: int, certificate: Certificate, pan: str, today: date
    ) -> Certified:
        """Read an issuer's certificate with the key that the card names, and check it (6.2, 6.3).

        Raises `AuthenticationFailed` with the reason.
        """
        found = recover_issuer(self.find(rid, index).key, certificate, pan, today)
        if Revocation(rid, index, found.serial) in self.revoked:
            raise AuthenticationFailed(Signed.ISSUER_CERTIFICATE, Fault.REVOKED)
        return found

    def joined(self, other: "TrustedKeys") -> "TrustedKeys":
        """These and another authority's. Raises `Invalid` if both have a key of the same name."""
        return TrustedKeys(self.keys + other.keys, self.revoked | other.revoked)

    def without_expired(self, today: date) -> "TrustedKeys":
        """The same without the keys whose last day has passed."""
        return TrustedKeys(tuple(k for k in self.keys if k.expires >= today), self.revoked)

    def to_bytes(self) -> bytes:
        """As JSON, with the check sum of each key. It has no secret."""
        keys = [
            _StoredPublic(
                rid=key.rid.hex(),
                index=key.index,
                modulus=key.key.modulus.hex(),
                exponent=key.key.exponent,
                expires=key.expires,
                check_sum=key.check_sum.hex(),
            )
            for key in self.keys
        ]
        revoked = [_StoredRevocation(r.rid.hex(), r.index, r.serial) for r in sorted(self.revoked)]
        return msgspec.json.encode(_StoredTrust(_FORMAT, keys, revoked))

    @staticmethod
    def from_bytes(stored: bytes) -> "TrustedKeys":
        """Read what `to_bytes` wrote; each check sum is compared. Raises `KeyMalformed`."""
        try:
            read = msgspec.json.decode(stored, type=_StoredTrust)
            keys = tuple(_read_public(key) for key in read.keys)
            revoked = frozenset(
                Revocation(bytes.fromhex(r.rid), r.index, r.serial) for r in read.revoked
            )
            return TrustedKeys(keys, revoked)
        except (msgspec.MsgspecError, ValueError, Invalid) as error:
            raise KeyMalformed("it is no set of trusted keys, or it is damaged") from error


class _StoredKey(msgspec.Struct, forbid_unknown_fields=True):
    index: Annotated[int, msgspec.Meta(ge=1, le=MAX_INDEX)]
    expires: date
    private: bytes


class _StoredAuthority(msgspec.Struct, forbid_unknown_fields=True):
    version: Annotated[int, msgspec.Meta(ge=_FORMAT, le=_FORMAT)]
    rid: Annotated[bytes, msgspec.Meta(min_length=RID_BYTES, max_length=RID_BYTES)]
    keys: list[_StoredKey]


class _StoredPublic(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    rid: str
    index: _Index
    modulus: str
    exponent: int
    expires: date
    check_sum: str


class _StoredRevocation(msgspec.Struct, forbid_unknown_fields=True):
    rid: str
    index: _Index
    serial: _Serial


class _StoredTrust(msgspec.Struct, forbid_unknown_fields=True):
    version: Annotated[int, msgspec.Meta(ge=_FORMAT, le=_FORMAT)]
    keys: list[_StoredPublic]
    revoked: list[_StoredRevocation]


def _new_key(rid: bytes, index: int, expires: date, entropy: Entropy, bits: int) -> AuthorityKey:
    private = PrivateKey.generate(bits, entropy)
    return AuthorityKey(AuthorityPublicKey(rid, index, private.public, expires), private)


def _read_key(rid: bytes, stored: _StoredKey) -> AuthorityKey:
    private = PrivateKey.from_bytes(stored.private)
    public = AuthorityPublicKey(rid, stored.index, private.public, stored.expires)
    return AuthorityKey(public, private)


def _read_public(stored: _StoredPublic) -> AuthorityPublicKey:
    key = PublicKey(bytes.fromhex(stored.modulus), stored.exponent)
    rid = bytes.fromhex(stored.rid)
    if len(rid) != RID_BYTES or not key.plausible:
        raise KeyMalformed("it is no key of a certification authority")
    found = AuthorityPublicKey(rid, stored.index, key, stored.expires)
    if not hmac.compare_digest(found.check_sum, bytes.fromhex(stored.check_sum)):
        raise KeyMalformed("its check sum is not that of the key")
    return found
