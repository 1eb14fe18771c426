"""Messages between people that were screened out.

Revision ID: 0010
Revises: 0009
"""

from alembic import op

from tandem.db.migrate import run
from tandem.db.row_types import row_types

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLES = (
    # The object is money sent or asked for, or a red packet, and has the message too; who may see
    # it says this.
    """
    CREATE TABLE screenings (
        object_id uuid PRIMARY KEY,
        kind text NOT NULL CHECK (kind IN ('snd', 'req', 'pkt')),
        author_id uuid NOT NULL REFERENCES people (id),
        receiver_id uuid REFERENCES people (id),
        message text NOT NULL CHECK (length(message) >= 1),
        state text NOT NULL CHECK (state IN ('clear', 'checking', 'held', 'rejected')),
        source text NOT NULL CHECK (source IN ('local', 'akismet', 'operator')),
        points smallint NOT NULL CHECK (points >= 0),
        reasons text NOT NULL,
        client text,
        due_at timestamptz CHECK (due_at IS NULL OR state = 'checking' OR tell IS NOT NULL),
        tries smallint NOT NULL CHECK (tries >= 0),
        tell text CHECK (tell IN ('ham', 'spam')),
        appeal text,
        appealed_at timestamptz,
        decided_at timestamptz,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX screenings_due ON screenings (due_at) WHERE due_at IS NOT NULL",
    """
    CREATE INDEX screenings_appealed ON screenings (object_id)
        WHERE appealed_at IS NOT NULL AND decided_at IS NULL
    """,
)
ROWS = row_types("screenings")


def upgrade() -> None:
    """Make the table."""
    run(op, TABLES + ROWS)
