"""Checkout: merchants' settings, sessions, payment links, invoices with their numbers.

Revision ID: 0012
Revises: 0011
"""

from alembic import op

from tandem.db.migrate import run
from tandem.db.row_types import change_types, row_types

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TABLES = (
    # The id is the merchant's. The secret signs results and is sealed.
    """
    CREATE TABLE checkout_settings (
        id uuid PRIMARY KEY REFERENCES merchants (id),
        return_origins text[] NOT NULL,
        frame_origins text[] NOT NULL,
        secret bytea NOT NULL,
        updated_at timestamptz NOT NULL
    )
    """,
    # Written with its payment, in one entry, and never changed: its state is the payment's.
    """
    CREATE TABLE checkout_sessions (
        id uuid PRIMARY KEY,
        merchant_id uuid NOT NULL REFERENCES merchants (id),
        payment_id uuid NOT NULL UNIQUE,
        token text NOT NULL UNIQUE,
        lines json NOT NULL,
        metadata json NOT NULL,
        success_url text,
        cancel_url text,
        locale text CHECK (locale IN ('en', 'zh')),
        link_id uuid,
        invoice_id uuid,
        created_at timestamptz NOT NULL,
        CHECK (link_id IS NULL OR invoice_id IS NULL)
    )
    """,
    "CREATE INDEX checkout_sessions_by_merchant ON checkout_sessions (merchant_id, id)",
    """
    CREATE INDEX checkout_sessions_by_link ON checkout_sessions (link_id, id)
        WHERE link_id IS NOT NULL
    """,
    """
    CREATE INDEX checkout_sessions_by_invoice ON checkout_sessions (invoice_id, id)
        WHERE invoice_id IS NOT NULL
    """,
    """
    CREATE TABLE payment_links (
        id uuid PRIMARY KEY,
        merchant_id uuid NOT NULL REFERENCES merchants (id),
        shop_id uuid NOT NULL REFERENCES shops (id),
        description text NOT NULL CHECK (length(description) BETWEEN 1 AND 140),
        currency text NOT NULL,
        amount bigint CHECK (amount > 0),
        min_amount bigint CHECK (min_amount > 0),
        max_amount bigint CHECK (max_amount >= coalesce(min_amount, 1)),
        order_reference text,
        success_url text,
        max_payments integer CHECK (max_payments > 0),
        ends_at timestamptz,
        active boolean NOT NULL,
        token text NOT NULL UNIQUE,
        sessions integer NOT NULL CHECK (sessions >= 0),
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        CHECK (amount IS NULL OR (min_amount IS NULL AND max_amount IS NULL))
    )
    """,
    "CREATE INDEX payment_links_by_merchant ON payment_links (merchant_id, id)",
    """
    CREATE TABLE invoices (
        id uuid PRIMARY KEY,
        merchant_id uuid NOT NULL REFERENCES merchants (id),
        shop_id uuid NOT NULL REFERENCES shops (id),
        number integer CHECK (number > 0),
        status text NOT NULL CHECK (status IN ('draft', 'discarded', 'open', 'paid', 'void')),
        customer_name text NOT NULL CHECK (length(customer_name) BETWEEN 1 AND 100),
        customer_email text,
        description text,
        order_reference text,
        lines json NOT NULL,
        currency text NOT NULL,
        amount bigint NOT NULL CHECK (amount > 0),
        due_on date NOT NULL,
        due_at timestamptz,
        overdue_at timestamptz,
        token text NOT NULL UNIQUE,
        payment_id uuid,
        opened_at timestamptz,
        paid_at timestamptz,
        voided_at timestamptz,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        CONSTRAINT invoices_numbered_once UNIQUE (merchant_id, number),
        CHECK ((status IN ('draft', 'discarded')) = (number IS NULL)),
        CHECK ((number IS NULL) = (opened_at IS NULL)),
        CHECK ((number IS NULL) = (due_at IS NULL)),
        CHECK ((status = 'paid') = (paid_at IS NOT NULL)),
        CHECK ((status = 'void') = (voided_at IS NOT NULL)),
        CHECK (status <> 'paid' OR payment_id IS NOT NULL)
    )
    """,
    "CREATE INDEX invoices_by_merchant ON invoices (merchant_id, id)",
    "CREATE INDEX invoices_begun ON invoices (id) WHERE status = 'open' AND payment_id IS NOT NULL",
    "CREATE INDEX invoices_due ON invoices (due_at) WHERE status = 'open' AND overdue_at IS NULL",
    # The last number of each merchant. Its row is locked until an invoice has the next one.
    """
    CREATE TABLE invoice_numbers (
        merchant_id uuid PRIMARY KEY REFERENCES merchants (id),
        last integer NOT NULL CHECK (last > 0)
    )
    """,
)
ROWS = (
    *row_types("checkout_sessions"),
    *row_types("payment_links", "invoices"),
    *change_types("payment_links", columns=("sessions",)),
    *change_types("invoices", columns=("payment_id",)),
)


def upgrade() -> None:
    """Make the tables."""
    run(op, TABLES + ROWS)
