"""The issuers of the settings, spoken to over ISO 8583: what `tandem.cards.Issuers` promises.

    async with open_issuers(path, pool, clock, ids, entropy) as issuers: ...

One connection to each issuer's host from each process that asks it, kept up from then on.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import structlog

from tandem.acquiring import (
    AcquiringRefused,
    Client,
    ClientSettings,
    De,
    LinksUnusable,
    Message,
    MessageMalformed,
    NotSent,
)
from tandem.cards import (
    CardDetails,
    Checked,
    Issuer,
    IssuerAnswer,
    IssuerAsked,
    IssuerAway,
    Issuers,
    IssuerSilent,
    NoIssuers,
)
from tandem.db import Pool, work
from tandem.issuers.errors import IssuersUnusable
from tandem.issuers.links import IssuerLink, KeyFiles, client_tls, read_issuers
from tandem.issuers.messages import (
    ADDITIONAL,
    check_message,
    code_message,
    eligibility,
    payment_message,
)
from tandem.kernel import Clock, Entropy, Ids

log = structlog.get_logger(__name__)

NUMBERS_AT_ONCE: Final = 100
"""Message numbers that a process takes for itself: what it does not use is never used."""
CONNECT_SECONDS: Final = 5.0
_REPEATED: Final = (De.PAN, De.AMOUNT, De.CURRENCY)
"""What an answer repeats, if it does, as it was asked."""


@dataclass(eq=False, slots=True)
class _Known:
    """An issuer, its connection, and the message numbers that this process may give out."""

    issuer: Issuer
    link: IssuerLink
    client: Client
    next: int = 1
    last: int = 0
    begun: bool = False


class RemoteIssuers:
    """Issuers whose hosts are elsewhere. Made by `open_issuers`."""

    def __init__(
        self, known: list[_Known], pool: Pool, clock: Clock, connections: AsyncExitStack
    ) -> None:
        self._connections = connections
        self._pool = pool
        self._clock = clock
        self._known = {one.issuer.id: one for one in known}
        self._ranges = sorted(
            ((reach, one.issuer) for one in known for reach in one.link.ranges),
            key=lambda pair: -len(pair[0]),
        )

    def of(self, pan: str) -> Issuer | None:
        """Whose card has this number: the longest range that it begins with decides."""
        return next((issuer for reach, issuer in self._ranges if pan.startswith(reach)), None)

    def by_id(self, issuer_id: UUID) -> Issuer | None:
        """The issuer; None if it is in the settings no more."""
        known = self._known.get(issuer_id)
        return None if known is None else known.issuer

    def connected(self) -> dict[str, bool]:
        """Whether this process could ask each of them now, by name."""
        return {one.issuer.name: one.client.connected for one in self._known.values()}

    async def number(self, issuer_id: UUID) -> int:
        """The next number of a message to this issuer. Each is given out once, in any process."""
        known = self._find(issuer_id)
        if known.next > known.last:
            async with work(self._pool) as connection:
                last: int = await connection.fetchval(
                    "UPDATE issuers SET last_number = last_number + $2 WHERE id = $1 "
                    "RETURNING last_number",
                    issuer_id,
                    NUMBERS_AT_ONCE,
                )
            # Of two tasks that came here at once the first one's numbers go unused.
            known.next, known.last = last - NUMBERS_AT_ONCE + 1, last
        known.next += 1
        return known.next - 1

    async def check(self, issuer_id: UUID, card: CardDetails) -> Checked:
        """Ask whether a card may be added. Raises `IssuerAway`, `IssuerSilent`."""
        known, number = self._find(issuer_id), await self.number(issuer_id)
        message = check_message(number, card, self._clock.now(), known.link.acquirer)
        answer = await self._ask(known, message)
        return Checked(eligibility(_response(answer)), _channel(answer))

    async def bring_code(self, issuer_id: UUID, card: CardDetails, code: str) -> str | None:
        """Have the issuer bring a code. Raises `IssuerAway` (it will not, too), `IssuerSilent`."""
        known, number = self._find(issuer_id), await self.number(issuer_id)
        message = code_message(number, card, code, self._clock.now(), known.link.acquirer)
        answer = await self._ask(known, message)
        if not IssuerAnswer(_response(answer)).approved:
            raise IssuerAway(known.issuer.name)
        return _channel(answer)

    async def ask(self, issuer_id: UUID, asked: IssuerAsked) -> IssuerAnswer:
        """Ask or tell about a payment. Raises `IssuerAway`, `IssuerSilent`.

        An answer about another amount, currency or card than was asked for is none.
        """
        known = self._find(issuer_id)
        message = payment_message(asked, known.link.acquirer)
        answer = await self._ask(known, message)
        if any(answer.text(de) not in {None, message.text(de)} for de in _REPEATED):
            raise IssuerSilent(known.issuer.name)
        return IssuerAnswer(_response(answer), answer.text(De.AUTHORISATION_CODE))

    async def _ask(self, known: _Known, message: Message) -> Message:
        """Send it once. What cannot be sent at all was not sent; anything else is in doubt.

        So is an answer without element 39.
        """
        name, seconds = known.issuer.name, known.issuer.answer_seconds
        await self.connect(known)
        try:
            await known.client.ready(min(CONNECT_SECONDS, seconds))
        except NotSent:
            raise IssuerAway(name) from None
        try:
            answer = await known.client.request(message, seconds)
        except MessageMalformed as fault:
            log.error("a message to an issuer cannot be written", reason=fault.sentence())  # noqa: TRY400 - it says all
            raise IssuerAway(name) from None
        except NotSent:
            raise IssuerAway(name) from None
        except AcquiringRefused:
            raise IssuerSilent(name) from None
        if answer.text(De.RESPONSE_CODE) is None:
            raise IssuerSilent(name)
        return answer

    async def connect(self, known: _Known) -> None:
        """Begin to connect, if nobody has."""
        if not known.begun:
            known.begun = True
            await self._connections.enter_async_context(known.client)

    def _find(self, issuer_id: UUID) -> _Known:
        known = self._known.get(issuer_id)
        if known is None:
            raise IssuerAway("which is not in the settings any more")
        return known


@asynccontextmanager
async def open_issuers(
    path: Path | None, pool: Pool, clock: Clock, ids: Ids, entropy: Entropy, *, at_once: bool
) -> AsyncIterator[Issuers]:
    """The issuers that the settings name; without settings none. Raises `IssuersUnusable`.

    They are connected to `at_once`, or when the first of them is asked something.
    """
    if path is None:
        yield NoIssuers()
        return
    settings = read_issuers(path)
    keys = KeyFiles(path, dict(settings.keys))
    async with AsyncExitStack() as stack:
        known: list[_Known] = []
        for link in settings.issuers:
            issuer_id = await _register(pool, ids, link.name, clock)
            tls = None if link.tls is None else client_tls(path, link.tls)
            try:
                client = Client(_client(link), keys, clock, entropy, tls=tls)
            except LinksUnusable as refused:
                raise IssuersUnusable(str(path), f"{link.name}: {refused.sentence()}") from refused
            known.append(_Known(Issuer(issuer_id, link.name, link.answer_seconds), link, client))
        made = RemoteIssuers(known, pool, clock, stack)
        for one in known if at_once else ():
            if one.link.unguarded:
                open_to = ", ".join(one.link.unguarded)
                log.warning("an issuer's link is unguarded", issuer=one.link.name, open=open_to)
            await made.connect(one)
        yield made


async def _register(pool: Pool, ids: Ids, name: str, clock: Clock) -> UUID:
    """The id of the issuer with this name, which it gets when it is first named."""
    async with work(pool) as connection:
        await connection.execute(
            "INSERT INTO issuers (id, name, last_number, created_at) VALUES ($1, $2, 0, $3) "
            "ON CONFLICT (name) DO NOTHING",
            ids.new(),
            name,
            clock.now(),
        )
        issuer_id: UUID = await connection.fetchval("SELECT id FROM issuers WHERE name = $1", name)
    return issuer_id


def _client(link: IssuerLink) -> ClientSettings:
    return ClientSettings(
        host=link.host,
        port=link.port,
        wire=link.wire,
        mac=link.mac,
        sign_on=link.sign_on,
        answer_seconds=link.answer_seconds,
        echo_seconds=link.echo_seconds,
    )


def _response(answer: Message) -> str:
    return answer.text(De.RESPONSE_CODE) or ""


def _channel(answer: Message) -> str | None:
    """Where the issuer says that it reaches its cardholder."""
    text = answer.fields.get(ADDITIONAL)
    return None if text is None else text.strip() or None
