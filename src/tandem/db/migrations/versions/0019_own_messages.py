"""People list their own messages that were screened out.

Revision ID: 0019
Revises: 0018
"""

from alembic import op

from tandem.db.migrate import run

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

STATEMENTS = ("CREATE INDEX screenings_by_author ON screenings (author_id, object_id)",)


def upgrade() -> None:
    """Add the index."""
    run(op, STATEMENTS)
