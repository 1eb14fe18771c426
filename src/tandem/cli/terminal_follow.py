"""`tandem terminal run --follow-till`: the reader takes what the till's screen asks for."""

import asyncio
import contextlib
from typing import Final

from tandem.cli.show import complain, say
from tandem.cli.terminal_till import print_receipt, send_on
from tandem.kernel import Refused
from tandem.tap import NoCard, Payment, TapCancelled, TerminalSettings, Till
from tandem.till import Order, OrderWatch

_IDLE_SECONDS: Final = 20.0
"""How often what is owed is tried again while nobody pays."""
_REFUSED_SECONDS: Final = 1.0
"""How long after a refusal the same order is tried again: the shop may take taps again."""


async def follow(till: Till, settings: TerminalSettings, watch: OrderWatch) -> None:
    """Take a tap for each order that waits at the till, one at a time, until it is interrupted.

    An order that is paid by its code or cancelled ends the wait for a card. A tap that is declined
    leaves the order open, for another card or its code.
    """
    say("Following the till. Ctrl-C ends.")
    told, paid = "", ""
    while True:
        await send_on(till)
        order = watch.current
        if order is None or order.id == paid or order.currency != settings.currency:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_IDLE_SECONDS):
                    await watch.changed()
            continue
        try:
            payment = await _while_waiting(till, watch, order)
        except (NoCard, TapCancelled):
            continue
        except Refused as refused:
            if told != refused.sentence():
                told = refused.sentence()
                complain(told)
            await asyncio.sleep(_REFUSED_SECONDS)
            continue
        told, paid = "", order.id if payment.approved else paid
        print_receipt(payment, settings)
        say()
        await till.let_go()


async def _while_waiting(till: Till, watch: OrderWatch, order: Order) -> Payment:
    """A tap for the order; cancelled when that waits no more."""
    paying = asyncio.create_task(till.take(order.amount, order.id))
    try:
        while not paying.done() and watch.current == order:
            changing = asyncio.create_task(watch.changed())
            await asyncio.wait({paying, changing}, return_when=asyncio.FIRST_COMPLETED)
            changing.cancel()
        if not paying.done():
            till.cancel()
        return await paying
    finally:
        paying.cancel()
