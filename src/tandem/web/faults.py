"""What of our own faults goes into the log: where it happened and what it was, never a secret."""

import re
import traceback
from pathlib import PurePath
from typing import Final

_KEY: Final = re.compile(r"\b(tk|ts|inv)_[A-Za-z0-9_-]+")
_URL: Final = re.compile(r"://[^\s/@]*@")
_LONGEST: Final = 300
_FRAMES: Final = 12


def describe(error: BaseException) -> dict[str, object]:
    """An exception as fields of a log line: its type, its message, and where it was raised.

    Only the message's first line: PostgreSQL's DETAIL quotes the row. Keys, sessions and the
    credentials of URLs are taken out; source lines and variables are left out.
    """
    first = str(error).partition("\n")[0][:_LONGEST]
    message = _URL.sub("://…@", _KEY.sub(r"\1_…", first))
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return {
        "error": type(error).__qualname__,
        "message": "".join(c if c.isprintable() else "?" for c in message),
        "where": [f"{PurePath(f.filename).name}:{f.lineno} {f.name}" for f in frames],
        "cause": None if error.__cause__ is None else type(error.__cause__).__qualname__,
    }
