"""Which services have other containers than they would get now."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.contracts.target import Container, Service
from tidegate.workflows.update.updating import Update


def differs(one: Update, service: Service, old: Sequence[Container], digest: str) -> bool:
    """Return whether a service's containers are not what they would be if made now."""
    if service.once and any(each.state == "running" for each in old):
        return False
    if one.dry and service.name in one.started:
        return False
    if one.dry and service.built and one.build:
        return True
    image = one.target.image_id(service.image)
    fine = [
        each
        for each in old
        if each.image == image
        and each.config == digest
        and (each.up or (each.state == "exited" and each.exit_code == 0 and service.once))
    ]
    return len(fine) != replicas(one, service) or len(fine) != len(old)


def replicas(one: Update, service: Service) -> int:
    """Return how many containers a service gets: as many as run, where the files fix nothing."""
    if service.replicas_said:
        return service.replicas
    return one.before.replicas.get(service.name, service.replicas)
