"""Certificates, signatures and stored keys: what is signed may say anything.

Bytes that are not signed never get past the arithmetic, so these are: by the key that a terminal
trusts, as if the authority or the issuer itself were the attacker.
"""

from contextlib import suppress
from typing import Final

from bytes_in import Taken

from emv_made import AIP, LAST_DAY, PAN, RECORDS, TODAY, chain, key
from tandem.emv.authority import Authority, TrustedKeys
from tandem.emv.certificates import Certificate, recover_card, recover_issuer, static_data
from tandem.emv.dynamic import check_combined, check_dynamic
from tandem.emv.errors import AuthenticationFailed, KeyMalformed
from tandem.emv.issuer import Issuer
from tandem.emv.rsa import EXPONENTS, OVERHEAD, PrivateKey

_BITS: Final = 1152


def certificates(data: bytes) -> None:
    """A certificate is read for this card and this day, with a key that can be one, or refused."""
    taken = Taken(data)
    signer = key(_BITS, "ca")
    remainder, exponent = taken.piece(), taken.piece()
    records = taken.piece()
    message = taken.rest()
    room = len(signer.public.modulus) - OVERHEAD
    signed = message[:room].ljust(room, b"\xbb") + remainder + exponent
    for whole in (signer.sign(signed), signer.sign(signed + records), message):
        certificate = Certificate(whole, remainder, exponent)
        with suppress(AuthenticationFailed):
            found = recover_issuer(signer.public, certificate, PAN, TODAY)
            assert PAN.startswith(found.holder)
            assert found.expires >= TODAY
            assert found.key.exponent in EXPONENTS
            assert found.key.plausible
        with suppress(AuthenticationFailed):
            found = recover_card(signer.public, certificate, PAN, records, TODAY)
            assert found.holder == PAN
            assert found.expires >= TODAY
            assert found.key.plausible
    with suppress(AuthenticationFailed):
        assert static_data(RECORDS, records, AIP) in {RECORDS, RECORDS + AIP}
    _changed(data)


def _changed(data: bytes) -> None:
    """A real certificate with a byte of anything changed is refused."""
    taken = Taken(data)
    _, card = chain()
    parts = [*card, RECORDS + AIP]
    which, at, mask = taken.byte() % len(parts), taken.number(), taken.byte()
    part = bytearray(parts[which])
    if not part or not mask:
        return
    part[at % len(part)] ^= mask
    parts[which] = bytes(part)
    try:
        recover_card(key(1976, "issuer").public, Certificate(*parts[:3]), PAN, parts[3], LAST_DAY)
    except AuthenticationFailed:
        return
    raise AssertionError("a changed certificate was taken")


def signatures(data: bytes) -> None:
    """Dynamic data that a card signed is read or refused, whatever it says."""
    taken = Taken(data)
    signer = key(_BITS, "card")
    number, transaction, information = taken.piece(), taken.piece(), taken.byte()
    message = taken.rest()
    room = len(signer.public.modulus) - OVERHEAD
    signature = signer.sign(message[:room].ljust(room, b"\xbb") + number)
    for tried in (signature, message):
        with suppress(AuthenticationFailed):
            assert 2 <= len(check_dynamic(signer.public, tried, number)) <= 8
        with suppress(AuthenticationFailed):
            found = check_combined(
                signer.public,
                tried,
                information=information,
                transaction=transaction,
                unpredictable_number=number,
            )
            assert len(found.cryptogram) == 8


def stored_keys(data: bytes) -> None:
    """What is stored is read back equal or refused."""
    with suppress(KeyMalformed):
        PrivateKey.from_bytes(data)
    with suppress(KeyMalformed):
        authority = Authority.from_bytes(data)
        assert Authority.from_bytes(authority.to_bytes()).trusted() == authority.trusted()
    with suppress(KeyMalformed):
        trusted = TrustedKeys.from_bytes(data)
        assert TrustedKeys.from_bytes(trusted.to_bytes()) == trusted
    with suppress(KeyMalformed):
        issuer = Issuer.from_bytes(data)
        assert Issuer.from_bytes(issuer.to_bytes()).certificate == issuer.certificate
