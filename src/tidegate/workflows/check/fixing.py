"""Rewrites migration files: comments and formatting stay as they are.

A fix is made of edits to the source text at the places of the syntax tree, in memory: what it
makes is parsed and reviewed again before anything is written, and a file that would not parse is
left alone. The safe ones change one file and perhaps add the one that follows it. The others
(`unsafe`) divide a migration into staged files and change what depends on it; they are for
migrations that have run nowhere yet.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tidegate.errors import UsageProblem
from tidegate.model.finding import Finding, Findings
from tidegate.workflows.check import fixes_alembic, fixes_django
from tidegate.workflows.check.edits import Fixed, Source
from tidegate.workflows.check.review import Standing, review
from tidegate.workflows.check.tree import Tree

FIXERS = {"django": fixes_django.FIXERS, "alembic": fixes_alembic.FIXERS}
ROUNDS = 1000  # each mends a finding of every file and looks anew, since a fix moves what follows


class Left(NamedTuple):
    """A finding that a fixer declined; `line` is the text of its line."""

    rule: str
    path: str
    message: str
    line: str


@dataclass
class Fixing:
    """What would be written, what it does in words, and why the rest is left to the author."""

    tree: Tree
    said: list[str] = field(default_factory=list)
    declined: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def left(self) -> list[str]:
        """What is left to the author, each with the reason."""
        return list(self.declined.values())


def fix(
    root: str,
    paths: Sequence[str],
    since: str,
    standing: Standing | None,
    database: str,
    environ: Mapping[str, str],
    unsafe: bool = False,
) -> Fixing:
    """Return the rewritten files, none of them written. Raises UsageProblem."""
    if unsafe and not (paths or since or standing is not None):
        raise UsageProblem(
            "--unsafe needs to know which migrations have run nowhere yet",
            "It divides migrations into several: a database that has applied one would get the "
            "rest a second time.",
            "name them: tidegate check --fix --unsafe PATH, --since REVISION, or --pending",
        )
    out = Fixing(Tree(root))
    declined: set[Left] = set()
    for _ in range(ROUNDS):
        found = review(root, paths, since=since, standing=standing, database=database,
                       environ=environ, tree=out.tree)  # fmt: skip
        if not _mended(out, found, declined, database, unsafe):
            break
    if unsafe and out.tree.new:
        _renumbered(out)
    return out


def _renumbered(out: Fixing) -> None:
    """Number Django's new files in their order, and say so by the names that they have now."""
    from tidegate.workflows.staging.numbering import renumber

    names = renumber(out.tree)
    pattern = re.compile("|".join(map(re.escape, names)) or "$^")
    out.said = [pattern.sub(lambda found: names[found[0]], one) for one in out.said]
    out.declined = {
        key: pattern.sub(lambda found: names[found[0]], one) for key, one in out.declined.items()
    }


def _mended(out: Fixing, found: Findings, declined: set[Left], database: str, unsafe: bool) -> bool:
    """Mend the first finding of each file that can be; return whether there was one.

    A fix that adds a file, or changes another one, is the last of its round.
    """
    touched: set[str] = set()
    for one in found.findings:
        if one.place.path in touched:
            continue
        key = Left(one.rule, one.place.path, one.message, _line(out, one))
        if key in declined:
            continue
        made = _fixed(out, one, database, unsafe)
        if made is not None and out.tree.take({made.path: made.text, **made.others}, made.more):
            out.said += [f"{path} is new: {made.what}" for path in made.more]
            out.said.append(f"{made.path}: {made.what}")
            out.said += [f"{path} comes after it" for path in made.others]
            touched.add(made.path)
            if made.more or made.others:
                return True
            continue
        declined.add(key)
    return bool(touched)


def _line(out: Fixing, one: Finding) -> str:
    """Return the line that a finding points at: its number moves with what is mended above."""
    if not one.place.path.endswith(".py"):
        return ""
    lines = out.tree.read(one.place.path).splitlines()
    return lines[one.place.line - 1] if 0 < one.place.line <= len(lines) else ""


def _fixed(out: Fixing, one: Finding, database: str, unsafe: bool) -> Fixed | None:
    """Return what mends a finding; None where it can't be mended."""
    if not one.place.path.endswith(".py"):
        return None
    text = out.tree.read(one.place.path)
    try:
        source = Source(out.tree, one.place.path, text, ast.parse(text))
    except (SyntaxError, ValueError):
        return None
    framework = out.tree.source(one.place.path).framework
    fixer = FIXERS[framework].get(one.rule)
    made = fixer(source, one) if fixer is not None and one.fixable else None
    if made is None and unsafe and one.confidence != "low":
        made = _staged(out, source, one, framework, database)
    if made is None or made.text == text:
        return None
    try:
        for new in (made.text, *made.more.values(), *made.others.values()):
            compile(new, "migration", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    return made


def _staged(
    out: Fixing, source: Source, one: Finding, framework: str, database: str
) -> Fixed | None:
    """Return what an unsafe fix makes; why there is none is kept."""
    from tidegate.workflows.staging import staged
    from tidegate.workflows.staging.remarks import left_out
    from tidegate.workflows.staging.stage import Declined

    try:
        made = staged(source, one, framework, database)
        lost = left_out(source.text, (made.text, *made.more.values())) if made else []
        if lost:
            raise Declined(f"a comment would be lost: {lost[0]}")
        return made
    except Declined as why:
        where = f"{one.place.path}:{one.place.line}"
        out.declined[one.rule, str(why)] = f"{where}: {one.rule} is left to you: {why}"
        return None
