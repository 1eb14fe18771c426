"""What an operator books by hand can be put right: corrections, withdrawals; sends are listed.

Revision ID: 0004
Revises: 0003
"""

from alembic import op

from tandem.db.migrate import run
from tandem.db.row_types import row_types

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# A bank reference is booked once, and again only in place of a booking that was taken back.
REFERENCES = tuple(
    statement
    for table in ("top_ups", "payouts")
    for statement in (
        f"ALTER TABLE {table} ADD COLUMN replaces uuid REFERENCES {table} (id)",
        f"ALTER TABLE {table} DROP CONSTRAINT {table}_reference_key",
        (
            f"ALTER TABLE {table} ADD CONSTRAINT {table}_booked_once "
            "UNIQUE NULLS NOT DISTINCT (reference, replaces)"
        ),
        f"ALTER TYPE {table}_row ADD ATTRIBUTE replaces uuid",
    )
)

BOOKINGS = (
    # Of a person's wallet, or without a person of the operator's income from fees.
    """
    CREATE TABLE withdrawals (
        id uuid PRIMARY KEY,
        person_id uuid REFERENCES people (id),
        amount bigint NOT NULL CHECK (amount > 0),
        currency text NOT NULL,
        reference text NOT NULL CHECK (length(reference) BETWEEN 1 AND 140),
        created_at timestamptz NOT NULL,
        replaces uuid REFERENCES withdrawals (id),
        CONSTRAINT withdrawals_booked_once UNIQUE NULLS NOT DISTINCT (reference, replaces)
    )
    """,
    "CREATE INDEX withdrawals_by_person ON withdrawals (person_id, id)",
    # A booking is a row of top_ups, payouts or withdrawals; it is corrected once.
    """
    CREATE TABLE corrections (
        id uuid PRIMARY KEY,
        booking text NOT NULL CHECK (booking IN ('top_up', 'payout', 'withdrawal')),
        booking_id uuid NOT NULL CONSTRAINT corrections_made_once UNIQUE,
        owner_id uuid NOT NULL,
        amount bigint NOT NULL CHECK (amount > 0),
        currency text NOT NULL,
        reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 140),
        created_at timestamptz NOT NULL
    )
    """,
    *row_types("withdrawals", "corrections"),
)

# A person's sends are listed, those that they sent and those that they received.
SENDS = (
    "CREATE INDEX sends_by_sender ON sends (sender_id, id)",
    "CREATE INDEX sends_by_receiver ON sends (receiver_id, id)",
)


def upgrade() -> None:
    """Free the references of what is taken back; make the new tables and indexes."""
    run(op, REFERENCES + BOOKINGS + SENDS)
