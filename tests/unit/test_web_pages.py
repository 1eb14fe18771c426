"""The pages: what they show, what they escape, how they refuse; health and the lifespan."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import structlog
from web_fakes import TOKEN, Services, make_app, make_client

from tandem.api.problems import ROWS
from tandem.kernel import Refused, currency
from tandem.payments import Landing
from tandem.tags import TagOff, TagTapUsed, TagWrong
from tandem.web.visitors import TEXTS, amount_of


@pytest.fixture
def services() -> Services:
    return Services()


@pytest.fixture
async def client(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    async with make_client(make_app(services)) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "kind", "words"),
    [
        ("/", "text/html", "run yourself"),
        ("/docs", "text/html", "/v1/things/{payment_id}"),
        ("/problems", "text/html", "insufficient_funds"),
        ("/openapi.json", "application/json", '"openapi": "3.1.0"'),
        ("/assets/tandem.css", "text/css", "color-scheme: light dark"),
        ("/assets/mark.svg", "image/svg+xml", "<svg"),
    ],
)
async def test_pages(client: httpx.AsyncClient, path: str, kind: str, words: str) -> None:
    response = await client.get(path)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith(kind)
    assert words in response.text
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-request-id"]
    assert "<script" not in response.text
    assert "style=" not in response.text
    head = await client.head(path)
    assert (head.status_code, head.content) == (200, b"")


async def test_the_reference_says_what_parameters_take(client: httpx.AsyncClient) -> None:
    text = re.sub(r"<[^>]*>", "", (await client.get("/docs")).text)
    assert "limit query, integer, 1 to 100, optional, default 20" in text
    assert "Idempotency-Key header, string, 1 to 255 characters" in text


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.example.code)
async def test_every_problem_has_its_page(client: httpx.AsyncClient, row: object) -> None:
    code = row.example.code  # type: ignore[attr-defined]  # a Row; ids want an object
    response = await client.get(f"/problems/{code}")
    assert response.status_code == 200
    assert code in response.text


async def test_pages_refuse_as_the_api_does(client: httpx.AsyncClient) -> None:
    for path in ("/nothing", "/docs/", "/problems/nothing", "/v1", "/c", "/%00"):
        response = await client.get(path)
        assert response.status_code == 404, path
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["request_id"] == response.headers["x-request-id"]
    response = await client.post("/docs")
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert response.headers["allow"] == "GET, HEAD"


async def test_a_code_of_an_order(client: httpx.AsyncClient, services: Services) -> None:
    services.payments.known[TOKEN] = Landing(
        "East Gate", "Blue Door", 123_456_789, "CNY", "created"
    )
    response = await client.get(f"/c/{TOKEN}")
    assert response.status_code == 200
    assert "East Gate" in response.text
    assert "Blue Door" in response.text
    assert ">¥1,234,567.89<" in response.text
    assert '<span class="currency">¥</span>1,234,567<span class="decimals">.89<' in response.text
    assert "Open your wallet" in response.text
    assert "you confirm it in your wallet" in response.text
    assert response.headers["x-robots-tag"] == "noindex, nofollow"
    assert response.headers["cache-control"] == "no-store"
    assert 'name="robots"' in response.text


@pytest.mark.parametrize("status", ["captured", "expired", "declined", "cancelled", "refunded"])
async def test_a_code_that_is_over(
    client: httpx.AsyncClient, services: Services, status: str
) -> None:
    services.payments.known[TOKEN] = Landing("East Gate", "Blue Door", 500, "JPY", status)
    text = (await client.get(f"/c/{TOKEN}")).text
    assert "Open your wallet" not in text
    assert "Nothing is paid" not in text
    assert ">¥500<" in text


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en;q=0.4, zh-TW;q=0.7", "zh"),
        ("de-DE,de;q=0.9,zh;q=0.2,en;q=0.1", "zh"),
        ("en-GB,zh;q=0.9", "en"),
        ("zh;q=0, en", "en"),
        ("zh;q=much", "en"),
        ("de,*;q=0.1", "en"),
        ("", "en"),
    ],
)
async def test_visitors_read_their_language(
    client: httpx.AsyncClient, services: Services, accepted: str, language: str
) -> None:
    services.payments.known[TOKEN] = Landing("East Gate", "Blue Door", 1700, "CNY", "created")
    services.payments.tags[TOKEN, ""] = TagOff()
    words = {
        f"/c/{TOKEN}": {"en": "Open your wallet", "zh": "请打开钱包"},
        f"/c/{TOKEN[1:]}": {"en": "Nothing was paid", "zh": "没有付款"},
        f"/t/{TOKEN}": {"en": "switched off", "zh": "已停用"},
    }
    for path, said in words.items():
        text = (await client.get(path, headers={"accept-language": accepted})).text
        assert f'<html lang="{language}">' in text
        assert said[language] in text


def test_visitors_texts_are_in_both_languages() -> None:
    assert TEXTS["en"].keys() == TEXTS["zh"].keys()


@pytest.mark.parametrize(
    ("minor", "code", "language", "shown", "fit"),
    [
        (1700, "CNY", "zh", "¥17.00", "free"),
        (1700, "CHF", "en", "CHF\N{NO-BREAK SPACE}17.00", "free"),
        (1700, "CZK", "en", "Kč\N{NO-BREAK SPACE}17.00", "free"),
        (1700, "TWD", "zh", "NT$17.00", "free"),
        (1700, "TWD", "en", "$17.00", "free"),
        (1700, "KWD", "en", "KWD\N{NO-BREAK SPACE}1.700", "free"),
        (123_456_789, "CNY", "en", "¥1,234,567.89", "snug"),
        (10**15, "JPY", "en", "¥1,000,000,000,000,000", "tight"),
    ],
)
def test_amounts_are_written_as_the_wallet_writes_them(
    minor: int, code: str, language: str, shown: str, fit: str
) -> None:
    amount = amount_of(minor, currency(code), language)
    assert (amount.text, amount.fit) == (shown, fit)


async def test_a_static_code(client: httpx.AsyncClient, services: Services) -> None:
    services.payments.known[TOKEN] = Landing("Blue Door", "Blue Door", None, None, None)
    text = (await client.get(f"/c/{TOKEN}")).text
    assert "You type the amount" in text
    assert text.count("Blue Door") == 1


async def test_a_tap(client: httpx.AsyncClient, services: Services) -> None:
    landing = Landing("East Gate", "Blue Door", None, None, None)
    services.payments.tags[TOKEN, "picc_data=1&cmac=2"] = landing
    response = await client.get(f"/t/{TOKEN}?picc_data=1&cmac=2")
    assert response.status_code == 200
    assert "hold the phone to the tag" in response.text
    assert response.headers["cache-control"] == "no-store"
    unknown = await client.get(f"/t/{TOKEN}?picc_data=1&cmac=3")
    assert unknown.status_code == 404
    assert "Nothing was paid" in unknown.text


@pytest.mark.parametrize(
    ("refused", "status"), [(TagWrong(), 422), (TagTapUsed(), 409), (TagOff(), 409)]
)
async def test_a_tap_that_cannot_be_paid_by(
    client: httpx.AsyncClient, services: Services, refused: Refused, status: int
) -> None:
    services.payments.tags[TOKEN, ""] = refused
    response = await client.get(f"/t/{TOKEN}")
    assert response.status_code == status
    assert TEXTS["en"][f"problem.{refused.code}"] in response.text
    assert "Nothing was paid" in response.text
    assert response.headers["cache-control"] == "no-store"


async def test_names_are_only_text(client: httpx.AsyncClient, services: Services) -> None:
    name = "<script>alert(1)</script>\u202e&\x1b[31m\"'" + "x" * 500
    services.payments.known[TOKEN] = Landing(name, name + "!", 1, "CNY", "created")
    text = (await client.get(f"/c/{TOKEN}")).text
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "\u202e" not in text
    assert "\x1b" not in text
    assert "x" * 101 not in text


@pytest.mark.parametrize(
    "token", ["B" * 20, "short", "A" * 33, "..%2f..%2fetc", "%00" * 20, "é" * 20]
)
async def test_unknown_codes_are_told_kindly(client: httpx.AsyncClient, token: str) -> None:
    response = await client.get(f"/c/{token}")
    assert response.status_code == 404
    if "%2f" not in token:
        assert "Nothing was paid" in response.text
        assert response.headers["x-robots-tag"] == "noindex, nofollow"


async def test_a_page_that_fails_shows_nothing(
    client: httpx.AsyncClient, services: Services
) -> None:
    services.payments.known = None  # type: ignore[assignment]  # to make it fail
    with structlog.testing.capture_logs() as logs:
        response = await client.get(f"/c/{TOKEN}")
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert [line["error"] for line in logs] == ["TypeError"]


async def test_health(client: httpx.AsyncClient, services: Services) -> None:
    assert (await client.get("/healthz")).json() == {"status": "alive"}
    assert (await client.get("/readyz")).json() == {
        "status": "ready",
        "database": "ok",
        "journal": "ok",
    }
    services.pool.away = True
    services.journal.running = False
    with structlog.testing.capture_logs() as logs:
        response = await client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"status": "not ready", "database": "away", "journal": "away"}
    assert "hunter2" not in str(logs)
    assert (await client.get("/healthz")).status_code == 200


async def test_the_lifespan_is_entered_and_left() -> None:
    told = []

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        told.append("started")
        yield
        told.append("stopped")

    app = make_app(Services(), lifespan=lifespan)
    messages: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    sent = []

    async def send(message: object) -> None:
        sent.append(message)

    messages.put_nowait({"type": "lifespan.startup"})
    messages.put_nowait({"type": "lifespan.shutdown"})
    await app({"type": "lifespan"}, messages.get, send)
    assert told == ["started", "stopped"]
    assert [message["type"] for message in sent] == [  # type: ignore[index]  # dicts, by ASGI
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
