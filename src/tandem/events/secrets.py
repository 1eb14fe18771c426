"""An endpoint's signing secrets, sealed at rest.

After a roll the secret before signs too for a day, so that a receiver may change over when it
likes: Standard Webhooks sends both signatures.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from tandem.db.rewrite import SealedColumn
from tandem.kernel import Entropy
from tandem.keyring import KeyRing

SECRET_BYTES: Final = 32
OVERLAP: Final = timedelta(days=1)


class Secrets(msgspec.Struct, frozen=True):
    """The secret that signs, and the one before with the moment until which it signs as well."""

    current: bytes
    previous: bytes | None = None
    previous_until: datetime | None = None

    def at(self, moment: datetime) -> tuple[bytes, ...]:
        """The secrets that sign now."""
        if self.previous is None or self.previous_until is None or moment >= self.previous_until:
            return (self.current,)
        return (self.current, self.previous)

    def rolled(self, entropy: Entropy, moment: datetime) -> "Secrets":
        """With a new secret, and this one beside it for a day."""
        return Secrets(entropy(SECRET_BYTES), self.current, moment + OVERLAP)


def new_secrets(entropy: Entropy) -> Secrets:
    """The first secret of an endpoint."""
    return Secrets(entropy(SECRET_BYTES))


def seal_secrets(keyring: KeyRing, endpoint_id: UUID, secrets: Secrets) -> bytes:
    """The secrets as they are stored."""
    return keyring.seal(msgspec.msgpack.encode(secrets), _context(endpoint_id))


def open_secrets(keyring: KeyRing, endpoint_id: UUID, sealed: bytes) -> Secrets:
    """The secrets as they were stored. Raises what the key ring raises if they cannot be opened."""
    return msgspec.msgpack.decode(keyring.open(sealed, _context(endpoint_id)), type=Secrets)


def _context(endpoint_id: UUID) -> bytes:
    return b"webhook_endpoints.secret:" + endpoint_id.bytes


SIGNING_SECRETS: Final = SealedColumn("webhook_endpoints", "secret", "whe", _context)
"""Where the secrets of endpoints are kept, sealed."""
