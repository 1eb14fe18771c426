"""The operator's console: reasons, kept verifications, processes, indexes of what is looked for.

Revision ID: 0013
Revises: 0010
"""

from alembic import op

from tandem.db.migrate import run

revision = "0013"
down_revision = "0010"
branch_labels = None
depends_on = None

AUDIT = (
    "ALTER TABLE audit ADD COLUMN reason text CHECK (length(reason) BETWEEN 1 AND 300)",
    "ALTER TYPE audit_row ADD ATTRIBUTE reason text",
)
TABLES = (
    # What verifying the books came to. Times of `seen_at` are the database's own.
    """
    CREATE TABLE verifications (
        id uuid PRIMARY KEY,
        actor text NOT NULL,
        actor_name text NOT NULL,
        status text NOT NULL CHECK (
            status IN ('running', 'right', 'differs', 'stopped', 'broken_off')
        ),
        checks integer NOT NULL CHECK (checks > 0),
        checks_done integer NOT NULL CHECK (checks_done BETWEEN 0 AND checks),
        accounts bigint,
        transfers bigint,
        differences json NOT NULL,
        stop_asked boolean NOT NULL,
        started_at timestamptz NOT NULL,
        ended_at timestamptz,
        seen_at timestamptz NOT NULL,
        CHECK ((status = 'running') = (ended_at IS NULL))
    )
    """,
    "CREATE UNIQUE INDEX verifications_one ON verifications (status) WHERE status = 'running'",
    # What each process last said of itself; its times are the database's own.
    """
    CREATE TABLE processes (
        id uuid PRIMARY KEY,
        host text NOT NULL,
        pid integer NOT NULL,
        version text NOT NULL,
        state json NOT NULL,
        clock_ahead_ms bigint NOT NULL,
        started_at timestamptz NOT NULL,
        seen_at timestamptz NOT NULL
    )
    """,
)
LOOKED_FOR = (
    "CREATE INDEX people_by_handle_start ON people (handle text_pattern_ops)",
    "CREATE INDEX people_by_name_start ON people (lower(name) text_pattern_ops)",
    "CREATE INDEX people_by_status ON people (status, id) WHERE status <> 'active'",
    "CREATE INDEX merchants_by_name_start ON merchants (lower(name) text_pattern_ops)",
    "CREATE INDEX device_cards_by_last_four ON device_cards (last_four, id)",
    "CREATE INDEX device_cards_by_par ON device_cards (par, id)",
    "CREATE INDEX accounts_by_kind ON accounts (code, ledger, id)",
    "CREATE INDEX audit_by_action ON audit (action, id)",
    "CREATE INDEX webhook_deliveries_failed ON webhook_deliveries (id) WHERE status = 'failed'",
)


def upgrade() -> None:
    """Make what the console reads."""
    run(op, AUDIT + TABLES + LOOKED_FOR)
