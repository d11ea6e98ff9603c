"""The SQLite file lies in the container itself.

A container's own files go with the container: the next `docker compose up --build` begins with an empty database.
Put the file on a named volume.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import facts, words
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Given, Service

SEVERITY = "warning"
ERRORS = (r"no such table", r"unable to open database file")
PRINTED = "sqlite3.OperationalError: no such table: shop_order"
WHEN = "after the container is made anew: all rows are gone"
BAD = {
    "Dockerfile": 'FROM python:3.12\nCOPY . /app\nWORKDIR /app\nCMD ["uvicorn", "shop:app"]\n',
    "compose.yaml": "services:\n  web:\n    build: .\n    environment:\n      DATABASE_URL: sqlite:////data/shop.db\n",
}
GOOD = {
    **BAD,
    "compose.yaml": BAD["compose.yaml"] + "    volumes:\n      - data:/data\nvolumes:\n  data:\n",
}
AT = "compose.yaml:5"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield SQLite files of services that no mount keeps."""
    for service in facts.built(project):
        if not words.serves((facts.main_of(project, service) or _NOTHING).words):
            continue
        given = [(_path(project, service, one), one.place) for one in service.environment.values()]
        for path, place in (*given, *_in_settings(project, service)):
            if path and not _kept(service, path):
                yield Problem(
                    place,
                    f"{path} lies in the container of {service.name} and is gone when that is made anew.",
                    _remedy(path, place),
                    (service.place,),
                )


def _remedy(path: str, place: Place) -> str:
    folder = path.rpartition("/")[0]
    if not place.path.endswith(".py"):
        return f"mount a named volume over {folder}"
    return (
        "let the settings read the file's path from a variable,\n"
        "and give one on a named volume, such as /data/" + path.rpartition("/")[2]
    )


def _kept(service: Service, path: str) -> bool:
    return any(
        path.startswith(one.target.rstrip("/") + "/") and one.kind != "tmpfs"
        for one in service.mounts
    )


def _in_settings(project: ProjectFiles, service: Service) -> list[tuple[str, Place]]:
    """Return the file that Django's settings name, where nothing else can decide about it."""
    settings = project.settings_for(service)
    if settings is None or facts.databases(project, service) or settings.conditional("DATABASES"):
        return []
    value = settings.value("DATABASES", facts.values(service, project))
    default = value.get("default") if isinstance(value, dict) else None
    if not isinstance(default, dict) or not str(default.get("ENGINE", "")).endswith("sqlite3"):
        return []
    path = facts.container_path(project, service, default.get("NAME"))
    outside = not path or ":memory:" in path or path.startswith(("/tmp/", "/dev/shm/"))
    where, line = settings.line("DATABASES")
    return [] if outside else [(path, Place(where, line))]


class _NOTHING:
    words: tuple[str, ...] = ()


def _path(project: ProjectFiles, service: Service, given: Given) -> str:
    scheme, separator, rest = (given.value or "").partition("://")
    if (
        not separator
        or scheme.split("+")[0] != "sqlite"
        or not rest.strip("/")
        or ":memory:" in rest
    ):
        return ""
    image = project.image(service)
    path = rest[1:].split("?")[0] if rest.startswith("/") else rest
    path = image.absolute(path) if image is not None else path
    return "" if path.startswith("/tmp/") else path
