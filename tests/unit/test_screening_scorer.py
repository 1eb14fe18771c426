"""The local scorer and the life of a screened message."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tandem.screening import AlreadyAppealed, Company, MessageState, NotHeld, Screened, score, weigh
from tandem.screening.model import (
    GAPS,
    Screening,
    appealed,
    checked,
    decided,
    message_view,
    screening_view,
    seen,
    told,
    unanswered,
)
from tandem.screening.scorer import folded

NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
STRANGERS = Company(strangers=True, alike=0)
FRIENDS = Company(strangers=False, alike=0)

PLAIN = """
Lunch
Thanks for yesterday!
rent for May
Two coffees, one croissant
happy birthday!! 🎂🎉
Your half of the taxi
Here is the deposit for the flat
for the police fundraiser on Saturday
Refund for the concert, sorry it was cancelled
Please send me the recipe too :)
Call me when you are home
I won the bet
invoice 2026-114, due Friday
WiFi this month
See you at 6, bring cash
bitcoin talk ticket
Loan from Grandma, back in June
Could you pay me back this week?
for the gift for Anna
My new number is 0171 2345678
The code for the door is 4711
HAPPY BIRTHDAY
午饭
谢谢你昨天帮忙！
五月房租
打车费一人一半
生日快乐🎂
火锅AA，每人85
给妈妈的红包
密码箱的钱
明天见，记得带伞
微信上说的那个
客服小王的午饭钱
押金退你
孩子补习费
加班餐费
Спасибо за обед
Μεσημεριανό
شكراً على الغداء
تحویل برای ناهار\u200cخانه
👨\u200d👩\u200d👧 dinner
Dîner chez Zoé
""".strip().splitlines()

WRONG = """
Congratulations! You won an iPhone, claim your prize at bit.ly/3xYz
URGENT: your account is suspended, verify at http://tandem-secure.xyz/login
Send me the verification code you just got please
Please tell me your PIN so I can fix the payment
This is Tandem support, your wallet is blocked. Reply with your one-time code
Double your money in 24 hours, guaranteed profit with bitcoin
Earn $500 per day work from home, contact me on WhatsApp +44 7700 900123
Customs fee unpaid, your parcel is held: pay the release fee immediately
Invest in crypto today, guaranteed return, telegram @quickprofit
You have won the lottery, pay the processing fee first
C0NGRATULAT10NS y0u w0n, claim your pr1ze: tinyurl.com/abc
f r e e   m o n e y  claim your cash now http://185.11.22.33/x
Y\u200bou h\u200bave won a prize: claim the reward at www.win.top
\u0421ongratulations, you w\u043en a pri\u0437e, claim your gift http://xn--tndem-hra.com
把验证码发给我
请把你收到的校验码告诉客服
您的账户异常即将冻结，请立即转账到安全账户
恭喜您中奖，先交手续费，领取奖品请加微信 vx888999
兼职刷单日结，稳赚不赔，加我微信 abc12345
我是公安局的，您涉嫌洗钱，请立即汇款到安全账户，不要告诉任何人
无抵押贷款秒批，加微信 daikuan666 咨询
官方客服：您的订单退款，请点 http://refund-taobao.top 并提供验证码
带你投资，高收益保本，加我QQ 123456789
""".strip().splitlines()


@pytest.mark.parametrize("text", PLAIN)
def test_what_people_write_is_clear(text: str) -> None:
    assert not score(weigh(text, own_host="pay.example"), STRANGERS).held


@pytest.mark.parametrize("text", WRONG)
def test_spam_and_fraud_are_held(text: str) -> None:
    found = score(weigh(text, own_host="pay.example"), STRANGERS)
    assert found.held, found


def test_most_messages_have_no_point_at_all() -> None:
    """So nothing is asked of the database for them."""
    pointed = [text for text in PLAIN if weigh(text, own_host="pay.example")]
    assert len(pointed) <= len(PLAIN) // 8, pointed


def test_a_link_of_ours_is_no_link() -> None:
    ours = "pay it here: https://pay.example/c/AbC123"
    assert weigh(ours, own_host="pay.example") == {}
    assert weigh(ours, own_host="other.example") == {"link": 2}
    assert "link" in weigh("https://pay.example@evil.example/c/x", own_host="pay.example")
    assert "link" in weigh("https://pay.example.evil.com/", own_host="pay.example")


def test_whom_it_goes_to_counts_only_beside_something() -> None:
    many = Company(strangers=True, alike=50)
    assert score({}, many).points == 0
    assert score({"link": 2}, FRIENDS).points == 2
    assert score({"link": 2}, many).reasons == ("link", "many_alike", "stranger")
    assert score({"link": 2}, many).held
    assert not score({"link": 2}, STRANGERS).held


@given(st.text(max_size=140))
@example("Tangut letters have no names: \U00017000\U00017001")
def test_any_text_is_weighed(text: str) -> None:
    found = score(weigh(text, own_host="pay.example"), STRANGERS)
    assert found.points >= 0
    assert folded(folded(text)) == folded(text)


# -- the life of a message -----------------------------------------------------------------------


def row(state: MessageState, client: str | None = "198.51.100.7") -> Screening:
    screened = Screened(state, 6, ("link", "prize"), client)
    return screened.row("snd", UUID(int=7), UUID(int=8), UUID(int=9), "You won", NOW)


def test_only_its_author_sees_what_is_not_clear() -> None:
    for state in MessageState:
        assert seen("hi", state, by_author=True) == "hi"
        assert seen("hi", state, by_author=False) == ("hi" if state == "clear" else None)


def test_akismet_decides_on_what_is_checked() -> None:
    waiting = row(MessageState.CHECKING)
    assert waiting.due_at == NOW
    spam, ham = checked(waiting, NOW, spam=True), checked(waiting, NOW, spam=False)
    assert (spam.state, spam.reasons, spam.client) == ("held", "link prize akismet", waiting.client)
    assert (ham.state, ham.client, ham.due_at) == ("clear", None, None)


def test_without_an_answer_it_is_asked_again_and_clear_in_the_end() -> None:
    waiting, gaps = row(MessageState.CHECKING), []
    while waiting.due_at is not None:
        waiting = unanswered(waiting, NOW)
        gaps += [] if waiting.due_at is None else [waiting.due_at - NOW]
    assert tuple(gaps) == GAPS
    assert sum(gaps, timedelta()) > timedelta(minutes=10)
    assert (waiting.state, waiting.client) == ("clear", None)


def test_what_could_not_be_told_stays_as_it_was_decided() -> None:
    spam = checked(row(MessageState.CHECKING), NOW, spam=True)
    waiting = decided(spam, NOW, release=False, tells=True)
    while waiting.due_at is not None:
        waiting = unanswered(waiting, NOW)
    assert (waiting.state, waiting.tell, waiting.client) == ("rejected", None, None)


def test_a_held_message_is_appealed_once_and_decided() -> None:
    held = row(MessageState.HELD)
    asked = appealed(held, "our joke", NOW)
    assert (asked.appeal, asked.appealed_at) == ("our joke", NOW)
    with pytest.raises(AlreadyAppealed):
        appealed(asked, None, NOW)
    rejected = decided(asked, NOW, release=False, tells=False)
    assert (rejected.state, rejected.source, rejected.client) == ("rejected", "operator", None)
    released = decided(rejected, NOW, release=True, tells=False)
    assert released.state == "clear"
    for state in (rejected, released):
        with pytest.raises(NotHeld):
            appealed(state, None, NOW)
    with pytest.raises(NotHeld):
        decided(rejected, NOW, release=False, tells=False)
    with pytest.raises(NotHeld):
        decided(released, NOW, release=True, tells=False)


def test_akismet_is_told_of_what_it_was_asked_about() -> None:
    spam = checked(row(MessageState.CHECKING), NOW, spam=True)
    wrong, right = (decided(spam, NOW, release=yes, tells=True) for yes in (True, False))
    assert [one.tell for one in (wrong, right)] == ["ham", "spam"]
    assert told(wrong, NOW).client is None
    local = decided(row(MessageState.HELD, client=None), NOW, release=True, tells=True)
    assert (local.tell, local.due_at) == (None, None)


def test_nobody_but_the_operator_is_told_what_gave_it_away() -> None:
    held = row(MessageState.HELD)
    shown = msgspec.json.encode(message_view(held)).decode()
    assert "prize" not in shown
    view = screening_view(held, {UUID(int=8): "Lin", UUID(int=9): "Mei"})
    assert view.reasons == ["link", "prize"]
    assert (view.author_name, view.receiver_name) == ("Lin", "Mei")
