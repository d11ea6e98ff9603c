"""Which of several checks explains an error text best, where none has found its fault here."""

from __future__ import annotations

import re
from typing import Any

from tidegate.reading.project.project import ProjectFiles

# Of texts that fit several checks alike, the likelier cause first, as incidents have been counted.
USUAL = (
    "several-containers-migrate", "database-host-unknown", "nothing-waits-for-database",
    "localhost-in-container", "windows-line-endings", "mount-hides-entrypoint",
    "script-not-executable", "script-without-shebang", "interpreter-missing",
    "volume-keeps-first-password", "dollar-cuts-value", "volume-of-another-version",
    "database-image-floats", "healthcheck-shorter-than-migration", "probe-tool-missing",
    "container-out-of-memory", "variable-never-reaches-container", "image-older-than-database",
    "manifest-never-collected", "models-without-migrations", "failed-migration-is-ignored",
)  # fmt: skip
# These say of a container what its own log says better.
GENERAL = ("container-unhealthy", "container-not-started", "container-keeps-restarting",
           "settings-do-not-load")  # fmt: skip
_BUILD = re.compile(
    r"did not complete successfully|returned a non-zero code|executor failed running"
    r"|^\s*(=> )?(ERROR )?\[[^\]]*\d+/\d+\] RUN ",
    re.M,
)
_LONGEST = 60  # an expression that spans a whole log knows no more than one that spans a line
_PREFIX = re.compile(r"^[\w.-]+ +\| ?", re.M)
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def plain(text: str) -> str:
    """Return a log without colours, and without the names that Compose puts before its lines."""
    return _PREFIX.sub("", _COLOUR.sub("", text))


def place(
    rule: str, check: Any, matched: str, text: str, project: ProjectFiles | None, asked: bool
) -> tuple[int, ...]:
    """Return what to sort by: the smaller, the better it explains the text.

    `asked` says that the engine was asked too. What files can't show is the likelier where they
    were looked at and show nothing.
    """
    built = bool(_BUILD.search(text)) == check.WHEN.startswith("when the image is built")
    live = not hasattr(check, "look") and not asked and rule not in GENERAL
    usual = USUAL.index(rule) if rule in USUAL else len(USUAL)
    weight = min(len(matched), _LONGEST) + 10 * live
    return (
        0 if project is None or _concerns(check, project) else 1,
        0 if built else 1,
        1 if rule in GENERAL else 0,
        -weight,
        usual,
    )


def _concerns(check: Any, project: ProjectFiles) -> bool:
    """Whether the project has what the check's own example is about."""
    named = set(getattr(check, "BAD", {}))
    if any(one.startswith("k8s/") for one in named):
        return bool(project.workloads)
    if "compose.yaml" in named and project.workloads and not project.stacks:
        return False
    if "alembic.ini" in named and "manage.py" not in named:
        return bool(project.alembics)
    if "manage.py" in named and "alembic.ini" not in named:
        return bool(project.manage)
    if named and all(one.endswith(".py") for one in named):
        return bool(project.python)
    return True
