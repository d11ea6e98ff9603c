"""Which services have other containers than they would get now."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import datetime

from tidegate.contracts.target import Container, Service
from tidegate.workflows.update.updating import Update

MOST = 50_000  # files that are looked at below one folder: it may hold what users have sent
SKIPPED = {"node_modules", "__pycache__", "venv", "env", "site-packages"}


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
    if len(fine) != replicas(one, service) or len(fine) != len(old):
        return True
    return bool(changed_code(service, old))


def changed_code(service: Service, old: Sequence[Container]) -> str:
    """Return a file of code on the host that is newer than the process that has loaded it.

    Image and configuration are the same then, and what runs is the code of before.
    """
    if not service.app or service.once:
        return ""
    for each in old:
        try:
            began = datetime.fromisoformat(re.sub(r"\.\d+", "", each.started)).timestamp()
        except (TypeError, ValueError):
            continue
        for folder in service.mounted:
            if found := _newer(folder, began + 1):
                return found
    return ""


def _newer(folder: str, moment: float) -> str:
    left = MOST
    for top, folders, names in os.walk(folder):
        folders[:] = [one for one in folders if not one.startswith(".") and one not in SKIPPED]
        if (left := left - len(names)) < 0:
            break
        for name in names:
            path = os.path.join(top, name)
            try:
                if name.endswith(".py") and os.stat(path).st_mtime > moment:
                    return path
            except OSError:
                continue  # it has just gone
    return ""


def replicas(one: Update, service: Service) -> int:
    """Return how many containers a service gets: as many as run, where the files fix nothing."""
    if service.replicas_said:
        return service.replicas
    return one.before.replicas.get(service.name, service.replicas)
