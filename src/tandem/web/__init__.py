"""The ASGI application: operations served over HTTP, pages, limits, live updates."""
