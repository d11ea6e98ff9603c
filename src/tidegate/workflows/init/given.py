"""What the image itself tells the app: where its modules lie, and which settings it loads."""

from __future__ import annotations

import posixpath
import re

from tidegate.reading.project.project import ProjectFiles

_SETTINGS = re.compile(r"""DJANGO_SETTINGS_MODULE['"]\s*[,\]]\s*=?\s*['"]([\w.]+)""")
_FLASK_APP = re.compile(r"""^(?:export\s+)?FLASK_APP=["']?([^\s"'#]+)""", re.M)
# Where the `flask` command looks by itself.
_USUAL = ("app", "wsgi")


def of_the_server(project: ProjectFiles) -> ProjectFiles:
    """Return the project with the settings that its server loads, where manage.py has others.

    `manage.py` is a developer's and names theirs; what serves, and so what migrates before it, takes
    those of wsgi.py.
    """
    if project.settings is None:
        return project
    package = posixpath.join(
        posixpath.dirname(project.manage), project.settings.module.split(".")[0]
    )
    for name in ("wsgi", "asgi"):
        found = _SETTINGS.search(project.read(f"{package}/{name}.py") or "")
        module = found[1] if found else ""
        if module and module != project.settings.module and project.settings_named(module):
            return ProjectFiles(project.root, project.asked, project.environ, chosen=module)
    return project


def source(project: ProjectFiles, folder: str) -> str:
    """Return `src` where the code lies below it and imports itself without that name."""
    prefix = posixpath.join(folder, "src") + "/"
    files = [one for one in project.paths if one.startswith(prefix) and one.endswith(".py")]
    named = re.compile(r"^\s*(?:from|import) src\b", re.M)
    return (
        "src" if files and not any(named.search(project.read(one) or "") for one in files) else ""
    )


def variables(
    project: ProjectFiles, folder: str, app: str, names: frozenset[str]
) -> tuple[tuple[str, str], ...]:
    """Return the variables of the image without which its app is not found, or is another."""
    out = []
    module = app.partition(":")[0]
    below = posixpath.join("/app", folder, "src")
    inside = module.replace(".", "/")
    where = [posixpath.join(folder, "src", inside + end) for end in (".py", "/__init__.py")]
    if (
        not project.manage
        and source(project, folder)
        and any(map(project.path_set.__contains__, where))
    ):
        out.append(("PYTHONPATH", below))
    if project.chosen:
        out.append(("DJANGO_SETTINGS_MODULE", project.chosen))
    if "flask-migrate" in names and module.split(".")[0] not in _USUAL:
        told = _FLASK_APP.search(project.read(posixpath.join(folder, ".flaskenv")) or "")
        out.append(("FLASK_APP", told[1] if told else app.removesuffix("()")))
    return tuple(out)
