"""What each may read: a merchant its balance and statement, the operator all payments."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from town import Door, Someone, Town, key, open_town, said

from moves import CNY
from tandem.access import Principal
from tandem.api.operation import Call, ListQuery, Operation
from tandem.api.routes import books, ledger, records, wallet
from tandem.kernel import Invalid, NotFound, read_id, show_id
from tandem.ledger import bank, entry_transfers, fees, person
from tandem.ledger import merchant as merchant_account
from tandem.merchants import CurrencyTerms
from tandem.payments import PaymentFilter


@pytest.fixture(scope="module")
async def town(
    module_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Town]:
    async with open_town(module_database, tmp_path_factory.mktemp("keys")) as made:
        yield made
        await made.check()


@pytest.fixture
async def lin(town: Town) -> Someone:
    return await town.person(yuan=100)


@pytest.fixture
async def door(town: Town) -> Door:
    return await town.merchant(points=100, fixed=10, overdraft=500)


async def ask(town: Town, operation: Operation[Any], kind: str = "operator", **given: Any) -> Any:  # noqa: ANN401 - any answer
    """Call an operation as the dispatcher does, its query as a struct of the operation's own."""
    owner = given.pop("owner", town.services.ids.new())
    caller = Principal(kind, owner, owner, None, frozenset(), "key")  # type: ignore[arg-type]  # one of three
    call: Call[Any] = Call(town.services, caller, None, "r-1", "192.0.2.1")
    if operation.query_type is not None:
        given["query"] = operation.query_type(**given.pop("query", {}))
    answer = await operation.handler(call, **given)
    return msgspec.json.decode(msgspec.json.encode(answer))


# -- a merchant ----------------------------------------------------------------------------------


async def test_a_merchant_sees_what_it_has(town: Town, lin: Someone, door: Door) -> None:
    balances = town.services.books.balances
    (before,) = await balances(door.id)
    assert (before.currency, before.balance, before.payable, before.refundable) == (
        "CNY",
        0,
        0,
        500,
    )
    paid = await town.paid(door, lin, 1000)
    await town.paid(door, lin, 300, manual=True)
    (now,) = await balances(door.id)
    assert (now.balance, now.payable, now.refundable, now.reserved) == (980, 980, 1480, 300)
    await town.services.payouts.make(door.id, 980, "CNY", f"O {door.id}", key())
    await town.services.payments.refund(door.id, paid, 400, None, key())
    (owing,) = await balances(door.id)
    assert (owing.balance, owing.payable, owing.refundable, owing.overdraft) == (-400, 0, 100, 500)
    shown = await ask(town, books.get_my_balances, "merchant", owner=door.id)
    assert shown["data"] == [msgspec.to_builtins(owing)]
    assert await ask(town, books.get_balances, merchant_id=door.id) == shown
    with pytest.raises(NotFound):
        await balances(town.services.ids.new())


async def test_a_merchant_reads_every_movement(town: Town, lin: Someone, door: Door) -> None:
    payments = town.services.payments
    order = await town.order(door, 1000, order_reference="order-7")
    await payments.by_person(lin.id, order, "approve", key())  # type: ignore[arg-type]  # a Command's value
    held = await town.paid(door, lin, 300, manual=True)
    await payments.capture(door.id, held, 100, key(), final=True)
    await payments.refund(door.id, order, 250, "cold", key())
    out = said(await town.services.payouts.make(door.id, 700, "CNY", f"O {door.id}", key()))
    back = said(await town.services.corrections.make(out["id"], None, "bounced", key()))
    lines = await town.services.books.statement(door.id, "CNY", None, 50)
    pay, part = show_id("pay", order), show_id("pay", held)
    assert [
        (line.type, line.change, line.reserved, line.object_id, line.order_reference, line.message)
        for line in reversed(lines)
    ] == [
        ("payment", 1000, 0, pay, "order-7", None),
        ("fee", -20, 0, pay, "order-7", None),
        ("reserved", 0, 300, part, None, None),
        ("payment", 100, -300, part, None, None),
        ("fee", -11, 0, part, None, None),
        ("refund", -250, 0, pay, "order-7", None),
        ("payout", -700, 0, out["id"], None, f"O {door.id}"),
        ("correction", 700, 0, back["id"], None, "bounced"),
    ]
    assert lines[-1].entry_id == lines[-2].entry_id, "a payment and its fee are one entry"
    assert sum(line.change for line in lines) == lines[0].balance == await door.balance()
    first = await ask(town, books.get_my_statement, "merchant", owner=door.id, query={"limit": 3})
    assert first["data"] == msgspec.to_builtins(lines[:3])
    assert (first["has_more"], first["next"]) == (True, lines[2].number)
    query = {"after": first["next"], "currency": "CNY"}
    rest = await ask(town, books.get_my_statement, "merchant", owner=door.id, query=query)
    assert rest["data"] == msgspec.to_builtins(lines[3:])
    assert not rest["has_more"]


async def test_with_several_currencies_one_is_named(town: Town, door: Door) -> None:
    await town.services.merchants.set_currency(door.id, "EUR", CurrencyTerms(0, 0, 0))
    assert [b.currency for b in await town.services.books.balances(door.id)] == ["CNY", "EUR"]
    with pytest.raises(Invalid, match="must be one of CNY, EUR"):
        await town.services.books.statement(door.id, None, None, 1)
    assert await town.services.books.statement(door.id, "EUR", None, 1) == []
    with pytest.raises(Invalid):
        await town.services.books.statement(door.id, "QQQ", None, 1)


# -- the operator --------------------------------------------------------------------------------


async def test_a_payment_leads_to_its_entries_and_back(
    town: Town, lin: Someone, door: Door
) -> None:
    held = await town.paid(door, lin, 300, manual=True)
    await town.paid(door, lin, 50)
    for amount in (100, 50):
        await town.services.payments.capture(door.id, held, amount, key())
    await town.services.payments.cancel(door.id, held, key())
    await town.services.payments.refund(door.id, held, 20, None, key())
    found = await ask(town, records.get_record, payment_id=held)
    pay = show_id("pay", held)
    assert (found["record"]["person_id"], found["record"]["merchant_id"]) == (
        show_id("ppl", lin.id),
        show_id("mer", door.id),
    )
    assert found["record"]["payment"]["status"] == "partially_refunded"
    assert found["tap"] is None
    assert [(t["code"], t["kind"], t["amount"]) for t in found["transfers"]] == [
        ("payment", "pending", 300),
        ("payment", "post", 100),
        ("payment", "pending", 200),
        ("fee", "posted", 11),
        ("payment", "post", 50),
        ("payment", "pending", 150),
        ("payment", "void", 150),
        ("refund", "posted", 20),
    ]
    assert {t["object_id"] for t in found["transfers"]} == {pay}
    for one in found["transfers"]:
        entry = await ask(town, ledger.get_entry, entry_id=one["entry_id"])
        assert one in entry
        assert await ask(town, ledger.get_entry, entry_id=one["id"]) == entry
    order = await town.order(door, 5)
    assert (await ask(town, records.get_record, payment_id=order))["transfers"] == []
    with pytest.raises(NotFound):
        await ask(town, records.get_record, payment_id=town.services.ids.new())


async def test_every_payment_can_be_found(town: Town, lin: Someone, door: Door) -> None:
    mei, other = await town.person(yuan=10), await town.merchant()
    first = await town.paid(door, lin, 10)
    second = await town.paid(other, lin, 10)
    third = await town.paid(door, mei, 10)
    search = town.services.records.search
    assert [p.id for p in await search(PaymentFilter(), None, 3)] == [third, second, first]
    for wanted, ids in (
        ({"person_id": show_id("ppl", lin.id)}, [second, first]),
        ({"merchant_id": show_id("mer", door.id)}, [third, first]),
        ({"merchant_id": show_id("mer", door.id), "status": "created"}, []),
    ):
        query = msgspec.convert(wanted, records.RecordQuery, strict=False)
        shown = await ask(town, records.list_records, query=msgspec.structs.asdict(query))
        assert [one["id"] for one in shown["data"]] == [show_id("pay", one) for one in ids]
    with pytest.raises(Invalid):
        await ask(town, records.list_records, query={"merchant_id": "ppl_1"})


async def test_accounts_are_named_as_people_name_them(town: Town, lin: Someone, door: Door) -> None:
    await town.paid(door, lin, 1000)
    for name, account in (
        ("bank", bank(CNY)),
        ("fees", fees(CNY)),
        (show_id("ppl", lin.id), person(lin.id, CNY)),
        (f"@{lin.handle}", person(lin.id, CNY)),
        (show_id("mer", door.id), merchant_account(door.id, CNY)),
        (show_id("acc", person(lin.id, CNY).id), person(lin.id, CNY)),
    ):
        shown = await ask(town, ledger.get_account, account=name, query={"currency": "CNY"})
        assert shown["id"] == show_id("acc", account.id)
        lines = await ask(town, ledger.get_statement, account=name)
        assert lines["data"][0]["balance"] == shown["balance"]
        assert lines["data"][0]["number"] == shown["transfers"]
    mine = await ask(town, ledger.get_account, account=f"@{lin.handle}")
    assert (mine["kind"], mine["owner_id"]) == ("person", show_id("ppl", lin.id))
    assert (await ask(town, ledger.get_account, account="bank"))["owner_id"] is None
    for name in ("acc_1", "pay_" + "0" * 32, "nobody", "@no.body", "acc_" + "0" * 32):
        with pytest.raises(NotFound):
            await ask(town, ledger.get_account, account=name)
    with pytest.raises(Invalid):
        await ask(town, ledger.get_account, account="bank", query={"currency": "THB"})


async def test_accounts_are_listed_a_page_at_a_time(town: Town, lin: Someone) -> None:
    of_lin = {"owner": show_id("ppl", lin.id)}
    whole = (await ask(town, ledger.list_all_accounts, query=of_lin | {"limit": 100}))["data"]
    units = [unit.code for unit in town.services.settings.currencies]
    assert sorted(one["currency"] for one in whole) == sorted(units)
    for query in (of_lin, {}):
        seen: list[str] = []
        page: dict[str, Any] = {"next": None}
        while page["next"] is not None or not seen:
            asked = query | {"limit": 2, "after": page["next"]}
            page = await ask(town, ledger.list_all_accounts, query=asked)
            seen += [one["id"] for one in page["data"]]
        assert (
            len(seen) == len(set(seen)) == (len(units) if query else await town.count("accounts"))
        )
        assert seen == sorted(seen, reverse=True)
    with pytest.raises(Invalid):
        await ask(town, ledger.list_all_accounts, query={"owner": "acc_1"})


async def test_every_kind_of_transfer_says_what_it_was_made_for(
    town: Town, lin: Someone, door: Door
) -> None:
    mei = await town.person()
    services = town.services
    topped = await town.top_up(lin.id, 700)
    sent = said(await services.wallet.send(lin.id, mei.id, 5, "CNY", None, key()))
    paid = await town.paid(door, lin, 1000)
    out = said(await services.payouts.make(door.id, 10, "CNY", f"O {door.id}", key()))
    drawn = said(await services.withdrawals.make(lin.id, 10, "CNY", f"W {door.id}", key()))
    back = said(await services.corrections.make(drawn["id"], None, "bounced", key()))
    made_for = {
        *(one["id"] for one in (topped, sent, out, drawn, back)),
        show_id("pay", paid),
    }
    found: set[str] = set()
    for name in (f"@{lin.handle}", show_id("mer", door.id)):
        lines = (await ask(town, ledger.get_statement, account=name, query={"limit": 100}))["data"]
        found |= {line["transfer"]["object_id"] for line in lines}
    assert made_for <= found


async def test_an_unknown_outcome_is_looked_up_by_the_id_that_was_given(
    town: Town, lin: Someone
) -> None:
    lines = (await ask(town, ledger.get_statement, account=f"@{lin.handle}"))["data"]
    entry_id = lines[0]["transfer"]["entry_id"]
    (transfer,) = await ask(town, ledger.get_entry, entry_id=entry_id)
    async with town.services.pool.acquire() as connection:
        (row,) = await entry_transfers(connection, read_id("ent", entry_id))
    assert show_id("trf", row.id) == transfer["id"]
    for text in ("ent_1", "trf_1", "pay_" + "0" * 32, "ent_" + "0" * 32, "trf_" + "0" * 32):
        with pytest.raises(NotFound):
            await ask(town, ledger.get_entry, entry_id=text)


# -- a person ------------------------------------------------------------------------------------


async def test_sends_are_listed_for_both(town: Town, lin: Someone) -> None:
    mei, eve = await town.person(), await town.person()
    made = [
        said(await town.services.wallet.send(lin.id, mei.id, n, "CNY", None, key()))["id"]
        for n in (1, 2, 3)
    ]
    back = said(await town.services.wallet.send(mei.id, lin.id, 1, "CNY", None, key()))["id"]
    for who, direction in ((lin, "received"), (mei, "sent")):
        first = await ask(town, wallet.list_sends, "person", owner=who.id, query={"limit": 2})
        assert [one["id"] for one in first["data"]] == [back, made[2]]
        assert first["data"][0]["direction"] == direction
        query = {"after": first["next"]}
        rest = await ask(town, wallet.list_sends, "person", owner=who.id, query=query)
        assert [one["id"] for one in rest["data"]] == made[1::-1]
    assert (await ask(town, wallet.list_sends, "person", owner=eve.id))["data"] == []


def test_lists_take_a_cursor() -> None:
    for operation in (records.list_records, ledger.list_all_accounts, wallet.list_sends):
        assert operation.query_type is not None
        assert issubclass(operation.query_type, ListQuery)
