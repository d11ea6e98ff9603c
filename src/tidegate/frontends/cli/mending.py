"""`tidegate check --fix`: the rewritten files are shown first, and written when somebody agrees."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from tidegate.container.report import Report
from tidegate.workflows.check.fixing import fix
from tidegate.workflows.check.review import Standing
from tidegate.workflows.check.tree import Tree


def mend(
    root: str,
    paths: Sequence[str],
    since: str,
    standing: Standing | None,
    database: str,
    environ: Mapping[str, str],
    unsafe: bool,
    yes: bool,
    report: Report,
) -> Tree | None:
    """Show what would be written, ask, and write every file or none; return what was written."""
    done = fix(root, paths, since, standing, database, environ, unsafe)
    for line in dict.fromkeys(done.left):
        report.stage("fix", "", line)
    if not done.tree.texts:
        more = " safely; --unsafe divides what has run nowhere yet (tidegate check --help)"
        report.stage("fix", "", "nothing here can be rewritten" + ("" if unsafe else more))
        return None
    print("\n".join(done.tree.diff()), file=sys.stderr)
    if not yes and not agreed():
        report.stage("fix", "", "nothing was written; --yes agrees beforehand")
        return None
    done.tree.write()
    for line in dict.fromkeys(done.said):
        report.stage("fix", "", line)
    return done.tree


def agreed() -> bool:
    """Whether the person at the terminal agrees; nobody there does not."""
    if not sys.stdin.isatty():
        return False
    print("Write this? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
