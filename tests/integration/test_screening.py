"""Messages that look like spam: held, shown as such, appealed, decided; and Akismet's opinion."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import msgspec
import pytest
from structlog.testing import capture_logs
from town import Someone, Town, key, open_town, said

from tandem.kernel import NotFound, read_id
from tandem.screening import AlreadyAppealed, MessageScreening, NotHeld
from tandem.screening.akismet import Akismet
from tandem.settings import Settings
from tandem.wallet import Asked

SPAM = "Congratulations! You won a prize, claim your cash at bit.ly/3xYz"
KEY = "1234567890ab"


@pytest.fixture
async def town(fresh_database: str, tmp_path: Path) -> AsyncIterator[Town]:
    async with open_town(fresh_database, tmp_path) as made:
        yield made
        await made.check()


@pytest.fixture
async def lin(town: Town) -> Someone:
    return await town.person(yuan=100)


@pytest.fixture
async def mei(town: Town) -> Someone:
    return await town.person(name="Mei Chen", yuan=100)


async def events(town: Town, who: Someone) -> list[tuple[str, Any]]:
    """What somebody was told, oldest first."""
    rows = await town.services.pool.fetch(
        "SELECT type, data FROM events WHERE owner_id = $1 ORDER BY id", who.id
    )
    return [(row["type"], msgspec.json.decode(row["data"])) for row in rows]


async def sent(town: Town, lin: Someone, mei: Someone, message: str) -> tuple[UUID, str]:
    answer = said(
        await town.services.wallet.send(
            lin.id, mei.id, 500, "CNY", message, key(), client="198.51.100.7"
        )
    )
    return read_id("snd", answer["id"]), answer["id"]


# -- the local scorer ----------------------------------------------------------------------------


async def test_money_moves_and_its_message_is_held(town: Town, lin: Someone, mei: Someone) -> None:
    wallet = town.services.wallet
    send_id, _ = await sent(town, lin, mei, SPAM)
    assert [(await who.balance())["balance"] for who in (lin, mei)] == [9500, 10_500]
    for who, message in ((lin, SPAM), (mei, None)):
        shown = await wallet.sent(who.id, send_id)
        listed = (await wallet.sends(who.id, None, 10))[0]
        line = (await wallet.history(who.id, "CNY", None, 10))[0]
        _, told = (await events(town, who))[-1]
        for one in (shown, listed, line):
            assert (one.message, one.message_state) == (message, "held")
        assert (told["message"], told["message_state"]) == (message, "held")


async def test_a_plain_message_leaves_no_trace_in_screening(
    town: Town, lin: Someone, mei: Someone
) -> None:
    send_id, shown_id = await sent(town, lin, mei, "lunch")
    assert (await town.services.wallet.sent(mei.id, send_id)).message == "lunch"
    assert await town.count("screenings") == 0
    with pytest.raises(NotFound):
        await town.services.screening.of_author(lin.id, send_id, shown_id)


async def test_a_request_keeps_its_message_hidden_when_it_is_paid(
    town: Town, lin: Someone, mei: Someone
) -> None:
    wallet, screening = town.services.wallet, town.services.screening
    asked = said(await wallet.ask(mei.id, lin.id, 300, "CNY", SPAM, key()))
    request_id = read_id("req", asked["id"])
    assert (await wallet.request(lin.id, request_id)).message is None
    assert [one.message for one in await wallet.requests(lin.id, None, 5)] == [None]
    accepted = said(await wallet.accept(lin.id, request_id, key()))
    assert (accepted["message"], accepted["message_state"]) == (None, "held")
    send_id = read_id("snd", accepted["send_id"])
    assert (await wallet.sent(lin.id, send_id)).message is None
    assert (await wallet.sent(mei.id, send_id)).message == SPAM
    assert SPAM not in str(await events(town, lin))
    await screening.decide(request_id, asked["id"], release=True)
    assert (await wallet.sent(lin.id, send_id)).message == SPAM
    assert (await wallet.history(lin.id, "CNY", None, 5))[0].message == SPAM


@pytest.mark.parametrize("status", ["declined", "cancelled", "expired"])
async def test_a_closed_request_keeps_it_hidden(
    town: Town, lin: Someone, mei: Someone, status: str
) -> None:
    wallet = town.services.wallet
    asked = said(await wallet.ask(mei.id, lin.id, 300, "CNY", SPAM, key(), expires_seconds=60))
    if status == "expired":
        town.wait(seconds=61)
        assert await wallet.expire_due() == 1
    else:
        who = lin if status == "declined" else mei
        await wallet.close(who.id, read_id("req", asked["id"]), status, key())
    assert SPAM not in str(await events(town, lin))
    assert (await events(town, mei))[-1][1]["message"] == SPAM


async def test_an_appeal_is_made_by_its_author_and_decided(
    town: Town, lin: Someone, mei: Someone
) -> None:
    screening, wallet = town.services.screening, town.services.wallet
    send_id, shown_id = await sent(town, lin, mei, SPAM)
    for stranger in (mei, await town.person()):
        with pytest.raises(NotFound):
            await screening.appeal(stranger.id, send_id, shown_id, None)
        with pytest.raises(NotFound):
            await screening.of_author(stranger.id, send_id, shown_id)
    with pytest.raises(NotFound):  # the id of another kind of thing
        await screening.appeal(lin.id, send_id, shown_id.replace("snd", "req"), None)
    assert await screening.all(None, None, 10, appealed=True) == []
    appealed = await screening.appeal(lin.id, send_id, shown_id, "our joke")
    assert appealed.appealed_at is not None
    with pytest.raises(AlreadyAppealed):
        await screening.appeal(lin.id, send_id, shown_id, None)
    (open_one,) = await screening.all("held", None, 10, appealed=True)
    assert (open_one.appeal, open_one.source) == ("our joke", "local")
    await screening.decide(send_id, shown_id, release=False)
    assert (await events(town, lin))[-1][0] == "message.rejected"
    assert (await wallet.sent(mei.id, send_id)).message is None
    assert await screening.all(None, None, 10, appealed=True) == []
    await screening.decide(send_id, shown_id, release=True)
    assert (await wallet.sent(mei.id, send_id)).message == SPAM
    for who in (lin, mei):
        kind, told = (await events(town, who))[-1]
        assert (kind, told["object_id"], told["message"]) == ("message.released", shown_id, SPAM)
    with pytest.raises(NotHeld):
        await screening.decide(send_id, shown_id, release=True)


async def test_the_same_words_to_many_strangers_are_held(town: Town, lin: Someone) -> None:
    """A link alone is not; sent to the sixth stranger within an hour it is."""
    states = []
    for _ in range(7):
        other = await town.person()
        answer = said(
            await town.services.wallet.ask(
                lin.id, other.id, 1, "CNY", "look: www.shop.example.com", key()
            )
        )
        states.append(answer["message_state"])
    assert states == ["clear"] * 5 + ["held"] * 2
    town.wait(hours=2)
    last = await town.services.wallet.ask(
        lin.id, (await town.person()).id, 1, "CNY", "look: www.shop.example.com", key()
    )
    assert said(last)["message_state"] == "clear"


@pytest.mark.parametrize("named", [True, False])
async def test_a_packets_message_is_hidden_wherever_it_is_shown(
    town: Town, lin: Someone, mei: Someone, *, named: bool
) -> None:
    packets, screening = town.services.packets, town.services.screening
    made = said(
        await packets.make(
            lin.id,
            200,
            "CNY",
            1 if named else 2,
            "equal",
            key(),
            to=(mei.handle,) if named else (),
            message=SPAM,
        )
    )
    packet_id = read_id("pkt", made["id"])
    assert (made["message"], made["message_state"]) == (SPAM, "held")
    token = None
    if not named:
        token = (await packets.link(lin.id, packet_id)).url.partition("#")[2]
        assert (await packets.find(mei.id, token)).message is None
    opened = said(await packets.open(mei.id, packet_id, token, key()))
    assert (opened["message"], opened["message_state"], opened["mine"]) == (
        None,
        "held",
        200 // (1 if named else 2),
    )
    if not named:
        town.wait(days=2)
        assert await packets.expire_due() == 1
    assert (await packets.view(mei.id, packet_id)).message is None
    assert (await packets.view(lin.id, packet_id)).message == SPAM
    assert (await town.services.wallet.history(mei.id, "CNY", None, 5))[0].message is None
    assert (await town.services.wallet.history(lin.id, "CNY", None, 5))[0].message == SPAM
    assert SPAM not in str(await events(town, mei))
    await screening.appeal(lin.id, packet_id, made["id"], None)
    await screening.decide(packet_id, made["id"], release=True)
    assert (await packets.view(mei.id, packet_id)).message == SPAM
    assert (await town.services.wallet.history(mei.id, "CNY", None, 5))[0].message == SPAM


async def test_a_splits_message_is_screened_for_each_who_is_asked(
    town: Town, lin: Someone, mei: Someone
) -> None:
    noor = await town.person(name="Noor Haddad")
    people = [Asked(one.handle, None) for one in (mei, noor)]
    made = said(await town.services.splits.make(lin.id, 300, "CNY", people, SPAM, key()))
    for one in (mei, noor):
        (request,) = await town.services.wallet.requests(one.id, None, 5)
        assert (request.message, request.message_state) == (None, "held")
        assert SPAM not in str(await events(town, one))
    await town.services.splits.remind(lin.id, read_id("spl", made["id"]), key())
    await town.services.splits.cancel(lin.id, read_id("spl", made["id"]), key())
    assert SPAM not in str(await events(town, mei))


# -- Akismet -------------------------------------------------------------------------------------


@dataclass
class Played:
    """A server that speaks Akismet's API: what it was asked, and what it says."""

    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    answer: str = "false"
    status: int = 200
    url: str = ""


@contextmanager
def akismet_server() -> Iterator[Played]:
    """Akismet on loopback (akismet.com/developers)."""
    played = Played()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            fields = {name: values[0] for name, values in parse_qs(body).items()}
            played.asked.append((self.path, fields))
            if fields.get("api_key") != KEY:
                answer = "invalid"
            elif "submit" in self.path:
                answer = "Thanks for making the web a better place."
            else:
                answer = played.answer
            self.send_response(played.status)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    played.url = f"http://127.0.0.1:{server.server_port}/api"
    try:
        yield played
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def played() -> Iterator[Played]:
    with akismet_server() as server:
        yield server


def screened_by(town: Town, played: Played, akismet_key: str = KEY) -> MessageScreening:
    """Screening of a town whose operator has a key; its wallet uses it from now on."""
    settings = Settings(
        mode="sandbox",
        public_url="http://127.0.0.1:8080",
        akismet_key=akismet_key,
        akismet_url=played.url,
    )
    services = town.services
    made = MessageScreening(services.pool, services.clock, services.ids, settings)
    services.wallet._screening = made
    return made


async def ask(screening: MessageScreening) -> int:
    async with Akismet(screening._settings) as akismet:
        return await screening.round(akismet)


async def test_akismet_checks_what_the_scorer_lets_through(
    town: Town, lin: Someone, mei: Someone, played: Played
) -> None:
    screening, wallet = screened_by(town, played), town.services.wallet
    send_id, shown_id = await sent(town, lin, mei, "lunch")
    assert (await wallet.sent(mei.id, send_id)).message is None
    assert (await wallet.sent(lin.id, send_id)).message_state == "checking"
    assert await ask(screening) == 1
    assert (await wallet.sent(mei.id, send_id)).message == "lunch"
    assert [kind for kind, _ in await events(town, mei)][-1] == "message.released"
    ((path, fields),) = played.asked
    assert path == "/api/1.1/comment-check"
    assert fields == {
        "api_key": KEY,
        "blog": "http://127.0.0.1:8080",
        "user_ip": "198.51.100.7",
        "comment_content": "lunch",
        "comment_type": "message",
        "is_test": "true",
    }
    assert await ask(screening) == 0
    query = "SELECT client FROM screenings"
    assert await town.services.pool.fetchval(query) is None

    played.answer = "true"
    send_id, shown_id = await sent(town, lin, mei, "lunch again")
    await ask(screening)
    assert (await wallet.sent(mei.id, send_id)).message is None
    assert (await events(town, lin))[-1][0] == "message.held"
    assert [kind for kind, _ in await events(town, mei)][-1] == "send.received"
    await screening.decide(send_id, shown_id, release=True)
    await ask(screening)
    assert [path for path, _ in played.asked][-1] == "/api/1.1/submit-ham"
    assert await ask(screening) == 0


async def test_what_the_scorer_holds_goes_to_nobody(
    town: Town, lin: Someone, mei: Someone, played: Played
) -> None:
    screening = screened_by(town, played)
    send_id, shown_id = await sent(town, lin, mei, SPAM)
    await screening.decide(send_id, shown_id, release=False)
    assert await ask(screening) == 0
    assert played.asked == []


@pytest.mark.parametrize(
    ("answer", "status", "akismet_key"),
    [("false", 500, KEY), ("what?", 200, KEY), ("", 200, KEY), ("false", 200, "anotherkey")],
)
async def test_an_akismet_that_gives_no_answer_hides_nothing_for_ever(
    town: Town,
    lin: Someone,
    mei: Someone,
    played: Played,
    answer: str,
    status: int,
    akismet_key: str,
) -> None:
    screening = screened_by(town, played, akismet_key)
    played.answer, played.status = answer, status
    send_id, _ = await sent(town, lin, mei, "lunch")
    with capture_logs() as logs:
        for _ in range(20):
            await ask(screening)
            town.wait(minutes=2)
    assert (await town.services.wallet.sent(mei.id, send_id)).message == "lunch"
    assert len(played.asked) == 6
    assert all(entry["event"] == "akismet gave no answer" for entry in logs)
    assert akismet_key not in str(logs)


async def test_an_operator_who_decides_meanwhile_is_not_overruled(
    town: Town, lin: Someone, mei: Someone, played: Played
) -> None:
    screening = screened_by(town, played)
    send_id, _ = await sent(town, lin, mei, "lunch")
    asking = town.services.pool.execute(
        "UPDATE screenings SET state = 'rejected', due_at = NULL WHERE object_id = $1", send_id
    )
    real = screening._answered

    async def late(*args: Any, **more: Any) -> None:  # noqa: ANN401 - passed on
        await asking
        await real(*args, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(screening, "_answered", late)
        await ask(screening)
    state = await town.services.pool.fetchval("SELECT state FROM screenings")
    assert state == "rejected"


async def test_two_processes_ask_once(
    town: Town, lin: Someone, mei: Someone, played: Played
) -> None:
    screening = screened_by(town, played)
    for number in range(10):
        await sent(town, lin, mei, f"lunch {number}")
    asked = await asyncio.gather(ask(screening), ask(screening))
    assert sum(asked) == len(played.asked) == 10
