"""QR and pay codes: made, drawn, read and told apart. Pure: no I/O, time and randomness passed in.

`read_scan` says what a scanned text is, `merchant_presented` makes the code that a shop shows,
`paycode` the one that a person shows; `draw_qr` and `draw_code128` draw them, `read_image` reads
pictures of them.
"""

from tandem.codes import paycode
from tandem.codes.draw import Symbol, draw_code128, draw_qr
from tandem.codes.emvco import Account, DataObject, Line, Payload, Tip, data_object, sealed
from tandem.codes.emvco_names import Scheme
from tandem.codes.errors import (
    CodeDamaged,
    CodeTooLong,
    NotEmvco,
    PayCodeExpired,
    PayCodeInvalid,
    PayCodeMalformed,
    PayCodeUsed,
    UnreadableImage,
)
from tandem.codes.link import check_link, link_host
from tandem.codes.merchant import (
    MAX_CODE_LINK,
    code_faults,
    fits_reference,
    merchant_presented,
    tandem_link,
)
from tandem.codes.paycode import Mark, PayCode
from tandem.codes.read import read_image
from tandem.codes.scan import (
    LinkCode,
    PersonCode,
    Scan,
    SchemeCode,
    TandemCode,
    UnknownCode,
    WalletCode,
    read_scan,
)

__all__ = [
    "MAX_CODE_LINK",
    "Account",
    "CodeDamaged",
    "CodeTooLong",
    "DataObject",
    "Line",
    "LinkCode",
    "Mark",
    "NotEmvco",
    "PayCode",
    "PayCodeExpired",
    "PayCodeInvalid",
    "PayCodeMalformed",
    "PayCodeUsed",
    "Payload",
    "PersonCode",
    "Scan",
    "Scheme",
    "SchemeCode",
    "Symbol",
    "TandemCode",
    "Tip",
    "UnknownCode",
    "UnreadableImage",
    "WalletCode",
    "check_link",
    "code_faults",
    "data_object",
    "draw_code128",
    "draw_qr",
    "fits_reference",
    "link_host",
    "merchant_presented",
    "paycode",
    "read_image",
    "read_scan",
    "sealed",
    "tandem_link",
]
