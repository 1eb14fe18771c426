"""Shops have a language, and a payment's way is how the person came by it.

Revision ID: 0003
Revises: 0001
"""

from alembic import op

from tandem.db.migrate import run

revision = "0003"
down_revision = "0001"
branch_labels = None
depends_on = None

SHOPS = (
    "ALTER TABLE shops ADD COLUMN language text CHECK (language ~ '^[a-z]{2}$')",
    "GRANT UPDATE (language) ON shops TO tandem_app",
)

PAYMENTS = ("GRANT UPDATE (way) ON payments TO tandem_app",)


def upgrade() -> None:
    """Add what is new, and let the application change it."""
    run(op, SHOPS + PAYMENTS)
