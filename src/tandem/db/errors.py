"""What can stand between Tandem and its database, as refusals that say what to do.

    DatabaseUnavailable         the database cannot be used; nothing was written
    ├── EmbeddedUnavailable     no embedded PostgreSQL on this machine
    ├── DataFolderUnusable      the data folder cannot be written, or is not Tandem's
    ├── DataFolderInUse         another process owns the data folder
    ├── DataFolderClosed        the server's account cannot reach the data folder
    ├── SocketFolderTaken       somebody else sits where the socket belongs
    ├── NoServerAccount         no account that PostgreSQL could run as
    ├── DiskFull                no room left
    ├── ClusterDamaged          the cluster's files are not whole
    ├── ClusterVersionUnknown   the cluster is of a PostgreSQL that is not installed
    ├── ServerFailed            PostgreSQL ended, and why
    ├── ServerSlow              PostgreSQL did not get ready in time
    ├── DatabaseUrlInvalid      TANDEM_DATABASE_URL cannot be read
    ├── DatabaseUnreachable     the given server does not answer, or refuses us
    ├── DatabaseTooOld          the given server is older than PostgreSQL 15
    ├── DatabaseUnsuitable      the given database cannot hold every text
    ├── DatabaseReadOnly        the given database takes no writes
    ├── DatabaseForbids         a right that we need is not granted
    ├── DatabaseOccupied        the given database holds another program's tables
    ├── RoleUnusable            there is no role that the application could work as
    ├── ApplicationUnbound      the application's role may change what is booked
    ├── RightsMissing           the application's role was granted nothing
    └── DatabaseNewer           the schema is of a newer Tandem

No refusal carries a password or a database URL.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from tandem.kernel import Refused

_LONGEST_SHOWN: Final = 300


def printable(text: object) -> str:
    """Text from outside as it may be shown: one line, no control characters, not endless.

    A server's message or a folder's name could carry terminal escapes.
    """
    shown = "".join(c if c.isprintable() else "?" for c in " ".join(str(text).split()))
    return shown if len(shown) <= _LONGEST_SHOWN else shown[: _LONGEST_SHOWN - 1] + "…"


@dataclass(eq=False)
class DatabaseUnavailable(Refused):
    """The database cannot be used; nothing was written."""

    code: ClassVar[str] = "database_unavailable"

    def sentence(self) -> str:
        """Say that there is no database."""
        return "The database cannot be used."


@dataclass(eq=False)
class EmbeddedUnavailable(DatabaseUnavailable):
    """There is no embedded PostgreSQL on this machine."""

    code: ClassVar[str] = "embedded_unavailable"
    reason: str

    def sentence(self) -> str:
        """Point to a server of one's own."""
        return (
            f"The embedded PostgreSQL cannot run here: {printable(self.reason)}. "
            "Set TANDEM_DATABASE_URL to a PostgreSQL 15 or newer."
        )


@dataclass(eq=False)
class DataFolderUnusable(DatabaseUnavailable):
    """The data folder cannot be written, or is not Tandem's."""

    code: ClassVar[str] = "data_folder_unusable"
    folder: Path
    reason: str

    def sentence(self) -> str:
        """Name the folder and the other choice."""
        return (
            f"The data folder {printable(self.folder)} cannot be used: {printable(self.reason)}. "
            "Put that right, or name another folder in TANDEM_DATA."
        )


@dataclass(eq=False)
class DataFolderInUse(DatabaseUnavailable):
    """Another process owns the data folder. `pid` is that process, if it is known."""

    code: ClassVar[str] = "data_folder_in_use"
    folder: Path
    pid: int | None

    def sentence(self) -> str:
        """Name the owner; say what works beside it."""
        owner = f"process {self.pid}" if self.pid else "another process"
        return (
            f"The data folder {printable(self.folder)} is in use by {owner}. Stop it first, or "
            "name another folder in TANDEM_DATA. (`tandem operator` works beside `tandem up`.)"
        )


@dataclass(eq=False)
class DataFolderClosed(DatabaseUnavailable):
    """The account that PostgreSQL runs as cannot pass `closed` on the way to the data folder."""

    code: ClassVar[str] = "data_folder_closed"
    folder: Path
    closed: Path
    account: str

    def sentence(self) -> str:
        """Name the first closed folder and the ways out."""
        closed, account = printable(self.closed), printable(self.account)
        return (
            f"PostgreSQL does not run as root but as {account}, who may not enter {closed}, so "
            f"the data folder {printable(self.folder)} is out of its reach. Name a folder such as "
            "/var/lib/tandem in TANDEM_DATA, run Tandem as an ordinary user, or let others pass: "
            f"chmod o+x {closed}"
        )


@dataclass(eq=False)
class SocketFolderTaken(DatabaseUnavailable):
    """Where the socket belongs there is something that is not ours."""

    code: ClassVar[str] = "socket_folder_taken"
    folder: Path

    def sentence(self) -> str:
        """Say what to remove."""
        return (
            f"{printable(self.folder)} should be a folder that only PostgreSQL's account can "
            "enter, and is not. Somebody else may have made it: look, remove it, start again, or "
            "name a data folder with a shorter path in TANDEM_DATA."
        )


@dataclass(eq=False)
class NoServerAccount(DatabaseUnavailable):
    """There is no account that PostgreSQL could run as."""

    code: ClassVar[str] = "no_server_account"
    reason: str

    def sentence(self) -> str:
        """Say which account is missing."""
        return (
            f"PostgreSQL has no account to run as: {printable(self.reason)}. Add one "
            "(`useradd --system tandem`), or set TANDEM_DATABASE_URL to a PostgreSQL of your own."
        )


@dataclass(eq=False)
class DiskFull(DatabaseUnavailable):
    """There is no room left on the disk of the data folder."""

    code: ClassVar[str] = "disk_full"
    folder: Path

    def sentence(self) -> str:
        """Ask for room."""
        return (
            f"The disk of {printable(self.folder)} is full. Make room (a new data folder needs "
            "200 MB, a busy one some gigabytes) and start again; what was committed is safe."
        )


@dataclass(eq=False)
class ClusterDamaged(DatabaseUnavailable):
    """The cluster's folder is there, but it is not a whole cluster."""

    code: ClassVar[str] = "cluster_damaged"
    folder: Path
    missing: str

    def sentence(self) -> str:
        """Never delete somebody's data: ask."""
        return (
            f"{printable(self.folder)} is not a whole PostgreSQL cluster: {self.missing} is "
            "missing. Restore it from a backup. If nothing in it matters, move the folder away "
            "and start again: a new one is made."
        )


@dataclass(eq=False)
class ClusterVersionUnknown(DatabaseUnavailable):
    """The cluster was made by a PostgreSQL of another major version than those installed."""

    code: ClassVar[str] = "cluster_version_unknown"
    folder: Path
    found: str
    installed: tuple[str, ...]

    def sentence(self) -> str:
        """Say how to move the data."""
        return (
            f"{printable(self.folder)} belongs to PostgreSQL {printable(self.found)}, and only "
            f"{', '.join(self.installed)} is installed. Run the Tandem that made it, dump its "
            "database with pg_dump, and restore that into a new data folder."
        )


@dataclass(eq=False)
class ServerFailed(DatabaseUnavailable):
    """PostgreSQL ended by itself. `reason` is the last thing it said, `log` its log file."""

    code: ClassVar[str] = "server_failed"
    reason: str
    log: Path

    def sentence(self) -> str:
        """Quote the server and point to its log."""
        return (
            f"The embedded PostgreSQL does not run: {printable(self.reason)}. "
            f"Its log is {printable(self.log)}."
        )


@dataclass(eq=False)
class ServerSlow(DatabaseUnavailable):
    """PostgreSQL did not get ready within `waited_s` seconds."""

    code: ClassVar[str] = "server_slow"
    waited_s: int
    log: Path

    def sentence(self) -> str:
        """Point to the log."""
        return (
            f"The embedded PostgreSQL was not ready after {self.waited_s} s. Its log "
            f"{printable(self.log)} says what it does; start again to go on waiting."
        )


@dataclass(eq=False)
class DatabaseUrlInvalid(DatabaseUnavailable):
    """TANDEM_DATABASE_URL cannot be read. The URL itself is never shown: it holds a password."""

    code: ClassVar[str] = "database_url_invalid"
    reason: str

    def sentence(self) -> str:
        """Show the form."""
        return (
            f"TANDEM_DATABASE_URL {printable(self.reason)}. Write it as "
            "postgresql://user:password@host:5432/database"
        )


@dataclass(eq=False)
class DatabaseUnreachable(DatabaseUnavailable):
    """The server at `where` (host, port, database; no user, no password) does not let us in."""

    code: ClassVar[str] = "database_unreachable"
    where: str
    reason: str

    def sentence(self) -> str:
        """Quote what the network or the server said."""
        return (
            f"PostgreSQL at {printable(self.where)} cannot be used: {printable(self.reason)}. "
            "Check that it runs, and the host, user and password in TANDEM_DATABASE_URL."
        )


@dataclass(eq=False)
class DatabaseTooOld(DatabaseUnavailable):
    """The server is older than PostgreSQL 15."""

    code: ClassVar[str] = "database_too_old"
    where: str
    found: str

    def sentence(self) -> str:
        """Name both versions."""
        return (
            f"PostgreSQL at {printable(self.where)} is version {printable(self.found)}; Tandem "
            "needs 15 or newer. Upgrade it, or unset TANDEM_DATABASE_URL to use the embedded one."
        )


@dataclass(eq=False)
class DatabaseUnsuitable(DatabaseUnavailable):
    """The database is not encoded in UTF-8: names of people and shops would not fit into it."""

    code: ClassVar[str] = "database_unsuitable"
    where: str
    encoding: str

    def sentence(self) -> str:
        """Say how to make one that fits."""
        return (
            f"The database {printable(self.where)} is encoded in {printable(self.encoding)}, and "
            "Tandem needs UTF8. Make one with: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        )


@dataclass(eq=False)
class DatabaseReadOnly(DatabaseUnavailable):
    """The database takes no writes."""

    code: ClassVar[str] = "database_read_only"
    where: str

    def sentence(self) -> str:
        """Name what makes it so."""
        return (
            f"The database {printable(self.where)} takes no writes: it is a replica, or "
            "default_transaction_read_only is on. Name the primary in TANDEM_DATABASE_URL."
        )


@dataclass(eq=False)
class DatabaseForbids(DatabaseUnavailable):
    """The role that we log in as lacks a right. `reason` is the server's word."""

    code: ClassVar[str] = "database_forbids"
    where: str
    reason: str

    def sentence(self) -> str:
        """Quote the server and name the two roles that there can be."""
        return (
            f"PostgreSQL at {printable(self.where)} does not let us: {printable(self.reason)}. Log "
            "in as the role that owns the database (only that one can bring its schema up to "
            "date), or as the application's. docs/operating.md says how the rights are given."
        )


@dataclass(eq=False)
class DatabaseOccupied(DatabaseUnavailable):
    """The database holds tables of another program. `reason` is the server's word."""

    code: ClassVar[str] = "database_occupied"
    where: str
    reason: str

    def sentence(self) -> str:
        """Ask for a database of our own."""
        return (
            f"The database {printable(self.where)} holds something of another program: "
            f"{printable(self.reason)}. Give Tandem a database of its own; nothing was changed."
        )


@dataclass(eq=False)
class RoleUnusable(DatabaseUnavailable):
    """The application cannot work as this role. `statements` put that right, if there are any.

    They are for an administrator of the server.
    """

    code: ClassVar[str] = "role_unusable"
    role: str
    reason: str
    statements: tuple[str, ...]

    def sentence(self) -> str:
        """Give the statements, or ask for another role."""
        said = (
            f"The application works as a role of its own, which cannot change what is booked, and "
            f"{printable(self.role)} cannot be that: {printable(self.reason)}. "
        )
        other = "a role that is there for it in TANDEM_DATABASE_ROLE (docs/operating.md)"
        if not self.statements:
            return f"{said}Name {other}."
        run = " ".join(f"{printable(statement)};" for statement in self.statements)
        return f"{said}Let an administrator of the server run: {run} Or name {other}."


@dataclass(eq=False)
class ApplicationUnbound(DatabaseUnavailable):
    """The application's role may do more than it should. `beyond` says what."""

    code: ClassVar[str] = "application_unbound"
    role: str
    beyond: str

    def sentence(self) -> str:
        """Say where that comes from."""
        return (
            f"The role {printable(self.role)}, which the application works as, may change what is "
            f"booked ({printable(self.beyond)}): it owns the tables, is a superuser or a member of "
            "another role, or everybody (PUBLIC) may. Take that away, or name another role in "
            "TANDEM_DATABASE_ROLE."
        )


@dataclass(eq=False)
class RightsMissing(DatabaseUnavailable):
    """No role, or more than one, has the application's rights in this database."""

    code: ClassVar[str] = "rights_missing"

    def sentence(self) -> str:
        """Name the command."""
        return (
            "No single role has the application's rights in this database. Run `tandem db "
            "upgrade` as the role that owns it: that gives them."
        )


@dataclass(eq=False)
class DatabaseNewer(DatabaseUnavailable):
    """The database has a schema revision that this Tandem does not know."""

    code: ClassVar[str] = "database_newer"
    found: str

    def sentence(self) -> str:
        """Ask for the newer program; nothing is ever downgraded."""
        return (
            f"The database's schema ({printable(self.found)}) is of a newer Tandem than this one. "
            "Install that version; nothing was changed."
        )
