"""One connection's side of the dialogue: from bytes to what is to be done. No sockets, no clock.

    opened ──sign-on──► signed on ──sign-off──► opened
       │                    │
       │ 0800 echo: answered│ payments: `Ask`; network management: answered
       └ payments: 91       └ a key change brings a new MAC key

Bytes go in by `receive`, what they call for comes out of `step`; an answer that the authoriser gave
goes in by `answered` and comes out as bytes. What comes too fast, or while too much is under way,
stays where it is until `step` is called again: the caller stops reading, and the peer has to wait.
"""

from collections import deque
from datetime import UTC, date
from typing import Final

from tandem.acquiring.codes import NetworkCode, ResponseCode
from tandem.acquiring.desk import (
    Action,
    Ask,
    Close,
    Context,
    Direction,
    LinkState,
    Send,
    Ticket,
    Wait,
)
from tandem.acquiring.elements import De
from tandem.acquiring.errors import (
    FrameBroken,
    MacMissing,
    MacWrong,
    MessageMalformed,
    NotSignedOn,
    TerminalUnknown,
    TransactionUnknown,
)
from tandem.acquiring.framing import Deframer, Frame, answer_header, first_header, put_frame
from tandem.acquiring.keys import MacKeys, issue_key
from tandem.acquiring.mac import MacKey, check_mac, seal_message
from tandem.acquiring.message import Message
from tandem.acquiring.refusals import response_code
from tandem.acquiring.requests import read_request
from tandem.acquiring.respond import answer, month_and_day, with_fields
from tandem.kernel import Refused

_NETWORK: Final = ("0800", "0820")
_NETWORK_ANSWER: Final = "0810"
_KEY_CHANGES: Final = frozenset({NetworkCode.KEY_CHANGE, "101"})
_LAST_STAN: Final = 999_999


class Session:
    """A connection that one of these links opened; several are told apart by their terminals."""

    def __init__(self, states: tuple[LinkState, ...], context: Context, now_seconds: float) -> None:
        self.lead = states[0]
        self.signed_on = False
        self.pending = 0
        self._states = states
        self._context = context
        self._settings = self.lead.link
        self.limits = self._settings.limits
        self._deframer = Deframer(self._settings.wire, self.limits.message_bytes)
        self._keys = MacKeys(self.lead.fixed())
        self._terminal: str | None = None
        self._held: Frame | None = None
        self._held_until_seconds = now_seconds
        self._queue: deque[Ticket] = deque()
        self._faults = 0
        self._proved = False
        self._closed: str | None = None
        self._stan = 0
        self._asked: dict[str, float] = {}
        self._since_seconds = now_seconds
        self._heard_seconds = now_seconds
        self._half_seconds: float | None = None

    @property
    def established(self) -> bool:
        """Whether the peer has shown that it is the link's: by a sign-on, or a message that counts.

        One that has not gives way to newcomers when there are too many.
        """
        return self.signed_on if self._settings.sign_on else self._proved

    # -- what comes in ---------------------------------------------------------------------------

    def receive(self, data: bytes, now_seconds: float) -> None:
        """Take bytes as they came. `step` says what they call for."""
        self._heard_seconds = now_seconds
        self._deframer.feed(data)

    @property
    def full(self) -> bool:
        """Whether as much is under way as this connection may have."""
        # In order, an answer that is ready stands in line like one that is not.
        return max(self.pending, len(self._queue)) >= self.limits.pending

    def step(self, now_seconds: float) -> list[Action]:
        """What the messages that have come call for, as far as the link may go on."""
        actions: list[Action] = []
        while self._closed is None and not self.full:
            if now_seconds < self._held_until_seconds:
                actions.append(Wait(self._held_until_seconds - now_seconds))
                break
            try:
                frame = self._next(now_seconds)
            except FrameBroken as broken:
                self.note(self.lead, broken)
                self._closed = broken.reason
                break
            if frame is None:
                if self._held is None:
                    break
                continue  # it has to wait
            actions += self._take(frame, now_seconds)
            if self._faults >= self.limits.faults:
                self._closed = f"{self._faults} messages in a row could not be used"
        if self._closed is not None:
            actions.append(Close(self._closed))
        return actions

    def _next(self, now_seconds: float) -> Frame | None:
        """The next message that may be looked at now; one whose turn is not yet there is held."""
        frame, self._held = self._held, None
        if frame is not None:
            return frame
        frame = self._deframer.next()
        self._note_half(frame, now_seconds)
        if frame is None:
            return None
        wait_seconds = self.lead.bucket.take(now_seconds)
        if wait_seconds > 0:
            self.lead.counts["throttled"] += 1
            self._held, self._held_until_seconds = frame, now_seconds + wait_seconds
            return None
        return frame

    def _note_half(self, frame: Frame | None, now_seconds: float) -> None:
        if frame is not None or not self._deframer.waiting:
            self._half_seconds = None
        elif self._half_seconds is None:
            self._half_seconds = now_seconds

    def _take(self, frame: Frame, now_seconds: float) -> list[Action]:
        """One message."""
        lead = self.lead
        lead.counts["messages_in"] += 1
        try:
            message = lead.codec.read(frame.body)
        except MessageMalformed as malformed:
            self.note(lead, malformed)
            self._faults += 1
            partial = malformed.partial
            if partial is None or not partial.asks:
                return []
            ticket = self._ticket(lead, partial, frame)
            return self._reply(ticket, ResponseCode.FORMAT_ERROR)
        state = self._state_of(message)
        self._trace(state or lead, "in", message)
        if not message.asks:
            self._answer_came(message, frame, now_seconds)
            return []
        ticket = self._ticket(state or lead, message, frame)
        try:
            self._check(ticket, state, frame, now_seconds)
            self._faults, self._proved = 0, True
            if message.kind in _NETWORK:
                return self._manage(ticket, now_seconds)
            ticket.request = read_request(
                message, ticket.state.link.name, self._context.local_now(), self._context.secret
            )
        except Refused as refused:
            self.note(ticket.state, refused)
            return self._reply(ticket, response_code(refused))
        self.pending += 1
        return [Ask(ticket)]

    def _state_of(self, message: Message) -> LinkState | None:
        """The link that a message belongs to; None if its terminal is none of theirs."""
        terminal = message.text(De.TERMINAL)
        if terminal is None and message.mti[1] == "8":
            return self.lead
        return next((state for state in self._states if state.takes(terminal)), None)

    def _ticket(self, state: LinkState, message: Message, frame: Frame) -> Ticket:
        header = answer_header(self._settings.wire, frame.header)
        ticket = Ticket(state, message, header, self._keys.current)
        if self._settings.order == "arrival":
            self._queue.append(ticket)
        return ticket

    def _check(
        self, ticket: Ticket, state: LinkState | None, frame: Frame, now_seconds: float
    ) -> None:
        """Whether this may be asked here, now, and by whoever sent it. Raises a `Refused`."""
        message, settings = ticket.message, self._settings
        network = message.text(De.NETWORK_CODE) if message.kind in _NETWORK else None
        early = settings.sign_on and not self.signed_on
        if early and network not in {NetworkCode.SIGN_ON, NetworkCode.ECHO}:
            raise NotSignedOn
        if settings.mac is not None:
            keys = self._keys.at(now_seconds)
            free = network == NetworkCode.SIGN_ON or (
                network == NetworkCode.ECHO and not self.signed_on
            )
            if settings.mac.keys == "fixed" or not free:
                try:
                    ticket.key = check_mac(self.lead.codec, message, frame.body, keys)
                except (MacMissing, MacWrong):
                    self._faults += 1
                    raise
        terminal = (message.text(De.TERMINAL) or "").rstrip()
        named = terminal or message.kind not in _NETWORK
        others = named and self._terminal not in {None, terminal}
        if state is None or (others and network != NetworkCode.SIGN_ON):
            raise TerminalUnknown(terminal)

    # -- network management ----------------------------------------------------------------------

    def _manage(self, ticket: Ticket, now_seconds: float) -> list[Action]:
        code = ticket.message.text(De.NETWORK_CODE)
        if code == NetworkCode.SIGN_ON or code in _KEY_CHANGES:
            return self._give_key(ticket, code, now_seconds)
        if code == NetworkCode.SIGN_OFF:
            reply = self._reply(ticket, ResponseCode.APPROVED)
            self.signed_on = False
            self._since_seconds = now_seconds
            self._keys, self._terminal = MacKeys(self.lead.fixed()), None
            return reply
        if code == NetworkCode.ECHO:
            return self._reply(ticket, ResponseCode.APPROVED)
        if code == NetworkCode.CUTOVER:
            day = month_and_day(self._context.business_day())
            return self._reply(ticket, ResponseCode.APPROVED, {De.SETTLEMENT_DATE: day})
        raise TransactionUnknown(ticket.message.mti)

    def _give_key(self, ticket: Ticket, code: str, now_seconds: float) -> list[Action]:
        settings, fields = self._settings.mac, dict[int, str]()
        signs_on = code == NetworkCode.SIGN_ON
        if settings is not None and settings.keys == "session":
            terminal = self._names(ticket) if signs_on else self._terminal
            master = ticket.state.master(terminal or "")
            key, block = issue_key(settings, master, self._context.entropy)
            if signs_on and terminal != self._terminal:
                self._keys = MacKeys()  # another's key is good for nothing that this one says
            self._keys.change(key, now_seconds)
            fields[De.PRIVATE] = block
            if signs_on:
                ticket.key = key  # there was none before; an answer to a change has the old one
                self._terminal = terminal
        elif not signs_on:
            raise TransactionUnknown(ticket.message.mti)
        ticket.state.counts["keys_issued" if fields else "sign_ons"] += 1
        reply = self._reply(ticket, ResponseCode.APPROVED, fields)
        if not signs_on:
            return reply
        self.signed_on = True
        told = self.cutover(self._context.business_day(), now_seconds)
        return reply if told is None else [*reply, Send(told)]

    def _names(self, ticket: Ticket) -> str | None:
        """Whose key a sign-on asks for; None: the link's. Raises `MessageMalformed`."""
        if self._settings.mac is None or not self._settings.mac.each_terminal:
            return None
        terminal = (ticket.message.text(De.TERMINAL) or "").rstrip()
        if not terminal:
            raise MessageMalformed(De.TERMINAL, "is missing: it says whose key is asked for")
        return terminal

    def cutover(self, day: date, now_seconds: float) -> bytes | None:
        """The message that says which business day it is, if the link is signed on and wants it.

        It goes out when the day changes and after each sign-on: so no link misses a day that began
        while it, or the host, was away.
        """
        if not self.signed_on or not self._settings.cutover:
            return None
        fields: dict[int, str] = {De.SETTLEMENT_DATE: month_and_day(day)}
        return self._own(NetworkCode.CUTOVER, fields, now_seconds)

    def echo(self, now_seconds: float) -> bytes | None:
        """An echo test, if it is time for one."""
        pause = self._settings.echo_seconds
        quiet = now_seconds - self._heard_seconds
        if not pause or quiet < pause or self._asked or not self.signed_on:
            return None
        return self._own(NetworkCode.ECHO, {}, now_seconds)

    def _own(self, code: NetworkCode, fields: dict[int, str], now_seconds: float) -> bytes:
        """A request of the host itself."""
        self._stan = self._stan % _LAST_STAN + 1
        stan = f"{self._stan:06d}"
        at = self._context.local_now().astimezone(UTC)
        message = Message(
            "0800",
            {De.TRANSMITTED_AT: f"{at:%m%d%H%M%S}", De.STAN: stan, De.NETWORK_CODE: code, **fields},
        )
        self._asked[stan] = now_seconds
        header = first_header(self._settings.wire)
        return self._written(self.lead, message, header, self._keys.current)

    def _answer_came(self, message: Message, frame: Frame, now_seconds: float) -> None:
        """An answer: to a request of the host's own, or to nothing."""
        try:
            if self._settings.mac is not None:
                check_mac(self.lead.codec, message, frame.body, self._keys.at(now_seconds))
        except (MacMissing, MacWrong) as refused:
            self._faults += 1
            self.note(self.lead, refused)
            return
        known = message.mti == _NETWORK_ANSWER and message.text(De.STAN) in self._asked
        if known:
            del self._asked[message.text(De.STAN) or ""]
        else:
            self.lead.counts["unasked"] += 1

    # -- what goes out ---------------------------------------------------------------------------

    def answered(self, ticket: Ticket, message: Message | None) -> bytes:
        """What to write now that a request has its answer; None: it gets none.

        Raises `MessageMalformed` or `FrameBroken` if the answer cannot be written; the ticket is
        still open then.
        """
        if message is not None:
            ticket.answer = self._written(ticket.state, message, ticket.header, ticket.key)
        if ticket.request is not None:
            self.pending -= 1
        ticket.done = True
        return self._released(ticket)

    def _reply(
        self, ticket: Ticket, code: ResponseCode, fields: dict[int, str] | None = None
    ) -> list[Action]:
        message = answer(ticket.message, code, ticket.state.link.echo)
        data = self.answered(ticket, with_fields(message, fields or {}))
        return [Send(data)] if data else []

    def _released(self, ticket: Ticket) -> bytes:
        """The answers whose turn it is."""
        if self._settings.order == "ready":
            return ticket.answer or b""
        ready = bytearray()
        while self._queue and self._queue[0].done:
            ready += self._queue.popleft().answer or b""
        return bytes(ready)

    def _written(
        self, state: LinkState, message: Message, header: bytes, key: MacKey | None
    ) -> bytes:
        codec = self.lead.codec
        body = codec.write(message) if key is None else seal_message(codec, message, key)
        data = put_frame(self._settings.wire, Frame(header, body))
        state.counts["messages_out"] += 1
        code = message.text(De.RESPONSE_CODE)
        if code is not None:
            state.counts[f"answered_{code}"] += 1
        if self._context.trace is not None:
            self._trace(state, "out", codec.read(body))  # with its MAC
        return data

    def note(self, state: LinkState, refused: Refused) -> None:
        """Count a refusal, and tell the trace."""
        state.counts[refused.code] += 1
        if self._context.trace_refusal is not None:
            self._context.trace_refusal(state.link.name, refused)

    def _trace(self, state: LinkState, direction: Direction, message: Message) -> None:
        if self._context.trace is not None:
            self._context.trace(state.link.name, direction, message)

    # -- time ------------------------------------------------------------------------------------

    def overdue(self, now_seconds: float) -> str | None:
        """Why the connection should be closed by now, or None."""
        limits = self.limits
        waited = now_seconds - self._since_seconds
        if self._settings.sign_on and not self.signed_on and waited > limits.sign_on_seconds:
            return "no sign-on"
        half = self._half_seconds
        if half is not None and now_seconds - half > limits.frame_seconds:
            return "half a message and then silence"
        asked = min(self._asked.values(), default=now_seconds)
        if now_seconds - asked > limits.answer_seconds:
            return "no answer to an echo test or cutover"
        if not self.pending and now_seconds - self._heard_seconds > limits.idle_seconds:
            return "silence"
        return None
