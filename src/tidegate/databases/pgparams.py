"""Where and how to reach a PostgreSQL server: libpq's rules for URLs, fields and environment.

Imports nothing but ``os``: this is on the path of every start of a gated container.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SSLMODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
SESSION_ATTRS = ("any", "read-write", "primary", "read-only", "standby", "prefer-standby")
SOCKET_DIRS = ("/var/run/postgresql", "/tmp")
SCHEMES = ("postgresql", "postgres", "psql", "pgsql", "postgis")

_ENVIRONMENT = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "passfile": "PGPASSFILE",
    "options": "PGOPTIONS",
    "application_name": "PGAPPNAME",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "service": "PGSERVICE",
    "hostaddr": "PGHOSTADDR",
    "channel_binding": "PGCHANNELBINDING",
    "gssencmode": "PGGSSENCMODE",
    "require_auth": "PGREQUIREAUTH",
    "requirepeer": "PGREQUIREPEER",
    "sslcrl": "PGSSLCRL",
    "sslcrldir": "PGSSLCRLDIR",
    "sslcertmode": "PGSSLCERTMODE",
    "sslnegotiation": "PGSSLNEGOTIATION",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION",
}

# Options whose listed values change nothing here; any other value is for a real libpq.
_HARMLESS_VALUES = {
    "channel_binding": ("prefer", "disable"),
    "gssencmode": ("prefer", "disable"),
    "sslcertmode": ("allow",),
    "sslnegotiation": ("postgres",),
    "ssl_min_protocol_version": ("TLSv1.2",),
    "replication": ("false", "off", "no", "0"),
}

# Options that change nothing for a handful of short queries.
_IRRELEVANT = frozenset(
    (
        "client_encoding",
        "keepalives",
        "keepalives_idle",
        "keepalives_interval",
        "keepalives_count",
        "tcp_user_timeout",
        "sslcompression",
        "sslsni",
        "krbsrvname",
        "gsslib",
        "gssdelegation",
        "servicefile",
        "load_balance_hosts",
        "sslkeylogfile",
        "min_protocol_version",
        "max_protocol_version",
        "prepare_threshold",
        "prepared_statement_cache_size",
        "prepared_statement_name_func",
        "statement_cache_size",
        "async_fallback",
    )
)


class BadUrl(ValueError):
    """The connection settings make no sense; the text never holds a password."""


class Unsupported(Exception):
    """Something only a full driver can do; the caller falls back to the application's."""


class Params:
    """Everything needed to connect, defaults filled in."""

    __slots__ = (
        "application_name",
        "connect_timeout",
        "dbname",
        "hosts",
        "meanwhile",
        "options",
        "passfile",
        "password",
        "sslcert",
        "sslkey",
        "sslmode",
        "sslrootcert",
        "target_session_attrs",
        "user",
    )  # fmt: skip

    def __init__(self, hosts: list[tuple[str, int]], user: str, dbname: str) -> None:
        self.hosts = hosts  # '/directory' or '@abstract' means a Unix socket
        self.user = user
        self.dbname = dbname
        self.password: str | None = None
        self.sslmode = "prefer"
        self.sslrootcert: str | None = None
        self.sslcert: str | None = None
        self.sslkey: str | None = None
        self.options: str | None = None
        self.application_name: str | None = None
        self.connect_timeout: float | None = None
        self.target_session_attrs = "any"
        self.passfile: str | None = None
        self.meanwhile: Callable[[], object] | None = None  # done while the server logs us in

    def __repr__(self) -> str:
        shown = {name: getattr(self, name) for name in self.__slots__ if name != "meanwhile"}
        if self.password is not None:
            shown["password"] = "***"
        return f"Params({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


def params_from_url(url: str, environ: Mapping[str, str]) -> Params:
    """Read a libpq URI or an SQLAlchemy URL (``postgresql+driver://``)."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.partition("+")[0].lower() not in SCHEMES:
        raise BadUrl("the database URL does not start with postgresql://")
    # The authority ends at the first '/', but SQLAlchemy lets a password contain one.
    end = _index(rest, "/")
    if "@" not in rest[:end] and "@" in rest[end:] and "?" not in rest[: rest.index("@")]:
        port = rest[:end].rpartition(":")[2] if ":" in rest[:end] else "0"
        if not (port == "" or port.isdigit() or rest.startswith("[")):
            end = rest.index("@") + _index(rest[rest.index("@") :], "/")
    authority = rest[:end]
    at = authority.find("@")
    if at >= 0:
        tail = authority[at + 1 :]
        at += 1 + tail[: _index(tail, "?")].rfind("@")
    userinfo, hostspec = (authority[:at], authority[at + 1 :]) if at >= 0 else ("", authority)
    path, _, query = (hostspec + rest[end:]).partition("?")
    hostspec, _, dbname = path.partition("/")
    user, _, password = userinfo.partition(":")
    names, ports = [], []
    for piece in hostspec.split(","):
        name, port = _split_host(piece)
        names.append(_decode(name))
        ports.append(port)
    given = {
        "host": ",".join(names),
        "port": "" if not any(ports) else ",".join(ports),
        "user": _decode(user),
        "password": _decode(password),
        "dbname": _decode(dbname),
    }
    hosts_in_query: list[str] = []
    for pair in query.split("&") if query else ():
        key, separator, value = pair.partition("=")
        if "+" in scheme:  # SQLAlchemy reads the query as a form
            value = value.replace("+", " ")
        key, value = _decode(key), _decode(value)
        if not separator:
            raise BadUrl("a parameter in the database URL's query has no '='")
        if key == "host":
            hosts_in_query.append(value)
        elif key == "ssl":  # JDBC's and asyncpg's name
            given["sslmode"] = "require" if value.lower() == "true" else value
        else:
            given[key] = value
    if hosts_in_query:
        pieces = ",".join(hosts_in_query).split(",")
        split = [(p, "") if p[:1] in "/@" or p.count(":") != 1 else _split_host(p) for p in pieces]
        given["host"] = ",".join(name for name, _ in split)
        if any(port for _, port in split):
            given["port"] = ",".join(port for _, port in split)
    return _build(given, environ)


def params_from_fields(
    host: str | None,
    port: str | int | None,
    user: str | None,
    password: str | None,
    dbname: str | None,
    options: Mapping[str, object],
    environ: Mapping[str, str],
) -> Params:
    """Read what Django's DATABASES holds; empty fields take libpq's defaults."""
    given = {}
    for key, value in options.items():
        if value is not None:
            if not isinstance(value, (str, int, float)):
                raise Unsupported(f"connection option {key} is not a plain value")
            given[key] = str(value)
    fields = (("host", host), ("port", port), ("user", user), ("password", password))
    for key, value in (*fields, ("dbname", dbname)):
        if value is not None and value != "":
            given[key] = str(value)
    return _build(given, environ)


def find_password(params: Params, host: str, port: int) -> str | None:
    """The password for this host: the one given, else the password file's."""
    if params.password is not None or params.passfile is None:
        return params.password
    try:
        status = os.stat(params.passfile)
        if status.st_mode & 0o170000 != 0o100000 or status.st_mode & 0o077:
            return None  # as libpq: not a plain file, or readable by others
        with open(params.passfile, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().split("\n")
    except OSError:
        return None
    if host in SOCKET_DIRS:
        host = "localhost"
    wanted = (host, str(port), params.dbname, params.user)
    for line in lines:
        if line and not line.startswith("#"):
            fields = _passfile_fields(line.rstrip("\r"))
            if len(fields) >= 5 and all(
                field in ("*", want) if plain else field == want
                for (field, plain), want in zip(fields, wanted, strict=False)
            ):
                return fields[4][0]
    return None


def _passfile_fields(line: str) -> list[tuple[str, bool]]:
    """Split at ':' outside backslash escapes; says of each field if it had no escape."""
    fields = []
    text, plain, escaped = "", True, False
    for char in line:
        if escaped or char not in "\\:":
            text, escaped = text + char, False
        elif char == "\\":
            plain, escaped = False, True
        else:
            fields.append((text, plain))
            text, plain = "", True
    return [*fields, (text, plain)]


def _build(given: dict[str, str], environ: Mapping[str, str]) -> Params:
    values = {
        option: environ[variable]
        for option, variable in _ENVIRONMENT.items()
        if environ.get(variable)
    }
    values.update({option: value for option, value in given.items() if value != ""})
    take = values.pop
    home = environ.get("HOME") or os.path.expanduser("~")  # noqa: PTH111
    user = take("user", "") or _system_user()
    host, port = take("host", ""), take("port", "")
    if "database" in values:  # asyncpg's and SQLAlchemy's name
        values.setdefault("dbname", take("database"))
    params = Params(_hosts(host, port), user, take("dbname", "") or user)
    params.password = take("password", None)
    params.sslrootcert = take("sslrootcert", None)
    system_roots = params.sslrootcert == "system"
    params.sslmode = take("sslmode", "verify-full" if system_roots else "prefer")
    if params.sslmode not in SSLMODES:
        raise BadUrl(f"sslmode is not one of {', '.join(SSLMODES)}")
    if system_roots and params.sslmode != "verify-full":
        raise BadUrl("sslrootcert=system needs sslmode=verify-full")
    params.sslrootcert = params.sslrootcert or f"{home}/.postgresql/root.crt"
    params.sslcert = take("sslcert", f"{home}/.postgresql/postgresql.crt")
    params.sslkey = take("sslkey", f"{home}/.postgresql/postgresql.key")
    params.passfile = take("passfile", f"{home}/.pgpass")
    params.options = take("options", None)
    fallback = take("fallback_application_name", None)
    params.application_name = take("application_name", fallback)
    params.target_session_attrs = take("target_session_attrs", "any")
    if params.target_session_attrs not in SESSION_ATTRS:
        raise BadUrl(f"target_session_attrs is not one of {', '.join(SESSION_ATTRS)}")
    seconds = take("connect_timeout", "0")
    try:
        params.connect_timeout = float(seconds) if float(seconds) > 0 else None
    except ValueError:
        raise BadUrl("connect_timeout is not a number") from None
    for option, value in values.items():
        if option not in _IRRELEVANT and value not in _HARMLESS_VALUES.get(option, ()):
            known = option in _ENVIRONMENT or option in _HARMLESS_VALUES
            raise Unsupported(f"connection option {option}" + (f"={value}" if known else ""))
    for text in (user, params.dbname, params.password, params.options, params.application_name):
        if text and "\0" in text:
            raise BadUrl("a connection setting holds a zero byte")
    return params


def _hosts(host: str, port: str) -> list[tuple[str, int]]:
    names = host.split(",")
    ports = port.split(",")
    if len(ports) == 1:
        ports *= len(names)
    if len(ports) != len(names):
        raise BadUrl(f"{len(ports)} ports for {len(names)} hosts")
    hosts = []
    for name, text in zip(names, ports, strict=True):
        text = text.strip() or "5432"
        if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
            raise BadUrl("the port is not a number between 1 and 65535")
        if not name:
            name = next(
                (d for d in SOCKET_DIRS if os.path.exists(f"{d}/.s.PGSQL.{text}")), "localhost"
            )
        hosts.append((name, int(text)))
    return hosts


def _system_user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise BadUrl(f"no user name given, and user id {os.geteuid()} has none") from None


def _split_host(piece: str) -> tuple[str, str]:
    if piece.startswith("["):
        name, bracket, rest = piece[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise BadUrl("the IPv6 address in the database URL is not closed by ']'")
        return name, rest[1:]
    name, _, port = piece.partition(":")
    return name, port


def _index(text: str, char: str) -> int:
    return text.index(char) if char in text else len(text)


def _decode(text: str) -> str:
    """Undo percent-encoding; like SQLAlchemy and Django, keep a '%' that starts no escape."""
    if "%" not in text:
        return text
    first, *rest = text.encode("utf-8", "surrogateescape").split(b"%")
    decoded = first
    for part in rest:
        try:
            if not part[:2].isalnum() or len(part) < 2:
                raise ValueError
            decoded += bytes((int(part[:2], 16),)) + part[2:]
        except ValueError:
            decoded += b"%" + part
    if b"\0" in decoded:
        raise BadUrl("the database URL holds %00")
    return decoded.decode("utf-8", "surrogateescape")
