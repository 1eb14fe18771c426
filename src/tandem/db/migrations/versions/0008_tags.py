"""Rolling tags of shops, and the taps that people opened.

Revision ID: 0008
Revises: 0005
"""

from alembic import op

from tandem.db.migrate import run
from tandem.db.row_types import change_types

revision = "0008"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLES = (
    # The chip's keys are sealed; its UID is known from its first tap on.
    """
    CREATE TABLE tags (
        id uuid PRIMARY KEY,
        merchant_id uuid NOT NULL REFERENCES merchants (id),
        shop_id uuid NOT NULL REFERENCES shops (id),
        till_id uuid REFERENCES tills (id),
        name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
        status text NOT NULL CHECK (status IN (
            'new', 'active', 'suspended', 'blocked', 'revoked'
        )),
        token text NOT NULL UNIQUE,
        keys bytea NOT NULL,
        uid bytea CHECK (length(uid) = 7),
        counter integer NOT NULL CHECK (counter BETWEEN 0 AND 16777215),
        wrong_links integer NOT NULL CHECK (wrong_links >= 0),
        tapped_at timestamptz,
        created_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX tags_by_merchant ON tags (merchant_id, id)",
    # Each count of a tag once: the second witness against a link that is opened again.
    """
    CREATE TABLE tag_taps (
        id uuid PRIMARY KEY,
        tag_id uuid NOT NULL REFERENCES tags (id),
        counter integer NOT NULL CHECK (counter BETWEEN 1 AND 16777215),
        person_id uuid NOT NULL REFERENCES people (id),
        opened_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        payment_id uuid,
        CONSTRAINT tag_taps_opened_once UNIQUE (tag_id, counter)
    )
    """,
)
ROWS = change_types("tag_taps", columns=("payment_id",))


def upgrade() -> None:
    """Make the tables."""
    run(op, TABLES + ROWS)
