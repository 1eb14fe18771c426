"""Shops have a language; a payment's way is how somebody came; an order waits for them for a while.

Revision ID: 0003
Revises: 0002
"""

from alembic import op

from tandem.db.migrate import run

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SHOPS = ("ALTER TABLE shops ADD COLUMN language text CHECK (language ~ '^[a-z]{2}$')",)

# The row types grow, too, so a process of the revision before cannot write payments any more: its
# timers would end an order where only somebody's time for it is over.
PAYMENTS = (
    "ALTER TABLE payments ADD COLUMN order_expires_at timestamptz",
    "ALTER TYPE payments_row ADD ATTRIBUTE order_expires_at timestamptz",
    (
        "ALTER TYPE payments_change ADD ATTRIBUTE way text, "
        "ADD ATTRIBUTE order_expires_at timestamptz"
    ),
)


def upgrade() -> None:
    """Add what is new."""
    run(op, SHOPS + PAYMENTS)
