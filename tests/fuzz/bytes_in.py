"""Bytes that a fuzzer chose, taken as the numbers and pieces that a target needs.

Every string of bytes means something, and a byte more or less changes little: that is what a
fuzzer that goes by coverage can work with.
"""


class Taken:
    """Takes from the front; when nothing is left it gives zeros and empty pieces."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def byte(self) -> int:
        """One byte, 0 to 255."""
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def number(self) -> int:
        """Two bytes."""
        return self.byte() << 8 | self.byte()

    def piece(self) -> bytes:
        """A length of one byte, and as many bytes as there are of that."""
        length = self.byte()
        self._at += length
        return self._data[self._at - length : self._at]

    def rest(self) -> bytes:
        """All that is left."""
        rest, self._at = self._data[self._at :], len(self._data)
        return rest


def pieces(*parts: bytes) -> bytes:
    """Bytes from which `piece` takes these parts again."""
    return b"".join(bytes((len(part),)) + part for part in parts)
