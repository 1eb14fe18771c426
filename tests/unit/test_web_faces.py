"""The web apps as they are served: headers, caching, compression, and what is not there."""

import gzip
from collections.abc import AsyncIterator, Mapping

import httpx
import pytest
from web_fakes import OPERATIONS, TOKEN, Services, make_app, make_client, problem

from tandem.payments import Landing
from tandem.settings import Settings
from tandem.web.application import create_app
from tandem.web.faces import File, accepted_encodings, built_files, dressed, made_file

PAGE = b"<!doctype html><p>wallet"
SCRIPT = b"let money = 1n;" * 20
CONTENTS = {
    "wallet/index.html": PAGE,
    "wallet/index.html.br": b"br of the page",
    "wallet/index.html.gz": gzip.compress(PAGE),
    "wallet/sw.js": b"self",
    "wallet/manifest.webmanifest": b"{}",
    "gallery/index.html": b"<!doctype html><p>gallery",
    "checkout/index.html": b"<!doctype html><p>checkout",
    "checkout/1.0.0/checkout.js": b"old",
    "checkout/1.10.0/checkout.js": b"newest",
    "checkout/1.9.0/checkout.js": b"newer",
    "assets/main-abc.js": SCRIPT,
    "assets/main-abc.js.br": b"br of the script",
    "assets/inter.woff2": b"wOF2",
    "assets/base-abc.css": b"a{color:red}@font-face{font-family:Inter;src:url(/apps/assets/i)}b{}",
    "assets/reader.wasm": b"\0asm",
    "assets/reader.wasm.br": b"br of the reader",
    "icons/mark.svg": b"<svg/>",
}
BUILT: Mapping[str, File] = {
    path: made_file(path, content, CONTENTS)
    for path, content in CONTENTS.items()
    if not path.endswith((".br", ".gz"))
}


def client_of(settings: Settings) -> httpx.AsyncClient:
    return make_client(create_app(Services(settings), OPERATIONS, built=BUILT, tick=lambda: 0.0))


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(Settings(mode="sandbox")) as client:
        yield client


async def test_only_the_wallets_page_may_compile_webassembly(client: httpx.AsyncClient) -> None:
    rules = {
        path: (await client.get(path)).headers["content-security-policy"].split("; ")
        for path in ("/wallet/scan", "/gallery/", "/apps/assets/main-abc.js")
    }
    assert "script-src 'self' 'wasm-unsafe-eval'" in rules["/wallet/scan"]
    for policy in rules.values():
        assert not any("'unsafe-" in rule for rule in policy)
        assert "require-trusted-types-for 'script'" in policy
    del rules["/wallet/scan"]
    for policy in rules.values():
        assert "script-src 'self'" in policy
    reader = await client.get("/apps/assets/reader.wasm", headers={"accept-encoding": "br"})
    assert reader.headers["content-type"] == "application/wasm"
    assert reader.headers["content-encoding"] == "br"


async def test_other_pages_load_the_faces_type(client: httpx.AsyncClient) -> None:
    style = await client.get("/assets/tandem.css")
    assert style.text.startswith("@font-face{font-family:Inter;src:url(/apps/assets/i)}\n/*")
    policy = (await client.get("/")).headers["content-security-policy"]
    assert "font-src 'self'" in policy


@pytest.mark.parametrize("path", ["/wallet/", "/wallet/pay", "/wallet/payments/pay_01/x"])
async def test_every_page_of_a_face_is_its_page(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, headers={"accept-encoding": "identity"})
    assert (answer.status_code, answer.content) == (200, PAGE)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    policy = answer.headers["content-security-policy"]
    for rule in (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "style-src 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ):
        assert rule in policy.split("; ")
    assert "'unsafe-" not in policy
    assert "camera=(self)" in answer.headers["permissions-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert "strict-transport-security" not in answer.headers


async def test_pages_are_in_the_operators_colour() -> None:
    tag = b'<meta name="accent" content="#123A5C" />'
    contents = {"wallet/index.html": tag, "wallet/index.html.br": b"br", "assets/a.js": tag}
    built = {
        path: made_file(path, contents[path], contents)
        for path in ("wallet/index.html", "assets/a.js")
    }
    for accent in ("#123A5C", "#7A0000"):
        app = create_app(Services(Settings(accent=accent)), OPERATIONS, built=built)
        async with make_client(app) as client:
            for accept in ("identity", "gzip"):
                page = await client.get("/wallet/", headers={"accept-encoding": accept})
                assert page.content == tag.replace(b"#123A5C", accent.encode())
            assert (await client.get("/apps/assets/a.js")).content == tag
            # what was compressed when it was built has the colour of then
            packed = await client.get("/wallet/", headers={"accept-encoding": "br"})
            assert ("content-encoding" in packed.headers) == (accent == "#123A5C")


async def test_the_face_itself_leads_to_its_first_page(client: httpx.AsyncClient) -> None:
    answer = await client.get("/wallet")
    assert (answer.status_code, answer.headers["location"]) == (308, "/wallet/")


async def test_over_tls_browsers_come_by_nothing_else() -> None:
    async with client_of(Settings(public_url="https://pay.example")) as client:
        for path in ("/", "/wallet/", "/docs"):
            header = (await client.get(path)).headers["strict-transport-security"]
            assert int(header.removeprefix("max-age=")) >= 31_536_000


@pytest.mark.parametrize(
    ("accept", "encoding", "content"),
    [
        ("br, gzip", "br", b"br of the page"),
        ("gzip;q=1.0, br;q=0", "gzip", gzip.compress(PAGE)),
        ("*", "br", b"br of the page"),
        ("*;q=0, gzip", "gzip", gzip.compress(PAGE)),
        ("deflate", None, PAGE),
        ("br;q=x", None, PAGE),
        ("", None, PAGE),
    ],
)
async def test_compression(
    client: httpx.AsyncClient, accept: str, encoding: str | None, content: bytes
) -> None:
    request = client.build_request("GET", "/wallet/", headers={"accept-encoding": accept})
    answer = await client.send(request, stream=True)
    assert b"".join([part async for part in answer.aiter_raw()]) == content
    assert answer.headers.get("content-encoding") == encoding
    assert answer.headers["vary"] == "accept-encoding"
    assert answer.headers["content-length"] == str(len(content))


async def test_each_form_has_its_own_tag(client: httpx.AsyncClient) -> None:
    tags = set()
    for accept in ("br", "gzip", "identity"):
        headers = {"accept-encoding": accept}
        tag = (await client.head("/wallet/", headers=headers)).headers["etag"]
        for known in (tag, f'W/{tag}, "x"', "*"):
            again = await client.get("/wallet/", headers=headers | {"if-none-match": known})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == tag
            assert again.headers["vary"] == "accept-encoding"
            assert again.headers["cache-control"] == "no-cache"
        other = await client.get("/wallet/", headers={"if-none-match": f'"{tag[2:]}'})
        assert other.status_code == 200
        tags.add(tag)
    assert len(tags) == 3


@pytest.mark.parametrize(
    ("path", "kind", "caching"),
    [
        ("/apps/assets/main-abc.js", "text/javascript", "immutable"),
        ("/apps/assets/inter.woff2", "font/woff2", "immutable"),
        ("/apps/icons/mark.svg", "image/svg+xml", "max-age=86400"),
        ("/wallet/sw.js", "text/javascript", "no-cache"),
        ("/wallet/manifest.webmanifest", "application/manifest+json", "no-cache"),
    ],
)
async def test_what_pages_load(
    client: httpx.AsyncClient, path: str, kind: str, caching: str
) -> None:
    answer = await client.get(path, headers={"accept-encoding": "identity"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(kind)
    assert caching in answer.headers["cache-control"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    head = await client.head(path, headers={"accept-encoding": "identity"})
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == answer.headers["etag"]


async def test_the_worker_may_load_what_it_keeps(client: httpx.AsyncClient) -> None:
    policy = (await client.get("/wallet/sw.js")).headers["content-security-policy"]
    assert "connect-src 'self'" in policy.split("; ")


async def test_what_has_one_form_does_not_vary(client: httpx.AsyncClient) -> None:
    assert "vary" not in (await client.get("/apps/assets/inter.woff2")).headers


@pytest.mark.parametrize(
    "path",
    [
        "/apps/wallet/index.html",
        "/apps/assets/main-abc.js.br",
        "/apps/assets/../wallet/index.html",
        "/apps/assets/%2e%2e/%2e%2e/pages.py",
        "/apps//etc/passwd",
        "/apps/..%2f..%2fsettings.py",
        "/apps/",
        "/wallet/other.js",
        "/wallet/../pages.py",
        "/wallet/%00",
        "/wallet/a%0ab",
        "/till/",
        "/console/",
    ],
)
async def test_nothing_else_is_there(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    problem(answer, 404, "no_such_path")
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


async def test_what_is_no_page_the_app_says_itself(client: httpx.AsyncClient) -> None:
    page = await client.get("/wallet/receipts/%3Cscript%3E;%E7%BA%A2")
    assert page.text == (await client.get("/wallet/")).text


async def test_faces_are_only_read(client: httpx.AsyncClient) -> None:
    problem(await client.post("/wallet/"), 405, "method_not_allowed")


async def test_the_first_page_leads_to_what_there_is(client: httpx.AsyncClient) -> None:
    text = (await client.get("/")).text
    assert 'href="/wallet/"' in text
    assert 'href="/till/"' not in text
    assert 'href="/gallery/"' in text


async def test_a_shops_code_leads_to_the_wallet() -> None:
    services = Services()
    services.payments.known[TOKEN] = Landing("East Gate", "Blue Door", 500, "CNY", "created")
    for built, leads in ((BUILT, True), ({}, False)):
        app = create_app(services, OPERATIONS, built=built, tick=lambda: 0.0)
        async with make_client(app) as client:
            text = (await client.get(f"/c/{TOKEN}")).text
        assert (f'href="/wallet/c/{TOKEN}"' in text) is leads
        assert "Nothing is paid yet" in text


async def test_components_are_shown_in_a_sandbox_only() -> None:
    async with client_of(Settings()) as client:
        assert 'href="/gallery/"' not in (await client.get("/")).text
        problem(await client.get("/gallery/"), 404, "no_such_path")


async def test_without_apps_all_else_is_there() -> None:
    async with make_client(make_app(Services())) as client:
        problem(await client.get("/wallet/"), 404, "no_such_path")
        assert "/wallet" not in (await client.get("/")).text
        assert (await client.get("/docs")).status_code == 200


def test_encodings_that_we_have_none_of_are_passed_over() -> None:
    assert accepted_encodings("zstd, br;q=0.001, gzip;q=0.000") == {"br"}
    assert accepted_encodings("br;q=2") == frozenset()


def test_what_is_built_can_be_read() -> None:
    for path, file in built_files().items():
        assert file.forms[-1].encoding is None, path


def test_what_is_built_can_be_dressed() -> None:
    built = built_files()
    worn = dressed(built, "#7A0000")
    changed = {path for path in built if worn[path] is not built[path]}
    assert built == {} or changed == {
        "wallet/index.html", "gallery/index.html", "wallet/sw.js", "till/sw.js"
    }  # fmt: skip
    assert dressed(built, Settings().accent) == built


# -- checkout


async def framed_by(*origins: str) -> str:
    services = Services(Settings(mode="sandbox"))
    services.checkout.known[TOKEN] = origins
    async with make_client(create_app(services, OPERATIONS, built=BUILT)) as client:
        answer = await client.get(f"/checkout/s/{TOKEN}")
    assert answer.status_code == 200
    found: str = answer.headers["content-security-policy"]
    return found


async def test_a_checkout_page_is_framed_by_whom_its_merchant_named() -> None:
    rules = (await framed_by("https://shop.example", "https://shop.example:8443")).split("; ")
    assert "frame-ancestors https://shop.example https://shop.example:8443" in rules
    assert "frame-ancestors 'none'" not in rules
    assert "script-src 'self'" in rules
    assert "frame-ancestors 'none'" in (await framed_by()).split("; ")


@pytest.mark.parametrize(
    "path",
    [f"/checkout/s/{'B' * 20}", f"/checkout/l/{TOKEN}", f"/checkout/i/{TOKEN}", "/checkout/"],
)
async def test_all_else_is_framed_by_nobody(path: str) -> None:
    services = Services(Settings(mode="sandbox"))
    services.checkout.known[TOKEN] = ("https://shop.example",)
    async with make_client(create_app(services, OPERATIONS, built=BUILT)) as client:
        answer = await client.get(path)
    assert answer.status_code == 200
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


async def test_shops_load_the_script_of_checkout(client: httpx.AsyncClient) -> None:
    newest = await client.get("/checkout/checkout.js")
    assert (newest.content, newest.headers["cache-control"]) == (b"newest", "public, max-age=3600")
    old = await client.get("/checkout/1.0.0/checkout.js")
    assert old.content == b"old"
    assert "immutable" in old.headers["cache-control"]
    for answer in (newest, old):
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        assert answer.headers["content-type"].startswith("text/javascript")
    for missing in ("/checkout/1.1.0/checkout.js", "/checkout/1.0.0/x.js", "/checkout/x.js"):
        assert (await client.get(missing)).status_code == 404


async def test_nothing_else_is_for_other_origins(client: httpx.AsyncClient) -> None:
    for path in ("/apps/assets/main-abc.js", "/wallet/sw.js", "/checkout/"):
        headers = (await client.get(path)).headers
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers
