"""Paying by tap: a card comes onto a watch, which pays at a till and at a gate, and is lost."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from tandem.cards import CardView
from tandem.emv.terminal import Knowledge, Message, UiRequest
from tandem.merchants import WayRefused
from tandem.sandbox.story.cast import Scene
from tandem.sandbox.story.client import Json
from tandem.sandbox.story.errors import StoryBroke, expect
from tandem.sandbox.story.page import yuan
from tandem.sandbox.story.reader import Reader, reader_for
from tandem.tap import (
    Device,
    DeviceStore,
    Online,
    Payment,
    Reply,
    Secret,
    TapCancelled,
    TerminalSettings,
    TerminalStore,
    Till,
    Vault,
    VaultLink,
    read_terminal_settings,
    receipt,
)
from tandem.tap.provisioning import add, connect, connected, prove, settle
from tandem.till import PolicyWatch, RestOnline, fetch_trusted, open_tandem, watched
from tandem.till.rest import tap_body

NOODLES = 8_000
FARE = 600
SNACK = 1_500
TEA = 2_200
_PASSCODE = "204816"
_ANSWER_SECONDS = 15.0
_LOOK_SECONDS = 0.01
_SHOP = 5814
_TRANSIT = 4111
_SETTINGS = """\
currency = "CNY"
zone = "Asia/Shanghai"
trusted = "trusted.json"
wait_seconds = 20

[shop]
name = "{name}"
country = 156
category = {category}
merchant = "BLUE DOOR"
terminal = "{terminal}"

[[aids]]
aid = "F074616E6401"
transaction_limit = 100000
floor_limit = 2000
cvm_limit = 5000
transit = {transit}

[tandem]
url = "{url}"
till = "{till}"
key_file = "till.key"
"""


class Overheard:
    """The way to Tandem, with somebody who listens on it."""

    def __init__(self, online: Online) -> None:
        self._online = online
        self.said: tuple[Payment, Secret] | None = None

    async def authorise(self, payment: Payment, secret: Secret, *, repeat: bool) -> Reply:
        """Ask, overheard."""
        self.said = payment, secret
        return await self._online.authorise(payment, secret, repeat=repeat)

    async def advise(self, payment: Payment, secret: Secret, *, repeat: bool) -> Reply:
        """Tell of what was approved without it."""
        return await self._online.advise(payment, secret, repeat=repeat)

    async def reverse(self, payment: Payment, secret: Secret, *, repeat: bool) -> Reply:
        """Take back what was not answered."""
        return await self._online.reverse(payment, secret, repeat=repeat)


@dataclass(frozen=True, slots=True)
class Counter:
    """A till with its terminal, and the reader that the watch is held to."""

    till: Till
    settings: TerminalSettings
    online: Overheard
    policy: PolicyWatch
    reader: Reader
    shown: list[Message]
    path: str

    async def take(self, watch: Device, amount: int) -> Payment:
        """Take a payment while the watch is held to the reader."""
        with self.reader.holding(watch):
            return await self.till.take(amount)


async def tap(scene: Scene) -> None:
    """The whole of it, in a folder of its own that goes afterwards."""
    with tempfile.TemporaryDirectory(prefix="tandem-story-") as name:
        folder = Path(name)
        with (
            DeviceStore(folder / "watch", scene.entropy) as store,
            Vault(await _connected(scene, store)) as vault,
        ):
            card = await _card(scene, store, vault)
            watch = Device(store, scene.clock, scene.entropy)
            await asyncio.to_thread(watch.set_passcode, _PASSCODE)
            with reader_for(watch, scene.entropy) as reader:
                key = await _key(scene)
                async with _counter(scene, folder / "till", reader, key) as counter:
                    await _approved(scene, counter, watch, vault)
                    await _unverified(scene, counter, watch, folder, key)
                    await _replayed(scene, counter)
                    await _switched_off(scene, counter)
                    await _lost(scene, counter, watch, card)


# -- the card --------------------------------------------------------------------------------------


async def _connected(scene: Scene, store: DeviceStore) -> VaultLink:
    """Lin's watch, connected under a key of its own."""
    page, lin = scene.page, scene.cast.lin
    page.scene("Tap: a card comes onto a watch, proved on the phone")
    made = await lin.api.post("/v1/people/me/devices", {"name": "Lin's watch"})
    page.step("Lin", "adds a watch to the wallet, which gets a key of its own", made)
    handle = await asyncio.to_thread(connect, store, scene.url, made["key"], scene.entropy)
    expect(handle == lin.handle, "the watch is Lin's", handle)
    return connected(store)


async def _card(scene: Scene, store: DeviceStore, vault: Vault) -> CardView:
    """A card on the watch, by a one-time code that the phone shows."""
    page, lin = scene.page, scene.cast.lin
    page.note("(The operator's first card makes its keys, which takes some seconds.)")
    card = await asyncio.to_thread(add, store, vault, "CNY", scene.entropy)
    expect(card.status == "waiting_code", "a later device has to be proved", card)
    expect(store.cards() == (), "nothing is handed out before", store.cards())
    page.step("Watch", "makes a key pair and asks for a card: it waits for a code")
    shown = await lin.api.post(f"/v1/people/me/cards/{card.id}/code")
    page.step("Lin", f"reads the code on the phone: {shown['code']}", shown)
    card = await asyncio.to_thread(prove, store, vault, shown["code"], card.id)
    expect(card.status == "active", "the card is active", card)
    page.step("Watch", "takes the code, and fetches what is sealed for its key")
    (held,) = store.cards()
    expect(held.last_four == card.last_four, "the package is that card's", card)
    page.good(
        f"A card ending in {card.last_four}, with a number and keys of its own: "
        "nobody but the vault knows whose balance it stands for"
    )
    return card


async def _key(scene: Scene) -> str:
    """A key for terminals: it takes taps, and sees nothing."""
    body = {"name": "Terminals", "scopes": ["taps:write"]}
    made = await scene.cast.merchant.post("/v1/keys", body)
    scene.page.scene("Tap: the watch at the till")
    scene.page.step("Blue Door", "makes a key that can take taps and nothing else", made)
    key: str = made["secret"]
    return key


@contextlib.asynccontextmanager
async def _counter(
    scene: Scene, folder: Path, reader: Reader, key: str, gate: Json | None = None
) -> AsyncIterator[Counter]:
    """A terminal at the till of East Gate, or at a gate of public transport."""
    till, name = (scene.cast.till, "Blue Door") if gate is None else (gate, "Blue Door Bus")
    _files(folder, key)
    settings = read_terminal_settings(
        _SETTINGS.format(
            name=name,
            category=_SHOP if gate is None else _TRANSIT,
            terminal="TILL1" if gate is None else "GATE1",
            transit="false" if gate is None else "true",
            url=scene.url,
            till=till["id"],
        ).encode()
    )
    shown: list[Message] = []

    def show(ui: UiRequest) -> None:
        shown.append(ui.message)
        scene.page.lights(ui)
        if ui.message is Message.SEE_PHONE:
            made.till.cancel()  # in the story nobody comes back with a passcode

    async with open_tandem(settings.tandem, folder) as tandem, watched(tandem) as policy:
        expect(await policy.heard(_ANSWER_SECONDS), "the terminal learns what its till accepts")
        knowledge = Knowledge(trusted=await fetch_trusted(tandem))
        online = Overheard(RestOnline(tandem))
        with TerminalStore(folder, scene.entropy) as store:
            device = Till(
                *(settings, knowledge, store, reader.field, online, policy),
                *(scene.clock, scene.entropy, show),
            )
            made = Counter(device, settings, online, policy, reader, shown, tandem.path)
            yield made


def _files(folder: Path, key: str) -> None:
    folder.mkdir(mode=0o700)
    file = folder / "till.key"
    file.touch(mode=0o600)
    file.write_text(key)


# -- the taps --------------------------------------------------------------------------------------


async def _approved(scene: Scene, counter: Counter, watch: Device, vault: Vault) -> None:
    """Online with the issuer's answer, and offline, sent on afterwards."""
    page = scene.page
    page.note(f"The taps go {counter.reader.name}.")
    page.step("Lin", f"types the passcode and holds the watch to the reader: {yuan(NOODLES)}")
    await asyncio.to_thread(watch.verify, _PASSCODE)
    paid = await counter.take(watch, NOODLES)
    expect(paid.approved and not paid.offline, "the payment is approved online", paid)
    page.slip(receipt(paid, counter.settings.shop))
    atc = paid.atc or 0
    found = await asyncio.to_thread(settle, watch, vault, watch.tapped, atc, _ANSWER_SECONDS)
    expect(found is not None and found.issuer_answer, "the issuer's answer comes", found)
    page.good("The issuer's answer reaches the watch, which checks that it is the issuer's")
    await scene.lin_sees.wait("payment.captured", found.payment.id if found else "")
    page.good("Lin's phone shows the payment, too")
    page.step("Lin", f"taps for a snack of {yuan(SNACK)}: below the floor limit nobody is asked")
    snack = await counter.take(watch, SNACK)
    expect(snack.approved and snack.offline, "watch and terminal approve it alone", snack)
    settled = await counter.till.send_due()
    expect(len(settled) == 1, "the approval is sent on", settled)
    page.good("Approved offline, kept on the terminal's disk, and sent on")


async def _unverified(
    scene: Scene, counter: Counter, watch: Device, folder: Path, key: str
) -> None:
    """Refused at the shop, approved at a gate."""
    page = scene.page
    page.scene("Tap: without a passcode, at a shop and at a gate")
    page.step("Lin", f"holds the watch to the till for {yuan(NOODLES)}, without the passcode")
    with contextlib.suppress(TapCancelled):
        await counter.take(watch, NOODLES)
    expect(Message.SEE_PHONE in counter.shown, "the watch asks for its passcode", counter.shown)
    page.no("Above the limit a verified person is asked for. Nothing was paid")
    stop = {"name": "Blue Door Bus", "city": "Hangzhou", "country": "CN", "category": "4111"}
    shop = await scene.cast.merchant.post("/v1/shops", stop)
    gate = await scene.cast.merchant.post(f"/v1/shops/{shop['id']}/tills", {"name": "Gate 1"})
    page.step("Blue Door", "runs a bus, too, with a reader at its door", gate)
    async with _counter(scene, folder / "gate", counter.reader, key, gate.body) as door:
        ridden = await door.take(watch, FARE)
    expect(ridden.approved, "the fare is paid", ridden)
    page.good(f"A fare of {yuan(FARE)} passes at once: small amounts at gates need no passcode")


async def _replayed(scene: Scene, counter: Counter) -> None:
    """Who heard everything that the terminal said can do nothing with it."""
    page = scene.page
    page.scene("Tap: a cryptogram is replayed")
    said = counter.online.said
    assert said is not None, "a payment went online"
    payment, secret = said
    terminal = scene.cast.merchant
    more = {"amount": 10 * payment.amount}
    for what, change in (("the same amount", {}), ("ten times as much", more)):
        body = tap_body(payment, secret) | change
        answer = await terminal.post(f"{counter.path}/taps", body)
        expect(not answer["approved"], "a replay is declined", answer.body)
        expect(answer["response_code"] == "63", "as a security violation", answer.body)
        page.step("Somebody", f"sends what they overheard again, for {what}", answer)
    page.no("Declined: 63, security violation. A cryptogram pays its own amount, once")


async def _switched_off(scene: Scene, counter: Counter) -> None:
    """The shop takes no tap any more; its code does."""
    page, shop = scene.page, scene.cast.merchant
    page.scene("Tap is switched off, and the code on the screen takes over")
    took = await _accepts(scene, counter, tap_on=False)
    page.good(f"The terminal knows it {took} ms later, by the till's own live stream")
    try:
        await counter.till.take(TEA)
        expect(condition=False, wanted="no tap is taken")
    except WayRefused as refused:
        page.no(refused.sentence())
    order = {"till_id": scene.cast.till["id"], "amount": TEA, "currency": "CNY"}
    made = await shop.post("/v1/payments", order | {"description": "Tea for two"})
    code = await shop.get(f"/v1/payments/{made['id']}/code")
    page.step("Till 1", f"shows a code for {yuan(TEA)} instead", code)
    paid = await scene.cast.lin.api.post("/v1/wallet/payments", {"code": code["payload"]})
    expect(paid["status"] == "captured", "the code is paid", paid.body)
    page.step("Lin", "scans it with the phone and pays", paid)


async def _lost(scene: Scene, counter: Counter, watch: Device, card: CardView) -> None:
    """Whoever found the watch buys nothing with it."""
    page, lin = scene.page, scene.cast.lin
    page.scene("Tap: the watch is lost")
    await _accepts(scene, counter, tap_on=True)
    lost = await lin.api.post(f"/v1/people/me/devices/{card.device_id}/lost")
    expect([one["status"] for one in lost["data"]] == ["lost"], "its card is lost", lost.body)
    page.step("Lin", "reports it on the phone", lost)
    page.step("Somebody", f"holds the watch to the till for {yuan(TEA)}")
    tried = await counter.take(watch, TEA)
    expect(not tried.approved and tried.response_code == "41", "it is declined as lost", tried)
    newest = (await scene.cast.merchant.get("/v1/payments?limit=1"))["data"][0]
    await scene.lin_sees.wait("payment.declined", newest["id"])
    mine = await lin.api.get(f"/v1/wallet/payments/{newest['id']}")
    expect(mine["decline_reason"] == "card_lost", "Lin is told why", mine.body)
    page.no("Declined: 41, lost card. Only the operator can undo that")
    page.step("Lin", "sees on the phone that somebody tried", mine)


async def _accepts(scene: Scene, counter: Counter, *, tap_on: bool) -> int:
    """Switch tap on or off at the shop. How long until the terminal knows, in milliseconds."""
    loop = asyncio.get_running_loop()
    path = f"/v1/shops/{scene.cast.gate['id']}/acceptance"
    policy = {} if tap_on else {"ways": {"tap": {"enabled": False}}}
    began = loop.time()
    done = await scene.cast.merchant.put(path, policy)
    says = "takes taps again" if tap_on else "takes no taps any more at East Gate"
    scene.page.step("Blue Door", says, done)
    while loop.time() < began + _ANSWER_SECONDS:
        known = counter.policy.current()
        if known is not None and known.rule("tap").enabled is tap_on:
            return int((loop.time() - began) * 1000)
        await asyncio.sleep(_LOOK_SECONDS)
    raise StoryBroke("the terminal learns what its shop accepts", "the policy before")
