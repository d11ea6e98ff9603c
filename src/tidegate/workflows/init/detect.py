"""What a project is made of, told from its files alone."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field, replace

from tidegate.errors import UsageProblem
from tidegate.reading.project.project import ProjectFiles
from tidegate.workflows.init import (
    advice,
    database,
    given,
    packages,
    paths,
    probing,
    pythonversion,
    variables,
)
from tidegate.workflows.init.database import Database
from tidegate.workflows.init.packages import Packages

_APP = re.compile(r"^(\w+)\s*(?::[^=]+)?=\s*(FastAPI|Starlette|Litestar|Flask|Quart)\(", re.M)
# An app that a function of the project makes: `app = create_app()`.
_FACTORY = re.compile(
    r"^def ((?:create|make|build|get)_(?:app|application|api)|app_factory)\("
    r"((?:\s*\w+\s*(?::[^=,()]+)?=[^,()]+,?)*)\s*\)",
    re.M,
)
_KIND = re.compile(r"\b(FastAPI|Starlette|Litestar|Flask|Quart)\(")
_MADE = re.compile(r"^(app|application)\s*(?::[^=\n]+)?=\s*\w*(?:create|make|build|get)\w*\(", re.M)
SERVERS = ("gunicorn", "uvicorn", "granian", "daphne", "hypercorn")


@dataclass(frozen=True)
class Found:
    """The project: framework, server, services, and how its settings are fed."""

    name: str
    framework: str
    folder: str  # where manage.py, or what belongs to alembic.ini, lies in the project
    app: str  # module:attribute for the server, such as shop.wsgi or shop.main:app
    asgi: bool
    server: str
    packages: Packages
    python: str
    database: str  # postgresql, mysql, sqlite
    driver: str
    unlisted: str  # the driver, where no list of packages has it
    told: bool  # a variable says where the database is
    wired: bool  # the app answers probes through tidegate.health
    health: str  # a path that the app's own module answers to probes; empty without one
    redis: bool
    celery: str
    static: str  # the folder in the container; empty without static files
    media: str
    settings: str
    variables: tuple[str, ...] = ()
    demanded: tuple[str, ...] = ()
    given: tuple[tuple[str, str], ...] = ()  # variables of the image
    developing: str = ""  # the settings of manage.py, where the server has others
    notes: tuple[str, ...] = field(default=())


def detect(project: ProjectFiles) -> Found:
    """Return what the project is made of. Raises UsageProblem without Django and Alembic."""
    framework = "django" if project.manage else "alembic" if project.alembics else ""
    developing = project.settings.module if project.settings is not None else ""
    if not framework:
        raise _nothing(project)
    project = given.of_the_server(project)
    folder = paths.of_code(project)
    listed = packages.read(project, folder)
    names = listed.names
    app, asgi = _app(project, framework, names, folder)
    read = variables.read(project)
    used = database.read(project, names, read)
    if listed.written and used.driver and not used.listed:
        listed = _with_driver(listed, used)
    settings = project.settings
    return Found(
        name=_name(project),
        framework=framework,
        folder=folder,
        app=app or "main:app",
        asgi=asgi,
        server=_server(names, asgi),
        packages=listed,
        python=pythonversion.read(project, folder),
        database=used.vendor,
        driver=used.driver,
        unlisted=used.driver if used.driver and not used.listed and not listed.written else "",
        told=used.told,
        wired=any(
            "tidegate.health" in (project.read(one) or "")
            for one in project.paths
            if one.endswith(".py")
        ),
        health=probing.path(project, app, folder),
        redis=bool({"redis", "django-redis", "celery"} & names),
        celery=_celery(project, folder) if "celery" in names else "",
        static=paths.folder(project, "STATIC_ROOT"),
        media=paths.folder(project, "MEDIA_ROOT"),
        settings=settings.module if settings is not None else "",
        variables=read,
        demanded=variables.demanded(project, read),
        given=given.variables(project, folder, app, names),
        developing=developing if project.chosen else "",
        notes=tuple(advice.notes(project, used, listed, app)),
    )


def _server(names: frozenset[str], asgi: bool) -> str:
    """Return the listed server that can run such an app; gunicorn's ASGI worker is uvicorn's."""
    fitting = SERVERS if asgi else ("gunicorn", "granian")
    usable = [one for one in fitting if one in names]
    if asgi and "uvicorn" not in names and usable[:1] == ["gunicorn"]:
        usable = usable[1:]
    return next(iter(usable), "uvicorn" if asgi else "gunicorn")


def _nothing(project: ProjectFiles) -> UsageProblem:
    if "flask-migrate" in project.requirements:
        return UsageProblem(
            "Flask-Migrate is listed, and there is no migrations folder",
            "tidegate init reads the project's Alembic environment, which Flask-Migrate makes once.",
            "flask db init, then tidegate init",
        )
    return UsageProblem(
        f"no Django or Alembic project was found at {project.root}",
        "tidegate init looks for manage.py and alembic.ini.",
        "run it in the project's folder, or name that with --project DIR",
    )


def _name(project: ProjectFiles) -> str:
    """Return a name that a service of any target may have: it begins with a letter."""
    name = re.sub(r"[^a-z0-9]+", "-", project.root.name.lower()).strip("-")[:40].strip("-")
    return name if name[:1].isalpha() else f"app-{name}".strip("-")


def _with_driver(listed: Packages, used: Database) -> Packages:
    """The list that is written names the driver too."""
    line = advice.pip_name(used.driver)
    return replace(listed, written=f"{listed.written}{line}\n", names=listed.names | {used.driver})


def _app(
    project: ProjectFiles, framework: str, names: frozenset[str], folder: str
) -> tuple[str, bool]:
    if framework == "django":
        settings = project.settings
        package = settings.module.split(".")[0] if settings is not None else _name(project)
        asgi = {"uvicorn", "daphne", "hypercorn", "channels"} & names
        wanted = "asgi" if asgi and "gunicorn" not in names else "wsgi"
        if posixpath.join(folder, package, "wsgi.py") not in project.path_set:
            package = _package(project, folder) or package
        there = posixpath.join(folder, package, f"{wanted}.py") in project.path_set
        return f"{package}.{wanted}" if there else f"{package}.wsgi", wanted == "asgi" and there
    files = [one for one in _modules(project, folder) if "test" not in one]
    below = given.source(project, folder)
    for expression in (_APP, _MADE):
        for path in sorted(files, key=lambda one: (one.count("/"), one)):
            found = expression.search(project.read(path) or "")
            if found:
                module = _module(path, folder, below).removesuffix(".__init__")
                return f"{module}:{found[1]}", _asgi(found[0], names)
    for path in sorted(files, key=lambda one: (one.count("/"), one)):
        text = project.read(path) or ""
        made, kind = _FACTORY.search(text), _KIND.search(text)
        if made and kind:
            module = _module(path, folder, below).removesuffix(".__init__")
            return f"{module}:{made[1]}()", kind[1] != "Flask"
    return "", _asgi("", names)


def _asgi(made: str, names: frozenset[str]) -> bool:
    """Whether an app speaks ASGI: by the words that make it, else by what the project installs."""
    said = _KIND.search(made)
    if said is not None or "flask" in made.lower():
        return said is not None and said[1] != "Flask"
    return "flask" not in names or "fastapi" in names


def _package(project: ProjectFiles, folder: str) -> str:
    """Return the package beside manage.py that has wsgi.py, where manage.py names no settings."""
    found = [posixpath.dirname(one) for one in project.named("wsgi.py")]
    beside = [one for one in found if one and posixpath.dirname(one) == folder]
    return posixpath.basename(beside[0]) if len(beside) == 1 else ""


def _modules(project: ProjectFiles, folder: str) -> list[str]:
    """Return the Python files, those of the code's own folder where it has one."""
    prefix = folder + "/" if folder else ""
    return [one for one in project.paths if one.endswith(".py") and one.startswith(prefix)]


def _module(path: str, folder: str, source: str) -> str:
    """Return a file as what runs in the code's folder imports it."""
    below = path[len(folder) + 1 :] if folder else path
    return below[:-3].replace("/", ".").removeprefix(f"{source}." if source else "")


def _celery(project: ProjectFiles, folder: str) -> str:
    for path in sorted(_modules(project, folder), key=lambda one: (one.count("/"), one)):
        if re.search(r"=\s*Celery\(", project.read(path) or ""):
            return _module(path, folder, given.source(project, folder)).removesuffix(".celery")
    return ""
