"""Files with keys beside a terminal's settings."""

import os
from pathlib import Path


def secret_file(path: Path) -> bytes:
    """A file that only its owner may read. Raises `OSError`, `ValueError`."""
    descriptor = os.open(path, os.O_RDONLY)
    with os.fdopen(descriptor, "rb") as file:
        if os.fstat(descriptor).st_mode & 0o077:
            raise ValueError(f"{path} is open to others: close it with chmod 600")
        return file.read()
