"""An env_file is not there yet.

A file with secrets is not in the repository, so each machine makes its own; until then Compose refuses every command.
Copy the example that lies beside it, or write the file.
It is silent where the file may be absent (`required: false`), and, without an example, in Compose files that only some command names.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import examples
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.tree import Item

SEVERITY = "info"
ERRORS = (
    r"env file \S+ not found",
    r"Failed to load \S+: open \S+: no such file",
    r"Couldn't find env file",
    r"read \S+: is a directory",
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


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield the env_files that are to be made from an example, each once."""
    seen: set[str] = set()
    for service in project.services:
        first = service.stack is project.stacks[0]
        for path, item, required in service.env_file_paths:
            example = examples.beside(path, project.path_set)
            if not required or path in project.path_set | seen or not _ours(project, path, item):
                continue
            folder = (project.root / path).is_dir()
            if not (example or first):
                continue
            seen.add(path)
            what = "is a folder" if folder else "is not there"
            yield Problem(
                item.place,
                f"{path} {what}: docker compose refuses to begin without it.",
                _remedy(path, example, folder, service.name),
                (Place(example, 1),) if example else (),
                printed=_printed(project, path, folder),
            )


def _ours(project: ProjectFiles, path: str, item: Item) -> bool:
    """Whether we would see the file if it were there."""
    inside = not path.startswith(("/", "../", "~")) and not item.holes and "$" not in path
    return inside and path not in project.unread and project.read(path) is None


def _remedy(path: str, example: str, folder: bool, service: str) -> str:
    if folder:
        return f"name the file in it, such as {path}/{service}.env"
    if example:
        return f"cp {example} {path}, and fill it in"
    return f"write {path} with the variables of {service}, or give the path with required: false"


def _printed(project: ProjectFiles, path: str, folder: bool) -> str:
    full = project.root / path
    if folder:
        return f"read {full}: is a directory"
    return f"env file {full} not found: stat {full}: no such file or directory"
