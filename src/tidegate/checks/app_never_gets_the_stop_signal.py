"""A shell stays process 1, and the app behind it never hears that it should stop.

`docker stop` signals process 1. A shell that waits for its child does not pass the signal on: after ten seconds the app is killed in the middle of its requests, jobs and statements.
Write `exec` before the last command; the shell then becomes the app.
An init program in front (`init: true`, tini) does not help, as it signals the shell alone; `tini -g` and dumb-init signal the whole group.
It is silent for development servers, for `bash -c` and Alpine's `sh -c`, which do that exec by themselves, and where a trap is set.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import edits, words
from tidegate.reading.project.acts import Act, Start, shown
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.image import Image
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "warning"
ERRORS = (r"exited with code 137", r"Exited \(137\)", r"SIGKILL", r"SIGTERM")
PRINTED = "exited with code 137"
WHEN = "at every stop and every update: ten seconds, then SIGKILL"
BAD = {
    "Dockerfile": 'FROM python:3.12\nWORKDIR /app\nCOPY . .\nENTRYPOINT ["sh", "/app/start.sh"]\n',
    "start.sh": "set -e\npython warm.py\ngunicorn shop.wsgi\n",
    "compose.yaml": "services:\n  web:\n    build: .\n",
}
GOOD = {**BAD, "start.sh": BAD["start.sh"].replace("gunicorn", "exec gunicorn")}
AT = "start.sh:3"
_BUILT_IN = ("time", "command", "builtin")  # no programs that a shell could become
_DEVELOPMENT = (
    "runserver",
    "runserver_plus",
    "--reload",
    "--debug",
    "dev",
    "watchmedo",
    "watchfiles",
    "flower",
)


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield servers and workers whose shell stays their parent."""
    for service in project.services:
        start = project.start(service)
        for main in start.acts:
            if not _stays_behind(main) or _copes(start, main):
                continue
            if _execs_by_itself(project.image(service), start, main):
                continue
            said = _said(main)
            place = main.handed or main.place
            also = main.place if main.handed else start.entrypoint_place
            yield Problem(
                place,
                f"The shell stays process 1 of {service.name}, and `{said}` never gets the signal to stop.",
                _remedy(start, main, said),
                (also,) if also != place and start.entrypoint else (),
                _mend(project, start, main),
            )


def _said(main: Act) -> str:
    """Return the first words of the command as they are written, with a runner in front."""
    whole = main.command.written or main.words
    whole = main.words if whole[0] in _BUILT_IN else whole
    return shown(whole[: len(whole) - len(main.words) + 2])


def _remedy(start: Start, main: Act, said: str) -> str:
    if main.command.then in ("&&", "||", ";") and not main.handed:
        return "take away what stands behind it, and write exec before it: a trap can do such work at the end"
    if main.handed:
        return 'write exec before it: exec "$@"'
    if start.shell_form and not main.script and len(start.acts) == 1:
        return f"use the exec form: {_exec_form(main)}"
    return f"write exec before it: exec {said} …"


def _stays_behind(main: Act) -> bool:
    if not (words.serves(main.words) or words.is_worker(main.words)):
        return False
    if {"--detach", "-D", "--daemon", "--daemonize", "multi"} & set(main.words):
        return False  # it goes its own way; what stays is something else
    return bool(main.through_shell) and not main.command.replaces


def _copes(start: Start, main: Act) -> bool:
    if set(_DEVELOPMENT) & set(main.words) or words.program(main.words) in (
        "nginx",
        "supervisord",
        "circusd",
        "honcho",
    ):
        return True
    if any(set(_DEVELOPMENT) & set(one) for one in _as_written(start, main)):
        return True
    first = [words.name_of(word) for word in start.argv[:4]]
    if (
        "dumb-init" in first
        or ("tini" in first and "-g" in start.argv)
        or "/init" in start.argv[:1]
    ):
        return True
    texts = [
        use.parsed.text for use in start.scripts
        if words.name_of(use.path) not in words.WAIT_FOR_IT
    ]  # fmt: skip
    return (
        any("trap " in text for text in texts)
        or "&" in main.command.inside
        or "loop" in main.command.inside
    )


def _execs_by_itself(image: Image | None, start: Start, main: Act) -> bool:
    """Whether the shell becomes its last command: bash and busybox do for -c, dash does not."""
    busybox = image is None or "alpine" in image.base or "busybox" in image.base
    shells = ("bash", "sh", "ash") if busybox else ("bash",)
    return main.through_shell in shells and main is start.acts[-1] and main.command.always


def _as_written(start: Start, main: Act) -> Iterable[list[str]]:
    """Yield the command with the wrappers that it stands behind, such as watchmedo."""
    for use in start.scripts:
        if use.path == main.script:
            yield use.parsed.text[main.command.start : main.command.end].split()


def _exec_form(main: Act) -> str:
    return "[" + ", ".join(f'"{word}"' for word in main.words) + "]"


def _mend(project: ProjectFiles, start: Start, main: Act) -> tuple[Edit, ...]:
    if main.handed:
        return _handed(project, main.handed)
    if main.command.then in ("&&", "||", ";"):
        return ()  # an exec would keep what stands behind it from running
    text = project.read(main.place.path) or ""
    line = text.split("\n")[main.place.line - 1] if main.place.line else ""
    first = (main.command.written or main.words)[0]
    if first in _BUILT_IN:
        return ()
    if "exec" in line or line.count(first) != 1:
        before = [one for one in (" && ", "; ") if f"{one}{first} " in line]
        if "exec" in line or len(before) != 1 or line.count(before[0] + first + " ") != 1:
            return ()
        return edits.swap(
            main.place.path, text, main.place.line, before[0] + first, before[0] + "exec " + first
        )
    if main.script:
        return edits.swap(main.place.path, text, main.place.line, first, "exec " + first)
    if (
        start.shell_form
        and line.split()[:1] in (["CMD"], ["ENTRYPOINT"])
        and not line.rstrip().endswith("\\")
    ):
        return edits.swap(main.place.path, text, main.place.line, first, "exec " + first)
    return ()


def _handed(project: ProjectFiles, place: Place) -> tuple[Edit, ...]:
    """Put exec before the script's own `"$@"`, where that begins a line and ends it."""
    text = project.read(place.path) or ""
    line = text.split("\n")[place.line - 1]
    if line.strip() not in ('"$@"', "$@", '"${@}"'):
        return ()
    return edits.swap(place.path, text, place.line, line.strip(), f"exec {line.strip()}")
