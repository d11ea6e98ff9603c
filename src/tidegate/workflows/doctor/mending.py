"""Mend what can be mended: small edits, shown first, made, and looked at again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tidegate.reading.project.edits import Edit, applied
from tidegate.reading.project.project import ProjectFiles
from tidegate.workflows.doctor.comparing import changed, strayed, touched
from tidegate.workflows.doctor.planned import Plan
from tidegate.workflows.doctor.story import Diagnosis, examine
from tidegate.workflows.doctor.writing import commands, put_back, written

ROUNDS = 8


@dataclass
class Mended:
    """How it went: what is still found, what changed in the Compose configuration."""

    project: ProjectFiles
    left: list[Diagnosis]
    mended: list[tuple[str, str]]
    notes: list[str]
    config: list[str]


def fitting(
    project: ProjectFiles, found: Sequence[Diagnosis], ignore: Sequence[str] = ()
) -> list[Diagnosis]:
    """Return the diagnoses, those alone called fixable that `--fix` would really mend."""
    if not any(one.problem.edits for one in found):
        return list(found)
    # What was loaded says nothing of mended files: `--fix` goes by the files alone.
    files = (
        ProjectFiles(project.root, project.asked, project.environ) if project.loaded else project
    )
    seen = found if files is project else examine(files, None, ignore)
    mends = plan(files, seen, ignore).mends
    return [replace(one, fits=_key(one) in mends) for one in found]


def plan(project: ProjectFiles, found: Sequence[Diagnosis], ignore: Sequence[str] = ()) -> Plan:
    """Gather the edits of every finding that has some, and those that they make necessary.

    Each round is looked at in memory. Mends that bring a finding without a mend are left out, rule
    by rule, until the rest fits.
    """
    best, without, left_out = _plan(project, found, ignore, frozenset()), frozenset[str](), []
    while best.refused:
        why, tried = best.refused[0], []
        for rule in dict.fromkeys(rule for rule, _ in best.rules):
            tried.append((_plan(project, found, ignore, without | {rule}), rule))
            if not tried[-1][0].refused:
                break
        if not tried:
            break
        best, rule = min(tried, key=lambda one: len(one[0].refused))  # stable: the first of equals
        left_out.append(f"{rule} is not mended: {why}")
        without |= {rule}
    best.left_out = left_out
    return best


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
        now = project.edited(texts)
        seen = [one for one in examine(now, None, ignore) if one.rule not in without]
    else:
        out.refused += [
            f"{one.rule} would still be at {one.problem.place.path}:{one.problem.place.line}"
            for one in seen
            if _writes(one)
        ]
    mended = {_key(one) for one in found if one.rule not in without and _writes(one)}
    out.refused += [
        f"{one.rule} would still be at {one.problem.place.path}:{one.problem.place.line}"
        for one in seen
        if not _writes(one) and _key(one) in mended
    ]
    worse = [one for one in seen if one.rule not in first and one.severity != "info"]
    out.refused += [
        f"{one.rule} would appear at {one.problem.place.path}:{one.problem.place.line}"
        for one in worse
    ]
    out.refused += strayed(project, now, out.touched, "".join(out.changes))
    still = {_key(one) for one in seen}
    out.mends = frozenset(
        _key(one) for one in found
        if one.problem.edits and one.rule not in without and not out.refused
        and not (_writes(one) and _key(one) in still)
    )  # fmt: skip
    return out


def _key(one: Diagnosis) -> tuple[str, str, str]:
    """What a finding is known by once lines have moved."""
    return one.rule, one.problem.place.path, one.problem.message


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
        out.touched |= touched(project, stack, every)
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
    ours = written(project, plan)
    notes = [*plan.left_out, *commands(project, plan)]
    again = ProjectFiles(project.root, project.asked, project.environ)
    left = examine(again, None, ignore)
    config = [
        line for stack in again.stacks for line in changed(before.get(stack.files), stack.tree)
    ]
    worse = _worse(found, left) + strayed(project, again, plan.touched, "".join(plan.changes))
    if worse:
        put_back(project, ours)
        notes.append("everything was put back: " + "; ".join(worse))
        return Mended(project, list(found), [], notes, [])
    notes += [f"Compose configuration: {line}" for line in config]
    still = {_key(one) for one in left}
    wanted = [one for one in found if _key(one) in plan.mends]
    done = [one for one in wanted if _key(one) not in still]
    mended = list(dict.fromkeys((one.rule, one.problem.place.path) for one in done))
    notes.append(f"mended {len(done)} of {len(wanted)}")
    return Mended(again, left, mended, notes, config)


def _worse(found: Sequence[Diagnosis], left: Sequence[Diagnosis]) -> list[str]:
    before = {one.rule for one in found}
    return [
        f"{one.rule} would appear in {one.problem.place.path}"
        for one in left
        if one.rule not in before and one.severity != "info"
    ]
