"""The build loads the settings, and they demand a variable that a build does not have.

`collectstatic` in a RUN imports the settings; those read the secret key from the environment, which exists when the container runs and not when the image is built.
Give the one command a value of its own; a value in ENV would stay in the image.
It is silent where the command, an ARG or an ENV gives the variable, and where the settings have a default.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import edits, words
from tidegate.reading.project.djangosettings import Settings
from tidegate.reading.project.image import Image, Run
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.pycode import EnvRead
from tidegate.reading.project.shell import Command

SEVERITY = "error"
ERRORS = (
    r"The SECRET_KEY setting must not be empty",
    r"SECRET_KEY must be at least",
    r"KeyError: '[A-Z_0-9]+'",
    r"Set the \w+ environment variable",
    r"\w+ not found\. Declare it as envvar",
)
PRINTED = "KeyError: 'SECRET_KEY'"
WHEN = "when the image is built"
BAD = {
    "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n',
    "shop/settings.py": 'import os\n\nSECRET_KEY = os.environ["SECRET_KEY"]\n',
    "Dockerfile": 'FROM python:3.12\nCOPY . /app\nWORKDIR /app\nRUN python manage.py collectstatic --noinput\nCMD ["gunicorn", "shop.wsgi"]\n',
}
GOOD = {
    **BAD,
    "Dockerfile": BAD["Dockerfile"].replace(
        "RUN python", "RUN SECRET_KEY=only-for-the-build python"
    ),
}
AT = "Dockerfile:4"
_NO_SETTINGS = ("makemessages", "compilemessages", "startapp", "startproject", "help", "version")


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield management commands of a build whose settings would refuse to load."""
    for image in project.images:
        for run in image.own_runs:
            for command in run.script.flat():
                if not words.manage(command.words) or words.manage(command.words) in _NO_SETTINGS:
                    continue
                yield from _one(project, image, run, command)


def _one(project: ProjectFiles, image: Image, run: Run, command: Command) -> Iterable[Problem]:
    given = {**run.environ, **dict(command.env), **dict(_prefixed(command))}
    settings = _settings(project, given, command)
    ignored = command.after_failure and command.after_failure[0] in ("true", ":", "echo")
    if settings is None or ignored or _reads_file(project, settings, image):
        return
    django = project.requirements.get("django")
    version = django.version if django is not None else ()
    exported = set(re.findall(r"export\s+(\w+)=", run.script.text))
    missing = [
        one
        for one in _demanded(settings, () < version < (3, 2))
        if one.name not in given and one.name not in exported
    ]
    mounted = [value for value in run.instruction.options("mount") if "secret" in value]
    if not missing or mounted:
        return
    names = list(dict.fromkeys(one.name for one in missing))
    line = run.line(command)
    text = project.read(image.path) or ""
    fake = " ".join(f"{name}=only-for-the-build" for name in names)
    first = command.words[0]
    simple = all(re.search(r"KEY|SECRET|SALT|TOKEN|PASSWORD", name) for name in names)
    yield Problem(
        Place(image.path, line),
        f"`{words.manage(command.words)}` loads the settings, which demand {', '.join(names)}, and a build does not have that.",
        f"write RUN {fake} {first} … (not ENV: that would stay in the image)",
        tuple(Place(one.path, one.line) for one in missing[:3]),
        edits.swap(image.path, text, line, f"{first} ", f"{fake} {first} ")
        if simple and not command.env
        else (),
        printed=missing[0].refusal,
    )


def _prefixed(command: Command) -> list[tuple[str, str]]:
    return [
        (w.partition("=")[0], w.partition("=")[2])
        for w in command.words
        if re.match(r"[A-Z_][A-Z0-9_]*=", w)
    ]


def _settings(project: ProjectFiles, given: dict[str, str], command: Command) -> Settings | None:
    flag = next((w.partition("=")[2] for w in command.words if w.startswith("--settings=")), "")
    name = flag or given.get("DJANGO_SETTINGS_MODULE", "")
    return project.settings_named(name) if name else project.settings


def _demanded(settings: Settings, old: bool) -> list[EnvRead]:
    """Return what has to be there; before 3.2 Django wanted a key as soon as it loaded settings."""
    out = [one for one in settings.reads if one.required and one.certain]
    key = settings.last("SECRET_KEY")
    for one in settings.reads:
        empty = old and not one.required and one.default in (None, "")
        if (
            key is not None
            and empty
            and (one.path, one.line) == (key.path, key.line)
            and not settings.conditional("SECRET_KEY")
        ):
            out.append(one)
    return out


def _reads_file(project: ProjectFiles, settings: Settings, image: Image) -> bool:
    """Whether manage.py or the settings read a .env file, and the image has one."""
    texts = [*(module.text for module in settings.modules), project.read(project.manage) or ""]
    there = not image.ignore.ignores(".env") or any(
        copy.target.endswith("/.env") or (copy.into and copy.source.endswith(".env"))
        for copy in image.copies
    )
    return there and bool(re.search(r"read_env|load_dotenv|decouple|dotenv", "\n".join(texts)))
