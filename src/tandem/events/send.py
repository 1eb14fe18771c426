"""Sends one webhook: signed after Standard Webhooks, to an address that was checked.

The name is resolved by us, every address behind it is checked, and the connection goes to a checked
address itself, so a name that changes its mind between check and connection (DNS rebinding) gains
nothing. TLS still proves the name. Redirects are not followed, proxies of the environment are not
used. Of the answer only the status matters: a little of the body is read, within a time limit, and
its beginning is kept as plain text for the merchant to look at.
"""

import asyncio
import base64
import codecs
import contextlib
import functools
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final, NamedTuple, Self

import httpcore
from standardwebhooks import Webhook

from tandem.events.errors import TargetRefused
from tandem.events.target import Target, check_addresses, read_target
from tandem.kernel import Invalid

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Finds the addresses of a host and port; raises OSError if there are none."""

SEND_SECONDS: Final = 10.0
MAX_ANSWER: Final = 16 * 1024
MAX_KEPT: Final = 2048
"""Bytes of an answer's body that are kept."""
_RESOLVE_SECONDS: Final = 5.0
_CONNECT_SECONDS: Final = 3.0
_DRAIN_SECONDS: Final = 1.0
_CONNECTIONS: Final = 256
_IDLE_CONNECTIONS: Final = 64
_IDLE_SECONDS: Final = 2.0
_GONE: Final = 410
_UNSHOWN: Final = re.compile(r"[^\n\t\x20-\x7e\xa0-\U0010ffff]")
"""Control characters: what would be an instruction to a terminal, and what no text may hold."""

_RESOLVERS: Final = ThreadPoolExecutor(32, thread_name_prefix="resolve")
"""Threads of our own: names that nobody answers for must not hold up the loop's other work."""


class Message(NamedTuple):
    """What is sent: the `webhook-id`, the body, and the secrets it is signed with."""

    id: str
    body: bytes
    secrets: Sequence[bytes]


class Answer(NamedTuple):
    """How a try ended: the HTTP status if there was an answer, and what was wrong if anything.

    `body` is the beginning of what was answered, as text.
    """

    status: int | None
    error: str | None
    timed_out: bool = False
    body: str | None = None

    @property
    def delivered(self) -> bool:
        """Whether the endpoint took it: any 2xx."""
        return self.error is None

    @property
    def gone(self) -> bool:
        """Whether the endpoint asks never to be called again (Standard Webhooks: 410 Gone)."""
        return self.status == _GONE


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, asked of the system."""
    ask = functools.partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_RESOLVERS, ask)
    return [str(address[0]) for *_, address in found]


async def find_addresses(host: str, port: int, find: Resolve, *, sandbox: bool) -> list[str]:
    """Resolve a host and check every address. Raises `TargetRefused`."""
    try:
        async with asyncio.timeout(_RESOLVE_SECONDS):
            found = await find(host, port)
    except (OSError, UnicodeError, TimeoutError):
        raise TargetRefused(host, "cannot be found: its name does not resolve") from None
    return check_addresses(host, found, sandbox=sandbox)


def show_secret(secret: bytes) -> str:
    """The secret as the merchant's program takes it: `whsec_` and Base64."""
    return "whsec_" + base64.b64encode(secret).decode("ascii")


def sign(message: Message, moment: datetime) -> list[tuple[str, str]]:
    """The headers of Standard Webhooks; one signature for each secret, parted by spaces."""
    text = message.body.decode()
    return [
        ("webhook-id", message.id),
        ("webhook-timestamp", str(int(moment.timestamp()))),
        (
            "webhook-signature",
            " ".join(Webhook(secret).sign(message.id, moment, text) for secret in message.secrets),
        ),
    ]


class _CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Opens connections only to addresses that were checked."""

    def __init__(self, find: Resolve, *, sandbox: bool) -> None:
        self._find = find
        self._sandbox = sandbox
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await find_addresses(host, port, self._find, sandbox=self._sandbox)
        failure: Exception | None = None
        for address in addresses:
            try:
                return await self._network.connect_tcp(
                    address, port, _CONNECT_SECONDS, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        assert failure is not None, "there is at least one address"
        raise failure


class Sender:
    """Sends webhooks. A context manager: it keeps connections open for a moment.

    `find` resolves names; `tls` holds the authorities that are trusted (the system's by default).
    """

    def __init__(
        self, *, sandbox: bool, find: Resolve = resolve, tls: ssl.SSLContext | None = None
    ) -> None:
        self._sandbox = sandbox
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context() if tls is None else tls,
            max_connections=_CONNECTIONS,
            max_keepalive_connections=_IDLE_CONNECTIONS,
            keepalive_expiry=_IDLE_SECONDS,
            network_backend=_CheckedNetwork(find, sandbox=sandbox),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.aclose()

    async def send(self, url: str, message: Message, moment: datetime) -> Answer:
        """Try once, for at most ten seconds. Whatever goes wrong is in the answer."""
        try:
            target = read_target(url, sandbox=self._sandbox)
            async with asyncio.timeout(SEND_SECONDS):
                status, body = await self._post(target, message, moment)
        except TimeoutError:
            return Answer(None, f"no answer within {SEND_SECONDS:.0f} seconds", timed_out=True)
        except (Invalid, TargetRefused) as refusal:
            return Answer(None, refusal.sentence())
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            return Answer(None, _connect_failure(error))
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
            return Answer(None, "the connection broke before there was an answer")
        if not 200 <= status < 300:  # noqa: PLR2004 - the class of success (RFC 9110 §15.3)
            return Answer(status, f"the endpoint answered {status}, not 2xx", body=body)
        return Answer(status, None, body=body)

    async def _post(
        self, target: Target, message: Message, moment: datetime
    ) -> tuple[int, str | None]:
        url = httpcore.URL(
            scheme=target.scheme.encode("ascii"),
            host=target.host.encode("ascii"),
            port=target.port,
            target=target.path,
        )
        headers = [
            ("host", target.authority),
            ("user-agent", "Tandem-Webhooks/1"),
            ("accept", "*/*"),
            ("content-type", "application/json"),
            ("content-length", str(len(message.body))),
            *sign(message, moment),
        ]
        begun = bytearray()
        async with self._pool.stream("POST", url, headers=headers, content=message.body) as answer:
            # The status decides. Read to the end, if it is near, so that the connection can be
            # used again; one that drips or breaks here is closed.
            with contextlib.suppress(TimeoutError, httpcore.NetworkError, httpcore.ProtocolError):
                async with asyncio.timeout(_DRAIN_SECONDS):
                    await _drain(answer, begun)
            return answer.status, beginning_of(bytes(begun))


async def _drain(answer: httpcore.Response, begun: bytearray) -> None:
    length = 0
    async for part in answer.aiter_stream():
        begun += part[: MAX_KEPT - len(begun)]
        length += len(part)
        if length > MAX_ANSWER:
            return


def beginning_of(body: bytes) -> str | None:
    """The first two kilobytes of an answer as plain text; None if there is nothing in it.

    What is no UTF-8 and no character that is shown stands there as U+FFFD; a character that was cut
    at the end is left out.
    """
    read = codecs.getincrementaldecoder("utf-8")("replace")
    text = read.decode(body[:MAX_KEPT], final=len(body) < MAX_KEPT)
    return _UNSHOWN.sub("\ufffd", text.replace("\r\n", "\n")) or None


def _connect_failure(error: Exception) -> str:
    """Why there is no connection, without addresses."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return "the TLS handshake failed"
        cause = cause.__cause__ or cause.__context__
    return "nothing accepts connections there"
