"""Merchants, their shops, tills and terms on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from moves import CNY, EUR, Move, once, pay
from parties import FEES, Parties, open_parties
from tandem.access import KeyUnknown, NoSuchScope
from tandem.db import IdempotencyConflict, work
from tandem.kernel import Invalid, NotFound, read_id
from tandem.ledger import (
    ACCOUNTS,
    OPERATOR_ID,
    InsufficientFunds,
    OverdraftInUse,
    TermsChanged,
    fees,
    merchant,
)
from tandem.merchants import (
    Acceptance,
    Choice,
    CurrencyTerms,
    Merchant,
    Shop,
    Till,
    UpdateShop,
    UpdateTill,
    WayRefused,
    WayRule,
    load_place,
    merchant_exists,
    narrow,
    shop_view,
    till_view,
)

NO_TAP = Acceptance({"tap": WayRule(enabled=False)})
SMALL = Acceptance({"scan": WayRule(max_amount={"CNY": 500})}, Choice(only=("tandem",)))


@pytest.fixture
async def here(fresh_database: str, tmp_path: Path) -> AsyncIterator[Parties]:
    async with open_parties(fresh_database, tmp_path) as made:
        yield made


async def till_of(here: Parties, shop: Shop, acceptance: Acceptance | None = None) -> Till:
    policy = acceptance or Acceptance()
    return await here.merchants.create_till(shop.merchant_id, shop.id, "Till 1", policy, None)


# -- merchants -----------------------------------------------------------------------------------


async def test_a_new_merchant_takes_its_currencies_at_its_fees(here: Parties) -> None:
    terms = {"EUR": CurrencyTerms(0, 0, 5000), "CNY": CurrencyTerms(60, 10)}
    made = await here.merchants.create(" Blue\u00a0Door ", terms, None)
    assert (made.name, made.status, made.currencies) == ("Blue\u00a0Door", "active", terms)
    assert await here.merchants.get(made.id) == made
    overdrafts = await here.pool.fetch("SELECT id, overdraft, terms FROM accounts")
    assert {tuple(row) for row in overdrafts} == {
        (merchant(made.id, EUR).id, 5000, made.terms),
        (merchant(made.id, CNY).id, 0, made.terms),
    }
    async with here.pool.acquire() as connection:
        await merchant_exists(connection, made.id)
        with pytest.raises(NotFound):
            await merchant_exists(connection, here.ids.new())


async def test_a_merchant_is_made_once(here: Parties) -> None:
    async def make(name: str) -> Merchant:
        key = once(OPERATOR_ID, "m", name)
        return await here.merchants.create(name, {"CNY": FEES}, key)

    answers = await asyncio.gather(*(make("Blue Door") for _ in range(16)))
    assert len({answer.id for answer in answers}) == 1
    assert {answer.created_at for answer in answers} == {here.clock.now()}
    with pytest.raises(IdempotencyConflict):
        await make("Red Door")
    assert len(await here.merchants.all(None, 9)) == 1


@pytest.mark.parametrize(
    ("name", "currencies"),
    [
        ("Blue\u200bDoor", {"CNY": FEES}),
        ("\0", {"CNY": FEES}),
        ("x" * 101, {"CNY": FEES}),
        ("Blue Door", {}),
        ("Blue Door", {"CNY": FEES, "XXQ": FEES}),
        ("Blue Door", {"CNY\n": FEES}),
    ],
)
async def test_bad_input_makes_no_merchant(
    here: Parties, name: str, currencies: dict[str, CurrencyTerms]
) -> None:
    with pytest.raises(Invalid):
        await here.merchants.create(name, currencies, once(OPERATOR_ID, "m"))
    tables = ("merchants", "merchant_currencies", "accounts", "idempotency")
    rows = [await here.pool.fetchval(f"SELECT count(*) FROM {t}") for t in tables]  # noqa: S608 - names in this file
    assert rows == [0, 0, 0, 0]


async def test_merchants_are_listed_newest_first_by_cursor(here: Parties) -> None:
    made = [(await here.merchant()).id for _ in range(5)]
    first = await here.merchants.all(None, 2)
    rest = await here.merchants.all(first[-1].id, 9)
    assert [m.id for m in (*first, *rest)] == made[::-1]


async def test_an_overdraft_is_not_cut_below_what_is_used(here: Parties) -> None:
    made = await here.merchant("CNY", "EUR")

    async def give_back(amount: int) -> None:
        refund = pay(merchant(made.id, CNY), fees(CNY), amount)
        await here.journal.submit(Move(id=here.ids.entry(), transfers=[refund]))

    with pytest.raises(InsufficientFunds):
        await give_back(1)
    await here.merchants.set_currency(made.id, "CNY", CurrencyTerms(60, 10, 1000))
    await give_back(700)
    with pytest.raises(OverdraftInUse) as refused:
        await here.merchants.set_currency(made.id, "CNY", CurrencyTerms(0, 0, 699))
    assert (refused.value.used, refused.value.asked) == (700, 699)
    unchanged = await here.merchants.get(made.id)
    assert unchanged.currencies["CNY"] == CurrencyTerms(60, 10, 1000)
    assert await here.terms_of(merchant(made.id, CNY)) == unchanged.terms

    await here.merchants.set_currency(made.id, "CNY", CurrencyTerms(0, 0, 700))
    with pytest.raises(InsufficientFunds):
        await give_back(1)
    added = await here.merchants.set_currency(made.id, "USD", FEES)
    assert set(added.currencies) == {"CNY", "EUR", "USD"}
    for code in ("XXQ", "cny", "CNY\0"):
        with pytest.raises(Invalid):
            await here.merchants.set_currency(made.id, code, FEES)
    with pytest.raises(NotFound):
        await here.merchants.set_currency(here.ids.new(), "CNY", FEES)


# -- terms ---------------------------------------------------------------------------------------

Change = Callable[[Parties, Shop, Till], Awaitable[object]]
CHANGES: dict[str, Change] = {
    "fee": lambda h, s, _: h.merchants.set_currency(s.merchant_id, "CNY", CurrencyTerms(1, 0)),
    "new currency": lambda h, s, _: h.merchants.set_currency(s.merchant_id, "JPY", FEES),
    "suspended": lambda h, s, _: h.merchants.set_status(s.merchant_id, "suspended"),
    "resumed": lambda h, s, _: h.merchants.set_status(s.merchant_id, "active"),
    "shop": lambda h, s, _: h.merchants.update_shop(s.merchant_id, s.id, UpdateShop(name="New")),
    "shop's policy": lambda h, s, _: h.merchants.accept_at_shop(s.merchant_id, s.id, NO_TAP),
    "till's policy": lambda h, s, t: h.merchants.accept_at_till(s.merchant_id, t.id, NO_TAP),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_no_entry_is_committed_under_older_terms(here: Parties, change: str) -> None:
    made, other = await here.merchant("CNY", "EUR"), await here.merchant("CNY")
    shop = await here.shop(made.id)
    till = await till_of(here, shop)
    async with here.pool.acquire() as connection:
        before = await load_place(connection, till_id=till.id)
    assert before is not None
    mine = [merchant(made.id, unit) for unit in (CNY, EUR)]
    await here.submit_under([(key, before.terms) for key in mine])

    await CHANGES[change](here, shop, till)
    for key in mine:
        with pytest.raises(TermsChanged):
            await here.submit_under([(key, before.terms)])
    async with here.pool.acquire() as connection:
        after = await load_place(connection, till_id=till.id)
    assert after is not None
    await here.submit_under([(key, after.terms) for key in mine])
    await here.submit_under([(merchant(other.id, CNY), other.terms)])


async def test_fees_wait_for_a_journal_without_holding_what_it_needs_next(here: Parties) -> None:
    """A journal locks accounts in order of id; so does who changes terms and overdraft."""
    made = await here.merchant("CNY", "EUR")
    async with work(here.pool) as journal:
        await journal.execute("SET LOCAL lock_timeout = '2s'")
        await journal.execute(ACCOUNTS.lock_statement, [merchant(made.id, CNY).id])
        change = asyncio.create_task(here.merchants.set_currency(made.id, "EUR", FEES))
        await here.wait_for_a_waiter()
        await journal.execute(ACCOUNTS.lock_statement, [merchant(made.id, EUR).id])
    assert (await change).currencies["EUR"] == FEES


# -- shops and tills -----------------------------------------------------------------------------


async def test_shops_and_tills_are_made_once_and_listed(here: Parties) -> None:
    owner = (await here.merchant()).id

    async def shop() -> Shop:
        key = once(owner, "s")
        return await here.merchants.create_shop(
            owner, "West Lake", "Hangzhou", "CN", "5814", SMALL, key
        )

    shops = await asyncio.gather(*(shop() for _ in range(8)))
    assert all(made == shops[0] for made in shops)
    first = shops[0]
    assert await here.merchants.shop(owner, first.id) == first
    second = await here.shop(owner)
    assert [s.id for s in await here.merchants.shops(owner, None, 1)] == [second.id]
    assert [s.id for s in await here.merchants.shops(owner, second.id, 9)] == [first.id]

    tills = await asyncio.gather(
        *(
            here.merchants.create_till(owner, first.id, "Till", NO_TAP, once(owner, "t"))
            for _ in range(8)
        )
    )
    assert all(made == tills[0] for made in tills)
    assert await here.merchants.till(owner, tills[0].id) == tills[0]
    assert await here.merchants.tills(owner, first.id, None, 9) == [tills[0]]
    assert await here.merchants.tills(owner, second.id, None, 9) == []
    assert len({first.code_token, second.code_token, tills[0].code_token}) == 3
    assert all(len(made.code_token) == 20 for made in (first, second, tills[0]))
    assert shop_view(first).acceptance == SMALL
    assert till_view(tills[0]).shop_id == shop_view(first).id


async def test_what_is_anothers_is_not_there(here: Parties) -> None:
    mine, other = (await here.merchant()).id, (await here.merchant()).id
    shop = await here.shop(mine)
    till = await till_of(here, shop)
    use = here.merchants
    for asked in (
        use.shop(other, shop.id),
        use.update_shop(other, shop.id, UpdateShop(name="Mine now")),
        use.accept_at_shop(other, shop.id, NO_TAP),
        use.create_till(other, shop.id, "Till", Acceptance(), once(other, "t")),
        use.tills(other, shop.id, None, 9),
        use.till(other, till.id),
        use.place(other, shop_id=shop.id),
        use.place(other, till_id=till.id),
        use.place(mine, shop_id=till.id),
        use.accept_at_till(other, till.id, NO_TAP),
        here.shop(here.ids.new()),
        use.create_key(here.ids.new(), "Key", ["shops:read"], None),
    ):
        with pytest.raises(NotFound):
            await asked
    assert await use.shops(other, None, 9) == []
    assert await use.shop(mine, shop.id) == shop
    assert await use.till(mine, till.id) == till
    assert await use.tills(mine, shop.id, None, 9) == [till]
    assert await here.pool.fetchval("SELECT count(*) FROM idempotency") == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "West\x00Lake"},
        {"city": "Hang\u2028zhou"},
        {"city": "x" * 61},
        {"country": "CN\n"},
        {"country": "cn"},
        {"country": "\uff23\uff2e"},
        {"category": "5814\n"},
        {"category": "581"},
        {"category": "\u0665\u0668\u0661\u0664"},
        {"language": "ZH"},
        {"language": "zho"},
        {"language": "zh\n"},
    ],
)
async def test_a_shop_has_a_name_and_a_place(here: Parties, wrong: dict[str, str]) -> None:
    owner = (await here.merchant()).id
    right = {"name": "West Lake", "city": "Hangzhou", "country": "CN", "category": "5814"}
    made = await here.merchants.create_shop(
        owner, **right, acceptance=Acceptance(), idempotency=None
    )
    given: dict[str, Any] = {**right, **wrong}
    change: dict[str, Any] = dict(wrong)
    with pytest.raises(Invalid) as refused:
        await here.merchants.create_shop(owner, **given, acceptance=Acceptance(), idempotency=None)
    assert refused.value.field == next(iter(wrong))
    with pytest.raises(Invalid):
        await here.merchants.update_shop(owner, made.id, UpdateShop(**change))
    assert await here.merchants.shops(owner, None, 9) == [made]


async def test_a_shop_has_a_language_while_it_wants_one(here: Parties) -> None:
    owner, use = (await here.merchant()).id, here.merchants

    async def west_lake() -> Shop:
        same = once(owner, "s")
        return await use.create_shop(
            owner, "西湖", "杭州", "CN", "5814", Acceptance(), same, language="zh"
        )

    made = await west_lake()
    assert made.language == "zh"
    assert await use.shop(owner, made.id) == made
    assert await west_lake() == made
    await use.update_shop(owner, made.id, UpdateShop(city="Hangzhou"))
    assert (await use.place(owner, shop_id=made.id)).shop_language == "zh"
    await use.update_shop(owner, made.id, UpdateShop(language="ja"))
    till = await till_of(here, made)
    assert (await use.place(owner, till_id=till.id)).shop_language == "ja"
    assert (await use.update_shop(owner, made.id, UpdateShop(language=None))).language is None
    assert (await use.shop(owner, made.id)).language is None
    assert (await here.shop(owner)).language is None


async def test_a_closed_till_takes_nothing_until_it_is_open_again(here: Parties) -> None:
    shop = await here.shop((await here.merchant("CNY")).id)
    till = await till_of(here, shop)

    async def change(**changes: Any) -> Till:  # noqa: ANN401 - what UpdateTill has
        return await here.merchants.update_till(shop.merchant_id, till.id, UpdateTill(**changes))

    async def takes() -> bool:
        async with here.pool.acquire() as connection:
            by_id = await load_place(connection, till_id=till.id)
            by_code = await load_place(connection, code_token=till.code_token)
        assert by_id is not None
        assert by_id == by_code
        open_ways = {way for way in ("tap", "scan", "click") if by_id.acceptance.rule(way).enabled}
        assert open_ways in (set(), {"tap", "scan", "click"})
        return bool(open_ways)

    assert (await change(name="Till 2")).name == "Till 2"
    assert await takes()
    terms = (await here.merchants.get(shop.merchant_id)).terms
    closed = await change(closed=True)
    assert closed.closed_at == here.clock.now()
    assert not await takes()
    assert (await here.merchants.get(shop.merchant_id)).terms > terms  # older entries are refused
    here.clock.advance(timedelta(minutes=1))
    assert await change(closed=True) == closed
    assert (await here.merchants.tills(shop.merchant_id, shop.id, None, 9)) == [closed]
    assert (await change(closed=False)).closed_at is None
    assert await takes()
    with pytest.raises(Invalid):
        await change(name=" ")


async def test_a_policy_with_a_currency_that_does_not_exist_is_refused(here: Parties) -> None:
    shop = await here.shop((await here.merchant()).id)
    till = await till_of(here, shop)
    wrong = Acceptance({"scan": WayRule(max_amount={"XXQ": 1})})
    for asked in (
        here.shop(shop.merchant_id, wrong),
        till_of(here, shop, wrong),
        here.merchants.accept_at_shop(shop.merchant_id, shop.id, wrong),
        here.merchants.accept_at_till(shop.merchant_id, till.id, wrong),
    ):
        with pytest.raises(Invalid):
            await asked


async def test_of_changes_at_once_none_is_lost(here: Parties) -> None:
    """Each change rewrites the shop's row: who comes second must see what the first one did."""
    owner = (await here.merchant()).id
    shop = await here.shop(owner)
    found = shop
    for n in range(5):
        policy = Acceptance({"scan": WayRule(max_amount={"CNY": n})})
        await asyncio.gather(
            here.merchants.update_shop(owner, shop.id, UpdateShop(name=f"Shop {n}")),
            here.merchants.update_shop(owner, shop.id, UpdateShop(city=f"City {n}")),
            here.merchants.accept_at_shop(owner, shop.id, policy),
        )
        found = await here.merchants.shop(owner, shop.id)
        assert (found.name, found.city, found.acceptance) == (f"Shop {n}", f"City {n}", policy)
    assert found.country == "CN"


async def test_a_place_is_found_three_ways_by_one_query_each(here: Parties) -> None:
    terms = {"CNY": CurrencyTerms(60, 10, 5), "EUR": CurrencyTerms(0, 0)}
    made = await here.merchants.create("Blue Door", terms, None)
    shop = await here.shop(made.id, SMALL)
    till = await till_of(here, shop, NO_TAP)
    queries: list[str] = []

    def note(query: asyncpg.connection.LoggedQuery) -> None:
        queries.append(query.query)

    async with here.pool.acquire() as connection:
        with connection.query_logger(note):
            at_shop = await load_place(connection, shop_id=shop.id)
            at_till = await load_place(connection, till_id=till.id)
            by_codes = [
                await load_place(connection, code_token=token)
                for token in (shop.code_token, till.code_token)
            ]
            await asyncio.sleep(0)  # the driver tells its loggers a moment later
        assert len(queries) == 4
        assert by_codes == [at_shop, at_till]
        assert await load_place(connection, shop_id=till.id) is None
        assert await load_place(connection, till_id=shop.id) is None
        assert await load_place(connection, code_token="A" * 20) is None

    assert at_shop is not None
    assert at_till is not None
    assert (at_shop.merchant_name, at_shop.merchant_status) == ("Blue Door", "active")
    assert (at_shop.currencies, at_shop.terms) == (terms, made.terms)
    assert (at_shop.shop_id, at_shop.shop_code_token) == (shop.id, shop.code_token)
    assert (at_shop.shop_name, at_shop.shop_city) == ("West Lake", "Hangzhou")
    assert (at_shop.shop_country, at_shop.shop_category) == ("CN", "5814")
    assert (at_shop.till_id, at_shop.till_name, at_shop.till_code_token) == (None, None, None)
    assert (at_till.till_id, at_till.till_name) == (till.id, "Till 1")
    assert (at_till.shop_id, at_till.till_code_token) == (shop.id, till.code_token)
    assert at_shop.acceptance == SMALL
    assert at_till.acceptance == narrow(SMALL, NO_TAP)
    at_shop.acceptance.check("tap", "tandem", "CNY", 501)
    with pytest.raises(WayRefused) as refused:
        at_till.acceptance.check("scan", "tandem", "CNY", 501)
    assert refused.value.ways_left == ("click",)


# -- keys ----------------------------------------------------------------------------------------


async def test_a_merchants_key_is_shown_once_more_only_to_who_repeats_the_request(
    here: Parties,
) -> None:
    owner = (await here.merchant()).id
    scopes = ["payments:write", "payments:read"]
    made = await here.merchants.create_key(owner, "Till server", scopes, once(owner, "k"))
    assert await here.merchants.create_key(owner, "Till server", scopes, once(owner, "k")) == made
    principal = await here.access.authenticate(made.secret)
    assert (principal.kind, principal.owner_id, principal.device_id) == ("merchant", owner, None)
    assert principal.scopes == set(scopes)
    (listed,) = await here.merchants.keys(owner, None, 9)
    assert listed.hint == made.secret[-4:]
    for table in ("api_keys", "idempotency"):
        for row in await here.pool.fetch(f"SELECT * FROM {table}"):  # noqa: S608 - names in this file
            assert made.secret not in repr(tuple(row))

    with pytest.raises(NoSuchScope):
        await here.merchants.create_key(owner, "Key", ["operator"], None)
    with pytest.raises(Invalid):
        await here.merchants.create_key(owner, "Key\x1b", scopes, None)
    other = (await here.merchant()).id
    with pytest.raises(NotFound):
        await here.merchants.revoke_key(other, read_id("key", made.id))
    await here.merchants.revoke_key(owner, read_id("key", made.id))
    with pytest.raises(KeyUnknown):
        await here.access.authenticate(made.secret)
    (revoked,) = await here.merchants.keys(owner, None, 9)
    assert revoked.revoked_at == here.clock.now()
