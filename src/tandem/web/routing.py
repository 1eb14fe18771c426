"""Which operation a path and a method mean: an exact look-up first, then a walk by segments.

No pattern is tried in order: the time to find a route does not grow with their number.
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import msgspec

from tandem.api.operation import PATH_IDS, Live, Operation
from tandem.kernel import Invalid, NotFound, read_id
from tandem.web.reading import member_names

MAX_TEXT: Final = 64
"""The longest text that a path's argument may have."""

Methods = dict[str, "Route"]


class Route:
    """An operation, prepared so that a request has little left to do."""

    __slots__ = (
        "_parameters",
        "body",
        "body_names",
        "body_needed",
        "live",
        "open",
        "operation",
        "paged",
        "query",
        "row_type",
        "rows",
        "scopes",
    )

    def __init__(self, operation: Operation[Any]) -> None:
        self.operation = operation
        self.open = "anyone" in operation.who
        self.scopes = {kind: operation.scope_of(kind) for kind in operation.who if kind != "anyone"}
        self.body = None
        self.body_names: tuple[bytes, ...] | None = None
        if operation.body_type is not None:
            self.body = msgspec.json.Decoder(operation.body_type)
            self.body_names = member_names(operation.body_type)
        self.body_needed = operation.needs_body
        self.query = operation.query_type
        self.row_type = operation.row_type
        self.rows = operation.rows or ()
        self.paged = operation.paged
        self.live = operation.answer_type is Live
        self._parameters = [
            (name, *PATH_IDS.get(name, (None, name))) for name in operation.path_types
        ]

    def arguments(self, values: Sequence[str]) -> dict[str, Any]:
        """The path's arguments by name. Raises `NotFound` for what names nothing."""
        arguments: dict[str, UUID | str] = {}
        if not values:
            return arguments
        for (name, prefix, kind), text in zip(self._parameters, values, strict=True):
            if prefix is None:
                if not text.isprintable() or not 1 <= len(text) <= MAX_TEXT:
                    raise NotFound(kind, text[:MAX_TEXT])
                arguments[name] = text
                continue
            try:
                arguments[name] = read_id(prefix, text)
            except Invalid:
                raise NotFound(kind, text[:MAX_TEXT]) from None
        return arguments


class Found(msgspec.Struct, frozen=True):
    """What lives at a path: its operations by method, and the values of the path's arguments."""

    methods: Methods
    values: Sequence[str]


class _Node:
    __slots__ = ("children", "methods", "parameter")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.methods: Methods = {}


class Routes:
    """The routes of all operations. A path's fixed segment goes before an argument."""

    def __init__(self, operations: Sequence[Operation[Any]]) -> None:
        self._exact: dict[str, Found] = {}
        self._root = _Node()
        for operation in operations:
            methods = self._methods_at(operation.path)
            assert operation.method not in methods, f"{operation.method} {operation.path} twice"
            methods[operation.method] = Route(operation)
            if operation.method == "GET" and operation.answer_type is not Live:
                methods["HEAD"] = methods["GET"]

    def find(self, path: str) -> Found | None:
        """What lives at the path, or None."""
        exact = self._exact.get(path)
        if exact is not None:
            return exact
        node, values = self._root, []
        for segment in path.split("/"):
            child = node.children.get(segment)
            if child is None:
                child = node.parameter
                if child is None or not segment:
                    return None
                values.append(segment)
            node = child
        return Found(node.methods, values) if node.methods else None

    def _methods_at(self, path: str) -> Methods:
        if "{" not in path:
            return self._exact.setdefault(path, Found({}, ())).methods
        node = self._root
        for segment in path.split("/"):
            if segment.startswith("{"):
                if node.parameter is None:
                    node.parameter = _Node()
                node = node.parameter
            else:
                node = node.children.setdefault(segment, _Node())
        return node.methods
