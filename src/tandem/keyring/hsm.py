"""The key ring in an HSM, over PKCS #11: its keys are made there and never leave.

Each seal and each opening is done by the token (AES-256-GCM, CKM_AES_GCM), in the form that the
file's keys give (tandem.keyring.seal): so the id in front of a seal is its key's CKA_ID. A key's
label says what it does:

    tandem seal 3    the one with the highest number seals; the others open what they sealed
    tandem seal 0    was added and seals nothing yet

Which one seals is looked up at each seal, so that a rotation holds at once in every process of
every machine. A token that went away is opened anew, once, each time that it is needed.
"""

import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple, Self, TypeVar

from tandem.kernel import Entropy
from tandem.keyring.errors import (
    HsmEmpty,
    HsmGone,
    HsmUnusable,
    KeyNotInRing,
    KeyUnknown,
    SealBroken,
)
from tandem.keyring.seal import (
    KEY_BYTES,
    KEY_ID_BYTES,
    NONCE_BYTES,
    TAG_BYTES,
    aad,
    header,
    key_id_of,
)
from tandem.keyring.uri import TokenAt

_LONGEST_PIN: Final = 256
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
T = TypeVar("T")


class _Key(NamedTuple):
    """A key in the token: the higher the number, the later it became the one that seals."""

    number: int
    id: bytes
    handle: Any


class HsmKeyRing:
    """A key ring whose keys are in a token. Made by `load` or `open_or_create`."""

    def __init__(self, at: TokenAt, entropy: Entropy) -> None:
        self._at = at
        self._entropy = entropy
        self._pkcs11 = _library()
        self._session: Any = None
        self._wrong_pin: str | None = None
        self._lock = threading.RLock()
        self._session = self._log_in()

    def __repr__(self) -> str:
        return f"HsmKeyRing({self._at.shown!r})"

    @classmethod
    def load(cls, at: TokenAt, entropy: Entropy) -> Self:
        """Open the token. Raises `HsmUnusable`, and `HsmEmpty` if it has no key of ours."""
        ring = cls(at, entropy)
        if not ring._with(ring._keys):
            raise HsmEmpty(at.shown, at.label)
        return ring

    @classmethod
    def open_or_create(cls, at: TokenAt, entropy: Entropy) -> Self:
        """Open the token, and make a key in it if it has none of ours. Raises `HsmUnusable`."""
        ring = cls(at, entropy)
        if not ring._with(ring._keys):
            ring.rotate()
        return ring

    @property
    def place(self) -> str:
        """Where the keys are, as people say it."""
        return f"the {self._at.shown}"

    @property
    def primary(self) -> str:
        """The id of the key that seals now, in hexadecimal digits."""
        return self._with(self._first).id.hex()

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all keys, the one that seals first."""
        return tuple(key.id.hex() for key in self._with(self._keys))

    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        """Encrypt under the key that seals, bound to the context. Raises `HsmGone`."""

        def act() -> bytes:
            key = self._first()
            front, nonce = header(key.id), self._entropy(NONCE_BYTES)
            made: bytes = key.handle.encrypt(plaintext, **self._gcm(nonce, aad(front, context)))
            return front + nonce + made

        return self._with(act)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Decrypt what was sealed for the same context.

        Raises `SealBroken`, `KeyUnknown`, `HsmGone`.
        """
        key_id = key_id_of(sealed)
        front = header(key_id)
        rest = sealed[len(front) :]

        def act() -> bytes:
            found = [key for key in self._keys(key_id) if key.id == key_id]
            if not found:
                raise KeyUnknown(key_id.hex())
            way = self._gcm(rest[:NONCE_BYTES], aad(front, context))
            try:
                opened: bytes = found[0].handle.decrypt(rest[NONCE_BYTES:], **way)
            except self._pkcs11.PKCS11Error:
                # Tokens say "general error" of a wrong tag, and of their own troubles: one that
                # still answers has found the tag wrong.
                self._keys(key_id)
                raise SealBroken from None
            return opened

        return self._with(act)

    def rotate(self) -> str:
        """Make a key that seals from now on and return its id; older ones go on opening."""
        return self._with(lambda: self._make(self._next()))

    def add(self) -> str:
        """Make a key that does not seal yet, and return its id."""
        return self._with(lambda: self._make(0))

    def promote(self, key_id: str) -> None:
        """Seal under this key from now on. Raises `KeyNotInRing`."""

        def act() -> None:
            keys = self._keys()
            chosen = [key for key in keys if key.id.hex() == key_id]
            if not chosen:
                raise KeyNotInRing(key_id)
            if chosen[0] is not keys[0] or chosen[0].number == 0:
                label = self._label(self._next())
                chosen[0].handle[self._pkcs11.Attribute.LABEL] = label

        self._with(act)

    # -- in the token ----------------------------------------------------------------------------

    def _keys(self, key_id: bytes | None = None) -> list[_Key]:
        """Our keys, the one that seals first; of one id if it is given."""
        attribute = self._pkcs11.Attribute
        wanted = {
            attribute.CLASS: self._pkcs11.ObjectClass.SECRET_KEY,
            attribute.KEY_TYPE: self._pkcs11.KeyType.AES,
        }
        if key_id is not None:
            wanted[attribute.ID] = key_id
        found: list[_Key] = []
        for handle in self._session.get_objects(wanted):
            label, own_id = str(handle[attribute.LABEL]), bytes(handle[attribute.ID])
            number = label.removeprefix(f"{self._at.label} seal ")
            if number != label and number.isdecimal() and len(own_id) == KEY_ID_BYTES:
                found.append(_Key(int(number), own_id, handle))
        return sorted(found, key=lambda key: (-key.number, key.id))

    def _first(self) -> _Key:
        keys = self._keys()
        if not keys or keys[0].number == 0:
            raise HsmEmpty(self._at.shown, self._at.label)
        return keys[0]

    def _next(self) -> int:
        return max((key.number for key in self._keys()), default=0) + 1

    def _make(self, number: int) -> str:
        pkcs11, key_id = self._pkcs11, self._entropy(KEY_ID_BYTES)
        self._session.generate_key(
            pkcs11.KeyType.AES,
            KEY_BYTES * 8,
            id=key_id,
            label=self._label(number),
            store=True,
            capabilities=pkcs11.MechanismFlag.ENCRYPT | pkcs11.MechanismFlag.DECRYPT,
            template={
                pkcs11.Attribute.EXTRACTABLE: False,
                pkcs11.Attribute.SENSITIVE: True,
                pkcs11.Attribute.MODIFIABLE: True,  # its label says when it seals
            },
        )
        return key_id.hex()

    def _label(self, number: int) -> str:
        return f"{self._at.label} seal {number}"

    def _gcm(self, nonce: bytes, data: bytes) -> dict[str, Any]:
        pkcs11 = self._pkcs11
        return {
            "mechanism": pkcs11.Mechanism.AES_GCM,
            "mechanism_param": pkcs11.GCMParams(nonce, data, TAG_BYTES * 8),
        }

    # -- the session -----------------------------------------------------------------------------

    def _with(self, act: Callable[[], T]) -> T:
        """Do it in a session; if the token was lost, once more in a new one. Raises `HsmGone`."""
        with self._lock:
            if self._session is not None:
                try:
                    return act()
                except self._pkcs11.PKCS11Error:
                    with suppress(self._pkcs11.PKCS11Error):
                        self._session.close()
                    self._session = None
            try:
                self._session = self._log_in()
                return act()
            except (HsmUnusable, self._pkcs11.PKCS11Error) as error:
                self._session = None
                raise HsmGone(self._at.shown, _said(error)) from error

    def _log_in(self) -> Any:  # noqa: ANN401 - a type of a library that may be missing
        pkcs11, at = self._pkcs11, self._at
        pin = _read_pin(at)
        wrong = f"the PIN in {at.pin} is wrong; tokens lock themselves after a few wrong ones"
        if pin == self._wrong_pin:
            raise HsmUnusable(at.shown, wrong)  # tried again and again it would lock the token
        try:
            library = pkcs11.lib(str(at.module))
        except (RuntimeError, OSError) as error:
            raise HsmUnusable(at.shown, f"{at.module} cannot be loaded: {_said(error)}") from error
        named = {"token_label": at.token, "token_serial": _serial(at.serial)}
        try:
            token = library.get_token(**{name: value for name, value in named.items() if value})
        except pkcs11.NoSuchToken:
            raise HsmUnusable(at.shown, f"{at.module} has no such token") from None
        except pkcs11.MultipleTokensReturned:
            raise HsmUnusable(at.shown, "there are several: name it by serial=…") from None
        except pkcs11.PKCS11Error as error:
            raise HsmUnusable(at.shown, _said(error)) from error
        try:
            return token.open(rw=True, user_pin=pin)
        except pkcs11.UserAlreadyLoggedIn:
            return token.open(rw=True)  # a login is the process's, not the session's
        except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange):
            self._wrong_pin = pin
            raise HsmUnusable(at.shown, wrong) from None
        except pkcs11.PinLocked:
            raise HsmUnusable(at.shown, "its PIN is locked after too many wrong ones") from None
        except pkcs11.PKCS11Error as error:
            raise HsmUnusable(at.shown, _said(error)) from error


def _library() -> Any:  # noqa: ANN401 - a module that may be missing
    try:
        return import_module("pkcs11")
    except ImportError as error:
        reason = "PyPI's python-pkcs11 is missing: install tandem-pay[hsm]"
        raise HsmUnusable("HSM", reason) from error


def _serial(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def _read_pin(at: TokenAt) -> str:
    try:
        if stat.S_IMODE(at.pin.stat().st_mode) & _OTHERS:
            reason = f"the file of its PIN is open to others: chmod 600 {at.pin}"
            raise HsmUnusable(at.shown, reason)
        with Path(at.pin).open(encoding="utf-8") as file:
            return file.read(_LONGEST_PIN).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = (getattr(error, "strerror", None) or "it is not text").lower()
        raise HsmUnusable(at.shown, f"the file of its PIN, {at.pin}: {reason}") from error


def _said(error: Exception) -> str:
    """What a library says: often nothing but the name of a fault, and never a secret."""
    if isinstance(error, HsmUnusable):
        return error.reason
    return f"{type(error).__name__} {error}".strip()
