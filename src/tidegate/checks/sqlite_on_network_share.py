"""The SQLite file lies on a share of the network.

SQLite keeps its writers apart by locks on the file, and shares such as NFS and SMB do not keep those locks; with write-ahead logging it also needs memory that only processes of one machine can share.
The app meets `database is locked` for ever, or a damaged file.
Put the file on a local volume, or use a database server.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project import facts, sqlitefiles
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Mount, Service
from tidegate.reading.project.tree import Item

SEVERITY = "error"
ERRORS = (r"database is locked", r"disk I/O error", r"database disk image is malformed")
PRINTED = "sqlite3.OperationalError: database is locked"
WHEN = "at the first write, or as soon as a second process has the file open"
BAD = {
    "Dockerfile": 'FROM python:3.12\nCOPY . /app\nWORKDIR /app\nCMD ["uvicorn", "shop:app"]\n',
    "compose.yaml": """services:
  web:
    build: .
    environment:
      DATABASE_URL: sqlite:////data/shop.db
    volumes:
      - data:/data
volumes:
  data:
    driver_opts:
      type: nfs
      o: addr=10.0.0.7,rw
      device: ":/export/shop"
""",
}
GOOD = {**BAD, "compose.yaml": BAD["compose.yaml"].partition("    driver_opts")[0]}
AT = "compose.yaml:5"
_TYPES = re.compile(r"nfs4?|cifs|smb\w*|9p|fuse\.\w+|glusterfs|ceph")
_DRIVERS = re.compile(r"nfs|cifs|smb|sshfs|gluster|rclone|efs", re.I)


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield SQLite files on volumes that another machine serves."""
    for service in facts.built(project):
        for path, place in sqlitefiles.named(project, service):
            mount = _over(service, path)
            share = _share(service, mount) if mount is not None else None
            if mount is None or share is None:
                continue
            yield Problem(
                place,
                f"{path} of {service.name} lies on the volume {mount.source}, a share of the network, where SQLite's locks do not hold.",
                "put it on a local volume, or use a database server",
                (share.place,),
            )


def _over(service: Service, path: str) -> Mount | None:
    found = [one for one in service.mounts if path.startswith(one.target.rstrip("/") + "/")]
    return max(found, key=lambda one: len(one.target)) if found else None


def _share(service: Service, mount: Mount) -> Item | None:
    """Return what says that a volume is a share; None where nothing does."""
    volume = service.stack.section("volumes").get(mount.source)
    if volume is None or mount.kind != "volume":
        return None
    kind, driver = volume.get("driver_opts", "type"), volume.get("driver")
    if kind is not None and _TYPES.fullmatch(kind.text):
        return kind
    return driver if driver is not None and _DRIVERS.search(driver.text) else None
