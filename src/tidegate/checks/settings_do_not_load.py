"""The app's configuration does not load where the app runs.

The container ends as soon as it starts, whatever its command is, and with a restart policy it does so again and again.
`--import` loads the settings, the installed apps, or Alembic's env.py in a one-off container of the service, which has the packages, the variables and the files that the app will have, and says where it stopped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project.live import Live
from tidegate.reading.project.loaded import Failure
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import place_in

SEVERITY = "error"
ERRORS = (
    r"ModuleNotFoundError: No module named '[\w.]+'",
    r"ImportError: cannot import name '\w+'",
    r"ImproperlyConfigured: .+",
    r"django\.core\.exceptions\.AppRegistryNotReady",
)
PRINTED = "ModuleNotFoundError: No module named 'storages'"
WHEN = "at the start, before the first line of the app"


def look_live(project: ProjectFiles, live: Live) -> Iterable[Problem]:
    """Yield configurations that stopped while they were loaded, each failure once."""
    seen: set[Failure] = set()
    for name, one in project.loaded.items():
        failure = one.failure
        if failure is None or failure in seen:
            continue
        seen.add(failure)
        who = name or "this Python"
        service = place_in(project.services, name) if name else None
        place = Place(failure.path, failure.line) if failure.path else None
        place = place or _named(project, failure.module) or service or Place(project.manage)
        also = (service,) if service is not None and service != place else ()
        yield Problem(
            place,
            f"{who} can't load {failure.what}.",
            _remedy(failure, who),
            also,
            printed=f"{failure.type}: {failure.text}",
        )


def _named(project: ProjectFiles, module: str) -> Place | None:
    """Return the line of the settings that names a module as a text, as INSTALLED_APPS does."""
    for one in project.settings.modules if project.settings and module else ():
        for number, line in enumerate(one.text.split("\n"), 1):
            if re.search(rf"""['"]{re.escape(module)}(\.[\w.]+)?['"]""", line):
                return Place(one.path, number)
    return None


def _remedy(failure: Failure, who: str) -> str:
    if failure.module:
        package = failure.module.partition(".")[0]
        return (
            f"install what brings the module {package} in the image of {who},\n"
            "or correct the name where it is imported"
        )
    variable = re.search(
        r"^'([A-Z][A-Z0-9_]+)'$|Set the (\w+) environment|^([A-Z][A-Z0-9_]+) not found",
        failure.text,
    )
    if variable is not None:
        name = next(one for one in variable.groups() if one)
        return f"give {name} to {who}, under environment or in its env_file"
    if "postgres" in failure.text and failure.type == "NoSuchModuleError":
        return "write postgresql:// in place of postgres:// in the URL"
    return "correct it there; every command of the app ends in the same way"
