"""RSA as EMV uses it: a signature that gives back what was signed (EMV Book 2, Annexes A2.1, B2.1).

    X = 6A ‖ first N - 22 bytes of the message ‖ SHA-1 of the message ‖ BC      S = X^d mod n

The scheme is ISO/IEC 9796-2's first, which no maintained Python library offers, nor the bare
operation under it. It stands here on GMP (gmpy2):

- `powmod_sec`, made for this: the same time and the same cache lines for any two arguments of the
  same size. Python's `pow` is not, and takes four to eight times as long (a signature of 1,408 bits
  with all that follows: 0.3 ms against 2.5).
- With the Chinese remainder theorem, four times as fast as without. Reductions modulo a prime are
  not made for constant time, so the number is blinded first, by a factor that follows from the key
  and the message: no randomness is needed, and whoever sends the same message twice learns nothing.
- Each signature is checked before anyone sees it: with CRT, a single wrong bit in one half (heat,
  a failing memory, an attacker) would give away the primes (Boneh, DeMillo and Lipton, 1997).
- Public keys work on public numbers: `powmod`.

SHA-1 is the specification's only hash for RSA. What is signed has a fixed format of which an
attacker chooses little, and is of use for seconds (a dynamic signature) or made by us alone (a
certificate). A private key is read once, when a process starts, never for a request.
"""

import hashlib
import hmac
import math
from typing import Final, NamedTuple

import gmpy2  # type: ignore[import-untyped]  # it has no stubs yet (its issue 496)
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPrivateNumbers,
    RSAPublicNumbers,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from tandem.emv.errors import AuthenticationFailed, Fault, KeyMalformed, Signed
from tandem.kernel import Entropy

MIN_BYTES: Final = 64
"""The shortest modulus that is looked at; every format fits into its signatures."""
MAX_BYTES: Final = 248
"""The longest modulus, 1984 bits (Book 2, 6.1)."""
MIN_BITS: Final = 1152
"""The shortest modulus that is made here. Shorter ones of old cards are still checked."""
EXPONENTS: Final = (3, 65537)
"""The two that the specification has (Book 2, 6.1). Made here: the second."""
HASH_BYTES: Final = 20
OVERHEAD: Final = 22
"""Bytes of a signature that carry no message: header, hash and trailer."""

_HEADER, _TRAILER = b"\x6a", b"\xbc"
_ROUNDS: Final = 40
"""Of Miller and Rabin's test, after Baillie, Pomerance, Selfridge and Wagstaff's: GMP does both."""
_CANDIDATES_PER_BIT: Final = 5
_APART_BITS: Final = 100


class SignatureFault(Exception):
    """A signature came out wrong and was thrown away: the machine is not to be trusted."""


class PublicKey(NamedTuple):
    """A public key. `modulus` without leading zeros; its length is N in the specification."""

    modulus: bytes
    exponent: int

    @property
    def exponent_bytes(self) -> bytes:
        """The exponent as it is stored: one byte or three."""
        return self.exponent.to_bytes((self.exponent.bit_length() + 7) // 8, "big")

    @property
    def plausible(self) -> bool:
        """Whether it can be a key at all: its length, an odd modulus, one of the exponents."""
        return (
            MIN_BYTES <= len(self.modulus) <= MAX_BYTES
            and self.modulus[0] >= 0x80  # noqa: PLR2004 - the leftmost bit is one (5.1)
            and self.modulus[-1] % 2 == 1
            and self.exponent in EXPONENTS
        )

    def power(self, number: int) -> int:
        """The bare operation."""
        return int(gmpy2.powmod(number, self.exponent, int.from_bytes(self.modulus, "big")))

    def recover(self, signature: bytes, what: Signed) -> "Recovered":
        """What a signature holds, its frame checked (A2.1.3); its hash is still to be compared.

        Raises `AuthenticationFailed` with LENGTH, TRAILER or HEADER, in the order of 6.3.
        """
        if len(signature) != len(self.modulus):
            raise AuthenticationFailed(what, Fault.LENGTH)
        number = self.power(int.from_bytes(signature, "big"))
        block = number.to_bytes(len(signature), "big")
        if block[-1:] != _TRAILER:
            raise AuthenticationFailed(what, Fault.TRAILER)
        if block[:1] != _HEADER:
            raise AuthenticationFailed(what, Fault.HEADER)
        return Recovered(block[1 : -HASH_BYTES - 1], block[-HASH_BYTES - 1 : -1])


class Recovered(NamedTuple):
    """What a signature gave back: the first part of the message, and the hash of the whole."""

    message: bytes
    hash: bytes

    def covers(self, rest: bytes) -> bool:
        """Whether the hash is that of the message, of which `rest` was not in the signature."""
        return hmac.compare_digest(self.hash, sha1(self.message + rest))


class PrivateKey:
    """A private key, ready to sign. Its secret appears in no repr.

    Made by `generate` or `from_bytes`. Several threads may sign with it at once.
    """

    __slots__ = ("_dp", "_dq", "_inverse", "_n", "_p", "_q", "_seed", "_stored", "public")

    public: PublicKey

    def __init__(self, numbers: RSAPrivateNumbers, stored: bytes) -> None:
        n = numbers.public_numbers.n
        modulus = n.to_bytes((n.bit_length() + 7) // 8, "big")
        self.public = PublicKey(modulus, numbers.public_numbers.e)
        self._n = gmpy2.mpz(n)
        self._p, self._q = gmpy2.mpz(numbers.p), gmpy2.mpz(numbers.q)
        self._dp, self._dq = gmpy2.mpz(numbers.dmp1), gmpy2.mpz(numbers.dmq1)
        self._inverse = gmpy2.mpz(numbers.iqmp)
        self._stored = stored
        self._seed = hashlib.sha256(b"tandem emv blinding\0" + stored).digest()

    def __repr__(self) -> str:
        return f"PrivateKey({len(self.public.modulus) * 8} bits)"

    @classmethod
    def generate(cls, bits: int, entropy: Entropy, exponent: int = EXPONENTS[-1]) -> "PrivateKey":
        """A new key of 1152 to 1984 bits, a multiple of eight, from random primes.

        As NIST FIPS 186-5 A.1.3 has it (which begins at 2,048 bits, beyond EMV's limit). OpenSSL
        checks the result, primes included, before it is given out. Raises `ValueError` for
        another length or exponent, or if the entropy yields no primes.
        """
        if not MIN_BITS <= bits <= MAX_BYTES * 8 or bits % 8 or exponent not in EXPONENTS:
            raise ValueError(f"no RSA key of {bits} bits with the exponent {exponent} is made")
        p = _prime(bits // 2, entropy, exponent)
        q = _prime(bits // 2, entropy, exponent, apart_from=p)
        d = pow(exponent, -1, math.lcm(p - 1, q - 1))
        numbers = RSAPrivateNumbers(
            p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), RSAPublicNumbers(exponent, p * q)
        )
        key = numbers.private_key()
        stored = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return cls(numbers, stored)

    @classmethod
    def from_bytes(cls, stored: bytes) -> "PrivateKey":
        """Read a key: PKCS#8 (RFC 5958) in DER, of any tool. Raises `KeyMalformed`.

        That its numbers belong together is checked; that the primes are primes was, when it was
        made.
        """
        try:
            key = load_der_private_key(stored, None, unsafe_skip_rsa_key_validation=True)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise KeyMalformed("it is no private key in PKCS#8, or it is encrypted") from error
        if not isinstance(key, RSAPrivateKey):
            raise KeyMalformed("it is no RSA key")
        numbers = key.private_numbers()
        if not _consistent(numbers):
            raise KeyMalformed("its numbers do not belong together")
        made = cls(numbers, stored)
        if not made.public.plausible:
            raise KeyMalformed("EMV has no RSA key of this length or exponent")
        return made

    def to_bytes(self) -> bytes:
        """The whole key, secret included, in PKCS#8 DER: to be sealed, and never written else."""
        return self._stored

    def sign(self, message: bytes) -> bytes:
        """Sign a message of at least N - 22 bytes, of which the signature carries so many (A2.1.2).

        Raises `ValueError` for a shorter one, `SignatureFault` if the machine miscalculates.
        """
        carried = len(self.public.modulus) - OVERHEAD
        if len(message) < carried:
            raise ValueError(f"a message of {len(message)} bytes is shorter than {carried}")
        block = _HEADER + message[:carried] + sha1(message) + _TRAILER
        return self._power(int.from_bytes(block, "big")).to_bytes(len(block), "big")

    def _power(self, number: int) -> int:
        n, e = self._n, self.public.exponent
        factor = self._blinding(number)
        blinded = number * gmpy2.powmod(factor, e, n) % n
        left = gmpy2.powmod_sec(blinded % self._p, self._dp, self._p)
        right = gmpy2.powmod_sec(blinded % self._q, self._dq, self._q)
        joined = right + (left - right) * self._inverse % self._p * self._q
        signature = int(joined * gmpy2.invert(factor, n) % n)
        if self.public.power(signature) != number:
            raise SignatureFault("a signature did not verify; it was thrown away")
        return signature

    def _blinding(self, number: int) -> int:
        """A number that nobody else can foretell, the same for the same message."""
        length = len(self.public.modulus)
        drawn = hashlib.shake_256(self._seed + number.to_bytes(length, "big")).digest(length - 1)
        return int.from_bytes(drawn, "big") | 1


def sha1(data: bytes) -> bytes:
    """The hash of EMV's RSA signatures (Book 2, B3.1)."""
    return hashlib.sha1(data).digest()  # noqa: S324 - hash algorithm indicator 01 is SHA-1


def _prime(bits: int, entropy: Entropy, exponent: int, apart_from: int | None = None) -> int:
    """A random prime with its two highest bits set, so that two of them have a product of 2 x bits.

    `apart_from` and it differ early, or the product would be easy to divide (FIPS 186-5 A.1.3).
    """
    length = (bits + 7) // 8
    for _ in range(_CANDIDATES_PER_BIT * 2 * bits):
        drawn = int.from_bytes(entropy(length), "big") >> (length * 8 - bits)
        candidate = drawn | 3 << bits - 2 | 1
        if apart_from is not None and abs(candidate - apart_from) >> (bits - _APART_BITS) == 0:
            continue
        if math.gcd(candidate - 1, exponent) == 1 and gmpy2.is_prime(candidate, _ROUNDS):
            return candidate
    raise ValueError("the entropy that was given yields no primes")


def _consistent(numbers: RSAPrivateNumbers) -> bool:
    p, q, e = numbers.p, numbers.q, numbers.public_numbers.e
    return (
        min(p, q) > 1
        and p * q == numbers.public_numbers.n
        and e * numbers.dmp1 % (p - 1) == 1
        and e * numbers.dmq1 % (q - 1) == 1
        and q * numbers.iqmp % p == 1
    )
