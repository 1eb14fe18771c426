"""Device cards and devices are written with a guard, as accounts are.

Revision ID: 0015
Revises: 0013
"""

from alembic import op

from tandem.db.migrate import run
from tandem.db.row_types import change_types

revision = "0015"
down_revision = "0013"
branch_labels = None
depends_on = None

STATEMENTS = (
    *(
        f"DROP {kind} {table}_{name}"
        for table in ("devices", "device_cards")
        for kind, name in (("DOMAIN", "changes"), ("TYPE", "change"))
    ),
    *change_types(
        "devices",
        guards=("code_step", "code_counter", "paused_until", "revoked_at"),
        columns=("code_step", "code_counter", "wrong_codes", "paused_until"),
    ),
    *change_types(
        "device_cards",
        guards=(
            *("status", "atc", "seen", "wrong_cryptograms", "delivered_at"),
            *("funding_currency", "funding_id"),
        ),
        columns=("status", "atc", "seen", "wrong_cryptograms", "updated_at"),
    ),
)


def upgrade() -> None:
    """Make the types in which the journal writes them anew."""
    run(op, STATEMENTS)
