"""What a project is made of, told from its files alone."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field, replace

from tidegate.errors import UsageProblem
from tidegate.reading.project.project import ProjectFiles
from tidegate.workflows.init import advice, database, packages, paths
from tidegate.workflows.init.database import Database
from tidegate.workflows.init.packages import Packages

_ENV = re.compile(
    r"""(?:environ(?:\.get)?|getenv|\benv\w*(?:\.\w+)?|\bconfig)\s*[\[(]\s*['"]([A-Z][A-Z0-9_]*)['"]"""
)
_APP = re.compile(r"^(\w+)\s*(?::[^=]+)?=\s*(FastAPI|Starlette|Litestar|Flask|Quart)\(", re.M)
# An app that a function of the project makes: `app = create_app()`.
_MADE = re.compile(r"^(app|application)\s*(?::[^=\n]+)?=\s*\w*(?:create|make|build|get)\w*\(", re.M)
SECRET_KEY = re.compile(r"(^|_)SECRET_KEY$")
SERVERS = ("gunicorn", "uvicorn", "granian", "daphne", "hypercorn")


@dataclass(frozen=True)
class Found:
    """The project: framework, server, services, and how its settings are fed."""

    name: str
    framework: str
    app: str  # module:attribute for the server, such as shop.wsgi or shop.main:app
    asgi: bool
    server: str
    packages: Packages
    python: str
    database: str  # postgresql, mysql, sqlite
    driver: str
    unlisted: str  # the driver, where no list of packages has it
    told: bool  # a variable says where the database is
    redis: bool
    celery: str
    static: str  # the folder in the container; empty without static files
    media: str
    settings: str
    variables: tuple[str, ...] = ()
    demanded: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


def detect(project: ProjectFiles) -> Found:
    """Return what the project is made of. Raises UsageProblem without Django and Alembic."""
    framework = "django" if project.manage else "alembic" if project.alembics else ""
    if not framework:
        raise UsageProblem(
            f"no Django or Alembic project was found at {project.root}",
            "tidegate init looks for manage.py and alembic.ini.",
            "run it in the project's folder, or name that with --project DIR",
        )
    listed = packages.read(project)
    names = listed.names
    app, asgi = _app(project, framework, names)
    variables = _variables(project)
    used = database.read(project, names, variables)
    if listed.written and used.driver and not used.listed:
        listed = _with_driver(listed, used)
    settings = project.settings
    demanded = [one for one in variables if SECRET_KEY.search(one)]
    if settings is not None:
        demanded += [one.name for one in settings.reads if one.required and one.certain]
    return Found(
        name=_name(project),
        framework=framework,
        app=app or "main:app",
        asgi=asgi,
        server=next((one for one in SERVERS if one in names), "uvicorn" if asgi else "gunicorn"),
        packages=listed,
        python=_python(project),
        database=used.vendor,
        driver=used.driver,
        unlisted=used.driver if used.driver and not used.listed and not listed.written else "",
        told=used.told,
        redis=bool({"redis", "django-redis", "celery"} & names),
        celery=_celery(project) if "celery" in names else "",
        static=paths.folder(project, "STATIC_ROOT"),
        media=paths.folder(project, "MEDIA_ROOT"),
        settings=settings.module if settings is not None else "",
        variables=variables,
        demanded=tuple(dict.fromkeys(demanded)),
        notes=tuple(advice.notes(project, used, listed, app)),
    )


def _name(project: ProjectFiles) -> str:
    return re.sub(r"[^a-z0-9]+", "-", project.root.name.lower()).strip("-") or "app"


def _with_driver(listed: Packages, used: Database) -> Packages:
    """The list that is written names the driver too."""
    line = advice.pip_name(used.driver)
    return replace(listed, written=f"{listed.written}{line}\n", names=listed.names | {used.driver})


def _app(project: ProjectFiles, framework: str, names: frozenset[str]) -> tuple[str, bool]:
    if framework == "django":
        settings = project.settings
        package = settings.module.split(".")[0] if settings is not None else _name(project)
        asgi = {"uvicorn", "daphne", "hypercorn", "channels"} & names
        wanted = "asgi" if asgi and "gunicorn" not in names else "wsgi"
        folder = posixpath.dirname(project.manage)
        there = posixpath.join(folder, package, f"{wanted}.py") in project.path_set
        return f"{package}.{wanted}" if there else f"{package}.wsgi", wanted == "asgi" and there
    files = [one for one in project.paths if one.endswith(".py") and "test" not in one]
    for expression in (_APP, _MADE):
        for path in sorted(files, key=lambda one: (one.count("/"), one)):
            found = expression.search(project.read(path) or "")
            if found:
                module = path[:-3].replace("/", ".").removeprefix("src.").removesuffix(".__init__")
                return f"{module}:{found[1]}", "flask" not in found[0].lower()
    return "", True


def _python(project: ProjectFiles) -> str:
    for name in (".python-version", "runtime.txt"):
        found = re.search(r"3\.\d+", project.read(name) or "")
        if found:
            return found[0]
    wanted = re.search(
        r"requires-python\s*=\s*['\"]\W*(3\.\d+)", project.read("pyproject.toml") or ""
    )
    return wanted[1] if wanted and int(wanted[1].split(".")[1]) >= 12 else "3.12"


def _celery(project: ProjectFiles) -> str:
    for path in sorted(project.paths, key=lambda one: (one.count("/"), one)):
        if path.endswith(".py") and re.search(r"=\s*Celery\(", project.read(path) or ""):
            module = path[:-3].replace("/", ".").removeprefix("src.")
            return module.removesuffix(".celery")
    return ""


def _variables(project: ProjectFiles) -> tuple[str, ...]:
    """Return the environment variables that the project's own code reads."""
    out: dict[str, None] = {}
    for path in project.paths:
        if path.endswith(".py") and "test" not in path and "migrations/versions" not in path:
            out.update(dict.fromkeys(_ENV.findall(project.read(path) or "")))
    return tuple(out)
