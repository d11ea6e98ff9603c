"""What edits change in a project's Compose configuration, beyond what they were made for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidegate.reading.project.composefiles import Stack
from tidegate.reading.project.edits import Edit, line_start
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.tree import Item


def strayed(project: ProjectFiles, again: ProjectFiles, meant: set[str], paths: str) -> list[str]:
    """Return what changed in Compose services that no edit touched, and files that broke."""
    broken = {stack.files for stack in project.stacks if stack.problems}
    out = [f"{stack.problems[0].path} can't be read any more" for stack in again.stacks
           if stack.problems and stack.files not in broken]  # fmt: skip
    if ".env" in paths:
        return out  # a variable's value may change any service that uses it
    for old in project.stacks:
        new = next((one for one in again.stacks if one.files == old.files), None)
        for line in changed(old.tree, new.tree) if new is not None else ():
            where = ".".join(line.split(" ")[0].split(".")[:2])
            if where not in meant:
                out.append(f"{where} would change too")
    return out


def touched(project: ProjectFiles, stack: Stack, edits: Sequence[Edit]) -> set[str]:
    """Return the services in whose text an edit lies, directly or through an anchor."""
    out = set()
    for section, items in stack.tree.entries.items():
        for name, item in items.entries.items():
            spans = [
                _block(project, items, item),
                *((one.path, one.start, one.end) for one in _every(item)),
            ]
            if any(
                path == edit.path and start <= edit.start <= end
                for path, start, end in spans
                for edit in edits
            ):
                out.add(f"{section}.{name}")
    return out


def _block(project: ProjectFiles, items: Item, item: Item) -> tuple[str, int, int]:
    """Return the characters from an entry's key to the next entry's, in its own file."""
    text = project.read(item.path) or ""
    below = [
        one.key_line
        for one in items.entries.values()
        if one.path == item.path and one.key_line > item.key_line
    ]
    end = line_start(text, min(below)) if below else len(text)
    return item.path, line_start(text, item.key_line or item.line), end


def _every(item: Item) -> list[Item]:
    kids = (
        item.entries.values()
        if item.entries
        else item.items
        if isinstance(item.value, tuple)
        else ()
    )
    return [item, *(deeper for kid in kids for deeper in _every(kid))]


def changed(old: Item | None, new: Item) -> list[str]:
    """Return the values of a Compose configuration that differ: `services.web.restart changed`."""
    left, right = _flat(old.plain() if old is not None else {}), _flat(new.plain())
    out = []
    for key in sorted({*left, *right}):
        if key.startswith("x-") or left.get(key) == right.get(key):
            continue
        word = "added" if key not in left else "removed" if key not in right else "changed"
        out.append(f"{key} {word}")
    return out


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(value, dict) and value:
        return {
            k: v
            for key, one in value.items()
            for k, v in _flat(one, f"{prefix}.{key}" if prefix else str(key)).items()
        }
    return {prefix: value}
