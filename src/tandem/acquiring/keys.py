"""The MAC keys of a link: fixed ones, and those that a sign-on or a key change brings.

A link shares one key with the host, its master key. At sign-on (element 70: 001) and at each key
change (161) the host makes a new MAC key and sends it in element 48 of the answer, as a TR-31 key
block wrapped under the master key. Nobody else can use it, whoever reads the line.

The answer to a sign-on has its MAC under the key that it brings, every other answer under the key
of its request, also that to a key change. From then on the link uses the new key; requests that
were on their way are taken under the one before for another minute.
"""

from collections.abc import Iterable
from typing import Final, Protocol

from tandem.acquiring.errors import KeyBlockBroken, LinkKeyMissing, LinksUnusable
from tandem.acquiring.links import Link, Mac
from tandem.acquiring.mac import MacKey
from tandem.acquiring.tr31 import WrappedKey, WrappingKey, unwrap, wrap
from tandem.kernel import Entropy

OVERLAP_SECONDS: Final = 60
KEY_BYTES: Final = 16
_USES: Final = {"retail": ("M3", "T"), "aes-cmac": ("M6", "A")}


class KeyStore(Protocol):
    """Where links' keys are. Their settings name them; nothing here keeps or shows one."""

    def link_key(self, name: str) -> bytes:
        """The key of this name. Raises `KeyError` if there is none."""
        ...


def link_secret(link: str, mac: Mac, keys: KeyStore, terminal: str = "") -> bytes:
    """The key that a link's settings name. Raises `LinkKeyMissing`.

    Raises `LinksUnusable` for one of a length that cannot be: another kind than the settings say.
    """
    name = mac.key_of(terminal)
    try:
        secret = keys.link_key(name)
        if mac.keys == "fixed":
            return MacKey(mac, secret).secret
        return WrappingKey(mac.master, secret).secret
    except KeyError:
        raise LinkKeyMissing(link, name) from None
    except ValueError as error:
        raise LinksUnusable(f"{link}: the key {name} does not fit: {error}") from error


def check_keys(links: Iterable[Link], keys: KeyStore) -> None:
    """See that every link has its key. Raises `LinkKeyMissing`, `LinksUnusable`."""
    for link in links:
        if link.mac is not None:
            for terminal in link.terminals if link.mac.each_terminal else ("",):
                link_secret(link.name, link.mac, keys, terminal)


def issue_key(settings: Mac, master: bytes, entropy: Entropy) -> tuple[MacKey, str]:
    """A new session key, and the key block that brings it to the link."""
    secret = entropy(KEY_BYTES)
    usage, algorithm = _USES[settings.algorithm]
    if algorithm == "T":
        secret = bytes(map(_odd, secret))
    wrapped = WrappedKey(usage, algorithm, secret)
    block = wrap(WrappingKey(settings.master, master), wrapped, entropy)
    return MacKey(settings, secret), block


def receive_key(settings: Mac, master: bytes, block: str) -> MacKey:
    """The session key in a key block. Raises `KeyBlockBroken` if it is not one for this link."""
    wrapped = unwrap(WrappingKey(settings.master, master), block)
    if (wrapped.usage, wrapped.algorithm) != _USES[settings.algorithm]:
        raise KeyBlockBroken(f"its key is for {wrapped.usage} and not for this link's MACs")
    try:
        return MacKey(settings, wrapped.secret)
    except ValueError as error:
        raise KeyBlockBroken(str(error)) from error


class MacKeys:
    """The keys that a connection's messages may have their MACs under. Times are monotonic."""

    def __init__(self, fixed: MacKey | None = None) -> None:
        self.current = fixed
        self._before: MacKey | None = None
        self._until_seconds = 0.0
        self._dies_seconds: float | None = None

    def change(self, key: MacKey, now_seconds: float) -> None:
        """Use a new session key; the one before it is taken a little longer."""
        self._before, self.current = self.current, key
        self._until_seconds = now_seconds + OVERLAP_SECONDS
        self._dies_seconds = now_seconds + key.settings.life_seconds

    def at(self, now_seconds: float) -> tuple[MacKey, ...]:
        """The keys that are good now, the newest first."""
        if self._dies_seconds is not None and now_seconds >= self._dies_seconds:
            return ()
        before = self._before if now_seconds < self._until_seconds else None
        return tuple(key for key in (self.current, before) if key is not None)


def _odd(byte: int) -> int:
    """The byte with odd parity in its last bit, as DES keys have it."""
    return byte ^ (byte.bit_count() + 1) % 2
