"""Measuring over ISO 8583: the host of the server that also answers HTTP, and its links."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from bench import names
from bench.fill_cards import LINK_KEY
from bench.iso_load import IsoJob, IsoLoaded
from bench.over_http import generate
from bench.plan import Plan
from bench.result import Sample
from tandem.acquiring import HostSettings, Limits, Link, Listener, Mac, open_listeners
from tandem.cards import MasterKey
from tandem.kernel import show_id
from tandem.serve.acquirer import Acquirer

TERMINALS: Final = 512
"""Terminals behind all links together: no trace number comes twice in a run."""
_LIMITS: Final = Limits(per_second=1_000_000, pending=4096)


class Links:
    """The links of a run, whose terminals are the merchants' tills."""

    def __init__(self, plan: Plan, acquirer: Acquirer, master: MasterKey) -> None:
        self._plan = plan
        self._links = acquirer.settings.links
        self._master = master
        self._atc = 1

    async def measure(self, links: int, *, rate: float = 0.0, once: bool = False) -> Sample:
        """Let terminals take taps over so many links; at a rate, or as fast as they are answered.

        `once`: one of each person, whatever the time.
        """
        plan = self._plan
        job = IsoJob(
            links=self._links[:links],
            terminals=TERMINALS,
            people=plan.people,
            master=self._master,
            in_flight=plan.iso_in_flight,
            warm_seconds=plan.warm_seconds,
            seconds=plan.http_seconds,
            atc=self._atc,
            rate=rate,
            once=once,
        )
        seconds = job.warm_seconds + job.seconds
        loaded: IsoLoaded = await generate("bench.iso_load", job, seconds, IsoLoaded)
        self._atc = loaded.atc
        return loaded.sample


@contextmanager
def open_links(plan: Plan) -> Iterator[Acquirer]:
    """The settings of as many links as the plan has at most; each has a port of its own."""
    listeners = [Listener(port=0) for _ in range(max(plan.iso_links))]
    with ExitStack() as stack:
        sockets = open_listeners(HostSettings(listeners=tuple(listeners)))
        for sock in sockets:
            stack.callback(sock.close)
        ports = [sock.getsockname()[1] for sock in sockets]
        tills = {
            names.terminal(number): show_id(
                "til", names.uuid_of_number(names.TILL, number % plan.merchants)
            )
            for number in range(TERMINALS)
        }
        settings = HostSettings(
            listeners=tuple(Listener(port=port) for port in ports),
            links=tuple(
                Link(
                    name=f"link{number}",
                    port=port,
                    networks=("127.0.0.1/32",),
                    tills=tills,
                    mac=Mac(key=LINK_KEY, algorithm="aes-cmac"),
                    limits=_LIMITS,
                )
                for number, port in enumerate(ports)
            ),
        )
        yield Acquirer(settings, tuple(sockets))
