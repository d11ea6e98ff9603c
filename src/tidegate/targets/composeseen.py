"""What the engine's `inspect` says of a container, as values."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any

from tidegate.contracts.target import Container
from tidegate.errors import PolicyRefused

LABEL = "com.docker.compose."
NAMELESS = re.compile(r"[0-9a-f]{64}")


def published(raw: Mapping[str, Any], port: int) -> tuple[str, str] | None:
    """Return where a port is published on this machine."""
    bindings = (raw["NetworkSettings"].get("Ports") or {}).get(f"{port}/tcp") or []
    for one in bindings:
        host = str(one.get("HostIp") or "")
        return "127.0.0.1" if host in ("", "0.0.0.0", "::") else host, str(one["HostPort"])
    return None


def own_address(raw: Mapping[str, Any], port: int) -> tuple[str, str] | None:
    """Only Linux reaches the networks of its containers."""
    if not sys.platform.startswith("linux"):
        return None
    for network in (raw["NetworkSettings"].get("Networks") or {}).values():
        if network.get("IPAddress"):
            return str(network["IPAddress"]), str(port)
    return None


def waits_for(raw: Mapping[str, Any]) -> set[str]:
    """Return the ids of the networks that a container which does not run would come back to."""
    if raw["State"].get("Running"):
        return set()
    networks = (raw["NetworkSettings"].get("Networks") or {}).values()
    return {str(one["NetworkID"]) for one in networks if one.get("NetworkID")}


def container_of(raw: Mapping[str, Any]) -> Container:
    """Return one container as a value."""
    state, labels = raw["State"], labels_of(raw)
    return Container(
        id=str(raw["Id"]),
        name=str(raw["Name"]).lstrip("/"),
        service=labels.get(LABEL + "service", ""),
        image=str(raw["Image"]),
        state=str(state["Status"]),
        health=str((state.get("Health") or {}).get("Status", "")),
        restarts=int(raw.get("RestartCount") or 0),
        exit_code=int(state.get("ExitCode") or 0),
        started=str(state.get("StartedAt") or ""),
        config=labels.get(LABEL + "config-hash", ""),
        reference=str(raw["Config"].get("Image") or ""),
        oom=bool(state.get("OOMKilled")),
        error=_health_words(state),
    )


def _health_words(state: Mapping[str, Any]) -> str:
    """Return why the container didn't start, or what its health check last said."""
    checks = (state.get("Health") or {}).get("Log") or []
    failed = [one for one in checks if one.get("ExitCode")]
    last: Mapping[str, Any] = failed[-1] if failed else {}
    return str(state.get("Error") or last.get("Output") or "").strip()


def labels_of(raw: Mapping[str, Any]) -> Mapping[str, str]:
    """Return its labels."""
    return raw["Config"].get("Labels") or {}


def refuse_nameless(service: str, raw: Mapping[str, Any]) -> None:
    """Raise PolicyRefused where a container has a volume that no other one can be given."""
    mounts = raw.get("Mounts") or []
    found = [one for one in mounts if NAMELESS.fullmatch(str(one.get("Name") or ""))]
    if not found:
        return
    name, place = str(raw["Name"]).lstrip("/"), found[0]["Destination"]
    volume = found[0]["Name"]
    raise PolicyRefused(
        f"a new container of {service} would begin with an empty {place}",
        f"What is there lies on a volume without a name ({volume[:12]}), which Compose v2 hands on "
        f"to the next container. For docker-compose version 1 {name} has to be removed first on "
        "this engine. Nothing was removed.",
        "install Compose v2 (docker compose), then run this again\n"
        f"or let it run as it was: docker start {name}\n"
        f"or give {place} a volume with a name, and copy what is there:\n"
        f"docker run --rm --entrypoint cp -v {volume}:/from:ro -v NAME:/to "
        f"{raw['Config'].get('Image')} -a /from/. /to/",
    )
