"""Keys of the acquirer's links; taps that only asked about a card; refunds that were taken back.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

from tandem.db.migrate import run
from tandem.db.row_types import row_types

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLES = (
    # The host's own key has no name; those of links are named by their settings.
    """
    CREATE TABLE link_keys (
        id uuid PRIMARY KEY,
        name text NOT NULL UNIQUE CHECK (name ~ '^[A-Za-z0-9._-]{0,73}$'),
        kind text NOT NULL CHECK (kind IN ('aes', 'tdes', 'host')),
        check_value text NOT NULL,
        sealed bytea NOT NULL,
        changed_at timestamptz NOT NULL,
        CHECK ((kind = 'host') = (name = ''))
    )
    """,
    # A tap that only asks about the card uses its number up, too, and makes no payment.
    "ALTER TABLE card_taps ALTER COLUMN payment_id DROP NOT NULL",
    # A refund whose answer was lost on its way to the till: once, in full or in part.
    """
    CREATE TABLE refund_reversals (
        refund_id uuid PRIMARY KEY REFERENCES refunds (id),
        payment_id uuid NOT NULL,
        amount bigint NOT NULL CHECK (amount > 0),
        currency text NOT NULL,
        created_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX refund_reversals_by_payment ON refund_reversals (payment_id)",
)


def upgrade() -> None:
    """Make what the acquirer's host keeps."""
    run(op, TABLES + row_types("refund_reversals"))
