"""PostgreSQL: embedded or given, connections, migrations, set-based statements, units of work."""

from tandem.db.idempotency import (
    STRANGERS,
    Idempotency,
    IdempotencyConflict,
    earlier_answer,
    keep_answer,
    keep_first_answer,
)
from tandem.db.pool import (
    Connection,
    Pool,
    Record,
    beginning,
    open_journal_connection,
    open_pool,
    open_reader,
    reading_from,
    snapshot,
    speak_rows,
    sqlstate,
)
from tandem.db.table import Integer, Json, SmallInt, Table, Word
from tandem.db.unit import work

__all__ = [
    "STRANGERS",
    "Connection",
    "Idempotency",
    "IdempotencyConflict",
    "Integer",
    "Json",
    "Pool",
    "Record",
    "SmallInt",
    "Table",
    "Word",
    "beginning",
    "earlier_answer",
    "keep_answer",
    "keep_first_answer",
    "open_journal_connection",
    "open_pool",
    "open_reader",
    "reading_from",
    "snapshot",
    "speak_rows",
    "sqlstate",
    "work",
]
