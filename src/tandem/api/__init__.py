"""Tandem's own REST API: its operations, what refusals become on the wire, its OpenAPI document."""
