"""What a tag without a chip keeps: its state, sealed, in a folder of its own."""

from pathlib import Path
from typing import Final, Self

from tandem.kernel import Entropy
from tandem.tap.folder import Folder
from tandem.tap.soft_tag import SoftState, blank

_FILE: Final = "tag.db"
_FORMAT: Final = 1
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS tag (
    one INTEGER PRIMARY KEY CHECK (one = 1), sealed BLOB NOT NULL
) STRICT;
"""
_CONTEXT: Final = b"soft tag"


class SoftTagStore:
    """The folder, with a blank tag if there is none yet. Raises as `Folder` does."""

    def __init__(self, path: Path, entropy: Entropy) -> None:
        self._folder = Folder(path, _FILE, _SCHEMA, _FORMAT, entropy)
        self._entropy = entropy

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.close()

    def state(self) -> SoftState:
        """The tag's state."""
        rows = self._folder.rows("SELECT sealed FROM tag")
        if not rows:
            self.save(blank(self._entropy))
            return self.state()
        return self._folder.opened(rows[0][0], _CONTEXT, SoftState)

    def save(self, state: SoftState) -> None:
        """Write the state to the disk. Raises `StoreUnusable` if it is not there for sure."""
        self._folder.execute(
            "INSERT INTO tag VALUES (1, ?) ON CONFLICT DO UPDATE SET sealed = excluded.sealed",
            self._folder.seal(state, _CONTEXT),
        )
