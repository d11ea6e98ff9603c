"""Init as a story: look, say what would be written, write what is missing, look again."""

from __future__ import annotations

import os
from dataclasses import dataclass

from tidegate.errors import UsageProblem
from tidegate.reading.project.project import ProjectFiles
from tidegate.workflows.init import around, ignores, image, own, stack
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


def plan(project: ProjectFiles) -> tuple[Found, list[File]]:
    """Return what the project is made of, and each file with whether it is missing."""
    if project.unread:
        path, why = sorted(project.unread.items())[0]
        if path in ("manage.py", "alembic.ini", "pyproject.toml"):
            raise UsageProblem(f"{path} can't be read: {why}", "", "let this user read it")
    found = detect(project)
    composed = bool(project.compose_paths)
    wanted = [
        ("requirements.txt", found.packages.written, not found.packages.written),
        ("Dockerfile", image.dockerfile(found), bool(project.dockerfiles)),
        (".dockerignore", ignores.of_the_build(found), False),
        ("compose.yaml", stack.compose(found), composed),
        ("compose.dev.yaml", stack.development(found), composed),
        (".env.example", stack.variables(found), composed),
        (".github/workflows/tidegate.yml", around.workflow(found), False),
        (".pre-commit-config.yaml", around.hook(found), False),
        ("AGENTS.md", around.agents(found), False),
    ]
    files = [
        File(path, text, _why_not(project, path, other)) for path, text, other in wanted if text
    ]
    return found, [*files, _gitignore(project, found), _settings(project, found, not composed)]


def _why_not(project: ProjectFiles, path: str, other: bool) -> str:
    if os.path.lexists(project.root / path):
        return "it is there already"
    return "the project has its own" if other else ""


def _gitignore(project: ProjectFiles, found: Found) -> File:
    if ".gitignore" not in project.path_set:
        return File(".gitignore", ignores.of_the_repository(found))
    lacking = ignores.missing(project)
    return File(".gitignore", lacking, "" if lacking else "it is there already", added=True)


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
