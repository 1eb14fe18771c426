"""What a device makes of what its vault refuses."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import cast
from uuid import UUID

import pytest
from test_cards_life import card

from tandem.cards.model import CardStatus, CardView, card_view
from tandem.cli import device_cards
from tandem.kernel import system_entropy
from tandem.tap import DeviceStore, Vault, VaultLink, VaultRefused
from tandem.tap.provisioning import sync

DAY = date(2026, 11, 27)


class Refusing:
    """A vault with an active card, whose keys it does not hand out for this reason.

    `before` is the state of the card that it renews, if there is one.
    """

    def __init__(self, reason: str, before: str | None = None) -> None:
        self.reason = reason
        now = datetime(2026, 11, 27, tzinfo=UTC)
        self.own = [card_view(card(created_at=now, id=UUID(int=8)))]
        if before is not None:
            self.own.append(card_view(card(CardStatus(before), created_at=now, delivered_at=now)))
        self.link = VaultLink(
            url="http://127.0.0.1", key="k", secret=bytes(32), device_id=self.own[0].device_id
        )

    def cards(self) -> list[CardView]:
        return self.own

    def package(self, _card_id: str) -> bytes:
        raise VaultRefused(self.reason, "No.")


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("blocked", "is blocked. When the operator has restored it: tandem device sync"),
        ("lost", "is lost. When the operator has restored it: tandem device sync"),
        ("suspended", "is suspended. When you have resumed it: tandem device sync"),
        ("removed", "is over. Add one anew: tandem device remove crd_"),
    ],
)
def test_a_device_says_why_a_renewal_is_not_there(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    before: str,
    said: str,
) -> None:
    """The wallet goes on saying that it is to be fetched."""

    @contextmanager
    def vault(_folder: Path | None) -> Iterator[tuple[DeviceStore, Refusing]]:
        with DeviceStore(tmp_path / "d", system_entropy) as store:
            yield store, Refusing("card_state", before)

    monkeypatch.setattr(device_cards, "vault", vault)
    device_cards.sync()
    shown = " ".join(capsys.readouterr().err.split())
    assert f"its new keys are kept back: the one before it {said}" in shown
    assert shown.count("tandem device") == 1


@pytest.mark.parametrize(("reason", "lost"), [("card_delivered", 1), ("card_state", 0)])
def test_a_renewal_that_waits_for_the_old_card_is_not_lost(
    tmp_path: Path, reason: str, lost: int
) -> None:
    """To remove it, as one does with lost keys, would remove the old card, too."""
    with DeviceStore(tmp_path / "d", system_entropy) as store:
        found = sync(store, cast("Vault", Refusing(reason)), DAY)
    assert (len(found.lost), len(found.withheld)) == (lost, 1 - lost)
    assert (found.new, found.held) == ((), ())
