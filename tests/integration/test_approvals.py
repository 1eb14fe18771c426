"""A manager approves what a cashier may not do alone: for just this, once, by their own passkey."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from browsers import Browser, ok, refused
from houses import House, open_house

from authenticator import Facts
from tandem.kernel import show_id


@dataclass
class Counter:
    """A cashier who gives back 500 at most, a manager beside them, and a payment."""

    house: House
    cashier: Browser
    cashier_id: str
    manager: Browser
    manager_id: str
    payment: str

    @property
    def path(self) -> str:
        """Where the payment is given back."""
        return f"/v1/payments/{self.payment}/refunds"

    async def asked(self, amount: int | None = 600, key: str = "r1") -> Facts:
        """What is to be approved, as the cashier is told."""
        answer = await self.cashier.post(self.path, body_of(amount), Idempotency_Key=key)
        found: Facts = refused(answer, 403, "refund_above_limit")["approval"]
        return found

    async def give(
        self, answer: Facts, amount: int | None = 600, key: str = "r1", path: str | None = None
    ) -> Any:  # noqa: ANN401 - a response
        """The same refund, with what was signed."""
        body = body_of(amount) | {"approval": answer}
        return await self.cashier.post(path or self.path, body, Idempotency_Key=key)

    async def refunded(self) -> int:
        """What was given back of the payment."""
        found: int = ok(await self.cashier.get(f"/v1/payments/{self.payment}"))["refunded"]
        return found


def body_of(amount: int | None) -> Facts:
    return {} if amount is None else {"amount": amount}


@pytest.fixture
async def counter(fresh_database: str, tmp_path: Path) -> AsyncIterator[Counter]:
    async with open_house(fresh_database, tmp_path) as house:
        cashier, cashier_id = await house.staff("cashier", "Xu", refund_limit=500)
        manager, manager_id = await house.staff("manager", "Mo")
        payment = await house.paid(2_000)
        yield Counter(house, cashier, cashier_id, manager, manager_id, payment)


async def test_a_refund_above_the_limit_is_approved(counter: Counter) -> None:
    asked = await counter.asked()
    assert sorted(asked["approvers"]) == ["Bo", "Mo"]
    allowed = {one["id"] for one in asked["options"]["allowCredentials"]}
    assert len(allowed) == 2, "the owner's and the manager's, and not the cashier's"
    signed = counter.manager.keys.get(asked["options"])
    given = ok(await counter.give(signed))
    assert given["amount"] == 600
    assert ok(await counter.give(signed)) == given, "a repeat gets the first answer"
    assert await counter.refunded() == 600
    done, *_ = await counter.house.log(action="create_refund", outcome="done")
    assert (done["actor"], done["actor_name"]) == (counter.cashier_id, "Xu")
    assert (done["approver"], done["approver_name"]) == (counter.manager_id, "Mo")
    assert ok(await counter.cashier.get("/v1/session"))["name"] == "Xu", "the session stays theirs"
    refused(await counter.cashier.get("/v1/staff"), 403, "scope_missing")


async def test_all_that_is_left_is_as_much_as_was_approved(counter: Counter) -> None:
    asked = await counter.asked(None)
    given = ok(await counter.give(counter.manager.keys.get(asked["options"]), None))
    assert given["amount"] == 2_000


async def test_an_approval_counts_in_the_day_of_who_gave_it(counter: Counter) -> None:
    house = counter.house
    body = {"role": "manager", "refund_limit": 1_000, "refund_day_limit": 1_000}
    ok(await house.owner.put(f"/v1/staff/{counter.manager_id}", body))
    signed = counter.manager.keys.get((await counter.asked())["options"])
    ok(await counter.give(signed))
    again = await house.paid(2_000)
    path = f"/v1/payments/{again}/refunds"
    ok(await counter.cashier.post(path, {"amount": 500}))  # the cashier's own day is as it was
    data = refused(await counter.cashier.post(path, {"amount": 401}), 403, "refund_above_limit")
    signed = counter.manager.keys.get(data["approval"]["options"])
    answer = await counter.give(signed, 401, "r2", path)
    assert refused(answer, 403, "approval_refused") == {"reason": "limit"}
    data = refused(await counter.cashier.post(path, {"amount": 501}), 403, "refund_above_limit")
    assert data["approval"]["approvers"] == ["Bo"], "Mo gives back 1000 of one payment"


@pytest.mark.parametrize("amount", [601, 599, 2_000])
async def test_another_amount_was_not_approved(counter: Counter, amount: int) -> None:
    signed = counter.manager.keys.get((await counter.asked())["options"])
    data = refused(await counter.give(signed, amount, "r2"), 403, "approval_refused")
    assert data == {"reason": "other"}
    refused(await counter.give(signed), 403, "refund_above_limit")  # it was answered, and is over
    assert await counter.refunded() == 0


async def test_another_payment_was_not_approved(counter: Counter) -> None:
    other = await counter.house.paid(2_000)
    signed = counter.manager.keys.get((await counter.asked())["options"])
    answer = await counter.give(signed, key="r2", path=f"/v1/payments/{other}/refunds")
    assert refused(answer, 403, "approval_refused") == {"reason": "other"}


async def test_an_approval_is_good_once(counter: Counter) -> None:
    signed = counter.manager.keys.get((await counter.asked())["options"])
    ok(await counter.give(signed))
    refused(await counter.give(signed, key="r2"), 403, "refund_above_limit")
    assert await counter.refunded() == 600


async def test_an_approval_that_comes_late_is_none(counter: Counter) -> None:
    signed = counter.manager.keys.get((await counter.asked())["options"])
    counter.house.site.town.wait(minutes=5)
    refused(await counter.give(signed), 403, "refund_above_limit")


async def test_it_was_approved_for_this_session(counter: Counter) -> None:
    options = (await counter.asked())["options"]
    signed = counter.manager.keys.get(options)
    other, _ = await counter.house.staff("cashier", "Yi", refund_limit=0)
    answer = await other.post(counter.path, {"amount": 600, "approval": signed})
    assert refused(answer, 403, "passkey_refused") == {"reason": "challenge"}
    signed = counter.manager.keys.get((await counter.asked())["options"])
    ok(await counter.cashier.delete("/v1/session"))
    ok(await counter.cashier.sign_in())
    answer = await counter.give(signed)
    assert refused(answer, 403, "passkey_refused") == {"reason": "challenge"}


async def test_who_cannot_approve(counter: Counter) -> None:
    """Themselves, another cashier, who is suspended, whose session it is not: none of them."""
    house = counter.house
    other, _ = await house.staff("cashier", "Yi")
    for keys, reason in ((counter.cashier.keys, "self"), (other.keys, "role")):
        options = (await counter.asked())["options"]
        signed = keys.get(options, passkey=keys.passkeys[-1])
        assert refused(await counter.give(signed), 403, "approval_refused") == {"reason": reason}
    options = (await counter.asked())["options"]
    ok(await house.owner.post(f"/v1/staff/{counter.manager_id}/suspend"))
    answer = await counter.give(counter.manager.keys.get(options))
    assert refused(answer, 403, "approval_refused") == {"reason": "suspended"}
    assert (await counter.asked())["approvers"] == ["Bo"]
    ok(await house.owner.post(f"/v1/staff/{counter.manager_id}/resume"))
    options = (await counter.asked())["options"]
    ok(await house.owner.delete(f"/v1/staff/{counter.manager_id}"))
    answer = await counter.give(counter.manager.keys.get(options))
    assert refused(answer, 403, "passkey_refused") == {"reason": "unknown"}
    assert await counter.refunded() == 0


async def test_strangers_are_not_known_here(counter: Counter) -> None:
    """Another merchant's owner, the operator's staff, a wallet: as a passkey that there is not."""
    site = counter.house.site
    other = await site.town.merchant()
    path = f"/v1/merchants/{show_id('mer', other.id)}/staff"
    theirs, wallet, operators = site.browser(), site.browser(), site.browser()
    invited = ok(await counter.house.operator.post(path, {"name": "Li", "role": "owner"}))
    ok(await theirs.join(invited["token"]))
    invited = ok(await counter.house.operator.post("/v1/staff", {"name": "Op", "role": "owner"}))
    ok(await operators.join(invited["token"]))
    await wallet.sign_up("lin")
    for browser in (theirs, operators, wallet):
        options = (await counter.asked())["options"]
        signed = browser.keys.get(options, passkey=browser.keys.passkeys[-1])
        answer = await counter.give(signed)
        assert refused(answer, 403, "passkey_refused") == {"reason": "unknown"}
    assert await counter.refunded() == 0


async def test_a_challenge_for_something_else_approves_nothing(counter: Counter) -> None:
    sign_in = ok(await counter.manager.post("/v1/sign-in/options"))
    signed = counter.manager.keys.get(sign_in)
    answer = await counter.give(signed)
    assert refused(answer, 403, "passkey_refused") == {"reason": "challenge"}
    options = (await counter.asked())["options"]  # nor does an approval sign anybody in
    credential = counter.manager.keys.get(options)
    answer = await counter.house.site.browser().post("/v1/sign-in", {"credential": credential})
    assert refused(answer, 403, "passkey_refused") == {"reason": "challenge"}


async def test_nobody_is_there_to_approve(counter: Counter) -> None:
    house = counter.house
    ok(await house.owner.post(f"/v1/staff/{counter.manager_id}/suspend"))
    data = refused(await house.owner.post(counter.path, {"amount": 9_000}), 409,
                   "refund_exceeds_captured")  # fmt: skip
    assert data["left"] == 2_000
    ok(await house.owner.put(f"/v1/staff/{house.owner_id}", {"role": "owner", "refund_limit": 0}))
    assert await counter.asked() == {"approvers": [], "options": None}


async def test_a_shift_of_another_is_closed_when_it_is_approved(counter: Counter) -> None:
    house = counter.house
    till = ok(await house.owner.post(f"/v1/shops/{house.shop}/tills", {"name": "Till 1"}))["id"]
    other, _ = await house.staff("cashier", "Yi")
    opened = ok(await other.post(f"/v1/tills/{till}/shifts", {}))
    path = f"/v1/shifts/{opened['id']}/close"
    data = refused(await counter.cashier.post(path), 403, "shift_of_another")
    assert (data["shift_id"], data["opened_by"]) == (opened["id"], "Yi")
    options = data["approval"]["options"]
    wrong = {"approval": counter.manager.keys.get((await counter.asked())["options"])}
    answer = await counter.cashier.post(path, wrong)  # a refund's approval closes no shift
    assert refused(answer, 403, "approval_refused") == {"reason": "other"}
    signed = {"approval": counter.manager.keys.get(options)}
    closed = ok(await counter.cashier.post(path, signed))
    assert (closed["status"], closed["closed_by"]) == ("closed", "Xu")
    (row,) = await house.log(action="close_shift", outcome="done")
    assert (row["actor_name"], row["approver_name"]) == ("Xu", "Mo")
    mine = ok(await counter.cashier.post(f"/v1/tills/{till}/shifts", {}))
    ok(await counter.cashier.post(f"/v1/shifts/{mine['id']}/close"))
    theirs = ok(await other.post(f"/v1/tills/{till}/shifts", {}))
    ok(await counter.manager.post(f"/v1/shifts/{theirs['id']}/close"))
