"""The moment between our process and PostgreSQL's: run as a program, ends in `exec`.

    child.py exec PARENT SIGNAL ACCOUNT PROGRAM ARGUMENT…   become the program
    child.py reach ACCOUNT PATH…                            print the first path it may not pass

ACCOUNT is `-` (stay who we are) or `uid:gid:group,group`. Why a program of its own: the kernel
forgets the wish to die with one's parent (PR_SET_PDEATHSIG, prctl(2)) when a process changes its
user, so it must be made afterwards; and Python code must not run between fork and exec in a
process that has threads. It imports nothing but the standard library, so it needs no packages.
"""

import ctypes
import os
import signal
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1


def become(account: str) -> None:
    """Drop to the account, for good: groups, group, user, in this order."""
    if account == "-":
        return
    uid, gid, groups = account.split(":")
    os.setgroups([int(group) for group in groups.split(",") if group])
    os.setresgid(int(gid), int(gid), int(gid))
    os.setresuid(int(uid), int(uid), int(uid))


def die_with_parent(parent: int, number: int) -> None:
    """Have the kernel send signal `number` when the thread that started us ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(number), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:  # it ended before we could ask
        sys.exit(1)


def first_closed(path: str) -> str | None:
    """The first part of the path that we may not pass or, at its end, read."""
    parts = path.split("/")
    for end in range(1, len(parts)):
        folder = "/".join(parts[:end]) or "/"
        if not os.access(folder, os.X_OK):
            return folder
    if os.path.lexists(path) and not os.access(path, os.R_OK):
        return path
    return None


def main(arguments: list[str]) -> int:
    """Do what the arguments say; returns only if that is not `exec`."""
    if arguments[0] == "reach":
        become(arguments[1])
        closed = next((c for c in map(first_closed, arguments[2:]) if c is not None), None)
        if closed is not None:
            sys.stdout.write(closed)
        return 0
    _, parent, number, account, *command = arguments
    become(account)
    die_with_parent(int(parent), int(number))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it; a child should not inherit
    os.umask(0o077)
    return os.execv(command[0], command)  # noqa: S606 - no shell is what we want


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
