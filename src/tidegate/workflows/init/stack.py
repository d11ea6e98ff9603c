"""compose.yaml, its development override, and the file of variables that goes with them."""

from __future__ import annotations

import json
import re
from collections.abc import Collection

from tidegate.workflows.init import paths
from tidegate.workflows.init.detect import Found
from tidegate.workflows.init.image import command
from tidegate.workflows.init.variables import SECRET_KEY

# Each with its driver: what a URL without one means changed between SQLAlchemy 2.0 and 2.1.
_SCHEMES = {"asyncpg": "postgresql+asyncpg", "psycopg": "postgresql+psycopg",
            "psycopg2": "postgresql+psycopg2", "psycopg2-binary": "postgresql+psycopg2", "mysqlclient": "mysql+mysqldb",
            "pymysql": "mysql+pymysql", "asyncmy": "mysql+asyncmy", "aiomysql": "mysql+aiomysql"}  # fmt: skip
_PART = re.compile(
    r"(?:POSTGRES|PG|DB|DATABASE|SQL|MYSQL)_?(HOST|PORT|USER|USERNAME|PASSWORD|DB|NAME|DATABASE)$"
)
_FILE = re.compile(r"(^|_)(DATABASE|DB|SQLITE|SQLITE3)_?(PATH|FILE|FILENAME|NAME|LOCATION)$")
_WHOLE = re.compile(r"(^|_)(DATABASE|DB|POSTGRES|POSTGRESQL|PG|MYSQL)_?(URL|URI|DSN)$")
SECRET = "${%s:?copy .env.example to .env and fill it in}"


def compose(found: Found) -> str:
    """Return compose.yaml: the database, the app, its workers, each with a probe that asks it."""
    parts = [f"name: {found.name}", "", "x-app: &app", f"  image: {found.name}:${{TAG:-latest}}",
             "  build: .", "  restart: unless-stopped", ""]  # fmt: skip
    variables = [f"  {name}: {value}" for name, value in environment(found).items()]
    parts += ["x-env: &env", *variables] if variables else ["x-env: &env {}"]
    needs = _needs(found)
    if needs:
        parts += ["", "x-needs: &needs", *needs]
    parts += ["", "services:"]
    if found.database != "sqlite":
        parts += [*_server(found), ""]
    if found.redis:
        parts += [*_REDIS, ""]
    parts += _web(found)
    if found.celery:
        parts += ["", *_worker(found, "worker"), "", *_worker(found, "beat")]
    parts += ["", *_migrations(found), "", "volumes:", *(f"  {name}:" for name in _volumes(found))]
    return "\n".join(parts) + "\n"


def environment(found: Found) -> dict[str, str]:
    """Return the variables that the app gets; what is secret comes from `.env`."""
    out: dict[str, str] = {}
    if not found.told:
        out.update(_not_yet_read(found))
    whole = any("DATABASE_URL" in name for name in found.variables)
    for name in found.variables:
        value = "" if whole and _PART.match(name) else _value(found, name)
        if value:
            out[name] = value
    if found.database != "sqlite" and not any(
        "DATABASE_URL" in name or name.endswith("HOST") for name in out
    ):
        out["DATABASE_URL"] = _url(found)  # what a reader with a default name takes
    for name in found.demanded:
        out.setdefault(name, SECRET % name)
    return out


def _not_yet_read(found: Found) -> dict[str, str]:
    """Return the variables that the notes tell the project's code to read."""
    if found.framework != "django":
        return {"DATABASE_URL": _url(found)}
    if found.database == "sqlite":
        return {"DATABASE_PATH": "/data/db.sqlite3"}
    return {"DB_HOST": "db", "DB_NAME": found.name, "DB_USER": found.name,
            "DB_PASSWORD": SECRET % "DB_PASSWORD"}  # fmt: skip


def _value(found: Found, name: str) -> str:
    """Return what a variable gets, told by its name; empty where its default may stay."""
    if _WHOLE.search(name) and not name.startswith("TEST_"):
        return _url(found)
    if found.database == "sqlite" and _FILE.search(name):
        return "/data/db.sqlite3"
    if found.database != "sqlite":
        part = _PART.match(name)
        if part:
            port = "3306" if found.database == "mysql" else "5432"
            return {"HOST": "db", "PORT": json.dumps(port), "PASSWORD": SECRET % "DB_PASSWORD"}.get(
                part[1], found.name
            )
    if found.redis and re.search(r"(REDIS|BROKER|CACHE)_?(URL|LOCATION)$", name):
        return "redis://redis:6379/0"
    if found.redis and name == "REDIS_HOST":
        return "redis"
    if SECRET_KEY.search(name):
        return SECRET % name
    if re.search(r"ALLOWED_HOSTS$", name):
        return f"${{{name}:-localhost}}"
    if name in paths.GIVEN and (found.static if name == "STATIC_ROOT" else found.media):
        return paths.GIVEN[name]
    return ""


def _url(found: Found) -> str:
    if found.database == "sqlite":
        return f"sqlite:////data/{found.name}.db"
    django = found.framework == "django"
    plain = "mysql" if found.database == "mysql" else "postgresql"
    scheme = plain if django else _SCHEMES.get(found.driver, plain)
    port = 3306 if found.database == "mysql" else 5432
    return f"{scheme}://{found.name}:{SECRET % 'DB_PASSWORD'}@db:{port}/{found.name}"


def _needs(found: Found) -> list[str]:
    names = (["db"] if found.database != "sqlite" else []) + (["redis"] if found.redis else [])
    return [line for name in names for line in (f"  {name}:", "    condition: service_healthy")]


def _server(found: Found) -> list[str]:
    if found.database == "mysql":
        return [
            "  db:", "    image: mariadb:11.4", "    restart: unless-stopped", "    environment:",
            f"      MARIADB_DATABASE: {found.name}", f"      MARIADB_USER: {found.name}",
            f"      MARIADB_PASSWORD: {SECRET % 'DB_PASSWORD'}",
            '      MARIADB_RANDOM_ROOT_PASSWORD: "1"', "    volumes:", "      - db:/var/lib/mysql",
            *probe_of_database(found),
        ]  # fmt: skip
    return [
        "  db:", "    image: postgres:17", "    restart: unless-stopped", "    environment:",
        f"      POSTGRES_USER: {found.name}", f"      POSTGRES_DB: {found.name}",
        f"      POSTGRES_PASSWORD: {SECRET % 'DB_PASSWORD'}", "    volumes:",
        "      - db:/var/lib/postgresql/data", *probe_of_database(found),
    ]  # fmt: skip


def probe_of_database(found: Found) -> list[str]:
    """Return the health check of the database's own container."""
    asks = (
        ['      test: ["CMD", "healthcheck.sh", "--connect", "--innodb_initialized"]']
        if found.database == "mysql"
        else [
            "      # Over TCP: the server that initialises an empty volume listens on its socket only.",
            f'      test: ["CMD", "pg_isready", "-h", "127.0.0.1", "-U", "{found.name}", "-d", "{found.name}"]',
        ]
    )
    return ["    healthcheck:", *asks, "      interval: 2s", "      timeout: 3s",
            "      retries: 15", "      start_period: 60s"]  # fmt: skip


_REDIS = [
    "  redis:", "    image: redis:7", "    restart: unless-stopped", "    volumes:", "      - redis:/data",
    "    healthcheck:", '      test: ["CMD", "redis-cli", "ping"]', "      interval: 2s",
    "      timeout: 3s", "      retries: 15",
]  # fmt: skip


def _web(found: Found) -> list[str]:
    out = ["  # Raises the schema when it is behind: of several replicas one does, the others wait.",
           "  web:", "    <<: *app", "    environment:", "      <<: *env"]  # fmt: skip
    if _needs(found):
        out.append("    depends_on: *needs")
    mounts = _mounts(found)
    if mounts:
        out += ["    volumes:", *(f"      - {one}" for one in mounts)]
    return [*out, "    ports:", '      - "127.0.0.1:${PORT:-8000}:8000"']


def _mounts(found: Found) -> list[str]:
    folders = (("static", found.static), ("media", found.media))
    kept = [f"{name}:{path}" for name, path in folders if path]
    return kept + (["data:/data"] if found.database == "sqlite" else [])


def celery_command(found: Found, kind: str) -> list[str]:
    """Return the command line of a worker or a beat."""
    argv = ["celery", f"--app={found.celery}", kind, "--loglevel=INFO"]
    return argv + (["--schedule=/tmp/celerybeat-schedule"] if kind == "beat" else [])


def _worker(found: Found, kind: str) -> list[str]:
    argv = celery_command(found, kind)
    out = (
        ["  # One only: two would send every task twice.", "  beat:"]
        if kind == "beat"
        else ["  worker:"]
    )
    out += ["    <<: *app", f"    command: {json.dumps(argv)}", "    environment:", "      <<: *env",
            '      MIGRATE_ON_START: "false"', '      COLLECTSTATIC_ON_START: "false"']  # fmt: skip
    if _needs(found):
        out.append("    depends_on: *needs")
    return [*out, "    healthcheck:", '      test: ["CMD", "tidegate", "health", "--local"]',
            "      interval: 10s", "      timeout: 10s", "      start_period: 120s"]  # fmt: skip


def _migrations(found: Found) -> list[str]:
    """A container that only migrates, for `docker compose run --rm migrations`."""
    out = ["  migrations:", "    <<: *app", '    restart: "no"', '    profiles: ["migrations"]',
           '    entrypoint: ["tidegate", "migrate"]', "    command: []", "    environment:",
           "      <<: *env"]  # fmt: skip
    if _needs(found):
        out.append("    depends_on: *needs")
    if found.database == "sqlite":
        out += ["    volumes:", "      - data:/data"]
    return [*out, "    healthcheck:", "      disable: true"]


def _volumes(found: Found) -> list[str]:
    out = ["data"] if found.database == "sqlite" else ["db"]
    out += ["redis"] if found.redis else []
    return out + [name for name, path in (("static", found.static), ("media", found.media)) if path]


def development(found: Found) -> str:
    """Return compose.dev.yaml: the code lies over /app and the server reloads."""
    argv = json.dumps(command(found, reload=True))
    debug = next((name for name in found.variables if name.endswith("DEBUG")), "")
    extra = [f'      {debug}: "1"'] if debug else []
    extra += [f"      DJANGO_SETTINGS_MODULE: {found.developing}"] if found.developing else []
    lines = [
        "# docker compose -f compose.yaml -f compose.dev.yaml up --build",
        "services:", "  web:", '    restart: "no"', f"    command: {argv}", "    environment:",
        *extra, '      COLLECTSTATIC_ON_START: "false"', "    volumes:", "      - .:/app",
    ]  # fmt: skip
    for name in ("worker", "beat") if found.celery else ():
        lines += [f"  {name}:", '    restart: "no"', "    volumes:", "      - .:/app"]
    return "\n".join(lines) + "\n"


def variables(found: Found, there: Collection[str] = ()) -> str:
    """Return .env.example: one line for each secret, and what may be changed.

    `there` are names that an example of the project has; the rest goes below them, if need be.
    """
    text = " ".join(environment(found).values())
    secret = ["DB_PASSWORD"] if found.database != "sqlite" else []
    secret += [name for name in re.findall(r"\$\{(\w+):\?", text) if name != "DB_PASSWORD"]
    secret = [name for name in secret if name not in there]
    if there and not secret:
        return ""
    lines = [] if there else ["# Copy to .env and fill in. Single quotes keep a $ as it is.", ""]
    for name in dict.fromkeys(secret):
        if name == "DB_PASSWORD":
            lines.append(
                "# It becomes part of a URL: letters and digits only, e.g. from `openssl rand -hex 24`."
            )
        elif SECRET_KEY.search(name):
            lines.append('# python -c "import secrets; print(secrets.token_urlsafe(50))"')
        lines += [f"{name}=", ""]
    free = [name for name in re.findall(r"\$\{(\w+):-", text) if name not in there]
    lines += [f"{name}=localhost" for name in dict.fromkeys(free)]
    port = [] if "PORT" in there else ["PORT=8000"]
    return "\n".join([*lines, *port]).rstrip() + "\n"
