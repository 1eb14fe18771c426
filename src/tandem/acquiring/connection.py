"""A connection on a socket: moves bytes between it and its session, and lets nobody overwhelm us.

Reading stops while as much is under way as may be, while the link is faster than it may be, and
while the peer does not take its answers; TCP then makes the peer wait.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, cast

from tandem.acquiring.clerk import Clerk
from tandem.acquiring.desk import Ask, Close, Send, Ticket, Wait
from tandem.acquiring.errors import AcquiringRefused
from tandem.acquiring.session import Session

UNSENT_BYTES: Final = 64 * 1024
"""So much may wait for a peer that reads slowly; then nothing more is done for it."""


class Owner(Protocol):
    """What a connection needs of its host."""

    buffer: memoryview
    clerk: Clerk

    def admit(self, connection: "Connection") -> Session | None:
        """The session of a new connection, or None for one that is not wanted."""
        ...

    def left(self, connection: "Connection", reason: str) -> None:
        """It is gone."""
        ...

    def work(self, connection: "Connection", ticket: Ticket) -> None:
        """Run `connection.answer` for a ticket."""
        ...


class Connection(asyncio.BufferedProtocol):
    """One TCP connection. `port` is that of the listener that it came to, `address` the peer's."""

    def __init__(self, owner: Owner, port: int, address: str, time: Callable[[], float]) -> None:
        self.port = port
        self.address = address
        self.session: Session | None = None
        self.reason = "closed by the peer"
        self._owner = owner
        self._time = time
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._reading = True
        self._ended = False
        self._stopping = False
        self._blocked_seconds: float | None = None
        self._held = bytearray()

    @property
    def transport(self) -> asyncio.Transport:
        """The transport, once there is one."""
        assert self._transport is not None, "connection_made comes first"
        return self._transport

    # -- called by the event loop ----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask the host who this is."""
        # uvloop's transports with TLS are like asyncio's and do not say so, hence no isinstance.
        self._transport = stream = cast("asyncio.Transport", transport)
        stream.set_write_buffer_limits(high=UNSENT_BYTES)
        self.session = self._owner.admit(self)
        if self.session is None:
            self.reason = "not wanted"
            stream.abort()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where to read to: one place for all, since what was read is taken at once."""
        del sizehint
        return self._owner.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read."""
        if self.session is not None:
            self.session.receive(bytes(self._owner.buffer[:nbytes]), self._time())
            self.go_on()

    def eof_received(self) -> bool:
        """The peer sends no more, and may still wait for answers (not with TLS)."""
        self._ended = True
        self._flush()  # it is closed after this, unless something is still under way
        busy = self.session is not None and self.session.pending > 0
        return busy and self.transport.get_extra_info("ssl_object") is None

    def pause_writing(self) -> None:
        """The peer does not take its answers."""
        self._blocked_seconds = self._time()

    def resume_writing(self) -> None:
        """It took them."""
        self._blocked_seconds = None
        self.go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """Over, one way or another."""
        if self._timer is not None:
            self._timer.cancel()
        if exc is not None and self.reason == "closed by the peer":
            self.reason = f"lost: {exc}"
        self._owner.left(self, self.reason)

    # -- what is to be done ----------------------------------------------------------------------

    def go_on(self) -> None:
        """Do what the session calls for, as far as it may."""
        session = self.session
        if session is None or self._transport is None or self._transport.is_closing():
            return
        if not self._stopping and self._blocked_seconds is None and self._timer is None:
            for action in session.step(self._time()):
                match action:
                    case Send(data):
                        self._write(data)
                    case Ask(ticket):
                        self._owner.work(self, ticket)
                    case Wait(seconds):
                        loop = asyncio.get_running_loop()
                        self._timer = loop.call_later(seconds, self._waited)
                    case Close(reason):
                        self.close(reason)
                        return
        if self._ended and not session.pending and self._timer is None:
            self.close("closed by the peer")
            return
        self._regulate(session)

    def _waited(self) -> None:
        self._timer = None
        self.go_on()

    def _regulate(self, session: Session) -> None:
        busy = session.full or self._timer is not None or self._blocked_seconds is not None
        reading = not (busy or self._stopping or self._ended)
        if reading is not self._reading:
            self._reading = reading
            if reading:
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()

    async def answer(self, ticket: Ticket) -> None:
        """Have a request decided, and write its answer if anybody is there to read it."""
        session, data = self.session, b""
        assert session is not None, "it asked"
        try:
            data = await self._decided(session, ticket)
        except BaseException:
            data = session.answered(ticket, None)  # others may stand in line behind it
            raise
        finally:
            if data and self.transport.is_closing():
                ticket.state.counts["undelivered"] += 1
            elif data:
                self._write(data)
            self.go_on()

    async def _decided(self, session: Session, ticket: Ticket) -> bytes:
        clerk = self._owner.clerk
        message = await clerk.answer(ticket)
        try:
            return session.answered(ticket, message)
        except AcquiringRefused as refused:
            session.note(ticket.state, refused)
            return session.answered(ticket, await clerk.take_back(ticket))

    def send(self, data: bytes | None) -> None:
        """Write a message of the host's own."""
        if data and not self.transport.is_closing() and self._blocked_seconds is None:
            self._write(data)

    def _write(self, data: bytes) -> None:
        """Write what this turn of the loop has for the peer together, at its end.

        Answers that were committed together come together, and each write is a system call.
        """
        if not self._held:
            asyncio.get_running_loop().call_soon(self._flush)
        self._held += data

    def _flush(self) -> None:
        data, self._held = self._held, bytearray()
        if data and not self.transport.is_closing():
            self.transport.write(data)

    def overdue(self, now_seconds: float) -> str | None:
        """Why it should be closed by now, or None."""
        session = self.session
        if session is None:
            return None
        blocked = self._blocked_seconds
        if blocked is not None and now_seconds - blocked > session.limits.write_seconds:
            return "it does not take its answers"
        return session.overdue(now_seconds)

    def stop(self) -> None:
        """Take nothing more; what is under way is still answered."""
        self._stopping = True
        if self.session is not None and not self.transport.is_closing():
            self._regulate(self.session)

    def close(self, reason: str) -> None:
        """Close it: at once if the peer does not read, else after what is written."""
        self.reason = reason
        self._flush()
        if self._blocked_seconds is None:
            self.transport.close()
        else:
            self.transport.abort()
