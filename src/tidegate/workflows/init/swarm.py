"""A stack for Docker Swarm: the new release starts first, and a bad one is taken back."""

from __future__ import annotations

import json

from tidegate.workflows.init import outside
from tidegate.workflows.init.detect import Found
from tidegate.workflows.init.image import command
from tidegate.workflows.init.stack import celery_command, probe_of_database

PATH = "stack.yaml"
# Secrets are files there: each becomes the variable of its name before anything starts.
_LOAD = 'for f in /run/secrets/*; do export "$${f##*/}=$$(cat "$$f")"; done; exec "$$@"'


def stack(found: Found) -> str:
    """Return stack.yaml."""
    lines = [*_head(found), "services:"]
    if found.database != "sqlite":
        lines += [*_database(found), ""]
    if found.redis:
        lines += [*_redis(), ""]
    lines += _service(found, "web", ["tidegate", "boot", "--", *command(found)])
    if found.celery:
        for kind in ("worker", "beat"):
            lines += ["", *_service(found, kind, [*outside.WAIT, *celery_command(found, kind)])]
    volumes = ["db", *(["redis"] if found.redis else []), *(name for name, _ in _kept(found))]
    lines += ["", "volumes:"]
    for one in volumes:
        note = (
            "  # on each machine its own: several need a driver that shares it"
            if one == "media"
            else ""
        )
        lines.append(f"  {one}:{note}")
    lines += ["", "secrets:"] if _secrets(found) else []
    for name in _secrets(found):
        lines += [f"  {name}:", "    external: true", f"    name: {_external(found, name)}"]
    return "\n".join(lines) + "\n"


def _head(found: Found) -> list[str]:
    names = _secrets(found)
    return [
        "# Once: docker swarm init, and each secret:",
        *(f"#   docker secret create {_external(found, name)} -   # {outside.example(found, name) or 'letters and digits'}"
          if name != "DB_PASSWORD" else
          f"#   openssl rand -hex 24 | tr -d '\\n' | docker secret create {_external(found, name)} -"
          for name in names),
        "# At each release:",
        f"#   docker build -t registry.example.com/{found.name}:TAG . && docker push registry.example.com/{found.name}:TAG",
        f"#   TAG=TAG docker stack deploy --with-registry-auth -c {PATH} {found.name}",
    ]  # fmt: skip


def _secrets(found: Found) -> list[str]:
    """The app's secrets, and the database's own password."""
    mine = outside.secrets(found)
    own = [] if "DB_PASSWORD" in mine or found.database == "sqlite" else ["DB_PASSWORD"]
    return [*mine, *own]


def _external(found: Found, name: str) -> str:
    return f"{found.name}_{name.lower()}"


def _kept(found: Found) -> list[tuple[str, str]]:
    return [one for one in outside.writable(found) if one[0] != "tmp"]


def _database(found: Found) -> list[str]:
    if found.database == "mysql":
        image, data, prefix = "mariadb:11.4", "/var/lib/mysql", "MARIADB"
        extra = ['      MARIADB_RANDOM_ROOT_PASSWORD: "1"']
        names = (f"      MARIADB_DATABASE: {found.name}", f"      MARIADB_USER: {found.name}")
    else:
        image, data, prefix, extra = "postgres:17", "/var/lib/postgresql/data", "POSTGRES", []
        names = (f"      POSTGRES_DB: {found.name}", f"      POSTGRES_USER: {found.name}")
    return [
        "  db:",
        f"    image: {image}",
        "    environment:",
        *names,
        f"      {prefix}_PASSWORD_FILE: /run/secrets/DB_PASSWORD",
        *extra,
        "    secrets:",
        "      - DB_PASSWORD",
        "    volumes:",
        f"      - db:{data}",
        *probe_of_database(found),
        "    deploy:",
        "      # Its volume lies on one machine: name that one, and never run two over it.",
        "      placement:",
        '        constraints: ["node.role == manager"]',
        "      update_config:",
        "        order: stop-first",
    ]


def _redis() -> list[str]:
    return ["  redis:", "    image: redis:7", "    volumes:", "      - redis:/data", "    healthcheck:",
            '      test: ["CMD", "redis-cli", "ping"]', "      interval: 5s", "      timeout: 3s",
            "      retries: 5", "    deploy:", "      placement:",
            '        constraints: ["node.role == manager"]', "      update_config:",
            "        order: stop-first"]  # fmt: skip


def _service(found: Found, kind: str, argv: list[str]) -> list[str]:
    web, beat = kind == "web", kind == "beat"
    variables = {**outside.plain(found), **({"TIDEGATE_TIMEOUT": "600"} if not web else {})}
    secrets = outside.secrets(found)
    entry = ["sh", "-c", _LOAD, "sh"] if secrets else []
    lines = [
        f"  {kind}:",
        f"    image: registry.example.com/{found.name}:${{TAG:?the release to run}}",
        f"    entrypoint: {json.dumps(entry)}",
        f"    command: {json.dumps(argv)}",
    ]
    if variables:
        lines += [
            "    environment:",
            *(f"      {name}: {value}" for name, value in variables.items()),
        ]
    if secrets:
        lines += ["    secrets:", *(f"      - {name}" for name in secrets)]
    if web and _kept(found):
        lines += ["    volumes:", *(f"      - {name}:{path}" for name, path in _kept(found))]
    if web:
        lines += ["    # A swarm listens on every address of every machine: put a proxy or a firewall before it.",
                  "    ports: # dclint disable-line no-unbound-port-interfaces", '      - "8000:8000"']  # fmt: skip
    lines += ["    stop_grace_period: 30s" if web else "    stop_grace_period: 120s"]
    return [*lines, *_health(kind, bool(secrets)), *_deploy(2 if not beat else 1, beat)]


def _health(kind: str, loaded: bool) -> list[str]:
    """The image's own probe for the web; a worker asks whether its schema is there."""
    lines = ["    healthcheck:"]
    if kind != "web":
        argv = ["tidegate", "health", "--local"]
        argv = ["sh", "-c", _LOAD, "sh", *argv] if loaded else argv
        lines.append(f"      test: {json.dumps(['CMD', *argv])}")
    return [*lines, "      interval: 10s", "      timeout: 10s", "      retries: 6",
            "      start_period: 15m  # a long migration is no sickness"]  # fmt: skip


def _deploy(replicas: int, alone: bool) -> list[str]:
    order = "stop-first  # two would send every task twice" if alone else "start-first"
    return [
        "    deploy:", f"      replicas: {replicas}",
        "      update_config:", "        parallelism: 1", f"        order: {order}",
        "        failure_action: rollback", "        monitor: 60s",
        "      rollback_config:", f"        order: {order.partition(' ')[0]}",
        "      restart_policy:", "        condition: any", "        delay: 5s",
        "      resources:", "        limits:", "          memory: 512M",
    ]  # fmt: skip
