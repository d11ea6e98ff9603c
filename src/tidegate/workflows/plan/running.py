"""The release that runs: its own image is asked what its models know of the tables.

A one-off container of that image, without this folder's code over it, runs env.py up to
`context.configure()`, with the scratch database in place of its own.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.contracts.target import Target
from tidegate.errors import TidegateError
from tidegate.process import Command, Talk
from tidegate.workflows.plan.runner import Event, Runner
from tidegate.workflows.update import hostcode

NOWHERE = {"vendor": "sqlite", "name": ":memory:"}  # its file is in another container


@dataclass(frozen=True, slots=True)
class Running:
    """What its models read and write. `why` says why its code could not be asked."""

    shapes: tuple[dict[str, Any], ...] = ()
    image: str = ""
    why: str = ""


def ask(
    services: Target,
    root: str,
    alias: str,
    login: dict[str, str],
    command: Callable[[str], Command],
) -> Running:
    """Ask it. `command` runs the rehearsal's process with the configuration of a file."""
    image, name, why = _image(services)
    if why:
        return Running(why=why)
    folder = Path(tempfile.mkdtemp(prefix="tidegate-running-"))
    try:
        file = folder / "compose.json"
        file.touch(0o600)
        file.write_text(_with_image(services, image), encoding="utf-8")
        with Talk(command(str(file)), apart=True) as talk:
            return Running(tuple(_models(Runner(talk), root, alias, login)), name)
    except TidegateError as error:
        said = " ".join(f"{error.what} {error.meaning}".split())
        return Running(image=name, why=f"the code of {name}, which runs, can't be asked: {said}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _image(services: Target) -> tuple[str, str, str]:
    """Return the id and the name of the image that runs, or why its code is not the release's."""
    up = [one for one in services.containers() if one.service == services.backend and one.up]
    if not up:
        return "", "", f"no container of {services.backend} runs, whose models could be asked"
    if hostcode.code(services).copied:
        return "", "", f"the code of {services.backend} is a mounted folder, not its image's"
    image, name = up[0].image, up[0].reference or up[0].image
    if not services.image_id(image):
        return "", "", f"the image that {up[0].name} runs from is removed"
    return image, name, ""


def _with_image(services: Target, image: str) -> str:
    """Return the project's configuration with that image for the backend."""
    config = json.loads(services.configuration())
    service = config["services"][services.backend]
    service.pop("build", None)
    return json.dumps({**config, "services": {**config["services"], services.backend: {
        **service, "image": image}}})  # fmt: skip


def _models(inside: Runner, root: str, alias: str, login: dict[str, str]) -> list[dict[str, Any]]:
    heard: list[Event] = []
    inside.ask("look", lambda event: None, root=root, database=alias, framework="alembic")
    place = login if login["vendor"] == "postgresql" else NOWHERE
    inside.ask("point", lambda event: None, alias=alias, scratch=place)
    inside.ask("models", heard.append)
    return list(heard[0]["shapes"])
