"""Go back: undo steps by their own reverse, or bring a proved backup back.

usage: tidegate rollback [--to STEP|RUN|RELEASE] [--way down|backup] [--plan] [--approve WORD]
                         [--timeout SECONDS] [--lock-timeout SECONDS] [--backup always]
                         [--databases A,B] [--format text|json]

Without --to what the last run applied is undone. --to names the step that shall be the last, a
run of `tidegate history`, or an image or revision on record there: then everything after it is
undone. --plan shows the ways, what each would lose, and changes nothing. What loses data needs the
--approve that a person types for exactly this plan. Run it with the newer image, which has the
steps' files; start the older image afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tidegate.container import approving
from tidegate.container.backup import making, verbs
from tidegate.container.boot import Boot, wait
from tidegate.container.entry import Globals
from tidegate.container.gate import open_gate
from tidegate.container.going_back import go_down
from tidegate.container.raising import Raising
from tidegate.container.report import Report
from tidegate.container.running import guarded, settings_for
from tidegate.container.signals import Signals
from tidegate.container.undoing import Plan, Planning, plan
from tidegate.container.words import split
from tidegate.errors import PolicyRefused, UsageProblem

OPTIONS = ("timeout", "lock_timeout", "backup", "wait_for", "databases", "framework")


def run(glob: Globals, argv: list[str], began: float, environ: Mapping[str, str]) -> int:
    """Run the verb."""
    report = Report("text", glob.quiet)

    def work(signals: Signals) -> int:
        own, _, rest = split(argv, ("to", "way", "approve"), ("plan",))
        settings, _ = settings_for(glob.root, environ, rest, OPTIONS)
        if own.get("way", "down") not in ("down", "backup"):
            raise UsageProblem(f"--way is {own['way']!r}", "", "use down or backup")
        one = Boot(Path(glob.root), environ, settings, report, signals, began)
        gate = open_gate(one.root, environ, settings)
        report.secrets = tuple(c.password.reveal() for c in gate.connections if c.password)
        if len(gate.connections) > 1:
            raise UsageProblem(
                f"the project has {len(gate.connections)} databases", "One goes back at a time.",
                f"name it: --databases {gate.connections[0].alias}",
            )  # fmt: skip
        wait(one, gate)
        (connection,) = gate.connections
        policy = making.policy(gate.root, environ, {})
        planning = Planning(
            gate, connection, policy, environ, own.get("to", ""), own.get("way", "")
        )
        found = plan(planning)
        _show(found, glob.format == "json", bool(own.get("plan")))
        if own.get("plan") or not found.steps:
            return 0
        raising = Raising(gate, connection, settings, one.deadline, report, signals)
        _go(raising, planning, found, own)
        report.stage(
            "rollback", found.alias, "done; start the older image now: this one would migrate again"
        )
        return 0

    return guarded(report, work, "rollback")


def _go(raising: Raising, planning: Planning, found: Plan, own: Mapping[str, str]) -> None:
    if found.chosen is None:
        raise PolicyRefused(
            f"there is no way back for {found.alias}: only forward is left",
            "\n".join(f"{way.name}: {way.why_not}" for way in found.ways if way.why_not),
            "write a new step that undoes the change, and migrate",
        )
    words = [f"--{key} {own[key]}" for key in ("to", "way") if own.get(key)]
    command = " ".join(["tidegate rollback", *words])
    if found.chosen.loses:
        approving.need_word(
            own.get("approve", ""), found.word, found.chosen.loses, command, planning.environ
        )
    if found.chosen.backup:
        verbs.bring_back(raising, found.chosen.backup)
    else:
        go_down(raising, planning, found)


def _show(found: Plan, machine: bool, asked: bool) -> None:
    if machine:
        print(json.dumps({"rollback": found.as_dict()}, indent=2))
    elif asked or not found.steps:
        print("\n".join(_text(found)))


def _text(found: Plan) -> list[str]:
    if not found.steps:
        return [f"{found.alias}: nothing is to be undone ({found.goal})"]
    lines = [f"{found.alias}: back to the level at which it was {found.goal}"]
    lines += [
        f"  undo {one.step}{f' (not possible: {one.refused})' if one.refused else ''}"
        for one in found.undos
    ]
    for way in found.ways:
        name = f"{way.name} {way.backup.shown}" if way.backup else way.name
        mark = " (chosen)" if way is found.chosen else ""
        lines.append(f"  way {name}{mark}: {way.why_not or 'possible'}")
        lines += _listed(way.loses) if not way.why_not else []
    if found.chosen and found.chosen.loses:
        lines.append(f"  to do it: --approve {found.word}")
    if not found.chosen:
        lines.append("  no way back: only forward is left")
    return lines


def _listed(losses: Sequence[str]) -> list[str]:
    return [f"    loses: {line}" for line in losses]
