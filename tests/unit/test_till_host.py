"""The terminal's way to its host: what becomes of a message, and of one that cannot be written."""

from typing import cast

import msgspec
import pytest

from emv_tap import NOW, PAN
from tandem.acquiring import VERIFICATION, Client, Codec, De, Message, NoAnswer, NotSent, Wire
from tandem.kernel import ManualClock
from tandem.tap import Payment, Secret, TerminalSettings, Unanswered, Unreachable
from tandem.tap.payment import Unsendable
from tandem.till import HostOnline
from tap_shop import SETTINGS

PAYMENT = Payment(number=7, at=NOW, amount=3800, currency="CNY")
SECRET = Secret(
    pan=PAN, track_2=f"{PAN}=31122010000000", sequence="01", icc=b"\x9f\x36\x02\x00\x01"
)


class FakeClient:
    """Writes a message as a link does, and answers as a test says."""

    def __init__(self, raises: Exception | None = None, code: str = "00") -> None:
        self.raises = raises
        self.code = code
        self.sent: list[bytes] = []
        self.asked: list[Message] = []

    async def request(self, message: Message) -> Message:
        self.asked.append(message)
        self.sent.append(Codec(Wire()).write(message))
        if self.raises is not None:
            raise self.raises
        return Message("0210", {De.RESPONSE_CODE: self.code, De.AUTHORISATION_CODE: "A1    "})


def way(client: FakeClient, settings: TerminalSettings = SETTINGS) -> HostOnline:
    return HostOnline(cast("Client", client), settings, ManualClock(NOW))


async def test_an_answer_is_a_reply() -> None:
    reply = await way(FakeClient()).authorise(PAYMENT, SECRET, repeat=False)
    assert (reply.approved, reply.code, reply.authorisation_code) == (True, "00", "A1")


@pytest.mark.parametrize(
    ("code", "paid", "taken"),
    [
        ("00", True, True),
        ("08", False, True),
        ("10", False, False),
        ("11", True, True),
        ("16", True, True),
        ("51", False, False),
        ("", False, False),
    ],
)
async def test_what_an_acquirers_code_comes_to(code: str, *, paid: bool, taken: bool) -> None:
    host = way(FakeClient(code=code))
    asked = await host.authorise(PAYMENT, SECRET, repeat=False)
    assert (asked.approved, asked.undo) == (paid, code in {"08", "10"}), "no part is left booked"
    reply = await host.advise(PAYMENT, SECRET, repeat=False)
    assert (reply.approved, reply.code, reply.undo) == (taken, code, False)


@pytest.mark.parametrize(
    ("raised", "expected"),
    [(NotSent("no line"), Unreachable), (NoAnswer("too long"), Unanswered)],
)
async def test_what_was_sent_is_told_from_what_was_not(
    raised: Exception, expected: type[Exception]
) -> None:
    with pytest.raises(expected) as told:
        await way(FakeClient(raised)).advise(PAYMENT, SECRET, repeat=False)
    assert not isinstance(told.value, Unsendable)


async def test_what_fits_no_message_is_not_tried_for_ever() -> None:
    client = FakeClient()
    odd = Secret(pan=PAN, track_2=f"{PAN}=31AB", sequence="01", icc=b"")
    with pytest.raises(Unsendable) as told:
        await way(client).advise(PAYMENT, odd, repeat=True)
    assert not client.sent
    assert PAN not in str(told.value)


@pytest.mark.parametrize(("why", "code"), [("card_approved", "Y1"), ("deferred", "Y3")])
async def test_an_advice_says_whether_anybody_could_be_asked(why: str, code: str) -> None:
    client = FakeClient()
    payment = msgspec.structs.replace(PAYMENT, why=why)
    await way(client).advise(payment, SECRET, repeat=False)
    (asked,) = client.asked
    assert (asked.mti, asked.text(De.RESPONSE_CODE)) == ("0220", code)


async def test_a_question_about_a_card_is_none_of_money_though_a_gate_opened() -> None:
    (aid,) = SETTINGS.aids
    asking = msgspec.structs.replace(
        SETTINGS, aids=(msgspec.structs.replace(aid, status_check=True),)
    )
    client = FakeClient()
    question = msgspec.structs.replace(PAYMENT, amount=100, aid=aid.aid, why="deferred")
    await way(client, asking).advise(question, SECRET, repeat=True)
    (asked,) = client.asked
    assert (asked.mti, asked.text(De.CONDITION)) == ("0101", VERIFICATION)
