"""What PostgreSQL says that an operator can put right, as refusals. A fault of ours stays one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg

from tandem.db.errors import (
    DatabaseForbids,
    DatabaseReadOnly,
    DatabaseUnavailable,
    DatabaseUnreachable,
)

_AWAY: Final = ("08", "53", "57", "58")
"""Classes of SQLSTATE: the connection, its resources, an operator's intervention, the system."""
_FORBIDDEN: Final = (
    "42501",  # insufficient_privilege
    "3F000",  # invalid_schema_name: none to make anything in
)
_READ_ONLY: Final = "25006"


@contextmanager
def refusals(where: str) -> Iterator[None]:
    """Turn what the database of `where` (as `describe` shows it) forbids into refusals.

    Raises `DatabaseForbids`, `DatabaseReadOnly`, `DatabaseUnreachable`; anything else as it is.
    """
    try:
        yield
    except DatabaseUnavailable:
        raise
    except Exception as error:
        refusal = refusal_of(error, where)
        if refusal is None:
            raise
        raise refusal from error


def refusal_of(error: BaseException, where: str) -> DatabaseUnavailable | None:
    """The refusal that an error stands for; None for a fault of ours."""
    if isinstance(error, (ConnectionResetError, ConnectionRefusedError)):
        return DatabaseUnreachable(where, reason_of(error))
    told = told_by(error)
    if told is None:
        return None
    state = told.sqlstate or ""
    if state == _READ_ONLY:
        return DatabaseReadOnly(where)
    if state in _FORBIDDEN:
        return DatabaseForbids(where, reason_of(told))
    if state.startswith(_AWAY):
        return DatabaseUnreachable(where, reason_of(told))
    return None


def told_by(error: BaseException | None) -> asyncpg.PostgresError | None:
    """What PostgreSQL said, where a library has wrapped it; None if it said nothing."""
    while error is not None:
        if isinstance(error, asyncpg.PostgresError):
            return error
        error = error.__cause__
    return None


def reason_of(error: BaseException) -> str:
    """The first line of what was said: those below it may quote a row.

    Neither PostgreSQL nor the operating system repeats the password that it was given.
    """
    return str(error).partition("\n")[0]
