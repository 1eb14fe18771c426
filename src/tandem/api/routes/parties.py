"""Everybody who takes part: people and merchants."""

from typing import Any, Final

from tandem.api.operation import Operation
from tandem.api.routes import merchants, people

OPERATIONS: Final[tuple[Operation[Any], ...]] = (*people.OPERATIONS, *merchants.OPERATIONS)
