"""Signing in: staff, passkeys, sessions, codes, what asks for a passkey again; the audit log.

Revision ID: 0009
Revises: 0008
"""

from alembic import op

from tandem.db.migrate import run
from tandem.db.row_types import row_types

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLES = (
    # Who works for a merchant or for the operator. An invitation is a token that is stored hashed.
    """
    CREATE TABLE staff (
        id uuid PRIMARY KEY,
        employer_kind text NOT NULL CHECK (employer_kind IN ('merchant', 'operator')),
        employer_id uuid NOT NULL,
        name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
        role text NOT NULL,
        refund_limit bigint CHECK (refund_limit >= 0),
        status text NOT NULL CHECK (status IN ('invited', 'active', 'removed')),
        invitation bytea UNIQUE CHECK (length(invitation) = 32),
        invited_until timestamptz,
        created_at timestamptz NOT NULL,
        CHECK ((invitation IS NULL) = (invited_until IS NULL)),
        CHECK (
            (employer_kind = 'merchant' AND role IN ('cashier', 'manager', 'owner'))
            OR (employer_kind = 'operator' AND role IN ('support', 'treasurer', 'owner'))
        )
    )
    """,
    "CREATE INDEX staff_by_employer ON staff (employer_id, id)",
    # A holder is a person or a member of staff; their id is the passkey's user handle.
    """
    CREATE TABLE passkeys (
        id uuid PRIMARY KEY,
        holder_kind text NOT NULL CHECK (holder_kind IN ('person', 'staff')),
        holder_id uuid NOT NULL,
        credential_id bytea NOT NULL UNIQUE CHECK (length(credential_id) BETWEEN 1 AND 1023),
        public_key bytea NOT NULL,
        sign_count bigint NOT NULL CHECK (sign_count >= 0),
        transports text[] NOT NULL,
        backup_eligible boolean NOT NULL,
        backed_up boolean NOT NULL,
        aaguid uuid NOT NULL,
        name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
        created_at timestamptz NOT NULL,
        last_used_at timestamptz,
        suspect_at timestamptz,
        removed_at timestamptz
    )
    """,
    "CREATE INDEX passkeys_by_holder ON passkeys (holder_id, id)",
    """
    CREATE TABLE sessions (
        id uuid PRIMARY KEY,
        hash bytea NOT NULL UNIQUE CHECK (length(hash) = 32),
        kind text NOT NULL CHECK (kind IN ('person', 'merchant', 'operator')),
        owner_id uuid NOT NULL,
        holder_id uuid NOT NULL,
        holder_name text NOT NULL,
        role text,
        refund_limit bigint CHECK (refund_limit >= 0),
        device_id uuid REFERENCES devices (id),
        name text NOT NULL,
        client text NOT NULL,
        created_at timestamptz NOT NULL,
        verified_at timestamptz NOT NULL,
        last_used_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        ended_at timestamptz,
        CHECK ((kind = 'person') = (role IS NULL)),
        CHECK (device_id IS NULL OR kind = 'person')
    )
    """,
    "CREATE INDEX sessions_by_holder ON sessions (holder_id, id)",
    "CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL",
    "CREATE INDEX sessions_of_device ON sessions (device_id) WHERE device_id IS NOT NULL",
    # What was asked of an authenticator: taken away by whoever answers first, right or wrong.
    """
    CREATE TABLE challenges (
        challenge bytea PRIMARY KEY CHECK (length(challenge) = 32),
        purpose text NOT NULL,
        holder_id uuid,
        facts bytea NOT NULL,
        expires_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX challenges_due ON challenges (expires_at)",
    # Codes that people type. The short one is on another device's screen, one for each person.
    """
    CREATE TABLE recovery_codes (
        id uuid PRIMARY KEY,
        person_id uuid NOT NULL REFERENCES people (id),
        hash bytea NOT NULL CHECK (length(hash) = 32),
        created_at timestamptz NOT NULL,
        used_at timestamptz
    )
    """,
    "CREATE INDEX recovery_codes_by_person ON recovery_codes (person_id)",
    """
    CREATE TABLE device_codes (
        person_id uuid PRIMARY KEY REFERENCES people (id),
        hash bytea NOT NULL CHECK (length(hash) = 32),
        expires_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX device_codes_due ON device_codes (expires_at)",
    # Wrong codes, by a hash of the handle: counted for those whom nobody has, too.
    """
    CREATE TABLE code_tries (
        subject bytea PRIMARY KEY CHECK (length(subject) = 32),
        wrong integer NOT NULL CHECK (wrong >= 0),
        paused_until timestamptz,
        expires_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX code_tries_due ON code_tries (expires_at)",
    # Above this amount a person's payments ask for their passkey again.
    """
    CREATE TABLE passkey_limits (
        person_id uuid NOT NULL REFERENCES people (id),
        currency text NOT NULL,
        above bigint NOT NULL CHECK (above >= 0),
        PRIMARY KEY (person_id, currency)
    )
    """,
)
AUDIT = (
    """
    CREATE TABLE audit (
        id uuid PRIMARY KEY,
        owner_kind text NOT NULL CHECK (owner_kind IN ('person', 'merchant', 'operator')),
        owner_id uuid NOT NULL,
        actor_kind text NOT NULL CHECK (
            actor_kind IN ('person', 'staff', 'device', 'key', 'command')
        ),
        actor_id uuid NOT NULL,
        actor_name text NOT NULL,
        session_id uuid,
        action text NOT NULL,
        object text,
        outcome text NOT NULL,
        request_id text NOT NULL,
        client text NOT NULL,
        created_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX audit_by_owner ON audit (owner_id, id)",
    "CREATE INDEX audit_by_actor ON audit (actor_id, id)",
    "CREATE INDEX audit_by_object ON audit (object, id) WHERE object IS NOT NULL",
    *row_types("audit"),
)


def upgrade() -> None:
    """Make the tables of signing in, and the audit log."""
    run(op, TABLES + AUDIT)
