"""Shops have a language.

Revision ID: 0003
Revises: 0001
"""

from alembic import op

from tandem.db.migrate import run

revision = "0003"
down_revision = "0001"
branch_labels = None
depends_on = None

SHOPS = ("ALTER TABLE shops ADD COLUMN language text CHECK (language ~ '^[a-z]{2}$')",)


def upgrade() -> None:
    """Add what is new."""
    run(op, SHOPS)
