"""The token vault as a device reaches it: the REST API, under the device's own key.

Every call blocks, as long as `TIMEOUT_SECONDS` at most. What the vault refuses is a `VaultRefused`
with its own sentence, what cannot be reached a `VaultAway`: then nobody knows what became of a
request, and the same one is sent again later.
"""

import base64
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from tandem.cards import CardPackage, CardView, ShownCode
from tandem.kernel import Invalid
from tandem.tap.device_store import VaultLink
from tandem.tap.errors import VaultAway, VaultRefused

TIMEOUT_SECONDS: Final = 30.0
"""The operator's first card makes its keys, which takes some seconds."""
_MINE: Final = "/v1/people/me/cards"
_MOST: Final = 100
_FAULT: Final = 500
_LOCAL: Final = frozenset({"127.0.0.1", "localhost", "::1"})
T = TypeVar("T")


class _Cards(msgspec.Struct):
    data: tuple[CardView, ...]


class Settled(msgspec.Struct, frozen=True):
    """What of a payment is said on the device that tapped."""

    id: str
    status: str
    amount: int
    currency: str
    shop: str
    decline_reason: str | None


class TapAnswered(msgspec.Struct, frozen=True):
    """What became of a tap. `issuer_answer` is the vault's proved one, in Base64."""

    payment: Settled
    issuer_answer: str | None


class _Taps(msgspec.Struct):
    data: tuple[TapAnswered, ...]


class _Problem(msgspec.Struct):
    code: str
    detail: str


def vault_url(text: str) -> str:
    """An address that a key may be sent to: https, or http of this machine. Raises `Invalid`."""
    parts = urlsplit(text)
    local = parts.scheme == "http" and parts.hostname in _LOCAL
    if not parts.hostname or not (local or parts.scheme == "https"):
        raise Invalid("url", "must be https://…, or http:// of this machine")
    return text.rstrip("/")


class Vault:
    """The vault, and what a device asks of it. Close it with the block."""

    def __init__(self, link: VaultLink) -> None:
        self.link = link
        headers = {"Authorization": f"Bearer {link.key}"}
        self._http = httpx.Client(base_url=link.url, headers=headers, timeout=TIMEOUT_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def name(self) -> str:
        """The handle of whose device this is: it says that the key is right."""
        return self._ask("GET", "/v1/people/me", _Handle).handle

    def add(self, currency: str, device_key: bytes, key: str) -> CardView:
        """Ask for a card that pays from this balance, once for an idempotency key."""
        public = base64.b64encode(device_key).decode()
        body = {"currency": currency, "device_key": public}
        return self._ask("POST", _MINE, CardView, body, key)

    def cards(self) -> tuple[CardView, ...]:
        """The wallet's cards on all devices, newest first."""
        return self._ask("GET", f"{_MINE}?limit={_MOST}", _Cards).data

    def show_code(self, card_id: str) -> ShownCode:
        """A one-time code for a card that waits on a later device."""
        return self._ask("POST", f"{_MINE}/{card_id}/code", ShownCode)

    def prove(self, card_id: str, code: str) -> CardView:
        """Enter the code that an earlier device shows."""
        return self._ask("POST", f"{_MINE}/{card_id}/prove", CardView, {"code": code})

    def package(self, card_id: str) -> bytes:
        """What belongs on the device, sealed for it; also if the answer was lost before."""
        path = f"{_MINE}/{card_id}/package"
        package = self._ask("POST", path, CardPackage, key=f"package-{card_id}")
        return base64.b64decode(package.sealed)

    def suspend(self, card_id: str) -> CardView:
        """Let the card pay no more until it is resumed."""
        return self._ask("POST", f"{_MINE}/{card_id}/suspend", CardView)

    def resume(self, card_id: str) -> CardView:
        """Let a suspended card pay again."""
        return self._ask("POST", f"{_MINE}/{card_id}/resume", CardView)

    def renew(self, card_id: str) -> CardView:
        """Ask for the card's next years."""
        return self._ask("POST", f"{_MINE}/{card_id}/renew", CardView)

    def remove(self, card_id: str) -> CardView:
        """End the card for good."""
        return self._ask("DELETE", f"{_MINE}/{card_id}", CardView)

    def lose(self, device_id: str) -> tuple[CardView, ...]:
        """Report another device lost. Returns its cards, which pay no more."""
        return self._ask("POST", f"/v1/people/me/devices/{device_id}/lost", _Cards).data

    def tap(self, card_id: str, atc: int) -> TapAnswered | None:
        """What became of the card's tap with this number; None while the vault knows of none."""
        found = self._ask("GET", f"{_MINE}/{card_id}/taps?counter={atc}", _Taps).data
        return found[0] if found else None

    def _ask(
        self,
        method: str,
        path: str,
        shape: type[T],
        body: dict[str, Any] | None = None,
        key: str = "",
    ) -> T:
        headers = {"Idempotency-Key": key} if key else {}
        try:
            answer = self._http.request(method, path, json=body, headers=headers)
            if answer.is_success:
                return msgspec.json.decode(answer.content, type=shape)
            problem = msgspec.json.decode(answer.content, type=_Problem)
        except httpx.HTTPError as error:
            raise VaultAway(self.link.url, str(error) or type(error).__name__) from error
        except msgspec.MsgspecError:
            raise VaultAway(self.link.url, "it is no Tandem, or not one of this age") from None
        if answer.status_code >= _FAULT:
            raise VaultAway(self.link.url, problem.detail)
        raise VaultRefused(problem.code, problem.detail)


class _Handle(msgspec.Struct):
    handle: str
