"""Device cards, the operator's card keys, and the taps that were paid by them.

Revision ID: 0005
Revises: 0004
"""

from alembic import op

from tandem.db.migrate import run
from tandem.db.row_types import change_types, row_types

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = (
    # Authority, issuer, master keys and the key of look-ups, each sealed; a new one is a new row.
    """
    CREATE TABLE card_keys (
        kind text NOT NULL CHECK (kind IN ('lookup', 'authority', 'issuer', 'master')),
        number smallint NOT NULL CHECK (number BETWEEN 1 AND 255),
        sealed bytea NOT NULL,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (kind, number)
    )
    """,
    # The last serial number of the certificates under one issuer's key.
    """
    CREATE TABLE card_serials (
        issuer smallint PRIMARY KEY,
        last integer NOT NULL CHECK (last BETWEEN 1 AND 16777215)
    )
    """,
    # A card that is renewed keeps its number and gets another sequence number.
    """
    CREATE TABLE device_cards (
        id uuid PRIMARY KEY,
        person_id uuid NOT NULL REFERENCES people (id),
        device_id uuid NOT NULL REFERENCES devices (id),
        requestor text NOT NULL CHECK (requestor ~ '^[0-9]{11}$'),
        status text NOT NULL CHECK (status IN (
            'waiting_code', 'waiting_operator', 'active', 'suspended', 'lost', 'blocked',
            'removed', 'refused', 'replaced'
        )),
        proof text NOT NULL CHECK (proof IN ('green', 'yellow', 'orange')),
        funding_kind text NOT NULL CHECK (funding_kind IN ('balance')),
        funding_currency text NOT NULL,
        pan_hash bytea NOT NULL CHECK (length(pan_hash) = 32),
        pan_sealed bytea NOT NULL,
        last_four text NOT NULL CHECK (last_four ~ '^[0-9]{4}$'),
        sequence smallint NOT NULL CHECK (sequence BETWEEN 0 AND 99),
        effective date NOT NULL,
        expiry date NOT NULL CHECK (expiry >= effective),
        par text NOT NULL CHECK (par ~ '^[0-9A-Z]{29}$'),
        key_index smallint NOT NULL CHECK (key_index BETWEEN 1 AND 255),
        version smallint NOT NULL,
        device_key bytea NOT NULL CHECK (length(device_key) = 32),
        code_hash bytea,
        code_until timestamptz,
        code_tries integer NOT NULL CHECK (code_tries >= 0),
        atc integer NOT NULL CHECK (atc BETWEEN 0 AND 65535),
        seen bigint NOT NULL,
        wrong_cryptograms integer NOT NULL CHECK (wrong_cryptograms >= 0),
        delivered_at timestamptz,
        replaces uuid,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        CHECK ((code_hash IS NULL) = (code_until IS NULL)),
        CHECK (status = 'waiting_code' OR code_hash IS NULL)
    ) WITH (fillfactor = 70)
    """,
    "CREATE UNIQUE INDEX device_cards_by_number ON device_cards (pan_hash, sequence)",
    "CREATE INDEX device_cards_by_person ON device_cards (person_id, id)",
    "CREATE INDEX device_cards_by_device ON device_cards (device_id, id)",
    "CREATE INDEX device_cards_by_status ON device_cards (status, id)",
    # Each number of a card once: the second witness against a cryptogram that is played again.
    """
    CREATE TABLE card_taps (
        card_id uuid NOT NULL REFERENCES device_cards (id),
        atc integer NOT NULL CHECK (atc BETWEEN 1 AND 65535),
        payment_id uuid NOT NULL,
        offline boolean NOT NULL,
        transit boolean NOT NULL,
        verifier smallint NOT NULL CHECK (verifier BETWEEN 0 AND 3),
        method smallint NOT NULL CHECK (method BETWEEN 0 AND 3),
        link text NOT NULL,
        terminal text NOT NULL,
        reference text NOT NULL,
        rrn text NOT NULL,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (card_id, atc)
    )
    """,
    "CREATE INDEX card_taps_by_payment ON card_taps (payment_id)",
    "CREATE INDEX card_taps_by_rrn ON card_taps (rrn)",
    "ALTER TABLE payments DROP CONSTRAINT payments_source_check",
    (
        "ALTER TABLE payments ADD CONSTRAINT payments_source_check "
        "CHECK (source IN ('order', 'static_code', 'pay_code', 'device_card'))"
    ),
)
ROWS = (
    *row_types("card_taps"),
    *change_types(
        "device_cards", columns=("status", "atc", "seen", "wrong_cryptograms", "updated_at")
    ),
)


def upgrade() -> None:
    """Make the tables of the token vault."""
    run(op, TABLES + ROWS)
