"""The database's own container, for its pg_dump: it fits the server, and this machine has none.

Only what `docker` on this machine sees, and only the container that answers where the database
does: at a published port, or at its own address. A dump asks for the snapshot of our session, so
another server would refuse it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

from tidegate.model.connection import Connection

LOCAL = ("", "localhost", "127.0.0.1", "::1", "0.0.0.0", "host.docker.internal")
PASSED = ("PGUSER", "PGPASSWORD", "PGDATABASE", "PGAPPNAME", "LC_ALL")
PLACED = ("PGHOST", "PGPORT", "PGSSLMODE")  # where the container reaches it as an app does
LONGEST = 20  # seconds


def running(
    environ: Mapping[str, str], near: Connection | None
) -> list[tuple[tuple[str, ...], str]]:
    """Return (how to run a program in it, its name) of the containers that may serve.

    Without `near` any container that looks like PostgreSQL will do: the archive comes by stdin.
    """
    return [(_prefix(docker, name, inner), name) for docker, name, inner in
            answering(environ, near, "5432")]  # fmt: skip


def answering(
    environ: Mapping[str, str], near: Connection | None, port: str
) -> list[tuple[str, str, str]]:
    """Return (docker, name, port inside) of the containers that answer where `near` is.

    `port` is the usual one; without `near`, any container that has it open.
    """
    docker = shutil.which("docker", path=environ.get("PATH"))
    if not docker:
        return []
    found = []
    for one in _inspected(docker):
        name = str(one.get("Name", "")).lstrip("/")
        ports = one.get("NetworkSettings", {}).get("Ports") or {}
        usual = f"{port}/tcp"
        inner = usual if near is None and usual in ports else _port_inside(one, ports, near, port)
        if inner:
            found.append((docker, name, inner.partition("/")[0]))
    return found


def as_an_app(docker: str, name: str) -> tuple[str, ...]:
    """Return how to run a program in a container of the app's own network."""
    words = [word for key in (*PASSED, *PLACED) for word in ("-e", key)]
    return (docker, "exec", "-i", *words, name)


def _prefix(docker: str, name: str, port: str) -> tuple[str, ...]:
    words = [docker, "exec", "-i", "-e", "PGHOST=127.0.0.1", "-e", f"PGPORT={port}"]
    for key in PASSED:  # by name: docker takes the value from its own environment
        words += ["-e", key]
    return (*words, name)


def _inspected(docker: str) -> Iterator[dict[str, Any]]:
    try:
        listed = subprocess.run([docker, "ps", "-q", "--no-trunc"], capture_output=True, text=True,
                                timeout=LONGEST, check=True).stdout.split()  # fmt: skip
        if not listed:
            return
        said = subprocess.run([docker, "inspect", *listed], capture_output=True, text=True,
                              timeout=LONGEST, check=False).stdout  # fmt: skip
        yield from json.loads(said or "[]")
    except (OSError, subprocess.SubprocessError, ValueError):
        return


def _port_inside(
    one: Mapping[str, Any], ports: Mapping[str, Any], near: Connection | None, usual: str
) -> str:
    if near is None:
        return ""
    port = near.port or usual
    if near.host in LOCAL:
        for inner, published in ports.items():
            if any(str(where.get("HostPort")) == port for where in published or ()):
                return inner
    networks = (one.get("NetworkSettings", {}).get("Networks") or {}).values()
    names = {str(net.get("IPAddress")) for net in networks}
    names |= {str(alias) for net in networks for alias in net.get("Aliases") or ()}
    return f"{port}/tcp" if near.host in names else ""
