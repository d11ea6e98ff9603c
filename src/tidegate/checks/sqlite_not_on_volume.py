"""The SQLite file lies in the container itself.

A container's own files go with the container: the next `docker compose up --build` begins with an empty database.
Put the file on a named volume.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
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
        for given in service.environment.values():
            path = _path(project, service, given)
            if not path or not words.serves((facts.main_of(project, service) or _NOTHING).words):
                continue
            kept = [
                one
                for one in service.mounts
                if path.startswith(one.target.rstrip("/") + "/") and one.kind != "tmpfs"
            ]
            if not kept:
                yield Problem(
                    given.place,
                    f"{path} lies in the container of {service.name} and is gone when that is made anew.",
                    f"mount a named volume over {path.rpartition('/')[0]}",
                    (service.place,),
                )


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
