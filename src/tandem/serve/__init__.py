"""The processes of an installation: one parent with the database, workers that answer requests.

    async with serving(Options(port=8080), environment) as server:
        print(server.url)
        await server.wait()

The parent owns the embedded database, migrates, binds the port, starts workers and starts those
that die again. A worker ends by itself when its parent is gone, however that ended.
"""

from tandem.serve.errors import AddressUnusable, PortTaken, ServeRefused, WorkersFailed
from tandem.serve.parent import Options, Server, open_keys, serving

__all__ = [
    "AddressUnusable",
    "Options",
    "PortTaken",
    "ServeRefused",
    "Server",
    "WorkersFailed",
    "open_keys",
    "serving",
]
