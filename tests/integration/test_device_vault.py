"""A device and its vault: cards are added, proved, fetched once, renewed, suspended, forgotten."""

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from conftest import open_folder
from living import Living, living, made, post, sign_up
from tandem.cards import CardView
from tandem.kernel import Invalid, SystemClock, system_entropy
from tandem.tap import (
    DeviceStore,
    DeviceTaken,
    NotConnected,
    Vault,
    VaultAway,
    VaultLink,
    VaultRefused,
)
from tandem.tap.provisioning import add, connect, connected, prove, sync
from tandem.tap.vault import vault_url

_NUMBER = itertools.count(1)
T = TypeVar("T")


@pytest.fixture(scope="module")
async def house() -> AsyncIterator[Living]:
    with open_folder() as folder:
        async with living(folder / "data", TANDEM_MODE="sandbox") as server:
            yield server


@pytest.fixture
async def operator(house: Living) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client(house.operator_key) as client:
        yield client


@dataclass(frozen=True)
class Phone:
    """A device's folder, and what its person does with it. The calls block, as the program's do."""

    folder: Path
    url: str
    key: str

    @contextmanager
    def opened(self) -> Iterator[tuple[DeviceStore, Vault]]:
        with DeviceStore(self.folder, system_entropy) as store:
            connect(store, self.url, self.key, system_entropy)
            with Vault(connected(store)) as vault:
                yield store, vault

    async def does(self, work: Callable[[DeviceStore, Vault], T]) -> T:
        def run() -> T:
            with self.opened() as opened:
                return work(*opened)

        return await asyncio.to_thread(run)

    async def adds(self, currency: str = "CNY") -> CardView:
        return await self.does(lambda store, vault: add(store, vault, currency, system_entropy))

    async def syncs(self, day: date | None = None) -> tuple[int, int, int, int, int]:
        today = day or SystemClock().now().date()
        found = await self.does(lambda store, vault: sync(store, vault, today))
        sizes = tuple(len(part) for part in found)
        return sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]

    async def held(self) -> list[tuple[str, str]]:
        return await self.does(lambda store, _: [(c.id, c.status) for c in store.cards()])


@pytest.fixture
async def phones(house: Living, operator: httpx.AsyncClient, tmp_path: Path) -> tuple[Phone, Phone]:
    """The phone that a wallet was made with, and a later one."""
    lin = await sign_up(operator, f"lin{next(_NUMBER)}", yuan=10)
    async with house.client(lin.key) as client:
        later = await post(client, "/v1/people/me/devices", {"name": "Watch"})
    return (
        Phone(tmp_path / "first", house.url, lin.key),
        Phone(tmp_path / "later", house.url, later["key"]),
    )


async def test_a_card_comes_to_the_first_phone_at_once(phones: tuple[Phone, Phone]) -> None:
    first, _ = phones
    card = await first.adds()
    assert await first.held() == [(card.id, "active")]
    (kept,) = await first.does(lambda store, _: store.cards())
    assert kept.last_four == card.last_four
    assert kept.profile.data.par == card.par
    assert await first.syncs() == (0, 0, 1, 0, 0)


async def test_a_later_phone_proves_itself_by_a_code(phones: tuple[Phone, Phone]) -> None:
    first, later = phones
    card = await later.adds()
    assert card.status == "waiting_code"
    assert await later.held() == []
    assert await later.syncs() == (0, 0, 0, 1, 0)
    shown = await first.does(lambda _, vault: vault.show_code(card.id))
    wrong = f"{(int(shown.code) + 1) % 10**6:06d}"
    with pytest.raises(VaultRefused, match="Tries left: 4"):
        await later.does(lambda store, vault: prove(store, vault, wrong))
    assert await later.held() == []
    await later.does(lambda store, vault: prove(store, vault, shown.code))
    assert await later.held() == [(card.id, "active")]
    with pytest.raises(Invalid, match="no card of this device waits"):
        await later.does(lambda store, vault: prove(store, vault, shown.code))


async def test_what_the_operator_confirms_is_fetched_by_the_next_sync(
    operator: httpx.AsyncClient, phones: tuple[Phone, Phone]
) -> None:
    first, later = phones
    async with httpx.AsyncClient(
        base_url=first.url, headers={"Authorization": f"Bearer {later.key}"}
    ) as client:
        devices = made(await client.get("/v1/people/me/devices"))["data"]
        made(await client.delete(f"/v1/people/me/devices/{devices[-1]['id']}"))
    card = await later.adds()
    assert card.status == "waiting_operator"
    await post(operator, f"/v1/cards/{card.id}/confirm")
    assert await later.syncs() == (1, 0, 1, 0, 0)
    with pytest.raises(VaultRefused):
        await first.syncs()


async def test_a_lost_answer_adds_no_second_card(
    phones: tuple[Phone, Phone], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = phones
    asks = Vault.add

    def lost(vault: Vault, currency: str, device_key: bytes, key: str) -> CardView:
        asks(vault, currency, device_key, key)
        raise VaultAway(vault.link.url, "the answer was lost")

    with monkeypatch.context() as patched:
        patched.setattr(Vault, "add", lost)
        with pytest.raises(VaultAway):
            await first.adds()
    assert await first.syncs() == (1, 0, 1, 0, 0)
    assert len(await first.does(lambda _, vault: vault.cards())) == 1


async def test_a_package_that_was_not_kept_is_fetched_again(
    phones: tuple[Phone, Phone], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = phones

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(DeviceStore, "add", crash)
        with suppress(KeyboardInterrupt), first.opened() as (store, vault):
            add(store, vault, "CNY", system_entropy)
    assert await first.held() == []
    assert await first.syncs() == (1, 0, 1, 0, 0)


async def test_a_new_folder_for_the_same_device_has_lost_its_cards(
    phones: tuple[Phone, Phone], tmp_path: Path
) -> None:
    first, _ = phones
    card = await first.adds()
    wiped = Phone(tmp_path / "wiped", first.url, first.key)
    await wiped.does(
        lambda store, vault: store.save_vault(
            VaultLink(
                url=wiped.url, key=wiped.key, secret=vault.link.secret, device_id=card.device_id
            )
        )
    )
    assert await wiped.syncs() == (0, 0, 0, 0, 1)
    assert await wiped.held() == []


async def test_suspended_and_removed_is_learnt(
    operator: httpx.AsyncClient, phones: tuple[Phone, Phone]
) -> None:
    first, _ = phones
    card = await first.adds()
    await first.does(lambda _, vault: vault.suspend(card.id))
    assert await first.syncs() == (0, 0, 1, 0, 0)
    assert await first.held() == [(card.id, "suspended")]
    await first.does(lambda _, vault: vault.resume(card.id))
    await first.syncs()
    assert await first.held() == [(card.id, "active")]
    await post(operator, f"/v1/cards/{card.id}/block")
    await first.syncs()
    assert await first.held() == [(card.id, "blocked")]
    made(await operator.delete(f"/v1/cards/{card.id}"))
    assert await first.syncs() == (0, 1, 0, 0, 0)
    assert await first.held() == []


async def test_a_card_is_renewed_in_its_last_month(
    operator: httpx.AsyncClient, phones: tuple[Phone, Phone]
) -> None:
    first, _ = phones
    card = await first.adds()
    soon = card.expiry - timedelta(days=20)
    assert await first.syncs(soon) == (0, 0, 1, 0, 0), "the vault goes by its own day"
    ahead = (soon - SystemClock().now().date()).days * 86_400
    while ahead > 0:
        step = {"seconds": min(ahead, 365 * 86_400)}
        made(await operator.post("/v1/sandbox/clock/advance", json=step))
        ahead -= step["seconds"]
    assert await first.syncs(soon) == (1, 1, 1, 0, 0)
    ((renewed, status),) = await first.held()
    assert (renewed != card.id, status) == (True, "active")
    (kept,) = await first.does(lambda store, _: store.cards())
    assert (kept.last_four, kept.profile.data.sequence) == (card.last_four, "01")
    assert await first.syncs(soon) == (0, 0, 1, 0, 0)


async def test_a_device_belongs_to_one_key(phones: tuple[Phone, Phone]) -> None:
    first, later = phones
    await first.adds()
    other = Phone(first.folder, later.url, later.key)
    with pytest.raises(DeviceTaken):
        await other.syncs()
    wrong = Phone(first.folder.parent / "x", first.url, "tk_dev_" + "A" * 43)
    with pytest.raises(VaultRefused):
        await wrong.syncs()
    assert (await first.syncs())[2] == 1


def test_without_a_vault_there_is_a_sentence(tmp_path: Path) -> None:
    with DeviceStore(tmp_path / "d", system_entropy) as store:
        with pytest.raises(NotConnected):
            connected(store)
        with pytest.raises(VaultAway):
            connect(store, "http://127.0.0.1:9", "key", system_entropy)
        assert store.vault() is None


@pytest.mark.parametrize("url", ["", "x", "http://shop.example", "ftp://127.0.0.1", "https://"])
def test_a_key_is_sent_to_nobody_in_the_clear(url: str) -> None:
    with pytest.raises(Invalid):
        vault_url(url)


async def test_the_program_adds_proves_and_lists(phones: tuple[Phone, Phone]) -> None:
    first, later = phones

    async def tandem(phone: Phone, *words: str, types: str = "") -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tandem", "device", *words, "--folder", str(phone.folder)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate(types.encode())
        return process.returncode, said.decode()

    status, said = await tandem(later, "add", "CNY")
    assert status == 1
    assert "tandem device connect URL" in said
    for phone in (first, later):
        status, said = await tandem(phone, "connect", phone.url, types=f"{phone.key}\n")
        assert (status, "This is a device of @lin" in said) == (0, True), said
    status, said = await tandem(later, "add", "cny")
    assert "tandem device code" in said
    status, said = await tandem(first, "code")
    code = next(word for word in said.split() if word.isdigit())
    status, said = await tandem(later, "prove", code)
    assert (status, "is on this device" in said) == (0, True), said
    status, said = await tandem(later, "suspend")
    assert (status, "pays no more" in said) == (0, True), said
    status, said = await tandem(later, "list")
    assert "suspended" in said
    status, said = await tandem(later, "resume")
    status, said = await tandem(later, "sync")
    assert "This device has 1 card." in said
    status, said = await tandem(first, "cards")
    device = next(word for word in said.split() if word.startswith("dev_"))
    status, said = await tandem(first, "lost", device)
    assert "1 card of" in said
    status, said = await tandem(later, "sync")
    assert "is lost: it does not pay" in said
    status, said = await tandem(later, "remove")
    assert (status, "is removed" in said) == (0, True), said
    assert (await tandem(later, "list"))[1].startswith("There is no card on this device")
