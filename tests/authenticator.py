"""An authenticator in software: it makes passkeys and signs with them (WebAuthn Level 3, §6).

Written from the specification, not from the library that checks it. Everything that a hostile one
could say can be said: other origins and domains, missing flags, another's user handle, a counter
that goes back.
"""

import hashlib
import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, TypeAlias

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

Algorithm = Literal["ES256", "RS256", "EdDSA"]
PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
Facts: TypeAlias = dict[str, Any]

UP, UV, BE, BS, AT = 0x01, 0x04, 0x08, 0x10, 0x40
ALGORITHMS: Final[Mapping[Algorithm, int]] = {"ES256": -7, "RS256": -257, "EdDSA": -8}
SYNCED: Final = UP | UV | BE | BS
"""What a password manager's passkey says; its counter stays 0."""


def show(value: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(value).decode().rstrip("=")


def read(text: str) -> bytes:
    """Bytes from base64url."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Passkey:
    """One credential, with its private key."""

    id: bytes
    key: PrivateKey
    algorithm: Algorithm
    domain: str
    user: bytes
    count: int = 0


@dataclass
class Says:
    """What goes into an answer, where it is not what an honest authenticator says."""

    flags: int = SYNCED
    origin: str | None = None
    domain: str | None = None
    challenge: str | None = None
    user: bytes | None = None
    hide_user: bool = False
    type: str | None = None
    client: Facts = field(default_factory=dict)
    format: Literal["none", "packed"] = "none"
    signature: bytes | None = None
    rsa_bits: int = 2048


HONEST: Final = Says()


@dataclass
class Authenticator:
    """Holds passkeys for one browser at an origin. `counts`: its passkeys count signatures."""

    origin: str
    algorithm: Algorithm = "ES256"
    counts: bool = False
    passkeys: list[Passkey] = field(default_factory=list)

    def create(self, options: Facts, says: Says = HONEST) -> Facts:
        """What `navigator.credentials.create(…).toJSON()` gives."""
        wanted = [kind["alg"] for kind in options["pubKeyCredParams"]]
        assert ALGORITHMS[self.algorithm] in wanted, "the site takes no such key"
        assert options["authenticatorSelection"]["userVerification"] == "required"
        assert options["authenticatorSelection"]["residentKey"] == "required"
        known = {one["id"] for one in options["excludeCredentials"]}
        assert not known & {show(mine.id) for mine in self.passkeys}, "there is one already"
        passkey = Passkey(
            os.urandom(32),
            _new_key(self.algorithm, says.rsa_bits),
            self.algorithm,
            options["rp"]["id"],
            read(options["user"]["id"]),
            1 if self.counts else 0,
        )
        client = self._client("webauthn.create", options["challenge"], says)
        attested = bytes(16) + len(passkey.id).to_bytes(2, "big") + passkey.id + _cose(passkey)
        data = _head(says.domain or passkey.domain, says.flags | AT, passkey.count) + attested
        statement: Facts = {}
        if says.format == "packed":  # self attestation (§8.2)
            made = _sign(passkey, data + hashlib.sha256(client).digest())
            statement = {"alg": ALGORITHMS[self.algorithm], "sig": says.signature or made}
        self.passkeys.append(passkey)
        held = cbor2.dumps({"fmt": says.format, "attStmt": statement, "authData": data})
        return {
            "id": show(passkey.id),
            "rawId": show(passkey.id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {"credProps": {"rk": True}},
            "response": {
                "clientDataJSON": show(client),
                "attestationObject": show(held),
                "transports": ["internal"],
                "publicKeyAlgorithm": ALGORITHMS[self.algorithm],
            },
        }

    def get(self, options: Facts, says: Says = HONEST, passkey: Passkey | None = None) -> Facts:
        """What `navigator.credentials.get(…).toJSON()` gives; the newest passkey that fits."""
        assert options["userVerification"] == "required"
        allowed = {one["id"] for one in options["allowCredentials"]}
        fitting = [mine for mine in self.passkeys if not allowed or show(mine.id) in allowed]
        chosen = passkey or fitting[-1]
        if self.counts:
            chosen.count += 1
        client = self._client("webauthn.get", options["challenge"], says)
        data = _head(says.domain or chosen.domain, says.flags, chosen.count)
        signature = says.signature or _sign(chosen, data + hashlib.sha256(client).digest())
        response = {
            "clientDataJSON": show(client),
            "authenticatorData": show(data),
            "signature": show(signature),
        }
        if not says.hide_user:
            response["userHandle"] = show(says.user or chosen.user)
        return {
            "id": show(chosen.id),
            "rawId": show(chosen.id),
            "type": "public-key",
            "clientExtensionResults": {},
            "response": response,
        }

    def copy(self) -> "Authenticator":
        """A second one with the same private keys: what cloning is."""
        twins = [replace(passkey) for passkey in self.passkeys]
        return Authenticator(self.origin, self.algorithm, self.counts, twins)

    def _client(self, kind: str, challenge: str, says: Says) -> bytes:
        said = {
            "type": says.type or kind,
            "challenge": says.challenge or challenge,
            "origin": says.origin or self.origin,
            "crossOrigin": False,
        }
        return json.dumps(said | says.client).encode()


def _new_key(algorithm: Algorithm, bits: int) -> PrivateKey:
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, bits)


def _cose(passkey: Passkey) -> bytes:
    """The public key (RFC 9053 §7)."""
    alg, key = ALGORITHMS[passkey.algorithm], passkey.key
    if isinstance(key, ec.EllipticCurvePrivateKey):
        point = key.public_key().public_numbers()
        return cbor2.dumps(
            {1: 2, 3: alg, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
        )
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return cbor2.dumps({1: 1, 3: alg, -1: 6, -2: key.public_key().public_bytes_raw()})
    numbers = key.public_key().public_numbers()
    size = (numbers.n.bit_length() + 7) // 8
    return cbor2.dumps({1: 3, 3: alg, -1: numbers.n.to_bytes(size, "big"), -2: b"\x01\x00\x01"})


def _sign(passkey: Passkey, data: bytes) -> bytes:
    key = passkey.key
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(hashes.SHA256()))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    return key.sign(data, padding.PKCS1v15(), hashes.SHA256())


def _head(domain: str, flags: int, count: int) -> bytes:
    """Authenticator data as far as every one has it (§6.1)."""
    return hashlib.sha256(domain.encode()).digest() + bytes([flags]) + count.to_bytes(4, "big")
