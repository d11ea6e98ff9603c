"""A throw-away container beside the project's own: of any image, in the backend's network.

It is no service of the project, so Compose's own `down` and `ps` pass it by; a label says whose it
is. Its words should end with their standard input: that closes with the process that has started
it, however that ends, and the engine then removes the container.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.model.command import Command
from tidegate.targets.composeargs import Words

BESIDE = "tidegate.beside"


def network(config: Mapping[str, Any], project: str, service: str) -> str:
    """Return what `docker run --network` takes to reach what a service reaches."""
    raw = config["services"][service]
    mode = str(raw.get("network_mode") or "")
    kind, _, other = mode.partition(":")
    if kind == "service":
        return network(config, project, other)
    if mode:
        return mode
    key = next(iter(raw.get("networks") or {"default": None}))
    declared = (config.get("networks") or {}).get(key) or {}
    return str(declared.get("name") or f"{project}_{key}")


def starting(
    words: Words,
    image: str,
    argv: Sequence[str],
    *,
    name: str,
    among: str,
    label: str,
    environ: Mapping[str, str],
) -> Command:
    """Return the command that runs `argv` in a new container, attached to its input."""
    named = [word for key in environ for word in ("-e", key)]
    made = words.docker(
        "run", "--rm", "-i", "--name", name, "--network", among, "--label", f"{BESIDE}={label}",
        "--shm-size", "256m", *named, "--entrypoint", argv[0], image, *argv[1:],
    )  # fmt: skip
    return _with(made, environ)


def entering(
    words: Words, container: str, argv: Sequence[str], environ: Mapping[str, str]
) -> Command:
    """Return the command that runs `argv` in such a container."""
    named = [word for key in environ for word in ("-e", key)]
    return _with(words.docker("exec", "-i", *named, container, *argv), environ)


def _with(command: Command, environ: Mapping[str, str]) -> Command:
    """Pass variables on by their names, so that no value stands in a list of processes."""
    secrets = tuple(value for key, value in environ.items() if "PASSWORD" in key and value)
    return Command(command.argv, command.cwd, environ, (*command.secrets, *secrets))
