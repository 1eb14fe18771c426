"""What the application may do in its database, and the role that it works as.

The database is the second witness of the books: it refuses what the code must never do. So the
application works as a role that owns nothing and that was granted what stands in `RIGHTS`, no
more. Whose role that is says the database itself: the one that may change the running totals of
accounts, column by column. A database keeps its role, wherever it is copied to.

Rights are no part of a migration. `settle` makes them what they are declared to be, whatever they
were: after each migration, and after a restore that left them out. A new table is a line here.
"""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple, TypeAlias

import asyncpg

from tandem.db.errors import ApplicationUnbound, DatabaseForbids, RightsMissing, RoleUnusable

Session: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class Right(NamedTuple):
    """What the application may do with a table beside reading it. `update` names columns."""

    insert: bool = True
    update: tuple[str, ...] = ()
    delete: bool = False


class Grant(NamedTuple):
    """One privilege on a table, or on a column of it."""

    table: str
    column: str | None
    privilege: str


RIGHTS: Final[Mapping[str, Right]] = {
    "alembic_version": Right(insert=False),
    "installation": Right(update=("clock_offset_seconds", "buyer_rules")),
    "accounts": Right(
        update=(
            *("overdraft", "terms", "debits_pending", "debits_posted", "credits_pending"),
            *("credits_posted", "transfers", "spent_day", "spent"),
        )
    ),
    "transfers": Right(),
    "reservations": Right(delete=True),
    "idempotency": Right(delete=True),
    "api_keys": Right(update=("name", "revoked_at", "last_used_at")),
    "people": Right(update=("name", "status", "terms")),
    "person_limits": Right(update=("per_payment", "per_day")),
    "devices": Right(
        update=(
            *("name", "code_seed", "code_step", "code_counter", "wrong_codes", "paused_until"),
            "revoked_at",
        )
    ),
    "merchants": Right(update=("name", "status", "terms")),
    "merchant_currencies": Right(update=("fee_basis_points", "fee_fixed", "overdraft")),
    "shops": Right(
        update=("name", "city", "country", "category", "acceptance", "language", "tips")
    ),
    "tills": Right(update=("name", "acceptance", "closed_at")),
    "payments": Right(
        update=(
            *("person_id", "payer_name", "status", "authorised", "captured", "refunded", "fee"),
            *("pending_id", "decline_reason", "expires_at", "updated_at", "way"),
            "order_expires_at",
        )
    ),
    "items": Right(
        update=(
            *("name", "price", "category", "colour", "gtin", "place", "updated_at", "removed_at"),
        )
    ),
    "shifts": Right(update=("closed_by", "closed_at", "ended", "report")),
    "sandbox_cards": Right(update=("sealed", "state")),
    "card_keys": Right(update=("sealed",)),
    "card_serials": Right(update=("last",)),
    "device_cards": Right(
        update=(
            *("status", "funding_kind", "funding_currency", "code_hash", "code_until"),
            *("funding_id", "funding_last_four", "stopped_at", "lost_at"),
            *(
                "code_tries",
                "pan_sealed",
                "atc",
                "seen",
                "wrong_cryptograms",
                "delivered_at",
                "updated_at",
            ),
        )
    ),
    "card_codes": Right(delete=True),
    "card_taps": Right(),
    "link_keys": Right(update=("kind", "check_value", "sealed", "changed_at"), delete=True),
    "refund_reversals": Right(),
    "tags": Right(update=("name", "status", "keys", "uid", "counter", "wrong_links", "tapped_at")),
    "tag_taps": Right(update=("payment_id",)),
    "checkout_settings": Right(update=("return_origins", "frame_origins", "secret", "updated_at")),
    "checkout_sessions": Right(),
    "payment_links": Right(
        update=("description", "max_payments", "ends_at", "active", "sessions", "updated_at")
    ),
    "invoices": Right(
        update=(
            *("number", "status", "customer_name", "customer_email", "description"),
            *("order_reference", "lines", "amount", "due_on", "due_at", "overdue_at", "payment_id"),
            *("opened_at", "paid_at", "voided_at", "updated_at"),
        )
    ),
    "invoice_numbers": Right(update=("last",)),
    "issuers": Right(update=("last_number",)),
    "funding_cards": Right(update=("pan_sealed", "refused"), delete=True),
    "issuer_authorisations": Right(
        update=("status", "response", "authorisation_code", "updated_at")
    ),
    "issuer_advices": Right(
        update=("status", "number", "attempts", "sent_at", "next_at", "response", "updated_at")
    ),
    "issuer_settlements": Right(),
    "refunds": Right(),
    "sends": Right(),
    "splits": Right(update=("reminded_at",)),
    "money_requests": Right(update=("status", "send_id", "expires_at", "updated_at")),
    "packets": Right(update=("status", "opened", "opened_amount", "updated_at")),
    "packet_people": Right(),
    "packet_links": Right(update=("sealed",)),
    "packet_shares": Right(),
    "top_ups": Right(),
    "screenings": Right(
        update=(
            *("state", "source", "reasons", "client", "due_at", "tries", "tell", "appeal"),
            *("appealed_at", "decided_at", "updated_at"),
        )
    ),
    "payouts": Right(),
    "withdrawals": Right(),
    "corrections": Right(),
    "staff": Right(
        update=(
            *("name", "role", "refund_limit", "refund_day_limit", "status", "invitation"),
            "invited_until",
        )
    ),
    "staff_refunds": Right(update=("day", "refunded")),
    "passkeys": Right(
        update=("sign_count", "backed_up", "name", "last_used_at", "suspect_at", "removed_at")
    ),
    "sessions": Right(update=("device_id", "verified_at", "last_used_at", "ended_at")),
    "challenges": Right(delete=True),
    "recovery_codes": Right(update=("used_at",), delete=True),
    "device_codes": Right(update=("hash", "expires_at"), delete=True),
    "code_tries": Right(update=("wrong", "paused_until", "expires_at"), delete=True),
    "passkey_limits": Right(update=("above",), delete=True),
    "audit": Right(),
    "verifications": Right(
        update=(
            *("status", "checks_done", "accounts", "transfers", "differences", "stop_asked"),
            *("ended_at", "seen_at"),
        )
    ),
    "processes": Right(update=("state", "clock_ahead_ms", "seen_at"), delete=True),
    "events": Right(),
    "webhook_endpoints": Right(update=("url", "types", "enabled", "secret", "deleted_at")),
    "webhook_deliveries": Right(
        update=(
            *("status", "attempts", "next_attempt_at", "last_attempt_at", "last_status"),
            *("last_error", "last_body"),
        )
    ),
}
"""What the application may do, and no more: what is booked is never changed or taken away."""

_LONGEST_NAME: Final = 63
"""Bytes: longer identifiers are cut (PostgreSQL: Lexical Structure, "Identifiers")."""
_SUFFIX: Final = "_app"

_MARK: Final = """
    FROM pg_attribute AS marked
    CROSS JOIN LATERAL aclexplode(marked.attacl) AS given
    JOIN pg_roles AS holder ON holder.oid = given.grantee
    JOIN pg_class AS accounts ON accounts.oid = marked.attrelid
    JOIN pg_namespace AS place ON place.oid = accounts.relnamespace
    WHERE marked.attrelid = to_regclass('accounts') AND marked.attname = 'debits_posted'
        AND given.privilege_type = 'UPDATE'
"""
"""By what the application's role is known: nobody else is given this column alone."""

_HOLDERS: Final = f"SELECT DISTINCT holder.rolname {_MARK} ORDER BY 1"

# The tables' schema is fixed too: with "$user" in the path another role looks into another one.
_WORK_AS: Final = f"""
    SELECT set_config('role', rolname, false), set_config('search_path', nspname, false)
    FROM (SELECT DISTINCT holder.rolname, quote_ident(place.nspname) AS nspname {_MARK}) AS found
"""  # noqa: S608 - made of our own text

_THERE: Final = """
    SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NOT NULL
"""

_HELD: Final = """
    WITH tables AS (
        SELECT oid, relname, relacl FROM pg_class
        WHERE oid IN (SELECT to_regclass(name) FROM unnest($2::text[]) AS name)
    ), holder AS (
        SELECT oid FROM pg_roles WHERE rolname = $1
    )
    SELECT relname, NULL AS attname, privilege_type
    FROM tables CROSS JOIN LATERAL aclexplode(relacl)
    WHERE grantee = (SELECT oid FROM holder)
    UNION ALL
    SELECT relname, attname, privilege_type
    FROM tables JOIN pg_attribute ON attrelid = tables.oid CROSS JOIN LATERAL aclexplode(attacl)
    WHERE grantee = (SELECT oid FROM holder)
"""

_BEYOND: Final = """
    SELECT privilege || ' on ' || name
    FROM unnest($2::text[], $3::text[]) AS forbidden (name, privilege)
    WHERE to_regclass(name) IS NOT NULL AND has_table_privilege($1, name, privilege)
    ORDER BY 1 LIMIT 1
"""

_OWNS: Final = """
    SELECT pg_has_role($1, coalesce(
        (SELECT relowner FROM pg_class WHERE oid = to_regclass('accounts')),
        (SELECT oid FROM pg_roles WHERE rolname = current_user)), 'MEMBER')
"""
"""Whether the role may do what the tables' owner may: it is that, a member of it, a superuser."""


async def work_as_application(connection: Session) -> None:
    """Let this session work as the application's role from now on. Raises `RightsMissing`."""
    if len(await connection.fetch(_WORK_AS)) != 1:
        raise RightsMissing


async def application_roles(connection: Session) -> list[str]:
    """The roles that hold the application's rights: one, none in a new database."""
    return [row["rolname"] for row in await connection.fetch(_HOLDERS)]


async def settled(connection: Session, wanted: str | None = None) -> bool:
    """Whether one role, the one that is wanted if any is, has the declared rights and no more."""
    holders = await application_roles(connection)
    if len(holders) != 1 or wanted not in (None, holders[0]):
        return False
    (role,) = holders
    return not await _changes(connection, role) and await _beyond(connection, role) is None


async def prepare(connection: Session, wanted: str | None = None) -> str:
    """The role that the application is to work as, made if it is not there and may be made.

    `wanted`, else the one that has the rights already, else the database's name with `_app`: roles
    belong to the whole server, and another installation on it must not be able to work here.
    Raises `RoleUnusable`, `ApplicationUnbound`.
    """
    holders = await application_roles(connection)
    role = wanted or (holders[0] if len(holders) == 1 else await _own_name(connection))
    if not role.isprintable() or len(role.encode()) > _LONGEST_NAME:
        reason = f"a role's name has at most {_LONGEST_NAME} bytes, all of which can be shown"
        raise RoleUnusable(role, reason, ())
    user: str = await connection.fetchval("SELECT current_user")
    logs_in = await connection.fetchval("SELECT rolcanlogin FROM pg_roles WHERE rolname = $1", role)
    if logs_in is None:
        await _make(connection, role, user)
    elif logs_in and not wanted and not holders:
        raise RoleUnusable(role, "it can log in, so it may be somebody else's", ())
    if await connection.fetchval(_OWNS, role):
        raise ApplicationUnbound(role, "all that the owner of the tables may")
    await _let_us_work_as(connection, role, user)
    return role


async def check_may_make(connection: Session, where: str) -> None:
    """See that we may make tables here. Raises `DatabaseForbids`."""
    schema = await connection.fetchval("SELECT current_schema()")
    if schema is None:
        raise DatabaseForbids(where, "no schema in its search_path is there for us")
    if not await connection.fetchval("SELECT has_schema_privilege($1, 'CREATE')", schema):
        raise DatabaseForbids(where, f"permission denied for schema {schema}")


async def settle(connection: Session, role: str) -> None:
    """Give the role the declared rights and no more, and take them from one that had them before.

    All or nothing; nothing if all is as it should be. Raises `ApplicationUnbound` if it may do
    more all the same, by what was granted to others.
    """
    statements = await _changes(connection, role)
    there = await _there(connection)
    for other in await application_roles(connection):
        if other != role:
            statements.append(f"REVOKE ALL ON {', '.join(there)} FROM {quoted(other)} CASCADE")
    if statements:
        await connection.execute("; ".join(statements))  # one message is one transaction
    beyond = await _beyond(connection, role)
    if beyond is not None:
        raise ApplicationUnbound(role, beyond)


def quoted(name: str) -> str:
    """An identifier as SQL takes it, whatever is in it."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


async def _own_name(connection: Session) -> str:
    database: str = await connection.fetchval("SELECT current_database()")
    kept = database.encode()[: _LONGEST_NAME - len(_SUFFIX)]
    return kept.decode(errors="ignore") + _SUFFIX


async def _make(connection: Session, role: str, user: str) -> None:
    make, let = f"CREATE ROLE {quoted(role)} NOLOGIN", _let(role, user)
    try:
        await connection.execute(make)
    except asyncpg.InsufficientPrivilegeError:
        raise RoleUnusable(
            role, f"it is not there, and {user} may not make it", (make, let)
        ) from None
    except asyncpg.ReservedNameError as error:
        raise RoleUnusable(role, str(error), ()) from None
    except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
        pass  # made at this moment, for another database


async def _let_us_work_as(connection: Session, role: str, user: str) -> None:
    """See that our sessions may change to the role; let them, if we may."""
    try:
        await _try(connection, role)
    except asyncpg.InsufficientPrivilegeError:
        let = _let(role, user)
        try:
            await connection.execute(let)
            await _try(connection, role)
        except asyncpg.InsufficientPrivilegeError:
            raise RoleUnusable(role, f"{user} may not work as it", (let,)) from None


async def _try(connection: Session, role: str) -> None:
    await connection.execute("SELECT set_config('role', $1, true)", role)  # for this statement


def _let(role: str, user: str) -> str:
    return f"GRANT {quoted(role)} TO {quoted(user)}"


async def _there(connection: Session) -> list[str]:
    """Those of our tables that are there: a migration may be to come."""
    return [row["name"] for row in await connection.fetch(_THERE, list(RIGHTS))]


async def _changes(connection: Session, role: str) -> list[str]:
    """The statements that make a role's rights what they should be."""
    statements = []
    schema = await connection.fetchval("SELECT current_schema()")
    if not await connection.fetchval("SELECT has_schema_privilege($1, $2, 'USAGE')", role, schema):
        statements.append(f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {quoted(role)}")
    there = await _there(connection)
    held = {Grant(*row) for row in await connection.fetch(_HELD, role, there)}
    for table in there:
        statements += _of_table(table, role, {grant for grant in held if grant.table == table})
    return statements


def _of_table(table: str, role: str, held: Collection[Grant]) -> list[str]:
    right, statements = RIGHTS[table], []
    wanted = {Grant(table, None, "SELECT")}
    wanted |= {Grant(table, column, "UPDATE") for column in right.update}
    wanted |= {Grant(table, None, "INSERT")} if right.insert else set()
    wanted |= {Grant(table, None, "DELETE")} if right.delete else set()
    if wanted == set(held):
        return []
    if not wanted >= set(held):  # a table's privilege is taken together with its columns'
        statements.append(f"REVOKE ALL ON {table} FROM {quoted(role)} CASCADE")
    whole = sorted(grant.privilege for grant in wanted if grant.column is None)
    if right.update:
        whole.append(f"UPDATE ({', '.join(right.update)})")
    statements.append(f"GRANT {', '.join(whole)} ON {table} TO {quoted(role)}")
    return statements


async def _beyond(connection: Session, role: str) -> str | None:
    """What a role may do beyond its rights, however it came by that; None if it may not."""
    forbidden = [
        (table, privilege)
        for table, right in RIGHTS.items()
        for privilege, granted in (
            ("INSERT", right.insert),
            ("UPDATE", False),  # of a whole table
            ("DELETE", right.delete),
            ("TRUNCATE", False),
        )
        if not granted
    ]
    tables, privileges = zip(*forbidden, strict=True)
    found: str | None = await connection.fetchval(_BEYOND, role, list(tables), list(privileges))
    return found
