"""The ASGI application: operations served over HTTP, the web apps, pages, limits, live updates."""
