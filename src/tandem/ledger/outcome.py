"""What the caller of an entry gets, and how a repeat gets the same.

A refusal is an answer too: whoever repeats a request that was refused is refused again. Else a copy
of it that comes late (a proxy's, a queue's) would move money that its sender was told had not
moved. So refusals are kept beside the answers, with their code and data, unless they say nothing
about the request itself (`Refused.passing`).
"""

from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, Final, get_type_hints

import msgspec

from tandem.kernel import Refused

_MARK: Final = b"!"  # no JSON begins with it
_SHAPES: Final[dict[type[Refused], type[msgspec.Struct]]] = {}


class Outcome(msgspec.Struct, frozen=True):
    """What the caller of an entry gets: the answer as JSON, and whether it is a repeat."""

    body: bytes
    replayed: bool = False


@dataclass(eq=False)
class RefusedEarlier(Refused):
    """The request was refused before, for a reason that this version does not know by its code."""

    code: ClassVar[str] = "refused_earlier"
    reason: str

    def sentence(self) -> str:
        """Say what happened and what to do."""
        return (
            f"An earlier request with this idempotency key was refused ({self.reason}). "
            "Nothing was written; use a new key for another try."
        )


class _Kept(msgspec.Struct):
    code: str
    data: msgspec.Raw


def kept(refused: Refused) -> bytes:
    """A refusal as the answer that a repeat will get."""
    data = {field.name: getattr(refused, field.name) for field in fields(refused)}
    return _MARK + msgspec.json.encode({"code": refused.code, "data": data})


def answered(answer: bytes) -> Outcome:
    """What a key that was used before gets: the first answer. Raises it if it was a refusal."""
    if not answer.startswith(_MARK):
        return Outcome(answer, replayed=True)
    found = msgspec.json.decode(answer[len(_MARK) :], type=_Kept)
    for kind in _kinds(found.code):
        try:
            data = msgspec.json.decode(found.data, type=_SHAPES.get(kind) or _shape(kind))
        except msgspec.ValidationError:
            continue  # it was kept by a version whose refusal had other data
        raise _again(kind(**msgspec.structs.asdict(data)))
    raise _again(RefusedEarlier(found.code))


def _again(refused: Refused) -> Refused:
    refused.replayed = True
    return refused


def _kinds(code: str) -> Iterator[type[Refused]]:
    """The refusals with this code that are known."""
    waiting = [Refused]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.code == code:
            yield kind


def _shape(kind: type[Refused]) -> type[msgspec.Struct]:
    """A struct with the fields of a refusal; one with a default need not have been kept."""
    hints = get_type_hints(kind)
    named: list[Any] = [
        (one.name, hints[one.name])
        if one.default is MISSING
        else (one.name, hints[one.name], one.default)
        for one in fields(kind)
    ]
    _SHAPES[kind] = msgspec.defstruct(
        kind.__name__, named, forbid_unknown_fields=True, kw_only=True
    )
    return _SHAPES[kind]
