"""Steps that a git revision has and the project has no longer, or under another name."""

from __future__ import annotations

import ast
import os
from collections.abc import Mapping

from tidegate.contracts.rule import Removed
from tidegate.reading.migrations import alembic_source, django_source
from tidegate.reading.migrations.record import Record
from tidegate.workflows.check.files import Found


def removed(root: str, found: Found, gone: Mapping[str, str], since: str) -> tuple[Removed, ...]:
    """Return the steps among the files that are `gone`, which have the texts that they had.

    A step whose id another file has is where it was; one that a squash replaces has gone by rule.
    """
    ids = {record.id for record, _ in found}
    ids |= {old for record, _ in found for old in record.replaces}
    groups = {os.path.dirname(one.path): one for _, (one, _) in found}
    out = []
    for path, text in sorted(gone.items()):
        beside = groups.get(os.path.dirname(path))
        if beside is None:
            continue  # the app is gone, or it was no place for migrations
        record = _record(path, text, beside.framework, beside.group)
        if record is None or record.problem or record.id in ids:
            continue
        now = _same(root, text, path, found)
        out.append(Removed(record.id, path, f"at {since}", now))
    return tuple(out)


def _record(path: str, text: str, framework: str, group: str) -> Record | None:
    name = os.path.basename(path)[:-3]
    if framework == "django":
        return django_source.read(text, path, group, name)
    return alembic_source.read(text, path, name)


def _same(root: str, text: str, path: str, found: Found) -> str:
    """Return the path of the file beside it that does what the lost one did; "" where none does."""
    body = _body(text)
    for record, _ in found:
        if os.path.dirname(record.path) != os.path.dirname(path) or not body:
            continue
        try:
            with open(os.path.join(root, record.path), encoding="utf-8") as file:
                now = file.read()
        except (OSError, UnicodeDecodeError):
            continue
        if _body(now) == body:
            return record.path
    return ""


def _body(text: str) -> str:
    """Return what a migration does, without what it is called and what it comes after."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return ""
    said = []
    for node in tree.body:
        inner = node.body if isinstance(node, ast.ClassDef) and node.name == "Migration" else [node]
        said += [ast.dump(one) for one in inner if not _names(one)]
    return "\n".join(said)


def _names(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)  # a docstring, which may name the revision
    targets = node.targets if isinstance(node, ast.Assign) else []
    targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
    names = {one.id for one in targets if isinstance(one, ast.Name)}
    return bool(
        names & {"revision", "down_revision", "dependencies", "branch_labels", "depends_on"}
    )
