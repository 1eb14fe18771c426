"""The command line: `tandem up`, `demo`, `db`, `ledger`, `codes`, `operator`, `api`."""

from tandem.cli.root import main

__all__ = ["main"]
