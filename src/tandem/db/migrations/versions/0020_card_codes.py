"""What was done with the one-time codes of cards: sent by an issuer, or typed wrong.

Revision ID: 0020
Revises: 0019
"""

from alembic import op

from tandem.db.migrate import run

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

STATEMENTS = (
    # Apart from the cards: what one that was removed has seen counts on. `pan_hash` is that of the
    # issuer's card, None of a card that pays from the balance.
    """
    CREATE TABLE card_codes (
        id uuid PRIMARY KEY,
        card_id uuid NOT NULL REFERENCES device_cards (id),
        person_id uuid NOT NULL,
        pan_hash bytea CHECK (length(pan_hash) = 32),
        kind text NOT NULL CHECK (kind IN ('sent', 'wrong')),
        created_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX card_codes_by_person ON card_codes (person_id, created_at)",
    (
        "CREATE INDEX card_codes_by_number ON card_codes (pan_hash, created_at) "
        "WHERE pan_hash IS NOT NULL"
    ),
)


def upgrade() -> None:
    """Make the table."""
    run(op, STATEMENTS)
