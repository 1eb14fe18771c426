"""The operations, a file for each thing that they are about. Each has its `OPERATIONS`."""

__all__ = ["codes", "merchants", "operator", "parties", "payments", "people", "wallet", "webhooks"]
