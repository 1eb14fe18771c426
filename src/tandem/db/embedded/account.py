"""The operating system's account that PostgreSQL runs as: ours, or another one if we are root."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tandem.db.errors import NoServerAccount

CANDIDATES: Final = ("tandem", "postgres", "nobody")
"""Whom PostgreSQL runs as when root starts it, the first that exists. It refuses to be root."""


@dataclass(frozen=True)
class Account:
    """A user of the operating system."""

    name: str
    uid: int
    gid: int

    @property
    def ours(self) -> bool:
        """Whether our process already runs as this user."""
        return self.uid == os.geteuid()

    def ticket(self) -> str:
        """The account as `child.py` takes it."""
        if self.ours:
            return "-"
        groups = ",".join(str(group) for group in os.getgrouplist(self.name, self.gid))
        return f"{self.uid}:{self.gid}:{groups}"


def own_account() -> Account:
    """The account that our process runs as.

    Raises `NoServerAccount` without an entry in passwd: neither initdb nor the server's check of
    who connects works without a name.
    """
    return _by_uid(os.geteuid())


def server_account(data: Path) -> Account:
    """The account for PostgreSQL in this data folder.

    An ordinary user's own. Root's: the owner of the cluster that is there, or the first of
    `CANDIDATES`. Raises `NoServerAccount`.
    """
    own = own_account()
    if own.uid != 0:
        return own
    try:
        owner = os.lstat(data / "postgres").st_uid
    except OSError:
        owner = 0
    if owner != 0:
        return _by_uid(owner)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise NoServerAccount(f"root may not run it, and there is no user {' or '.join(CANDIDATES)}")


def _by_uid(uid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise NoServerAccount(f"user id {uid} has no entry in passwd") from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
