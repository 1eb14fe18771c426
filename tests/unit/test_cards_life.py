"""A device card's life: every state, command and caller."""

from datetime import UTC, date, datetime, timedelta
from itertools import product
from uuid import UUID

import pytest

from tandem.cards.errors import CardConflict
from tandem.cards.model import (
    LIFE,
    WHO,
    CardCommand,
    CardStatus,
    DeviceCard,
    allowed,
    card_view,
    moved,
)

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
LATER = datetime(2026, 11, 27, 13, tzinfo=UTC)
A_DAY = timedelta(days=1)
PAN = "9801234567890121"
ACTORS = ("person", "operator", "vault")

# What the issue asks for, written down apart from the table: who, what, from where, to where.
SAID = """
    person   prove    waiting_code                       active
    operator confirm  waiting_code waiting_operator      active
    operator refuse   waiting_code waiting_operator      refused
    vault    refuse   waiting_code waiting_operator      refused
    person   deliver  active                             active
    person   suspend  active                             suspended
    person   resume   suspended                          active
    person   lose     active suspended                   lost
    operator lose     active suspended                   lost
    operator block    active suspended lost              blocked
    vault    block    active suspended lost              blocked
    operator restore  lost blocked                       active
    person   fund     active                             active
    operator fund     active                             active
    person   fund     suspended                          suspended
    operator fund     suspended                          suspended
    person   renew    active                             active
    operator renew    active                             active
    vault    replace  active                             replaced
    person   remove   waiting_code waiting_operator active suspended lost blocked  removed
    operator remove   waiting_code waiting_operator active suspended lost blocked  removed
"""


def said() -> dict[tuple[str, str, str], str]:
    found = {}
    for line in SAID.strip().splitlines():
        actor, command, *before, after = line.split()
        found.update({(actor, command, status): after for status in before})
    return found


def card(status: CardStatus = CardStatus.ACTIVE, **changes: object) -> DeviceCard:
    fields: dict[str, object] = {
        "id": UUID(int=1), "person_id": UUID(int=2), "device_id": UUID(int=3),
        "requestor": "98000000001", "status": status.value, "proof": "green",
        "funding_kind": "balance", "funding_currency": "CNY", "pan_hash": bytes(32),
        "pan_sealed": PAN.encode(), "last_four": PAN[-4:], "sequence": 0,
        "effective": date(2026, 11, 26), "expiry": date(2029, 11, 30),
        "par": "9801" + "A" * 25, "key_index": 1, "version": 0xA6, "device_key": bytes(32),
        "code_hash": None, "code_until": None, "code_tries": 0, "atc": 0, "seen": 0,
        "wrong_cryptograms": 0, "delivered_at": None, "replaces": None, "created_at": NOW,
        "updated_at": NOW, **changes,
    }  # fmt: skip
    return DeviceCard(**fields)  # type: ignore[arg-type]  # each test gives what fits


@pytest.mark.parametrize(("status", "command"), list(product(CardStatus, CardCommand)))
@pytest.mark.parametrize("actor", ACTORS)
def test_the_table_is_what_was_asked_for(
    actor: str, status: CardStatus, command: CardCommand
) -> None:
    after = said().get((actor, command.value, status.value))
    before = card(status)
    if after is None:
        with pytest.raises(CardConflict) as refused:
            moved(before, command, actor, LATER)  # type: ignore[arg-type]  # one of the actors
        can = {c for a, c, s in said() if (a, s) == (actor, status.value)}
        assert set(refused.value.allowed) == can
        assert (refused.value.status, refused.value.command) == (status.value, command.value)
        assert status.value.split("_")[0] in refused.value.sentence()
    else:
        made = moved(before, command, actor, LATER)  # type: ignore[arg-type]  # one of the actors
        assert (made.status, made.updated_at, before.status) == (after, LATER, status.value)
        assert (made.stopped_at is None) is (after == "active")
        assert (made.lost_at is None) is (after not in {"lost", "blocked"})


def test_a_card_remembers_since_when_it_pays_no_more_until_it_does() -> None:
    made, told = card(), []
    for number, command in enumerate(("suspend", "lose", "block", "restore", "lose", "remove"), 1):
        (actor, *_) = WHO[CardCommand(command)]
        made = moved(made, CardCommand(command), actor, NOW + number * A_DAY)
        told += [tuple(at and (at - NOW).days for at in (made.stopped_at, made.lost_at))]
    assert told == [(1, None), (1, 2), (1, 2), (None, None), (5, 5), (5, 5)]


def test_what_is_over_stays_so_and_every_command_is_somebodys() -> None:
    over = (CardStatus.REMOVED, CardStatus.REFUSED, CardStatus.REPLACED)
    assert not [key for key in LIFE if key[0] in over]
    assert set(WHO) == set(CardCommand) == {command for _, command in LIFE}
    for status, actor in product(over, ACTORS):
        assert allowed(status, actor) == ()  # type: ignore[arg-type]  # one of the actors


def test_a_thief_with_the_phone_cannot_undo_its_loss() -> None:
    for status in (CardStatus.LOST, CardStatus.BLOCKED):
        can = {LIFE[status, command] for command in allowed(status, "person")}
        assert can == {CardStatus.REMOVED}


def test_a_code_is_gone_with_the_wait_for_it() -> None:
    waiting = card(CardStatus.WAITING_CODE, code_hash=b"h", code_until=NOW)
    proved = moved(waiting, CardCommand.PROVE, "person", LATER)
    assert (proved.code_hash, proved.code_until) == (None, None)


def test_nothing_shows_a_number_or_a_key() -> None:
    shown = f"{card()!r} {card_view(card())!r}"
    assert PAN not in shown
    assert "pan" not in shown
    assert PAN[-4:] in shown
