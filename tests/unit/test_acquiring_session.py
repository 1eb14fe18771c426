"""A connection's dialogue, without sockets: who may ask what, when, and what it is answered."""

import pytest

from acquiring_play import (
    DAY,
    FIXED,
    ICC,
    MASTER,
    PAN,
    Keys,
    Play,
    Terminal,
    make_context,
    make_link,
    money,
    network,
)  # fmt: skip
from tandem.acquiring import (
    Codec,
    De,
    Limits,
    LinkKeyMissing,
    LinksUnusable,
    Mac,
    MacKey,
    Message,
    ResponseCode,
    Wire,
)  # fmt: skip
from tandem.acquiring.bucket import Bucket
from tandem.acquiring.desk import Ask, Close, Send, Wait
from tandem.acquiring.keys import check_keys
from tandem.acquiring.respond import answer
from tandem.kernel import Refused

SESSION_MAC = Mac(key="master", algorithm="retail")
CMAC = Mac(key="master", algorithm="aes-cmac")
FIXED_MAC = Mac(key="fixed", keys="fixed")
OTHER_KEY = MacKey(FIXED_MAC, bytes(range(16)))


def code(message: Message) -> str | None:
    return message.text(De.RESPONSE_CODE)


def codes(messages: list[Message]) -> list[str | None]:
    return [code(message) for message in messages]


def approve(play: Play, at: int = 0) -> list[Message]:
    """Answer the request that was asked as the `at`-th."""
    ticket = play.asked[at].ticket
    reply = answer(ticket.message, ResponseCode.APPROVED)
    return play.terminal.read(play.session.answered(ticket, reply))


def test_a_payment_before_the_sign_on_is_refused_and_asked_of_nobody() -> None:
    play = Play()
    assert codes(play.send(money())) == ["91"]
    assert play.asked == []
    assert play.states[0].counts["not_signed_on"] == 1


def test_a_sign_on_opens_the_dialogue_and_a_sign_off_ends_it() -> None:
    play = Play()
    assert codes(play.send(network("301"))) == ["00"]
    reply = play.sign_on()
    assert (reply.mti, code(reply), reply.text(De.NETWORK_CODE)) == ("0810", "00", "001")
    assert play.send(money()) == []
    assert codes(approve(play)) == ["00"]
    assert codes(play.send(network("002"), money("0200", 2))) == ["00", "91"]


def test_a_link_that_need_not_sign_on_asks_at_once() -> None:
    play = Play(make_link(sign_on=False))
    assert play.send(money()) == []
    assert len(play.asked) == 1


@pytest.mark.parametrize("code_", ["000", "003", "161", "101", "270"])
def test_network_management_that_is_not_done_here_is_said(code_: str) -> None:
    play = Play()
    play.sign_on()
    assert codes(play.send(network(code_))) == ["12"]


def test_a_cutover_that_a_link_asks_about_is_answered_with_the_day() -> None:
    play = Play()
    play.sign_on()
    (reply,) = play.send(network("201"))
    assert reply.text(De.SETTLEMENT_DATE) == f"{DAY:%m%d}"


@pytest.mark.parametrize("settings", [SESSION_MAC, CMAC, Mac(key="master", padding=2, size=4)])
@pytest.mark.parametrize("wire", [Wire(), Wire(numeric="bcd", binary="hex", text="cp500")])
def test_a_sign_on_brings_the_key_that_payments_have_their_macs_under(
    settings: Mac, wire: Wire
) -> None:
    play = Play(make_link(mac=settings, wire=wire))
    play.sign_on()
    assert play.terminal.key is not None
    assert play.send(money()) == []
    assert codes(approve(play)) == ["00"]  # its MAC is checked by the terminal


def test_a_fixed_key_covers_also_the_sign_on() -> None:
    play = Play(make_link(mac=FIXED_MAC))
    assert codes(play.send(network("001"))) == ["00"]
    other = Play(make_link(mac=FIXED_MAC))
    other.terminal.key = None
    other.session.receive(other.terminal.write(network("001")), other.now)
    (sent,) = other.session.step(other.now)
    assert isinstance(sent, Send)
    other.terminal.key = MacKey(FIXED_MAC, FIXED)
    assert codes(other.terminal.read(sent.data)) == ["63"]
    assert not other.session.signed_on


@pytest.mark.parametrize("wrong", ["missing", "other key", "changed"])
def test_a_mac_that_is_missing_or_wrong_is_refused_and_counted(wrong: str) -> None:
    play = Play(make_link(mac=SESSION_MAC))
    play.sign_on()
    good = play.terminal.write(money())
    data = {
        "missing": Terminal(play.terminal.link).write(money()),
        "other key": play.terminal.write(money(), OTHER_KEY),
        "changed": good.replace(b"000000001234", b"000000001235"),
    }[wrong]
    assert codes(play.feed(data)) == ["63"]
    assert play.asked == []
    counts = play.states[0].counts
    assert counts["mac_missing"] == (wrong == "missing")
    assert counts["mac_wrong"] == (wrong != "missing")


def test_sign_off_and_key_change_need_a_mac_too() -> None:
    play = Play(make_link(mac=SESSION_MAC))
    play.sign_on()
    bare = Terminal(play.terminal.link)
    for message in (network("002"), network("161"), network("301"), network("201")):
        assert codes(play.feed(bare.write(message))) == ["63"]
    assert play.session.signed_on


def test_a_key_change_leaves_requests_under_way_their_key() -> None:
    play = Play(make_link(mac=SESSION_MAC))
    play.sign_on()
    first = play.terminal.key
    play.send(money())
    late = play.terminal.write(money("0200", 2))
    assert codes(play.send(network("161"))) == ["00"]
    second = play.terminal.key
    assert first is not None
    assert first != second
    play.feed(late)
    assert len(play.asked) == 2
    play.terminal.key = first  # both answers have their MACs under the key of their requests
    assert codes(approve(play) + approve(play, 1)) == ["00", "00"]
    play.now += 61
    play.terminal.key = second
    (sent,) = steps(play, play.terminal.write(money("0200", 3), first))
    assert isinstance(sent, Send)
    assert codes(play.terminal.read(sent.data)) == ["63"]
    assert play.send(money("0200", 4)) == []


def steps(play: Play, data: bytes) -> list[Send | Ask | Wait | Close]:
    play.session.receive(data, play.now)
    return play.session.step(play.now)


def test_a_key_that_is_too_old_is_good_for_nothing_until_the_next_sign_on() -> None:
    play = Play(make_link(mac=Mac(key="master", life_seconds=100)))
    play.sign_on()
    play.now += 100
    assert codes(play.send(money())) == ["63"]
    play.sign_on()
    assert play.send(money("0200", 2)) == []


@pytest.mark.parametrize(
    ("mac", "why"),
    [
        (Mac(key="nobody"), LinkKeyMissing),
        (Mac(key="master", each_terminal=True), LinkKeyMissing),
        (Mac(key="fixed", keys="fixed", algorithm="aes-cmac"), LinksUnusable),
        (Mac(key="short"), LinksUnusable),
        (Mac(key="short", keys="fixed"), LinksUnusable),
    ],
)
def test_a_link_without_its_key_is_refused_before_the_host_starts(
    mac: Mac, why: type[Refused]
) -> None:
    keys = Keys({"master": MASTER, "short": b"short", "fixed": bytes(7)})
    link = make_link(mac=mac, terminals=("TERM0001",))
    with pytest.raises(why, match="harbour"):
        check_keys([link], keys)
    with pytest.raises(ValueError, match="sign on"):
        make_link(mac=SESSION_MAC, sign_on=False)
    with pytest.raises(ValueError, match="each_terminal"):
        Mac(key="master", keys="fixed", each_terminal=True)


def test_a_key_that_goes_missing_or_comes_is_seen_at_the_next_sign_on() -> None:
    keys = {"harbour": MASTER}
    play = Play(make_link(mac=Mac(key="harbour")), keys=Keys(keys))
    assert code(play.sign_on()) == "00"
    assert play.send(money()) == []
    del keys["harbour"]
    assert play.send(money("0200", 2)) == []  # the session's own key is still good
    assert code(play.sign_on()) == "96"
    assert play.states[0].counts["link_key_missing"] == 1
    keys["harbour"] = MASTER
    assert code(play.sign_on()) == "00"
    fixed: dict[str, bytes] = {}
    play = Play(make_link(mac=Mac(key="fixed", keys="fixed")), keys=Keys(fixed))
    assert codes(play.send(network("001"))) == ["63"]
    assert play.states[0].counts["link_key_missing"] >= 1


def test_each_terminal_has_a_key_of_its_own_and_speaks_for_itself() -> None:
    mac = Mac(key="harbour", each_terminal=True)
    other = bytes(reversed(MASTER))
    keys = Keys({"harbour.TERM0001": MASTER, "harbour.TERM0002": other})
    play = Play(make_link(mac=mac), keys=keys)
    assert codes(play.send(network("001"))) == ["30"]  # it names none
    assert codes(play.send(network("001", TERMINAL="TERM0003"))) == ["96"]
    (answer,) = play.send(network("001", TERMINAL="TERM0001"))
    assert code(answer) == "00"
    assert play.send(money("0200", 1)) == []
    assert codes(play.send(money("0200", 2, TERMINAL="TERM0002"))) == ["58"]
    (changed,) = play.send(network("161", 3))
    assert code(changed) == "00"
    play.terminal.master = other
    (answer,) = play.send(network("001", 4, TERMINAL="TERM0002"))  # checked under its own key
    assert code(answer) == "00"
    assert codes(play.send(money("0200", 5))) == ["58"]
    assert play.send(money("0200", 6, TERMINAL="TERM0002")) == []
    first, play.terminal.master = play.terminal.key, MASTER
    play.send(network("001", 7, TERMINAL="TERM0001"))  # for which the other's key says nothing
    other_says = play.terminal.write(money("0200", 8, TERMINAL="TERM0001"), first)
    assert codes(play.feed(other_says)) == ["63"]


def test_a_link_hears_after_its_sign_on_which_day_it_is() -> None:
    play = Play(make_link(cutover=True))
    answer, told = play.send(network("001"))
    assert (code(answer), told.mti) == ("00", "0800")
    assert (told.text(De.NETWORK_CODE), told.text(De.SETTLEMENT_DATE)) == ("201", "1123")


# -- malformed, unasked, too many ------------------------------------------------------------------


def test_a_malformed_request_is_answered_if_anybody_can_tell_what_it_was() -> None:
    play = Play()
    play.sign_on()
    body = Codec(Wire()).write(money())
    (reply,) = play.feed(len(body[:-3]).to_bytes(2, "big") + body[:-3])
    assert (reply.mti, code(reply), reply.text(De.STAN)) == ("0210", "30", "000001")
    assert play.feed(b"\x00\x04junk") == []
    assert play.states[0].counts["message_malformed"] == 2


def test_answers_that_nobody_asked_for_are_passed_over() -> None:
    play = Play()
    play.sign_on()
    for mti in ("0110", "0210", "0810", "1200", "9999"):
        assert play.send(Message(mti, {De.STAN: "000001", De.RESPONSE_CODE: "00"})) == []
    assert play.states[0].counts["unasked"] == 5
    assert play.closed is None


@pytest.mark.parametrize("what", ["junk", "macs"])
def test_a_connection_that_says_nothing_useful_is_closed(what: str) -> None:
    play = Play(make_link(mac=SESSION_MAC, limits=Limits(faults=3)))
    play.sign_on()
    data = b"\x00\x04junk" if what == "junk" else play.terminal.write(money(), OTHER_KEY)
    play.feed(data * 2)
    assert play.closed is None
    play.send(network("301"))  # a good one: they are counted anew
    play.feed(data * 2)
    assert play.closed is None
    play.feed(data)
    assert play.closed == "3 messages in a row could not be used"


def test_a_stream_that_is_lost_is_closed_and_stays_closed() -> None:
    play = Play()
    play.feed(b"\xff\xff")
    assert play.closed is not None
    assert "longer than 4096" in play.closed
    assert play.feed(play.terminal.write(network("001"))) == []
    assert not play.session.signed_on


def test_a_terminal_of_another_link_is_refused() -> None:
    play = Play(make_link(terminals=("TERM0001",)))
    play.sign_on()
    assert codes(play.send(money("0200", 1, TERMINAL="TERM0002"))) == ["58"]
    assert codes(play.send(network("001", 2, TERMINAL="TERM0002"))) == ["58"]
    assert codes(play.send(money("0200", 3, TERMINAL=None))) == ["58"]
    assert play.send(money("0200", 4)) == []


def test_links_of_one_place_are_told_apart_by_their_terminals() -> None:
    play = Play(
        make_link(name="north", terminals=("TERM0001",)),
        make_link(name="south", terminals=("TERM0002",)),
    )
    play.sign_on()
    play.send(money(), money("0200", 2, TERMINAL="TERM0002"))
    requests = [ask.ticket.request for ask in play.asked]
    assert [request.link for request in requests if request] == ["north", "south"]
    approve(play, 1)
    assert play.states[1].counts["answered_00"] == 1


def test_what_a_request_lacks_is_answered_by_code() -> None:
    play = Play()
    play.sign_on()
    assert codes(play.send(money("0200", 1, MERCHANT=None))) == ["30"]
    assert codes(play.send(money("0200", 1, AMOUNT="000000000000"))) == ["13"]
    assert codes(play.send(money("0320", 1))) == ["12"]
    assert play.session.pending == 0


# -- order, limits and time ------------------------------------------------------------------------


def stans(messages: list[Message]) -> list[int]:
    return [int(message.text(De.STAN) or 0) for message in messages]


def test_answers_go_as_they_are_ready_or_in_the_order_of_their_requests() -> None:
    for order, expected in (("ready", [[2], [1]]), ("arrival", [[], [1, 2, 3]])):
        play = Play(make_link(order=order))
        play.sign_on()
        echo = play.send(money(), money("0200", 2), network("301", 3))
        assert stans(echo) == ([3] if order == "ready" else [])
        assert [stans(approve(play, 1)), stans(approve(play))] == expected


def test_a_request_that_gets_no_answer_does_not_hold_up_the_others() -> None:
    play = Play(make_link(order="arrival"))
    play.sign_on()
    play.send(money(), money("0200", 2))
    assert approve(play, 1) == []
    data = play.session.answered(play.asked[0].ticket, None)
    assert stans(play.terminal.read(data)) == [2]


def test_what_stands_in_line_is_bounded_too() -> None:
    play = Play(make_link(order="arrival", limits=Limits(pending=3)))
    play.sign_on()
    play.send(money(), *(network("301", stan) for stan in range(2, 10)))
    assert play.session.full
    assert stans(approve(play)) == [1, 2, 3]
    assert stans(play.step()) == [4, 5, 6, 7, 8, 9]


def test_no_more_is_read_than_may_be_under_way() -> None:
    play = Play(make_link(limits=Limits(pending=2)))
    play.sign_on()
    play.send(*(money("0200", stan) for stan in range(1, 6)))
    assert len(play.asked) == 2
    assert play.session.full
    approve(play)
    assert play.step() == []
    assert len(play.asked) == 3


def test_a_flood_has_to_wait_and_nothing_of_it_is_lost() -> None:
    play = Play(make_link(limits=Limits(per_second=10)))
    replies = play.send(*(network("301", stan) for stan in range(1, 31)))
    assert len(replies) == 10
    for _ in range(20):
        assert play.step() == []
        assert play.waits[-1] == pytest.approx(0.1)
        play.now += play.waits[-1]
        replies += play.step()
    assert stans(replies) == list(range(1, 31))
    assert play.states[0].counts["throttled"] > 0


def test_a_bucket_holds_a_second_s_worth_and_never_more() -> None:
    bucket = Bucket(5)
    assert [bucket.take(100.0) for _ in range(7)] == pytest.approx([0] * 5 + [0.2, 0.4])
    assert [bucket.take(1000.0) for _ in range(6)] == pytest.approx([0] * 5 + [0.2])
    assert bucket.take(900.0) == pytest.approx(0.4)  # a clock that went back gives nothing


def test_connections_of_a_link_wait_for_each_other_and_each_wakes_once() -> None:
    link = make_link(limits=Limits(per_second=10))
    plays = [Play(link) for _ in range(3)]
    for play in plays[1:]:
        play.session.lead.bucket = plays[0].session.lead.bucket
    assert len(plays[0].send(*(network("301", stan) for stan in range(10)))) == 10
    waits = []
    for play in plays:
        assert play.send(network("301")) == []
        waits.append(play.waits[-1])
    assert waits == pytest.approx([0.1, 0.2, 0.3])
    for play, wait in zip(plays, waits, strict=True):
        play.now += wait
        assert len(play.step()) == 1


def test_whoever_is_silent_is_told_to_go() -> None:
    limits = Limits(sign_on_seconds=30, frame_seconds=10, idle_seconds=600, answer_seconds=15)
    play = Play(make_link(limits=limits, echo_seconds=60))
    assert play.session.overdue(play.now + 30) is None
    assert play.session.overdue(play.now + 31) == "no sign-on"
    play.sign_on()
    play.feed(b"\x00\x10half")
    play.now += 9
    play.feed(b"a")
    assert play.session.overdue(play.now + 1) is None
    assert play.session.overdue(play.now + 2) == "half a message and then silence"
    play.feed(b"x" * 11)
    assert play.session.overdue(play.now + 2) is None
    assert play.session.overdue(play.now + 601) == "silence"


def test_a_connection_with_work_under_way_is_not_silent() -> None:
    play = Play()
    play.sign_on()
    play.send(money())
    assert play.session.overdue(play.now + 10_000) is None
    approve(play)
    assert play.session.overdue(play.now + 10_000) == "silence"


def test_a_sign_off_must_be_followed_by_a_sign_on() -> None:
    play = Play()
    play.now += 5
    play.sign_on()
    play.now += 1000
    play.send(network("002"))
    assert play.session.overdue(play.now + 30) is None
    assert play.session.overdue(play.now + 31) == "no sign-on"


def test_the_host_asks_whether_a_quiet_link_is_there() -> None:
    play = Play(make_link(mac=SESSION_MAC, echo_seconds=60))
    assert play.session.echo(play.now + 60) is None  # not signed on
    play.sign_on()
    assert play.session.echo(play.now + 59) is None
    play.now += 60
    data = play.session.echo(play.now)
    assert data is not None
    (message,) = play.terminal.read(data)
    assert (message.mti, message.text(De.NETWORK_CODE)) == ("0800", "301")
    assert play.session.echo(play.now + 60) is None  # one at a time
    assert play.session.overdue(play.now + 16) == "no answer to an echo test or cutover"
    reply = Message("0810", {De.STAN: message.text(De.STAN) or "", De.NETWORK_CODE: "301"})
    play.feed(play.terminal.write(reply, OTHER_KEY))
    assert play.session.overdue(play.now + 16) is not None
    assert play.states[0].counts["mac_wrong"] == 1
    play.send(reply)
    assert play.session.overdue(play.now + 16) is None


def test_a_new_business_day_is_told_to_links_that_want_to_hear_it() -> None:
    quiet = Play()
    quiet.sign_on()
    assert quiet.session.cutover(DAY, quiet.now) is None
    play = Play(make_link(cutover=True))
    assert play.session.cutover(DAY, play.now) is None
    assert len(play.send(network("001"))) == 2
    data = play.session.cutover(DAY, play.now)
    assert data is not None
    (message,) = play.terminal.read(data)
    assert message.text(De.NETWORK_CODE) == "201"
    assert message.text(De.SETTLEMENT_DATE) == "1123"


def test_the_trace_hears_every_message_and_every_refusal() -> None:
    heard: list[tuple[str, str, str]] = []
    refusals: list[tuple[str, Refused]] = []
    context = make_context(
        trace=lambda link, way, message: heard.append((link, way, message.mti)),
        trace_refusal=lambda link, refused: refusals.append((link, refused)),
    )
    play = Play(context=context)
    play.send(money())
    play.feed(b"\x00\x04junk")
    assert heard == [("harbour", "in", "0200"), ("harbour", "out", "0210")]
    assert [(link, refused.code) for link, refused in refusals] == [
        ("harbour", "not_signed_on"), ("harbour", "message_malformed"),
    ]  # fmt: skip
    assert all(PAN not in refused.sentence() for _, refused in refusals)


def test_what_stands_behind_a_session_is_not_shown() -> None:
    assert SESSION_MAC.key in repr(SESSION_MAC)
    assert "secret" not in repr(make_context())
    assert ICC not in repr(Play().send(money()))
