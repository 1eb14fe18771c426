"""Terminal action analysis: what the terminal asks the card to decide (EMV Book 3, 10.7). Pure."""

from typing import Final, NamedTuple

from tandem.emv.application_data import CryptogramType
from tandem.emv.tags import Tag
from tandem.emv.terminal.reading import Values
from tandem.emv.terminal.settings import Combination
from tandem.emv.terminal.tvr import Tvr

_ALL: Final = b"\xff" * 5
_NOTHING: Final = bytes(5)


class Reach(NamedTuple):
    """What the terminal can do."""

    online: bool
    """Ask the issuer at all."""
    offline: bool
    """Decide without it."""
    online_required: bool
    """It must ask about this payment."""


def asks(tvr: Tvr, values: Values, combination: Combination, reach: Reach) -> CryptogramType:
    """The cryptogram to ask for: decline, ask the issuer, or approve.

    A bit of the TVR counts if the terminal's action code or the card's has it. A card without
    action codes wants to be asked about everything, and declined where nobody can be asked.
    """
    if _meets(tvr, combination.tac_denial, values.get(Tag.IAC_DENIAL) or _NOTHING):
        return CryptogramType.AAC
    if not reach.online:
        refused = reach.online_required or declined_offline(tvr, values, combination)
        return CryptogramType.AAC if refused else CryptogramType.TC
    if reach.online_required or not reach.offline:
        return CryptogramType.ARQC
    online = _meets(tvr, combination.tac_online, values.get(Tag.IAC_ONLINE) or _ALL)
    return CryptogramType.ARQC if online else CryptogramType.TC


def declined_offline(tvr: Tvr, values: Values, combination: Combination) -> bool:
    """Whether a payment about which nobody can be asked is declined (default action codes)."""
    return _meets(tvr, combination.tac_default, values.get(Tag.IAC_DEFAULT) or _ALL)


def _meets(tvr: Tvr, ours: bytes, cards: bytes) -> bool:
    return bool(int(tvr) & (int.from_bytes(ours, "big") | int.from_bytes(cards, "big")))
