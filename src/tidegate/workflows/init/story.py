"""Init as a story: look, say what would be written, write what is missing, look again."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.reading.project.project import ProjectFiles
from tidegate.workflows.init import around, image, stack
from tidegate.workflows.init.detect import Found, detect


@dataclass(frozen=True)
class File:
    """A file that a project should have. `why_not` says why it is left alone."""

    path: str
    text: str
    why_not: str = ""


def plan(project: ProjectFiles) -> tuple[Found, list[File]]:
    """Return what the project is made of, and each file with whether it is missing."""
    found = detect(project)
    composed = bool(project.compose_paths)
    wanted = [
        ("Dockerfile", image.dockerfile(found), bool(project.dockerfiles)),
        (".dockerignore", image.IGNORED, False),
        ("compose.yaml", stack.compose(found), composed),
        ("compose.dev.yaml", stack.development(found), composed),
        (".env.example", stack.variables(found), composed),
        (".github/workflows/tidegate.yml", around.workflow(found), False),
        (".pre-commit-config.yaml", around.hook(found), False),
        ("AGENTS.md", around.agents(found), False),
    ]
    return found, [File(path, text, _why_not(project, path, other)) for path, text, other in wanted]


def _why_not(project: ProjectFiles, path: str, other: bool) -> str:
    if (project.root / path).exists():
        return "it is there already"
    return "the project has its own" if other else ""


def write(project: ProjectFiles, files: list[File]) -> list[str]:
    """Write what is missing; nothing that exists is touched. Return the paths."""
    out = []
    for one in files:
        if one.why_not:
            continue
        full = project.root / one.path
        full.parent.mkdir(parents=True, exist_ok=True)
        with full.open("x", encoding="utf-8", newline="\n") as file:
            file.write(one.text)
        out.append(one.path)
    return out
