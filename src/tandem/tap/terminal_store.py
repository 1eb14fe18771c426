"""What a terminal keeps: every payment, and what it still owes its host. It survives a crash."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple, Self

import msgspec

from tandem.kernel import Entropy, NotFound
from tandem.tap.errors import StoreUnusable
from tandem.tap.folder import Folder
from tandem.tap.payment import DUE, REFUND, Payment, Secret, State

_FILE: Final = "terminal.db"
_FORMAT: Final = 1
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS payments (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    state TEXT NOT NULL,
    sent INTEGER NOT NULL DEFAULT 0,
    value BLOB NOT NULL,
    sealed BLOB
) STRICT;
CREATE INDEX IF NOT EXISTS due ON payments (state)
    WHERE state IN ('reversal_due', 'advice_due', 'deferred_due');
"""


class Due(NamedTuple):
    """What is owed to the host. `sent` says that it may have been sent before."""

    state: State
    sent: bool
    payment: Payment
    secret: Secret


class TerminalStore:
    """A terminal's folder. Raises as `Folder` does, here and in every use.

    Opened after a crash, a request that was under way is to be reversed, and a refund to be sent
    again.
    """

    def __init__(self, path: Path, entropy: Entropy) -> None:
        self._folder = Folder(path, _FILE, _SCHEMA, _FORMAT, entropy)
        self._folder.execute(
            "UPDATE payments SET state = CASE WHEN state = ?2 THEN ?3 "
            "WHEN json_extract(CAST(value AS TEXT), '$.type') = ?6 THEN ?4 ELSE ?5 END, "
            "sent = (state = ?1 AND json_extract(CAST(value AS TEXT), '$.type') = ?6) "
            "WHERE state IN (?1, ?2)",
            *(State.ASKING, State.WAITING, State.DONE, State.DEFERRED_DUE, State.REVERSAL_DUE),
            REFUND,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.close()

    def new(self, payment: Payment) -> Payment:
        """Keep a payment that begins, and give it its number."""
        done = self._folder.execute(
            "INSERT INTO payments (state, value) VALUES (?, ?)",
            State.WAITING,
            msgspec.json.encode(payment),
        )
        return msgspec.structs.replace(payment, number=done.lastrowid or 0)

    def save(self, payment: Payment, state: State, secret: Secret | None = None) -> None:
        """Write a payment and where it stands. What is secret is kept only while it is needed.

        Without a `secret` the one that is there is kept while something is due, and else removed.
        """
        sealed = None if secret is None else self._folder.seal(secret, _context(payment.number))
        keep = state in {*DUE, State.ASKING}
        done = self._folder.execute(
            "UPDATE payments SET state = ?1, value = ?2, sent = 0, "
            "sealed = CASE WHEN ?3 THEN coalesce(?4, sealed) END WHERE number = ?5",
            *(state, msgspec.json.encode(payment), keep, sealed, payment.number),
        )
        if done.rowcount != 1:
            raise StoreUnusable(str(self._folder.path), f"payment {payment.number} is not there")

    def mark_sent(self, payment: Payment) -> None:
        """Note that what is due is about to be sent: from then on it is a repeat."""
        self._folder.execute("UPDATE payments SET sent = 1 WHERE number = ?", payment.number)

    def due(self) -> tuple[Due, ...]:
        """What is owed to the host, reversals first, then the oldest first."""
        rows = self._folder.rows(
            "SELECT state, sent, value, sealed, number FROM payments "
            "WHERE state IN ('reversal_due', 'advice_due', 'deferred_due') "
            "ORDER BY state <> 'reversal_due', number"
        )
        return tuple(self._due(*row) for row in rows)

    def last(self, count: int) -> Iterable[tuple[State, Payment]]:
        """The last payments, the newest first."""
        rows = self._folder.rows(
            "SELECT state, value, number FROM payments ORDER BY number DESC LIMIT ?", count
        )
        return [(State(state), self._payment(value, number)) for state, value, number in rows]

    def payment(self, number: int) -> Payment:
        """The payment with this number. Raises `NotFound`."""
        rows = self._folder.rows("SELECT value FROM payments WHERE number = ?", number)
        if not rows:
            raise NotFound("payment", str(number))
        return self._payment(rows[0][0], number)

    def _due(self, state: str, sent: int, value: bytes, sealed: bytes, number: int) -> Due:
        secret = self._folder.opened(sealed, _context(number), Secret)
        return Due(State(state), bool(sent), self._payment(value, number), secret)

    def _payment(self, value: bytes, number: int) -> Payment:
        return msgspec.structs.replace(self._folder.decoded(value, Payment), number=number)


def _context(number: int) -> bytes:
    return f"terminal.payment:{number}".encode()
