"""Something updates an app with a database by itself.

Watchtower replaces the container whenever its tag moves: a new release migrates at night, without a backup, perhaps in the middle of another migration, and there is no way back by tag.
Name a version, and leave the service out of the updates (`com.centurylinklabs.watchtower.enable: "false"`).
It is silent where the tag names a version, and where a label leaves the service out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project import facts, hosts
from tidegate.reading.project.composemerge import keyed
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Service

SEVERITY = "warning"
ERRORS = (
    r"container \S+ is unhealthy",
    r"Can't locate revision identified by",
    r"another migration process is currently running",
)
PRINTED = "dependency failed to start: container shop-web-1 is unhealthy"
WHEN = "at the update that brings a migration, at whatever hour it is pulled"
BAD = {
    "compose.yaml": """services:
  web:
    image: ghcr.io/example/shop:latest
    environment:
      DATABASE_URL: postgresql://shop:shop@db/shop
  watchtower:
    image: containrrr/watchtower:1.7.1
"""
}
GOOD = {"compose.yaml": BAD["compose.yaml"].replace("shop:latest", "shop:2.4.1")}
AT = "compose.yaml:3"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield services on a moving tag that use a database, beside an updater."""
    for service in project.services:
        updaters = [
            one for one in project.siblings(service) if re.search("watchtower|ouroboros", one.image)
        ]
        item = service.get("image")
        if (
            not updaters
            or item is None
            or service in updaters
            or not facts.floating(service.tag)
            or _left_out(service, updaters[0])
        ):
            continue
        if hosts.hosts(project, service) or facts.is_database(service):
            yield Problem(
                item.place,
                f"{updaters[0].name} replaces {service.name} whenever {service.image} moves, migrations included.",
                f'name a version, or leave {service.name} out with the label com.centurylinklabs.watchtower.enable: "false"',
                (updaters[0].place,),
            )


def _left_out(service: Service, updater: Service) -> bool:
    found = service.get("labels")
    labels = (
        {name: one.text for name, one in keyed(found).entries.items()} if found is not None else {}
    )
    said = labels.get("com.centurylinklabs.watchtower.enable", "")
    by_label = (
        "label-enable" in " ".join(updater.words("command") or ())
        or "WATCHTOWER_LABEL_ENABLE" in updater.environment
    )
    monitor = labels.get("com.centurylinklabs.watchtower.monitor-only", "") == "true"
    return said == "false" or monitor or (by_label and said != "true")
