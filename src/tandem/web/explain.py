"""What is wrong with a body or a query string, in plain words.

The decoder says in its own terms where it stopped and why. Here that becomes a field, a JSON
Pointer (RFC 6901) and what the field must be: all that its type asks for, so that whoever reads it
need not try again to hear of the next rule. Only what was refused comes here.
"""

import re
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, get_args, get_origin

import msgspec
from msgspec import inspect

from tandem.kernel import MAX_AMOUNT, Rule

MAX_SHOWN: Final = 200
UNKNOWN: Final = object()
"""Stands for a value that cannot be read back."""

FORMS: Final[Mapping[str, str]] = {
    "^[A-Z]{3}$": "an ISO 4217 currency code such as CNY",
    "^[A-Z]{2}$": "an ISO 3166-1 country code such as CN",
    "^[0-9]{6}$": "six digits such as 402917",
    "^[A-Za-z0-9+/]{43}=$": "32 bytes in Base64: 43 characters and =",
    "^[A-Za-z0-9+/]+={0,2}$": "Base64: letters, digits, + and /, filled up with =",
    "^[0-9A-Za-z]{1,12}$": "1 to 12 letters and digits",
    "^[ -~]+$": "printable ASCII characters",
    "^[A-Za-z0-9_-]+$": "bytes in base64url: letters, digits, - and _",
    "^[a-z]{2}$": "an ISO 639-1 language code such as zh",
    "^[0-9]{4}$": "an ISO 18245 merchant category such as 5814",
    "^([0-9]{4})$": "the last four digits of a number such as 0126",
    "^([0-9]{8}|[0-9]{12,14})$": "the digits of a barcode, a GTIN of 8, 12, 13 or 14",
    "^[A-Za-z0-9_.-]+$": "letters, digits, points, hyphens and underscores",
    "^[0-9A-Z]{29}$": "a payment account reference: 29 capital letters and digits",
    "^[0-9]{12,19}$": "a card's number: 12 to 19 digits and nothing between them",
    "^[0-9]{2}(0[1-9]|1[0-2])$": "a year and a month, YYMM, such as 2912",
    "^[0-9]{3,4}$": "a card's security code, 3 or 4 digits",
    "^@?[a-z0-9][a-z0-9_.]{1,30}$": (
        "a handle such as @lin: 2 to 31 of a-z, 0-9, point and underscore, a letter or digit first"
    ),
}
"""What the patterns of fields ask for; a test finds every pattern here."""

_UNSAID: Final = ("^[0-9]{12,19}$", "^[0-9]{3,4}$")
"""Patterns of what is not repeated, however wrong it is: problems end in other people's logs."""

_MISSING: Final = ("is missing", Rule("missing"))
_WHERE: Final = re.compile(r"(.*) - at `(key` in `)?\$(.*)`", re.DOTALL)
_STEP: Final = re.compile(r"\.([^.\[\]]*)|\[([0-9]+|\.\.\.)\]")
_NAMED: Final = re.compile(r"Object (?:contains unknown|missing required) field `(.*)`", re.DOTALL)
_GOT: Final = re.compile(r", got `(\w+)`")
_KINDS: Final[Mapping[str, str]] = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number with decimals",
    "int": "a number",
    "null": "null",
    "object": "an object",
    "str": "a text",
}
"""JSON's kinds of values, as people call them."""


class Wrong(NamedTuple):
    """What is wrong: what the field must be, the field, its JSON Pointer, and the rule."""

    reason: str
    field: str
    pointer: str
    rule: Rule | None


class _Place(NamedTuple):
    """A place in a request: what it is called, its pointer, its type, and what stands there."""

    field: str
    pointer: str
    kind: Any
    value: object

    def step(self, name: str, kind: Any, value: object) -> "_Place":  # noqa: ANN401 - a type
        """The member of this name."""
        pointer = name.replace("~", "~0").replace("/", "~1")
        field = f"{self.field}.{name}" if self.field else name
        return _Place(field, f"{self.pointer}/{pointer}", kind, value)


def explain(
    message: str,
    kind: Any,  # noqa: ANN401 - a type
    value: object = UNKNOWN,
    *,
    texts: bool = False,
) -> Wrong:
    """A validation message of msgspec in plain words.

    `kind` is the type that was decoded; `value` what was, as plain JSON, if it can be had: without
    it a member of an object with free names is shown as `...`. `texts`: every value came as text.
    """
    match = _WHERE.fullmatch(message)
    reason, path = (match[1], match[3]) if match else (message, "")
    place = _Place("", "", kind, value)
    for name, index in _STEP.findall(path):
        place = _member(place, name) if name else _entry(place, index)
    named = _NAMED.fullmatch(reason)
    if named is not None:
        place = place.step(named[1], None, UNKNOWN)
        unknown = "unknown" in reason[:24]
        said, rule = ("is not known here", Rule("unknown")) if unknown else _MISSING
    elif match is not None and match[2]:
        place, name = _name(place)
        said, rule = f"the name {_quoted(name)} must be {wanted(place.kind)}", None
    else:
        said = f"must be {wanted(place.kind)}{_but(reason, place.value, texts=texts)}"
        rule = _rule(inspect.type_info(place.kind))
    return Wrong(said, shown(place.field), shown(place.pointer), rule)


def _member(place: _Place, name: str) -> _Place:
    """A field of a struct."""
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(_bare(place.kind))}
    inner = place.value.get(name, UNKNOWN) if isinstance(place.value, dict) else UNKNOWN
    return place.step(name, fields[name], inner)


def _entry(place: _Place, index: str) -> _Place:
    """An entry of a list, or the first wrong member of an object whose names are free."""
    kind, value = _bare(place.kind), place.value
    if index != "...":
        inner = value[int(index)] if isinstance(value, list) else UNKNOWN
        field, pointer = f"{place.field}[{index}]", f"{place.pointer}/{index}"
        return _Place(field, pointer, get_args(kind)[0], inner)
    inner_kind = get_args(kind)[1]
    for name, inner in value.items() if isinstance(value, dict) else ():
        if not _fits(inner, inner_kind):
            return place.step(name, inner_kind, inner)
    return place.step("...", inner_kind, UNKNOWN)


def _name(place: _Place) -> tuple[_Place, str]:
    """The first wrong name of an object whose names are of a type; the place becomes its type."""
    kind = get_args(_bare(place.kind))[0]
    names = place.value if isinstance(place.value, dict) else {}
    name = next((name for name in names if not _fits(name, kind)), "")
    return place._replace(kind=kind, pointer=place.step(name, kind, UNKNOWN).pointer), name


def _fits(value: object, kind: Any) -> bool:  # noqa: ANN401 - a type
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _bare(kind: Any) -> Any:  # noqa: ANN401 - a type
    """The type without what is said about it; of `X | None` the X."""
    while True:
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
            continue
        parts = [part for part in get_args(kind) if part not in _ABSENT]
        if get_origin(kind) not in _UNIONS or not parts:
            return kind
        kind = parts[0]


_ABSENT: Final = (type(None), msgspec.UnsetType)
_UNIONS: Final = (Union, types.UnionType)


def _but(reason: str, value: object, *, texts: bool) -> str:
    """What stands there instead, if that helps: a value of another kind, or a short text."""
    got = _GOT.search(reason)
    if got is not None and not (texts and isinstance(value, str)):
        return f", not {_KINDS.get(got[1], got[1])}"
    if any(pattern in reason for pattern in _UNSAID):
        return ""
    helps = isinstance(value, str) and value and "of length" not in reason
    return f", not {_quoted(str(value))}" if helps else ""


def _quoted(text: str) -> str:
    return f"'{shown(text[:40])}'"


# -- what a type asks for ------------------------------------------------------------------------


def wanted(kind: Any) -> str:  # noqa: ANN401 - a type
    """What a value of this type must be, as in "must be …"."""
    bare = _bare(kind)
    if get_origin(bare) is Literal:
        return _listed([str(value) for value in get_args(bare)])  # as declared; msgspec sorts them
    return _wanted(inspect.type_info(kind))


def _wanted(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.Metadata):
        return _wanted(kind.type)
    if isinstance(kind, inspect.UnionType):
        rest = [one for one in kind.types if not isinstance(one, inspect.NoneType)]
        return " or ".join(dict.fromkeys(map(_wanted, rest)))
    if isinstance(kind, inspect.EnumType):
        return _listed([str(member.value) for member in kind.cls])
    return next((say(kind) for what, say in _SAID if isinstance(kind, what)), "of another kind")


def _rule(kind: inspect.Type) -> Rule | None:
    """What a value of this type must be, as far as there is a rule for it."""
    rule = None
    match kind:
        case inspect.Metadata():
            rule = _rule(kind.type)
        case inspect.UnionType():
            rule = next(filter(None, map(_rule, kind.types)), None)
        case inspect.EnumType() | inspect.LiteralType():
            rule = Rule("choice")
        case inspect.IntType():
            rule = Rule("amount" if kind.le == MAX_AMOUNT else "number", kind.ge, kind.le)
        case inspect.StrType(pattern=str()):
            rule = Rule("form")
        case inspect.StrType():
            rule = _sized_rule("length", kind)
        case inspect.CollectionType():
            rule = _sized_rule("entries", kind)
    return rule


def _sized_rule(name: Literal["length", "entries"], kind: Any) -> Rule | None:  # noqa: ANN401 - a type with lengths
    least, most = kind.min_length, kind.max_length
    return None if least is None and most is None else Rule(name, least, most)


def _integer(kind: Any) -> str:  # noqa: ANN401 - an inspect.IntType
    what = "a whole number of minor units" if kind.le == MAX_AMOUNT else "a whole number"
    if kind.ge is not None and kind.le is not None:
        return f"{what} from {kind.ge} to {kind.le}"
    return what if kind.ge is None else f"{what}, {kind.ge} or more"


def _text(kind: Any) -> str:  # noqa: ANN401 - an inspect.StrType
    if kind.pattern is not None:
        return FORMS.get(kind.pattern, "a text of another form")
    return _sized("a text", "characters")(kind)


def _sized(what: str, parts: str) -> Callable[[Any], str]:
    """Says how many parts something may have."""

    def say(kind: Any) -> str:  # noqa: ANN401 - a type with lengths
        least, most = kind.min_length, kind.max_length
        if least and most is not None:
            return f"{what} of {least} to {most} {parts}"
        if most is not None:
            return f"{what} of at most {most} {parts}"
        return f"{what} of at least {least} {parts}" if least else what

    return say


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last


_SAID: Final[Sequence[tuple[type[inspect.Type], Callable[[Any], str]]]] = (
    (inspect.IntType, _integer),
    (inspect.StrType, _text),
    (inspect.BoolType, lambda _: "true or false"),
    (inspect.DateType, lambda _: "a day such as 2026-05-04"),
    (inspect.DateTimeType, lambda _: "a moment such as 2026-05-04T09:30:00Z"),
    (inspect.CollectionType, _sized("a list", "entries")),
    (inspect.VarTupleType, _sized("a list", "entries")),
    (inspect.DictType, _sized("an object", "members")),
    (inspect.StructType, lambda _: "an object"),
)


def shown(text: str) -> str:
    """Text of the client's as an answer may repeat it: printable, and not endless."""
    return "".join(c if c.isprintable() else "?" for c in text[:MAX_SHOWN])
