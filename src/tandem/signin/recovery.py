"""Coming in without a passkey on this device: by a code from another one, or a recovery code.

Both are typed beside the handle, and lead to a new passkey on the device where they are typed. For
a handle that nobody has the same is done and answered, and wrong codes from another device are
counted for it as well.
"""

import hmac
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from tandem.access import Principal
from tandem.db import Connection, work
from tandem.db.audit import about
from tandem.kernel import NotFound, show_id
from tandem.people import find_id_by_handle
from tandem.signin.errors import CodeRefused, SignInPaused
from tandem.signin.keeper import Keeper, holder_of
from tandem.signin.model import (
    DEVICE_CODE,
    DEVICE_CODE_BYTES,
    RECOVERY_BYTES,
    RECOVERY_CODES,
    Holder,
    code_hash,
    is_guessable,
    new_code,
    read_code,
    subject_of,
)
from tandem.signin.service import Browser, Entered, SignIn
from tandem.signin.shapes import Attestation, CreationOptions
from tandem.signin.store import (
    count_try,
    device_code_of,
    drop_device_code,
    forget_tries,
    lock_holder,
    put_device_code,
    put_recovery_codes,
    recovery_codes_of,
    use_recovery_code,
)

_NOBODY: Final = UUID(int=0)


class DeviceCode(msgspec.Struct, frozen=True):
    """A code to be typed on another device, once."""

    code: Annotated[str, Meta(description="Shown once", examples=["7K2M-QX4T"])]
    expires_at: datetime


class RecoveryCodes(msgspec.Struct, frozen=True):
    """New recovery codes; those before work no more."""

    codes: Annotated[
        list[str],
        Meta(description="Shown once; each works once", examples=[["8K2M-QX4T-9RBF-1D6H"]]),
    ]


class RecoveryState(msgspec.Struct, frozen=True):
    """How many recovery codes are left."""

    left: Annotated[int, Meta(examples=[10])]


class _ByCode(msgspec.Struct):
    """What a passkey is made in return for: a device's code (its hash), or a recovery code."""

    device: bytes | None = None
    recovery: UUID | None = None


class Recovery:
    """Makes codes, and takes them."""

    def __init__(self, keeper: Keeper, sign_in: SignIn) -> None:
        self._keeper = keeper
        self._sign_in = sign_in

    async def device_code(self, principal: Principal) -> DeviceCode:
        """A code for another device of the person's. Raises `SignInStale`, `SignInNeeded`."""
        holder = holder_of(principal)
        async with work(self._keeper.pool) as connection:
            await self._keeper.check_may_change(connection, principal, holder)
            return await self._device_code(connection, holder.id)

    async def device_code_for(self, person_id: UUID) -> DeviceCode:
        """A code for a person who lost everything, whom the operator knows. Raises `NotFound`."""
        async with work(self._keeper.pool) as connection:
            return await self._device_code(connection, person_id)

    async def _device_code(self, connection: Connection, person_id: UUID) -> DeviceCode:
        await lock_holder(connection, Holder("person", person_id))
        code = new_code(DEVICE_CODE_BYTES, self._keeper.entropy)
        until = self._keeper.now() + DEVICE_CODE
        await put_device_code(connection, person_id, code_hash(code, person_id), until)
        return DeviceCode(code, until)

    async def renew(self, principal: Principal) -> RecoveryCodes:
        """New recovery codes, all at once. Raises `SignInStale`, `SignInNeeded`."""
        holder = holder_of(principal)
        codes = [new_code(RECOVERY_BYTES, self._keeper.entropy) for _ in range(RECOVERY_CODES)]
        kept = [(self._keeper.ids.new(), code_hash(code, holder.id)) for code in codes]
        async with work(self._keeper.pool) as connection:
            await self._keeper.check_fresh(connection, principal)
            await lock_holder(connection, holder)
            await put_recovery_codes(connection, holder.id, kept, self._keeper.now())
        return RecoveryCodes(codes)

    async def state(self, principal: Principal) -> RecoveryState:
        """How many recovery codes are left."""
        async with self._keeper.pool.acquire() as connection:
            return RecoveryState(len(await recovery_codes_of(connection, holder_of(principal).id)))

    async def begin(self, handle: str, code: str) -> CreationOptions:
        """What the browser is asked to make a passkey with, in return for a code.

        Raises `CodeRefused`, `SignInPaused`.
        """
        subject, now = subject_of(handle.removeprefix("@")), self._keeper.now()
        options = None
        async with work(self._keeper.pool, changes=False) as connection:
            bare = read_code(code) or ""
            counted = is_guessable(bare)
            paused_until = await count_try(connection, subject, now) if counted else None
            person_id = await _person(connection, handle)
            by = await self._match(connection, person_id, bare, now)
            if paused_until is None and by is not None:
                if counted:
                    await forget_tries(connection, subject)
                options = await self._sign_in.options_for(
                    connection, Holder("person", person_id), "code", msgspec.json.encode(by)
                )
        if paused_until is not None:
            raise SignInPaused(paused_until)
        if options is None:
            raise CodeRefused
        return options

    async def finish(self, answer: Attestation, name: str, browser: Browser) -> Entered:
        """Keep the new passkey, use the code up, let its person in.

        After a recovery code the other sessions are over: their device may be lost.
        Raises `PasskeyRefused`, `CodeRefused` if the code was used meanwhile.
        """
        keeper = self._keeper
        challenge, asked = await keeper.answered(answer, "code")
        assert asked.holder_id is not None, "it was asked of somebody"
        holder, by = (
            Holder("person", asked.holder_id),
            msgspec.json.decode(asked.facts, type=_ByCode),
        )
        async with work(keeper.pool) as connection:
            await lock_holder(connection, holder)
            if by.device is not None:
                right = await drop_device_code(connection, holder.id, by.device)
            else:
                assert by.recovery is not None, "it is one of the two"
                right = await use_recovery_code(connection, by.recovery, keeper.now())
                await keeper.access.sessions.end_all(connection, holder.id)
            if not right:
                raise CodeRefused
            passkey = await keeper.keep(connection, holder, answer, challenge, name)
            about(show_id("psk", passkey.id))
            return await self._sign_in.enter(connection, holder, browser)

    async def _match(
        self, connection: Connection, person_id: UUID, code: str, now: datetime
    ) -> _ByCode | None:
        """Which of a person's codes this is. As much is done for nobody's as for somebody's."""
        hashed = code_hash(code, person_id)
        device = await device_code_of(connection, person_id, now)
        found: _ByCode | None = None
        if device is not None and hmac.compare_digest(device, hashed):
            found = _ByCode(device=device)
        for code_id, known in await recovery_codes_of(connection, person_id):
            if hmac.compare_digest(known, hashed):
                found = _ByCode(recovery=code_id)
        return found


async def _person(connection: Connection, handle: str) -> UUID:
    """The person's id, or nobody's."""
    try:
        return await find_id_by_handle(connection, handle)
    except NotFound:
        return _NOBODY
