"""What the operator's staff looks things up with: find anything, and what was booked for it."""

from tandem.office.deliveries import DeliveryFilter, DeliveryOfMerchant, all_deliveries
from tandem.office.find import Hit, find
from tandem.office.names import owner_names, owners_of_accounts
from tandem.office.trace import OBJECT_PREFIXES, booked_for

__all__ = [
    "OBJECT_PREFIXES",
    "DeliveryFilter",
    "DeliveryOfMerchant",
    "Hit",
    "all_deliveries",
    "booked_for",
    "find",
    "owner_names",
    "owners_of_accounts",
]
