"""Mend what can be mended: small edits, shown first, made, and looked at again."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tidegate import process
from tidegate.reading.project.composefiles import Stack
from tidegate.reading.project.edits import Edit, applied, line_start
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.tree import Item
from tidegate.workflows.doctor.story import Diagnosis, examine

_SECRET = re.compile(r"((?:PASS|SECRET|TOKEN|KEY)\w*['\"]?\s*[:=]\s*)(['\"]?)([^'\"\s]+)", re.I)
_DEFAULT = re.compile(r"(\$\{\w*(?:PASS|SECRET|TOKEN|KEY)\w*:?[-=+])[^}]+(?=\})", re.I)
_IN_URL = re.compile(r"(://[^:/@\s]*:)([^@\s]+)(@)")


@dataclass
class Plan:
    """What would be written: old and new text by file, files to make executable, commands."""

    changes: dict[str, tuple[str, str]] = field(default_factory=dict)
    executable: list[str] = field(default_factory=list)
    commands: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    rules: list[tuple[str, str]] = field(default_factory=list)

    def shown(self) -> list[str]:
        """Return the plan as people read it; values of secrets are masked."""
        out: list[str] = []
        for path, (old, new) in self.changes.items():
            for line in difflib.unified_diff(
                old.splitlines(), new.splitlines(), f"a/{path}", f"b/{path}", lineterm="", n=2
            ):
                out.append(masked(line))
            if old.replace("\r\n", "\n") == new and "\r\n" in old:
                out.append(f"# {path}: every line ends in LF in place of CR LF")
        out += [f"chmod +x {path}" for path in self.executable]
        out += ["run: " + " ".join(argv) for _, argv in self.commands]
        return out


@dataclass
class Mended:
    """How it went: what is still found, what changed in the Compose configuration."""

    project: ProjectFiles
    left: list[Diagnosis]
    mended: list[tuple[str, str]]
    notes: list[str]
    config: list[str]


def masked(line: str) -> str:
    """Return a line of a diff without secrets; a reference such as ${NAME} stays."""
    line = _DEFAULT.sub(r"\1***", line)

    def hide(match: re.Match[str]) -> str:
        inside = line.rfind("${", 0, match.start()) > line.rfind("}", 0, match.start())
        plain = "${" in match[3] or (inside and match[3].startswith("?"))
        return match[0] if plain else f"{match[1]}{match[2]}***"

    return _IN_URL.sub(
        lambda m: m[0] if "${" in m[2] else f"{m[1]}***{m[3]}", _SECRET.sub(hide, line)
    )


def plan(project: ProjectFiles, found: Sequence[Diagnosis], ignore: Sequence[str] = ()) -> Plan:
    """Gather the edits of every finding that has some, and those that they make necessary.

    Each round is looked at in memory: a mend that brings a finding without a mend is left out.
    """
    whole = _plan(project, found, ignore, frozenset())
    for rule in dict.fromkeys(rule for rule, _ in whole.rules) if whole.refused else ():
        less = _plan(project, found, ignore, frozenset({rule}))
        if not less.refused:
            less.left_out = [f"{rule} is not mended: {one}" for one in whole.refused[:1]]
            return less
    return whole


def _plan(
    project: ProjectFiles,
    found: Sequence[Diagnosis],
    ignore: Sequence[str],
    without: frozenset[str],
) -> Plan:
    out = Plan()
    first = {one.rule for one in found}
    now, seen = project, [one for one in found if one.rule not in without]
    for _ in range(ROUNDS):
        by_path = _gathered(out, now, seen)
        if not by_path:
            break
        texts = {path: new for path, (_, new) in out.changes.items()}
        for path, edits in by_path.items():
            texts[path] = applied(now.read(path) or "", edits)
            out.changes[path] = (project.read(path) or "", texts[path])
        now = ProjectFiles(project.root, project.asked, project.environ, texts)
        seen = [one for one in examine(now, None, ignore) if one.rule not in without]
    else:
        out.refused += [
            f"{one.rule} would still be at {one.problem.place.path}:{one.problem.place.line}"
            for one in seen
            if _writes(one)
        ]
    mended = {
        (one.rule, one.problem.message) for one in found if one.rule not in without and _writes(one)
    }
    out.refused += [
        f"{one.rule} would still be at {one.problem.place.path}:{one.problem.place.line}"
        for one in seen
        if not _writes(one) and (one.rule, one.problem.message) in mended
    ]
    worse = [one for one in seen if one.rule not in first and one.severity != "info"]
    out.refused += [
        f"{one.rule} would appear at {one.problem.place.path}:{one.problem.place.line}"
        for one in worse
    ]
    out.refused += _strayed(project, now, out.touched, "".join(out.changes))
    return out


ROUNDS = 8


def _writes(one: Diagnosis) -> bool:
    """Whether its mend changes a text."""
    return any(not (edit.command or edit.executable) for edit in one.problem.edits)


def _gathered(
    out: Plan, project: ProjectFiles, found: Sequence[Diagnosis]
) -> dict[str, list[Edit]]:
    """Note modes and commands in the plan; return the edits of texts by file."""
    by_path: dict[str, list[Edit]] = {}
    taken: dict[tuple[str, int], str] = {}
    for one in found:
        lines = {(edit.path, _line(project, edit)) for edit in one.problem.edits if edit.end}
        if any(taken.setdefault(line, one.rule) != one.rule for line in lines):
            continue  # two mends of one line: the next round sees whether the other is needed still
        for edit in one.problem.edits:
            if edit.command:
                if (edit.path, edit.command) not in out.commands:
                    out.commands.append((edit.path, edit.command))
            elif edit.executable:
                if edit.path not in out.executable:
                    out.executable.append(edit.path)
            else:
                by_path.setdefault(edit.path, []).append(edit)
        if one.problem.edits:
            out.rules.append((one.rule, one.problem.place.path))
    every = [edit for edits in by_path.values() for edit in edits]
    for stack in project.stacks:
        out.touched |= _touched(project, stack, every)
    return by_path


def _line(project: ProjectFiles, edit: Edit) -> int:
    return (project.read(edit.path) or "").count("\n", 0, edit.start)


def apply(
    project: ProjectFiles, plan: Plan, found: Sequence[Diagnosis], ignore: Sequence[str] = ()
) -> Mended:
    """Write, look again, compare; everything is put back where the project got worse by it."""
    if plan.refused:
        notes = ["nothing was written: " + "; ".join(plan.refused)]
        return Mended(project, list(found), [], notes, [])
    before = {stack.files: stack.tree for stack in project.stacks}
    ours = _written(project, plan)
    notes = [*plan.left_out, *_commands(project, plan)]
    again = ProjectFiles(project.root, project.asked, project.environ)
    left = examine(again, None, ignore)
    config = [
        line for stack in again.stacks for line in changed(before.get(stack.files), stack.tree)
    ]
    worse = _worse(found, left) + _strayed(project, again, plan.touched, "".join(plan.changes))
    if worse:
        _put_back(project, ours)
        notes.append("everything was put back: " + "; ".join(worse))
        return Mended(project, list(found), [], notes, [])
    notes += [f"Compose configuration: {line}" for line in config]
    keys = {(one.rule, one.problem.place.path) for one in left}
    wanted = list(
        dict.fromkeys(rule for rule in plan.rules if rule[0] in {one.rule for one in found})
    )
    mended = [rule for rule in wanted if rule not in keys]
    notes.append(f"mended {len(mended)} of {len(wanted)}")
    return Mended(again, left, mended, notes, config)


def _written(project: ProjectFiles, plan: Plan) -> dict[str, tuple[str | None, int]]:
    """Write the changes; return what was there, for putting it back."""
    before: dict[str, tuple[str | None, int]] = {}
    for path, (old, new) in plan.changes.items():
        full = project.root / path
        before[path] = (old if full.exists() else None, full.stat().st_mode if full.exists() else 0)
        full.write_text(new, encoding="utf-8", newline="")
    for path in plan.executable:
        full = project.root / path
        mode = full.stat().st_mode
        before.setdefault(path, (project.read(path), mode))
        full.chmod(mode | 0o111)
    return before


def _put_back(project: ProjectFiles, before: dict[str, tuple[str | None, int]]) -> None:
    for path, (text, mode) in before.items():
        full = project.root / path
        if text is None:
            full.unlink()
        else:
            full.write_text(text, encoding="utf-8", newline="")
            full.chmod(mode)


def _commands(project: ProjectFiles, plan: Plan) -> list[str]:
    """Run the project's own programs that write files, with the project's own Python."""
    notes = []
    for path, argv in plan.commands:
        folder = (project.root / path).parent
        result = process.run(process.Command((_python(project), *argv[1:]), str(folder)), 120)
        shown = " ".join(argv)
        if result.ok:
            notes.append(f"ran {shown}")
        else:
            why = (result.err.strip().splitlines() or [result.why or "it failed"])[-1]
            notes.append(f"{shown} did not work: {why}")
    return notes


def _python(project: ProjectFiles) -> str:
    for name in (
        ".venv/bin/python",
        "venv/bin/python",
        ".venv/Scripts/python.exe",
        "venv/Scripts/python.exe",
    ):
        if (project.root / name).exists():
            return str(project.root / name)
    return sys.executable


def _worse(found: Sequence[Diagnosis], left: Sequence[Diagnosis]) -> list[str]:
    before = {one.rule for one in found}
    return [
        f"{one.rule} would appear in {one.problem.place.path}"
        for one in left
        if one.rule not in before and one.severity != "info"
    ]


def _strayed(
    project: ProjectFiles, again: ProjectFiles, touched: set[str], paths: str
) -> list[str]:
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
            if where not in touched:
                out.append(f"{where} would change too")
    return out


def _touched(project: ProjectFiles, stack: Stack, edits: Sequence[Edit]) -> set[str]:
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
