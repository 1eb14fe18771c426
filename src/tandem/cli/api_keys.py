"""How API keys are listed: the operator's and a merchant's."""

from tandem.access import Key
from tandem.cli.show import cells, show, table


def key_table(keys: list[Key], *, scopes: bool = False) -> None:
    """Print keys: never a secret, only its last four characters. `scopes` also what each may do."""
    made = table("Key", "Name", "Ends in", "Made", "Revoked", *(["Scopes"] if scopes else []))
    for key in keys:
        revoked = "" if key.revoked_at is None else f"{key.revoked_at:%Y-%m-%d %H:%M}"
        row = [f"key_{key.id.hex}", key.name, key.hint, f"{key.created_at:%Y-%m-%d}", revoked]
        made.add_row(*cells(*row, *([", ".join(key.scopes)] if scopes else [])))
    show(made)
