"""Staff: suspended, what they refund in a day, and who approved what.

Revision ID: 0018
Revises: 0017
"""

from alembic import op

from tandem.db.migrate import run
from tandem.db.row_types import change_types, row_types

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

STAFF = (
    "ALTER TABLE staff DROP CONSTRAINT staff_status_check",
    (
        "ALTER TABLE staff ADD CONSTRAINT staff_status_check "
        "CHECK (status IN ('invited', 'active', 'suspended', 'removed'))"
    ),
    "ALTER TABLE staff ADD COLUMN refund_day_limit bigint CHECK (refund_day_limit >= 0)",
    "ALTER TABLE sessions ADD COLUMN refund_day_limit bigint CHECK (refund_day_limit >= 0)",
    # Sessions keep the limits that they were opened with: who is signed in has no limit for a day.
    "UPDATE sessions SET ended_at = now() WHERE kind = 'merchant' AND ended_at IS NULL",
    # What a member gave back on one day, the last one on which they did.
    """
    CREATE TABLE staff_refunds (
        staff_id uuid NOT NULL REFERENCES staff (id),
        currency text NOT NULL,
        day date NOT NULL,
        refunded bigint NOT NULL CHECK (refunded >= 0),
        PRIMARY KEY (staff_id, currency)
    )
    """,
    *row_types("staff_refunds"),
    *change_types("staff_refunds", key=("staff_id", "currency"), columns=("day", "refunded")),
)
AUDIT = (
    "ALTER TABLE audit ADD COLUMN approver_id uuid",
    "ALTER TABLE audit ADD COLUMN approver_name text",
    "ALTER TABLE audit ADD CHECK ((approver_id IS NULL) = (approver_name IS NULL))",
    "ALTER TYPE audit_row ADD ATTRIBUTE approver_id uuid",
    "ALTER TYPE audit_row ADD ATTRIBUTE approver_name text",
)
SHIFTS = (
    # Who opened it, if that was a member of staff.
    "ALTER TABLE shifts ADD COLUMN opener_id uuid REFERENCES staff (id)",
)


def upgrade() -> None:
    """Let staff be suspended, be limited for a day, and be approved by another."""
    run(op, STAFF + AUDIT + SHIFTS)
