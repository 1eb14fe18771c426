import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from tandem.logs import Logs, set_up_logs
from tandem.serve.http import configuration
from tandem.serve.parent import _settings_of, _url


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def fail(secret: str) -> None:
    raise ValueError(f"with {len(secret)} letters")


@pytest.mark.parametrize("as_json", [True, False])
def test_a_traceback_never_shows_values(
    as_json: bool,  # noqa: FBT001 - pytest passes it by name
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logs(Logs(json=as_json))
    try:
        fail("tk_op_" + "s" * 9)
    except ValueError:
        structlog.get_logger("x").exception("it failed")
        logging.getLogger("library").exception("it failed too")
    shown = capsys.readouterr().err
    assert shown.count("ValueError: with 15 letters") == 2
    assert "tk_op_sssssssss" not in shown


def test_machines_get_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(Logs(json=True))
    structlog.get_logger("x").info("paid\x1b[31m", amount=3800)
    logging.getLogger("library").warning("a\nb")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first["event"], first["amount"], first["level"]) == ("paid\x1b[31m", 3800, "info")
    assert second["event"] == "a\nb"


def test_people_get_lines_that_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(Logs(json=False))
    structlog.get_logger("x").warning("refused", name="\x1b[31mred")
    assert "\x1b" not in capsys.readouterr().err


def test_strangers_cannot_fill_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(Logs(json=True))
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    assert capsys.readouterr().err == ""


def test_uvicorn_believes_nobody_about_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which proxies are believed is our setting; uvicorn has one of its own."""
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")

    async def app(scope: object, receive: object, send: object) -> None: ...

    config = configuration(app, limit=10)
    config.load()
    assert config.loaded_app is app


class Socket:
    def getsockname(self) -> tuple[str, int]:
        return ("ignored", 8080)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://127.0.0.1:8080"),  # noqa: S104 - compared, not bound
        ("::1", "http://[::1]:8080"),
        ("::", "http://[::1]:8080"),
        ("localhost", "http://localhost:8080"),
    ],
)
def test_the_url_is_one_that_can_be_opened(host: str, url: str) -> None:
    assert _url(host, Socket()) == url  # type: ignore[arg-type]  # all that is asked of a socket


def test_a_worker_is_not_told_what_it_need_not_know() -> None:
    given = {
        "TANDEM_MODE": "sandbox",
        "TANDEM_DATABASE_URL": "postgresql://me:secret@db/x",
        "TANDEM_DATA": "/data",
        "HOME": "/home",
    }
    assert _settings_of(given) == {"TANDEM_MODE": "sandbox"}
