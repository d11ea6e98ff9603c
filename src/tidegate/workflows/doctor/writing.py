"""Write a plan's changes, put them back, and run the project's own programs that write files."""

from __future__ import annotations

import sys

from tidegate import process
from tidegate.reading.project.project import ProjectFiles
from tidegate.workflows.doctor.planned import Plan

Before = dict[str, tuple[str | None, int]]


def written(project: ProjectFiles, plan: Plan) -> Before:
    """Write the changes; return what was there, for putting it back."""
    before: Before = {}
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


def put_back(project: ProjectFiles, before: Before) -> None:
    """Put the files back as they were."""
    for path, (text, mode) in before.items():
        full = project.root / path
        if text is None:
            full.unlink()
        else:
            full.write_text(text, encoding="utf-8", newline="")
            full.chmod(mode)


def commands(project: ProjectFiles, plan: Plan) -> list[str]:
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
