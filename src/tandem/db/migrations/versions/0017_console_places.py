"""What a shop's owner looks for: what an endpoint answered, when a key was used, closed tills.

Revision ID: 0017
Revises: 0016
"""

from alembic import op

from tandem.db.migrate import run

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

STATEMENTS = (
    # Not of `webhook_deliveries_row`: only the dispatcher writes it, after a try.
    "ALTER TABLE webhook_deliveries ADD COLUMN last_body text CHECK (length(last_body) <= 2048)",
    "ALTER TABLE api_keys ADD COLUMN last_used_at timestamptz",
    "ALTER TABLE tills ADD COLUMN closed_at timestamptz",
)


def upgrade() -> None:
    """Add the columns."""
    run(op, STATEMENTS)
