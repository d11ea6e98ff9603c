"""The settings need a variable that the container does not get.

`.env` beside the Compose file only fills in `${…}` in that file; what the container shall see has to stand under `environment` or in an `env_file`.
The settings ask for the variable as soon as they are loaded, so every command of the container ends there.
It is silent where an `env_file` is not there to be read, where the settings read a file themselves, and where a script exports it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import edits, facts
from tidegate.reading.project.djangosettings import Settings
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.pycode import EnvRead
from tidegate.reading.project.service import Service

SEVERITY = "error"
ERRORS = (
    r"KeyError: '[A-Z_0-9]+'",
    r"ImproperlyConfigured: Set the \w+ environment variable",
    r"\w+ not found\. Declare it as envvar or define a default value",
)
PRINTED = "KeyError: 'STRIPE_KEY'"
WHEN = "at the start, when the settings are loaded"
BAD = {
    ".env": "STRIPE_KEY=sk\n",
    "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n',
    "shop/settings.py": 'import os\n\nSECRET_KEY = "x"\nSTRIPE_KEY = os.environ["STRIPE_KEY"]\n',
    "Dockerfile": 'FROM python:3.12\nCOPY . /app\nWORKDIR /app\nCMD ["gunicorn", "shop.wsgi"]\n',
    "compose.yaml": 'services:\n  web:\n    build: .\n    environment:\n      PYTHONUNBUFFERED: "1"\n',
}
GOOD = {**BAD, "compose.yaml": BAD["compose.yaml"] + "      STRIPE_KEY: ${STRIPE_KEY}\n"}
AT = "shop/settings.py:4"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield variables that the settings demand and a service does not give."""
    for service in facts.built(project):
        settings = project.settings_for(service)
        if (
            settings is None
            or not service.all_env_files_there
            or not facts.loads_settings(project, service)
        ):
            continue
        if _reads_files(project, settings):
            continue
        known = facts.values(service, project)
        exported = " ".join(use.parsed.text for use in project.start(service).scripts)
        for read in settings.reads:
            if (
                not read.required
                or not read.certain
                or read.name in known
                or re.search(rf"\b{read.name}=", exported)
            ):
                continue
            yield _problem(project, service, read)


def _problem(project: ProjectFiles, service: Service, read: EnvRead) -> Problem:
    variable = service.stack.variables.get(read.name)
    also = [service.place]
    if variable is not None:
        also.append(
            Place(service.stack.env_file, variable.line, note="only fills in the Compose file")
        )
    return Problem(
        Place(read.path, read.line),
        f"{service.name} does not get {read.name}, which the settings demand.",
        f"add it to the environment of {service.name}: {read.name}: ${{{read.name}}}",
        tuple(also),
        _mend(project, service, read.name),
        printed=read.refusal,
    )


def _reads_files(project: ProjectFiles, settings: Settings) -> bool:
    text = "\n".join(module.text for module in settings.modules)
    return "dotenv" in (project.read(project.manage) or "") or bool(
        re.search(
            r"read_env|load_dotenv|decouple|dotenv|read_envfile|/run/secrets|environ\.setdefault|environ\.update",
            text,
        )
    )


def _mend(project: ProjectFiles, service: Service, name: str) -> tuple[Edit, ...]:
    found = service.get("environment")
    if found is None or found.path != service.item.path or not found.entries:
        return ()
    return edits.add_key(found, project.read(found.path) or "", name, f" ${{{name}}}")
