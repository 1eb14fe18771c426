"""The two ceremonies of WebAuthn Level 3: making a passkey (§7.1) and signing with it (§7.2).

What the browser is asked is made here, and what it answers is checked: by `webauthn` (signatures,
CBOR, flags) and by what that leaves to its caller (cross-origin frames, the user handle, keys that
are too short, the sign counter). Pure: challenges and ids are passed in.

User verification is required and credentials are discoverable, so a passkey is both factors and
nobody types a name. No attestation is asked for: which make of authenticator a person has is their
own business, and a self-hosted wallet has no list of makes that it would trust more.
"""

import ipaddress
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from webauthn import verify_authentication_response, verify_registration_response
from webauthn.helpers import (
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier

from tandem.kernel import Invalid
from tandem.settings import Settings
from tandem.signin.errors import PasskeyRefused
from tandem.signin.model import Passkey
from tandem.signin.shapes import (
    Assertion,
    Attestation,
    CreationOptions,
    CredentialKind,
    CredentialName,
    Party,
    RequestOptions,
    Selection,
    User,
)

CHALLENGE_BYTES: Final = 32
TIMEOUT_MS: Final = 5 * 60 * 1000
RSA_BITS: Final = 2048
"""The shortest RSA key that is taken (NIST SP 800-57 part 1, table 2)."""
ALGORITHMS: Final = (
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
)


class Site(NamedTuple):
    """Who asks: the domain that passkeys are made for, and the addresses that may use them."""

    domain: str
    name: str
    origins: tuple[str, ...]


class Made(NamedTuple):
    """A new passkey, as its authenticator told of it."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    aaguid: UUID
    backup_eligible: bool
    backed_up: bool


class Signed(NamedTuple):
    """A signature that holds: what it says of its passkey now. `cloned`: its counter went back."""

    sign_count: int
    backed_up: bool
    cloned: bool


def site_of(settings: Settings) -> Site:
    """Where people sign in. Raises `Invalid` for a domain that is not the public address's.

    An address of digits cannot have passkeys (WebAuthn §5.1.3: a domain); this machine's own is
    `localhost` to them, under the same port, and any other has none.
    """
    url = urlsplit(settings.public_url)
    host, origin = url.hostname or "", f"{url.scheme}://{url.netloc}"
    origins = [origin]
    if _is_loopback(host):
        port = "" if url.port is None else f":{url.port}"
        host = "localhost"
        origins.append(f"{url.scheme}://{host}{port}")
    domain = settings.passkey_domain or host
    for one in (*origins[-1:], *settings.passkey_origins):
        name = urlsplit(one).hostname or ""
        if name != domain and not name.endswith(f".{domain}"):
            raise Invalid("TANDEM_PASSKEY_DOMAIN", f"{one} is not on the domain {domain}")
    return Site(domain, settings.wallet, (*origins, *settings.passkey_origins))


def creation_options(
    site: Site, challenge: bytes, user: User, known: list[Passkey]
) -> CreationOptions:
    """What the browser is asked to make a passkey with (§5.4); not where a `known` one is."""
    return CreationOptions(
        rp=Party(site.domain, site.name),
        user=user,
        challenge=show_bytes(challenge),
        pub_key_cred_params=[CredentialKind(int(algorithm)) for algorithm in ALGORITHMS],
        timeout=TIMEOUT_MS,
        exclude_credentials=[_named(passkey) for passkey in known],
        authenticator_selection=Selection(),
    )


def request_options(site: Site, challenge: bytes, of: list[Passkey]) -> RequestOptions:
    """What the browser is asked to sign with (§5.5); `of` none: with whichever the person picks."""
    return RequestOptions(
        challenge=show_bytes(challenge),
        timeout=TIMEOUT_MS,
        rp_id=site.domain,
        allow_credentials=[_named(passkey) for passkey in of if passkey.suspect_at is None],
    )


def challenge_in(answer: Attestation | Assertion) -> bytes:
    """The challenge that it says to answer. Raises `PasskeyRefused`."""
    try:
        said = json.loads(read_bytes(answer.response.client_data_json))
        challenge = read_bytes(said["challenge"])
        framed = said.get("crossOrigin", False) or "topOrigin" in said
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PasskeyRefused("malformed") from error
    if framed:  # within another site's page, whose visitor does not see who asks
        raise PasskeyRefused("origin")
    return challenge


def check_made(site: Site, answer: Attestation, challenge: bytes) -> Made:
    """The passkey that an authenticator has made. Raises `PasskeyRefused`."""
    try:
        found = verify_registration_response(
            credential=_plain(answer),
            expected_challenge=challenge,
            expected_rp_id=site.domain,
            expected_origin=list(site.origins),
            require_user_verification=True,
            supported_pub_key_algs=list(ALGORITHMS),
        )
        key = decoded_public_key_to_cryptography(
            decode_credential_public_key(found.credential_public_key)
        )
    except Exception as error:
        raise PasskeyRefused(_reason(error)) from error
    if isinstance(key, RSAPublicKey) and key.key_size < RSA_BITS:
        raise PasskeyRefused("algorithm")
    if found.credential_id != read_bytes(answer.raw_id):
        raise PasskeyRefused("malformed")
    return Made(
        found.credential_id,
        found.credential_public_key,
        found.sign_count,
        UUID(found.aaguid),
        found.credential_device_type.value == "multi_device",
        found.credential_backed_up,
    )


def check_signed(
    site: Site, answer: Assertion, challenge: bytes, passkey: Passkey, *, discovered: bool
) -> Signed:
    """That this passkey signed the challenge, here and now. Raises `PasskeyRefused`.

    The user handle must be its holder's; who was `discovered` by the passkey alone must have told
    it (§7.2 step 6).
    """
    handle = answer.response.user_handle
    if handle is None:
        if discovered:
            raise PasskeyRefused("holder")
    elif _bytes(handle) != passkey.holder_id.bytes:
        raise PasskeyRefused("holder")
    try:
        found = verify_authentication_response(
            credential=_plain(answer),
            expected_challenge=challenge,
            expected_rp_id=site.domain,
            expected_origin=list(site.origins),
            credential_public_key=passkey.public_key,
            credential_current_sign_count=0,  # judged below: a copy must be told from a mistake
            require_user_verification=True,
        )
    except Exception as error:
        raise PasskeyRefused(_reason(error)) from error
    if (found.credential_device_type.value == "multi_device") != passkey.backup_eligible:
        raise PasskeyRefused("signature")  # it never changes (§6.1.3)
    return Signed(
        found.new_sign_count,
        found.credential_backed_up,
        went_back(passkey.sign_count, found.new_sign_count),
    )


def went_back(known: int, told: int) -> bool:
    """Whether a counter says that there are two of a passkey (§6.1.1). Many never count: all 0."""
    return (known > 0 or told > 0) and told <= known


def show_bytes(value: bytes) -> str:
    """Bytes as WebAuthn's JSON has them: base64url without padding."""
    return urlsafe_b64encode(value).decode().rstrip("=")


def read_bytes(text: str) -> bytes:
    """Bytes from base64url. Raises `ValueError`."""
    return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))


def _bytes(text: str) -> bytes:
    try:
        return read_bytes(text)
    except ValueError as error:
        raise PasskeyRefused("malformed") from error


def credential_of(answer: Assertion) -> bytes:
    """The id of the passkey that signed, as it says. Raises `PasskeyRefused`."""
    return _bytes(answer.raw_id)


_TOLD: Final = (
    ("client data origin", "origin"),
    ("RP ID hash", "domain"),
    ("User verification", "not_verified"),
    ("User presence", "not_verified"),
    ("User was not present", "not_verified"),
    ("authentication signature", "signature"),
    ("public key alg", "algorithm"),
)


def _reason(error: Exception) -> str:
    """The stable word for what the library says."""
    return next((reason for part, reason in _TOLD if part in str(error)), "malformed")


def _plain(answer: Attestation | Assertion) -> dict[str, Any]:
    """The answer as the library reads it."""
    response: dict[str, Any] = {"clientDataJSON": answer.response.client_data_json}
    if isinstance(answer, Attestation):
        response["attestationObject"] = answer.response.attestation_object
    else:
        response["authenticatorData"] = answer.response.authenticator_data
        response["signature"] = answer.response.signature
        response["userHandle"] = answer.response.user_handle
    return {"id": answer.id, "rawId": answer.raw_id, "type": answer.type, "response": response}


def _named(passkey: Passkey) -> CredentialName:
    return CredentialName(show_bytes(passkey.credential_id), list(passkey.transports))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
