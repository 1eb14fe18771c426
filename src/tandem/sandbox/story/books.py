"""What is left when everybody has paid: receipts, histories, journal entries, the trial balance."""

from typing import Any

from tandem.kernel import read_id, show_id
from tandem.ledger import bank, fees, merchant, person
from tandem.sandbox.story.cast import Person, Scene
from tandem.sandbox.story.client import Reply
from tandem.sandbox.story.errors import expect
from tandem.sandbox.story.page import UNIT, signed, yuan

_ENTRIES = 60


async def receipts(scene: Scene, payment: Reply) -> None:
    """The same payment as the person and as the shop keep it."""
    page, cast = scene.page, scene.cast
    page.scene("Both receipts")
    mine = (await cast.lin.api.get(f"/v1/wallet/payments/{payment['id']}")).body
    theirs = payment.body
    for name in ("amount", "captured", "refunded", "status"):
        expect(mine[name] == theirs[name], f"both receipts have the same {name}", (mine, theirs))
    both = {
        "Paid": yuan(mine["captured"]),
        "Refunded": yuan(mine["refunded"]),
        "For": mine["description"],
    }
    page.receipts(
        ("Lin", {"To": mine["shop"], **both, "In all": yuan(mine["captured"] - mine["refunded"])}),
        (
            "Blue Door",
            {
                "From": theirs["payer"],
                **both,
                "Order": theirs["order_reference"],
                "Fee": yuan(theirs["fee"]),
                "In all": yuan(theirs["captured"] - theirs["refunded"] - theirs["fee"]),
            },
        ),
    )


async def histories(scene: Scene) -> None:
    """What each wallet shows, with the balance after each movement."""
    scene.page.scene("The wallets")
    for who in (scene.cast.lin, scene.cast.mei):
        await _history(scene, who)


async def _history(scene: Scene, who: Person) -> None:
    found = await who.api.get("/v1/wallet/history?currency=CNY&limit=100")
    lines: list[dict[str, Any]] = found["data"]
    _check_running(lines)
    wallet = await who.api.get("/v1/wallet")
    balance = next(b["balance"] for b in wallet["balances"] if b["currency"] == "CNY")
    expect(lines[0]["balance"] == balance, "the history ends with the balance", (lines[0], balance))
    scene.page.table(
        f"{who.name} {who.handle}, {yuan(balance)}",
        {"What": False, "With": False, "Change": True, "Balance": True},
        [
            [
                line["type"].replace("_", "-"),
                line["with_name"] or line["message"] or "",
                signed(line["change"]),
                yuan(line["balance"]),
            ]
            for line in lines
        ],
    )


def _check_running(newest_first: list[dict[str, Any]]) -> None:
    balance = 0
    for line in reversed(newest_first):
        balance += line["change"]
        expect(line["balance"] == balance, f"the balance after line {line['number']}", line)


async def entries(scene: Scene) -> None:
    """The journal entries behind the merchant's payments: who is debited, who is credited."""
    cast = scene.cast
    scene.page.scene("The journal")
    merchant_key = merchant(read_id("mer", cast.merchant_id), UNIT)
    names = {
        show_id("acc", merchant_key.id): "Blue Door",
        show_id("acc", bank(UNIT).id): "Bank",
        show_id("acc", fees(UNIT).id): "Fees",
        **{
            show_id("acc", person(read_id("ppl", who.id), UNIT).id): who.first_name
            for who in (cast.lin, cast.mei)
        },
    }
    account = show_id("acc", merchant_key.id)
    path = f"/v1/ledger/accounts/{account}/statement?limit={_ENTRIES}"
    lines = (await cast.operator.get(path))["data"]
    found = list(dict.fromkeys(line["transfer"]["entry_id"] for line in reversed(lines)))
    rows: list[list[str]] = []
    for entry in found:
        transfers = (await cast.operator.get(f"/v1/ledger/entries/{entry}")).body
        expect(transfers, "an entry has transfers", entry)
        for at, transfer in enumerate(transfers):
            rows.append(_row(transfer, names, entry if at == 0 else ""))
    scene.page.table(
        "Entries on Blue Door's account: each all or nothing",
        {"Entry": False, "What": False, "Debit": False, "Credit": False, "Amount": True},
        rows,
    )


def _row(transfer: dict[str, Any], names: dict[str, str], entry: str) -> list[str]:
    kind = "" if transfer["kind"] == "posted" else f" ({transfer['kind']})"
    return [
        f"…{entry[-8:]}" if entry else "",
        f"{transfer['code']}{kind}",
        names.get(transfer["debit_account_id"], "?"),
        names.get(transfer["credit_account_id"], "?"),
        yuan(transfer["amount"]),
    ]


async def trial_balance(scene: Scene) -> None:
    """Every kind of account; what everybody has is what the bank has. Raises `StoryBroke`."""
    scene.page.scene("The trial balance")
    found = await scene.cast.operator.get("/v1/ledger/trial-balance")
    lines = [line for line in found["lines"] if line["currency"] == UNIT.code]
    difference = sum(line["credits"] - line["debits"] for line in lines)
    expect(found["balanced"] and difference == 0, "debits and credits are equal", found.body)
    amounts = {"Debits": True, "Credits": True, "Balance": True}
    debits, credited = (sum(line[side] for line in lines) for side in ("debits", "credits"))
    scene.page.table(
        f"Trial balance in {UNIT.code}",
        {"Accounts": False, "How many": True, **amounts},
        [
            [
                line["account"],
                str(line["accounts"]),
                yuan(line["debits"]),
                yuan(line["credits"]),
                yuan(line["credits"] - line["debits"]),
            ]
            for line in lines
        ],
        ["Sum", "", yuan(debits), yuan(credited), yuan(difference)],
    )
