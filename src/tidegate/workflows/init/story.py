"""Init as a story: look, say what would be written, write what is missing, look again."""

from __future__ import annotations

import os
from dataclasses import dataclass

from tidegate.errors import UsageProblem
from tidegate.reading.project import dotenv
from tidegate.reading.project.project import ProjectFiles
from tidegate.workflows.doctor import unread
from tidegate.workflows.init import agents, around, ignores, image, kubernetes, own, stack, swarm
from tidegate.workflows.init.detect import Found, detect


@dataclass(frozen=True)
class File:
    """A file that a project should have. `why_not` says why it is left alone.

    `added` is a text that goes to the end of a file that exists; what stands there stays.
    """

    path: str
    text: str
    why_not: str = ""
    added: bool = False


EXAMPLE = ".env.example"
SIGNS = ("manage.py", "alembic.ini", "pyproject.toml")
TARGETS = ("compose", "swarm", "kubernetes")


def plan(
    project: ProjectFiles, targets: tuple[str, ...] = ("compose",), for_agents: bool = False
) -> tuple[Found, list[File]]:
    """Return what the project is made of, and each file with whether it is missing.

    `targets` are what the project shall run on, `for_agents` asks for words to coding agents.
    """
    try:
        found = detect(project)
    finally:
        _open(project)  # what is closed is the reason, whatever was not found without it
    _fits(found, targets)
    composed = bool(project.compose_paths)
    wanted = [
        ("requirements.txt", found.packages.written, not found.packages.written),
        ("Dockerfile", image.dockerfile(found), bool(project.dockerfiles)),
        ("compose.yaml", stack.compose(found), composed),
        ("compose.dev.yaml", stack.development(found), composed),
        (EXAMPLE, stack.variables(found), composed),
        (".github/workflows/tidegate.yml", around.workflow(found), False),
        (".pre-commit-config.yaml", around.hook(found), False),
        *((path, text, False) for path, text in _elsewhere(found, targets)),
        *((path, text, False) for path, text in (agents.files(found) if for_agents else [])),
    ]
    files = [
        File(path, text, _why_not(project, path, other)) for path, text, other in wanted if text
    ]
    if EXAMPLE in project.path_set and not composed:
        files = [_example(project, found) if one.path == EXAMPLE else one for one in files]
    words = [_agents(project, found)] if for_agents else []
    settings = _settings(project, found, not composed)
    return found, [*files, *words, *_ignored(project, found), settings]


def _open(project: ProjectFiles) -> None:
    closed = unread.needed(project)
    closed.update({path: why for path, why in project.unread.items() if path in SIGNS})
    for path, why in sorted(closed.items()):
        raise UsageProblem(
            f"{path} can't be read: {why.lower()}",
            "What the project is made of is told from its files.",
            "let this user read it (chmod u+rX), or run as one who may",
        )


def _fits(found: Found, targets: tuple[str, ...]) -> None:
    if found.database == "mysql":
        raise UsageProblem(
            f"the project's database is MySQL ({found.driver}), which tidegate boot can't raise yet",
            "What init writes starts the app with it, and would end with 4. Nothing was written.\n"
            "On MySQL and MariaDB, tidegate check, doctor, backup and restore work.",
            "write the Dockerfile and compose.yaml by hand; tidegate doctor says what is wrong with them",
        )
    cluster = [one for one in targets if one != "compose"]
    if cluster and found.database == "sqlite":
        raise UsageProblem(
            f"SQLite does not fit {cluster[0]}",
            "Its file lies on one machine, and the pods of an app lie on several.",
            "move to PostgreSQL first, or run it with Compose: tidegate init",
        )


def _elsewhere(found: Found, targets: tuple[str, ...]) -> list[tuple[str, str]]:
    out = [(swarm.PATH, swarm.stack(found))] if "swarm" in targets else []
    return out + (kubernetes.files(found) if "kubernetes" in targets else [])


def _example(project: ProjectFiles, found: Found) -> File:
    """The project's own example, with what compose.yaml asks for and it lacks."""
    there = dotenv.read(project.read(EXAMPLE) or "", environ={})
    lacking = stack.variables(found, there)
    return File(EXAMPLE, lacking, "" if lacking else "it is there already", added=True)


def _agents(project: ProjectFiles, found: Found) -> File:
    text = project.read(agents.PATH)
    if text is None:
        return File(agents.PATH, agents.page(found))
    there = "it has tidegate's part already" if agents.MARK in text else ""
    return File(agents.PATH, agents.block(found), there, added=True)


def _why_not(project: ProjectFiles, path: str, other: bool) -> str:
    if os.path.lexists(project.root / path):
        return "it is there already"
    return "the project has its own" if other else ""


def _ignored(project: ProjectFiles, found: Found) -> list[File]:
    whole = {
        ".dockerignore": (ignores.of_the_build(found), ignores.missing_in_build),
        ".gitignore": (ignores.of_the_repository(found), ignores.missing),
    }
    out = []
    for path, (text, missing) in whole.items():
        if path not in project.path_set:
            out.append(File(path, text))
            continue
        lacking = missing(project)
        out.append(File(path, lacking, "" if lacking else "it is there already", added=True))
    return out


def _settings(project: ProjectFiles, found: Found, composed: bool) -> File:
    path = own.path(project)
    text = own.settings(found, project, composed)
    return File(path, text, own.there(project), added=path == "pyproject.toml")


def write(project: ProjectFiles, files: list[File]) -> list[str]:
    """Write what is missing; what stands in a file stays. Return the paths.

    Raises UsageProblem at the first that can't be written, and says which are.
    """
    out: list[str] = []
    for one in files:
        if one.why_not:
            continue
        try:
            _written(project, one)
        except OSError as error:
            raise _refused(project, one, out, error) from None
        out.append(one.path)
    return out


def _written(project: ProjectFiles, one: File) -> None:
    full = project.root / one.path
    full.parent.mkdir(parents=True, exist_ok=True)
    if not one.added:
        with full.open("x", encoding="utf-8", newline="\n") as file:
            file.write(one.text)
        return
    before = full.read_bytes()
    newline = "\r\n" if b"\r\n" in before else "\n"
    gap = "" if not before else "\n" if before.endswith(b"\n") else "\n\n"
    with full.open("ab") as file:
        file.write((gap + one.text).replace("\n", newline).encode())


def _refused(project: ProjectFiles, one: File, written: list[str], error: OSError) -> UsageProblem:
    done = f"Written before that: {', '.join(written)}." if written else "Nothing was written."
    return UsageProblem(
        f"{one.path} can't be written in {project.root}: {(error.strerror or str(error)).lower()}",
        done,
        "let this user write there, or see the files with: tidegate init --dry-run",
    )
