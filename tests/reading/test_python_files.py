"""Settings, env.py, requirements and migrations, read without running them."""

from __future__ import annotations

from tidegate.reading.project import alembicfiles, djangosettings, nginx, requirements
from tidegate.reading.project import graph as migrations
from tidegate.reading.project.pycode import UNKNOWN

SETTINGS = {
    "site/settings/__init__.py": "",
    "site/settings/base.py": """
import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent.parent
SECRET_KEY = os.environ["SECRET_KEY"]
DEBUG = os.getenv("DEBUG", "0") == "1"
HOSTS = os.environ.get("HOSTS", "a,b").split(",")
ALLOWED_HOSTS = [*HOSTS] if DEBUG else HOSTS
STATIC_ROOT = BASE_DIR / "static"
DATABASES = {"default": {"ENGINE": "x", "HOST": os.environ.get("DB_HOST", "localhost")}}
if DEBUG:
    EXTRA = os.environ["ONLY_IN_DEBUG"]
""",
    "site/settings/prod.py": "from .base import *\n\nALLOWED_HOSTS = ['shop.example.org'] + HOSTS\n",
}


def load() -> djangosettings.Settings:
    found = djangosettings.load("site.settings.prod", "", SETTINGS.get)
    assert found is not None
    return found


def test_star_imports_are_followed() -> None:
    """The later module's assignment counts, with the names of the earlier one."""
    assert load().value("ALLOWED_HOSTS", {"HOSTS": "c"}) == ["shop.example.org", "c"]
    assert load().value("ALLOWED_HOSTS") == ["shop.example.org", "a", "b"]


def test_paths_below_the_project() -> None:
    """BASE_DIR is the folder that its parents lead to."""
    assert load().value("STATIC_ROOT") == "/@/static"


def test_the_environment_decides() -> None:
    """A default holds until the variable is given; what is unknown stays unknown."""
    databases = load().value("DATABASES", {"DB_HOST": "db"})
    assert databases["default"]["HOST"] == "db"
    assert load().value("DATABASES")["default"]["HOST"] == "localhost"
    assert load().value("DATABASES", {"DB_HOST": UNKNOWN})["default"]["HOST"] is UNKNOWN


def test_demanded_variables() -> None:
    """A subscript of os.environ demands; behind a condition it does so perhaps."""
    reads = {one.name: (one.required, one.certain) for one in load().reads}
    assert reads["SECRET_KEY"] == (True, True)
    assert reads["DEBUG"] == (False, True)
    assert reads["ONLY_IN_DEBUG"] == (True, False)


def test_django_environ_declares_defaults() -> None:
    """`environ.Env(NAME=(type, default))` makes NAME optional."""
    text = 'import environ\nenv = environ.Env(A=(str, "x"))\nA = env("A")\nB = env("B")\nC = env("C", default=1)\n'
    found = djangosettings.load("s", "", {"s.py": text}.get)
    assert found is not None
    assert {one.name: one.required for one in found.reads if one.name in "ABC"} == {
        "A": False,
        "B": True,
        "C": False,
    }
    assert found.value("A") == "x"


def test_a_reader_of_the_projects_own_demands_nothing() -> None:
    """`env("NAME")` is django-environ's only where that is used."""
    text = "from shop.tools import env\nA = env('A')\n"
    found = djangosettings.load("s", "", {"s.py": text}.get)
    assert found is not None
    assert [one.required for one in found.reads] == [False]


def test_alembic_url_calls() -> None:
    """An escaped call is told from a bare one, also through a variable."""
    files = {
        "alembic.ini": "[alembic]\nscript_location = %(here)s/db\n",
        "db/env.py": 'url = get().replace("%", "%%")\nconfig.set_main_option("sqlalchemy.url", url)\nconfig.set_main_option("sqlalchemy.url", other)\n',
    }
    found = alembicfiles.load("alembic.ini", files.get)
    assert found is not None
    assert (found.folder, [call.escaped for call in found.calls]) == ("db", [True, False])


def test_heads() -> None:
    """Merges and squashes leave one head."""
    head = "revision = {!r}\ndown_revision = {!r}\n"
    texts = {
        "a.py": head.format("a", None),
        "b.py": head.format("b", "a"),
        "c.py": head.format("c", "a"),
        "d.py": head.format("d", ("b", "c")),
    }
    found = migrations.alembic(list(texts), texts)
    assert [one.id for one in migrations.alembic_heads(found)] == ["d"]
    assert {one.id for one in migrations.alembic_heads(found[:3])} == {"b", "c"}


def test_squashed_django_migrations_are_one_end() -> None:
    """A squash and what it replaces are not two leaves."""
    node = "class Migration:\n    dependencies = [{}]\n    replaces = [{}]\n"
    texts = {
        "shop/migrations/0001_initial.py": node.format("", ""),
        "shop/migrations/0002_more.py": node.format('("shop", "0001_initial")', ""),
        "shop/migrations/0001_squashed.py": node.format(
            "", '("shop", "0001_initial"), ("shop", "0002_more")'
        ),
        "shop/migrations/0003_next.py": node.format('("shop", "0001_squashed")', ""),
    }
    found = migrations.django(list(texts), texts)["shop"]
    assert [one.id for one in migrations.django_leaves("shop", found)] == ["0003_next"]


def test_requirements_of_all_kinds() -> None:
    """A lock file's version wins over a range."""
    texts = {
        "requirements.txt": "Django>=4.2  # web\n-r other.txt\npsycopg[binary]==3.2.1\n",
        "pyproject.toml": '[project]\ndependencies = ["SQLAlchemy>=2"]\n[tool.poetry.dependencies]\ncelery = "^5.4"\n',
        "uv.lock": '[[package]]\nname = "sqlalchemy"\nversion = "2.0.36"\n',
    }
    found = requirements.read(list(texts), texts.get)
    assert found["sqlalchemy"].version == (2, 0, 36)
    assert found["celery"].version == (5, 4)
    assert (found["psycopg"].line, found["psycopg"].version) == (3, (3, 2, 1))


def test_nginx_passes() -> None:
    """An upstream's servers stand for its name; variables and sockets are left out."""
    text = "upstream app {\n  server web:8000;\n}\nserver {\n  proxy_pass http://app;\n  proxy_pass http://api:9000/x;\n  proxy_pass $there;\n}\n"
    assert [(one.host, one.port, one.line) for one in nginx.passes(text)] == [
        ("web", "8000", 2),
        ("api", "9000", 6),
    ]
