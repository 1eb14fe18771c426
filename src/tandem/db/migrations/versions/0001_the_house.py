"""The house: ledger, people, merchants, payments, wallet, events.

Revision ID: 0001
Revises:
"""

from alembic import op

from tandem.db.migrate import run

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

LEDGER = (
    # One row for the whole installation: what it is, and where a sandbox's clock stands.
    """
    CREATE TABLE installation (
        id smallint PRIMARY KEY CHECK (id = 1),
        mode text NOT NULL CHECK (mode IN ('sandbox', 'production')),
        clock_offset_seconds bigint NOT NULL DEFAULT 0 CHECK (clock_offset_seconds >= 0),
        buyer_rules json,
        CHECK (mode = 'sandbox' OR (clock_offset_seconds = 0 AND buyer_rules IS NULL))
    )
    """,
    # Free space in each page keeps the updates of running totals HOT (no index is touched).
    """
    CREATE TABLE accounts (
        id uuid PRIMARY KEY,
        owner_id uuid NOT NULL,
        ledger smallint NOT NULL CHECK (ledger BETWEEN 1 AND 999),
        code smallint NOT NULL CHECK (code BETWEEN 1 AND 63),
        flags smallint NOT NULL CHECK (flags BETWEEN 0 AND 3),
        overdraft bigint NOT NULL CHECK (overdraft >= 0),
        terms integer NOT NULL CHECK (terms >= 0),
        debits_pending bigint NOT NULL CHECK (debits_pending >= 0),
        debits_posted bigint NOT NULL CHECK (debits_posted >= 0),
        credits_pending bigint NOT NULL CHECK (credits_pending >= 0),
        credits_posted bigint NOT NULL CHECK (credits_posted >= 0),
        transfers bigint NOT NULL CHECK (transfers >= 0),
        spent_day date NOT NULL,
        spent bigint NOT NULL CHECK (spent >= 0),
        created_at timestamptz NOT NULL,
        CONSTRAINT debits_must_not_exceed_credits CHECK (
            flags & 1 = 0 OR debits_posted + debits_pending <= credits_posted + overdraft
        ),
        CONSTRAINT credits_must_not_exceed_debits CHECK (
            flags & 2 = 0 OR credits_posted + credits_pending <= debits_posted + overdraft
        )
    ) WITH (fillfactor = 60)
    """,
    # No foreign keys to accounts: four look-ups a payment were a third of the server's work, and
    # distributed tables cannot have them. The journal writes a transfer only with both its accounts
    # in one transaction and counts the rows; `ledger verify` looks for a transfer without one.
    """
    CREATE TABLE transfers (
        id uuid PRIMARY KEY,
        debit_account_id uuid NOT NULL,
        credit_account_id uuid NOT NULL,
        amount bigint NOT NULL CHECK (amount > 0),
        ledger smallint NOT NULL,
        code smallint NOT NULL,
        kind smallint NOT NULL CHECK (kind BETWEEN 0 AND 4),
        pending_id uuid,
        reference uuid NOT NULL,
        spends boolean NOT NULL,
        expires_at timestamptz,
        created_at timestamptz NOT NULL,
        debit_number bigint NOT NULL CHECK (debit_number > 0),
        credit_number bigint NOT NULL CHECK (credit_number > 0),
        debit_balance bigint NOT NULL,
        credit_balance bigint NOT NULL,
        CHECK (debit_account_id <> credit_account_id),
        CHECK ((kind IN (2, 3, 4)) = (pending_id IS NOT NULL)),
        CHECK (expires_at IS NULL OR kind = 1)
    )
    """,
    (
        "CREATE UNIQUE INDEX transfers_resolve_once ON transfers (pending_id) "
        "WHERE pending_id IS NOT NULL"
    ),
    # Each account numbers its transfers: a statement's order, and a second witness against two
    # transfers that were decided on the same state.
    "CREATE UNIQUE INDEX transfers_of_debit_account ON transfers (debit_account_id, debit_number)",
    (
        "CREATE UNIQUE INDEX transfers_of_credit_account "
        "ON transfers (credit_account_id, credit_number)"
    ),
    # The pending transfers that nothing has resolved: a work list beside the append-only record.
    """
    CREATE TABLE reservations (
        id uuid PRIMARY KEY REFERENCES transfers (id),
        expires_at timestamptz
    )
    """,
    "CREATE INDEX reservations_due ON reservations (expires_at) WHERE expires_at IS NOT NULL",
    """
    CREATE TABLE idempotency (
        owner_id uuid NOT NULL,
        key text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
        fingerprint bytea NOT NULL CHECK (length(fingerprint) = 32),
        answer bytea NOT NULL,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (owner_id, key)
    )
    """,
    "CREATE INDEX idempotency_age ON idempotency USING brin (created_at)",
)

PARTIES = (
    """
    CREATE TABLE api_keys (
        id uuid PRIMARY KEY,
        hash bytea NOT NULL UNIQUE CHECK (length(hash) = 32),
        owner_kind text NOT NULL CHECK (owner_kind IN ('operator', 'merchant', 'person')),
        owner_id uuid NOT NULL,
        device_id uuid,
        name text NOT NULL,
        hint text NOT NULL,
        scopes text[] NOT NULL,
        created_at timestamptz NOT NULL,
        revoked_at timestamptz,
        CHECK ((owner_kind = 'person') = (device_id IS NOT NULL))
    )
    """,
    "CREATE INDEX api_keys_by_owner ON api_keys (owner_id, id)",
    "CREATE INDEX api_keys_revoked ON api_keys (revoked_at) WHERE revoked_at IS NOT NULL",
    "CREATE INDEX api_keys_of_device ON api_keys (device_id) WHERE device_id IS NOT NULL",
    """
    CREATE TABLE people (
        id uuid PRIMARY KEY,
        handle text NOT NULL UNIQUE CHECK (handle ~ '^[a-z0-9][a-z0-9_.]{1,30}$'),
        name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
        status text NOT NULL CHECK (status IN ('active', 'suspended')),
        terms integer NOT NULL CHECK (terms >= 1),
        created_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE person_limits (
        person_id uuid NOT NULL REFERENCES people (id),
        currency text NOT NULL,
        per_payment bigint NOT NULL CHECK (per_payment >= 0),
        per_day bigint NOT NULL CHECK (per_day >= 0),
        PRIMARY KEY (person_id, currency)
    )
    """,
    # The last pay code used is a mark that only grows: a code works once, without a list of codes.
    """
    CREATE TABLE devices (
        id uuid PRIMARY KEY,
        person_id uuid NOT NULL REFERENCES people (id),
        name text NOT NULL,
        code_index integer NOT NULL UNIQUE CHECK (code_index BETWEEN 0 AND 99999999),
        code_seed bytea NOT NULL,
        code_step bigint NOT NULL,
        code_counter smallint NOT NULL,
        wrong_codes integer NOT NULL CHECK (wrong_codes >= 0),
        paused_until timestamptz,
        created_at timestamptz NOT NULL,
        revoked_at timestamptz
    ) WITH (fillfactor = 70)
    """,
    "CREATE INDEX devices_by_person ON devices (person_id, id)",
    """
    CREATE TABLE merchants (
        id uuid PRIMARY KEY,
        name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
        status text NOT NULL CHECK (status IN ('active', 'suspended')),
        terms integer NOT NULL CHECK (terms >= 1),
        created_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE merchant_currencies (
        merchant_id uuid NOT NULL REFERENCES merchants (id),
        currency text NOT NULL,
        fee_basis_points integer NOT NULL CHECK (fee_basis_points BETWEEN 0 AND 10000),
        fee_fixed bigint NOT NULL CHECK (fee_fixed >= 0),
        overdraft bigint NOT NULL CHECK (overdraft >= 0),
        PRIMARY KEY (merchant_id, currency)
    )
    """,
    """
    CREATE TABLE shops (
        id uuid PRIMARY KEY,
        merchant_id uuid NOT NULL REFERENCES merchants (id),
        name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
        city text NOT NULL CHECK (length(city) BETWEEN 1 AND 60),
        country text NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
        category text NOT NULL CHECK (category ~ '^[0-9]{4}$'),
        acceptance json NOT NULL,
        code_token text NOT NULL UNIQUE,
        created_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX shops_by_merchant ON shops (merchant_id, id)",
    """
    CREATE TABLE tills (
        id uuid PRIMARY KEY,
        shop_id uuid NOT NULL REFERENCES shops (id),
        merchant_id uuid NOT NULL REFERENCES merchants (id),
        name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
        acceptance json NOT NULL,
        code_token text NOT NULL UNIQUE,
        created_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX tills_by_shop ON tills (shop_id, id)",
    "CREATE INDEX tills_by_merchant ON tills (merchant_id, id)",
)

MONEY = (
    """
    CREATE TABLE payments (
        id uuid PRIMARY KEY,
        merchant_id uuid NOT NULL,
        shop_id uuid NOT NULL,
        till_id uuid,
        person_id uuid,
        way text NOT NULL CHECK (way IN ('tap', 'scan', 'click')),
        source text NOT NULL CHECK (source IN ('order', 'static_code', 'pay_code')),
        status text NOT NULL CHECK (status IN (
            'created', 'waiting', 'authorised', 'captured', 'partially_refunded', 'refunded',
            'cancelled', 'declined', 'expired'
        )),
        capture text NOT NULL CHECK (capture IN ('automatic', 'manual')),
        currency text NOT NULL,
        amount bigint NOT NULL CHECK (amount > 0),
        authorised bigint NOT NULL CHECK (authorised BETWEEN 0 AND amount),
        captured bigint NOT NULL CHECK (captured BETWEEN 0 AND authorised),
        refunded bigint NOT NULL CHECK (refunded BETWEEN 0 AND captured),
        fee bigint NOT NULL CHECK (fee BETWEEN 0 AND captured),
        pending_id uuid,
        decline_reason text,
        order_reference text,
        description text,
        payer_name text,
        merchant_name text NOT NULL,
        shop_name text NOT NULL,
        code_token text,
        expires_at timestamptz,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        CHECK ((status = 'declined') = (decline_reason IS NOT NULL)),
        CHECK ((status = 'authorised') = (pending_id IS NOT NULL)),
        CHECK (captured = 0 OR person_id IS NOT NULL),
        CHECK (status <> 'refunded' OR refunded = captured)
    ) WITH (fillfactor = 85)
    """,
    "CREATE UNIQUE INDEX payments_by_code ON payments (code_token) WHERE code_token IS NOT NULL",
    "CREATE INDEX payments_by_merchant ON payments (merchant_id, id)",
    "CREATE INDEX payments_by_person ON payments (person_id, id) WHERE person_id IS NOT NULL",
    "CREATE INDEX payments_due ON payments (expires_at) WHERE expires_at IS NOT NULL",
    """
    CREATE TABLE refunds (
        id uuid PRIMARY KEY,
        payment_id uuid NOT NULL REFERENCES payments (id),
        merchant_id uuid NOT NULL,
        amount bigint NOT NULL CHECK (amount > 0),
        currency text NOT NULL,
        reason text,
        created_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX refunds_by_payment ON refunds (payment_id, id)",
    """
    CREATE TABLE sends (
        id uuid PRIMARY KEY,
        sender_id uuid NOT NULL REFERENCES people (id),
        receiver_id uuid NOT NULL REFERENCES people (id),
        amount bigint NOT NULL CHECK (amount > 0),
        currency text NOT NULL,
        message text,
        request_id uuid,
        sender_name text NOT NULL,
        receiver_name text NOT NULL,
        created_at timestamptz NOT NULL,
        CHECK (sender_id <> receiver_id)
    )
    """,
    """
    CREATE TABLE money_requests (
        id uuid PRIMARY KEY,
        requester_id uuid NOT NULL REFERENCES people (id),
        payer_id uuid NOT NULL REFERENCES people (id),
        requester_name text NOT NULL,
        payer_name text NOT NULL,
        amount bigint NOT NULL CHECK (amount > 0),
        currency text NOT NULL,
        message text,
        status text NOT NULL CHECK (status IN (
            'open', 'accepted', 'declined', 'cancelled', 'expired'
        )),
        send_id uuid,
        expires_at timestamptz,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        CHECK (requester_id <> payer_id),
        CHECK ((status = 'accepted') = (send_id IS NOT NULL)),
        CHECK ((status = 'open') = (expires_at IS NOT NULL))
    )
    """,
    "CREATE INDEX money_requests_by_requester ON money_requests (requester_id, id)",
    "CREATE INDEX money_requests_by_payer ON money_requests (payer_id, id)",
    "CREATE INDEX money_requests_due ON money_requests (expires_at) WHERE expires_at IS NOT NULL",
    # A bank reference is booked once, whoever types it.
    """
    CREATE TABLE top_ups (
        id uuid PRIMARY KEY,
        person_id uuid NOT NULL REFERENCES people (id),
        amount bigint NOT NULL CHECK (amount > 0),
        currency text NOT NULL,
        reference text NOT NULL UNIQUE CHECK (length(reference) BETWEEN 1 AND 140),
        created_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX top_ups_by_person ON top_ups (person_id, id)",
    """
    CREATE TABLE payouts (
        id uuid PRIMARY KEY,
        merchant_id uuid NOT NULL REFERENCES merchants (id),
        amount bigint NOT NULL CHECK (amount > 0),
        currency text NOT NULL,
        reference text NOT NULL UNIQUE CHECK (length(reference) BETWEEN 1 AND 140),
        created_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX payouts_by_merchant ON payouts (merchant_id, id)",
)

EVENTS = (
    # An event is addressed to one owner and holds the object as that owner may see it.
    """
    CREATE TABLE events (
        owner_id uuid NOT NULL,
        id uuid NOT NULL,
        type text NOT NULL,
        object_id uuid NOT NULL,
        data json NOT NULL,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (owner_id, id)
    )
    """,
    """
    CREATE TABLE webhook_endpoints (
        id uuid PRIMARY KEY,
        merchant_id uuid NOT NULL REFERENCES merchants (id),
        url text NOT NULL CHECK (length(url) <= 2000),
        secret bytea NOT NULL,
        types text[] NOT NULL,
        enabled boolean NOT NULL,
        created_at timestamptz NOT NULL,
        deleted_at timestamptz
    )
    """,
    "CREATE INDEX webhook_endpoints_by_merchant ON webhook_endpoints (merchant_id, id)",
    """
    CREATE TABLE webhook_deliveries (
        id uuid PRIMARY KEY,
        endpoint_id uuid NOT NULL REFERENCES webhook_endpoints (id),
        merchant_id uuid NOT NULL,
        event_id uuid NOT NULL,
        object_id uuid NOT NULL,
        status text NOT NULL CHECK (status IN ('pending', 'delivered', 'failed')),
        attempts integer NOT NULL CHECK (attempts >= 0),
        next_attempt_at timestamptz,
        last_attempt_at timestamptz,
        last_status integer,
        last_error text,
        created_at timestamptz NOT NULL,
        CHECK ((status = 'pending') = (next_attempt_at IS NOT NULL))
    ) WITH (fillfactor = 80)
    """,
    (
        "CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, next_attempt_at) "
        "WHERE status = 'pending'"
    ),
    (
        "CREATE INDEX webhook_deliveries_in_order ON webhook_deliveries "
        "(endpoint_id, object_id, id) WHERE status = 'pending'"
    ),
    "CREATE INDEX webhook_deliveries_by_endpoint ON webhook_deliveries (endpoint_id, id)",
)

# The rows that a journal writes, as it sends them. Types of their own: a table may grow a column.
ROWS = (
    """
    DO $$
    DECLARE
        written text;
    BEGIN
        FOREACH written IN ARRAY ARRAY['accounts', 'transfers', 'reservations', 'idempotency',
            'payments', 'refunds', 'events', 'webhook_deliveries', 'devices', 'sends',
            'money_requests', 'top_ups', 'payouts']
        LOOP
            EXECUTE (
                SELECT format('CREATE TYPE %I AS (%s)', written || '_row',
                    string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', '
                        ORDER BY attnum))
                FROM pg_attribute WHERE attrelid = written::regclass AND attnum > 0
            );
        END LOOP;
    END $$
    """,
)


def upgrade() -> None:
    """Make every table. What the application may do with them: tandem.db.rights."""
    run(op, LEDGER + PARTIES + MONEY + EVENTS + ROWS)
