"""Tandem's own REST API: its operations, what refusals become on the wire, its OpenAPI document.

Imported by module: `operation` declares, `operations` lists, `problems` and `openapi` tell.
"""

__all__ = ["errors", "examples", "openapi", "operation", "operations", "problems", "routes"]
