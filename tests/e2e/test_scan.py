"""Scanning: by a camera that really sees a code, a picture, a tag; and what is none of ours."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from browsing import DESK, Look, Screen, Stage, type_amount
from filming import film, picture_of, seeing
from living import made, post

FOREIGN = "https://pay.elsewhere.example/order?id=7"


@asynccontextmanager
async def filmed(stage: Stage, path: Path, look: Look | None = None) -> AsyncIterator[Screen]:
    """A phone whose camera sees a film."""
    async with seeing(path) as browser:
        filming = replace(stage, browser=browser)
        async with filming.phone(stage.lin, look) as phone:
            yield phone


BY_CAMERA = [Look(), Look("zh", "dark", DESK)]


@pytest.mark.parametrize("look", BY_CAMERA, ids=lambda look: look.name)
async def test_the_camera_finds_an_orders_code(stage: Stage, tmp_path: Path, look: Look) -> None:
    order = await stage.order(1900)
    path = film(tmp_path / "order.y4m", None)
    async with filmed(stage, path, look) as phone:
        await phone.open("/wallet/scan")
        await phone.page.wait_for_function("() => document.querySelector('video')?.videoWidth > 0")
        await phone.seen("wallet-camera")
        # the page is left: the camera is off
        await phone.page.evaluate(
            "() => window.track = document.querySelector('video').srcObject.getTracks()[0]"
        )
        await phone.role("link", "Back|返回").click()
        await phone.page.wait_for_function("() => window.track.readyState === 'ended'")
    film(path, order["code"]["payload"])
    async with filmed(stage, path, look) as phone:
        await phone.role("link", "^(Scan|扫一扫)$").click()
        await phone.role("button", "19.00").click()
        await phone.role("heading", "^(Paid|付款成功)$").wait_for()


async def test_the_camera_finds_a_sticker_by_its_link(stage: Stage, tmp_path: Path) -> None:
    async with filmed(stage, film(tmp_path / "sticker.y4m", stage.shop.code)) as phone:
        await phone.open("/wallet/scan")
        await phone.role("heading", "Blue Door").wait_for()
        await type_amount(phone, "3")
        await phone.role("button", "Pay ¥3.00").click()
        await phone.role("heading", "^Paid$").wait_for()


async def test_a_foreign_link_is_text_and_is_not_opened(stage: Stage, tmp_path: Path) -> None:
    async with filmed(stage, film(tmp_path / "foreign.y4m", FOREIGN)) as phone:
        asked: list[str] = []
        phone.page.on("request", lambda request: asked.append(request.url))
        await phone.open("/wallet/scan")
        await phone.page.get_by_text("pay.elsewhere.example", exact=True).wait_for()
        await phone.page.get_by_text(FOREIGN).wait_for()
        await phone.seen("wallet-foreign")
        assert phone.page.url.endswith("/wallet/scan")
        assert all(url.startswith(stage.server.url) for url in asked)
        assert not any("scans" in url for url in asked)  # nobody is told what was scanned


async def test_a_camera_that_is_not_allowed_leaves_other_ways(stage: Stage) -> None:
    async with stage.phone(stage.lin) as phone:
        # Chromium without a desktop's parts has nobody to ask: this is how others say no.
        await phone.page.add_init_script(
            "Object.defineProperty(navigator.mediaDevices, 'getUserMedia', { value: () =>"
            " Promise.reject(new DOMException('Permission denied', 'NotAllowedError')) });"
        )
        await phone.open("/wallet/scan")
        await phone.page.get_by_text("The camera is not allowed here.").wait_for()
        await phone.seen("wallet-camera-refused")


async def links(stage: Stage) -> tuple[str, str]:
    """The paths of the links of a red packet of Mei's, and of a payment link of the shop's."""
    packet = {"amount": 200, "currency": "CNY", "shares": 1, "division": "equal"}
    async with stage.server.client(stage.mei.key) as mei:
        made_packet = await post(mei, "/v1/wallet/packets", packet)
        shared = made(await mei.get(f"/v1/wallet/packets/{made_packet['id']}/link"))["url"]
    link = {"shop_id": stage.shop.shop_id, "description": "Tea", "currency": "CNY", "amount": 900}
    async with stage.server.client(stage.shop.key) as shop:
        pay = (await post(shop, "/v1/payment-links", link))["url"]
    return shared[shared.index("/wallet/") :], pay[pay.index("/checkout/") :]


async def test_without_a_camera_a_picture_does(stage: Stage) -> None:
    order = await stage.order(700)
    payload = order["code"]["payload"]
    damaged = payload[:-1] + ("0" if payload[-1] != "0" else "1")
    packet, pay = await links(stage)
    async with stage.phone(stage.lin) as phone:
        await phone.open("/wallet/scan")
        choose = phone.page.get_by_label("Choose a picture")

        async def chosen(name: str, content: bytes) -> None:
            await choose.set_input_files({"name": name, "mimeType": "image/png", "buffer": content})

        await chosen("words.png", b"no picture")
        await phone.page.get_by_text("This is no picture that can be read.").wait_for()
        await chosen("empty.png", picture_of("x").crop((0, 0, 90, 90)).tobytes())
        await phone.page.get_by_text("This is no picture that can be read.").wait_for()
        for text, told in (
            (None, "There is no code in this picture."),
            ("283456789065134296", "That is a pay code, which a person shows"),
            ("WIFI:T:WPA;S:home;P:secret;;", "This is no shop’s code."),
            (f"https://elsewhere.example{packet}", "This is a link of another wallet’s."),
            (damaged, "This code is damaged."),
        ):
            drawn = io.BytesIO()
            photo = picture_of(text or "x")
            (photo if text else photo.crop((0, 0, 90, 90))).save(drawn, "PNG")
            await chosen("code.png", drawn.getvalue())
            await phone.page.get_by_text(told).wait_for()
        await phone.page.get_by_text("There is no code in this picture.").wait_for(state="detached")
        drawn = io.BytesIO()
        picture_of(payload).convert("RGB").save(drawn, "JPEG", quality=70)
        await chosen("photo.jpg", drawn.getvalue())
        await phone.role("button", "Pay ¥7.00").click()
        await phone.role("heading", "^Paid$").wait_for()

        # links to pages of ours lead there: a red packet's from a picture, a payment link's as text
        await phone.open("/wallet/scan")
        drawn = io.BytesIO()
        picture_of(f"{stage.server.url}{packet}").save(drawn, "PNG")
        await chosen("packet.png", drawn.getvalue())
        await phone.role("button", "Open").wait_for()
        assert phone.page.url == f"{stage.server.url}{packet}"
        await phone.open("/wallet/scan")
        await phone.page.get_by_label("The code’s text or link").fill(f"{stage.server.url}{pay}")
        await phone.role("button", "Look it up").click()
        await phone.page.get_by_text("Tea").wait_for()
        assert phone.page.url == f"{stage.server.url}{pay}"


FAKE_READER = """
    window.NDEFReader = class extends EventTarget {
        async scan({ signal }) {
            window.reading = (url) => {
                const data = new DataView(new TextEncoder().encode(url).buffer);
                const event = new Event('reading');
                event.message = { records: [{ recordType: 'url', data }] };
                this.dispatchEvent(event);
            };
            signal.addEventListener('abort', () => { window.stopped = true; });
        }
    };
"""


async def test_a_tag_is_read_where_the_browser_reads_them(stage: Stage) -> None:
    async with stage.phone(stage.lin) as phone:
        await phone.open("/wallet/scan")
        await phone.page.get_by_label("Choose a picture").wait_for()
        assert await phone.role("button", "Hold to a tag").count() == 0
        await phone.page.add_init_script(FAKE_READER)
        await phone.page.reload()
        await phone.role("button", "Hold to a tag").click()
        await phone.page.get_by_text("Hold the back of the phone").wait_for()
        await phone.seen("wallet-tag")
        await phone.page.evaluate("url => window.reading(url)", stage.shop.code)
        await phone.role("heading", "Blue Door").wait_for()
        assert await phone.page.evaluate("() => window.stopped")
        await type_amount(phone, "4")
        await phone.role("button", "Pay ¥4.00").click()
        await phone.role("heading", "^Paid$").wait_for()
