"""Show who changed what, when, and for how long: the ledger in the database.

usage: tidegate history [RUN] [--verify] [--since WHEN] [--state STATE] [--kind KIND] [--step STEP]
                        [--by WHO] [--limit N] [--databases A,B] [--env NAME] [--service NAME]
                        [--local] [--format text|json]

RUN is a run's number or the beginning of its id, and shows that run in full. Without it the last
20 runs are listed, the newest first. WHEN is a day (2026-11-21), a moment (2026-11-21T14:30), both
in UTC, or an age (90m, 12h, 7d). STATE is done, failed, abandoned, rolled-back or running; KIND is
migrate, rollback, backup, restore or adopt. --verify checks the hash chain, and exits with 1 when
a run is not as it was written.

Where the project has Compose files and Docker is there, the database is read from a one-off
container, and a run that belongs to a release of `tidegate up` names it; --local (or
TIDEGATE_LOCAL=1) reads it from here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tidegate.container.entry import Globals
from tidegate.container.envfile import with_file
from tidegate.container.gate import open_gate
from tidegate.container.history import History, read
from tidegate.container.ledgerlock import reading
from tidegate.container.oneoff import refuse_reading
from tidegate.container.outlet import answer
from tidegate.container.report import Report
from tidegate.container.running import guarded, settings_for
from tidegate.container.signals import Signals
from tidegate.container.words import split
from tidegate.errors import UsageProblem
from tidegate.frontends.cli.handover import handed_over
from tidegate.model.words import counted

FORMATS = ("text", "json")
FILTERS = ("state", "kind", "step", "by", "limit", "since")
KNOWN = {
    "state": ("done", "failed", "abandoned", "rolled-back", "running"),
    "kind": ("migrate", "rollback", "backup", "restore", "adopt", "squash"),
}
UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}  # seconds
CHANGED = """\
* before it, something other than tidegate recorded or removed steps: the framework's own migrate,
  --fake or stamp, a restore by other means, or SQL. What it did has no run here.
  next: compare with the database: tidegate status; migrate with tidegate, so that it is on record\
"""


def run(glob: Globals, argv: list[str], began: float, given: Mapping[str, str]) -> int:
    """Run the verb."""
    code, argv = handed_over("history", glob, argv, given)
    if code is not None:
        return code
    report = Report(glob.format, glob.quiet)

    def work(signals: Signals) -> int:
        environ = with_file(glob.env_path, given)
        filters, words, rest = split(argv, FILTERS, ("verify",), 1)
        wanted = words[0] if words else ""
        settings, _ = settings_for(glob.root, environ, rest, ("databases", "framework"))
        if not filters.setdefault("limit", "20").isdecimal():
            raise UsageProblem(f"--limit is {filters['limit']!r}", "", "give a number, such as 20")
        _check(filters)
        gate = open_gate(Path(glob.root), environ, settings)
        report.secrets = tuple(c.password.reveal() for c in gate.connections if c.password)
        refuse_reading(environ, gate.connections, "what is read here")
        found = []
        for connection in gate.connections:
            session = gate.database(connection).session(5.0)
            try:
                with reading(session, connection.vendor):
                    found.append(read(gate, connection, session))
            finally:
                session.close()
        shown = [(one, _chosen(one.runs, filters, wanted)) for one in found]
        if wanted and not any(runs for _, runs in shown):
            raise UsageProblem(f"there is no run {wanted}", "", "see the runs: tidegate history")
        return shows(_document(shown), wanted, "verify" in filters, glob.format)

    return guarded(report, work, loads=True)


def shows(document: Mapping[str, Any], wanted: str, verify: bool, form: str) -> int:
    """Print the document; return the exit code."""
    if form == "json":
        answer(json.dumps(document, indent=2))
    else:
        answer("\n".join(_text(document, wanted, verify)))
    return 1 if verify and any(one["broken"] for one in document["databases"]) else 0


def _check(filters: dict[str, str]) -> None:
    """Refuse words that no run can have, and turn `since` into the text of a moment in UTC."""
    for key, words in KNOWN.items():
        if filters.get(key, words[0]) not in words:
            raise UsageProblem(
                f"--{key} is {filters[key]!r}", "", f"use one of: {', '.join(words)}"
            )
    if "since" in filters:
        filters["since"] = _moment(filters["since"])


def _moment(text: str) -> str:
    number, unit = text[:-1], text[-1:]
    try:
        if number.isdecimal() and unit in UNITS:
            moment = datetime.now(UTC) - timedelta(seconds=int(number) * UNITS[unit])
        else:
            moment = datetime.fromisoformat(text)
            moment = moment.astimezone(UTC) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        raise UsageProblem(
            f"--since is {text!r}", "", "give a day (2026-11-21), a moment (2026-11-21T14:30), or "
            "an age (90m, 12h, 7d)",
        ) from None  # fmt: skip
    return moment.isoformat(timespec="seconds")[:19]


def _chosen(
    runs: Sequence[dict[str, Any]], filters: Mapping[str, str], wanted: str
) -> list[dict[str, Any]]:
    def fits(one: Mapping[str, Any]) -> bool:
        if wanted:
            return str(one["number"]) == wanted or (
                len(wanted) > 3 and str(one["id"]).startswith(wanted)
            )
        if any(filters.get(key, one[key]) != one[key] for key in ("state", "kind", "by")):
            return False
        if str(one["started"])[:19] < filters.get("since", ""):
            return False
        step = filters.get("step", "")
        return not step or any(step in found["step"] for found in one["steps"])

    fitting = [one for one in runs if fits(one)]
    return fitting if wanted else fitting[-int(filters["limit"]) :][::-1]


def _document(shown: Sequence[tuple[History, list[dict[str, Any]]]]) -> dict[str, Any]:
    return {
        "runs": [one for _, runs in shown for one in runs],
        "databases": [
            {
                "alias": one.alias,
                "runs": len(one.runs),
                "chained": one.chained,
                "older": len(
                    [run for run in one.runs if run["hash"] is None and run["state"] != "running"]
                ),
                "last": one.last,
                "broken": [{"number": b.number, "run": b.run, "why": b.why} for b in one.broken],
                "changed_since": one.changed_since,
                "gone": one.gone,
                "added": one.added,
                "half": one.half,
            }
            for one, _ in shown
        ],
    }


def _text(document: Mapping[str, Any], wanted: str, verify: bool) -> list[str]:
    lines: list[str] = []
    databases = document["databases"]
    for history in databases:
        runs = [one for one in document["runs"] if one["database"] in (None, history["alias"])]
        if len(databases) > 1 and not wanted:
            lines.append(f"{history['alias']}:")
        if not runs and not wanted:
            lines.append("no run is on record")
        for one in runs:
            lines += _full(one) if wanted else [_line(one)]
        if not wanted and any(one["changed_before"] for one in runs):
            lines.append(CHANGED)
        lines += [f"run {one['id'][:8]} has not ended: it is at work, or was killed; the next one "
                  "to change the level closes it" for one in runs
                  if one["state"] == "running"]  # fmt: skip
        lines += _warnings(history)
        if verify:
            lines += _verified(history)
    return lines


def _line(one: Mapping[str, Any]) -> str:
    number = "-" if one["number"] is None else str(one["number"])
    took = "" if one["seconds"] is None else f"{one['seconds']:.1f} s"
    steps = len(one["steps"])
    what = f"{steps} step{'' if steps == 1 else 's'}" if one["kind"] != "backup" else ""
    mark = "  *" if one["changed_before"] else ""
    return (
        f"{number:>5}  {str(one['started'])[:19]}  {one['kind']:<9}{one['state']:<12}{took:>9}  "
        f"{what:<9} {_who(one)}  {one['id'][:8]}{_release(one)}{mark}{_made(one)}"
    )


def _made(one: Mapping[str, Any]) -> str:
    """Return the backup that a run has made: what `tidegate restore` is given."""
    receipt = one["backup"] if isinstance(one["backup"], dict) else {}
    path = receipt.get("path") if one["kind"] == "backup" else ""
    return f"  {path} ({receipt.get('verified', 'not verified')})" if path else ""


def _release(one: Mapping[str, Any]) -> str:
    """Return the release that a run belongs to, or else the revision of its code."""
    if one.get("release"):
        return f"  release {one['release']}"
    return f"  revision {one['revision']}" if one["revision"] else ""


def _who(one: Mapping[str, Any]) -> str:
    """Return who and where; a container's own name is its id, and says nothing more."""
    if not one["container"]:
        return f"{one['by']}@{one['host']}"
    host = "" if one["container"].startswith(str(one["host"])) else f"@{one['host']}"
    return f"{one['by']}{host} (container {one['container']})"


FULL = ("number", "kind", "state", "database", "started", "finished", "seconds", "by", "host",
        "container", "ci", "agent", "release", "revision", "image", "version", "fingerprint",
        "backup", "message", "hash")  # fmt: skip


def _full(one: Mapping[str, Any]) -> list[str]:
    lines = [f"run {one['id']}"]
    for key in FULL:
        value = one.get(key)
        if value not in (None, ""):
            text = json.dumps(value) if isinstance(value, dict) else str(value)
            lines.append(f"  {key:<12} {text}")
    if one["changed_before"]:
        lines += CHANGED.splitlines()
    return lines + [line for step in one["steps"] for line in _step(step)]


def _step(step: Mapping[str, Any]) -> list[str]:
    seconds = "" if step["seconds"] is None else f", {step['seconds']:.3f} s"
    count = "" if step["statements"] is None else f", {counted(step['statements'], 'statement')}"
    lines = [f"  {step['step']}: {step['state']}{seconds}{count}"]
    if step["retries"]:
        times = counted(step["retries"], "time")
        lines.append(f"    its lock was refused and asked for again {times}")
    for wait in step["waits"]:
        lines.append(f"    waited {wait['waited']:.3f} s for {wait['wanted']}")
        lines += [f"      behind {who}" for who in wait["behind"]]
    lines += [f"    {said['seconds']:.3f} s  {said['sql']}" for said in step["sql"]]
    if step["statements"] and step["statements"] > len(step["sql"]) > 0:
        lines.append(
            f"    and {step['statements'] - len(step['sql'])} more, of which no text is kept"
        )
    return lines + [f"    held {lock['mode']} on {lock['relation']}" for lock in step["locks"]]


def _warnings(history: Mapping[str, Any]) -> list[str]:
    lines = []
    if history["changed_since"]:
        lines.append(
            f"{history['alias']}: since the last run something other than tidegate recorded or "
            "removed steps"
        )
    for step in history["half"]:
        lines.append(f"{history['alias']}: half applied until it is run again: {step}")
    if history["gone"]:
        gone = ", ".join(history["gone"])
        lines.append(f"  on record as applied, and not in the database: {gone}")
    if history["added"]:
        lines.append(f"  in the database, and not on record: {', '.join(history['added'])}")
    return lines


def _verified(history: Mapping[str, Any]) -> list[str]:
    if not history["runs"]:
        return []
    alias, broken = history["alias"], history["broken"]
    if broken:
        return [
            f"{alias}: the chain does not hold",
            *(f"  run {one['number']} ({one['run'][:8]}) {one['why']}" for one in broken),
        ]
    older = history["older"]
    before = f"; {older} older than the chain" if older else ""
    return [
        f"{alias}: {history['chained']} runs are as they were written{before}; "
        f"the last hash is {history['last']}"
    ]
