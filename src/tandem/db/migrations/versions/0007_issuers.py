"""Cards of remote issuers fund device cards: their numbers, what was asked, what is to be told.

Revision ID: 0007
Revises: 0006
"""

from alembic import op

from tandem.db.migrate import run
from tandem.db.row_types import change_types, row_types

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLES = (
    # Named by the operator's settings. The trace and reference numbers of messages count up.
    """
    CREATE TABLE issuers (
        id uuid PRIMARY KEY,
        name text NOT NULL CONSTRAINT issuers_by_name UNIQUE
            CHECK (name ~ '^[A-Za-z0-9._-]{1,64}$'),
        last_number bigint NOT NULL CHECK (last_number >= 0),
        created_at timestamptz NOT NULL
    )
    """,
    # A row for each time that somebody gives a card: two people may have cards of one account.
    """
    CREATE TABLE funding_cards (
        id uuid PRIMARY KEY,
        issuer_id uuid NOT NULL REFERENCES issuers (id),
        person_id uuid NOT NULL REFERENCES people (id),
        pan_hash bytea NOT NULL CHECK (length(pan_hash) = 32),
        pan_sealed bytea NOT NULL,
        last_four text NOT NULL CHECK (last_four ~ '^[0-9]{4}$'),
        expiry text NOT NULL CHECK (expiry ~ '^[0-9]{4}$'),
        refused boolean NOT NULL,
        created_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX funding_cards_by_number ON funding_cards (pan_hash, created_at)",
    "CREATE INDEX funding_cards_by_person ON funding_cards (person_id, created_at)",
    "ALTER TABLE device_cards ADD COLUMN funding_id uuid REFERENCES funding_cards (id)",
    (
        "ALTER TABLE device_cards ADD COLUMN funding_last_four text "
        "CHECK (funding_last_four ~ '^[0-9]{4}$')"
    ),
    (
        "ALTER TABLE device_cards ADD COLUMN proof_by text NOT NULL DEFAULT 'wallet' "
        "CHECK (proof_by IN ('wallet', 'issuer'))"
    ),
    "ALTER TABLE device_cards DROP CONSTRAINT device_cards_funding_kind_check",
    (
        "ALTER TABLE device_cards ADD CONSTRAINT device_cards_funding_kind_check "
        "CHECK (funding_kind IN ('balance', 'issuer'))"
    ),
    (
        "ALTER TABLE device_cards ADD CONSTRAINT device_cards_funded CHECK ("
        "(funding_kind = 'issuer') = (funding_id IS NOT NULL) "
        "AND (funding_id IS NULL) = (funding_last_four IS NULL))"
    ),
    "CREATE INDEX device_cards_by_funding ON device_cards (funding_id)",
    "ALTER TABLE payments ADD COLUMN issuer_id uuid",
    "ALTER TYPE payments_row ADD ATTRIBUTE issuer_id uuid",
    # Written before an issuer is asked, so that nothing it may have done is forgotten.
    """
    CREATE TABLE issuer_authorisations (
        payment_id uuid PRIMARY KEY,
        issuer_id uuid NOT NULL REFERENCES issuers (id),
        funding_id uuid NOT NULL REFERENCES funding_cards (id),
        person_id uuid NOT NULL,
        merchant_id uuid NOT NULL,
        shop_id uuid NOT NULL,
        till_id uuid,
        capture text NOT NULL CHECK (capture IN ('automatic', 'manual')),
        amount bigint NOT NULL CHECK (amount > 0),
        currency text NOT NULL,
        number bigint NOT NULL CHECK (number > 0),
        status text NOT NULL CHECK (status IN ('asking', 'approved', 'declined', 'undone')),
        response text,
        authorisation_code text,
        until timestamptz NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        CONSTRAINT issuer_authorisations_numbered UNIQUE (issuer_id, number)
    )
    """,
    (
        "CREATE INDEX issuer_authorisations_open ON issuer_authorisations (until) "
        "WHERE status = 'asking'"
    ),
    # What has happened and the issuer must hear of, again and again until it has answered.
    """
    CREATE TABLE issuer_advices (
        id uuid PRIMARY KEY,
        payment_id uuid NOT NULL REFERENCES issuer_authorisations (payment_id),
        issuer_id uuid NOT NULL,
        kind text NOT NULL CHECK (kind IN ('completion', 'refund', 'reversal')),
        amount bigint NOT NULL CHECK (amount >= 0),
        currency text NOT NULL,
        status text NOT NULL CHECK (status IN ('due', 'done', 'refused')),
        number bigint,
        attempts integer NOT NULL CHECK (attempts >= 0),
        sent_at timestamptz,
        next_at timestamptz NOT NULL,
        response text,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        CONSTRAINT issuer_advices_numbered UNIQUE (issuer_id, number)
    )
    """,
    "CREATE INDEX issuer_advices_by_payment ON issuer_advices (payment_id, id)",
    "CREATE INDEX issuer_advices_due ON issuer_advices (next_at) WHERE status = 'due'",
    """
    CREATE TABLE issuer_settlements (
        id uuid PRIMARY KEY,
        issuer_id uuid NOT NULL REFERENCES issuers (id),
        direction text NOT NULL CHECK (direction IN ('received', 'paid')),
        amount bigint NOT NULL CHECK (amount > 0),
        currency text NOT NULL,
        reference text NOT NULL CONSTRAINT issuer_settlements_booked_once UNIQUE
            CHECK (length(reference) BETWEEN 1 AND 140),
        created_at timestamptz NOT NULL
    )
    """,
)
ROWS = (
    *row_types("issuer_authorisations", "issuer_advices", "issuer_settlements"),
    *change_types(
        "issuer_authorisations",
        key=("payment_id",),
        columns=("status", "response", "authorisation_code", "updated_at"),
    ),
)


def upgrade() -> None:
    """Make what funding by an issuer's card takes."""
    run(op, TABLES + ROWS)
