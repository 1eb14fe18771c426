"""A rolling tag from the operator's command line to a payment over HTTP, and what copies do."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from conftest import open_folder
from living import Living, Person, Shop, fresh_key, living, made, open_shop, post, sign_up
from tandem.kernel import system_entropy
from tandem.tags import TagPackage
from tandem.tap import Direct
from tandem.tap.rolling import wipe, write_rolling
from tandem.tap.soft_tag import SoftTag
from tandem.tap.soft_tag_store import SoftTagStore
from tandem.tap.tag import find_tag, read_url
from terminal import Cli, shown

pytest.importorskip("ndef", reason="NDEF: ndeflib is not installed")


@pytest.fixture(scope="module")
async def house() -> AsyncIterator[Living]:
    with open_folder() as folder:
        async with living(folder / "data") as server:
            yield server


@pytest.fixture(scope="module")
async def shop(house: Living) -> Shop:
    async with house.client(house.operator_key) as operator:
        return await open_shop(house, operator, "Blue Door")


@pytest.fixture(scope="module")
async def lin(house: Living) -> Person:
    async with house.client(house.operator_key) as operator:
        return await sign_up(operator, "lin", yuan=100)


@pytest.fixture
def beside(house: Living, cli: Cli) -> Cli:
    """Commands beside a running server."""
    cli.monkeypatch.delenv("TANDEM_KEY_FILE")
    cli.on(data=house.data)
    cli.monkeypatch.setenv("TANDEM_PUBLIC_URL", house.url)
    return cli


def pay(house: Living, who: Person, url: str) -> Any:  # noqa: ANN401 - any JSON
    """What a phone does: it looks what the link is, and pays."""
    with httpx.Client(base_url=house.url, headers={"Authorization": f"Bearer {who.key}"}) as phone:
        scanned = phone.post("/v1/wallet/scans", json={"code": url})
        body = {"code": url, "amount": 300, "currency": "CNY"}
        headers = {"Idempotency-Key": fresh_key()}
        paid = phone.post("/v1/wallet/payments", json=body, headers=headers).json()
        return paid if scanned.is_success else scanned.json()


def test_a_tag_from_its_keys_to_a_payment(
    house: Living, shop: Shop, lin: Person, beside: Cli, tmp_path: Path
) -> None:
    done, file = beside.done, tmp_path / "tag.json"
    tag = shown("tag", done("operator", "tag", "add", shop.till_id, "Till's"))
    assert "tag.json" in done("operator", "tag", "keys", tag, str(file)).replace("\n", "")
    assert file.stat().st_mode & 0o777 == 0o600
    beside.refused("operator", "tag", "keys", tag, str(file))  # it is there already
    package = msgspec.json.decode(file.read_bytes(), type=TagPackage)
    with SoftTagStore(tmp_path / "chip", system_entropy) as store:
        chip = Direct(SoftTag(store.state(), store.save, system_entropy))
        write_rolling(chip, package, system_entropy)
        url = read_url(find_tag(chip))
    assert url is not None
    for _ in range(2):
        page = httpx.get(url)
        assert page.status_code == 200
        assert "Blue Door" in page.text
        assert "hold the phone to the tag" in page.text
    assert pay(house, lin, url)["status"] == "captured"
    assert pay(house, lin, url)["code"] == "tag_tap_used"
    page = httpx.get(url)
    assert page.status_code == 409
    assert "Nothing was paid: this tap was used" in page.text
    assert "is sealed anew" in done("keys", "rotate").replace("secrets are", "secret is")
    with SoftTagStore(tmp_path / "chip", system_entropy) as store:
        # in another program, days later
        chip = Direct(SoftTag(store.state(), store.save, system_entropy))
        after = read_url(find_tag(chip))
    assert after is not None
    assert pay(house, lin, after)["status"] == "captured"
    assert "active" in done("operator", "tag", "list", shop.shop_id)
    assert "not given out" in beside.refused("operator", "tag", "keys", tag, str(tmp_path / "x"))
    for command, status in (("suspend", "suspended"), ("resume", "active"), ("revoke", "revoked")):
        assert f"is {status}" in done("operator", "tag", command, tag)
    beside.refused("operator", "tag", "resume", tag)
    assert "Old one" in done("operator", "tag", "rename", tag, "Old one")
    again = tmp_path / "again.json"
    done("operator", "tag", "keys", tag, str(again))
    assert again.read_bytes() == file.read_bytes()
    with SoftTagStore(tmp_path / "chip", system_entropy) as store:
        wipe(Direct(SoftTag(store.state(), store.save, system_entropy)), package, system_entropy)
        assert set(store.state().versions) == {0}


async def test_a_merchant_makes_its_own(house: Living, shop: Shop, lin: Person) -> None:
    async with house.client(shop.key) as till:
        tag = await post(till, "/v1/tags", {"name": "Counter", "shop_id": shop.shop_id})
        assert (tag["status"], tag["counter"], tag["till_id"]) == ("new", 0, None)
        assert "key" not in str(tag)
        both = {"name": "x", "shop_id": shop.shop_id, "till_id": shop.till_id}
        key = {"Idempotency-Key": fresh_key()}
        answer = await till.post("/v1/tags", json=both, headers=key)
        assert answer.json()["code"] == "invalid_request"
        package = made(await till.post(f"/v1/tags/{tag['id']}/keys"))
        listed = made(await till.get("/v1/tags", params={"shop_id": shop.shop_id, "limit": 1}))
        assert listed["data"] == [tag]
        renamed = made(await till.patch(f"/v1/tags/{tag['id']}", json={"name": "Left"}))
        assert renamed["name"] == "Left"
    wrong = package["url"]  # a chip whose settings were never written sends its zeros
    assert pay(house, lin, wrong)["code"] == "tag_link_wrong"
    torn = wrong[:-1]
    assert pay(house, lin, torn)["code"] == "code_damaged"
    async with house.client() as browser:
        assert (await browser.get(wrong)).status_code == 422
        assert (await browser.get(torn)).status_code == 404
