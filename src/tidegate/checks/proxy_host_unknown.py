"""nginx passes requests to a host that no service has.

nginx looks its upstreams up when it starts, and ends when one is not found.
It is silent for names with a dot, for variables, and for files that no service of the stack uses.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import edits, nginx
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Service

SEVERITY = "error"
ERRORS = (r"host not found in upstream",)
PRINTED = 'nginx: [emerg] host not found in upstream "app" in /etc/nginx/conf.d/default.conf:4'
WHEN = "when nginx starts"
BAD = {
    "nginx.conf": "server {\n    listen 80;\n    location / {\n        proxy_pass http://app:8000;\n    }\n}\n",
    "compose.yaml": """services:
  web:
    image: example/shop:1.0
  proxy:
    image: nginx:1.27
    volumes:
      - ./nginx.conf:/etc/nginx/conf.d/default.conf:ro
""",
}
GOOD = {**BAD, "nginx.conf": BAD["nginx.conf"].replace("//app", "//web")}
AT = "nginx.conf:4"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield upstreams of configuration files that a service uses, with a name that nobody has."""
    for service in project.services:
        known = {name for one in project.siblings(service) for name in one.names} | {
            "localhost",
            "host.docker.internal",
        }
        external = any(
            one.get("external") is not None for one in service.stack.section("networks").values()
        )
        if (
            external
            or service.hosts_own_network
            or service.get("extra_hosts")
            or service.get("links")
        ):
            continue
        files = _files(project, service)
        declared = {name for path in files for name in nginx.upstreams_of(project.read(path) or "")}
        for path in files:
            text = project.read(path) or ""
            for one in nginx.passes(text, declared):
                if one.host in known or "." in one.host or not one.host or "{" in one.host:
                    continue
                right = [name.name for name in project.siblings(service) if name is not service]
                yield Problem(
                    Place(path, one.line),
                    f"nginx passes requests to {one.host}, and no service has that name.",
                    "write the name of a service: " + ", ".join(right),
                    (service.place,),
                    edits.swap(path, text, one.line, one.host, right[0]) if len(right) == 1 else (),
                    printed=f'nginx: [emerg] host not found in upstream "{one.host}"',
                )


def _files(project: ProjectFiles, service: Service) -> list[str]:
    found = []
    for mount in service.mounts:
        inside = "/nginx/" in mount.target + "/"
        if mount.kind == "bind" and inside:
            found += [
                path
                for path in project.paths
                if path == mount.source or path.startswith(mount.source + "/")
            ]
    image = project.image(service)
    for copy in image.copies if image is not None else ():
        if "/nginx/" in copy.target + "/" and copy.source in project.path_set:
            found.append(copy.source)
    return [path for path in found if path.endswith((".conf", ".conf.template"))]
