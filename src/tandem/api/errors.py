"""Why a request is refused before it reaches the domain, or when something of ours fails.

Refused
├── Malformed              the body cannot be read
├── HeaderMalformed        a header cannot be used
├── KeyMissing             no Idempotency-Key where one is needed
├── ReasonMissing          staff does not say why
├── Invalid
│   ├── InvalidBody        a field of the body has the wrong type or value
│   └── InvalidQuery       a parameter of the query string does
├── Unauthenticated        no key, or one that is not known
├── WrongKind              a key of another kind
├── ScopeMissing           the key does not have the scope
├── OriginRefused          a page of another site asks
├── NoSuchPath             nothing lives at this path
├── MethodNotAllowed       something does, but it does not take this method
├── BodyTooLarge           the body is longer than it may be
├── MediaTypeUnsupported   the body is not JSON
├── TooManyRequests        faster than the limit
├── DatabaseAway           the database does not answer
├── ServerStopping         the server stops before the answer is there
└── InternalFault          our fault
"""

from dataclasses import dataclass
from typing import ClassVar

from tandem.kernel import Invalid, Refused


@dataclass(eq=False)
class Malformed(Refused):
    """The request cannot be read: its body is not JSON, or not UTF-8, or nested too deeply."""

    code: ClassVar[str] = "malformed_request"
    reason: str

    def sentence(self) -> str:
        """Say where it stops being JSON."""
        return f"The body cannot be read: {self.reason}. Send a JSON object in UTF-8."


@dataclass(eq=False)
class HeaderMalformed(Refused):
    """A header cannot be used as it stands, or is there twice."""

    code: ClassVar[str] = "malformed_header"
    header: str
    reason: str

    def sentence(self) -> str:
        """Name the header and what it must be."""
        return f"The header {self.header} {self.reason}."


@dataclass(eq=False)
class ReasonMissing(Refused):
    """A member of the operator's staff changes what is another's and does not say why."""

    code: ClassVar[str] = "reason_missing"

    def sentence(self) -> str:
        """Say what to send."""
        return "Say why you do this, in the header Tandem-Reason. Nothing was changed."


@dataclass(eq=False)
class KeyMissing(Refused):
    """The request writes, and has no Idempotency-Key."""

    code: ClassVar[str] = "idempotency_key_missing"

    def sentence(self) -> str:
        """Say what to send."""
        return (
            "Send an Idempotency-Key header: 1 to 255 printable ASCII characters of your choice, "
            "new for each new request and the same when you repeat one. Nothing was written."
        )


@dataclass(eq=False)
class InvalidBody(Invalid):
    """A field of the body has the wrong type or value. `pointer` (RFC 6901) says which."""

    pointer: str

    def sentence(self) -> str:
        """As for any field; the body itself is the field with no name."""
        return f"{self.field or 'The body'}: {self.reason}"


@dataclass(eq=False)
class InvalidQuery(Invalid):
    """A parameter of the query string cannot be used as it stands."""


@dataclass(eq=False)
class Unauthenticated(Refused):
    """There is no key, or it is not known, or it was revoked. Which one is not told."""

    code: ClassVar[str] = "unauthenticated"

    def sentence(self) -> str:
        """Say how to send a key."""
        return (
            "This needs a key that is valid. Send it in the header Authorization: Bearer tk_… "
            "A key that was revoked stays revoked; make a new one."
        )


@dataclass(eq=False)
class WrongKind(Refused):
    """The key is valid, but of a kind that cannot do this."""

    code: ClassVar[str] = "wrong_kind_of_key"
    kind: str
    wanted: tuple[str, ...]

    def sentence(self) -> str:
        """Say whose keys can."""
        return f"A {self.kind}'s key cannot do this; the key of a {' or '.join(self.wanted)} can."


@dataclass(eq=False)
class ScopeMissing(Refused):
    """The key is valid and of the right kind, but was made without this scope."""

    code: ClassVar[str] = "scope_missing"
    scope: str

    def sentence(self) -> str:
        """Name the scope."""
        return (
            f"This needs the scope {self.scope}, which this key or role does not have. "
            "Use one that has it, or make one."
        )


@dataclass(eq=False)
class OriginRefused(Refused):
    """Whoever is signed in is asked by a page that is not ours, or by none."""

    code: ClassVar[str] = "origin_refused"

    def sentence(self) -> str:
        """Say what is missing."""
        return (
            "This did not come from a page of this Tandem: the header Origin must be its address. "
            "Programs use an API key instead of a session. Nothing was done."
        )


@dataclass(eq=False)
class NoSuchPath(Refused):
    """Nothing lives at this path."""

    code: ClassVar[str] = "no_such_path"
    path: str

    def sentence(self) -> str:
        """Point to the reference; a slash too many is the likeliest slip."""
        if self.path.endswith("/"):
            return f"There is nothing at {self.path}. Leave the slash at the end out."
        return f"There is nothing at {self.path}. /docs lists what there is."


@dataclass(eq=False)
class MethodNotAllowed(Refused):
    """The path takes other methods."""

    code: ClassVar[str] = "method_not_allowed"
    method: str
    allowed: tuple[str, ...]

    def sentence(self) -> str:
        """Name the methods."""
        return f"This path does not take {self.method}; it takes {', '.join(self.allowed)}."


@dataclass(eq=False)
class BodyTooLarge(Refused):
    """The body is longer than any request needs. `limit` in bytes."""

    code: ClassVar[str] = "body_too_large"
    limit: int

    def sentence(self) -> str:
        """Give the limit."""
        return f"The body may have at most {self.limit} bytes. Nothing was read beyond that."


@dataclass(eq=False)
class MediaTypeUnsupported(Refused):
    """The body is of another kind than JSON, or encoded."""

    code: ClassVar[str] = "media_type_unsupported"
    given: str

    def sentence(self) -> str:
        """Say what to send."""
        return "Send the body as Content-Type: application/json, in UTF-8 and not compressed."


@dataclass(eq=False)
class TooManyRequests(Refused):
    """Faster than the limit of this key, or of this network address. `limit` says which."""

    code: ClassVar[str] = "too_many_requests"
    limit: str
    retry_after_seconds: int

    def sentence(self) -> str:
        """Say when to come back."""
        return f"Too many requests of one {self.limit}. Try again in {self.retry_after_seconds} s."


@dataclass(eq=False)
class DatabaseAway(Refused):
    """The database does not answer at the moment."""

    code: ClassVar[str] = "database_unavailable"
    retry_after_seconds: int

    def sentence(self) -> str:
        """Say how to go on without doing a thing twice."""
        return (
            "The database does not answer. Send the same request with the same idempotency key "
            f"again in {self.retry_after_seconds} s: it is done once."
        )


@dataclass(eq=False)
class ServerStopping(Refused):
    """The server stops and cannot wait for the outcome. What was asked for may happen yet."""

    code: ClassVar[str] = "server_stopping"
    retry_after_seconds: int

    def sentence(self) -> str:
        """Say how to learn the outcome."""
        return (
            "The server is being stopped before the answer is there. Send the same request with "
            f"the same idempotency key again in {self.retry_after_seconds} s: it is done once."
        )


@dataclass(eq=False)
class InternalFault(Refused):
    """Something of ours failed. The log has it under the request's id."""

    code: ClassVar[str] = "internal_error"

    def sentence(self) -> str:
        """Say what to do."""
        return (
            "Something failed on our side. Send the same request with the same idempotency key "
            "again; if it goes on, tell the operator the request_id."
        )
