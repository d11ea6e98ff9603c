"""`rollback` through the project's target: what it shows, and the word that it asks for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tidegate.container import approving, ways
from tidegate.container.entry import Globals
from tidegate.container.outlet import answer
from tidegate.container.report import Report
from tidegate.contracts.target import Target
from tidegate.errors import PolicyRefused, TidegateError
from tidegate.frontends.cli import keeping
from tidegate.frontends.cli.again import again
from tidegate.frontends.cli.outside import Option
from tidegate.frontends.cli.serving import Serving
from tidegate.model.command import line
from tidegate.workflows.update import proofs, rolling
from tidegate.workflows.update.rolled import Rolling, Wish
from tidegate.workflows.update.state import State
from tidegate.workflows.update.updating import Update

OPTIONS = (
    Option("--plan"), Option("--safe"),
    *(Option(f"--{name}", True) for name in ("to", "way", "from", "approve", "databases")),
)  # fmt: skip


def run(
    glob: Globals, argv: Sequence[str], target: Target, report: Report,
    found: Mapping[str, str], environ: Mapping[str, str],
) -> int:  # fmt: skip
    """Look, ask for the word where data would be lost, then go."""
    known = keeping.known(Path(glob.root), environ, found)
    with Serving(environ, keeping.bringing(keeping.opening(known, environ), target, environ)) as by:
        keeping.offer(by, list(known.values()))
        try:
            command = again(_command(found), glob, argv)
            return _run(glob, target, report, found, environ, by, command)
        except TidegateError as error:
            raise by.problem or error from None


def _run(
    glob: Globals, target: Target, report: Report, found: Mapping[str, str],
    environ: Mapping[str, str], by: Serving, command: str,
) -> int:  # fmt: skip
    state = State(target.name, Path(glob.root), environ)
    one = Update(target, state, report, line=lambda text: None, show=lambda text: None, share=by)
    wish = Wish(
        found.get("--to", ""), found.get("--way", ""), found.get("--from", ""),
        found.get("--databases", ""), "--safe" in found,
    )  # fmt: skip
    planned = rolling.look(one, wish)
    advice = _advice(planned, command)
    document = {**planned.as_dict(), "next": advice}
    if "--plan" in found or not (planned.steps or planned.changes):
        _show(glob, planned, document)
        return 0
    words = _words(planned, found.get("--approve", ""), command, environ, wish.safe)
    done = rolling.go(one, planned, words)
    if glob.format == "json":
        answer(json.dumps(done, indent=2))
    else:
        report.stage("rollback", target.name, _done(planned))
    return 0


def _command(found: Mapping[str, str]) -> str:
    said = ("--to", "--way", "--from", "--databases")
    words = [word for flag in said if flag in found for word in (flag, found[flag])]
    return line(["tidegate", "rollback", *words])


def _losing(plan: Mapping[str, Any]) -> list[str]:
    """Return what the chosen way loses."""
    return [line for way in plan["ways"] if way["way"] == plan["chosen"] for line in way["loses"]]


def _words(
    planned: Rolling, given: str, command: str, environ: Mapping[str, str], safe: bool
) -> dict[str, str]:
    """Return the approval of each database, as a person gave them."""
    if planned.by_image:
        return {}
    for plan in planned.plans:
        if plan["steps"] and not plan["chosen"]:
            closed = [f"{way['way']}: {way['why']}" for way in plan["ways"] if way["why"]]
            raise PolicyRefused(
                f"there is no way back for {plan['database']} as asked for; nothing was changed",
                "\n".join(closed), _advice(planned, command),
            )  # fmt: skip
    losing = {plan["database"]: plan["plan"] for plan in planned.plans
              if plan["steps"] and _losing(plan)}  # fmt: skip
    if losing and not safe:
        lost = [line for plan in planned.plans if plan["steps"] for line in _losing(plan)]
        approving.need_word(given, ",".join(losing.values()), lost, command, environ)
    return losing


def _advice(planned: Rolling, command: str) -> str:
    if not planned.steps and not planned.changes:
        return "nothing to do"
    if planned.by_image:
        return command
    for plan in planned.plans:
        if plan["steps"] and not plan["chosen"]:
            other = next((way["way"] for way in plan["ways"] if way["possible"]), "")
            return f"{command} --way {other} --plan" if other else ways.FORWARD
    words = [plan["plan"] for plan in planned.plans if plan["steps"] and _losing(plan)]
    return f"{command} --approve {','.join(words)}" if words else command


def _show(glob: Globals, planned: Rolling, document: Mapping[str, Any]) -> None:
    if glob.format == "json":
        answer(json.dumps({"rollback": document}, indent=2))
        return
    answer("\n".join(_text(planned, str(document["next"]))))


def _text(planned: Rolling, advice: str) -> list[str]:
    goal = planned.goal
    if goal is None:
        lines = [f"the containers stay as they are: {planned.why}"]
    else:
        lines = [f"release {goal.shown}: {planned.why}"]
    for name in planned.changes if goal else []:
        before, after = planned.now.images.get(name, ""), goal.images.get(name, "") if goal else ""
        text = f"image {before[7:19] or 'none'} -> {after[7:19] or 'removed'}"
        lines.append(f"  {name}: {text if before != after else 'its configuration'}")
    lines += _image(planned)
    for plan in planned.plans:
        seen = {**plan, "chosen": None} if planned.by_image else plan
        lines += ways.text(seen)[:-1] if plan["steps"] else ways.text(plan)
    return [*lines, f"next: {advice}"]


def _image(planned: Rolling) -> list[str]:
    if not planned.changes or not planned.steps:
        return []
    if planned.unproved:
        return [f"way image: closed: {planned.unproved}"]
    taken = "taken" if planned.by_image else "open"
    return [f"way image: {taken}, loses nothing: the schema stays as it is",
            *(f"    {proofs.shown(one)}" for one in planned.proofs)]  # fmt: skip


def _done(planned: Rolling) -> str:
    if planned.goal is None:
        return "the schema is back; the containers stay as they are: start the image that fits"
    text = f"release {planned.goal.shown} runs"
    if planned.goal.revision:
        text += f"; the files here may be newer: git checkout {planned.goal.revision}"
    return text
