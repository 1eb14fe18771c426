"""The till: items of shops, tips, lines of payments, orders that are tapped, shifts.

Revision ID: 0014
Revises: 0013
"""

from alembic import op

from tandem.db.migrate import run

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE items (
        id uuid PRIMARY KEY,
        merchant_id uuid NOT NULL REFERENCES merchants (id),
        shop_id uuid NOT NULL REFERENCES shops (id),
        name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
        price bigint NOT NULL CHECK (price >= 0),
        currency text NOT NULL,
        category text CHECK (length(category) BETWEEN 1 AND 40),
        colour text,
        gtin text CHECK (gtin ~ '^[0-9]{8,14}$'),
        place integer NOT NULL CHECK (place >= 0),
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        removed_at timestamptz
    )
    """,
    "CREATE INDEX items_by_shop ON items (shop_id, id)",
    (
        "CREATE UNIQUE INDEX items_by_gtin ON items (shop_id, gtin) "
        "WHERE gtin IS NOT NULL AND removed_at IS NULL"
    ),
    "ALTER TABLE shops ADD COLUMN tips json",
    # What a payment is for. `order_id` is the order in whose place a tap paid.
    "ALTER TABLE payments ADD COLUMN tip bigint NOT NULL DEFAULT 0 CHECK (tip >= 0)",
    "ALTER TABLE payments ADD COLUMN lines json",
    "ALTER TABLE payments ADD COLUMN order_id uuid",
    "ALTER TYPE payments_row ADD ATTRIBUTE tip bigint",
    "ALTER TYPE payments_row ADD ATTRIBUTE lines json",
    "ALTER TYPE payments_row ADD ATTRIBUTE order_id uuid",
    "ALTER TABLE issuer_authorisations ADD COLUMN order_id uuid",
    "ALTER TYPE issuer_authorisations_row ADD ATTRIBUTE order_id uuid",
    # A shift begins and ends at places in the order of its merchant's transfers: `began` and
    # `ended` are those by the ledgers' numbers. `report` is what it came to, kept when it closes.
    """
    CREATE TABLE shifts (
        id uuid PRIMARY KEY,
        merchant_id uuid NOT NULL REFERENCES merchants (id),
        shop_id uuid NOT NULL REFERENCES shops (id),
        till_id uuid NOT NULL REFERENCES tills (id),
        number integer NOT NULL CHECK (number >= 1),
        float json NOT NULL,
        opened_by text NOT NULL,
        opened_at timestamptz NOT NULL,
        began json NOT NULL,
        closed_by text,
        closed_at timestamptz,
        ended json,
        report json,
        CONSTRAINT shifts_numbered UNIQUE (till_id, number),
        CHECK ((closed_at IS NULL) = (report IS NULL)),
        CHECK ((closed_at IS NULL) = (ended IS NULL)),
        CHECK ((closed_at IS NULL) = (closed_by IS NULL))
    )
    """,
    "CREATE UNIQUE INDEX shifts_open ON shifts (till_id) WHERE closed_at IS NULL",
    # The cards of people's phones in a sandbox, which runs them itself.
    """
    CREATE TABLE sandbox_cards (
        card_id uuid PRIMARY KEY REFERENCES device_cards (id),
        person_id uuid NOT NULL REFERENCES people (id),
        currency text NOT NULL,
        sealed bytea NOT NULL,
        state json NOT NULL
    )
    """,
    "CREATE INDEX sandbox_cards_by_person ON sandbox_cards (person_id, currency)",
    "CREATE INDEX shifts_by_till ON shifts (till_id, id)",
)


def upgrade() -> None:
    """Make what the till takes."""
    run(op, STATEMENTS)
