"""PostgreSQL's programs reach the database that our driver does; no list of processes shows how."""

import pytest

from tandem.db.errors import DatabaseUrlInvalid
from tandem.db.libpq import environment_of


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql:///pay", {"PGDATABASE": "pay"}),
        (
            "postgres://me:p%40ss%20word@db.example:5433/pay",
            {
                "PGHOST": "db.example",
                "PGPORT": "5433",
                "PGUSER": "me",
                "PGPASSWORD": "p@ss word",
                "PGDATABASE": "pay",
            },
        ),
        (
            "postgresql://tandem@/tandem?host=/var/lib/tandem/run&port=5432&sslmode=disable",
            {
                "PGHOST": "/var/lib/tandem/run",
                "PGPORT": "5432",
                "PGUSER": "tandem",
                "PGDATABASE": "tandem",
                "PGSSLMODE": "disable",
            },
        ),
        (
            "postgresql://me@one:1,two,three:3/pay?target_session_attrs=primary",
            {
                "PGHOST": "one,two,three",
                "PGPORT": "1,,3",
                "PGUSER": "me",
                "PGDATABASE": "pay",
                "PGTARGETSESSIONATTRS": "primary",
            },
        ),
        (
            "postgresql://me@/pay?host=one,::1&port=1,2",
            {"PGHOST": "one,::1", "PGPORT": "1,2", "PGUSER": "me", "PGDATABASE": "pay"},
        ),
        ("postgresql://[::1]/pay", {"PGHOST": "::1", "PGDATABASE": "pay"}),
        (
            "postgresql://h/pay?password=x&password=secret&passfile=/p&sslpassword=s",
            {"PGHOST": "h", "PGDATABASE": "pay", "PGPASSWORD": "secret", "PGPASSFILE": "/p"},
        ),
        (
            "postgresql://h/pay?host=other&search_path=a%20b&options=-c%20jit%3Doff",
            {
                "PGHOST": "h",
                "PGDATABASE": "pay",
                "PGOPTIONS": "-c jit=off -c search_path=a\\ b",
            },
        ),
    ],
)
def test_a_url_becomes_what_libpq_goes_by(url: str, expected: dict[str, str]) -> None:
    assert environment_of(url) == expected


def test_what_is_no_url_is_refused() -> None:
    with pytest.raises(DatabaseUrlInvalid):
        environment_of("mysql://h/d")
