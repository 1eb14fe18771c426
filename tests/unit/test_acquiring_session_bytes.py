"""A connection's dialogue with whatever comes: no bytes break it, and order stays order."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquiring_play import Play, Terminal, make_context, make_link, money, network
from tandem.acquiring import De, Limits, Mac, Message, ResponseCode
from tandem.acquiring.desk import Ask, Close, Send, Wait
from tandem.acquiring.respond import answer
from tandem.acquiring.session import Session

SESSION_MAC = Mac(key="master", algorithm="retail")


def stans(messages: list[Message]) -> list[int]:
    return [int(message.text(De.STAN) or 0) for message in messages]


PIECES = st.one_of(
    st.binary(max_size=40),
    st.builds(
        lambda stan, mti, drop: Terminal(make_link()).write(
            money(mti, stan, **({drop: None} if drop else {}))
        ),
        st.integers(0, 20),
        st.sampled_from(["0100", "0200", "0201", "0220", "0400", "0421", "0500", "0800", "0210"]),
        st.sampled_from([None, "STAN", "TERMINAL", "TRACK2", "AMOUNT", "LOCAL_DATE"]),
    ),
    st.builds(
        lambda code_: Terminal(make_link()).write(network(code_)),
        st.sampled_from(["001", "002", "161", "201", "301", "999"]),
    ),
)


@given(st.lists(PIECES, max_size=12), st.sampled_from([None, SESSION_MAC]), st.data())
def test_whatever_bytes_come_a_session_answers_asks_waits_or_closes(
    pieces: list[bytes],
    mac: Mac | None,
    data: st.DataObject,
) -> None:
    play = Play(make_link(mac=mac))
    stream = b"".join(pieces)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=6)) | {0, len(stream)})
    sent = b""
    for start, end in pairwise(cuts):
        play.session.receive(stream[start:end], play.now)
        for action in play.session.step(play.now):
            assert isinstance(action, Send | Ask | Wait | Close)
            if isinstance(action, Send):
                sent += action.data
            elif isinstance(action, Ask):
                assert play.session.signed_on
                assert action.ticket.request is not None
    reader = Terminal(make_link())
    assert all(not message.asks for message in reader.read(sent))
    assert play.session.pending <= 32


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), max_size=30))
def test_in_order_means_in_order_whatever_is_ready_first(moves: list[tuple[int, bool]]) -> None:
    play = Play(make_link(order="arrival", sign_on=False, limits=Limits(pending=50)))
    expected: list[int] = []
    got: list[int] = []
    open_tickets: list[Ask] = []
    for number, (pick, send) in enumerate(moves, 1):
        if send or not open_tickets:
            got += stans(play.send(money("0200", number)))
            expected.append(number)
            open_tickets.append(play.asked[-1])
        else:
            ticket = open_tickets.pop(pick % len(open_tickets)).ticket
            reply = answer(ticket.message, ResponseCode.APPROVED)
            got += stans(play.terminal.read(play.session.answered(ticket, reply)))
    for ask in open_tickets:
        reply = answer(ask.ticket.message, ResponseCode.APPROVED)
        got += stans(play.terminal.read(play.session.answered(ask.ticket, reply)))
    assert got == expected


def test_a_session_is_made_for_at_least_one_link() -> None:
    with pytest.raises(IndexError):
        Session((), make_context(), 0.0)
