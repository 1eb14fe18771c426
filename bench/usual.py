"""The usual way: each payment a transaction of its own, as a careful programmer writes it.

The same tables and the same rows as Tandem writes for a payment at a static code: the idempotency
row claimed first, the balances locked in order of id and checked, running totals with the numbers
that the transfers carry, the payment with its fee, both sides' events, COMMIT. The statements stand
here once, for pgbench (which decides nothing and renders nothing: that favours the usual way) and
for the HTTP server of the usual way. What else favours it: the fees go to an account for each
merchant, both transfers and both events are one statement each, and the locks are the weaker ones
that do not hold up foreign keys.
"""

# ruff: noqa: S608 - the statements are made of names and numbers that stand here

import asyncio
import os
import re
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from bench import names
from bench.database import NotMeasurableError
from bench.result import Sample, sample_of
from tandem.ledger import AccountCode, TransferCode

CLAIM: Final = (
    "INSERT INTO idempotency (owner_id, key, fingerprint, answer, created_at) "
    "VALUES (:person::uuid, :key::text, :fingerprint::bytea, :answer::bytea, now()) "
    "ON CONFLICT (owner_id, key) DO NOTHING"
)
LOCK: Final = (
    "SELECT id, overdraft, debits_pending, debits_posted, credits_posted, spent_day, spent "
    "FROM accounts WHERE id IN (:payer::uuid, :payee::uuid, :fees::uuid) "
    "ORDER BY id FOR NO KEY UPDATE"
)
PAY: Final = (
    "UPDATE accounts SET debits_posted = debits_posted + :amount::bigint, "
    "transfers = transfers + 1, spent = :amount::bigint + "
    "CASE WHEN spent_day = current_date THEN spent ELSE 0 END, spent_day = current_date "
    "WHERE id = :payer::uuid "
    "RETURNING transfers AS payer_number, credits_posted - debits_posted AS payer_balance"
)
TAKE: Final = (
    "UPDATE accounts SET credits_posted = credits_posted + :amount::bigint, "
    "debits_posted = debits_posted + :fee::bigint, transfers = transfers + 2 "
    "WHERE id = :payee::uuid "
    "RETURNING transfers AS payee_number, credits_posted - debits_posted AS payee_balance"
)
EARN: Final = (
    "UPDATE accounts SET credits_posted = credits_posted + :fee::bigint, transfers = transfers + 1 "
    "WHERE id = :fees::uuid "
    "RETURNING transfers AS fees_number, credits_posted - debits_posted AS fees_balance"
)
PAYMENT: Final = (
    "INSERT INTO payments (id, merchant_id, shop_id, till_id, person_id, way, source, status, "
    "capture, currency, amount, authorised, captured, refunded, fee, pending_id, decline_reason, "
    "order_reference, description, payer_name, merchant_name, shop_name, code_token, expires_at, "
    "created_at, updated_at) VALUES (:payment::uuid, :merchant::uuid, :shop::uuid, NULL, "
    f":person::uuid, 'scan', 'static_code', 'captured', 'automatic', '{names.UNIT.code}', "
    ":amount::bigint, :amount::bigint, :amount::bigint, 0, :fee::bigint, NULL, NULL, NULL, NULL, "
    ":payer_name::text, :merchant_name::text, :shop_name::text, NULL, NULL, now(), now())"
)
TRANSFERS: Final = (
    "INSERT INTO transfers (id, debit_account_id, credit_account_id, amount, ledger, code, kind, "
    "pending_id, reference, spends, expires_at, created_at, debit_number, credit_number, "
    "debit_balance, credit_balance) VALUES (:first::uuid, :payer::uuid, :payee::uuid, "
    f":amount::bigint, {names.UNIT.number}, {int(TransferCode.PAYMENT)}, 0, NULL, "
    ":payment::uuid, true, NULL, now(), :payer_number::bigint, :payee_number::bigint - 1, "
    ":payer_balance::bigint, :payee_balance::bigint + :fee::bigint), "
    "(:second::uuid, :payee::uuid, :fees::uuid, :fee::bigint, "
    f"{names.UNIT.number}, {int(TransferCode.FEE)}, 0, NULL, :payment::uuid, false, NULL, now(), "
    ":payee_number::bigint, :fees_number::bigint, :payee_balance::bigint, :fees_balance::bigint)"
)
EVENTS: Final = (
    "INSERT INTO events (owner_id, id, type, object_id, data, created_at) VALUES "
    "(:merchant::uuid, :third::uuid, 'payment.captured', :payment::uuid, "
    ":merchant_event::json, now()), (:person::uuid, :fourth::uuid, 'payment.captured', "
    ":payment::uuid, :person_event::json, now())"
)

SESSION: Final = {"plan_cache_mode": "force_generic_plan", "jit": "off"}
"""Settings of the usual way's sessions: no statement is planned twice, as in Tandem's journal."""

_NAME: Final = re.compile(r"(?<!:):([a-z_]+)")
_TPS: Final = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)
_PROCESSED: Final = re.compile(r"transactions actually processed: ([0-9]+)")
_FAILED: Final = re.compile(r"failed transactions: ([0-9]+)")
_PATIENCE_SECONDS: Final = 60


class Numbered(NamedTuple):
    """A statement for asyncpg: `$1`… instead of names, and which name each of them is."""

    text: str
    names: tuple[str, ...]


def numbered(statement: str) -> Numbered:
    """Give the names of a statement numbers, the same name the same one."""
    order = tuple(dict.fromkeys(_NAME.findall(statement)))
    text = _NAME.sub(lambda match: f"${order.index(match[1]) + 1}", statement)
    return Numbered(text, order)


def script(person_event: bytes, merchant_event: bytes) -> str:
    """The payment as a pgbench script.

    It takes `people` and `merchants` (how many there are), `run` (a number that no other run on
    this database has) and `n=0`. The two events are samples of what is written.
    """
    person, merchant = ("p", names.PERSON), ("m", names.MERCHANT)
    literal = {"person_event": person_event, "merchant_event": merchant_event}
    replaced = {
        "person": _id(*person, "0000"),
        "payer": _id(*person, names.tail(AccountCode.PERSON)),
        "merchant": _id(*merchant, "0000"),
        "payee": _id(*merchant, names.tail(AccountCode.MERCHANT)),
        "fees": _id(*merchant, names.tail(AccountCode.FEES)),
        "shop": _id("m", names.SHOP, "0000"),
        **dict.fromkeys(("first", "second", "third", "fourth"), "uuidv7()"),
        **{name: f"'{_quoted(text)}'" for name, text in literal.items()},
        "key": "('bench-' || :run::text || '-' || :client_id::text || '-' || :n::text)",
        "fingerprint": "'\\x" + "ab" * 32 + "'",
        "answer": f"convert_to('{_quoted(person_event)}', 'UTF8')",
        "payer_name": "('Person ' || :p::text)",
        "merchant_name": "('Merchant ' || :m::text)",
        "shop_name": "('Shop ' || :m::text)",
    }

    def filled(statement: str, **more: str) -> str:
        known = {**replaced, **more}
        return _NAME.sub(lambda match: known.get(match[1], match[0]), statement)

    first, last = names.AMOUNTS
    return "\n".join(
        (
            "\\set n :n + 1",
            f"\\set p {names.FIRST} + random(0, :people - 1)",
            f"\\set m {names.FIRST} + random(0, :merchants - 1)",
            f"\\set amount random({first}, {last})",
            f"\\set fee (:amount * {names.FEE_BASIS_POINTS} + 5000) / 10000",
            "BEGIN;",
            filled(CLAIM) + ";",
            filled(LOCK) + ";",
            *(f"{filled(statement)} \\gset" for statement in (PAY, TAKE, EARN)),
            filled(PAYMENT, payment="uuidv7()") + " RETURNING id AS payment \\gset",
            filled(TRANSFERS) + ";",
            filled(EVENTS) + ";",
            "COMMIT;",
            "",
        )
    )


def _id(variable: str, kind: str, end: str) -> str:
    return f"('{kind}' || :{variable}::text || '{end}')::uuid"


def _quoted(json: bytes) -> str:
    # pgbench takes a colon before a letter or digit for a variable, even in a string.
    values = msgspec.json.format(json, indent=0).decode().replace("'", "''")
    return re.sub(r":(?=\w)", ": ", values)


async def pgbench(
    program: Path, url: str, text: str, *, clients: int, seconds: int, people: int, merchants: int
) -> Sample:
    """Run the script. Raises `NotMeasurableError` unless every transaction went through."""
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as name:
        folder = Path(name)
        (folder / "payment.sql").write_text(text, encoding="utf-8")
        run = int.from_bytes(os.urandom(4), "big")
        command = [str(program), "--no-vacuum", "--protocol=prepared", f"--client={clients}"]
        command += [f"--jobs={min(clients, 2)}", f"--time={seconds}", "--file=payment.sql"]
        command += ["--log", f"--define=people={people}", f"--define=merchants={merchants}"]
        command += ["--define=n=0", f"--define=run={run}", url]
        options = " ".join(f"-c {key}={value}" for key, value in SESSION.items())
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env={**os.environ, "PGOPTIONS": options},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(seconds + _PATIENCE_SECONDS):
                out, said = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        latencies = _latencies(folder)
    return _read(out.decode(), said.decode(), latencies, process.returncode)


def _latencies(folder: Path) -> list[float]:
    """Each transaction's seconds: the third column of pgbench's logs has microseconds."""
    logs = folder.glob("pgbench_log.*")
    lines = (line for log in logs for line in log.read_text(encoding="ascii").splitlines())
    return [int(line.split(" ", 3)[2]) / 1e6 for line in lines]


def _read(out: str, said: str, latencies: list[float], status: int | None) -> Sample:
    tps, processed, failed = _TPS.search(out), _PROCESSED.search(out), _FAILED.search(out)
    if status != 0 or tps is None or processed is None or (failed and failed[1] != "0"):
        raise NotMeasurableError(f"pgbench ended with {status}: {(said or out).strip()[-1000:]}")
    count = int(processed[1])
    if len(latencies) != count:
        raise NotMeasurableError(f"pgbench counted {count} payments and logged {len(latencies)}")
    return sample_of(latencies, count, count / float(tps[1]))
