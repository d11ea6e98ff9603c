"""What is asked of backups: `[tool.tidegate.backup]`, TIDEGATE_BACKUP_*, and flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tidegate import settings as options
from tidegate.container.backup.places import is_remote
from tidegate.errors import UsageProblem

LEVELS = ("quick", "full")
KEYS = ("dir", "verify", "keep", "days", "command", "jobs", "recipient")
MOST_JOBS = 32


@dataclass(frozen=True, slots=True)
class Policy:
    """Where backups go, how they are proved, and how many are kept (0: all)."""

    folder: Path
    """Where they are; with `remote` set, nothing is there."""
    verify: str = "quick"
    keep: int = 0
    days: int = 0
    scratch: str = ""
    named: bool = False
    """Whether somebody named the folder: without that, `auto` makes no backup."""
    command: str = ""
    """The site's own way, in place of ours."""
    remote: str = ""
    """An s3:// or volume: address, where they go there."""
    jobs: int = 1
    recipients: str = ""
    """Whom they are encrypted for, with commas between."""

    @property
    def where(self) -> str:
        """The place, for people."""
        return self.remote or str(self.folder)


def policy(root: Path, environ: Mapping[str, str], flags: Mapping[str, str]) -> Policy:
    """Return the policy from `[tool.tidegate.backup]`, TIDEGATE_BACKUP_*, and flags."""
    try:
        table = options.table(str(root), "backup")
    except options.BadSetting as error:
        raise UsageProblem(error.what, "", error.next) from None
    given = {key: str(value) for key, value in table.items()}
    for key in given:
        if key not in KEYS:
            raise UsageProblem(f"[tool.tidegate.backup] has no setting {key}", "",
                               "use one of: " + ", ".join(KEYS))  # fmt: skip
    for key in KEYS:
        if value := environ.get(f"TIDEGATE_BACKUP_{key.upper()}", ""):
            given[key] = value
    given.update(flags)
    verify = given.get("verify", "quick")
    if verify not in LEVELS:
        raise UsageProblem(f"the verification is {verify!r}", "", "use quick or full")
    for key in ("keep", "days"):
        if not given.get(key, "0").isdecimal():
            raise UsageProblem(f"{key} is {given[key]!r}", "", "give a number; 0 keeps all")
    jobs = given.get("jobs", "1")
    if not jobs.isdecimal() or not 1 <= int(jobs) <= MOST_JOBS:
        raise UsageProblem(f"jobs is {jobs!r}", "", f"give a number from 1 to {MOST_JOBS}")
    where = given.get("dir", "backups")
    remote = where.rstrip("/") if is_remote(where) else ""
    return Policy(
        Path() if remote else (root / where).absolute(),
        verify,
        int(given.get("keep", "0")),
        int(given.get("days", "0")),
        given.get("scratch", "") or environ.get("TIDEGATE_SCRATCH_URL", ""),
        "dir" in given or "command" in given,
        given.get("command", ""),
        remote,
        int(jobs),
        given.get("recipient", ""),
    )
