"""Passkeys in the browser tests: an authenticator in Chromium (WebAuthn Level 3, §11).

keys = await Passkeys.of(screen)      the page's device can make and use passkeys from now on
await keys.refuse()                   whoever holds it is not who they should be
"""

from dataclasses import dataclass
from typing import Any

from playwright.async_api import CDPSession

from browsing import Screen


@dataclass
class Passkeys:
    """What a device has of passkeys."""

    session: CDPSession
    authenticator: str

    @classmethod
    async def of(cls, screen: Screen) -> "Passkeys":
        """Give a screen's device passkeys; the address is one that can have them."""
        screen.url = screen.url.replace("127.0.0.1", "localhost")
        session = await screen.context.new_cdp_session(screen.page)
        await session.send("WebAuthn.enable", {"enableUI": False})
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        made = await session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        return cls(session, made["authenticatorId"])

    async def allow(self) -> None:
        """Whoever holds the device is who they should be."""
        await self._verified(value=True)

    async def refuse(self) -> None:
        """Whoever holds the device is not, or presses Cancel."""
        await self._verified(value=False)

    async def all(self) -> list[dict[str, Any]]:
        """The passkeys that it keeps."""
        found = await self.session.send(
            "WebAuthn.getCredentials", {"authenticatorId": self.authenticator}
        )
        credentials: list[dict[str, Any]] = found["credentials"]
        return credentials

    async def take_over(self, credential: dict[str, Any]) -> None:
        """Have a passkey of another device, as a password manager brings it."""
        await self.session.send(
            "WebAuthn.addCredential",
            {"authenticatorId": self.authenticator, "credential": credential},
        )

    async def go_back(self) -> None:
        """Its passkeys count from the beginning again: what it has are older copies of them."""
        for credential in await self.all():
            await self.session.send(
                "WebAuthn.removeCredential",
                {
                    "authenticatorId": self.authenticator,
                    "credentialId": credential["credentialId"],
                },
            )
            await self.take_over(credential | {"signCount": 0})

    async def _verified(self, *, value: bool) -> None:
        await self.session.send(
            "WebAuthn.setUserVerified",
            {"authenticatorId": self.authenticator, "isUserVerified": value},
        )
