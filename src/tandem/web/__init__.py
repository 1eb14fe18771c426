"""The ASGI application: operations served over HTTP, the web apps, pages, limits, live updates.

Its two doors are modules, `application` and `faces`: who only asks whether there are apps must not
wait until all of the API is loaded.
"""

__all__ = ()
