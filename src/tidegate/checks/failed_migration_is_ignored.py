"""The app starts although its migration failed.

Without `set -e`, or behind `;`, a shell goes on after a failure: the app serves a schema that is half there, and the container looks healthy.
`|| true` does the same on purpose.
Put `set -e` at the top of the script, or `&&` between the commands.
It is silent where the failure is looked at: `|| exit`, an `if` that ends or does something, `until`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project import edits, shell, words
from tidegate.reading.project.acts import Act, shown
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "error"
ERRORS = (
    r"relation \"?[\w.]+\"? does not exist",
    r"column (\"?[\w.]+\"? )?does not exist",
    r"no such (table|column)",
    r"UndefinedColumn",
)
PRINTED = 'column "total" does not exist'
WHEN = "at the first request that meets what the failed migration should have made"
BAD = {
    "Dockerfile": 'FROM python:3.12\nWORKDIR /app\nCOPY . .\nENTRYPOINT ["sh", "/app/start.sh"]\n',
    "start.sh": "#!/bin/sh\npython manage.py migrate --noinput\nexec gunicorn shop.wsgi\n",
    "compose.yaml": "services:\n  web:\n    build: .\n",
}
GOOD = {**BAD, "start.sh": BAD["start.sh"].replace("#!/bin/sh\n", "#!/bin/sh\nset -e\n")}
AT = "start.sh:2"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield migrations whose failure nothing notices, with an app behind them."""
    for service in project.services:
        acts = project.start(service).acts
        for index, act in enumerate(acts):
            if not words.migrates(act.words) or not acts[index + 1 :]:
                continue
            later = acts[index + 1 :]
            main = next((one for one in later if one.main or words.serves(one.words)), None)
            why = _ignored(project, act, main)
            if not why and act.loose and main is not None and _ends_script(act):
                yield Problem(
                    act.loose,
                    f"`{shown(main.words[:3])}` starts although {act.script} failed, which runs `{shown(act.words)}`.",
                    "join the commands with &&, or put set -e above them",
                    (act.place,),
                )
                break
            if why and main is not None:
                place = act.caught or act.place
                also = [one for one in (act.place, main.place) if one != place]
                yield Problem(
                    place,
                    f"`{shown(main.words[:3])}` starts although `{shown(act.words)}` failed: {why}.",
                    _remedy(act),
                    tuple(also),
                    _mend(project, act),
                    "warning" if act.command.after_failure else "",
                )
                break


def _ends_script(act: Act) -> bool:
    """Whether a failure of the migration ends its script with a failure."""
    return act.command.errexit or act.command.after_failure[:1] == ("exit",)


def _ignored(project: ProjectFiles, act: Act, main: Act | None) -> str:
    one = act.command
    if not act.through_shell or {"until", "loop"} & set(one.inside):
        return ""
    if one.after_failure:
        if one.after_failure[0] not in shell.QUIET and not one.only_said:
            return ""
        if "condition" not in one.inside:
            return f"`|| {shown(one.after_failure)}` hides it"
        return "" if main is None or _chosen(one, main.command) else "the `if` around it goes on"
    if one.errexit or one.then == "&&" or "condition" in one.inside:
        return ""
    if one.piped:
        return "the pipe behind it hides it"
    if act.script:
        return "there is no set -e"
    joined = ";" in _line(project, act)
    return "the commands are joined with ;" if joined else "the next line runs all the same"


def _chosen(asked: shell.Command, main: shell.Command) -> bool:
    """Whether the app's own command may stand in a branch of the `if` that asks."""
    around = asked.inside[: asked.inside.index("condition")]
    behind = main.inside[len(around) : len(around) + 1]
    return main.inside[: len(around)] == around and behind in (("if",), ("else",))


def _remedy(act: Act) -> str:
    one = act.command
    if "condition" in one.inside:
        return "end the branch for the failure with exit 1"
    if one.after_failure:
        return f"take `|| {shown(one.after_failure)}` away, or let it end with exit 1"
    if one.piped:
        return "put set -o pipefail beside set -e (bash), or write to a file in place of the pipe"
    if act.script:
        return "put set -e at the top of the script, or || exit 1 behind the command"
    return "join the commands with &&"


def _line(project: ProjectFiles, act: Act) -> str:
    lines = (project.read(act.place.path) or "").split("\n") if act.place.line else [""]
    return lines[act.place.line - 1].rstrip() if act.place.line <= len(lines) else ""


def _mend(project: ProjectFiles, act: Act) -> tuple[Edit, ...]:
    text = project.read(act.place.path) or ""
    if act.script and act.script != act.place.path:
        return ()  # the script runs what another file gives it
    if act.command.after_failure:
        told = act.caught or act.place
        for tail in (" || true", " || :"):
            found = edits.swap(told.path, project.read(told.path) or "", told.line, tail, "")
            if found:
                return found
        return _ending(project, act) if told == act.place else ()
    line = _line(project, act)
    if act.command.piped:
        return ()
    if act.script and not any(word in line for word in ("\\", ";", "&", "|", "#", "<")):
        # Less than set -e, which would also end the script at commands that may fail.
        at = edits.line_start(text, act.place.line) + len(line)
        return (Edit(act.script, at, at, " || exit 1"),)
    if act.script:
        at = 2 if text.startswith("#!") else 1
        return (edits.insert_line(act.script, text, at, "set -e"),)
    if line.strip() == shown(act.words):  # a line of its own, in a block of YAML or a heredoc
        at = edits.line_start(text, act.place.line) + len(line)
        return (Edit(act.place.path, at, at, " &&"),)
    return edits.swap(act.place.path, text, act.place.line, ";", " &&")


_SAYS = re.compile(r"\|\| (?P<said>(?:echo|printf) [^;&|{}#\\`]*)$")


def _ending(project: ProjectFiles, act: Act) -> tuple[Edit, ...]:
    """Let a message that hides the failure end the script too."""
    line = _line(project, act)
    found = _SAYS.search(line)
    if not act.script or found is None or line.count("||") != 1:
        return ()
    at = edits.line_start(project.read(act.place.path) or "", act.place.line) + found.start()
    return (Edit(act.place.path, at, at + len(found[0]), f"|| {{ {found['said']}; exit 1; }}"),)
