"""Ask the container engine what runs: states, exit codes, restarts, memory, logs, volumes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from tidegate import process
from tidegate.reading.project import facts
from tidegate.reading.project.live import Container, Disk, Hidden, Live, Server, Volume
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Service, masked
from tidegate.workflows.doctor import contents, servers

LINES = 80
_ARCHITECTURE = ("version", "--format", "{{.Server.Arch}}")


def gather(project: ProjectFiles) -> Live:
    """Return what the engine says about the project's default stack."""
    if not project.stacks:
        return Live(why_not="there is no Compose file, so there is nothing to ask the engine about")
    stack = project.stacks[0]
    unread = next((one for one in stack.problems if one.unread), None)
    if unread is not None:  # it may be made to take all memory of whoever reads it
        return Live(why_not=f"the engine is not asked: {unread.path} can't be read")
    files = (
        [word for name in stack.files for word in ("-f", name)]
        if project.asked or len(stack.files) > 2
        else []
    )
    read = _docker(project, "compose", *files, "config", "--quiet")
    if not read.ok and not _absent(read):
        said = _last(read.err)
        return Live(refused=said, why_not=f"the engine's Compose refuses the files: {masked(said)}")
    listed = _docker(project, "compose", *files, "ps", "--all", "--quiet")
    if not listed.ok:
        return Live(why_not=f"the engine can't be asked: {_last(listed.err) or listed.why}")
    ids = listed.out.split()
    if not ids:
        return Live(why_not="the project has no containers: nothing of it was started here")
    found = _docker(project, "inspect", *ids)
    described = json.loads(found.out) if found.ok else []
    containers = tuple(_container(project, one) for one in described)
    services = {one.name: one for one in project.services if one.stack is stack}
    volumes: list[Volume | None] = []
    asked: list[Server | None] = []
    room: list[Disk] = []
    stale: list[Hidden] = []
    docker = partial(_docker, project)
    for one in described:
        service = services.get(_label(one, "service"))
        if service is not None and facts.is_postgres(service):
            volumes.append(_volume(project, service, one))
            asked.append(servers.ask(docker, service, one))
        if service is not None and facts.is_database(service):
            room += contents.disks(docker, service, one)
        elif service is not None and project.image(service) is not None:
            stale += contents.hidden(docker, service, one)
    foreign = any(one.architecture for one in containers)
    found_servers = tuple(one for one in asked if one is not None)
    return Live(
        containers,
        tuple(one for one in volumes if one is not None),
        found_servers,
        tuple(room),
        tuple(stale),
        servers.poolers(docker, described, found_servers),
        architecture=docker(*_ARCHITECTURE).out.strip() if foreign else "",
    )


def _docker(project: ProjectFiles, *argv: str, timeout: float = 30.0) -> process.Result:
    command = process.Command(("docker", *argv), str(project.root))
    return process.run(command, timeout, memory=process.FOR_READING)


def _absent(asked: process.Result) -> bool:
    """Whether there is no Docker, or no Compose, to ask."""
    return asked.code is None or "is not a docker command" in asked.err


def _last(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _label(one: dict[str, Any], name: str) -> str:
    return str((one["Config"].get("Labels") or {}).get(f"com.docker.compose.{name}", ""))


def _container(project: ProjectFiles, one: dict[str, Any]) -> Container:
    state = one["State"]
    health = state.get("Health") or {}
    said: Sequence[dict[str, Any]] = health.get("Log") or []
    logs = _docker(project, "logs", "--tail", str(LINES), one["Id"])
    log, error = logs.out + logs.err, str(state.get("Error") or "")
    asked = ("image", "inspect", "--format", "{{.Architecture}}", one["Image"])
    strange = "exec format error" in log + error
    return Container(
        service=_label(one, "service"),
        name=one["Name"].lstrip("/"),
        state=state["Status"],
        exit_code=int(state["ExitCode"]),
        restarts=int(one.get("RestartCount", 0)),
        oom_killed=bool(state.get("OOMKilled")),
        health=str(health.get("Status", "")),
        health_said=str(said[-1].get("Output", "")).strip() if said else "",
        memory_limit=int(one["HostConfig"].get("Memory", 0)),
        log=log,
        image=str(one["Config"].get("Image", "")),
        error=error,
        up_for=_age(str(state.get("StartedAt") or "")),
        architecture=_docker(project, *asked).out.strip() if strange else "",
        one_off=_label(one, "oneoff") == "True",
    )


def _age(stamp: str) -> float:
    """Return the seconds since a moment that the engine names."""
    found = re.match(r"[\d-]+T[\d:]+", stamp)
    if found is None:
        return math.inf
    then = datetime.fromisoformat(found[0]).replace(tzinfo=UTC)
    return max(0.0, (datetime.now(UTC) - then).total_seconds())


def _volume(project: ProjectFiles, service: Service, one: dict[str, Any]) -> Volume | None:
    """Read PG_VERSION in the data volume with the image's own shell, without network."""
    mounts = [
        m
        for m in one.get("Mounts", [])
        if m.get("Type") == "volume" and "/postgresql" in m.get("Destination", "")
    ]
    if not mounts:
        return None
    name, target = mounts[0]["Name"], mounts[0]["Destination"]
    files = " ".join(f"/tidegate/{depth}PG_VERSION" for depth in ("", "*/", "*/*/"))
    ask = f"cat {files} 2>/dev/null | head -n 1; postgres --version"
    box = ("run", "--rm", "--network", "none", "--entrypoint", "sh", "-v", f"{name}:/tidegate:ro")
    result = _docker(project, *box, one["Image"], "-c", ask, timeout=60)
    lines = result.out.split("\n")
    version = (
        lines[0].strip() if len(lines) > 1 and lines[0].strip().replace(".", "").isdigit() else ""
    )
    server = next((line.split()[2] for line in lines if line.startswith("postgres (")), "")
    return Volume(service.name, name, target, version, server)
