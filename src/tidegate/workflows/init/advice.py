"""What init can't write: lines for the project's own code, said as notes."""

from __future__ import annotations

from tidegate.reading.project.project import ProjectFiles
from tidegate.workflows.init.database import Database
from tidegate.workflows.init.packages import Packages

_ENGINES = {"postgresql": "django.db.backends.postgresql", "mysql": "django.db.backends.mysql"}


def notes(project: ProjectFiles, database: Database, listed: Packages, app: str) -> list[str]:
    """Return the notes, each with the lines to paste where there are some."""
    out = []
    if project.manage and project.settings is None:
        out.append(
            "no file names the Django settings: give DJANGO_SETTINGS_MODULE to the image, "
            "with ENV in the Dockerfile above `tidegate seal`"
        )
    if not app:
        out.append("no app for a server was found: correct the command in the Dockerfile")
    if not database.told:
        out.append(_told_by_itself(project, database))
    if database.driver and not database.listed and not listed.written:
        out.append(
            f"no file lists a driver for {database.vendor}: the Dockerfile installs "
            f"{pip_name(database.driver)}; add it to your own list"
        )
    if listed.written:
        out.append("requirements.txt is written from the imports: read it before you build")
    return [*out, *_static(project)]


def pip_name(driver: str) -> str:
    """Return what pip installs for a driver."""
    return "psycopg[binary]" if driver == "psycopg" else driver


def _told_by_itself(project: ProjectFiles, database: Database) -> str:
    place = f"{database.path}:{database.line}" if database.line else database.path
    if not project.manage:
        env = next((one.env for one in project.alembics if one.env), "env.py")
        said = f"{place or env} says by itself where the database is" if place else (
            "no code reads a variable for the database")  # fmt: skip
        return "\n".join([
            f"{said}; in a container it comes from outside. In {env}, with `import os`:",
            '    url = os.environ.get("DATABASE_URL", config.get_main_option("sqlalchemy.url"))',
            '    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))',
        ])  # fmt: skip
    place = place or "the settings"
    if database.vendor == "sqlite":
        return "\n".join([
            f"{place} says by itself where the SQLite file is; in a container only /data lasts. "
            "With `import os`:",
            '    "NAME": os.environ.get("DATABASE_PATH", BASE_DIR / "db.sqlite3"),',
        ])  # fmt: skip
    return "\n".join([
        f"{place} says by itself where the database is; in a container it comes from outside. "
        "With `import os`:",
        '    "default": {',
        f'        "ENGINE": "{_engine(database)}",',
        '        "HOST": os.environ.get("DB_HOST", "localhost"),',
        '        "NAME": os.environ.get("DB_NAME", ""),',
        '        "USER": os.environ.get("DB_USER", ""),',
        '        "PASSWORD": os.environ.get("DB_PASSWORD", ""),',
        "    }",
    ])  # fmt: skip


def _engine(database: Database) -> str:
    wrong = "sqlite" in database.engine or not database.engine
    return _ENGINES[database.vendor] if wrong else database.engine


def _static(project: ProjectFiles) -> list[str]:
    settings = project.settings
    if settings is None or not project.manage or settings.last("STATIC_ROOT") is not None:
        return []
    if "django.contrib.staticfiles" not in "".join(one.text for one in settings.modules):
        return []
    return ["the settings have no STATIC_ROOT, so static files are not collected: add "
            'STATIC_ROOT = BASE_DIR / "staticfiles"']  # fmt: skip
