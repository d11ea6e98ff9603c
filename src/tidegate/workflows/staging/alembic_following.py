"""The revisions that follow one which was divided: they follow the last of its parts."""

from __future__ import annotations

import ast
import re

from tidegate.reading.migrations import alembic_source
from tidegate.workflows.check.edits import Source, applied
from tidegate.workflows.staging.stage import (
    Declined,
)


def redirected(source: Source, own: str, last: str) -> dict[str, str]:
    """Return the revisions that follow this one, following the last of the new ones instead."""
    out = {}
    for one in source.project.sources():
        text = source.project.read(one.path) if one.framework == "alembic" else ""
        if one.path == source.path or own not in text:
            continue
        record = alembic_source.read(text, one.path, one.name)
        if record is None or own not in record.needs:
            continue
        other = Source(source.project, one.path, text, ast.parse(text))
        edits = _following(other, own, last)
        if not edits:
            raise Declined(f"{one.path} follows it in a way that can't be rewritten")
        header = re.search(rf"^(Revises:.*\b){re.escape(own)}\b", text, re.MULTILINE)
        if header is not None:
            edits.append((header.end() - len(own), header.end(), last))
        out[one.path] = applied(text, edits)
    return out


def _following(other: Source, own: str, last: str) -> list[tuple[int, int, str]]:
    out = []
    for node in other.tree.body:
        targets = (
            node.targets
            if isinstance(node, ast.Assign)
            else ([node.target] if isinstance(node, ast.AnnAssign) else [])
        )
        named = {one.id for one in targets if isinstance(one, ast.Name)}
        value = getattr(node, "value", None)
        if not named & {"down_revision", "depends_on"} or value is None:
            continue
        for one in ast.walk(value):
            if isinstance(one, ast.Constant) and one.value == own:
                text = other.of(one).replace(own, last)
                out.append((other.start(one), other.end(one), text))
    return out
