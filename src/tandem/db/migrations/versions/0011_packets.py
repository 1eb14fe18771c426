"""Red packets, and bills that are split among several.

Revision ID: 0011
Revises: 0010
"""

from alembic import op

from tandem.db.migrate import run
from tandem.db.row_types import change_types, row_types

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

PACKETS = (
    # What is left of one is the balance of its own account, and goes back when it is over.
    """
    CREATE TABLE packets (
        id uuid PRIMARY KEY,
        maker_id uuid NOT NULL REFERENCES people (id),
        maker_name text NOT NULL,
        amount bigint NOT NULL CHECK (amount > 0),
        currency text NOT NULL,
        shares smallint NOT NULL CHECK (shares BETWEEN 1 AND 100),
        division text NOT NULL CHECK (division IN ('equal', 'luck')),
        audience text NOT NULL CHECK (audience IN ('named', 'link')),
        maker_opens boolean NOT NULL,
        message text,
        status text NOT NULL CHECK (status IN ('open', 'emptied', 'expired', 'cancelled')),
        opened smallint NOT NULL CHECK (opened BETWEEN 0 AND shares),
        opened_amount bigint NOT NULL CHECK (opened_amount BETWEEN 0 AND amount),
        expires_at timestamptz NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        CHECK (amount - opened_amount >= shares - opened),
        CHECK ((opened = shares) = (opened_amount = amount)),
        CHECK ((opened = shares) = (status = 'emptied')),
        CHECK (status <> 'cancelled' OR (opened = 0 AND audience = 'link'))
    )
    """,
    "CREATE INDEX packets_by_maker ON packets (maker_id, id)",
    "CREATE INDEX packets_due ON packets (expires_at) WHERE status = 'open'",
    # Whom a packet is for, if it names people.
    """
    CREATE TABLE packet_people (
        packet_id uuid NOT NULL REFERENCES packets (id),
        person_id uuid NOT NULL REFERENCES people (id),
        name text NOT NULL,
        PRIMARY KEY (packet_id, person_id)
    )
    """,
    "CREATE INDEX packet_people_by_person ON packet_people (person_id, packet_id)",
    # The token of a packet's link: hashed to be found, sealed to be shown to its maker again.
    """
    CREATE TABLE packet_links (
        id uuid PRIMARY KEY REFERENCES packets (id),
        hash bytea NOT NULL UNIQUE CHECK (length(hash) = 32),
        sealed bytea NOT NULL
    )
    """,
    # The primary key is the second witness that nobody has two shares of one packet.
    """
    CREATE TABLE packet_shares (
        packet_id uuid NOT NULL REFERENCES packets (id),
        person_id uuid NOT NULL REFERENCES people (id),
        id uuid NOT NULL UNIQUE,
        name text NOT NULL,
        amount bigint NOT NULL CHECK (amount > 0),
        created_at timestamptz NOT NULL,
        PRIMARY KEY (packet_id, person_id)
    )
    """,
    "CREATE INDEX packet_shares_by_packet ON packet_shares (packet_id, id)",
    "CREATE INDEX packet_shares_by_person ON packet_shares (person_id, packet_id)",
    *row_types("packets", "packet_people", "packet_links", "packet_shares"),
    *change_types("packets", columns=("status", "opened", "opened_amount", "updated_at")),
)

SPLITS = (
    # Each of the others has a request; `own` is what the maker bears.
    """
    CREATE TABLE splits (
        id uuid PRIMARY KEY,
        maker_id uuid NOT NULL REFERENCES people (id),
        amount bigint NOT NULL CHECK (amount > 0),
        own bigint NOT NULL CHECK (own BETWEEN 0 AND amount),
        currency text NOT NULL,
        message text,
        payment_id uuid,
        reminded_at timestamptz,
        created_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX splits_by_maker ON splits (maker_id, id)",
    "ALTER TABLE money_requests ADD COLUMN split_id uuid REFERENCES splits (id)",
    "CREATE INDEX money_requests_by_split ON money_requests (split_id) WHERE split_id IS NOT NULL",
    "ALTER TYPE money_requests_row ADD ATTRIBUTE split_id uuid",
    *row_types("splits"),
    *change_types("splits", columns=("reminded_at",)),
)


def upgrade() -> None:
    """Make the tables, and tie requests for money to the split that they are of."""
    run(op, PACKETS + SPLITS)
