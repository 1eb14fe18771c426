"""People: who has a wallet, with which devices and limits."""

from tandem.people.errors import HandleTaken, SignUpClosed
from tandem.people.limits import LimitExceeded, PayerNotActive, Spending, objection
from tandem.people.model import (
    DEVICES,
    AddDevice,
    CreatePerson,
    Device,
    DeviceView,
    Limits,
    NewDevice,
    NewPerson,
    Person,
    PersonTerms,
    PersonView,
    SetLimits,
    device_view,
    person_view,
)
from tandem.people.service import People
from tandem.people.store import (
    CODE_SEEDS,
    count_wrong_code,
    device_by_code_index,
    find_id_by_handle,
    load_terms,
    open_seed,
)

__all__ = [
    "CODE_SEEDS",
    "DEVICES",
    "AddDevice",
    "CreatePerson",
    "Device",
    "DeviceView",
    "HandleTaken",
    "LimitExceeded",
    "Limits",
    "NewDevice",
    "NewPerson",
    "PayerNotActive",
    "People",
    "Person",
    "PersonTerms",
    "PersonView",
    "SetLimits",
    "SignUpClosed",
    "Spending",
    "count_wrong_code",
    "device_by_code_index",
    "device_view",
    "find_id_by_handle",
    "load_terms",
    "objection",
    "open_seed",
    "person_view",
]
