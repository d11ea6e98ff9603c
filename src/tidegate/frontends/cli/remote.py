"""The verbs of the inside that go through the project's target."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tidegate.container.backup.stores import StoreAway
from tidegate.container.entry import Globals
from tidegate.container.outlet import answer
from tidegate.container.report import Report
from tidegate.contracts.target import Target
from tidegate.errors import NotReady, UsageProblem
from tidegate.frontends.cli import consenting, keeping, outside, rolling, shipping
from tidegate.frontends.cli.again import again
from tidegate.frontends.cli.commands import history
from tidegate.frontends.cli.outside import Option
from tidegate.workflows.plan.shipping import migrate as shipped
from tidegate.workflows.update import alone, standing
from tidegate.workflows.update.state import State

MIGRATE = ("--timeout", "--lock-timeout", "--databases", "--framework", "--backup", "--wait-for")
APPLY = ("--timeout", "--lock-timeout", "--framework", "--backup", "--wait-for")
ADOPT = ("--timeout", "--lock-timeout", "--databases", "--database", "--to", "--scratch")
HISTORY = ("--state", "--kind", "--step", "--by", "--limit", "--since", "--databases",
           "--framework")  # fmt: skip
COLLECT = ("--timeout", "--collectstatic", "--framework")
OPTIONS = {
    "collectstatic": (
        *outside.TARGET,
        Option("--volume"),
        *(Option(name, True) for name in COLLECT),
    ),
    "rollback": (*outside.TARGET, *rolling.OPTIONS),
    "adopt": (*outside.TARGET, Option("--plan"), *(Option(name, True) for name in ADOPT)),
    "apply": (*outside.TARGET, Option("--approve", True), *(Option(name, True) for name in APPLY)),
    "status": (*outside.TARGET, Option("--check")),
    "history": (*outside.TARGET, Option("--verify"), *(Option(name, True) for name in HISTORY)),
    "migrate": (*outside.TARGET,
                *(Option(name, True) for name in ("--approve", "--look", "--forms")),
                *(Option(name, True) for name in MIGRATE)),
    "backup": (*outside.TARGET, *map(Option, keeping.SWITCHES),
               *(Option(n, True) for n in (*keeping.FLAGS, *keeping.INSIDE))),
    "restore": (*outside.TARGET,
                *(Option(n, True) for n in ("--approve", "--identity", *keeping.INSIDE))),
}  # fmt: skip
WORDS = ("migrate", "apply", "restore", "history")  # these take one
# These say their stages as JSON lines, where asked to.
LINES = {"migrate": ("json", "jsonl"), "apply": ("json", "jsonl"),
         "collectstatic": ("json", "jsonl"), "backup": ("jsonl",)}  # fmt: skip


def run(
    verb: str, glob: Globals, argv: list[str], environ: Mapping[str, str], said: bool
) -> int | None:
    """Run the verb; None when the target has no backend and nothing said that it must."""
    form = "jsonl" if glob.format in LINES.get(verb, ()) else "text"
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
        state = State(target.name, Path(glob.root), environ)
        if verb in ("status", "history"):
            state.look(target, report)
        if verb == "status":
            document = standing.status(target, state)
            document["next"] = again(document["next"], glob, argv)
            return _status(glob, document, "--check" in found)
        if verb == "history":
            result[0] = _history(glob, target, state, found, words)
            return 0
        if verb == "rollback":
            return rolling.run(glob, argv, target, report, found, environ)
        if verb == "apply":
            done = shipping.apply(target, report, words, found.get("--approve", ""),
                                  _said(APPLY, found), environ, state)  # fmt: skip
            _tells(glob, report, done, [("apply", done)])
            return 0
        if verb == "adopt":
            return _adopt(glob, target, report, found)
        if verb == "backup":
            return keeping.backup(glob, target, report, found, environ)
        if verb == "restore":
            return keeping.restore(glob, target, report, found, words, environ)
        if verb == "collectstatic":
            volume = ["--volume"] if "--volume" in found else []
            alone.collectstatic(target, report, [*_said(COLLECT, found), *volume])
            return 0
        asked = consenting.words(glob.root, found, environ)
        more = [*words, *asked, *_said(MIGRATE, found)]
        events = shipped(target, report, more, found.get("--forms", ""))
        each = [one["migration"] for one in events]
        _tells(glob, report, {"migrations": each}, [("migration", one) for one in each])
        return 0

    if glob.format == "json":
        report.form = "json"
    code = outside.guarded(report, lambda: _pointing(verb, said, work), glob, argv)
    return code if code else result[0]


def _pointing(verb: str, said: bool, work: Callable[[], int]) -> int:
    """Do it; where the engine does not answer and nothing said that it must, name the other way."""
    try:
        return work()
    except StoreAway:
        raise
    except NotReady as error:
        if said:
            raise
        advice = f"{error.next}\nor, without containers: tidegate {verb} --local"
        raise NotReady(error.what, error.meaning, advice.strip()) from None


def _tells(
    glob: Globals,
    report: Report,
    whole: Mapping[str, Any],
    lines: Sequence[tuple[str, Any]],
) -> None:
    """Answer with what the inside did, as it would have itself."""
    if glob.format == "json":
        answer(json.dumps(whole, indent=2))
    elif glob.format == "jsonl":
        for key, one in lines:
            report.stage("result", str(one.get("alias", "")), "", None, **{key: one})


def _said(names: Sequence[str], found: Mapping[str, str]) -> list[str]:
    return [word for name in names if name in found for word in (name, found[name])]


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


def _status(glob: Globals, found: Mapping[str, Any], check: bool) -> int:
    answer(json.dumps(found, indent=2) if glob.format == "json" else _text(found))
    return 1 if check and not found["well"] else 0


def _history(
    glob: Globals, target: Target, state: State, found: Mapping[str, str], words: list[str]
) -> int:
    document = standing.history(target, state, [*words, *_said(HISTORY, found)])
    return history.shows(document, words[0] if words else "", "--verify" in found, glob.format)


def _adopt(glob: Globals, target: Target, report: Report, found: Mapping[str, str]) -> int:
    words = _said(ADOPT, found)
    if "--plan" in found:
        words.append("--plan")
    said = alone.adopt(target, report, words)
    if glob.format == "json":
        answer(json.dumps({"adoptions": [one["adoption"] for one in said]}, indent=2))
    else:
        answer("\n".join(line for one in said for line in one["lines"]))
    return 0


def _text(found: Mapping[str, Any]) -> str:
    name, framework = found["project"]["name"], found["project"]["framework"]
    lines = [f"{name}: {framework} project under Compose".replace("  ", " ")]
    if found["elsewhere"]:
        lines.append(f"its containers were started from {found['elsewhere']}")
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
    if found["release"]:
        lines.append(f"release {_shown(found['release'])}")
    for one in found["databases"]:
        counts = f"{one['applied']} applied, {len(one['pending'])} pending"
        lines.append(f"database {one['alias']} ({one['vendor']}): {one['state']}, {counts}")
        lines += [f"  why        {line}" for line in str(one["why"]).splitlines()]
        lines += _run(one.get("run"))
        for key in ("pending", "half", "unknown", "edited", "missing"):
            lines += [f"  {key:<10} {step}" for step in one.get(key, ())]
        lines += [f"  {'not joined':<10} {', '.join(ends)}" for ends in one.get("conflicts", ())]
    if found["why"]:
        lines.append(f"databases: not asked; {found['why']}")
    return "\n".join([*lines, f"next: {found['next']}"])


def _shown(release: Mapping[str, str]) -> str:
    return " ".join(
        [release["stamp"], *([f"({release['revision']})"] if release["revision"] else [])]
    )


def _run(run: Mapping[str, Any] | None) -> list[str]:
    """Return the line on the run that brought a database to its level."""
    if run is None:
        return []
    text = f"{run['kind']}, run {run['number']}, {str(run['started'])[:16].replace('T', ' ')}"
    if run["release"]:
        return [f"  by         {text}, of release {run['release']}"]
    return [
        f"  by         {text}" + (f", of revision {run['revision']}" if run["revision"] else "")
    ]
