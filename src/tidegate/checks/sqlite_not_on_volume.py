"""The SQLite file lies in the container itself.

A container's own files go with the container: the next `docker compose up --build` begins with an empty database.
Put the file on a named volume.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import facts, sqlitefiles, words
from tidegate.reading.project.project import ProjectFiles

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
        for path, place in sqlitefiles.named(project, service):
            if not sqlitefiles.kept(service, path):
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


class _NOTHING:
    words: tuple[str, ...] = ()
