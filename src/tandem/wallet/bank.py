"""How money gets into a wallet: the operator's bank accounts, and what to write on a transfer.

The accounts are data, read from the TOML file that TANDEM_TOP_UP_ACCOUNTS names:

    [[accounts]]
    currencies = ["EUR"]
    holder = "Harbour Wallet AG"
    iban = "DE75512108001245126199"
    bic = "SOLADEST600"
    bank = "Harbour Bank"

An account outside the IBAN's world has a `number` instead, as its bank writes it.
"""

import re
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.kernel import Invalid, clean_text, currency
from tandem.people import check_number, reference_of
from tandem.wallet.errors import AccountsUnusable

_LARGEST: Final = 1 << 20
_IBAN: Final = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", re.ASCII)
_BIC: Final = re.compile(r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?", re.ASCII)
_HOLDER_LENGTH: Final = 70
"""The most that a credit transfer's field for the name holds (EPC069-12)."""
_TEXT_LENGTH: Final = 140
_SEPA: Final = frozenset(
    (
        *("AD", "AL", "AT", "BE", "BG", "CH", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR"),
        *("GB", "GI", "GR", "HR", "HU", "IE", "IS", "IT", "LI", "LT", "LU", "LV", "MC", "MD"),
        *("ME", "MK", "MT", "NL", "NO", "PL", "PT", "RO", "RS", "SE", "SI", "SK", "SM", "VA"),
    )
)
"""Countries of accounts that SEPA credit transfers reach (EPC409-09)."""


class BankAccount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account of the operator's, for transfers in these currencies."""

    currencies: Annotated[tuple[str, ...], Meta(min_length=1)]
    holder: str
    iban: str | None = None
    number: str | None = None
    bic: str | None = None
    bank: str | None = None
    note: str | None = None


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    accounts: tuple[BankAccount, ...] = ()


class TransferTo(msgspec.Struct, frozen=True):
    """Where to transfer money in one currency, so that it reaches the wallet of who asks."""

    currency: Annotated[str, Meta(description="ISO 4217 code", examples=["EUR"])]
    holder: Annotated[str, Meta(description="Whose account it is", examples=["Harbour Wallet AG"])]
    iban: Annotated[str | None, Meta(examples=["DE75512108001245126199"])]
    number: Annotated[
        str | None, Meta(description="The account's number where it has no IBAN", examples=[None])
    ]
    bic: Annotated[str | None, Meta(description="ISO 9362", examples=["SOLADEST600"])]
    bank: Annotated[str | None, Meta(description="The bank's name", examples=["Harbour Bank"])]
    note: Annotated[
        str | None, Meta(description="What else the operator says about it", examples=[None])
    ]
    code: Annotated[
        str | None,
        Meta(
            description="The text of a QR code that banking apps read (EPC069-12, version 2), for "
            "euro in SEPA: everything but the amount",
            examples=["BCD\n002\n1\nSCT\n…"],
        ),
    ]


class TopUpDetails(msgspec.Struct, frozen=True):
    """How a person tops up by bank."""

    reference: Annotated[
        str,
        Meta(
            description="What the person writes on the transfer: theirs for good (ISO 11649)",
            examples=["RF261TH2QVDCEG6TN280"],
        ),
    ]
    accounts: Annotated[
        list[TransferTo], Meta(description="Empty if the operator named no account: ask there")
    ]


def top_up_details(accounts: tuple[BankAccount, ...], person_id: UUID) -> TopUpDetails:
    """What this person needs for a transfer."""
    reference = reference_of(person_id)
    return TopUpDetails(
        reference,
        [
            TransferTo(
                currency=code,
                holder=one.holder,
                iban=one.iban,
                number=one.number,
                bic=one.bic,
                bank=one.bank,
                note=one.note,
                code=transfer_code(one, code, reference),
            )
            for one in accounts
            for code in one.currencies
        ],
    )


def transfer_code(account: BankAccount, code: str, reference: str) -> str | None:
    """The text of a QR code for a SEPA credit transfer without an amount (EPC069-12 §3.3), or None.

    Its lines: service tag, version, UTF-8, SCT, BIC, name, IBAN, amount, purpose, structured
    remittance information; what is empty at the end is left out.
    """
    if code != "EUR" or account.iban is None or account.iban[:2] not in _SEPA:
        return None
    head = ("BCD", "002", "1", "SCT")
    return "\n".join((*head, account.bic or "", account.holder, account.iban, "", "", reference))


def read_accounts(path: Path | None) -> tuple[BankAccount, ...]:
    """The accounts of the settings' file; none without one. Raises `AccountsUnusable`."""
    if path is None:
        return ()
    try:
        with path.open("rb") as file:
            read = msgspec.toml.decode(file.read(_LARGEST), type=_File, strict=True)
        accounts = tuple(map(_checked, read.accounts))
        _check_once(accounts)
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        raise AccountsUnusable(str(path), reason) from error
    except Invalid as error:
        raise AccountsUnusable(str(path), f"{error.field} {error.reason}") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise AccountsUnusable(str(path), str(error)) from error
    return accounts


def _checked(account: BankAccount) -> BankAccount:
    """The account as it is shown. Raises `Invalid`."""
    for code in account.currencies:
        currency(code, "currencies")
    if (account.iban is None) == (account.number is None):
        raise Invalid("iban", f"or number: give one of them for {account.holder!r}")
    iban, bic = _tight(account.iban), _tight(account.bic)
    if iban is not None and (_IBAN.fullmatch(iban) is None or check_number(_turned(iban)) != 1):
        raise Invalid("iban", f"{iban} has a mistake in it: its check digits do not fit")
    if bic is not None and _BIC.fullmatch(bic) is None:
        raise Invalid("bic", f"{bic} is none: it has 8 or 11 letters and digits")
    return BankAccount(
        currencies=account.currencies,
        holder=clean_text(account.holder, "holder", _HOLDER_LENGTH),
        iban=iban,
        number=_clean(account.number, "number"),
        bic=bic,
        bank=_clean(account.bank, "bank"),
        note=_clean(account.note, "note"),
    )


def _check_once(accounts: tuple[BankAccount, ...]) -> None:
    """One account for each currency: nobody should have to choose. Raises `Invalid`."""
    codes = [code for one in accounts for code in one.currencies]
    twice = next((code for code in codes if codes.count(code) > 1), None)
    if twice is not None:
        raise Invalid("currencies", f"{twice} has two accounts")


def _tight(text: str | None) -> str | None:
    return None if text is None else re.sub(r"\s", "", text).upper()


def _turned(iban: str) -> str:
    """An IBAN with its country and check digits at the end, as they are checked (ISO 13616)."""
    return iban[4:] + iban[:4]


def _clean(text: str | None, field: str) -> str | None:
    return None if text is None else clean_text(text, field, _TEXT_LENGTH)
