"""Names that look like one of ours and are none: a variable, a command, an option."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tidegate.settings import SETTINGS

PREFIX = "TIDEGATE_"
OTHERS = (
    "AGENT", "BACKUP_COMMAND", "BACKUP_DIR", "BACKUP_IDENTITY", "BACKUP_RECIPIENT", "BACKUP_SPOOL",
    "BY", "CACHE", "DATABASE", "DIRECT_URL", "ENV", "ERRANDS", "HEALTH_FILE", "HEALTH_PREFIX",
    "HEALTH_TOKEN", "IMAGE", "LOCAL", "METRICS_DIR", "MYSQL_BIN", "ONE_OFF", "ORIGIN", "PG_BIN",
    "PRODUCTION", "PROJECT", "PYTHON_CHOSEN", "REVISION", "SCRATCH_URL", "SEAL", "SERVICE",
    "STARTUP_PORT",
)  # fmt: skip
FAMILIES = ("BACKUP_", "COMPOSE_", "DIRECT_URL_", "CHECK_", "DOCTOR_", "PLAN_")


def meant(word: str, known: Iterable[str]) -> str:
    """Return which of the known words is most likely meant; nothing where none is near."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, list(known), 1, 0.75)), "")


def mistyped(environ: Mapping[str, str]) -> list[str]:
    """Return a sentence for each variable that is none of ours and nearly is one."""
    known = {*(one.variable for one in SETTINGS), *(PREFIX + name for name in OTHERS)}
    said = []
    for name in sorted(environ):
        rest = name.removeprefix(PREFIX)
        if rest == name or name in known or rest.startswith(FAMILIES):
            continue
        guess = meant(name, known)
        if guess:
            said.append(f"{name} is not a variable of tidegate, and is ignored; is {guess} meant?")
    return said
