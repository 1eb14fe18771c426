"""An issuer: its key, what the authority certified of it, and the cards that it certifies.

    authority ── certifies ──► issuer ── certifies ──► card
    RID, index (8F)            90, 92, 9F32            9F46, 9F48, 9F47

A value, like the authority: made once for a range of card numbers, stored sealed, read when a
process starts. Its cards carry the authority's index and the issuer's certificate, each of them
also one of its own (EMV Book 2, 6.1, table 12).
"""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Final

import msgspec

from tandem.emv.authority import MAX_INDEX, RID_BYTES, AuthorityKey
from tandem.emv.certificates import (
    ISSUER_BITS,
    MAX_SERIAL,
    Certificate,
    certify_card,
    last_day,
)
from tandem.emv.errors import KeyMalformed
from tandem.emv.rsa import PrivateKey, PublicKey
from tandem.kernel import Entropy, Invalid

_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuer under an authority. `expires` is the last day of its certificate."""

    rid: bytes
    authority_index: int
    identifier: str
    """The digits that its card numbers begin with, 3 to 8."""
    expires: date
    serial: int
    certificate: Certificate
    private: PrivateKey

    @staticmethod
    def create(
        authority: AuthorityKey,
        identifier: str,
        expires: date,
        serial: int,
        entropy: Entropy,
        bits: int = ISSUER_BITS,
    ) -> "Issuer":
        """A new key, certified by the authority. `serial` is unique under the authority's key.

        Raises `Invalid` as `AuthorityKey.certify_issuer` does.
        """
        private = PrivateKey.generate(bits, entropy)
        return Issuer(
            authority.public.rid,
            authority.public.index,
            identifier,
            last_day(expires),
            serial,
            authority.certify_issuer(private.public, identifier, expires, serial),
            private,
        )

    def certify_card(
        self, key: PublicKey, pan: str, expires: date, serial: int, static_data: bytes
    ) -> Certificate:
        """Certify a card's key and static data. `serial` is unique under this issuer's key.

        Raises `Invalid` as `certificates.certify_card` does, and for a card of another issuer or a
        certificate that would outlive this one's.
        """
        if not pan.startswith(self.identifier):
            raise Invalid("pan", f"this issuer's card numbers begin with {self.identifier}")
        if expires > self.expires:
            raise Invalid("expires", f"the issuer's certificate is good until {self.expires}")
        return certify_card(self.private, key, pan, expires, serial, static_data)

    def to_bytes(self) -> bytes:
        """All of it, secret included: to be sealed, and never written anywhere else."""
        return msgspec.json.encode(
            _Stored(
                version=_FORMAT,
                rid=self.rid,
                authority_index=self.authority_index,
                identifier=self.identifier,
                expires=self.expires,
                serial=self.serial,
                certificate=self.certificate,
                private=self.private.to_bytes(),
            )
        )

    @staticmethod
    def from_bytes(stored: bytes) -> "Issuer":
        """Read what `to_bytes` wrote. Raises `KeyMalformed`."""
        try:
            read = msgspec.json.decode(stored, type=_Stored)
        except (msgspec.MsgspecError, ValueError):
            read = None  # in words of ours: a decoder's message could quote a key
        if read is None:
            raise KeyMalformed("it is no issuer, or it is damaged")
        return Issuer(
            read.rid,
            read.authority_index,
            read.identifier,
            read.expires,
            read.serial,
            read.certificate,
            PrivateKey.from_bytes(read.private),
        )


class _Stored(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    version: Annotated[int, msgspec.Meta(ge=_FORMAT, le=_FORMAT)]
    rid: Annotated[bytes, msgspec.Meta(min_length=RID_BYTES, max_length=RID_BYTES)]
    authority_index: Annotated[int, msgspec.Meta(ge=0, le=MAX_INDEX)]
    identifier: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{3,8}\Z")]
    expires: date
    serial: Annotated[int, msgspec.Meta(ge=0, le=MAX_SERIAL)]
    certificate: Certificate
    private: bytes
