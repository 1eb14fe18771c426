"""What belongs on the device, made once and wrapped for it.

    device                                  vault
    makes an X25519 key pair ── public ──►  adds the card, bound to that key
                             ◄── package ─  certifies a key of the card's own, seals, forgets

The package is the card application's `Profile` as JSON, sealed by HPKE (RFC 9180) in base mode:
DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, one message, the encapsulated key in front.
`info` binds it to the card. So neither a proxy that ends TLS nor a reader of the database learns a
key; the private half never leaves the device, and the vault keeps no copy of the card's RSA key.
The device's key is named when the card is added: whatever proof adding asks for is proof for that
device, and nobody who has only its API key can have the keys sent elsewhere.
"""

from datetime import date
from typing import Final
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from tandem.cards.keys import IssuerKeys
from tandem.cards.model import DeviceCard
from tandem.emv.card import CardData, CardKeys, Certificates, Limits, Profile, signed_data
from tandem.emv.certificates import CARD_BITS
from tandem.emv.errors import KeyMalformed
from tandem.emv.rsa import PrivateKey
from tandem.kernel import Entropy, Invalid, currency, of_hundredths
from tandem.settings import Settings

DEVICE_KEY_BYTES: Final = 32

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_INFO: Final = b"tandem card package 1\0"
_PROBE: Final = b"\x09".ljust(DEVICE_KEY_BYTES, b"\0")


def check_device_key(raw: bytes) -> bytes:
    """A device's public key, which is one that secrets can be sealed for. Raises `Invalid`.

    Points of low order, with which anybody could open what is sealed, are refused (RFC 7748, 6.1).
    """
    if len(raw) != DEVICE_KEY_BYTES:
        raise Invalid("device_key", f"must be an X25519 public key of {DEVICE_KEY_BYTES} bytes")
    try:
        X25519PrivateKey.from_private_bytes(_PROBE).exchange(X25519PublicKey.from_public_bytes(raw))
    except ValueError:
        raise Invalid("device_key", "is no X25519 public key that can be sealed for") from None
    return raw


def new_key(entropy: Entropy) -> PrivateKey:
    """A key for a card's signatures. Takes a tenth of a second: not in the event loop."""
    return PrivateKey.generate(CARD_BITS, entropy)


def make_profile(
    card: DeviceCard,
    pan: str,
    keys: IssuerKeys,
    signer: PrivateKey,
    serial: int,
    settings: Settings,
) -> Profile:
    """All that the card application works with. `serial` is unique under the issuer's key."""
    data = card_data(card, pan, settings)
    master = keys.masters[card.key_index]
    issuer = keys.issuer
    certificate = issuer.certify_card(signer.public, pan, card.expiry, serial, signed_data(data))
    return Profile(
        data=data,
        certificates=Certificates(
            ca_index=issuer.authority_index, issuer=issuer.certificate, card=certificate
        ),
        keys=CardKeys(
            cryptogram_key=master.card_key(pan, card.sequence),
            private_key=signer.to_bytes(),
            version=card.version,
            index=card.key_index,
        ),
        limits=card_limits(card.funding_currency, settings),
    )


def card_data(card: DeviceCard, pan: str, settings: Settings) -> CardData:
    """What terminals read of the card."""
    unit = currency(card.funding_currency)
    return CardData(
        aid=settings.card_aid,
        label=settings.card_label,
        pan=pan,
        sequence=f"{card.sequence:02d}",
        effective=card.effective,
        expiry=card.expiry,
        par=card.par,
        token_requestor=card.requestor,
        country=settings.card_country,
        currency=unit.number,
        currency_exponent=unit.exponent,
    )


def card_limits(code: str, settings: Settings) -> Limits:
    """What the card allows by itself, whatever a terminal says, in minor units of its currency."""
    unit = currency(code)
    unverified = of_hundredths(settings.card_unverified, unit)
    transit = of_hundredths(settings.card_transit, unit)
    return Limits(
        unverified_amount=unverified,
        unverified_total=3 * unverified,
        unverified_count=5,
        transit_amount=transit,
        transit_total=5 * transit,
        transit_count=10,
        offline_total=of_hundredths(settings.card_offline, unit),
        offline_count=5,
    )


def wrap(profile: Profile, device_key: bytes, card_id: UUID) -> bytes:
    """Seal a profile for the device with this key."""
    public = X25519PublicKey.from_public_bytes(device_key)
    return _SUITE.encrypt(msgspec.json.encode(profile), public, info=_INFO + card_id.bytes)


def unwrap(sealed: bytes, device_key: X25519PrivateKey, card_id: UUID) -> Profile:
    """Open a package: for the device. Raises `KeyMalformed` if it is not for it, or damaged."""
    try:
        opened = _SUITE.decrypt(sealed, device_key, info=_INFO + card_id.bytes)
        return msgspec.json.decode(opened, type=Profile)
    except (InvalidTag, ValueError, msgspec.MsgspecError, Invalid):
        pass  # in words of ours: a decoder's message could quote a key
    raise KeyMalformed("it is no package for this device and card, or it is damaged")


def valid_until(today: date, years: int, issuer_expires: date) -> date:
    """The last day of a card that begins today: of a month, and not after its issuer's."""
    month = today.month % 12 + 1
    year = today.year + years + (today.month == 12)  # noqa: PLR2004 - December
    end = date.fromordinal(date(year, month, 1).toordinal() - 1)
    return min(end, issuer_expires)
