"""What is said when a command is typed wrongly: a plain sentence that says what to do.

The library knows what is wrong and says it in its own words, with the names of Python's types; here
each of its errors gets a sentence of the house.
"""

import difflib
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args, get_origin

from cyclopts import App, CycloptsError, MissingArgumentError, UnknownOptionError, ValidationError
from cyclopts.argument import Argument
from cyclopts.exceptions import (
    CoercionError,
    RepeatArgumentError,
    UnknownCommandError,
    UnusedCliTokensError,
)
from cyclopts.token import Token
from cyclopts.validators import Number

_KINDS: Final[dict[Any, str]] = {int: "a whole number", Path: "a path"}


class CommandMissing(CycloptsError):
    """Only a group of commands was named, such as `operator person`."""


def sentence(error: CycloptsError) -> str:
    """What is wrong with the command, and where its help is."""
    command = " ".join(["tandem", *(error.command_chain or ())])
    return f"{_what(error, command)} See: {command} --help"


def _what(error: CycloptsError, command: str) -> str:
    match error:
        case CommandMissing(app=App() as app):
            said = f"{command} needs a command: {_listed(_commands(app))}."
        case UnknownCommandError(unused_tokens=[given, *_], app=App() as app):
            said = _unknown_command(given, command, _commands(app))
        case UnknownOptionError():
            said = _unknown_option(error, command)
        case MissingArgumentError(argument=Argument() as argument):
            said = _missing(argument, error, command)
        case RepeatArgumentError():
            said = f"{error.token.keyword} is given more than once; give it once."
        case UnusedCliTokensError(unused_tokens=[given, *_]):
            said = f"{command} has no use for {given!r}; leave it out."
        case CoercionError(argument=Argument() as argument, token=Token() as token):
            said = _unusable(argument, token)
        case ValidationError(argument=Argument(tokens=[token, *_]) as argument):
            said = _unusable(argument, token)
        case _:
            said = f"{command} cannot be used like this."
    return said


def _unknown_command(given: str, command: str, known: Collection[str]) -> str:
    if given.startswith("-"):
        return f"{command} has no option {given}; give a command: {_listed(known)}."
    return f"{command} has no command {given!r}; {_meant(given, known)}"


def _unknown_option(error: UnknownOptionError, command: str) -> str:
    given = error.token.keyword or error.token.value
    options = [name for argument in error.argument_collection for name in argument.names]
    known = sorted(name for name in options if name.startswith("--"))
    return f"{command} has no option {given}; {_meant(given, known)}"


def _missing(argument: Argument, error: MissingArgumentError, command: str) -> str:
    given = error.keyword or next((t.keyword for t in argument.tokens if t.keyword), None)
    if given is not None:
        return f"{given} needs a value after it."
    wrong = difflib.get_close_matches(argument.name, error.unused_tokens or (), n=1)
    if argument.name.startswith("-") and wrong:
        return f"{command} has no option {wrong[0]}; did you mean {argument.name}?"
    return f"{command} needs {_name(argument)}."


def _unusable(argument: Argument, token: Token) -> str:
    """What the value must be, beside what was given."""
    name = token.keyword or _name(argument)
    if argument.hint is bool:
        return f"{name} takes no value; give it alone or leave it out."
    return f"{name} must be {_wanted(argument)}, not {token.value!r}."


def _wanted(argument: Argument) -> str:
    if get_origin(argument.hint) is Literal:
        return _listed(get_args(argument.hint))
    kind = _KINDS.get(argument.hint, "of another kind")
    # The library takes one validator, several or none, and keeps them as a tuple.
    for rule in cast("tuple[object, ...]", argument.parameter.validator):
        if isinstance(rule, Number):
            return f"{kind} from {rule.gte} to {rule.lte}"
    return kind


def _name(argument: Argument) -> str:
    return argument.name if argument.name.startswith("-") else argument.name.upper()


def _commands(app: App) -> list[str]:
    return [name for name in app if not name.startswith("-")]


def _meant(given: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(given, known, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"use {_listed(known)}." if known else "leave it out."


def _listed(names: Collection[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last
