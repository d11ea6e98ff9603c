"""PostgreSQL 18 and newer refuse a volume at /var/lib/postgresql/data.

Since 18 the image keeps its data in a folder named after the version, below /var/lib/postgresql, and ends when it finds a mount at the old place, even an empty one.
Mount /var/lib/postgresql, or set PGDATA to a folder below your mount.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project import edits, facts
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "error"
ERRORS = (r"in 18\+, these Docker images are configured", r"unused mount/volume")
PRINTED = "Error: in 18+, these Docker images are configured to store database data in a format which is compatible"
WHEN = "at every start, also on an empty volume"
BAD = {
    "compose.yaml": """services:
  db:
    image: postgres:18
    environment:
      POSTGRES_PASSWORD: shop
    volumes:
      - db:/var/lib/postgresql/data
volumes:
  db:
"""
}
GOOD = {"compose.yaml": BAD["compose.yaml"].replace("/postgresql/data", "/postgresql")}
AT = "compose.yaml:7"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield mounts at the old place, for images from 18 on and for those without a version."""
    for service in project.services:
        if not facts.is_postgres(service) or service.repository not in (
            "postgres",
            "postgis",
            "pgvector",
        ):
            continue
        floats = (
            service.repository == "postgres"
            and facts.floating(service.tag)
            and "$" not in service.place_image_raw
        )
        if service.words("entrypoint") is not None:
            continue  # it runs something else than the server
        if "PGDATA" in service.environment or (facts.major(service.tag) < 18 and not floats):
            continue
        for mount in service.mounts:
            if mount.target == "/var/lib/postgresql/data":
                text = project.read(mount.item.path) or ""
                yield Problem(
                    mount.item.place,
                    f"{service.image} refuses a mount at /var/lib/postgresql/data.",
                    "mount /var/lib/postgresql, or name the major version that the volume was made by",
                    (service.place_of("image"),),
                    ()
                    if floats
                    else edits.within(
                        mount.item, text, "/var/lib/postgresql/data", "/var/lib/postgresql"
                    ),
                )
