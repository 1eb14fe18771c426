"""The signed result: what came of a checkout, for the shop to which the person returns.

A JSON Web Signature in its compact form (RFC 7515 §3.1) with HS256 (RFC 7518 §3.2), whose payload
is a set of JWT claims (RFC 7519 §4.1): every language has a library for it, and without one it is
three lines. The key is the secret's text itself, as the shop was given it. Pure.
"""

import base64
import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Final

import msgspec

from tandem.kernel import Entropy

GOOD_FOR: Final = timedelta(hours=1)
"""How long a result may be on its way: it is made when the page is read."""
CHANGES_AFTER: Final = timedelta(hours=1)
"""After how long a new secret signs, so that the shop can put it in place first."""
SECRET_BYTES: Final = 32
_PREFIX: Final = "chk_"


class ResultSecrets(msgspec.Struct, frozen=True):
    """The secret that signs, and one that will: `following` from `from_when` on.

    `shown` is whether anybody was ever told the secret that signs.
    """

    current: str
    shown: bool
    following: str | None = None
    from_when: datetime | None = None

    def at(self, moment: datetime) -> str:
        """The secret that signs at a moment."""
        if self.following is not None and self.from_when is not None and moment >= self.from_when:
            return self.following
        return self.current

    def rolled(self, entropy: Entropy, moment: datetime, *, at_once: bool) -> "ResultSecrets":
        """With a new secret, which signs an hour later; at once if nobody knows the present one."""
        made = new_secret(entropy)
        if at_once or not self.shown:
            return ResultSecrets(made, shown=True)
        return ResultSecrets(
            self.at(moment), shown=True, following=made, from_when=moment + CHANGES_AFTER
        )


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What a result says. Times in seconds since 1970 (RFC 7519 §2), amount in minor units.

    `iss` is this Tandem, `aud` the merchant, `sub` the checkout session.
    """

    iss: str
    aud: str
    sub: str
    payment: str
    status: str
    amount: int
    currency: str
    reference: str | None
    iat: int
    exp: int


def new_secret(entropy: Entropy) -> str:
    """A secret of 256 random bits: as many as the hash has (RFC 7518 §3.2)."""
    return _PREFIX + _encoded(entropy(SECRET_BYTES))


def key_id(secret: str) -> str:
    """By what a result's header names the secret: it says nothing about it."""
    return hashlib.sha256(secret.encode()).hexdigest()[:8]


def sign(claims: Claims, secret: str) -> str:
    """The result as it goes into an address."""
    header = {"alg": "HS256", "typ": "JWT", "kid": key_id(secret)}
    signed = ".".join(_encoded(msgspec.json.encode(part)) for part in (header, claims))
    mac = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_encoded(mac)}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
