"""Where a service's SQLite files lie in its container, told by its variables and its settings."""

from __future__ import annotations

from tidegate.model.finding import Place
from tidegate.reading.project import facts
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Given, Service


def named(project: ProjectFiles, service: Service) -> list[tuple[str, Place]]:
    """Return each file with the place that names it; what is temporary is left out."""
    given = [(_path(project, service, one), one.place) for one in service.environment.values()]
    alone = not facts.databases(project, service)
    set_ = in_settings(project, service) if alone else []
    return [(path, place) for path, place in (*given, *set_) if path]


def kept(service: Service, path: str) -> bool:
    """Whether a file of a container lies on something that outlives it."""
    return any(
        path.startswith(one.target.rstrip("/") + "/") and one.kind != "tmpfs"
        for one in service.mounts
    )


def in_settings(project: ProjectFiles, service: Service) -> list[tuple[str, Place]]:
    """Return the file that Django's settings name, where nothing else can decide about it."""
    settings = project.settings_for(service)
    if settings is None or settings.conditional("DATABASES"):
        return []
    value = settings.value("DATABASES", facts.values(service, project))
    default = value.get("default") if isinstance(value, dict) else None
    path = facts.container_path(project, service, _file(default))
    outside = not path or ":memory:" in path or path.startswith(("/tmp/", "/dev/shm/"))
    where, line = settings.line("DATABASES")
    return [] if outside else [(path, Place(where, line))]


def _file(default: object) -> object:
    """Return the file of a database of the settings, given as a mapping or as a URL."""
    if isinstance(default, str) and default.startswith("sqlite:///"):
        return default.removeprefix("sqlite:///").split("?")[0]
    if isinstance(default, dict) and str(default.get("ENGINE", "")).endswith("sqlite3"):
        return default.get("NAME")
    return None


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
