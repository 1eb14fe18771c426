"""PyPI's pyemv as a second opinion on 3DES: another author's code for the same pages.

It hands the library double-length keys under a deprecated name, with a warning for each; these, and
only while it is asked, are let pass.
"""

import warnings
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from cryptography.utils import CryptographyDeprecationWarning

P = ParamSpec("P")
T = TypeVar("T")


def ask(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What pyemv says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return function(*args, **kwargs)
