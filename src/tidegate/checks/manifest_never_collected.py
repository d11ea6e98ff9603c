"""Templates ask for hashed file names, and nothing collects static files.

A manifest storage reads `staticfiles.json`, which `collectstatic` writes; without it every `{% static %}` raises once DEBUG is off.
It is silent where the build, a start or a script of the project collects.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import facts, words
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "warning"
ERRORS = (r"Missing staticfiles manifest entry for",)
PRINTED = "ValueError: Missing staticfiles manifest entry for 'css/app.css'"
WHEN = "at the first page with a static file"
BAD = {
    "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n',
    "shop/settings.py": 'SECRET_KEY = "x"\nSTATIC_ROOT = "/srv/static"\nSTORAGES = {\n    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},\n}\n',
    "Dockerfile": 'FROM python:3.12\nWORKDIR /app\nCOPY . .\nCMD ["gunicorn", "shop.wsgi"]\n',
    "compose.yaml": "services:\n  web:\n    build: .\n",
}
GOOD = {
    **BAD,
    "Dockerfile": BAD["Dockerfile"].replace(
        "CMD", "RUN python manage.py collectstatic --noinput\nCMD"
    ),
}
AT = "shop/settings.py:3"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield a manifest storage of a project that never collects."""
    services = [one for one in facts.built(project) if _serves_django(project, one)]
    if not services or _collects(project):
        return
    settings = project.settings_for(services[0])
    found = (
        settings.last("STORAGES") or settings.last("STATICFILES_STORAGE")
        if settings is not None
        else None
    )
    if settings is None or found is None or found.conditional:
        return
    backend = str(settings.value(found.name))
    if "Manifest" in backend and "DEBUG" not in backend:
        image = project.image(services[0])
        yield Problem(
            Place(found.path, found.line),
            "The manifest storage needs staticfiles.json, and neither the build nor any start collects static files.",
            "add RUN python manage.py collectstatic --noinput to the Dockerfile, or start with `tidegate boot -- COMMAND`",
            (Place(image.path, image.stage.line),) if image else (),
        )


def _serves_django(project: ProjectFiles, service: object) -> bool:
    main = facts.main_of(project, service)  # type: ignore[arg-type]
    return main is not None and words.serves(main.words) and words.manage(main.words) != "runserver"


def _collects(project: ProjectFiles) -> bool:
    for path in project.paths:
        name = path.rpartition("/")[2]
        script = path.endswith((".sh", ".yml", ".yaml", ".toml")) or name in (
            "Makefile",
            "justfile",
            "Procfile",
            "entrypoint",
            "start",
        )
        if (script or name.startswith("Dockerfile") or "." not in name) and "collectstatic" in (
            project.read(path) or ""
        ):
            return True
    return any(
        words.program(act.words) == "tidegate"
        for one in project.services
        for act in project.start(one).acts
    )
