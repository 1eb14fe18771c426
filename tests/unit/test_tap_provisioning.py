"""What a device makes of what its vault refuses."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import cast

import pytest
from test_cards_life import card

from tandem.cards.model import CardView, card_view
from tandem.kernel import system_entropy
from tandem.tap import DeviceStore, Vault, VaultLink, VaultRefused
from tandem.tap.provisioning import sync

DAY = date(2026, 11, 27)


class Refusing:
    """A vault with one active card, whose keys it does not hand out for this reason."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.only = card_view(card(created_at=datetime(2026, 11, 27, tzinfo=UTC)))
        self.link = VaultLink(
            url="http://127.0.0.1", key="k", secret=bytes(32), device_id=self.only.device_id
        )

    def cards(self) -> list[CardView]:
        return [self.only]

    def package(self, _card_id: str) -> bytes:
        raise VaultRefused(self.reason, "No.")


@pytest.mark.parametrize(("reason", "lost"), [("card_delivered", 1), ("card_state", 0)])
def test_a_renewal_that_waits_for_the_old_card_is_not_lost(
    tmp_path: Path, reason: str, lost: int
) -> None:
    """To remove it, as one does with lost keys, would remove the old card, too."""
    with DeviceStore(tmp_path / "d", system_entropy) as store:
        found = sync(store, cast("Vault", Refusing(reason)), DAY)
    assert (len(found.lost), found.new, found.held) == (lost, (), ())
