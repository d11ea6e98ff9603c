"""Ask the container engine what runs: states, exit codes, restarts, memory, logs, volumes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tidegate import process
from tidegate.reading import facts
from tidegate.reading.live import Container, Live, Volume
from tidegate.reading.project import ProjectFiles
from tidegate.reading.service import Service

LINES = 80


def gather(project: ProjectFiles) -> Live:
    """Return what the engine says about the project's default stack."""
    if not project.stacks:
        return Live(why_not="there is no Compose file, so there is nothing to ask the engine about")
    stack = project.stacks[0]
    files = (
        [word for name in stack.files for word in ("-f", name)]
        if project.asked or len(stack.files) > 2
        else []
    )
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
    volumes = [_volume(project, services[name], one) for one in described
               if (name := _label(one, "service")) in services and facts.is_postgres(services[name])]  # fmt: skip
    return Live(containers, tuple(one for one in volumes if one is not None))


def _docker(project: ProjectFiles, *argv: str, timeout: float = 30.0) -> process.Result:
    return process.run(process.Command(("docker", *argv), str(project.root)), timeout)


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
    return Container(
        _label(one, "service"), one["Name"].lstrip("/"), state["Status"], int(state["ExitCode"]),
        int(one.get("RestartCount", 0)), bool(state.get("OOMKilled")), str(health.get("Status", "")),
        str(said[-1].get("Output", "")).strip() if said else "", int(one["HostConfig"].get("Memory", 0)),
        logs.out + logs.err, str(one["Config"].get("Image", "")),
    )  # fmt: skip


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
    ask = "cat /tidegate/PG_VERSION /tidegate/*/PG_VERSION /tidegate/*/*/PG_VERSION 2>/dev/null | head -n 1; postgres --version"
    result = _docker(
        project, "run", "--rm", "--network", "none", "--entrypoint", "sh", "-v", f"{name}:/tidegate:ro",
        one["Image"], "-c", ask, timeout=60,
    )  # fmt: skip
    lines = result.out.split("\n")
    version = (
        lines[0].strip() if len(lines) > 1 and lines[0].strip().replace(".", "").isdigit() else ""
    )
    server = next((line.split()[2] for line in lines if line.startswith("postgres (")), "")
    return Volume(service.name, name, target, version, server)
