"""`tandem keys`: look after the key ring."""

from collections import Counter

from cyclopts import App

from tandem.api.sealed import SEALED, secrets_by_key
from tandem.app import Services
from tandem.cli.beside import services
from tandem.cli.errors import SecretsUnopened
from tandem.cli.run import Interrupted, Progress, run, waiting
from tandem.cli.show import cells, complain, done, say, show, table
from tandem.db.rewrite import count_by_key, rewrite
from tandem.kernel import show_id
from tandem.keyring import FileKeyRing, RotatingRing, sealed_anew

app = App(
    name="keys", help="Look after the keys that secrets are sealed under.", help_format="markdown"
)


@app.command(name="list")
def list_keys() -> None:
    """List the keys by their ids, and how many secrets are sealed under each.

    Answers that are kept for repeats are sealed too, for 30 days; they are not counted.

    Example: `tandem keys list`
    """
    ids, counts = run(_list())
    made = table("Key", "It", "Secrets", right=("Secrets",))
    for key_id in (*ids, *sorted(counts.keys() - set(ids))):
        does = "seals" if key_id == ids[0] else "opens" if key_id in ids else "is missing"
        made.add_row(*cells(key_id, does, counts[key_id]))
    show(made)


async def _list() -> tuple[tuple[str, ...], Counter[str]]:
    async with services() as opened:
        return opened.keyring.ids, await secrets_by_key(opened.pool)


@app.command
def add() -> None:
    """Add a key that seals nothing yet, for the key files of other machines.

    With several machines on one database: add a key, copy the key file to all of them, and only
    then rotate to it. With one machine, `tandem keys rotate` is enough.

    Example: `tandem keys add`
    """
    key_id, place, copied = run(_add())
    others = f"Copy {place} to the other machines, then" if copied else f"It is in {place}:"
    done(f"Added key {key_id}. {others} seal under it:")
    say(f"tandem keys rotate {key_id}")


async def _add() -> tuple[str, str, bool]:
    """The new key's id, where it is, and whether other machines need a copy of that."""
    async with services() as opened:
        ring = opened.keyring
        return ring.add(), ring.place, isinstance(ring, FileKeyRing)


@app.command
def rotate(key: str | None = None, /) -> None:
    """Seal everything anew under a new key; older keys stay, to open backups from before.

    Works beside a running Tandem, which goes on serving. Broken off, it goes on where it was when
    it is told to rotate to the same key again.

    Example: `tandem keys rotate`

    Parameters
    ----------
    key
        The id of a key that is there, as `tandem keys list` shows it; a new one if not given.
    """
    begun: list[str] = []
    try:
        changed, unopened, place = run(_rotate(key, begun))
    except Interrupted:
        for key_id in begun:
            complain(f"Broken off. Go on with: tandem keys rotate {key_id}")
        raise
    if unopened:
        made = table("Secret of")
        for shown in unopened:
            made.add_row(*cells(shown))
        show(made)
        raise SecretsUnopened(len(unopened))
    secrets = "1 secret is" if changed == 1 else f"{changed} secrets are"
    done(f"Key {begun[0]} seals now; {secrets} sealed anew.")
    say(f"Make a backup of {place}: what is sealed from now on opens only with it.")


async def _rotate(key: str | None, begun: list[str]) -> tuple[int, list[str], str]:
    """How many secrets were sealed anew, whose cannot be opened, and where the keys are."""
    async with services() as opened:
        ring = opened.keyring
        if key is None:
            ring.rotate()
        else:
            ring.promote(key)
        begun.append(ring.primary)
        with waiting("Sealing anew") as progress:
            return *await _seal_anew(opened, ring, progress), ring.place


async def _seal_anew(
    opened: Services, ring: RotatingRing, progress: Progress
) -> tuple[int, list[str]]:
    changed, seen, unopened = 0, 0, list[str]()
    counts = [
        sum((await count_by_key(opened.pool, column.table, column.column)).values())
        for column in SEALED
    ]

    def tell(rows: int) -> None:
        progress(f"Sealing anew under {ring.primary}: {seen + rows} of {sum(counts)}")

    for column, count in zip(SEALED, counts, strict=True):
        one = await rewrite(opened.pool, column, sealed_anew(ring, column.context), tell)
        changed += one.changed
        unopened += [show_id(column.prefix, row_id) for row_id in one.unchangeable]
        seen += count
    return changed + await opened.cards.vault.seal_anew(), unopened
