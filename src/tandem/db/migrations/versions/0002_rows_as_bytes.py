"""The arrays of rows that a journal writes, as types that the driver takes for bytes.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

from tandem.db.migrate import run
from tandem.db.row_types import change_types, row_types

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STATEMENTS = (
    *row_types(
        "accounts",
        "transfers",
        "reservations",
        "idempotency",
        "payments",
        "refunds",
        "events",
        "webhook_deliveries",
        "sends",
        "money_requests",
        "top_ups",
        "payouts",
    ),
    *change_types(
        "accounts",
        guards=("transfers", "terms"),
        columns=(
            "debits_pending",
            "debits_posted",
            "credits_pending",
            "credits_posted",
            "transfers",
            "spent_day",
            "spent",
        ),
    ),
    *change_types(
        "payments",
        columns=(
            "person_id",
            "payer_name",
            "status",
            "authorised",
            "captured",
            "refunded",
            "fee",
            "pending_id",
            "decline_reason",
            "expires_at",
            "updated_at",
        ),
    ),
    *change_types(
        "devices",
        columns=("code_step", "code_counter", "wrong_codes", "paused_until"),
    ),
    *change_types(
        "money_requests",
        columns=("status", "send_id", "expires_at", "updated_at"),
    ),
)


def upgrade() -> None:
    """Make the types. Those of revision 0001 stay: they are what these are made of."""
    run(op, STATEMENTS)
