"""Load the project's configuration where the app would: in one-off containers, or right here.

Only what `tidegate.container.telling` prints comes back, and that holds no secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from tidegate.contracts.target import Target, Teller
from tidegate.errors import NotReady, UsageProblem
from tidegate.model.command import Command
from tidegate.process import Result, run
from tidegate.reading.project import facts, loaded
from tidegate.reading.project.loaded import Loaded
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Service
from tidegate.targets import archive

PLACE = "/tidegate-telling.pyz"
START = "import sys; sys.path.insert(0, {!r}); from tidegate.container.telling import main; " \
        "sys.exit(main())"  # fmt: skip
SECONDS = 120.0


@dataclass
class Loading:
    """What was loaded, by service; `notes` say what could not be, or may be out of date."""

    found: dict[str, Loaded] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def here(project: ProjectFiles, python: str, environ: Mapping[str, str]) -> Loading:
    """Load with the project's own Python, for a project without containers."""
    pyz = str(archive.cached(environ))
    done = run(Command((python, "-c", START.format(pyz)), cwd=str(project.root)), SECONDS)
    out = Loading()
    _take(out, project, None, done)
    return out


def inside(
    project: ProjectFiles, target: Target, tell: Teller, environ: Mapping[str, str]
) -> Loading:
    """Load in a one-off container of each service that differs: without its dependencies.

    Raises NotReady where an image has to be built first and can't be.
    """
    target.reach()
    out = Loading()
    asked: dict[str, Loaded] = {}
    mounts = {PLACE: f"{archive.cached(environ)}:ro"}
    for service in _services(project, target):
        key = _kind(service)
        if key not in asked:
            _built(project, target, service, tell, out)
            words = (target.python(service.name), "-c", START.format(PLACE))
            tell.stage("import", service.name, "its configuration, in a one-off container")
            done = run(
                target.once(service.name, words, mounts=mounts, environ=QUIET), SECONDS, apart=True
            )
            asked[key] = _take(out, project, service, done)
        out.found[service.name] = replace(asked[key], service=service.name)
    if not asked:
        out.notes.append("no service of the project loads Django's settings or an env.py")
    return out


QUIET = ("PYTHONDONTWRITEBYTECODE=1", "HOME=/tmp")


def _services(project: ProjectFiles, target: Target) -> list[Service]:
    """Return the services whose images hold the project and that load its configuration."""
    there = {one.name for one in target.services}
    return [
        one for one in project.services
        if one.stack is project.stacks[0] and one.name in there
        and (facts.loads_settings(project, one) or facts.migrating(project, one) is not None)
    ]  # fmt: skip


def _kind(service: Service) -> str:
    """Return what makes two services load alike: their image, variables, and mounts."""
    given = sorted((one.name, one.value or "") for one in service.environment.values())
    mounts = sorted((one.source, one.target) for one in service.mounts)
    return repr((service.build or service.image, given, mounts, service.env_file_paths != []))


def _built(
    project: ProjectFiles, target: Target, service: Service, tell: Teller, out: Loading
) -> None:
    """Build an image that is not there; say so of one that is older than the settings."""
    image = next(one.image for one in target.services if one.name == service.name)
    if not target.image_id(image):
        tell.stage("build", service.name, f"the image {image} is not built yet")
        done = run(target.building([service.name]), 3600, apart=True)
        if not done.ok:
            raise NotReady(
                f"the image of {service.name} can't be built, so nothing can be loaded in it",
                "\n".join(done.err.splitlines()[-8:]),
                "correct the build; tidegate doctor without --import reads the files alone",
            )
        return
    newer, name = _newer(project, service, target.image_age(image)), service.name
    if newer:
        out.notes.append(f"the image of {name} is older than {newer}: docker compose build {name}")


def _newer(project: ProjectFiles, service: Service, made: str) -> str:
    """Return a file of the configuration that changed after the image was made; "" without."""
    settings = project.settings_for(service)
    files = [one.path for one in settings.modules] if settings else []
    files += [one.env for one in project.alembics if one.env]
    mounted = tuple(one.source + "/" if one.source else "" for one in service.mounts
                    if one.kind == "bind")  # fmt: skip
    stamp = re.match(r"[\d-]+T[\d:]+", made)
    if stamp is None:
        return ""
    then = datetime.fromisoformat(stamp[0]).replace(tzinfo=UTC).timestamp()
    copied = [one for one in files if not one.startswith(mounted or ("\0",))]
    return next((one for one in copied if (project.root / one).stat().st_mtime > then + 1), "")


def _take(out: Loading, project: ProjectFiles, service: Service | None, done: Result) -> Loaded:
    name = service.name if service is not None else ""
    try:
        document = json.loads(done.out.strip().splitlines()[-1])
    except (ValueError, IndexError):
        said = [line for line in (done.err or done.out).splitlines() if line.strip()]
        why = said[-1] if said else done.why or f"it ended with {done.code}"
        out.notes.append(f"the configuration of {name or 'the project'} was not loaded: {why}")
        return Loaded(name)
    found = loaded.read(name, document)
    if found.failure is not None:
        path = _source(project, service, found.failure.path)
        found = replace(found, failure=replace(found.failure, path=path))
    out.found[name] = found
    return found


def _source(project: ProjectFiles, service: Service | None, path: str) -> str:
    """Return the project's file of a path where the code was loaded; "" where it is none."""
    if service is not None:
        return project.source_of(service, project.image(service), path)
    try:
        return Path(path).resolve().relative_to(project.root.resolve()).as_posix()
    except ValueError:
        return ""


def refuse_mending() -> UsageProblem:
    """Return why --import and --fix do not go together."""
    return UsageProblem(
        "--fix goes by the files alone",
        "What was loaded was loaded from the files as they are, and says nothing of mended ones.",
        "run tidegate doctor --fix, then tidegate doctor --import",
    )
