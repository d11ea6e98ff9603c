"""What runs, as values: containers with their states, and what lies in their volumes."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

_AROUND = re.compile(r"\s|(DETAIL|HINT|CONTEXT|LINE \d+|STATEMENT)\b|\^+$")


def verdict(text: str) -> str:
    """Return the line of a log that says what went wrong: the last that others do not explain."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    said = [line for line in lines if not _AROUND.match(line)]
    return (said or lines or ["it printed nothing"])[-1].strip()


@dataclass(frozen=True)
class Container:
    """One container of the project. `log` is the end of what it printed."""

    service: str
    name: str
    state: str
    exit_code: int
    restarts: int
    oom_killed: bool
    health: str
    health_said: str
    memory_limit: int
    log: str
    image: str = ""
    error: str = ""  # why the engine could not start it
    up_for: float = math.inf  # seconds since its last start
    architecture: str = ""  # the image's, asked where the kernel could not run it
    one_off: bool = False  # of `docker compose run`


@dataclass(frozen=True)
class Volume:
    """A volume of a database service."""

    service: str
    name: str
    target: str
    pg_version: str = ""  # the file PG_VERSION in it
    server: str = ""  # the version that the image's server says


@dataclass(frozen=True)
class Server:
    """What a running PostgreSQL says of itself, asked inside its own container.

    `waiting` are statements that wait for a lock: seconds, who blocks, the statement's beginning.
    """

    service: str
    in_recovery: bool = False
    read_only: bool = False
    connections: int = 0
    max_connections: int = 0
    invalid_indexes: tuple[str, ...] = ()
    waiting: tuple[tuple[int, str, str], ...] = ()
    clients: tuple[str, ...] = ()  # the addresses that connections come from


@dataclass(frozen=True)
class Pooler:
    """A container that runs a pooler and holds connections to a server."""

    service: str
    program: str
    server: str


@dataclass(frozen=True)
class Disk:
    """The room of a file system that a database writes to, in kilobytes."""

    service: str
    path: str
    size: int
    free: int


@dataclass(frozen=True)
class Hidden:
    """Files of an image that a volume over them lacks, or holds in another version."""

    service: str
    volume: str
    target: str
    files: tuple[str, ...]
    count: int


@dataclass(frozen=True)
class Live:
    """What the engine says about a project."""

    containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    servers: tuple[Server, ...] = ()
    disks: tuple[Disk, ...] = ()
    hidden: tuple[Hidden, ...] = ()
    poolers: tuple[Pooler, ...] = ()
    refused: str = ""  # why the engine's own Compose takes the files for none
    why_not: str = ""  # why a part could not be seen
    architecture: str = ""  # the engine's, likewise

    def of(self, service: str) -> list[Container]:
        """Return the containers of a service."""
        return [one for one in self.containers if one.service == service]
