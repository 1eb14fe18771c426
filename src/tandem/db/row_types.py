"""For migrations: the types in which a journal hands over rows (`tandem.db.table`).

Types of their own: a table may grow a column while processes run that do not know it. They are
domains over arrays, because only a domain may be given to the driver as bytes.
"""

from collections.abc import Sequence

_ROW = """
    DO $$ BEGIN
        IF to_regtype('{table}_row') IS NULL THEN
            EXECUTE (
                SELECT format('CREATE TYPE {table}_row AS (%s)',
                    string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', '
                        ORDER BY attnum))
                FROM pg_attribute
                WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped
            );
        END IF;
    END $$
"""
_CHANGE = """
    DO $$ BEGIN
        EXECUTE (
            SELECT format('CREATE TYPE {table}_change AS (%s)',
                string_agg(format('%I %s', label, format_type(atttypid, atttypmod)), ', '
                    ORDER BY place))
            FROM unnest(ARRAY[{labels}], ARRAY[{columns}]) WITH ORDINALITY AS o(label, name, place)
            JOIN pg_attribute ON attrelid = '{table}'::regclass AND attname = name
        );
    END $$
"""


def row_types(*tables: str) -> tuple[str, ...]:
    """`x_rows` for each table x that a journal inserts into: arrays of rows as they are now."""
    return tuple(
        statement
        for table in tables
        for statement in (
            _ROW.format(table=table),
            f"CREATE DOMAIN {table}_rows AS {table}_row[]",
        )
    )


def change_types(
    table: str, *, key: Sequence[str] = ("id",), guards: Sequence[str] = (), columns: Sequence[str]
) -> tuple[str, ...]:
    """`x_changes` for a table x that a journal updates.

    Arrays of its key, of what the guards were (`was_terms` for `terms`), and of the columns that
    are written.
    """
    labels = (*key, *(f"was_{column}" for column in guards), *columns)
    return (
        _CHANGE.format(
            table=table, labels=_texts(labels), columns=_texts((*key, *guards, *columns))
        ),
        f"CREATE DOMAIN {table}_changes AS {table}_change[]",
    )


def _texts(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'::text" for name in names)
