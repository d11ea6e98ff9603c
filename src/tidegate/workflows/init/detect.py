"""What a project is made of, told from its files alone."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from tidegate.errors import UsageProblem
from tidegate.reading.project.project import ProjectFiles

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
    installer: str  # pip, uv, poetry
    requirements: str
    python: str
    database: str  # postgresql, mysql, sqlite
    driver: str
    redis: bool
    celery: str
    static: bool
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
    packages = set(project.requirements)
    app, asgi = _app(project, framework)
    installer, listed = _installer(project)
    database, driver = _database(project, packages)
    variables = _variables(project)
    settings = project.settings
    demanded = [one for one in variables if SECRET_KEY.search(one)]
    if settings is not None:
        demanded += [one.name for one in settings.reads if one.required and one.certain]
    return Found(
        name=_name(project),
        framework=framework,
        app=app,
        asgi=asgi,
        server=next((one for one in SERVERS if one in packages), "uvicorn" if asgi else "gunicorn"),
        installer=installer,
        requirements=listed,
        python=_python(project),
        database=database,
        driver=driver,
        redis="redis" in packages or "django-redis" in packages or "celery" in packages,
        celery=_celery(project) if "celery" in packages else "",
        static=settings is not None and settings.last("STATIC_ROOT") is not None,
        settings=settings.module if settings is not None else "",
        variables=variables,
        demanded=tuple(dict.fromkeys(demanded)),
        notes=tuple(_notes(project, variables, app, database)),
    )


def _name(project: ProjectFiles) -> str:
    return re.sub(r"[^a-z0-9]+", "-", project.root.name.lower()).strip("-") or "app"


def _app(project: ProjectFiles, framework: str) -> tuple[str, bool]:
    if framework == "django":
        settings = project.settings
        package = settings.module.split(".")[0] if settings is not None else _name(project)
        asgi = {"uvicorn", "daphne", "hypercorn", "channels"} & set(project.requirements)
        wanted = "asgi" if asgi and "gunicorn" not in project.requirements else "wsgi"
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


def _installer(project: ProjectFiles) -> tuple[str, str]:
    if "uv.lock" in project.path_set:
        return "uv", "uv.lock"
    if "poetry.lock" in project.path_set:
        return "poetry", "poetry.lock"
    listed = [path for path in project.named("requirements.txt") if path.count("/") <= 1]
    return "pip", listed[0] if listed else ""


def _python(project: ProjectFiles) -> str:
    for name in (".python-version", "runtime.txt"):
        found = re.search(r"3\.\d+", project.read(name) or "")
        if found:
            return found[0]
    wanted = re.search(
        r"requires-python\s*=\s*['\"]\W*(3\.\d+)", project.read("pyproject.toml") or ""
    )
    return wanted[1] if wanted and int(wanted[1].split(".")[1]) >= 12 else "3.12"


def _database(project: ProjectFiles, packages: set[str]) -> tuple[str, str]:
    for driver in ("psycopg", "psycopg2", "psycopg2-binary", "asyncpg", "psycopg-binary"):
        if driver in packages:
            return "postgresql", driver
    for driver in ("mysqlclient", "pymysql", "asyncmy", "aiomysql"):
        if driver in packages:
            return "mysql", driver
    return "sqlite", ""


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


def _notes(project: ProjectFiles, variables: Sequence[str], app: str, database: str) -> list[str]:
    out = []
    if not app:
        out.append("no app for a server was found: correct the command in the Dockerfile")
    if database != "sqlite" and not any(
        re.search(r"(DB|DATABASE|POSTGRES|PG|MYSQL)", one) for one in variables
    ):
        out.append("the settings read no variable for the database: let them read DATABASE_URL")
    if database == "sqlite":
        out.append(
            "SQLite: keep its file below /data, which is a volume, by reading its path from the environment"
        )
    return out
