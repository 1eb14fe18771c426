"""What the data objects of an EMVCo merchant-presented payload are called, and whose they are.

After the EMV QR Code Specification for Payment Systems, Merchant-Presented Mode v1.1: the tables
of data objects under the root, of merchant account information, additional data and language. The
schemes' own are after their publishers' guides (Bank of Thailand's PromptPay, Banco Central do
Brasil's BR Code, NAPAS's VietQR, LAPNet's LAO QR).
"""

from enum import StrEnum
from typing import Final

TANDEM_GUID: Final = "org.tandem.pay"
"""The globally unique identifier of Tandem's own template: a domain name turned round."""
TANDEM_LINK: Final = "01"
"""The data object of that template with the link."""

_ROOT: Final = {
    "00": "Payload Format Indicator",
    "01": "Point of Initiation Method",
    "52": "Merchant Category Code",
    "53": "Transaction Currency",
    "54": "Transaction Amount",
    "55": "Tip or Convenience Indicator",
    "56": "Value of Convenience Fee Fixed",
    "57": "Value of Convenience Fee Percentage",
    "58": "Country Code",
    "59": "Merchant Name",
    "60": "Merchant City",
    "61": "Postal Code",
    "62": "Additional Data Field Template",
    "63": "CRC",
    "64": "Merchant Information - Language Template",
}
_ADDITIONAL: Final = {
    "01": "Bill Number",
    "02": "Mobile Number",
    "03": "Store Label",
    "04": "Loyalty Number",
    "05": "Reference Label",
    "06": "Customer Label",
    "07": "Terminal Label",
    "08": "Purpose of Transaction",
    "09": "Additional Consumer Data Request",
    "10": "Merchant Tax ID",
    "11": "Merchant Channel",
}
_LANGUAGE: Final = {
    "00": "Language Preference",
    "01": "Merchant Name - Alternate Language",
    "02": "Merchant City - Alternate Language",
}
_GUID: Final = "Globally Unique Identifier"


class Scheme(StrEnum):
    """Who a merchant account information is for."""

    TANDEM = "Tandem"
    VISA = "Visa"
    MASTERCARD = "Mastercard"
    DISCOVER = "Discover"
    AMEX = "American Express"
    JCB = "JCB"
    UNIONPAY = "UnionPay"
    PROMPTPAY = "PromptPay"
    PIX = "PIX"
    VIETQR = "VietQR"
    VNPAY = "VNPAY"
    LAO_QR = "LAO QR"
    PAYNOW = "PayNow"
    DUITNOW = "DuitNow"
    QRIS = "QRIS"
    FPS = "Hong Kong FPS"
    UPI = "UPI"


_NETWORKS: Final = {
    ("02", "03"): Scheme.VISA,
    ("04", "05"): Scheme.MASTERCARD,
    ("09", "10"): Scheme.DISCOVER,
    ("11", "12"): Scheme.AMEX,
    ("13", "14"): Scheme.JCB,
    ("15", "16"): Scheme.UNIONPAY,
}
_DOMAINS: Final = {
    TANDEM_GUID: Scheme.TANDEM,
    "br.gov.bcb.pix": Scheme.PIX,
    "sg.paynow": Scheme.PAYNOW,
    "id.co.qris.www": Scheme.QRIS,
    "hk.com.hkicl": Scheme.FPS,
}
# Registered application provider identifiers (ISO/IEC 7816-5): the first ten digits of an AID.
_PROVIDERS: Final = {
    "A000000003": Scheme.VISA,
    "A000000004": Scheme.MASTERCARD,
    "A000000025": Scheme.AMEX,
    "A000000065": Scheme.JCB,
    "A000000152": Scheme.DISCOVER,
    "A000000333": Scheme.UNIONPAY,
    "A000000524": Scheme.UPI,
    "A000000615": Scheme.DUITNOW,
    "A000000677": Scheme.PROMPTPAY,
    "A000000727": Scheme.VIETQR,
    "A000000775": Scheme.VNPAY,
    "A005266284": Scheme.LAO_QR,
}
_PROMPTPAY_TRANSFER: Final = {
    "01": "Mobile Number",
    "02": "National or Tax ID",
    "03": "E-Wallet ID",
    "04": "Bank Account",
}
_PROMPTPAY_BILL: Final = {"01": "Biller ID", "02": "Reference 1", "03": "Reference 2"}
_ACCOUNT: Final = {
    Scheme.TANDEM: {TANDEM_LINK: "Link"},
    Scheme.PIX: {"01": "Key", "02": "Information", "25": "Location of the charge"},
    Scheme.VIETQR: {
        "01": "Beneficiary",
        "01.00": "Acquirer ID (BIN)",
        "01.01": "Account or card number",
        "02": "Service code",
    },
}
PROMPTPAY_BILL_AID: Final = "A000000677010112"


def scheme_of_network(object_id: str) -> Scheme | None:
    """The network that a primitive merchant account information (02 to 25) belongs to."""
    return next((scheme for ids, scheme in _NETWORKS.items() if object_id in ids), None)


def scheme_of_guid(guid: str) -> Scheme | None:
    """The scheme that a globally unique identifier names, in whatever case it is written."""
    return _DOMAINS.get(guid.lower()) or _PROVIDERS.get(guid[:10].upper())


def name_of(path: str, guid: str = "") -> str:
    """The name of the data object at a path such as `59` or `62.05`.

    `guid` is the identifier of the template that it stands in, if any.
    """
    root, _, inner = path.partition(".")
    if not inner:
        return _ROOT.get(root) or _range_name(root)
    if root == "62" and "." not in inner:
        return _ADDITIONAL.get(inner) or _additional_range_name(inner)
    if root == "64":
        return _LANGUAGE.get(inner, "Reserved by EMVCo")
    if inner == "00" or (root == "62" and inner.endswith(".00")):
        return _GUID
    return _account_names(guid).get(inner, "Scheme's own")


def _account_names(guid: str) -> dict[str, str]:
    scheme = scheme_of_guid(guid)
    if scheme is Scheme.PROMPTPAY:
        bill = guid.upper() == PROMPTPAY_BILL_AID
        return _PROMPTPAY_BILL if bill else _PROMPTPAY_TRANSFER
    return _ACCOUNT.get(scheme, {}) if scheme else {}


def _range_name(root: str) -> str:
    if "02" <= root <= "51":
        reserved = root <= "25" and scheme_of_network(root) is None
        return "Reserved by EMVCo" if reserved else "Merchant Account Information"
    return "Unreserved Template" if root >= "80" else "Reserved by EMVCo"


def _additional_range_name(inner: str) -> str:
    return "Payment System Specific Template" if inner >= "50" else "Reserved by EMVCo"
