"""The pay code that a person shows: 18 digits, made by the phone without a network.

    28 34567890 12345678
    │  │        └ one-time part, 8 digits
    │  └ device index, 8 digits: given by the server at sign-up, random, one for each device
    └ prefix, in the range 25 to 30 that tills know as wallets' codes

    one-time part = HMAC-SHA256(seed, "tandem paycode v1" ‖ index ‖ step ‖ counter)
                    first 8 bytes, as an unsigned big-endian integer, mod 10^8, 8 digits

`seed` is 32 bytes shared at sign-up; `index` its 8 ASCII digits; `step` the Unix time in seconds
divided by 15, rounded down, 8 bytes big-endian; `counter` one byte, 0 to 3: it lets a phone show
up to four codes within one step. The construction is that of TOTP (RFC 6238, RFC 4226 §5) with
SHA-256 and more digits. Of 2^64 values mod 10^8, no one-time part is likelier than another by
more than 6 in 10^12.

Odds of guessing. At any moment 6 steps (four back, this one, one ahead) of 4 counters are open:
at most 24 one-time parts of 10^8. One guess at a device whose index is known succeeds with at
most 24 in 10^8, 1 in 4,166,667. A guess of 16 random digits where N devices exist succeeds with
N x 24 in 10^16: with a million devices, 1 in 416,666,667. At 20 wrong codes an hour, 480 a day,
one merchant's key meets a known device's code with 1.15 in 10,000 a day: once in 8,681 days
of guessing without a pause, near 24 years.
"""

import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from tandem.codes.errors import PayCodeExpired, PayCodeInvalid, PayCodeMalformed, PayCodeUsed
from tandem.kernel import Entropy

PREFIX: Final = "28"
SEED_BYTES: Final = 32
STEP_S: Final = 15
STEPS_BACK: Final = 4
"""With this one, five steps: a code lives at least 60 and less than 75 seconds."""
STEPS_AHEAD: Final = 1
"""A phone's clock may be up to 15 seconds fast."""
COUNTERS: Final = 4
"""Codes that a phone can show within one step."""
EXPIRED_S: Final = 15 * 60
"""How long an old code is still told apart from a wrong one."""

_LABEL = b"tandem paycode v1"
_PARTS = 10**8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEP = timedelta(seconds=STEP_S)
_INDEX = re.compile(r"[0-9]{8}", re.ASCII)
_CODE = re.compile(r"28([0-9]{8})([0-9]{8})", re.ASCII)
_MAX_TYPED = 40
_NOBODY = bytes(SEED_BYTES)


class Mark(NamedTuple):
    """When a code was made: its step and its counter. Marks of one device grow with time."""

    step: int
    counter: int


@dataclass(frozen=True, slots=True)
class PayCode:
    """A pay code, taken apart. The one-time part stays out of `repr`, and so out of logs."""

    index: str
    one_time: str = field(repr=False)

    @property
    def digits(self) -> str:
        """All 18 digits."""
        return f"{PREFIX}{self.index}{self.one_time}"


def allocate_index(entropy: Entropy) -> str:
    """A random device index. The caller keeps it unique: draw again if it is taken."""
    return f"{int.from_bytes(entropy(16), 'big') % _PARTS:08d}"


def generate(seed: bytes, index: str, at: datetime, counter: int = 0) -> str:
    """The code that a device shows at a moment: 18 digits.

    Raises `ValueError` for a seed that is not 32 bytes, an index that is not 8 digits, a counter
    outside 0 to 3, or a time without a zone or before 1970: faults of the program, not of input.
    """
    if len(seed) != SEED_BYTES or _INDEX.fullmatch(index) is None:
        raise ValueError(f"a seed is {SEED_BYTES} bytes and an index 8 digits")
    if not 0 <= counter < COUNTERS:
        raise ValueError(f"a counter is 0 to {COUNTERS - 1}, not {counter}")
    return PayCode(index, _one_time(seed, index, Mark(_step_of(at), counter))).digits


def parse(text: str) -> PayCode:
    """Take a scanned or typed pay code apart; spaces, as people are shown them, are passed over.

    Raises `PayCodeMalformed` if it is not 18 ASCII digits beginning with 28.
    """
    match = _CODE.fullmatch(text.replace(" ", "").strip()) if len(text) <= _MAX_TYPED else None
    if match is None:
        raise PayCodeMalformed
    return PayCode(match[1], match[2])


def show(code: str) -> str:
    """The code in groups of four, as people are shown it: `2812 3456 7890 1234 56`."""
    return " ".join(code[start : start + 4] for start in range(0, len(code), 4))


def check(code: PayCode, seed: bytes | None, at: datetime, last: Mark | None) -> Mark:
    """Decide a code: return its mark, which the caller stores as the device's new `last`.

    `seed` is that of the device whose index the code names; None if there is no such device,
    which takes the same work and is refused as a wrong code. `last` is the mark of the last code
    that the device paid with. All candidates are made and compared, whichever matches. A code
    that matches two open marks (a chance of 24 in 10^8) is taken for the later one, so that it
    still works only once.

    Raises `PayCodeUsed` if it is right but not newer than `last`, `PayCodeExpired` if it was right
    within the last 15 minutes, `PayCodeInvalid` otherwise.
    """
    now = _step_of(at)
    known = seed is not None
    key = _NOBODY if seed is None else seed
    open_steps = range(max(0, now - STEPS_BACK), now + STEPS_AHEAD + 1)
    right = _matches(code, key, open_steps)
    if known and right:
        mark = max(right)
        if last is not None and mark <= last:
            raise PayCodeUsed
        return mark
    oldest = max(0, now - EXPIRED_S // STEP_S)
    was_right = _matches(code, key, range(oldest, open_steps.start))
    if known and was_right:
        raise PayCodeExpired((now - max(was_right).step) * STEP_S)
    raise PayCodeInvalid


def _matches(code: PayCode, seed: bytes, steps: Iterable[int]) -> list[Mark]:
    """The marks among these steps whose code this is. The work does not depend on the answer."""
    shown = code.one_time.encode()
    marks = [Mark(step, counter) for step in steps for counter in range(COUNTERS)]
    same = [
        hmac.compare_digest(_one_time(seed, code.index, mark).encode(), shown) for mark in marks
    ]
    return [mark for mark, is_same in zip(marks, same, strict=True) if is_same]


def _one_time(seed: bytes, index: str, mark: Mark) -> str:
    message = _LABEL + index.encode() + mark.step.to_bytes(8, "big") + bytes((mark.counter,))
    number = int.from_bytes(hmac.digest(seed, message, "sha256")[:8], "big")
    return f"{number % _PARTS:08d}"


def _step_of(at: datetime) -> int:
    if at.tzinfo is None or at < _EPOCH:
        raise ValueError("a time needs a zone and lies after 1970")
    return (at - _EPOCH) // _STEP
