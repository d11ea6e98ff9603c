"""What the engine is asked about containers and images: over its socket, else by its program."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidegate.errors import NotReady
from tidegate.process import run
from tidegate.targets import enginesocket
from tidegate.targets.composeargs import Words


@dataclass(frozen=True, slots=True)
class Image:
    """What the engine says of an image: its id, its variables and its working folder."""

    id: str
    env: tuple[str, ...] = ()
    workdir: str = ""
    created: str = ""

    @property
    def path(self) -> str:
        """PATH as the image sets it."""
        return next((one[5:] for one in self.env if one.startswith("PATH=")), "")


def image(words: Words, environ: Mapping[str, str], reference: str) -> Image:
    """Return what the engine says; an image that is not there has no id."""
    place = enginesocket.place(environ)
    raw = enginesocket.image(place, reference) if place and reference else None
    if raw is None:
        done = run(words.docker("image", "inspect", "--format", "{{json .}}", reference), 20)
        raw = json.loads(done.out) if done.ok else {}
    config = raw.get("Config") or {}
    return Image(
        str(raw.get("Id") or ""), tuple(config.get("Env") or ()),
        str(config.get("WorkingDir") or ""), str(raw.get("Created") or ""),
    )  # fmt: skip


def answers(environ: Mapping[str, str]) -> bool:
    """Return whether its socket answers; where it does not, its program can say why."""
    place = enginesocket.place(environ)
    return bool(place) and enginesocket.answers(place)


def containers(
    words: Words, environ: Mapping[str, str], labels: Sequence[str], reach: Callable[[], None]
) -> list[dict[str, Any]]:
    """Return what `inspect` says of the containers that have all the labels.

    `reach` raises where the engine is away; any other failure is raised here.
    """
    place = enginesocket.place(environ)
    found = enginesocket.containers(place, labels) if place else None
    if found is not None:
        return found
    filters = [word for one in labels for word in ("--filter", f"label={one}")]
    listed = run(words.docker("ps", "-aq", "--no-trunc", *filters), 30)
    if not listed.ok:
        reach()
        raise NotReady("the engine did not list its containers", last_line(listed.err))
    ids = listed.out.split()
    if not ids:
        return []
    done = run(words.docker("inspect", *ids), 30)
    out: list[dict[str, Any]] = json.loads(done.out or "[]")  # what vanished is left out
    return out


def last_line(text: str) -> str:
    """Return the last line of what a program said, warnings aside."""
    lines = [line for line in text.strip().splitlines() if "level=warning" not in line]
    return lines[-1].strip() if lines else ""
