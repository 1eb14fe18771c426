"""The use cases of checkout sessions: made by a shop's server, read by whoever has the link.

outcome = await checkout.create(merchant_id, new, idempotency)      a CheckoutView
page = await checkout.page(token)                                   what a visitor may know
"""

import base64
import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final
from uuid import UUID

from tandem.checkout.entries import NewSession
from tandem.checkout.model import (
    OPEN,
    PAID,
    Session,
    check_total,
    cleaned_lines,
    cleaned_metadata,
)
from tandem.checkout.origins import read_origin, read_return, with_result
from tandem.checkout.result import GOOD_FOR, Claims, ResultSecrets, key_id, new_secret, sign
from tandem.checkout.shapes import (
    CheckoutPage,
    CheckoutSettings,
    CheckoutView,
    CreateSession,
    InvoiceOfPage,
    ResultSecret,
    checkout_view,
    read_lines,
)
from tandem.checkout.store import (
    MerchantSettings,
    invoice_by_id,
    list_sessions,
    load_settings,
    put_settings,
    session_by_id,
    session_by_token,
)
from tandem.db import Connection, Idempotency, Pool, work
from tandem.kernel import Clock, Entropy, Ids, NotFound, currency, read_id, show_id
from tandem.keyring import KeyRing
from tandem.ledger import Outcome
from tandem.merchants import OFFERED, Place, Way, load_place, merchant_exists
from tandem.payments import (
    At,
    Beside,
    Capture,
    NewPayment,
    Payment,
    Payments,
    Source,
    merchant_view,
    order_code,
    payment_by_id,
)
from tandem.settings import Settings

TOKEN_BYTES: Final = 15
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{20}", re.ASCII)


class Checkout:
    """Makes sessions and shows their pages. Merchants' sides are scoped by their merchant."""

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        ids: Ids,
        entropy: Entropy,
        keyring: KeyRing,
        settings: Settings,
        payments: Payments,
    ) -> None:
        self.pool = pool
        self.clock = clock
        self.ids = ids
        self.settings = settings
        self.payments = payments
        self._entropy = entropy
        self._keyring = keyring

    # -- a merchant's settings -------------------------------------------------------------------

    async def settings_of(self, merchant_id: UUID) -> CheckoutSettings:
        """Where checkout may return to, and who may frame it: nowhere and nobody at first."""
        async with self.pool.acquire() as connection:
            found = await load_settings(connection, self._keyring, merchant_id)
        return CheckoutSettings() if found is None else found.settings

    async def change_settings(self, merchant_id: UUID, given: CheckoutSettings) -> CheckoutSettings:
        """Set both lists. Raises `NotFound`, `Invalid`."""
        chosen = CheckoutSettings(
            return_origins=self._origins(given.return_origins, "return_origins"),
            frame_origins=self._origins(given.frame_origins, "frame_origins"),
        )
        async with work(self.pool) as connection:
            secrets = await self._secrets(connection, merchant_id)
            made = MerchantSettings(chosen, secrets)
            await put_settings(connection, self._keyring, merchant_id, made, self.clock.now())
        return chosen

    async def roll_secret(self, merchant_id: UUID, *, at_once: bool) -> ResultSecret:
        """A new secret for results. The one before signs for an hour more, if it was ever shown."""
        now = self.clock.now()
        async with work(self.pool) as connection:
            before = await self._secrets(connection, merchant_id)
            secrets = before.rolled(self._entropy, now, at_once=at_once)
            found = await load_settings(connection, self._keyring, merchant_id)
            settings = CheckoutSettings() if found is None else found.settings
            made = MerchantSettings(settings, secrets)
            await put_settings(connection, self._keyring, merchant_id, made, now)
        secret = secrets.following or secrets.current
        return ResultSecret(secret, key_id(secret), secrets.from_when or now)

    async def frame_origins(self, token: str) -> tuple[str, ...]:
        """Who may frame the page of a session: nobody if there is no such session."""
        if _TOKEN.fullmatch(token) is None:
            return ()
        async with self.pool.acquire() as connection:
            try:
                session = await session_by_token(connection, token)
            except NotFound:
                return ()
            found = await load_settings(connection, self._keyring, session.merchant_id)
        return () if found is None else found.settings.frame_origins

    # -- a merchant's sessions -------------------------------------------------------------------

    async def create(
        self, merchant_id: UUID, new: CreateSession, idempotency: Idempotency | None
    ) -> Outcome:
        """A session with its order; the outcome is a CheckoutView.

        Raises `Invalid`, `ReturnRefused`, and as `Payments.create_order` does.
        """
        lines = cleaned_lines(new.lines)
        check_total(lines, new.amount)
        metadata = cleaned_metadata(new.metadata)
        allowed = (await self.settings_of(merchant_id)).return_origins
        session = NewSession(
            id=self.ids.new(),
            token=self.new_token(),
            public_url=self.settings.public_url,
            lines=lines,
            metadata=metadata,
            success_url=self.return_url(new.success_url, "success_url", allowed),
            cancel_url=self.return_url(new.cancel_url, "cancel_url", allowed),
            locale=new.locale,
        )

        async def beside() -> Beside:
            return session

        return await self.order(
            At(merchant_id, read_id("shp", new.shop_id, "shop_id")),
            new.amount,
            new.currency,
            idempotency,
            beside,
            capture=Capture(new.capture),
            description=new.description,
            reference=new.order_reference,
            expires_seconds=new.expires_seconds,
        )

    async def order(
        self,
        at: At,
        amount: int,
        code: str,
        idempotency: Idempotency | None,
        beside: Callable[[], Awaitable[Beside]],
        *,
        capture: Capture = Capture.AUTOMATIC,
        description: str | None = None,
        reference: str | None = None,
        expires_seconds: int | None = None,
    ) -> Outcome:
        """An order to be clicked, with a session beside it."""
        new = NewPayment(
            amount=amount,
            currency=currency(code).code,
            way="click",
            source=Source.ORDER,
            capture=capture,
            order_reference=reference,
            description=description,
        )
        return await self.payments.create_order(
            at, new, idempotency, expires_seconds=expires_seconds, beside=beside
        )

    async def get(self, merchant_id: UUID, session_id: UUID) -> CheckoutView:
        """A session of the merchant's. Raises `NotFound`."""
        async with self.pool.acquire() as connection:
            session = await session_by_id(connection, merchant_id, session_id)
            return self._view(session, await _payment_of(connection, session))

    async def all(
        self,
        merchant_id: UUID,
        before: UUID | None,
        limit: int,
        *,
        payment_id: UUID | None = None,
        link_id: UUID | None = None,
        invoice_id: UUID | None = None,
    ) -> list[CheckoutView]:
        """A merchant's sessions, newest first: all, or those of one of these."""
        wanted = {"payment_id": payment_id, "link_id": link_id, "invoice_id": invoice_id}
        async with self.pool.acquire() as connection:
            found = await list_sessions(connection, merchant_id, wanted, before, limit)
            return [
                self._view(session, await _payment_of(connection, session)) for session in found
            ]

    # -- whoever has the link --------------------------------------------------------------------

    async def session_of(self, token: str) -> Session:
        """The session of a page. Raises `NotFound`."""
        if _TOKEN.fullmatch(token) is None:
            raise NotFound("checkout page", "with such a link")
        async with self.pool.acquire() as connection:
            return await session_by_token(connection, token)

    async def page(self, token: str) -> CheckoutPage:
        """What the page of a session shows now. Raises `NotFound`."""
        session = await self.session_of(token)
        async with self.pool.acquire() as connection:
            payment = await _payment_of(connection, session)
            place = await load_place(connection, shop_id=payment.shop_id)
            assert place is not None, "shops are never taken away"
            found = await load_settings(connection, self._keyring, session.merchant_id)
            invoice = None
            if session.invoice_id is not None:
                of = await invoice_by_id(connection, session.merchant_id, session.invoice_id)
                assert of.invoice.number is not None, "it was opened"
                path = f"/checkout/i/{of.invoice.token}"
                invoice = InvoiceOfPage(of.invoice.number, of.invoice.due_on, path)
        return self._page(session, payment, place, found, invoice)

    def new_token(self) -> str:
        """A token for a page: 120 random bits, so that nobody guesses one."""
        return base64.urlsafe_b64encode(self._entropy(TOKEN_BYTES)).decode()

    def return_url(self, url: str | None, field: str, allowed: tuple[str, ...]) -> str | None:
        """An address to return to, as `read_return` takes it."""
        if url is None:
            return None
        return read_return(url, field, allowed, sandbox=self.settings.sandbox)

    # --------------------------------------------------------------------------------------------

    def _page(
        self,
        session: Session,
        payment: Payment,
        place: Place,
        found: MerchantSettings | None,
        invoice: InvoiceOfPage | None,
    ) -> CheckoutPage:
        ways: tuple[Way, ...] = ()
        if payment.status in OPEN and place.merchant_status == "active":
            wallet = self.settings.wallet
            ways = place.acceptance.remaining(payment.currency, payment.amount, wallet)
        code = None
        if payment.status == "created" and "scan" in ways and payment.code_token is not None:
            code = order_code(
                self.settings.public_url,
                place,
                payment.code_token,
                currency(payment.currency),
                payment.amount,
                payment.order_reference,
            )
        shown = merchant_view(payment)
        result = None if found is None else self._result(session, payment, found.secrets)
        back = session.success_url if payment.status in PAID else session.cancel_url
        return CheckoutPage(
            merchant=payment.merchant_name,
            shop=payment.shop_name,
            amount=payment.amount,
            currency=payment.currency,
            description=payment.description,
            lines=read_lines(session.lines),
            status=payment.status,
            decline_reason=shown.decline_reason,
            ways=tuple(way for way in OFFERED if way in ways),
            code=code,
            wallet_path=f"/wallet/c/{payment.code_token}" if "click" in ways else None,
            return_url=None if back is None or result is None else with_result(back, result),
            result=result,
            frame_origins=() if found is None else found.settings.frame_origins,
            locale=self._view(session, payment).locale,
            invoice=invoice,
            expires_at=self._view(session, payment).expires_at,
            updated_at=payment.updated_at,
        )

    def _result(self, session: Session, payment: Payment, secrets: ResultSecrets) -> str:
        now = self.clock.now()
        claims = Claims(
            iss=self.settings.public_url,
            aud=show_id("mer", session.merchant_id),
            sub=show_id("chs", session.id),
            payment=show_id("pay", payment.id),
            status=payment.status,
            amount=payment.amount,
            currency=payment.currency,
            reference=payment.order_reference,
            iat=_seconds(now),
            exp=_seconds(now + GOOD_FOR),
        )
        return sign(claims, secrets.at(now))

    async def _secrets(self, connection: Connection, merchant_id: UUID) -> ResultSecrets:
        """A merchant's secrets, locked; new ones if it never had any. Raises `NotFound`."""
        found = await load_settings(connection, self._keyring, merchant_id, lock=True)
        if found is not None:
            return found.secrets
        await merchant_exists(connection, merchant_id)
        return ResultSecrets(new_secret(self._entropy), shown=False)

    def _origins(self, given: tuple[str, ...], field: str) -> tuple[str, ...]:
        sandbox = self.settings.sandbox
        return tuple(dict.fromkeys(read_origin(one, field, sandbox=sandbox) for one in given))

    def _view(self, session: Session, payment: Payment) -> CheckoutView:
        return checkout_view(session, payment, self.settings.public_url)


async def _payment_of(connection: Connection, session: Session) -> Payment:
    payment = await payment_by_id(connection, session.payment_id)
    assert payment is not None, "they are made together"
    return payment


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
