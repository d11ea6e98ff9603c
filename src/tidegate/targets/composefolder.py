"""From which folder a project's containers were started, and who gave the project its name.

Two folders called `app` are one project to Compose, with one set of containers and volumes: a start
in the second one takes the first one's containers for its own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tidegate.targets import composefiles, composeseen
from tidegate.targets.composeargs import Words

PLACE = composeseen.LABEL + "project.working_dir"
IN_ENV = re.compile(r"""^COMPOSE_PROJECT_NAME=["']?([\w-]+)""", re.MULTILINE)
IN_FILE = re.compile(r"^name:", re.MULTILINE)


def said(words: Words, environ: Mapping[str, str]) -> str:
    """Return the name that a setting or a variable gives the project; empty where none does."""
    found = words.project or environ.get("COMPOSE_PROJECT_NAME", "")
    for name in words.env_files or (".env",):
        match = IN_ENV.search(_text(words.root / name))
        found = found or (match[1] if match else "")
    return found


def place(words: Words) -> Path:
    """Return the folder that Compose goes by: that of its first file."""
    return (words.root / words.files[0]).parent if words.files else words.root


def is_named(words: Words, environ: Mapping[str, str]) -> bool:
    """Whether somebody gave the project its name; else it is its folder's."""
    if said(words, environ):
        return True
    names = words.files or composefiles.standard(words.root)
    return any(IN_FILE.search(_text(words.root / name)) for name in names)


def stranger(words: Words, containers: Iterable[Mapping[str, Any]]) -> str:
    """Return another folder with Compose files from which some of the containers were started.

    A folder around this one or below it is of the same project, and one that is gone has moved.
    """
    own = place(words)
    for raw in containers:
        found = str(composeseen.labels_of(raw).get(PLACE) or "")
        if found and not _related(own, Path(found)) and composefiles.signs(Path(found)):
            return found
    return ""


def _related(one: Path, other: Path) -> bool:
    pairs = ((one, other), tuple(Path(os.path.realpath(each)) for each in (one, other)))
    return any(a == b or a in b.parents or b in a.parents for a, b in pairs)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return ""
