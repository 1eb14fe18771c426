"""Signing in: passkeys of people and staff, codes, invitations, confirming a payment."""

from tandem.signin.approval import Approval, Approvals, Approver
from tandem.signin.audit import Audit, AuditFilter, AuditView, audit_view
from tandem.signin.ceremony import site_of
from tandem.signin.consent import Consents
from tandem.signin.errors import (
    ApprovalRefused,
    CodeRefused,
    Deed,
    DeviceNeeded,
    LastOwner,
    LastPasskey,
    NeedsApproval,
    NoPasskey,
    PasskeyRefused,
    SignInNeeded,
    SignInPaused,
    SignInStale,
    StaffInvited,
    StaffSuspended,
    TooManyPasskeys,
)
from tandem.signin.keeper import Keeper
from tandem.signin.model import (
    Holder,
    Invited,
    Limits,
    Member,
    MemberView,
    PasskeyView,
    browser_of,
    limits_of,
    member_view,
    passkey_view,
)
from tandem.signin.recovery import DeviceCode, Recovery, RecoveryCodes, RecoveryState
from tandem.signin.service import Browser, Entered, SignedUp, SignIn, Who
from tandem.signin.shapes import Assertion, Attestation, CreationOptions, RequestOptions
from tandem.signin.staff import Invitation, NewMember, Staff
from tandem.signin.store import count_try, forget_tries

__all__ = [
    "Approval",
    "ApprovalRefused",
    "Approvals",
    "Approver",
    "Assertion",
    "Attestation",
    "Audit",
    "AuditFilter",
    "AuditView",
    "Browser",
    "CodeRefused",
    "Consents",
    "CreationOptions",
    "Deed",
    "DeviceCode",
    "DeviceNeeded",
    "Entered",
    "Holder",
    "Invitation",
    "Invited",
    "Keeper",
    "LastOwner",
    "LastPasskey",
    "Limits",
    "Member",
    "MemberView",
    "NeedsApproval",
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
    "StaffInvited",
    "StaffSuspended",
    "TooManyPasskeys",
    "Who",
    "audit_view",
    "browser_of",
    "count_try",
    "forget_tries",
    "limits_of",
    "member_view",
    "passkey_view",
    "site_of",
]
