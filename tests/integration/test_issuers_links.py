"""The link to an issuer: MACs by fixed and session keys, encodings, hostile bytes, bad settings."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from issuer_town import RANGE, card
from town import open_town

from tandem.acquiring import Wire
from tandem.cards import Eligibility, IssuerAway, Issuers
from tandem.issuers import (
    IssuerLink,
    IssuersUnusable,
    Simulator,
    open_issuers,
    read_issuers,
    read_rules,
)
from tandem.issuers.links import KeyFiles
from tandem.issuers.rules import DEFAULT
from tandem.kernel import system_entropy

KEY = "00112233445566778899AABBCCDDEEFF"


def write_settings(folder: Path, port: int, extra: str, key: str = KEY) -> Path:
    folder.mkdir(exist_ok=True)
    secret = folder / "harbour.key"
    secret.write_text(key)
    secret.chmod(0o600)
    path = folder / "issuers.toml"
    path.write_text(
        f'[[issuers]]\nname = "link-bank"\nranges = ["{RANGE}"]\nport = {port}\n'
        f'answer_seconds = 2\n{extra}\n[keys]\nharbour = "harbour.key"\n'
    )
    return path


@asynccontextmanager
async def talking(
    url: str, folder: Path, extra: str, *, key: str = KEY
) -> AsyncIterator[tuple[Issuers, Simulator]]:
    """A gateway and a simulator that have the same settings, and perhaps not the same key."""
    known = read_issuers(write_settings(folder, 1, extra)).issuers[0]
    theirs = KeyFiles(folder / "issuers.toml", {"harbour": "harbour.key"})
    async with (
        Simulator(known, DEFAULT, theirs, system_entropy, port=0) as issuer,
        open_town(url, folder) as town,
    ):
        path = write_settings(folder, issuer.port, extra, key)
        services = town.services
        async with open_issuers(
            path, services.pool, services.clock, services.ids, system_entropy, at_once=True
        ) as issuers:
            yield issuers, issuer


@pytest.mark.parametrize(
    "extra",
    [
        "",
        'mac = { key = "harbour", keys = "fixed" }',
        (
            'mac = { key = "harbour", keys = "fixed", algorithm = "aes-cmac" }\n'
            'wire = { length = "ascii", bitmap = "hex", binary = "hex", header = "iso" }'
        ),
        (
            'mac = { key = "harbour", keys = "session" }\n'
            'wire = { header = "tpdu", numeric = "bcd", prefixes = "bcd" }'
        ),
        "sign_on = false",
    ],
)
async def test_a_link_speaks_as_it_is_set(module_database: str, tmp_path: Path, extra: str) -> None:
    async with talking(module_database, tmp_path / "link", extra) as (issuers, _):
        issuer = issuers.of(card().pan)
        assert issuer is not None
        assert (await issuers.check(issuer.id, card())).eligibility is Eligibility.APPROVED


@pytest.mark.parametrize("keys", ["fixed", "session"])
async def test_another_key_is_nobody(module_database: str, tmp_path: Path, keys: str) -> None:
    extra = f'mac = {{ key = "harbour", keys = "{keys}" }}'
    other = "FF" * 16
    async with talking(module_database, tmp_path / "link", extra, key=other) as (issuers, issuer):
        known = issuers.of(card().pan)
        assert known is not None
        with pytest.raises(IssuerAway):
            await issuers.check(known.id, card())
        assert issuer.accounts.made == {}


async def test_numbers_are_given_out_once(module_database: str, tmp_path: Path) -> None:
    async with talking(module_database, tmp_path / "link", "") as (issuers, _):
        known = issuers.of(card().pan)
        assert known is not None
        found = await asyncio.gather(*(issuers.number(known.id) for _ in range(350)))
        assert len(set(found)) == 350


async def test_the_simulator_outlives_hostile_bytes() -> None:
    link = IssuerLink(name="x", ranges=("4",), wire=Wire(), mac=None)
    files = KeyFiles(Path("none"), {})
    async with Simulator(link, DEFAULT, files, system_entropy, port=0) as issuer:
        for data in (b"", b"\xff\xff", b"\x00\x04abcd", b"\x00\x0a0200\x00\x00\x00", bytes(5000)):
            reader, writer = await asyncio.open_connection("127.0.0.1", issuer.port)
            writer.write(data)
            writer.write_eof()
            assert await asyncio.wait_for(reader.read(), 20) == b""
            writer.close()
        assert issuer.accounts.made == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[issuers]]", "name"),
        ('[[issuers]]\nname = "a"\nranges = []', "ranges"),
        ('[[issuers]]\nname = "a"\nranges = ["4x"]', "ranges"),
        ('[[issuers]]\nname = "a"\nranges = ["4"]\nporrt = 3', "porrt"),
        ('[[issuers]]\nname = "a"\nranges = ["4"]\n' * 2, "two issuers are named a"),
        (
            '[[issuers]]\nname = "a"\nranges = ["4"]\n[[issuers]]\nname = "b"\nranges = ["4"]\n',
            "two issuers are given the range 4",
        ),
        ("\x00", ""),
    ],
)
def test_settings_that_cannot_be_used_are_a_sentence(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "issuers.toml"
    path.write_text(text)
    with pytest.raises(IssuersUnusable) as refused:
        read_issuers(path)
    assert said in refused.value.sentence()
    with pytest.raises(IssuersUnusable):
        read_issuers(tmp_path / "not there")
    with pytest.raises(IssuersUnusable):
        read_rules(tmp_path / "not there")


@pytest.mark.parametrize(("mode", "text"), [(0o644, KEY), (0o600, "not hex"), (0o600, "ABC")])
def test_a_key_that_others_may_read_is_none(tmp_path: Path, mode: int, text: str) -> None:
    file = tmp_path / "harbour.key"
    file.write_text(text)
    file.chmod(mode)
    keys = KeyFiles(tmp_path / "issuers.toml", {"harbour": "harbour.key"})
    for name in ("harbour", "another"):
        with pytest.raises(IssuersUnusable):
            keys.link_key(name)


async def test_a_missing_key_is_a_sentence(module_database: str, tmp_path: Path) -> None:
    path = write_settings(tmp_path, 1, 'mac = { key = "another", keys = "fixed" }')
    async with open_town(module_database, tmp_path) as town:
        services = town.services
        with pytest.raises(IssuersUnusable, match="another"):
            async with open_issuers(
                path, services.pool, services.clock, services.ids, system_entropy, at_once=False
            ):
                pass
