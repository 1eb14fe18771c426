"""Checkout in one process: sessions and their pages, payment links, invoices, signed results."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from town import Door, Someone, Town, key, open_town, said

from tandem.checkout import (
    CheckoutSettings,
    CreateInvoice,
    CreateLink,
    CreateSession,
    InvoiceConflict,
    InvoiceView,
    Line,
    LinkClosed,
    ReturnRefused,
    UpdateInvoice,
    UpdateLink,
)
from tandem.db import STRANGERS
from tandem.kernel import Invalid, NotFound, read_id, show_id
from tandem.merchants import Acceptance, WayRefused, WayRule
from tandem.payments import Command, PaymentConflict

SHOP = "https://shop.example"
COFFEES = (
    Line(name="Flat white", unit_amount=1900, quantity=2),
    Line(name="Loyal", unit_amount=-100),
    Line(name="Bag", unit_amount=90, tax=10),
)


@pytest.fixture
async def town(fresh_database: str, tmp_path: Path) -> AsyncIterator[Town]:
    async with open_town(fresh_database, tmp_path) as made:
        yield made
        await made.check()


def new_session(door: Door, **more: Any) -> CreateSession:  # noqa: ANN401 - fields of CreateSession
    shop_id = show_id("shp", door.shop_id)
    fields: dict[str, Any] = {"amount": 3800, "currency": "CNY", "shop_id": shop_id} | more
    return CreateSession(**fields)


async def make_session(town: Town, door: Door, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    return said(await town.services.checkout.create(door.id, new_session(door, **more), key()))


async def pay(town: Town, who: Someone, payment_id: str) -> None:
    await town.services.payments.by_person(
        who.id, read_id("pay", payment_id), Command.APPROVE, key(), way="click"
    )


def token_of(url: str) -> str:
    return url.rpartition("/")[2]


def claims_of(result: str, secret: str) -> dict[str, Any]:
    """What a shop does: three lines."""
    signed, _, mac = result.rpartition(".")
    right = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    assert hmac.compare_digest(base64.urlsafe_b64encode(right).decode().rstrip("="), mac)
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(signed.split(".")[1] + "=="))
    return claims


async def allow(town: Town, door: Door) -> str:
    settings = CheckoutSettings(return_origins=(SHOP,), frame_origins=("https://SHOP.example:443",))
    kept = await town.services.checkout.change_settings(door.id, settings)
    assert kept.frame_origins == (SHOP,)
    return (await town.services.checkout.roll_secret(door.id, at_once=False)).secret


# -- sessions


async def test_a_session_is_paid_and_returns_with_a_signed_result(town: Town) -> None:
    door, lin = await town.merchant(), await town.person(yuan=100)
    secret = await allow(town, door)
    made = await make_session(
        town,
        door,
        lines=COFFEES,
        amount=3800,
        order_reference="order-7",
        success_url=f"{SHOP}/thanks?cart=1",
        cancel_url=f"{SHOP}/cart",
        metadata={"cart": "81"},
        locale="zh",
    )
    assert made["metadata"] == {"cart": "81"}
    checkout, token = town.services.checkout, token_of(made["url"])
    before = await checkout.page(token)
    assert (before.status, before.merchant, before.ways) == (
        "created",
        "Blue Door",
        ("scan", "click"),
    )
    assert before.code is not None
    assert before.locale == "zh"
    assert before.return_url is not None
    assert before.return_url.startswith(f"{SHOP}/cart?tandem_result=")
    await pay(town, lin, made["payment_id"])
    page = await checkout.page(token)
    assert (page.status, page.code, page.wallet_path, page.ways) == ("captured", None, None, ())
    assert page.return_url == f"{SHOP}/thanks?cart=1&tandem_result={page.result}"
    assert page.result is not None
    claims = claims_of(page.result, secret)
    assert claims["exp"] - claims["iat"] == 3600
    assert claims | {"iat": 0, "exp": 0} == {
        "iss": "http://127.0.0.1:8080",
        "aud": show_id("mer", door.id),
        "sub": made["id"],
        "payment": made["payment_id"],
        "status": "captured",
        "amount": 3800,
        "currency": "CNY",
        "reference": "order-7",
        "iat": 0,
        "exp": 0,
    }
    mine = await checkout.get(door.id, read_id("chs", made["id"]))
    assert (mine.status, mine.expires_at) == ("captured", None)
    assert [one.id for one in await checkout.all(door.id, None, 9)] == [made["id"]]


async def test_a_session_is_made_once_with_its_payment(town: Town) -> None:
    door, same = await town.merchant(), key("one")
    new = new_session(door)
    outcomes = await asyncio.gather(
        *(town.services.checkout.create(door.id, new, same) for _ in range(4))
    )
    assert len({outcome.body for outcome in outcomes}) == 1
    assert await town.count("payments") == await town.count("checkout_sessions") == 1


async def test_lines_must_come_to_the_amount(town: Town) -> None:
    door = await town.merchant()
    for lines, amount in ((COFFEES, 3801), ((Line(name="x", unit_amount=-1),), 1)):
        with pytest.raises(Invalid, match=r"lines|come"):
            await make_session(town, door, lines=lines, amount=amount)
    assert await town.count("payments") == 0


async def test_it_returns_only_to_origins_of_the_merchant(town: Town) -> None:
    door = await town.merchant()
    with pytest.raises(ReturnRefused):
        await make_session(town, door, success_url=f"{SHOP}/thanks")
    await allow(town, door)
    with pytest.raises(ReturnRefused):
        await make_session(town, door, cancel_url="https://shop.example.evil.example/")
    assert await town.count("checkout_sessions") == 0


async def test_nobody_sees_anothers(town: Town) -> None:
    door, other = await town.merchant(), await town.merchant()
    services = town.services
    made = await make_session(town, door)
    with pytest.raises(NotFound):
        await services.checkout.get(other.id, read_id("chs", made["id"]))
    with pytest.raises(NotFound):
        await make_session(town, other, shop_id=show_id("shp", door.shop_id))
    link = await make_link(town, door)
    with pytest.raises(NotFound):
        await services.payment_links.update(other.id, link, UpdateLink(active=False))
    invoice = await draft(town, door)
    for use in (services.invoices.open, services.invoices.void, services.invoices.get):
        with pytest.raises(NotFound):
            await use(other.id, invoice)
    with pytest.raises(NotFound):
        await services.checkout.page("A" * 20)
    with pytest.raises(NotFound):
        await services.checkout.page("../../etc")


async def test_the_page_goes_by_the_policy_of_this_moment(town: Town) -> None:
    door = await town.merchant()
    made = await make_session(town, door)
    token = token_of(made["url"])
    no_scan = Acceptance({"scan": WayRule(enabled=False)})
    await town.services.merchants.accept_at_shop(door.id, door.shop_id, no_scan)
    page = await town.services.checkout.page(token)
    assert (page.ways, page.code) == (("click",), None)
    assert page.wallet_path is not None
    no_click = Acceptance({"click": WayRule(enabled=False)})
    await town.services.merchants.accept_at_shop(door.id, door.shop_id, no_click)
    page = await town.services.checkout.page(token)
    assert (page.ways, page.wallet_path) == (("scan",), None)
    town.services.payments._forget(door.id)
    with pytest.raises(WayRefused):
        await make_session(town, door)


async def test_a_result_is_good_for_its_secret_and_nothing_else(town: Town) -> None:
    door, lin = await town.merchant(), await town.person(yuan=100)
    secret = await allow(town, door)
    made = await make_session(town, door)
    checkout, token = town.services.checkout, token_of(made["url"])
    unpaid = (await checkout.page(token)).result
    await pay(town, lin, made["payment_id"])
    paid = (await checkout.page(token)).result
    assert unpaid is not None
    assert paid is not None
    head, body, mac = paid.split(".")
    for forged in (
        f"{head}.{unpaid.split('.')[1]}.{mac}",
        f"{head}.{body}.{unpaid.split('.')[2]}",
        f"{head}.{body}.",
        f"{base64.urlsafe_b64encode(b'{}').decode()}.{body}.{mac}",
    ):
        with pytest.raises(AssertionError):
            claims_of(forged, secret)
    with pytest.raises(AssertionError):
        claims_of(paid, secret + "x")


async def test_a_new_secret_signs_after_an_hour(town: Town) -> None:
    door = await town.merchant()
    first = await allow(town, door)
    token = token_of((await make_session(town, door))["url"])
    checkout = town.services.checkout
    rolled = await checkout.roll_secret(door.id, at_once=False)

    async def signed_by(secret: str) -> bool:
        result = (await checkout.page(token)).result
        assert result is not None
        try:
            claims_of(result, secret)
        except AssertionError:
            return False
        return True

    assert rolled.secret != first
    assert await signed_by(first)
    town.wait(minutes=61)
    assert await signed_by(rolled.secret)
    now = await checkout.roll_secret(door.id, at_once=True)
    assert await signed_by(now.secret)


async def test_who_may_frame_it_is_told_by_its_token(town: Town) -> None:
    door, other = await town.merchant(), await town.merchant()
    await allow(town, door)
    token = token_of((await make_session(town, door))["url"])
    theirs = token_of((await make_session(town, other))["url"])
    checkout = town.services.checkout
    assert await checkout.frame_origins(token) == (SHOP,)
    assert await checkout.frame_origins(theirs) == ()
    assert await checkout.frame_origins("B" * 20) == ()
    assert await checkout.frame_origins("x; script-src *") == ()


# -- payment links


async def make_link(town: Town, door: Door, **more: Any) -> UUID:  # noqa: ANN401 - fields of CreateLink
    shop_id = show_id("shp", door.shop_id)
    fields: dict[str, Any] = {"description": "Lunch", "currency": "CNY", "shop_id": shop_id}
    made = await town.services.payment_links.create(
        door.id, CreateLink(**fields | {"amount": 3800} | more), key()
    )
    return read_id("lnk", made.id)


async def visit(town: Town, token: str, amount: int | None = None) -> Any:  # noqa: ANN401 - a page
    opened = said(await town.services.payment_links.visit(token, amount, None))
    return await town.services.checkout.session_of(opened["token"])


async def link_token(town: Town, door: Door, link: UUID) -> str:
    return token_of((await town.services.payment_links.get(door.id, link)).url)


async def test_each_visit_of_a_link_has_its_own_payment(town: Town) -> None:
    door, lin = await town.merchant(), await town.person(yuan=100)
    link = await make_link(town, door)
    token = await link_token(town, door, link)
    one, two = await visit(town, token), await visit(town, token)
    assert one.payment_id != two.payment_id
    await pay(town, lin, show_id("pay", one.payment_id))
    shown = await town.services.payment_links.get(door.id, link)
    assert (shown.paid, shown.closed) == (1, None)
    mine = await town.services.checkout.all(door.id, None, 9, link_id=link)
    assert {view.status for view in mine} == {"captured", "created"}


async def test_an_open_amount_keeps_its_bounds(town: Town) -> None:
    door = await town.merchant()
    link = await make_link(town, door, amount=None, min_amount=100, max_amount=500)
    token = await link_token(town, door, link)
    for wrong in (None, 99, 501):
        with pytest.raises(Invalid):
            await visit(town, token, wrong)
    await visit(town, token, 500)
    fixed = await link_token(town, door, await make_link(town, door))
    with pytest.raises(Invalid):
        await visit(town, fixed, 1)
    for bad in ({"amount": 1, "min_amount": 1}, {"amount": None, "min_amount": 2, "max_amount": 1}):
        with pytest.raises(Invalid):
            await make_link(town, door, **bad)


async def test_of_many_at_once_a_link_takes_no_more_than_it_may(town: Town) -> None:
    door = await town.merchant()
    token = await link_token(town, door, await make_link(town, door, max_payments=3))
    found = await asyncio.gather(*(visit(town, token) for _ in range(8)), return_exceptions=True)
    made = [one for one in found if not isinstance(one, BaseException)]
    assert len(made) <= 3
    while len(made) < 3:  # who lost a race may have to come again
        made.append(await visit(town, token))
    with pytest.raises(LinkClosed) as refused:
        await visit(town, token)
    assert refused.value.reason == "used_up"
    town.wait(hours=2)  # nobody paid: the link is open again
    await town.services.payments.expire_due()
    await visit(town, token)


async def test_a_link_is_switched_off_and_on_and_ends(town: Town) -> None:
    door, links = await town.merchant(), town.services.payment_links
    ends = town.services.clock.now() + timedelta(hours=1)
    link = await make_link(town, door, ends_at=ends)
    token = await link_token(town, door, link)
    await links.update(door.id, link, UpdateLink(active=False))
    assert (await links.page(token)).closed == "off"
    with pytest.raises(LinkClosed):
        await visit(town, token)
    await links.update(door.id, link, UpdateLink(active=True, description="Dinner"))
    assert (await links.page(token)).description == "Dinner"
    await visit(town, token)
    town.wait(hours=1)
    with pytest.raises(LinkClosed):
        await visit(town, token)
    await links.update(door.id, link, UpdateLink(ends_at=None))
    await visit(town, token)


async def test_a_strangers_lost_answer_comes_again(town: Town) -> None:
    door = await town.merchant()
    token = await link_token(town, door, await make_link(town, door))
    mine = key("3f5f0f5e-6a77-4a53-8f5e-000000000001", owner=STRANGERS)
    first = await town.services.payment_links.visit(token, None, mine)
    again = await town.services.payment_links.visit(token, None, mine)
    assert again.body == first.body
    assert await town.count("payments") == 1


# -- invoices


async def draft(town: Town, door: Door, **more: Any) -> UUID:  # noqa: ANN401 - fields of CreateInvoice
    due = town.services.clock.now().date() + timedelta(days=7)
    fields: dict[str, Any] = {
        "shop_id": show_id("shp", door.shop_id),
        "customer_name": "Harbour Bakery",
        "customer_email": "books@harbour.example",
        "lines": COFFEES,
        "currency": "CNY",
        "due_on": due,
    }
    made = await town.services.invoices.create(door.id, CreateInvoice(**fields | more), key())
    assert (made.status, made.number, made.url, made.amount) == ("draft", None, None, 3800)
    return read_id("inv", made.id)


async def opened(town: Town, door: Door, **more: Any) -> InvoiceView:  # noqa: ANN401 - as above
    return await town.services.invoices.open(door.id, await draft(town, door, **more))


async def invoice_payment(town: Town, view: InvoiceView) -> str:
    assert view.url is not None
    page = said(await town.services.invoices.visit(token_of(view.url), None))
    session = await town.services.checkout.session_of(page["token"])
    return show_id("pay", session.payment_id)


async def test_an_invoice_is_drafted_opened_and_paid(town: Town) -> None:
    door, lin, invoices = await town.merchant(), await town.person(yuan=100), town.services.invoices
    first = await draft(town, door)
    changed = await invoices.update(
        door.id, first, UpdateInvoice(lines=COFFEES[:1], description="May")
    )
    assert (changed.amount, changed.description) == (3800, "May")
    view = await invoices.open(door.id, first)
    assert (view.status, view.number) == ("open", 1)
    assert view.url is not None
    for refused in (invoices.open(door.id, first), invoices.delete(door.id, first)):
        with pytest.raises(InvoiceConflict):
            await refused
    await pay(town, lin, await invoice_payment(town, view))
    now = await invoices.get(door.id, first)  # before any timer
    assert now.status == "paid"
    with pytest.raises(InvoiceConflict):
        await invoices.void(door.id, first)
    with pytest.raises(InvoiceConflict):
        await invoices.visit(token_of(view.url), None)
    assert await invoices.follow_due() == 1
    assert await invoices.follow_due() == 0
    page = await invoices.page(token_of(view.url))
    assert (page.status, page.payment_id) == ("paid", now.payment_id)
    assert page.paid_at is not None
    told = await town.services.webhooks.events(door.id, None, 20)
    kinds = [event.type for event in told if event.type.startswith("invoice.")]
    assert kinds == ["invoice.paid", "invoice.opened"]


async def test_numbers_have_no_gaps_whoever_opens_at_once(town: Town) -> None:
    door, other = await town.merchant(), await town.merchant()
    drafts = [await draft(town, door) for _ in range(6)]
    stale = await draft(town, door)
    gone = town.services.clock.now().date() - timedelta(days=2)
    late = await draft(town, door, due_on=gone)
    invoices = town.services.invoices
    await invoices.delete(door.id, stale)
    found = await asyncio.gather(
        *(invoices.open(door.id, one) for one in (*drafts, late, *drafts[:3])),
        return_exceptions=True,
    )
    numbers = sorted(one.number or 0 for one in found if isinstance(one, InvoiceView))
    assert numbers == [1, 2, 3, 4, 5, 6]
    assert (await opened(town, other)).number == 1
    listed = await invoices.all(door.id, "open", None, 100)
    assert len(listed) == 6
    assert [one.status for one in await invoices.all(door.id, "draft", None, 100)] == ["draft"]


async def test_an_invoice_has_one_payment_at_a_time(town: Town) -> None:
    door = await town.merchant()
    view = await opened(town, door)
    at_once = await asyncio.gather(*(invoice_payment(town, view) for _ in range(5)))
    assert len(set(at_once)) == 1
    town.wait(hours=2)
    await town.services.payments.expire_due()
    again = await invoice_payment(town, view)
    assert again != at_once[0]
    assert await town.count("payments") == 2


async def test_a_void_invoice_is_paid_no_more(town: Town) -> None:
    door, lin = await town.merchant(), await town.person(yuan=100)
    view = await opened(town, door)
    begun = await invoice_payment(town, view)
    voided = await town.services.invoices.void(door.id, read_id("inv", view.id))
    assert (voided.status, voided.number) == ("void", 1)
    with pytest.raises(PaymentConflict):
        await pay(town, lin, begun)
    assert view.url is not None
    with pytest.raises(InvoiceConflict):
        await town.services.invoices.visit(token_of(view.url), None)
    assert (await town.services.invoices.page(token_of(view.url))).status == "void"


async def test_of_paying_and_voiding_at_once_one_wins(town: Town) -> None:
    door, lin = await town.merchant(), await town.person(yuan=1000)
    for _ in range(4):
        view = await opened(town, door)
        begun = await invoice_payment(town, view)
        invoice = read_id("inv", view.id)
        await asyncio.gather(
            pay(town, lin, begun),
            town.services.invoices.void(door.id, invoice),
            return_exceptions=True,
        )
        payment = await town.services.payments.of_merchant(door.id, read_id("pay", begun))
        now = await town.services.invoices.get(door.id, invoice)
        assert (payment.status, now.status) in (("captured", "paid"), ("cancelled", "void"))


async def test_an_invoice_is_overdue_when_its_day_is_over_and_still_paid(town: Town) -> None:
    door, lin = await town.merchant(), await town.person(yuan=100)
    view = await opened(town, door)
    town.wait(days=7)
    assert await town.services.invoices.follow_due() == 0
    town.wait(days=1)
    assert await town.services.invoices.follow_due() == 1
    invoice = read_id("inv", view.id)
    assert (await town.services.invoices.get(door.id, invoice)).status == "overdue"
    (listed,) = await town.services.invoices.all(door.id, "overdue", None, 9)
    assert listed.id == view.id
    await pay(town, lin, await invoice_payment(town, view))
    assert (await town.services.invoices.get(door.id, invoice)).status == "paid"


@pytest.mark.parametrize("email", ["books", "a b@c.example", "a\u202e@b.example"])
async def test_an_address_that_is_none_is_refused(town: Town, email: str) -> None:
    door = await town.merchant()
    with pytest.raises(Invalid):
        await draft(town, door, customer_email=email)
