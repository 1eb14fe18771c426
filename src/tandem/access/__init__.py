"""Access: API keys of the operator, of merchants and of people's devices."""

from tandem.access.errors import KeyUnknown, NoSuchScope
from tandem.access.model import SCOPES, KeyView, NewKey, Principal
from tandem.access.service import Access

__all__ = [
    "SCOPES",
    "Access",
    "KeyUnknown",
    "KeyView",
    "NewKey",
    "NoSuchScope",
    "Principal",
]
