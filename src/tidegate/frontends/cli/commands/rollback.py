"""Go back: undo steps by their own reverse, or bring a proved backup back.

usage: tidegate rollback [--to RELEASE|STEP|RUN] [--way image|down|backup] [--from DIR] [--plan]
                         [--safe] [--approve WORD] [--timeout SECONDS] [--lock-timeout SECONDS]
                         [--backup always] [--databases A,B] [--env NAME] [--service NAME]
                         [--local] [--format text|json]

--to names a release, the step that shall be the last, a run of `tidegate history`, or an image or
revision on record there: everything after it is undone. `zero` (or APP.zero) and `base` undo all
steps. --plan shows the ways, what each would lose and what to type next, and changes nothing. What
loses data needs the --approve that a person types for exactly this plan; --safe refuses instead
whenever anything would be lost. --from names a folder of backups, beside the one in force and those
that the ledger names.

Where the project has Compose files and Docker is there, it goes back to the release before the one
that runs, or to the one that --to names (`tidegate up` records them): the newer image takes its
steps back, then the previous images run again with the previous configuration, and are watched. It
ends with 9 when they are not well. Where `tidegate plan` has seen that the previous release works
on the newer schema, the images alone can go back (--way image), and do where all else would lose
data. --local undoes what the last run applied, from here: run it with
the newer code, which has the steps' files, and start the older image afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tidegate.container import approving, ways
from tidegate.container.backup import making, places, verbs
from tidegate.container.boot import Boot, wait
from tidegate.container.entry import Globals
from tidegate.container.envfile import with_file
from tidegate.container.gate import open_gate
from tidegate.container.going_back import go_down, refuse_loss, same
from tidegate.container.oneoff import refuse_writing
from tidegate.container.outlet import answer
from tidegate.container.raising import Raising
from tidegate.container.report import Report
from tidegate.container.running import guarded, settings_for
from tidegate.container.signals import Signals
from tidegate.container.undoing import Plan, Planning, plan
from tidegate.container.words import split
from tidegate.errors import PolicyRefused, UsageProblem
from tidegate.frontends.cli.handover import handed_over

FORMATS = ("text", "json", "jsonl")
OPTIONS = ("timeout", "lock_timeout", "backup", "wait_for", "databases", "framework")


def run(glob: Globals, argv: list[str], began: float, given: Mapping[str, str]) -> int:
    """Run the verb."""
    code, argv = handed_over("rollback", glob, argv, given)
    if code is not None:
        return code
    report = Report(glob.format, glob.quiet)

    def work(signals: Signals) -> int:
        environ = with_file(glob.env_path, given)
        valued = ("to", "level", "way", "approve", "from")
        own, _, rest = split(argv, valued, ("plan", "safe"))
        settings, _ = settings_for(glob.root, environ, rest, OPTIONS)
        if own.get("way", "down") not in ("down", "backup"):
            said = "image is for a release that runs under Compose; here: down or backup"
            raise UsageProblem(f"--way is {own['way']!r}", "", said)
        one = Boot(Path(glob.root), environ, settings, report, signals, began)
        gate = open_gate(one.root, environ, settings)
        report.secrets = tuple(c.password.reveal() for c in gate.connections if c.password)
        refuse_writing(environ, gate.connections, "undone in")
        if len(gate.connections) > 1:
            raise UsageProblem(
                f"the project has {len(gate.connections)} databases", "One goes back at a time.",
                f"name it: --databases {gate.connections[0].alias}",
            )  # fmt: skip
        wait(one, gate)
        (connection,) = gate.connections
        named = own.get("from", "")
        where = named if places.is_remote(named) else str(Path(named).absolute())
        folder = {"dir": where} if named else {}
        policy = making.policy(gate.root, environ, folder)
        planning = Planning(
            gate, connection, policy, environ, own.get("to", ""), own.get("way", ""),
            own.get("from", ""), own.get("level", ""),
        )  # fmt: skip
        found = plan(planning)
        _show(found, glob.format, report, bool(own.get("plan")))
        by_itself = own.get("level") or own.get("safe")  # of an update that goes back
        if own.get("plan") or not (found.steps or (found.half and not by_itself)):
            return 0
        raising = Raising(gate, connection, settings, one.deadline, report, signals)
        _go(raising, planning, found, own)
        more = "" if own.get("level") else "; start the older image now: this one won't start"
        report.stage("rollback", found.alias, f"done{more}")
        return 0

    return guarded(report, work, "rollback", loads=True)


def _go(raising: Raising, planning: Planning, found: Plan, own: Mapping[str, str]) -> None:
    if own.get("safe"):
        refuse_loss(found)
    elif found.chosen is None:
        raise _no_way(found)
    elif found.chosen.loses:
        approving.need_word(
            own.get("approve", ""), found.word, found.chosen.loses, found.command,
            planning.environ,
        )  # fmt: skip
    if found.chosen and found.chosen.backup:
        verbs.bring_back(raising, found.chosen.backup, lambda: _still(planning, found))
    else:
        go_down(raising, planning, found, safe=bool(own.get("safe")))


def _still(planning: Planning, found: Plan) -> None:
    same(planning, found)


def _no_way(found: Plan) -> PolicyRefused:
    closed = "\n".join(f"{way.name}: {way.why_not}" for way in found.ways if way.why_not)
    if all(way.why_not for way in found.ways):
        what = f"there is no way back for {found.alias}: only forward is left"
    else:
        what = f"{found.alias} can't go back by the way that was named; another one is open"
    return PolicyRefused(what, closed, ways.advice(found))


def _show(found: Plan, form: str, report: Report, asked: bool) -> None:
    if form == "json":
        answer(json.dumps({"rollback": found.as_dict()}, indent=2))
    elif form == "jsonl":
        report.stage("result", found.alias, "", rollback=found.as_dict())
    elif asked or not found.steps:
        answer("\n".join(found.text()))
