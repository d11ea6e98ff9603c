"""The verbs of the inside that go through the project's target."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tidegate import discovery
from tidegate.container.entry import Globals
from tidegate.container.report import Report
from tidegate.contracts.target import Target
from tidegate.errors import NotReady, UsageProblem
from tidegate.frontends.cli import keeping, outside, rolling
from tidegate.frontends.cli.outside import Option
from tidegate.workflows.update import standing

MIGRATE = ("--timeout", "--lock-timeout", "--databases", "--framework", "--backup", "--wait-for")
HISTORY = ("--since", "--state", "--kind", "--step", "--by", "--limit", "--databases",
           "--framework")  # fmt: skip
ADOPT = ("--timeout", "--lock-timeout", "--databases", "--database", "--to", "--scratch")
OPTIONS = {
    "rollback": (*outside.TARGET, *rolling.OPTIONS),
    "adopt": (*outside.TARGET, Option("--plan"), *(Option(name, True) for name in ADOPT)),
    "status": (*outside.TARGET, Option("--check")),
    "migrate": (*outside.TARGET, *(Option(name, True) for name in MIGRATE)),
    "backup": (*outside.TARGET, *map(Option, keeping.SWITCHES),
               *(Option(n, True) for n in (*keeping.FLAGS, *keeping.INSIDE))),
    "restore": (*outside.TARGET,
                *(Option(n, True) for n in ("--approve", "--identity", *keeping.INSIDE))),
    "history": (*outside.TARGET, Option("--verify"), *(Option(name, True) for name in HISTORY)),
}  # fmt: skip
WORDS = ("migrate", "restore", "history")  # these take one
LINES = ("migrate", "backup")  # these say their stages as JSON lines, where asked to


def signs(root: Path) -> bool:
    """Return whether a target may run the project."""
    return discovery.target_signs(root)


def run(
    verb: str, glob: Globals, argv: list[str], environ: Mapping[str, str], said: bool
) -> int | None:
    """Run the verb; None when the target has no backend and nothing said that it must."""
    lines = ("json", "jsonl") if verb == "migrate" else ("jsonl",)
    form = "jsonl" if verb in LINES and glob.format in lines else "text"
    report = Report(form, glob.quiet)
    result: list[int | None] = [None]

    def work() -> int:
        found, words = outside.parse(verb, argv, OPTIONS[verb], words=verb in WORDS)
        target = _target(glob, found, environ, said)
        if not target.backend:
            return 0
        report.secrets = target.secrets
        outside.guesses(target, report)
        result[0] = 0
        if verb == "status":
            return _status(glob, target, "--check" in found)
        if verb == "rollback":
            return rolling.run(glob, target, report, found, environ)
        if verb == "adopt":
            return _adopt(glob, target, report, found)
        if verb == "history":
            result[0] = _history(glob, target, report, found, words)
            return 0
        if verb == "backup":
            return keeping.backup(glob, target, report, found, environ)
        if verb == "restore":
            return keeping.restore(glob, target, report, found, words, environ)
        options = [word for name in MIGRATE if name in found for word in (name, found[name])]
        standing.migrate(target, report, [*words, *options])
        return 0

    code = outside.guarded(report, work)
    if code == NotReady.exit_code and not said:
        report.warn(f"without the engine: tidegate {verb} --local")
    return code if code else result[0]


def _target(
    glob: Globals, found: Mapping[str, str], environ: Mapping[str, str], said: bool
) -> Target:
    try:
        return outside.target_of(glob, outside.asked_of(glob, found, {}), environ, said)
    except UsageProblem as error:
        if said:
            raise
        advice = f"{error.next}\nor, to work without containers: --local"
        raise (
            type(error)(error.what, error.meaning, advice)
            if type(error) is UsageProblem
            else (error)
        ) from None


def _status(glob: Globals, target: Target, check: bool) -> int:
    found = standing.status(target)
    print(json.dumps(found, indent=2) if glob.format == "json" else _text(found))
    return 1 if check and not found["well"] else 0


def _adopt(glob: Globals, target: Target, report: Report, found: Mapping[str, str]) -> int:
    words = [word for name in ADOPT if name in found for word in (name, found[name])]
    if "--plan" in found:
        words.append("--plan")
    said = standing.adopt(target, report, words)
    if glob.format == "json":
        print(json.dumps({"adoptions": [one["adoption"] for one in said]}, indent=2))
    else:
        print("\n".join(line for one in said for line in one["lines"]))
    return 0


def _history(
    glob: Globals, target: Target, report: Report, found: Mapping[str, str], words: list[str]
) -> int:
    options = [word for name in HISTORY if name in found for word in (name, found[name])]
    verify = ["--verify"] if "--verify" in found else []
    said, holds = standing.history(target, report, glob.format, [*words, *options, *verify])
    print(said)
    return 0 if holds else 1


def _text(found: Mapping[str, Any]) -> str:
    lines = [f"{found['project']['name']}: {found['project']['framework']} project under Compose"]
    rows = [("service", "state", "health", "restarts", "image", "made")]
    rows += [
        (one["name"], one["state"], one["health"] or "-", str(one["restarts"]),
         one["image"][7:19] or "-", one["made"][:16].replace("T", " ") or "-")
        for one in found["services"]
    ]  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines += [
        "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    for one in found["databases"]:
        counts = f"{one['applied']} applied, {len(one['pending'])} pending"
        lines.append(f"database {one['alias']} ({one['vendor']}): {one['state']}, {counts}")
        lines += [f"  why        {line}" for line in str(one["why"]).splitlines()]
        for key in ("pending", "unknown", "edited", "missing"):
            lines += [f"  {key:<10} {step}" for step in one[key]]
    if found["why"]:
        lines.append(f"databases: not asked; {found['why']}")
    return "\n".join([*lines, f"next: {found['next']}"])
