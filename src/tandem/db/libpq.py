"""How PostgreSQL's own programs find a database: by libpq's environment variables.

A URL in a program's arguments shows its password to whoever lists the machine's processes; an
environment is its owner's alone (PostgreSQL: libpq, "Environment Variables").
"""

import re
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from tandem.db.locate import describe

_VARIABLES: Final = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "database": "PGDATABASE",
    "passfile": "PGPASSFILE",
    "service": "PGSERVICE",
    "sslmode": "PGSSLMODE",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcrl": "PGSSLCRL",
    "sslnegotiation": "PGSSLNEGOTIATION",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "krbsrvname": "PGKRBSRVNAME",
    "gsslib": "PGGSSLIB",
    "application_name": "PGAPPNAME",
    "options": "PGOPTIONS",
}
_NOT_FOR_THEM: Final = "sslpassword"
"""libpq has no variable for it; such a key asks at the terminal."""
_HOST: Final = re.compile(r"(?:\[([^\]]*)\]|([^:,]*))(?::([0-9]*))?")


def environment_of(url: str) -> dict[str, str]:
    """The variables by which libpq finds the database of a URL as our driver does.

    What it does not know is a setting of the session, as for the driver. Raises
    `DatabaseUrlInvalid`.
    """
    describe(url)
    parts = urlsplit(url)
    credentials, _, place = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    hosts = [_HOST.match(host) for host in unquote(place).split(",")] if place else []
    given = {
        "host": ",".join(host[1] or host[2] or "" for host in hosts if host),
        "port": ",".join(host[3] or "" for host in hosts if host).strip(","),
        "user": unquote(user),
        "password": unquote(password),
        "dbname": unquote(parts.path.removeprefix("/")),
    }
    found = {_VARIABLES[name]: text for name, text in given.items() if text}
    options = []
    for name, values in parse_qs(parts.query).items():
        variable = _VARIABLES.get(name)
        if variable is not None:
            found.setdefault(variable, values[-1])
        elif name != _NOT_FOR_THEM:
            escaped = re.sub(r"([\\\s])", r"\\\1", values[-1])
            options.append(f"-c {name}={escaped}")
    if options:
        found["PGOPTIONS"] = " ".join([found.get("PGOPTIONS", ""), *options]).strip()
    return found
