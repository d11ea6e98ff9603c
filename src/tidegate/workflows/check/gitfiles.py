"""What git knows of migration files: which are new or changed since a revision."""

from __future__ import annotations

import ast
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from tidegate.errors import UsageProblem
from tidegate.process import Command, Result, run


class Changes(NamedTuple):
    """What differs from a revision: new and edited files, and the texts of those that are gone."""

    new: set[str]
    edited: set[str]
    gone: dict[str, str]


def changed_since(root: str, revision: str, among: Collection[str]) -> Changes:
    """Return which of the files `among` are new since `revision`, and which were changed or lost.

    The comparison begins at the last commit that both have, as a pull request's does; files that
    git does not track yet are new. Paths are relative to `root`.
    """
    if revision.startswith("-"):
        raise UsageProblem(
            f"--since {revision} is not a revision", "", "name a branch, tag or commit"
        )
    base = _git(root, "merge-base", revision, "HEAD")
    start = base.out.strip() if base.ok else revision
    listed = _git(
        root, "diff", "--name-status", "-z", "--relative", "--no-renames", start, "--", "."
    )
    if not listed.ok:
        said = (listed.err.strip().splitlines() or [listed.why or "git failed"])[-1]
        raise UsageProblem(
            f"git can't compare with {revision}: {said}",
            "--since needs a git work tree, and a revision that is there: CI often fetches one "
            "commit alone.",
            "fetch the revision first, in CI with fetch-depth: 0",
        )
    words = [word for word in listed.out.split("\0") if word]
    new, edited, gone = set(), set(), set()
    for status, path in zip(words[::2], words[1::2], strict=False):
        if status.startswith("A"):
            new.add(path)
        elif status.startswith(("M", "T")) and path in among:
            edited.add(path)
        elif status.startswith("D") and path.endswith(".py"):
            gone.add(path)
    fresh = _git(root, "ls-files", "--others", "--exclude-standard", "-z", "--", ".")
    new |= {path for path in fresh.out.split("\0") if path}
    texts = {path: _git(root, "show", f"{start}:./{path}").out for path in gone}
    edited = {path for path in edited if _differs(root, start, path)}
    return Changes(new & set(among), edited, texts)


def _differs(root: str, revision: str, path: str) -> bool:
    """Whether more than comments and formatting is another than at `revision`."""
    before = _git(root, "show", f"{revision}:./{path}")
    if not before.ok or not path.endswith(".py"):
        return True
    try:
        now = Path(root, path).read_text("utf-8", "replace")
        texts = (before.out, now)
        then, today = (ast.dump(ast.parse(one.removeprefix("\ufeff"))) for one in texts)
        return then != today
    except (SyntaxError, ValueError, OSError):
        return True


def _git(root: str, *words: str) -> Result:
    return run(Command(("git", "-C", root, *words)), timeout=60)
