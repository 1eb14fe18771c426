"""The ASGI application: operations served over HTTP, pages, limits, live updates."""

from tandem.web.application import App, create_app

__all__ = ["App", "create_app"]
