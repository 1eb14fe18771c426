"""Access: API keys of the operator, of merchants and of people's devices."""

from tandem.access.errors import KeyUnknown, NoSuchScope
from tandem.access.model import SCOPES, Key, KeyView, NewKey, Principal, key_view
from tandem.access.service import Access

__all__ = [
    "SCOPES",
    "Access",
    "Key",
    "KeyUnknown",
    "KeyView",
    "NewKey",
    "NoSuchScope",
    "Principal",
    "key_view",
]
