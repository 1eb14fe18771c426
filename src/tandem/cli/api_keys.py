"""How API keys are listed: the operator's and a merchant's."""

from datetime import datetime

from tandem.access import Key
from tandem.cli.show import cells, show, table


def key_table(keys: list[Key], *, scopes: bool = False) -> None:
    """Print keys: never a secret, only its last four characters. `scopes` also what each may do."""
    made = table(
        "Key", "Name", "Ends in", "Made", "Last used", "Revoked", *(["Scopes"] if scopes else [])
    )
    for key in keys:
        used, revoked = _minute(key.last_used_at), _minute(key.revoked_at)
        row = [f"key_{key.id.hex}", key.name, key.hint, f"{key.created_at:%Y-%m-%d}", used, revoked]
        made.add_row(*cells(*row, *([", ".join(key.scopes)] if scopes else [])))
    show(made)


def _minute(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M}"
