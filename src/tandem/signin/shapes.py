"""What goes to and comes from a browser: the JSON of WebAuthn Level 3 (§5.1.8, §5.1.9), typed.

Members that browsers add and nobody here reads are let pass.
"""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

_LONGEST: Final = 8192
Base64Url = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=_LONGEST,
        pattern="^[A-Za-z0-9_-]+$",
        description="Base64url without padding",
        examples=["q1bX0Yc0Wq3v2dGm8S5t9w"],
    ),
]
_Id = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=1364,
        pattern="^[A-Za-z0-9_-]+$",
        description="The credential's id, in base64url",
        examples=["mGm1yTzB6oW8yAqJ3k5Q2w"],
    ),
]
Extensions = Annotated[dict[str, Any], Meta(examples=[{}], description="Not looked at")]
Transport = Annotated[str, Meta(min_length=1, max_length=32, examples=["internal"])]


class Party(msgspec.Struct, frozen=True):
    """Who asks for a passkey."""

    id: Annotated[str, Meta(description="The domain", examples=["pay.example"])]
    name: Annotated[str, Meta(examples=["tandem"])]


class User(msgspec.Struct, frozen=True, rename="camel"):
    """Whose passkey it is: `id` is the user handle, in base64url."""

    id: Base64Url
    name: Annotated[str, Meta(examples=["@lin"])]
    display_name: Annotated[str, Meta(examples=["Lin Wei"])]


class CredentialKind(msgspec.Struct, frozen=True):
    """An algorithm that keys may be of (COSE: -8 EdDSA, -7 ES256, -257 RS256)."""

    alg: Annotated[int, Meta(examples=[-7])]
    type: Literal["public-key"] = "public-key"


class CredentialName(msgspec.Struct, frozen=True):
    """A passkey by its credential's id, and how its authenticator is reached."""

    id: Base64Url
    transports: list[Transport]
    type: Literal["public-key"] = "public-key"


class Selection(msgspec.Struct, frozen=True, rename="camel"):
    """What the authenticator must be able to do."""

    resident_key: Literal["required"] = "required"
    require_resident_key: bool = True
    user_verification: Literal["required"] = "required"


class CreationOptions(msgspec.Struct, frozen=True, rename="camel"):
    """What `navigator.credentials.create` takes (PublicKeyCredentialCreationOptionsJSON)."""

    rp: Party
    user: User
    challenge: Base64Url
    pub_key_cred_params: list[CredentialKind]
    timeout: Annotated[int, Meta(description="Milliseconds", examples=[300_000])]
    exclude_credentials: list[CredentialName]
    authenticator_selection: Selection
    attestation: Literal["none"] = "none"


class RequestOptions(msgspec.Struct, frozen=True, rename="camel"):
    """What `navigator.credentials.get` takes (PublicKeyCredentialRequestOptionsJSON)."""

    challenge: Base64Url
    timeout: Annotated[int, Meta(description="Milliseconds", examples=[300_000])]
    rp_id: Annotated[str, Meta(examples=["pay.example"])]
    allow_credentials: list[CredentialName]
    user_verification: Literal["required"] = "required"


class AttestationResponse(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the authenticator says of a passkey that it has made."""

    client_data_json: Base64Url = msgspec.field(name="clientDataJSON")
    attestation_object: Base64Url
    transports: Annotated[list[Transport], Meta(max_length=16)] = []


class AssertionResponse(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the authenticator has signed."""

    client_data_json: Base64Url = msgspec.field(name="clientDataJSON")
    authenticator_data: Base64Url
    signature: Base64Url
    user_handle: Base64Url | None = None


class Attestation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A new passkey (RegistrationResponseJSON), as `credential.toJSON()` has it."""

    id: _Id
    raw_id: _Id
    type: Literal["public-key"]
    response: AttestationResponse
    client_extension_results: Extensions = {}


class Assertion(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A signature by a passkey (AuthenticationResponseJSON), as `credential.toJSON()` has it."""

    id: _Id
    raw_id: _Id
    type: Literal["public-key"]
    response: AssertionResponse
    client_extension_results: Extensions = {}
