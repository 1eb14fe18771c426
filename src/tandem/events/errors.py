"""Why webhooks refuse.

Refused
├── TargetRefused       the URL leads, or would lead, where Tandem does not send
├── TooManyEndpoints    the merchant has as many endpoints as it may have
├── TooManyTests        as many test events as may be are on their way to the endpoint
└── EndpointOff         the endpoint is switched off or deleted: nothing is sent there
"""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from tandem.kernel import Refused, show_id


@dataclass(eq=False)
class TargetRefused(Refused):
    """An endpoint's address is not one that Tandem sends to."""

    code: ClassVar[str] = "webhook_target_refused"
    host: str
    reason: str

    def sentence(self) -> str:
        """Say which host and why. Never an address: that would map a network for a stranger."""
        return f"{self.host} cannot receive webhooks: it {self.reason}."


@dataclass(eq=False)
class TooManyEndpoints(Refused):
    """The merchant has as many endpoints as it may have."""

    code: ClassVar[str] = "too_many_webhook_endpoints"
    most: int

    def sentence(self) -> str:
        """Give the number."""
        return f"A merchant has at most {self.most} webhook endpoints. Delete one first."


@dataclass(eq=False)
class TooManyTests(Refused):
    """As many test events as may be are on their way to the endpoint."""

    code: ClassVar[str] = "too_many_webhook_tests"
    most: int

    def sentence(self) -> str:
        """Give the number."""
        return (
            f"{self.most} test events are on their way to this endpoint, and no more may be. "
            "Wait until they were tried."
        )


@dataclass(eq=False)
class EndpointOff(Refused):
    """Nothing is sent to an endpoint that is switched off or deleted."""

    code: ClassVar[str] = "webhook_endpoint_off"
    endpoint_id: UUID

    def sentence(self) -> str:
        """Say what to do."""
        return (
            f"The endpoint {show_id('whe', self.endpoint_id)} is switched off or deleted. "
            "Switch it on, then send again."
        )
