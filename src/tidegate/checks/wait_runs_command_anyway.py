"""`wait-for-it` runs the command although the wait failed.

Without `--strict` it ends its wait after 15 seconds and starts the command as if all were well; the stack looks healthy and the database was never there.
Give it `--strict` and a deadline that fits the first start, or use `tidegate wait`, which ends with 3 and says what did not answer.
Without a command behind it, the same happens in a script that has no `set -e`.
It is silent where the started command waits by itself.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project import edits, shell, words
from tidegate.reading.project.acts import Act
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "warning"
ERRORS = (r"wait-for-it(\.sh)?: timeout occurred", r"Connection refused")
PRINTED = "wait-for-it.sh: timeout occurred after waiting 15 seconds for db:5432"
WHEN = "when the database takes longer than the deadline, as at its first start"
BAD = {
    "Dockerfile": 'FROM python:3.12\nCOPY . /app\nWORKDIR /app\nENTRYPOINT ["sh", "/app/start.sh"]\n',
    "start.sh": "#!/bin/sh\nset -e\n./wait-for-it.sh db:5432 -- echo up\nexec gunicorn shop.wsgi\n",
    "compose.yaml": "services:\n  web:\n    build: .\n",
}
GOOD = {**BAD, "start.sh": BAD["start.sh"].replace("wait-for-it.sh ", "wait-for-it.sh --strict ")}
AT = "start.sh:3"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield calls of wait-for-it that cannot fail."""
    for service in project.services:
        acts = project.start(service).acts
        for index, act in enumerate(acts):
            name = words.name_of(act.words[0]) if act.words else ""
            if name not in words.WAIT_FOR_IT:
                continue
            if "--" not in act.words:
                if _passed_over(act) and any(one.main for one in acts[index + 1 :]):
                    yield _unheard(act, name)
                continue
            if {"-s", "--strict"} & set(act.words[: act.words.index("--")]):
                continue
            if any(_waits_itself(later) for later in acts[index + 1 :]):
                continue
            yield Problem(
                act.place,
                f"{name} starts the command after its deadline whether the wait succeeded or not.",
                f"write {name} --strict, with -t and the seconds that a first start takes;\nor use `tidegate wait`",
                (service.place,) if service.place.path != act.place.path else (),
                _mend(project, act, name),
            )


def _passed_over(act: Act) -> bool:
    """Whether the shell goes on although the wait failed."""
    one = act.command
    asked = {"condition", "until", "loop"} & set(one.inside)
    if one.after_failure:
        return one.after_failure[0] in shell.QUIET
    return bool(act.through_shell) and not (one.errexit or one.then == "&&" or asked)


def _unheard(act: Act, name: str) -> Problem:
    return Problem(
        act.place,
        f"{name} gives up at its deadline, and the next line runs whether the wait succeeded or not.",
        "put set -e at the top of the script, or || exit 1 behind it;\nor use `tidegate wait`",
    )


def _waits_itself(act: Act) -> bool:
    """Whether what comes after waits once more, in a loop or by a tool of its own."""
    return words.waits(act.words) or bool({"until", "loop"} & set(act.command.inside))


def _mend(project: ProjectFiles, act: Act, name: str) -> tuple[Edit, ...]:
    text = project.read(act.place.path) or ""
    for end in (" ", '", ', '",', "', "):  # in a line of shell, or as a word of a list
        quote = end[0] if end != " " else ""
        strict = f"{name}{end}{quote}--strict{end}"
        found = edits.swap(act.place.path, text, act.place.line, f"{name}{end}", strict)
        if found:
            return found
    return ()
