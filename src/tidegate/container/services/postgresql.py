"""`postgresql://`: a real login, and a server that is there to stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tidegate.container.services.target import BadServiceUrl
from tidegate.container.waiting import Dependency, Permanent, Transient, classify_os_error

if TYPE_CHECKING:
    from tidegate.databases.pgwire import Params

SCHEMES = dict.fromkeys(("postgresql", "postgres", "psql", "pgsql", "postgis"), 5432)
SHOWN = ("postgresql",)
WITH_DRIVER = True  # `postgresql+psycopg://` too


def dependency(url: str, environ: Mapping[str, str]) -> Dependency:
    """A real login, and with it `database exists` and `accepts connections`."""
    from tidegate.databases import pgwire

    try:
        params = pgwire.params_from_url(url, environ)
    except (pgwire.BadUrl, pgwire.Unsupported) as error:
        advice = "Write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, percent-encoded."
        raise BadServiceUrl(f"A postgresql:// URL cannot be used: {error}.", advice) from None
    hosts = ",".join(_host(host, port) for host, port in params.hosts)

    def probe(timeout: float) -> str:
        return _probe(params, hosts, timeout)

    return Dependency(f"postgresql://{hosts}/{params.dbname}", probe)


def _host(host: str, port: int) -> str:
    if host.startswith(("/", "@")):
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _probe(params: Params, hosts: str, timeout: float) -> str:
    from tidegate.databases import pginit, pglogin, pgstates, pgwire

    try:
        connection = pglogin.connect(params, timeout)
        if params.hosts[0][0][:1] == "/" and pginit.is_temporary(connection.query):
            connection.close()
            raise Transient(pginit.REASON)
    except pgwire.PgError as error:
        said = str(error).replace(params.password, "***") if params.password else str(error)
        raise pgstates.explain(
            error.sqlstate, said, user=params.user, dbname=params.dbname, host=hosts
        ) from None
    except (pgwire.TlsRefused, pgwire.Unsupported) as error:
        raise Permanent(
            f"PostgreSQL at {hosts} cannot be reached in the way the URL asks for: {error}.",
            "The server answers; client and server do not agree on TLS or on the way to log in.",
            "Check sslmode and sslrootcert in the URL, and pg_hba.conf on the server.",
        ) from None
    except OSError as error:
        raise classify_os_error(error, params.hosts[0][0]) from error
    version = connection.parameters.get("server_version", "").partition(" ")[0]
    connection.close()
    return f"PostgreSQL {version}".strip()
