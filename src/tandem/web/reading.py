"""Read a request: headers, body and query string. All of it is hostile until it is a value.

What is refused, in this order: a header twice or malformed (400), a body that is not JSON by its
headers (415), too long (413, and nothing is kept beyond the limit), not JSON (400), with a field
that is wrong or unknown (422 with a JSON Pointer, RFC 6901).
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec

from tandem.api.errors import (
    BodyTooLarge,
    HeaderMalformed,
    InvalidBody,
    InvalidQuery,
    KeyMissing,
    Malformed,
    MediaTypeUnsupported,
)
from tandem.api.operation import MAX_REASON, Query
from tandem.kernel import Invalid, Rule, clean_text
from tandem.web.explain import UNKNOWN, explain
from tandem.web.explain import shown as _shown
from tandem.web.forms import refuse_line_ends

MAX_BODY: Final = 64 * 1024
"""The longest body, in bytes."""
MAX_QUERY: Final = 4096
MAX_PARAMETERS: Final = 20

Headers = Mapping[bytes, bytes]
Receive = Callable[[], Awaitable[Any]]

_WANTED: Final = frozenset(
    {
        b"accept",
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"cookie",
        b"expect",
        b"idempotency-key",
        b"last-event-id",
        b"origin",
        b"tandem-reason",
        b"tandem-session",
        b"user-agent",
        b"x-request-id",
    }
)
_JSON: Final = b"application/json"
_CHARSET: Final = re.compile(rb'\s*charset\s*=\s*"?utf-?8"?\s*', re.IGNORECASE)
_KEY: Final = re.compile(rb"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")
_ENCODED: Final = re.compile(rb"(?:[!-$&-~]|%[0-9A-Fa-f]{2})+")
_RANDOM: Final = re.compile(
    rb"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE
)
_PLACE: Final = re.compile(r"JSON is malformed: (.*) \(byte ([0-9]+)\)")
_NUL: Final = b"\\u0000"


class DisconnectedError(Exception):
    """The client went away before it had said what it wants: there is nobody to answer."""


def read_headers(pairs: Sequence[tuple[bytes, bytes]]) -> tuple[Headers, bytes | None]:
    """The headers, and the name of one of those looked at here that is there twice."""
    found = dict(pairs)
    if len(found) == len(pairs):
        return found, None
    found, twice = {}, None
    for name, value in pairs:
        if name not in found:
            found[name] = value
        elif name in _WANTED and name != b"accept":  # that may be in several lines
            twice = name
    return found, twice


def check_once(twice: bytes | None) -> None:
    """Raise `HeaderMalformed` if there is such a header: two readers might choose differently."""
    if twice is not None:
        raise HeaderMalformed(twice.decode().title(), "must be there once")


def read_key(headers: Headers, *, required: bool, random: bool) -> str | None:
    """The idempotency key. Raises `KeyMissing`, or `HeaderMalformed` if it cannot be one.

    `random` wants a UUID of version 4, which nobody can guess, in small or capital letters (RFC
    9562 §4, §5.4): the same one in both.
    """
    value = headers.get(b"idempotency-key")
    if value is None:
        if required:
            raise KeyMissing
        return None
    if random:
        if _RANDOM.fullmatch(value) is None:
            raise HeaderMalformed("Idempotency-Key", "must be a random UUID (version 4) here")
        return value.decode().lower()
    if _KEY.fullmatch(value) is None:
        raise HeaderMalformed("Idempotency-Key", "must be 1 to 255 printable ASCII characters")
    return value.decode()


def read_reason(headers: Headers) -> str | None:
    """Why staff does it: UTF-8, percent-encoded (RFC 3986 §2.1). Raises `HeaderMalformed`."""
    value = headers.get(b"tandem-reason")
    if value is None:
        return None
    try:
        if _ENCODED.fullmatch(value) is not None:
            return clean_text(unquote_to_bytes(value).decode(), "reason", MAX_REASON)
    except (UnicodeDecodeError, Invalid):
        pass
    raise HeaderMalformed(
        "Tandem-Reason", f"must be 1 to {MAX_REASON} characters, percent-encoded in UTF-8"
    )


def check_media_type(headers: Headers) -> None:
    """Raise `MediaTypeUnsupported` unless the body is JSON in UTF-8 and not compressed."""
    given = headers.get(b"content-type", b"")
    if given != _JSON:
        kind, *parameters = given.split(b";")
        if kind.strip().lower() != _JSON or not all(map(_CHARSET.fullmatch, parameters)):
            raise MediaTypeUnsupported(_shown(given.decode("latin-1")))
    encoding = headers.get(b"content-encoding")
    if encoding is not None and encoding.lower() != b"identity":
        raise MediaTypeUnsupported(_shown(encoding.decode("latin-1")))


async def read_body(headers: Headers, receive: Receive) -> bytes:
    """The body. Raises `BodyTooLarge` at the first byte too many, whatever the length claimed.

    Raises `DisconnectedError` if the client goes away.
    """
    claimed = headers.get(b"content-length")
    if claimed is not None and (not claimed.isdigit() or int(claimed[:12]) > MAX_BODY):
        raise BodyTooLarge(MAX_BODY)
    chunks: list[bytes] = []
    length = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise DisconnectedError
        chunk: bytes = message.get("body", b"")
        length += len(chunk)
        if length > MAX_BODY:
            raise BodyTooLarge(MAX_BODY)
        if not message.get("more_body", False):
            return chunk if not chunks else b"".join((*chunks, chunk))
        chunks.append(chunk)


def _refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Members of an object by name. Raises `Malformed` if a name is there twice."""
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        name = next(name for name in names if names.count(name) > 1)
        raise Malformed(f"it has {_shown(name)} twice")
    return members


_EACH_ONCE: Final = json.JSONDecoder(object_pairs_hook=_refuse_twice)
"""msgspec takes the last of two members with one name; whoever checked the body before us (a
proxy, the client's own server) may have taken the first (RFC 8259 §4, RFC 7493 §2.3)."""


def member_names(body: type[msgspec.Struct]) -> tuple[bytes, ...]:
    """The members that such a body may have, as JSON writes them."""
    return tuple(b'"%b"' % field.encode_name.encode() for field in msgspec.structs.fields(body))


def decode_body(
    decoder: msgspec.json.Decoder[Any], raw: bytes, names: tuple[bytes, ...] | None = None
) -> msgspec.Struct:
    """The body's struct. Raises `Malformed` if it is no JSON, `InvalidBody` if a field is wrong.

    `names` are those of `member_names`: in a single object, where each stands there once at most
    and nothing is written by escapes, no member is there twice. Anything else is looked at closely.
    """
    try:
        body: msgspec.Struct = decoder.decode(raw)
        if (
            names is None
            or raw.count(b"{") > 1
            or b"\\" in raw
            or max(map(raw.count, names), default=0) > 1
        ):
            _EACH_ONCE.decode(raw.decode())
        if b"\\" in raw:  # a line break can only be written so
            refuse_line_ends(decoder.type, body)
        if _NUL in raw:
            _refuse_nul(msgspec.json.decode(raw), "", "")
    except msgspec.ValidationError as error:
        wrong = explain(str(error), decoder.type, _plain(raw))
        raise InvalidBody(wrong.field, wrong.reason, wrong.pointer, rule=wrong.rule) from None
    except UnicodeDecodeError as error:
        raise Malformed("it is not UTF-8") from error
    except RecursionError as error:
        raise Malformed("it is nested too deeply") from error
    except msgspec.DecodeError as error:
        match = _PLACE.fullmatch(str(error))
        place = f"{match[1]} at byte {match[2]}" if match else "it ends too early"
        raise Malformed(place) from error
    return body


def decode_query(kind: type[Query], raw: bytes) -> Query:
    """The query string's struct. Raises `InvalidQuery`."""
    if len(raw) > MAX_QUERY:
        raise InvalidQuery("query string", f"may have at most {MAX_QUERY} characters")
    values: dict[str, str] = {}
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_PARAMETERS,
        )
    except ValueError as error:
        raise InvalidQuery("query string", "cannot be read") from error
    for name, value in pairs:
        if name in values:
            raise InvalidQuery(_shown(name), "must be there once")
        if not value.isprintable():
            raise InvalidQuery(
                _shown(name), "has characters that cannot be used", rule=Rule("unseen")
            )
        values[name] = value
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        wrong = explain(str(error), kind, values, texts=True)
        raise InvalidQuery(wrong.field, wrong.reason, rule=wrong.rule) from None


def _plain(raw: bytes) -> object:
    """The body as plain JSON, to say what is wrong in it; `UNKNOWN` if that cannot be had."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return UNKNOWN


def _refuse_nul(value: Any, field: str, pointer: str) -> None:  # noqa: ANN401 - any JSON
    """PostgreSQL cannot store the character NUL. Only bodies with its escape come here."""
    if isinstance(value, str):
        if "\0" in value:
            reason = "must not have the character NUL"
            raise InvalidBody(_shown(field), reason, _shown(pointer), rule=Rule("unseen"))
    elif isinstance(value, dict):
        for name, inner in value.items():
            _refuse_nul(name, field, pointer)
            step = name.replace("~", "~0").replace("/", "~1")
            _refuse_nul(inner, f"{field}.{name}" if field else name, f"{pointer}/{step}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _refuse_nul(inner, f"{field}[{index}]", f"{pointer}/{index}")
