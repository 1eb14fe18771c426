"""Figures: what a merchant gave back in a time is found by its index.

Revision ID: 0016
Revises: 0015
"""

from alembic import op

from tandem.db.migrate import run

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Index refunds by merchant."""
    run(op, ("CREATE INDEX refunds_by_merchant ON refunds (merchant_id, id)",))
