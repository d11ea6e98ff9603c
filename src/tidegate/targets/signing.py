"""Who runs a one-off container, and what is in it: what the inside cannot see for itself.

It travels in one variable, and stands in the ledger where the container's own environment says
nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tidegate.model.command import Command
from tidegate.process import revision

ORIGIN = "TIDEGATE_ORIGIN"
# Verbs that the ledger records.
WRITING = ("migrate", "apply", "rollback", "adopt", "backup", "restore")


def writes(words: Sequence[str]) -> bool:
    """Return whether the ledger will have a run of it."""
    return any(word in WRITING for word in words)


def signed(
    command: Command,
    environ: Mapping[str, str],
    root: Path,
    image: Callable[[str], str],
    reference: str,
) -> Command:
    """Return the command with the origin in its environment; `image` tells an image's id."""
    try:
        known = json.loads(environ.get(ORIGIN, "{}"))
    except ValueError:
        known = {}
    said = {**known, "image": image(reference), "revision": revision(root)}
    said = {name: value for name, value in said.items() if value}
    return replace(command, environ={**command.environ, ORIGIN: json.dumps(said)})


def image_in(configuration: str, service: str) -> str:
    """Return the image that a service has in a configuration file, or an empty string."""
    try:
        raw = json.loads(Path(configuration).read_text(encoding="utf-8"))
        return str(raw["services"][service]["image"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
