"""A deployment goes on although its migration failed.

Without `set -e` a script runs its next line whatever the last one said: the new release starts on the old schema, and the log shows a deployment that went well.
Let the script end where the migration fails, or use `tidegate up`, which starts nothing before the schema is there.
It is silent with `set -e`, behind `&&`, and where the failure is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import edits, facts, scripts, shell, words
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "warning"
ERRORS = (
    r"column \S+ (of relation \S+ )?does not exist",
    r"relation \S+ does not exist",
    r"no such (table|column)",
)
PRINTED = 'column "total" does not exist'
WHEN = "after a deployment whose migration failed, at the first request that needs it"
BAD = {
    "Dockerfile": 'FROM python:3.12\nWORKDIR /app\nCOPY . .\nCMD ["gunicorn", "shop.wsgi"]\n',
    "compose.yaml": "services:\n  web:\n    build: .\n    healthcheck: {test: test -f /ready}\n",
    "deploy.sh": "#!/bin/sh\ndocker compose pull\ndocker compose run --rm web python manage.py migrate\ndocker compose up -d\n",
}
GOOD = {**BAD, "deploy.sh": BAD["deploy.sh"].replace("#!/bin/sh\n", "#!/bin/sh\nset -e\n")}
AT = "deploy.sh:3"
_STARTS = {
    "docker": (("stack", "deploy"), ("service", "update"), ("rollout",)),
    "kubectl": (("rollout", "restart"), ("set", "image"), ("apply",)),
    "helm": (("upgrade",), ("install",)),
    "systemctl": (("restart",), ("start",), ("reload",)),
    "supervisorctl": (("restart",), ("start",)),
}


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield migrations of deployment scripts that are followed by a start in any case."""
    for path, name, commands in scripts.deployments(project):
        made = not path.endswith((".sh", ".bash"))
        for index, one in enumerate(commands):
            if not _passed_over(one) or not _migrates(project, one):
                continue
            if made and not one.after_failure:
                continue  # make and just end with the first command that fails
            after = next((each for each in commands[index + 1 :] if _starts(each)), None)
            if after is None:
                break
            yield Problem(
                Place(path, one.line),
                f"{name} starts the new release (`{' '.join(after.bare.words[:3])}`) although the migration failed.",
                "take away what hides the failure: the - before the command, or || true behind it"
                if made
                else "put set -e at the top of the script, or || exit 1 behind the command",
                (Place(path, after.line, note="starts it"),),
                _mend(project, path, one),
            )
            break


def _migrates(project: ProjectFiles, one: shell.Command) -> bool:
    """Whether a command of the host migrates: by itself, or in a container."""
    said = scripts.compose_words(one)
    if said[:1] not in (["run"], ["exec"]):
        return words.migrates(one.bare.words)
    inner = tuple(said[1:])
    if any(words.migrates(inner[at:]) for at in range(len(inner))):
        return True
    plain = [word for word in inner if not word.startswith("-")]
    return said[0] == "run" and any(
        service.name in plain and facts.one_shot(project, service)
        and facts.migrating(project, service) is not None
        for service in project.services
    )  # fmt: skip


def _passed_over(one: shell.Command) -> bool:
    if one.after_failure:
        return one.after_failure[0] in shell.QUIET
    return not (one.errexit or one.then == "&&" or {"condition", "until"} & set(one.inside))


def _starts(one: shell.Command) -> bool:
    said = scripts.compose_words(one)
    if said:
        return said[0] in ("up", "restart", "start")
    return _begins(one.bare.words)


def _begins(argv: Sequence[str]) -> bool:
    plain = tuple(word for word in argv[1:] if not word.startswith("-"))
    wanted = _STARTS.get(words.name_of(argv[0]), ()) if argv else ()
    return any(plain[: len(one)] == one for one in wanted)


def _mend(project: ProjectFiles, path: str, one: shell.Command) -> tuple[Edit, ...]:
    text = project.read(path) or ""
    lines = text.split("\n")
    line = lines[one.line - 1].rstrip() if one.line <= len(lines) else ""
    if one.after_failure or any(word in line for word in ("\\", ";", "&", "|", "#", "<")):
        return ()
    at = edits.line_start(text, one.line) + len(line)
    return (Edit(path, at, at, " || exit 1"),)
