"""The key store of links with terminals: on the command line, in the database, in a host."""

import asyncio
import io
import re
from pathlib import Path

import asyncpg
import pytest

from tandem.acquiring import LinkKeyExists, LinkKeys, LinkKeyUnfit
from tandem.db import open_pool
from tandem.kernel import Ids, NotFound, SystemClock, system_entropy
from tandem.keyring import FileKeyRing
from terminal import Cli

KEY = "0102030405060708090A0B0C0D0E0F10"
SPACED = re.compile(r"[0-9A-F]{8}(?: [0-9A-F]{8})+")


def test_a_key_is_made_in_components_entered_elsewhere_and_compared(
    fresh_database: str, cli: Cli
) -> None:
    cli.on(url=fresh_database)
    assert "There are no keys" in cli.done("acquiring", "keys", "list")
    said = cli.done("acquiring", "keys", "create", "harbour", "--components", "3")
    parts = SPACED.findall(said)
    assert len(parts) == 3
    (value,) = re.findall(r"Its check value: ([0-9A-F]{10})", said)
    listed = cli.done("acquiring", "keys", "list")
    assert f"harbour aes {value}" in " ".join(listed.split())
    # the other side enters the three and has the same key
    other = enter(cli, "other", "\n".join(parts))
    assert value in other
    for part in parts:
        assert part.replace(" ", "") not in listed.replace(" ", "")
    refused = cli.refused("acquiring", "keys", "create", "harbour")
    assert "--replace" in refused
    replaced = cli.done("acquiring", "keys", "create", "harbour", "--replace")
    assert value not in replaced
    cli.done("acquiring", "keys", "remove", "harbour")
    assert "harbour" in cli.refused("acquiring", "keys", "remove", "harbour")


def enter(cli: Cli, name: str, text: str, *more: str) -> str:
    """`keys enter` with this on its standard input."""
    with cli.monkeypatch.context() as now:
        now.setattr("sys.stdin", io.StringIO(text))
        return cli.done("acquiring", "keys", "enter", name, *more)


def test_a_key_travels_under_another_and_nothing_is_said_of_it(
    fresh_database: str, cli: Cli
) -> None:
    cli.on(url=fresh_database)
    enter(cli, "zone", KEY)
    enter(cli, "des-zone", "0123456789ABCDEFFEDCBA9876543210", "--kind", "tdes")
    for kind, under in (("aes", "zone"), ("tdes", "des-zone"), ("tdes", "zone")):
        name = f"t-{kind}-{under}"
        made = cli.done("acquiring", "keys", "create", name, "--kind", kind)
        (value,) = re.findall(r"Its check value: ([0-9A-F]+)", made)
        block = cli.done("acquiring", "keys", "export", name, "--under", under).strip()
        assert block[0] == ("B" if under == "des-zone" else "D")
        assert block[5:8] == f"K1{'A' if kind == 'aes' else 'T'}"
        assert value in cli.done(
            "acquiring", "keys", "import", f"{name}-again", block, "--under", under
        )
        mac = cli.done("acquiring", "keys", "export", name, "--under", under, "--macs").strip()
        assert mac[5:7] == ("M6" if kind == "aes" else "M3")
        broken = block[:-1] + ("0" if block[-1] != "0" else "1")
        for bad in (broken, "x", "-" * 20):
            status, out, err = cli.run(
                *("acquiring", "keys", "import", "bad", bad, "--under", under)
            )
            assert (status, out) == (1, ""), err
            assert "cannot be opened" in err
    assert "nobody" in cli.refused("acquiring", "keys", "export", "zone", "--under", "nobody")


def test_misuse_is_a_sentence(fresh_database: str, cli: Cli) -> None:
    cli.on(url=fresh_database)
    assert "must be 16 or 24 for tdes" in cli.refused(
        *("acquiring", "keys", "create", "x", "--kind", "tdes", "--size", "32"), status=2
    )
    assert "letters, digits" in cli.refused("acquiring", "keys", "create", "a b", status=2)
    assert "letters, digits" in cli.refused("acquiring", "keys", "create", "", status=2)


def test_a_file_of_links_is_checked(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "links.toml"
    assert "no such file" in cli.refused("acquiring", "check", str(file))
    file.write_text('[[links]]\nname = "harbour"\nnetworks = ["10.0.0.0/8"]\n')
    said = cli.done("acquiring", "check", str(file))
    assert "harbour" in said
    assert "127.0.0.1 port 8583" in said
    file.write_text('[[links]]\nname = "harbour"\n')
    assert "neither networks nor certificates" in cli.refused("acquiring", "check", str(file))
    file.write_text(
        '[[listeners]]\ntls = { certificate = "none.pem", key = "none.key" }\n'
        '[[links]]\nname = "harbour"\nnetworks = ["10.0.0.0/8"]\n'
    )
    assert "none.pem" in cli.refused("acquiring", "check", str(file))


async def test_keys_are_sealed_and_a_running_host_follows_them(
    fresh_database: str, tmp_path: Path
) -> None:
    ring = FileKeyRing.open_or_create(tmp_path / "keys", system_entropy)
    async with await open_pool(fresh_database, size=3) as pool:
        clock = SystemClock()
        here, there = (LinkKeys(pool, clock, Ids(clock), system_entropy, ring) for _ in range(2))
        await asyncio.gather(here.read(), there.read())
        assert here.fingerprints == there.fingerprints
        assert len(here.fingerprints) == 32
        following = asyncio.create_task(here.follow())
        with pytest.raises(KeyError):
            here.link_key("harbour")
        with pytest.raises(KeyError):
            here.link_key("")  # the host's own is no link's
        secret = bytes.fromhex(KEY)
        await there.put("harbour", "aes", secret)
        await known(here, "harbour", secret)
        with pytest.raises(LinkKeyExists):
            await there.put("harbour", "aes", secret)
        with pytest.raises(LinkKeyUnfit):
            await there.put("harbour", "tdes", secret[:8] * 2, replace=True)
        other = bytes(reversed(secret))
        await there.put("harbour", "aes", other, replace=True)
        await known(here, "harbour", other)
        assert [key.name for key in await there.list()] == ["harbour"]
        for name in ("nobody", ""):
            with pytest.raises(NotFound):
                await there.remove(name)
        await there.remove("harbour")
        await known(here, "harbour", None)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        again = LinkKeys(pool, clock, Ids(clock), system_entropy, ring)
        await again.read()
        assert again.fingerprints == here.fingerprints
        await there.put("harbour", "aes", secret)
    connection = await asyncpg.connect(fresh_database)
    try:
        rows = await connection.fetch("SELECT l::text FROM link_keys AS l")
        assert len(rows) == 2
        assert not any(KEY.lower() in row[0] for row in rows)
    finally:
        await connection.close()


async def known(keys: LinkKeys, name: str, secret: bytes | None) -> None:
    """Wait until the key store has this key."""
    async with asyncio.timeout(20):
        while True:
            try:
                found: bytes | None = keys.link_key(name)
            except KeyError:
                found = None
            if found == secret:
                return
            await asyncio.sleep(0.05)
