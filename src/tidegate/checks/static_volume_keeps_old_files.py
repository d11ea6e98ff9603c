"""A volume lies over the collected static files, and only the build collects.

A named volume is filled from the image once, when it is new; every later image brings its files and the volume keeps showing the first ones.
Collect when the container starts (`tidegate boot` does, when its inputs have changed), or leave the volume away and serve from the image.
It is silent where something at the start collects.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project import facts, words
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Service

SEVERITY = "warning"
ERRORS = (r"Missing staticfiles manifest entry for", r"0 static files copied.*unmodified")
PRINTED = "0 static files copied to '/app/static', 131 unmodified."
WHEN = "after the first update: pages come with the CSS and scripts of the first release"
BAD = {
    "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n',
    "shop/settings.py": 'from pathlib import Path\n\nBASE_DIR = Path(__file__).resolve().parent.parent\nSECRET_KEY = "x"\nSTATIC_ROOT = BASE_DIR / "static"\n',
    "Dockerfile": 'FROM python:3.12\nWORKDIR /app\nCOPY . .\nRUN python manage.py collectstatic --noinput\nCMD ["gunicorn", "shop.wsgi"]\n',
    "compose.yaml": "services:\n  web:\n    build: .\n    volumes:\n      - static:/app/static\nvolumes:\n  static:\n",
}
GOOD = {
    **BAD,
    "Dockerfile": BAD["Dockerfile"].replace(
        'CMD ["gunicorn"', 'CMD ["tidegate", "boot", "--", "gunicorn"'
    ),
}
AT = "compose.yaml:5"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield volumes over STATIC_ROOT of images that collect at build alone."""
    for service in facts.built(project):
        image = project.image(service)
        assert image is not None
        at_build = [
            (run, one)
            for run in image.runs
            for one in run.script.flat()
            if words.collects(one.words)
        ]
        settings = project.settings_for(service)
        if not at_build or settings is None or _at_start(project, service):
            continue
        value = settings.value("STATIC_ROOT", facts.values(service, project))
        root = facts.container_path(project, service, value)
        for mount in service.mounts:
            if (
                root
                and mount.kind == "volume"
                and (root + "/").startswith(mount.target.rstrip("/") + "/")
            ):
                run, command = at_build[0]
                yield Problem(
                    mount.item.place,
                    f"The volume {mount.source} keeps the static files of the first image of {service.name} for ever.",
                    "collect at the start (`tidegate boot` does it when its inputs changed), or take the volume away",
                    (run.place(command, "collects at build only"),),
                )


def _at_start(project: ProjectFiles, service: Service) -> bool:
    return any(
        words.collects(act.words)
        or (words.program(act.words) == "tidegate" and "boot" in act.words)
        for one in project.siblings(service)
        for act in project.start(one).acts
    )
