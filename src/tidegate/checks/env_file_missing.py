"""An env_file is not there yet, and its example is.

A file with secrets is not in the repository, so each machine makes its own; until then Compose refuses every command.
Copy the example and fill it in.
It is silent where the file may be absent (`required: false`), and where no example lies beside it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "info"
ERRORS = (
    r"env file \S+ not found",
    r"Failed to load \S+: open \S+: no such file",
    r"Couldn't find env file",
)
PRINTED = (
    "env file /srv/shop/.env.prod not found: stat /srv/shop/.env.prod: no such file or directory"
)
WHEN = "at every `docker compose` command"
BAD = {
    ".env.prod.example": "DEBUG=0\n",
    "compose.yaml": "services:\n  web:\n    image: example/web:1\n    env_file: .env.prod\n",
}
GOOD = {**BAD, ".env.prod": "DEBUG=0\n"}
AT = "compose.yaml:4"
_TAILS = (
    ".example",
    "-example",
    ".sample",
    "-sample",
    ".template",
    "-template",
    ".dist",
    ".default",
)


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield the env_files that are to be made from an example, each once."""
    seen: set[str] = set()
    for service in project.services:
        for path, item, required in service.env_file_paths:
            example = _example(project, path)
            if required and example and path not in project.path_set | seen:
                seen.add(path)
                yield Problem(
                    item.place,
                    f"{path} is not there: docker compose refuses to begin without it.",
                    f"cp {example} {path}, and fill it in",
                    (Place(example, 1),),
                )


def _example(project: ProjectFiles, path: str) -> str:
    """Return the file beside it that looks like its example; empty where there is none."""
    folder, name = posixpath.split(path)
    names = [name + tail for tail in _TAILS]
    names += [f"{tail[1:]}{name}" for tail in _TAILS] + [f".{tail[1:]}{name}" for tail in _TAILS]
    names += [f"{name.removeprefix('.')}{tail}" for tail in _TAILS]
    found = (posixpath.join(folder, one) for one in names)
    return next((one for one in found if one in project.path_set), "")
