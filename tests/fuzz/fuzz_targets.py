"""What is fuzzed: functions of bytes that raise for a finding, and for nothing else.

Each one holds the same promise to every input: what is read is written back as it stood or refused
with a refusal of its room, and nothing else leaves, in bounded time and memory. `TARGETS` has them
by name; `fuzzing.py` runs them guided by coverage, `test_fuzz.py` with what is kept in `corpus`.
"""

from collections.abc import Callable
from typing import Final

import fuzz_card
import fuzz_certificates
import fuzz_codes
import fuzz_kernel
import fuzz_messages
import fuzz_readers
import fuzz_wire

Target = Callable[[bytes], None]

TARGETS: Final[dict[str, Target]] = {
    "tlv": fuzz_messages.tlv,
    "dol": fuzz_messages.dol,
    "apdu": fuzz_messages.apdu,
    "show": fuzz_messages.show,
    "application_data": fuzz_messages.application_data,
    "card": fuzz_card.card,
    "kernel": fuzz_kernel.kernel,
    "gate": fuzz_kernel.gate,
    "others": fuzz_kernel.others,
    "certificates": fuzz_certificates.certificates,
    "signatures": fuzz_certificates.signatures,
    "stored_keys": fuzz_certificates.stored_keys,
    "iso8583": fuzz_wire.iso8583,
    "framing": fuzz_wire.framing,
    "session": fuzz_wire.session,
    "tr31": fuzz_wire.tr31,
    "tag": fuzz_readers.tag,
    "isodep": fuzz_readers.isodep,
    "emvco": fuzz_codes.emvco,
}
