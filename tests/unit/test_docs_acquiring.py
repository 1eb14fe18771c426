"""docs/acquiring.md: its settings, elements, codes and example are those of the code."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec
import pytest

from acquiring_bank import ARPC
from acquiring_play import DAY, NOW, Play, make_context, make_link, money
from tandem.acquiring import (
    De,
    Limits,
    Link,
    Mac,
    Message,
    Outcome,
    ResponseCode,
    Wire,
    read_host_settings,
    render,
)  # fmt: skip
from tandem.acquiring.codes import NETWORK_CODES, RESPONSES
from tandem.acquiring.elements import ELEMENTS
from tandem.acquiring.model import Purchase
from tandem.acquiring.requests import TOTALS
from tandem.acquiring.respond import answer_money

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "acquiring.md"
TEXT: Final = DOCUMENT.read_text(encoding="utf-8")


def table(first: str) -> list[list[str]]:
    """The rows of the tables whose first column has this head."""
    rows: list[list[str]] = []
    for found in re.findall(
        rf"^\| {re.escape(first)} \|.*\n\|[-|]+\n((?:\|.*\n)+)", TEXT, re.MULTILINE
    ):
        rows += [[cell.strip() for cell in row.strip("|").split("|")] for row in found.splitlines()]
    assert rows, f"no table of {first}"
    return rows


def settings(first: str) -> dict[str, str]:
    """Names and defaults of a table of settings."""
    return {row[0].strip("`"): row[1].strip("`") for row in table(first)}


def defaults(of: type[msgspec.Struct]) -> dict[str, str]:
    """The same of a struct, as the document writes them."""
    told: dict[str, str] = {}
    for field in msgspec.structs.fields(of):
        value = "" if field.required else field.default
        if field.default_factory is not msgspec.NODEFAULT or value in (None, ()):
            value = "none"
        told[field.name] = str(value).lower() if isinstance(value, bool) else str(value)
    return told


def example() -> str:
    """A sign-on and a purchase, as the trace of a link shows them."""
    shown: list[str] = []
    at = iter(NOW + timedelta(milliseconds=ms) for ms in (0, 1, 5120, 5134))
    context = make_context(
        trace=lambda link, way, message: shown.append(render(message, next(at), link, way))
    )
    play = Play(make_link(mac=Mac(key="master")), context=context)
    play.sign_on()
    play.send(money())
    ticket = play.asked[0].ticket
    assert isinstance(ticket.request, Purchase)
    outcome = Outcome(
        code=ResponseCode.APPROVED, authorisation_code="A00001", icc=ARPC, settlement_date=DAY
    )
    play.session.answered(ticket, answer_money(ticket.message, ticket.request, outcome))
    return "\n".join(shown)


def test_the_example_is_what_the_trace_shows() -> None:
    assert f"```\n{example()}\n```" in TEXT


def test_the_settings_can_be_read() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    read = [read_host_settings(toml.encode()) for toml in blocks]
    assert [[link.name for link in each.links] for each in read] == [
        ["harbour"],
        ["harbour", "kiosk"],
    ]


@pytest.mark.parametrize(
    ("first", "struct"),
    [("Setting of `mac`", Mac), ("Setting of `limits`", Limits)],
)
def test_every_setting_is_there_with_its_default(first: str, struct: type[msgspec.Struct]) -> None:
    assert settings(first) == defaults(struct)


def test_every_setting_of_a_link_is_there_with_its_default() -> None:
    told_elsewhere = {"name", "port", "networks", "certificates", "terminals", "wire", "limits"}
    link = {k: v for k, v in defaults(Link).items() if k not in told_elsewhere}
    assert settings("Setting") == defaults(Wire) | link


def test_elements_have_their_names_and_formats() -> None:
    told = {int(row[0]): row[1:3] for row in table("Id")}
    assert told == {number: list(ELEMENTS[number]) for number in told}
    counted = {int(number) for number in TOTALS}
    unsaid = {De.TRACK1, De.SECURITY}
    assert set(told) == {int(number) for number in De} - counted - {int(n) for n in unsaid}


def test_every_code_has_its_words() -> None:
    assert {row[0]: row[1] for row in table("Code")} == {str(k): v for k, v in RESPONSES.items()}
    told = {row[0]: row[1].partition(":")[0] for row in table("Element 70")}
    assert told == {str(code): words for code, words in NETWORK_CODES.items()}


def test_messages_are_answered_by_what_it_says() -> None:
    for requests, answers, _ in table("Request"):
        for request, reply in zip(requests.split(", "), answers.split(", "), strict=True):
            assert Message(request, {}).asks
            assert reply == f"{request[:2]}{int(request[2]) + 1}0"
