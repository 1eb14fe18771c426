"""How a request says that its payment was confirmed by a passkey."""

from typing import Annotated

from msgspec import Meta

from tandem.signin import Assertion

ConfirmedBy = Annotated[
    Assertion | None,
    Meta(
        description=(
            "What `navigator.credentials.get` answered to the `options` of `passkey_needed`; a "
            "repeat sends the same again"
        ),
        examples=[None],
    ),
]
