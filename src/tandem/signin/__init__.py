"""Signing in: passkeys of people and staff, codes, invitations, confirming a payment."""

from tandem.signin.audit import Audit, AuditFilter, AuditView, audit_view
from tandem.signin.ceremony import site_of
from tandem.signin.consent import Consents
from tandem.signin.errors import (
    CodeRefused,
    DeviceNeeded,
    LastOwner,
    LastPasskey,
    NoPasskey,
    PasskeyRefused,
    SignInNeeded,
    SignInPaused,
    SignInStale,
    TooManyPasskeys,
)
from tandem.signin.keeper import Keeper
from tandem.signin.model import (
    Holder,
    Invited,
    MemberView,
    PasskeyView,
    browser_of,
    member_view,
    passkey_view,
)
from tandem.signin.recovery import DeviceCode, Recovery, RecoveryCodes, RecoveryState
from tandem.signin.service import Browser, Entered, SignedUp, SignIn, Who
from tandem.signin.shapes import Assertion, Attestation, CreationOptions, RequestOptions
from tandem.signin.staff import Invitation, NewMember, Staff
from tandem.signin.store import count_try, forget_tries

__all__ = [
    "Assertion",
    "Attestation",
    "Audit",
    "AuditFilter",
    "AuditView",
    "Browser",
    "CodeRefused",
    "Consents",
    "CreationOptions",
    "DeviceCode",
    "DeviceNeeded",
    "Entered",
    "Holder",
    "Invitation",
    "Invited",
    "Keeper",
    "LastOwner",
    "LastPasskey",
    "MemberView",
    "NewMember",
    "NoPasskey",
    "PasskeyRefused",
    "PasskeyView",
    "Recovery",
    "RecoveryCodes",
    "RecoveryState",
    "RequestOptions",
    "SignIn",
    "SignInNeeded",
    "SignInPaused",
    "SignInStale",
    "SignedUp",
    "Staff",
    "TooManyPasskeys",
    "Who",
    "audit_view",
    "browser_of",
    "count_try",
    "forget_tries",
    "member_view",
    "passkey_view",
    "site_of",
]
