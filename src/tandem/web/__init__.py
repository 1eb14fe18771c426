"""The ASGI application: operations served over HTTP, the web apps, pages, limits, live updates."""

from tandem.web.application import App, create_app
from tandem.web.faces import built_files

__all__ = ["App", "built_files", "create_app"]
