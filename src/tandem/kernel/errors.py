"""The root of every refusal, and the two that every room needs.

    Refused                what was asked is not done; nothing was written
    ├── Invalid            the request itself is wrong: a field, an amount, a code
    ├── NotFound           no such thing, or it is somebody else's
    └── (each room's own, in its errors.py)

A refusal is a value: a stable `code` (snake_case, part of the API), a sentence for a person that
says what to do, and the data that explains it as dataclass fields. What it becomes on a wire
(an HTTP status, an ISO 8583 response code) is that wire's own table; no refusal knows one.
A refusal that is `passing` says that it could not be done at this moment; any other is the answer
to the request, and `replayed` when a repeat of the request gets it again. Anything that is not a
`Refused` is a fault of ours. (`eq=False`: Python hashes exceptions and writes to them while they
are raised, so they can be neither compared by value nor frozen.)
"""

from dataclasses import KW_ONLY, dataclass, fields
from typing import Any, ClassVar, Literal, NamedTuple


@dataclass(eq=False)
class Refused(Exception):
    """What was asked is not done, and nothing was written."""

    code: ClassVar[str] = "refused"
    passing: ClassVar[bool] = False
    replayed = False  # no annotation: it is no fact behind the refusal

    def sentence(self) -> str:
        """What happened and what to do, in one or two plain sentences."""
        return "This was refused."

    def data(self) -> dict[str, Any]:
        """The facts behind the refusal: the dataclass fields, by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __str__(self) -> str:
        return self.sentence()


class Rule(NamedTuple):
    """What a field must be, for programs that say it in another language.

    `missing`: it must be there. `unknown`: it must not. `choice`: one of a few. `number`: a whole
    number within the bounds; `amount`: such a number of minor units; `length`: so many characters;
    `entries`: so many in a list. `form`: a text of the field's own form. `address`: a web address.
    `unseen`: without characters that nobody sees. `letters`: with a letter or a digit. `distinct`:
    each once. A bound that is None is open.
    """

    name: Literal[
        "missing",
        "unknown",
        "choice",
        "number",
        "amount",
        "length",
        "entries",
        "form",
        "address",
        "unseen",
        "letters",
        "distinct",
    ]
    least: int | None = None
    most: int | None = None


@dataclass(eq=False)
class Invalid(Refused):
    """A field of the request cannot be used as it stands.

    Where `rule` is there, it tells programs what the field must be, with the bounds `least` and
    `most`: missing, unknown, choice, number, amount, length, entries, form, address, unseen,
    letters, distinct.
    """

    code: ClassVar[str] = "invalid_request"
    field: str
    reason: str
    _: KW_ONLY
    rule: Rule | None = None

    def sentence(self) -> str:
        """Name the field and say what it must be."""
        return f"{self.field}: {self.reason}"

    def data(self) -> dict[str, Any]:
        """The rule's name stands beside its bounds; what it does not have is left out."""
        facts = super().data()
        rule = facts.pop("rule")
        if rule is not None:
            bounds = {"rule": rule.name, "least": rule.least, "most": rule.most}
            facts |= {name: value for name, value in bounds.items() if value is not None}
        return facts


@dataclass(eq=False)
class NotFound(Refused):
    """There is no such thing, or it belongs to somebody else: the two are not told apart."""

    code: ClassVar[str] = "not_found"
    kind: str
    id: str

    def sentence(self) -> str:
        """Say what was looked for."""
        return f"No {self.kind} {self.id} was found."
