"""Access: who asks. API keys, sessions of those who signed in, what roles may do."""

from tandem.access.errors import KeyUnknown, NoSuchScope, SessionOver
from tandem.access.model import (
    SCOPES,
    Key,
    KeyView,
    Kind,
    NewKey,
    Principal,
    SignedIn,
    key_view,
)
from tandem.access.roles import ROLES, Employer, Role, role_of, scopes_of
from tandem.access.service import Access
from tandem.access.sessions import NewSession, Opened, Session, SessionView, session_view

__all__ = [
    "ROLES",
    "SCOPES",
    "Access",
    "Employer",
    "Key",
    "KeyUnknown",
    "KeyView",
    "Kind",
    "NewKey",
    "NewSession",
    "NoSuchScope",
    "Opened",
    "Principal",
    "Role",
    "Session",
    "SessionOver",
    "SessionView",
    "SignedIn",
    "key_view",
    "role_of",
    "scopes_of",
    "session_view",
]
