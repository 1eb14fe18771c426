"""How long some functions take within something else: cryptography, and the phone's disk.

They are timed while it runs, wherever they were imported to. Only the outermost counts, so that a
signature is not counted once more for the hash in it.
"""

import functools
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal, ParamSpec, TypeVar

from tandem.emv import ciphers, cryptograms, keys, rsa
from tandem.tap import DeviceStore

Side = Literal["card", "terminal"]
P = ParamSpec("P")
R = TypeVar("R")

_FUNCTIONS: Final = (
    rsa.sha1,
    ciphers.encipher,
    ciphers.cmac,
    ciphers.mac_algorithm_3,
    keys.session_key,
    cryptograms.application_cryptogram,
)
_METHODS: Final = ((rsa.PrivateKey, "sign"), (rsa.PublicKey, "recover"), (rsa.Recovered, "covers"))
_DISK: Final = (DeviceStore, "save_state")


class Stopwatch:
    """Seconds of cryptography on each side, and of the disk; `side` is whose turn it is.

    One thread at a time.
    """

    def __init__(self, side: Side = "terminal") -> None:
        self.side: Side = side
        self.seconds: dict[str, float] = {"card": 0.0, "terminal": 0.0, "disk": 0.0}
        self._within = False

    def around(self, function: Callable[P, R], what: str | None = None) -> Callable[P, R]:
        """The function, timed: as `what`, or as whose turn it is."""

        @functools.wraps(function)
        def timed(*args: P.args, **kwargs: P.kwargs) -> R:
            if self._within:
                return function(*args, **kwargs)
            self._within = True
            began = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds[what or self.side] += time.perf_counter() - began
                self._within = False

        return timed

    @contextmanager
    def running(self) -> Iterator[None]:
        """Time every call meanwhile."""
        restore: list[tuple[Any, str, Any]] = []
        for function in _FUNCTIONS:
            for name, module in list(sys.modules.items()):
                if name.startswith("tandem."):
                    places = [key for key, value in vars(module).items() if value is function]
                    restore += [(module, place, function) for place in places]
        restore += [(kind, name, vars(kind)[name]) for kind, name in (*_METHODS, _DISK)]
        for owner, name, before in restore:
            what = "disk" if (owner, name) == _DISK else None
            setattr(owner, name, self.around(before, what))
        try:
            yield
        finally:
            for owner, name, before in restore:
                setattr(owner, name, before)
