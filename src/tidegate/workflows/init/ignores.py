"""What stays out of a build, and out of the repository."""

from __future__ import annotations

from tidegate.reading.project.project import ProjectFiles
from tidegate.workflows.init import paths
from tidegate.workflows.init.detect import Found

_BUILD = """\
.git
.gitignore
.dockerignore
.env
.env.*
**/secret.env
Dockerfile
compose*.yaml
.github/
.venv/
venv/
**/node_modules
**/__pycache__
**/*.pyc
**/*.sqlite3
backups/
"""
# Each with what it is: a secret, a copy of the data, or what a tool makes again.
_NEVER = (
    (".env", "secrets of this machine"),
    ("secret.env", "secrets of a cluster"),
    ("backups/", "the data, as `tidegate backup` keeps it"),
    ("*.sqlite3", "a local database"),
)
_MADE = ("__pycache__/", "*.py[cod]", ".venv/", "venv/")


def of_the_build(found: Found) -> str:
    """Return .dockerignore."""
    return _BUILD + "".join(f"{one}/\n" for one in _collected(found))


def of_the_repository(found: Found) -> str:
    """Return .gitignore."""
    lines = [line for text, why in _NEVER for line in (f"# {why}", text)]
    return "\n".join([*lines, "", *_MADE, *(f"/{one}/" for one in _collected(found)), ""])


def missing(project: ProjectFiles) -> str:
    """Return the lines that an existing .gitignore lacks and that keep secrets and data private."""
    lacking = [
        f"# {why}\n{text}\n"
        for text, why in _NEVER
        if not project.gitignore.ignores(
            text.replace("*", "db").rstrip("/") + "/x" * text.endswith("/")
        )
    ]
    return "".join(lacking)


def missing_in_build(project: ProjectFiles) -> str:
    """Return the lines that an existing .dockerignore lacks: a copied secret stays in the image."""
    ignored = project.dockerignore("")
    lines = [
        f"# {why}\n{pattern}\n"
        for path, pattern, why in (
            (".env", ".env", "secrets of this machine"),
            ("kubernetes/secret.env", "**/secret.env", "secrets of a cluster"),
        )
        if not ignored.ignores(path)
    ]
    return "".join(lines)


def _collected(found: Found) -> list[str]:
    return [one for path in (found.static, found.media) if (one := paths.below_code(path))]
