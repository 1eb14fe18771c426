"""Keys in an HSM, over PKCS #11: with SoftHSM, a token in a folder of the test's own."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest

from tandem.kernel import Invalid, system_entropy
from tandem.keyring import (
    HsmEmpty,
    HsmGone,
    HsmKeyRing,
    HsmUnusable,
    KeyNotInRing,
    KeyUnknown,
    SealBroken,
    read_uri,
    sealed_anew,
)
from tandem.keyring.seal import header
from terminal import Cli

MODULES: Final = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
)
MODULE: Final = next(filter(os.path.exists, MODULES), None)
PIN: Final = "471108"

pytestmark = [
    pytest.mark.skipif(find_spec("pkcs11") is None, reason="python-pkcs11 is not installed"),
    pytest.mark.skipif(
        MODULE is None or shutil.which("softhsm2-util") is None, reason="no SoftHSM"
    ),
]


class Hsm:
    """SoftHSM with its tokens in a folder. (A process loads the library once, so there is one.)"""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pin = folder / "pin"
        self.pin.write_text(f"{PIN}\n")
        self.pin.chmod(0o600)

    def token(self, name: str) -> str:
        """Make a token; the URI that names it."""
        program = shutil.which("softhsm2-util") or "softhsm2-util"
        subprocess.run(  # noqa: S603 - a program of the test's own choice
            [program, "--init-token", "--free", "--label", name,
             "--so-pin", "99887766", "--pin", PIN],
            check=True, capture_output=True,
        )  # fmt: skip
        return self.uri(name)

    def uri(self, name: str, pin: Path | None = None) -> str:
        return f"pkcs11:token={name}?module-path={MODULE}&pin-source={pin or self.pin}"


@pytest.fixture(scope="session")
def hsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hsm]:
    folder = tmp_path_factory.mktemp("softhsm")
    tokens = folder / "tokens"
    tokens.mkdir()
    conf = folder / "softhsm2.conf"
    conf.write_text(
        f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(conf)
    made = Hsm(folder)
    for name in ("ring", "other", "empty", "cli", "gone", "moved"):
        made.token(name)  # before the library is loaded, which looks for tokens then
    yield made
    if before is None:
        del os.environ["SOFTHSM2_CONF"]
    else:
        os.environ["SOFTHSM2_CONF"] = before


@pytest.fixture
def ring(hsm: Hsm) -> HsmKeyRing:
    return HsmKeyRing.open_or_create(read_uri(hsm.uri("ring")), system_entropy)


def test_what_was_sealed_opens_in_its_place_only(ring: HsmKeyRing) -> None:
    first, second = ring.seal(b"secret", b"row 1"), ring.seal(b"secret", b"row 1")
    assert first != second
    assert ring.open(first, b"row 1") == ring.open(second, b"row 1") == b"secret"
    assert ring.open(ring.seal(b"", b""), b"") == b""
    for at in range(len(first)):
        torn = bytearray(first)
        torn[at] ^= 1
        with pytest.raises((SealBroken, KeyUnknown)):
            ring.open(bytes(torn), b"row 1")
    for cut in (b"", first[:20], first[:-1]):
        with pytest.raises(SealBroken):
            ring.open(cut, b"row 1")
    with pytest.raises(SealBroken):
        ring.open(first, b"row 2")
    assert ring.open(first, b"row 1") == b"secret"  # nothing of this closed the token


def test_the_keys_are_rotated_in_the_token(hsm: Hsm, ring: HsmKeyRing) -> None:
    rival = HsmKeyRing.load(read_uri(hsm.uri("ring")), system_entropy)
    old, sealed = ring.primary, ring.seal(b"old", b"x")
    added = ring.add()
    assert (ring.primary, ring.ids[0]) == (old, old)
    assert added in ring.ids
    new = ring.rotate()
    assert ring.primary == rival.primary == new
    assert rival.open(sealed, b"x") == b"old"
    assert rival.seal(b"", b"")[1:9].hex() == new
    ring.promote(added)
    assert rival.primary == added
    ring.promote(added)  # it is that already
    assert rival.primary == added
    with pytest.raises(KeyNotInRing):
        ring.promote("00" * 8)
    anew = sealed_anew(ring, lambda _row: b"x")
    changed = anew(UUID(int=1), sealed)
    assert changed is not None
    assert changed[1:9].hex() == added
    assert anew(UUID(int=1), changed) is None


@pytest.mark.usefixtures("ring")
def test_the_keys_never_leave() -> None:
    import pkcs11  # noqa: PLC0415 - it may be missing

    token = pkcs11.lib(str(MODULE)).get_token(token_label="ring")
    with token.open() as session:
        keys = list(session.get_objects({pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY}))
        assert keys
        for key in keys:
            assert key[pkcs11.Attribute.NEVER_EXTRACTABLE]
            with pytest.raises(pkcs11.AttributeSensitive):
                key[pkcs11.Attribute.VALUE]


def test_a_key_of_another_token_is_unknown(hsm: Hsm, ring: HsmKeyRing) -> None:
    other = HsmKeyRing.open_or_create(read_uri(hsm.uri("other")), system_entropy)
    with pytest.raises(KeyUnknown):
        other.open(ring.seal(b"x", b""), b"")
    with pytest.raises(KeyUnknown):
        ring.open(header(bytes(8)) + bytes(40), b"")


def test_an_empty_token_belongs_to_no_database(hsm: Hsm) -> None:
    with pytest.raises(HsmEmpty):
        HsmKeyRing.load(read_uri(hsm.uri("empty")), system_entropy)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        (f"pkcs11:token=nobody?module-path={MODULE}&pin-source={{pin}}", "no such token"),
        ("pkcs11:token=ring?module-path=/nonexistent.so&pin-source={pin}", "cannot be loaded"),
        (f"pkcs11:token=ring?module-path={MODULE}&pin-source=/nonexistent", "no such file"),
        (f"pkcs11:token=gone?module-path={MODULE}&pin-source={{wrong}}", "PIN"),
        (f"pkcs11:token=ring?module-path={MODULE}&pin-source={{open}}", "chmod 600"),
    ],
)
def test_a_token_that_cannot_be_opened_is_a_sentence(
    hsm: Hsm, tmp_path: Path, uri: str, said: str
) -> None:
    names = {"pin": hsm.pin}
    for name, mode in (("wrong", 0o600), ("open", 0o644)):
        names[name] = tmp_path / name
        names[name].write_text("0000")
        names[name].chmod(mode)
    with pytest.raises(HsmUnusable) as refused:
        HsmKeyRing.load(read_uri(uri.format(**names)), system_entropy)
    assert said in refused.value.sentence()
    assert PIN not in refused.value.sentence()
    assert "0000" not in refused.value.sentence()


# The library complains of the session that it was closing by itself.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_token_that_went_away_is_opened_anew_when_it_is_back(hsm: Hsm) -> None:
    ring = HsmKeyRing.open_or_create(read_uri(hsm.uri("gone")), system_entropy)
    sealed = ring.seal(b"secret", b"x")
    ring._session.close()  # as if the HSM was started anew
    assert ring.open(sealed, b"x") == b"secret"
    ring._session.close()
    hidden = hsm.pin.rename(hsm.folder / "hidden")
    try:
        for _ in range(3):
            with pytest.raises(HsmGone) as refused:
                ring.open(sealed, b"x")
            assert "opened anew" in refused.value.sentence()
    finally:
        hidden.rename(hsm.pin)
    assert ring.open(sealed, b"x") == b"secret"


@pytest.mark.parametrize(
    "uri",
    [
        "/etc/keys",
        "pkcs11:token=a",
        "pkcs11:token=a?module-path=/m",
        "pkcs11:?module-path=/m&pin-source=/p",
        "pkcs11:token=a?module-path=m.so&pin-source=/p",
        "pkcs11:token=a?module-path=/m&pin-source=p",
        "pkcs11:token=a?module-path=/m&pin-value=1234",
        "pkcs11:token=a;token=b?module-path=/m&pin-source=/p",
        "pkcs11:token=a;slot-id=1?module-path=/m&pin-source=/p",
        "pkcs11:token=a;object=%C3%A9?module-path=/m&pin-source=/p",
    ],
)
def test_a_uri_that_names_no_token_is_refused(uri: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_uri(uri)
    assert "1234" not in refused.value.sentence()


def refused(cli: Cli) -> str:
    """Why the keys cannot be listed; before that a slow machine says what it waits for."""
    status, out, err = cli.run("keys", "list")
    assert (status, out) == (1, "")
    return err


def test_a_whole_tandem_keeps_its_secrets_in_the_token(hsm: Hsm, cli: Cli, data: Path) -> None:
    cli.monkeypatch.delenv("TANDEM_KEY_FILE", raising=False)
    cli.on(data=data)
    cli.monkeypatch.setenv("TANDEM_KEYRING", hsm.uri("cli"))
    cli.done("operator", "person", "add", "lin", "Lin Wei")
    assert not (data / "keys").exists()
    before = cli.done("keys", "list")
    assert "Copy" not in cli.done("keys", "add")
    assert "the token cli" in cli.done("keys", "rotate")
    assert cli.done("keys", "list") != before
    cli.monkeypatch.setenv("TANDEM_KEYRING", hsm.uri("empty"))
    assert "has no key labelled" in refused(cli)


def test_secrets_are_moved_from_a_file_into_the_token(hsm: Hsm, cli: Cli, data: Path) -> None:
    cli.monkeypatch.delenv("TANDEM_KEY_FILE", raising=False)
    cli.on(data=data)
    cli.done("operator", "person", "add", "lin", "Lin Wei")
    cli.monkeypatch.setenv("TANDEM_KEYRING", hsm.uri("moved"))
    assert "has no key labelled" in refused(cli)
    cli.monkeypatch.setenv("TANDEM_KEY_FILE", str(data / "keys"))
    cli.done("operator", "person", "add", "mei", "Mei Chen")
    assert "sealed anew" in cli.done("keys", "rotate")
    cli.monkeypatch.delenv("TANDEM_KEY_FILE")
    (data / "keys").unlink()
    listed = cli.done("keys", "list")
    assert "is missing" not in listed
    assert "seals" in listed
