"""Write what a project lacks: Dockerfile, Compose files, CI, a commit hook, settings.

usage: tidegate init [--target swarm|kubernetes ...] [--agents] [--yes] [--dry-run]

Looks at the code for framework, database, driver, Redis, Celery, static files, Python version and
package manager, and writes the files that are missing. What stands in a file is never touched;
.gitignore, .dockerignore and pyproject.toml get the lines that they lack at their end.

--target   writes a Swarm stack (stack.yaml) or Kubernetes manifests (kubernetes/) too
--agents   writes words for coding agents: AGENTS.md, and a skill in .agents/skills
--dry-run  prints the files and writes none
--yes      writes without asking
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tidegate.container.entry import Globals
from tidegate.container.report import Report
from tidegate.container.running import guarded
from tidegate.container.signals import Signals
from tidegate.errors import UsageProblem
from tidegate.workflows.init.detect import Found
from tidegate.workflows.init.story import File

FORMATS = ("text", "json")


@dataclass
class Options:
    """What the flags say."""

    targets: list[str] = field(default_factory=lambda: ["compose"])
    agents: bool = False
    yes: bool = False
    dry_run: bool = False


def run(glob: Globals, argv: list[str], began: float, environ: Mapping[str, str]) -> int:
    """Run the verb."""

    def work(signals: Signals) -> int:
        return _init(glob, _options(argv))

    return guarded(Report("text", glob.quiet), work)


def _options(argv: list[str]) -> Options:
    from tidegate.workflows.init.story import TARGETS

    out = Options()
    words = list(argv)
    while words:
        word, equals, value = words.pop(0).partition("=")
        if word == "--target":
            if not equals and not words:
                raise UsageProblem("--target has no value", "", "write --target kubernetes")
            value = value if equals else words.pop(0)
            if value not in TARGETS:
                raise UsageProblem(
                    f"--target is {value!r}", "", "use one of: " + ", ".join(TARGETS)
                )
            out.targets.append(value)
        elif word in ("--yes", "--dry-run", "--agents") and not equals:
            setattr(out, word[2:].replace("-", "_"), True)
        else:
            raise UsageProblem(f"init does not take {word}", "", "see tidegate init --help")
    return out


def _init(glob: Globals, options: Options) -> int:
    from tidegate.reading.project.project import ProjectFiles
    from tidegate.workflows.init import story

    project = ProjectFiles(Path(glob.root).resolve())
    found, files = story.plan(project, tuple(options.targets), options.agents)
    yes, dry = options.yes, options.dry_run
    missing = [one for one in files if not one.why_not]
    if glob.format != "json":
        print("\n".join([*_said(found, files, dry), ""]), flush=True)
    written: list[str] = []
    if missing and not dry and (yes or _agreed()):
        written = story.write(project, files)
    if glob.format == "json":
        print(json.dumps(_document(found, files, written), indent=2))
    elif missing and not dry:
        print(_end(written, bool(found.notes)))
    return 0


def _said(found: Found, files: list[File], dry: bool) -> list[str]:
    parts = [found.database, *(["redis"] if found.redis else [])]
    parts += ["celery"] if found.celery else []
    kind = f"{found.framework} on {', '.join(parts)}"
    out = [f"{kind}; Python {found.python}, {_installer(found)}, {found.server}", ""]
    for one in files:
        why = f"  ({one.why_not})" if one.why_not else ""
        what = "leave" if why else "add to" if one.added else "write"
        out.append(f"  {what:<6}  {one.path}{why}")
        if dry and not why:
            out += ["", *(f"    {line}".rstrip() for line in one.text.splitlines()), ""]
    for note in found.notes:
        first, *rest = note.split("\n")
        out += ["", f"  note    {first}", *(f"          {line}" for line in rest)]
    return out


def _installer(found: Found) -> str:
    return {"pyproject": "pip"}.get(found.packages.installer, found.packages.installer)


def _document(found: Found, files: list[File], written: list[str]) -> dict[str, object]:
    return {
        "project": {"framework": found.framework, "database": found.database, "app": found.app},
        "files": [
            {
                "path": one.path,
                "written": one.path in written and not one.why_not,
                "added": one.added,
                "why_not": one.why_not,
            }
            for one in files
        ],
        "notes": list(found.notes),
    }


def _end(written: list[str], notes: bool) -> str:
    if not written:
        return "nothing was written; --yes writes without asking"
    steps = ["cp .env.example .env, and fill it in"] if ".env.example" in written else []
    steps += ["do what the notes say"] if notes else []
    steps += ["tidegate doctor", "tidegate up"]
    for path in ("kubernetes/kustomization.yaml", "stack.yaml"):
        steps += [f"the first lines of {path} say how a release goes"] if path in written else []
    many = f"{len(written)} file{'' if len(written) == 1 else 's'}"
    return f"wrote {many}\n  next: " + "\n        ".join(steps)


def _agreed() -> bool:
    if not sys.stdin.isatty():
        return False
    print("Write these? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
