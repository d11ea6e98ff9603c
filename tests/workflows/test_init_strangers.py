"""`tidegate init` on projects as people have them: what it tells, writes, adds, and leaves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from support.forked import tidegate_in
from tidegate.reading.project.project import ProjectFiles
from tidegate.workflows.doctor import story
from tidegate.workflows.init.detect import detect

MANAGE = (
    'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\nimport django\n'
)
ALEMBIC = "[alembic]\nscript_location = migrations\nsqlalchemy.url = {}\n"
ENV = """from alembic import context
from sqlalchemy import engine_from_config

config = context.config
connectable = engine_from_config(config.get_section(config.config_ini_section))
"""
SETTINGS = """from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "x"
DATABASES = {"default": {"ENGINE": "django.db.backends.%s", "NAME": %s, "HOST": "localhost"}}
"""


def tidegate(root: Path, *argv: str, drop: bool = False) -> subprocess.CompletedProcess[str]:
    return tidegate_in(root, *argv, as_anybody=drop)


def made(root: Path, tree: dict[str, str]) -> Path:
    for name, text in tree.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def django(engine: str = "postgresql", name: str = '"shop"', more: str = "") -> dict[str, str]:
    settings = SETTINGS % (engine, name) + more
    return {"manage.py": MANAGE, "shop/__init__.py": "", "shop/settings.py": settings}


def alembic(url: str, env: str = ENV) -> dict[str, str]:
    return {"alembic.ini": ALEMBIC.format(url), "migrations/env.py": env}


def ruled(root: Path) -> list[tuple[str, str]]:
    found = story.examine(ProjectFiles(root))
    return [(one.rule, one.problem.place.path) for one in found]


@pytest.mark.parametrize(
    ("tree", "database", "driver"),
    [
        (alembic("postgresql://u:p@localhost/shop"), "postgresql", "psycopg2-binary"),
        (alembic("postgresql+asyncpg://u:p@localhost/shop"), "postgresql", "asyncpg"),
        (alembic("", ENV + 'url = "mysql+pymysql://u@h/d"\n'), "mysql", "pymysql"),
        ({**alembic(""), "shop/config.py": 'URL = "postgres://localhost/shop"\n'}, "postgresql",
         "psycopg2-binary"),
        (alembic("driver://user:pass@localhost/dbname"), "sqlite", ""),
        (alembic("sqlite:///shop.db"), "sqlite", ""),
        (django("postgresql"), "postgresql", "psycopg"),
        (django("mysql"), "mysql", "mysqlclient"),
        (django("sqlite3"), "sqlite", ""),
    ],
)  # fmt: skip
def test_the_database_is_told_by_urls_and_settings(
    tree: dict[str, str], database: str, driver: str, tmp_path: Path
) -> None:
    """Also where no driver is listed: alembic.ini, env.py, the code, or ENGINE says it."""
    found = detect(ProjectFiles(made(tmp_path, tree)))
    assert (found.database, found.driver) == (database, driver)


def test_settings_that_name_localhost(tmp_path: Path) -> None:
    """init says which lines to change though a DATABASE_URL is about; doctor until they are."""
    made(tmp_path, {**django(), "tools/load.py": 'import os\nURL = os.environ["DATABASE_URL"]\n'})
    (tmp_path / "requirements.txt").write_text("django\npsycopg[binary]\n")
    done = tidegate(tmp_path, "init", "--yes")
    assert "shop/settings.py:5 says by itself where the database is" in done.stdout
    assert '"HOST": os.environ.get("DB_HOST", "localhost"),' in done.stdout
    assert ruled(tmp_path) == [("localhost-in-container", "shop/settings.py")]
    text = (tmp_path / "shop/settings.py").read_text()
    told = text.replace('"localhost"', 'os.environ.get("DB_HOST", "localhost")')
    (tmp_path / "shop/settings.py").write_text("import os\n" + told)
    assert ruled(tmp_path) == []


def test_an_ini_that_names_localhost(tmp_path: Path) -> None:
    """The same for Alembic: the two lines for env.py, and doctor until they stand there."""
    made(tmp_path, alembic("postgresql://shop:shop@localhost/shop"))
    done = tidegate(tmp_path, "init", "--yes")
    assert "alembic.ini:3 says by itself where the database is" in done.stdout
    assert ruled(tmp_path) == [("localhost-in-container", "alembic.ini")]
    lines = [one.strip() for one in done.stdout.splitlines()]
    at = next(index for index, one in enumerate(lines) if one.startswith("url = os.environ"))
    pasted = ENV.replace("connectable", "\n".join(lines[at : at + 2]) + "\nconnectable")
    (tmp_path / "migrations/env.py").write_text("import os\n" + pasted)
    assert ruled(tmp_path) == []


def test_a_package_that_flask_migrates(tmp_path: Path) -> None:
    """It is imported from the folder above it, and a server for WSGI runs what a function makes."""
    package = {"__init__.py": "", "wsgi.py": "from board.run import make_app\n\napp = make_app()\n",
               "run.py": "import flask\n\n\ndef make_app(config=None): ...\n",
               "migrations/alembic.ini": "[alembic]\n", "migrations/env.py": ENV}  # fmt: skip
    made(tmp_path, {f"board/{name}": text for name, text in package.items()})
    (tmp_path / "requirements.txt").write_text("flask-migrate\nflask\npsycopg2\n")
    workflow = "on: push\njobs:\n  test:\n    services:\n      db: {image: postgres:17}\n"
    made(tmp_path, {".github/workflows/ci.yml": workflow, ".env.example": "DEBUG=1\n"})
    done = tidegate(tmp_path, "init", "--yes")
    assert (tmp_path / "compose.yaml").exists(), (
        done.stdout
    )  # the workflow of CI is no Compose file
    dockerfile = (tmp_path / "Dockerfile").read_text()
    assert 'CMD ["gunicorn", "board.wsgi:app"' in dockerfile
    assert "WORKDIR /app/board" not in dockerfile
    assert "add to  .env.example" in done.stdout
    example = (tmp_path / ".env.example").read_text()
    assert example.startswith("DEBUG=1\n")
    assert "\nDB_PASSWORD=\n" in example
    assert tidegate(tmp_path, "init", "--yes").stdout.count("add to") == 0


def test_an_app_that_reads_a_variable_its_migrations_do_not(tmp_path: Path) -> None:
    """init says which lines env.py needs, as alembic.ini holds the URL that it connects to."""
    ini = alembic("postgresql+asyncpg://postgres:postgres@db:5432/shop")
    made(tmp_path, {**ini, "shop/db.py": 'import os\nURL = os.environ["DATABASE_URL"]\n'})
    (tmp_path / "requirements.txt").write_text("alembic\nasyncpg\n")
    assert "alembic.ini:3 says by itself where" in tidegate(tmp_path, "init", "--yes").stdout


def test_settings_that_no_file_names(tmp_path: Path) -> None:
    """The package with wsgi.py is the one that is served, and the settings are asked for."""
    tree = {
        "manage.py": "import django\n",
        "baby/wsgi.py": "application = get_wsgi_application()\n",
    }
    done = tidegate(made(tmp_path, {**tree, "requirements.txt": "django\n"}), "init", "--yes")
    assert 'CMD ["gunicorn", "baby.wsgi"' in (tmp_path / "Dockerfile").read_text()
    assert "no file names the Django settings" in done.stdout


def test_sqlite_in_the_code_folder(tmp_path: Path) -> None:
    """The note moves the file to the volume; doctor warns as long as it is in the container."""
    made(tmp_path, django("sqlite3", 'BASE_DIR / "db.sqlite3"'))
    done = tidegate(tmp_path, "init", "--yes")
    assert '"NAME": os.environ.get("DATABASE_PATH", BASE_DIR / "db.sqlite3"),' in done.stdout
    assert ruled(tmp_path) == [("sqlite-not-on-volume", "shop/settings.py")]
    text = (tmp_path / "shop/settings.py").read_text()
    moved = text.replace(
        'BASE_DIR / "db.sqlite3"', 'os.environ.get("DATABASE_PATH", BASE_DIR / "db.sqlite3")'
    )
    (tmp_path / "shop/settings.py").write_text("import os\n" + moved)
    assert ruled(tmp_path) == []
    compose = tmp_path / "compose.yaml"
    assert "DATABASE_PATH: /data/db.sqlite3" in compose.read_text()
    compose.write_text(compose.read_text().replace("DATABASE_PATH", "OTHER"))
    assert ruled(tmp_path) == [("sqlite-not-on-volume", "shop/settings.py")]
    compose.unlink()
    (tmp_path / "compose.dev.yaml").unlink()
    tidegate(tmp_path, "init", "--yes")  # now the settings read the variable already
    assert "DATABASE_PATH: /data/db.sqlite3" in compose.read_text()


def test_packages_that_no_file_lists(tmp_path: Path) -> None:
    """A list is written from the imports, so that the image has what the code needs."""
    more = "'''Generated by 'django-admin startproject' using Django 5.2.8.'''\n"
    tree = django(more=more)
    tree["shop/views.py"] = "import json\nimport rest_framework\nimport shop.models\nimport httpx\n"
    done = tidegate(made(tmp_path, tree), "init", "--yes")
    assert done.returncode == 0
    lines = (tmp_path / "requirements.txt").read_text().splitlines()[1:]
    assert lines == ["django>=5.2,<6", "djangorestframework", "httpx", "psycopg[binary]"]
    assert "pip install -r requirements.txt tidegate" in (tmp_path / "Dockerfile").read_text()


@pytest.mark.parametrize(
    ("tree", "says"),
    [
        ({"pyproject.toml": '[project]\nname = "s"\ndependencies = ["django", "psycopg"]\n'},
         "uv pip install --python /venv/bin/python -r pyproject.toml tidegate gunicorn"),
        ({"requirements/base.txt": "django\n", "requirements/prod.txt": "-r base.txt\npsycopg\n"},
         "COPY requirements/base.txt ./requirements/base.txt\n"),
        ({"requirements.txt": "django\n"}, "tidegate gunicorn 'psycopg[binary]'"),
    ],
)  # fmt: skip
def test_every_way_to_list_packages(tree: dict[str, str], says: str, tmp_path: Path) -> None:
    """pyproject without a lock, lists that name others, and a list that lacks the driver."""
    tidegate(made(tmp_path, {**django(), **tree}), "init", "--yes")
    assert says in (tmp_path / "Dockerfile").read_text()


PYDANTIC = """from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SHOP_")
    database_url: str = "postgresql+asyncpg://localhost/shop"
    stripe_key: str
    debug: bool = False


settings = Settings()
"""


def test_settings_of_pydantic(tmp_path: Path) -> None:
    """A field of BaseSettings is a variable: it is given, and asked for where it has no default."""
    env = "from shop.config import settings\nurl = settings.database_url\n"
    tree = {**alembic("", "from alembic import context\n" + env), "shop/config.py": PYDANTIC}
    done = tidegate(made(tmp_path, tree), "init", "--yes")
    assert "says by itself" not in done.stdout and "no code reads" not in done.stdout
    compose = (tmp_path / "compose.yaml").read_text()
    assert "  SHOP_DATABASE_URL: postgresql+asyncpg://" in compose
    assert "  SHOP_STRIPE_KEY: ${SHOP_STRIPE_KEY:?" in compose
    assert "SHOP_STRIPE_KEY=\n" in (tmp_path / ".env.example").read_text()
    assert "SHOP_DEBUG" not in compose


def test_static_files_lie_where_the_settings_say(tmp_path: Path) -> None:
    """The project's own STATIC_ROOT is what the image prepares and the volume keeps."""
    more = 'STATIC_ROOT = BASE_DIR / "collected"\n'
    tidegate(made(tmp_path, django(more=more)), "init", "--yes")
    assert "install -d -o app -g app /data /app/collected" in (tmp_path / "Dockerfile").read_text()
    compose = (tmp_path / "compose.yaml").read_text()
    assert "- static:/app/collected" in compose
    assert "media" not in compose and "/srv" not in compose
    assert "collected/" in (tmp_path / ".dockerignore").read_text()


def test_secrets_and_data_stay_out_of_the_repository(tmp_path: Path) -> None:
    """git itself ignores .env and backups/, with a new .gitignore or an added end of the old."""
    made(tmp_path, django())
    (tmp_path / ".gitignore").write_text("*.pyc\n.env")
    done = tidegate(tmp_path, "init", "--yes")
    assert "add to  .gitignore" in done.stdout
    assert (
        (tmp_path / ".gitignore")
        .read_text()
        .startswith("*.pyc\n.env\n\n# secrets of a cluster\nsecret.env\n")
    )
    if shutil.which("git"):
        subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
        names = [".env", "backups/x/data.dump", "db.sqlite3", ".env.example"]
        said = subprocess.run(
            ["git", "check-ignore", *names],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert said.stdout.split() == names[:3]
    again = tidegate(tmp_path, "init", "--yes")
    assert "leave   .gitignore  (it is there already)" in again.stdout


def test_secrets_stay_out_of_the_image(tmp_path: Path) -> None:
    """A .dockerignore that lets .env through gets the line, and keeps the rest."""
    made(tmp_path, django())
    (tmp_path / ".dockerignore").write_text("*.pyc\n")
    assert "add to  .dockerignore" in tidegate(tmp_path, "init", "--yes").stdout
    text = (tmp_path / ".dockerignore").read_text()
    assert text.startswith("*.pyc\n\n# secrets of this machine\n.env\n")
    ignored = ProjectFiles(tmp_path).dockerignore("")
    assert ignored.ignores(".env") and ignored.ignores("kubernetes/secret.env")
    assert "leave   .dockerignore  (it is there already)" in tidegate(tmp_path, "init").stdout


def test_its_own_settings(tmp_path: Path) -> None:
    """[tool.tidegate] goes to the end of pyproject.toml, and every verb can read it."""
    made(tmp_path, django())
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop" # mine\nversion = "1"\n')
    assert "add to  pyproject.toml" in tidegate(tmp_path, "init", "--yes").stdout
    text = (tmp_path / "pyproject.toml").read_text()
    assert text.startswith('[project]\nname = "shop" # mine\nversion = "1"\n\n[tool.tidegate]\n')
    table = tomllib.loads(text)["tool"]["tidegate"]
    assert table["compose"] == {"service": "web", "database": "db"}
    assert tidegate(tmp_path, "check").returncode == 0  # no migration yet, and no bad setting
    assert "it has [tool.tidegate] already" in tidegate(tmp_path, "init").stdout


@pytest.mark.parametrize("path", ["manage.py", "shop/settings.py", "shop"])
def test_closed_files_are_named(path: str, tmp_path: Path) -> None:
    """init says which file it may not read, in place of telling the project from the rest."""
    if os.geteuid() == 0 and sys.platform != "linux":
        pytest.skip("root reads everything")
    made(tmp_path, django())
    (tmp_path / path).chmod(0)
    done = tidegate(tmp_path, "init", "--yes", drop=True)
    (tmp_path / path).chmod(0o755)
    assert done.returncode == 2
    assert f"{path}{'/' if path == 'shop' else ''} can't be read: permission denied" in done.stderr
    assert not (tmp_path / "Dockerfile").exists()


def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    """It is the folder that is named, not the project, and what was written before it."""
    if os.geteuid() == 0 and sys.platform != "linux":
        pytest.skip("root writes everywhere")
    made(tmp_path, django())
    tmp_path.chmod(0o555)
    done = tidegate(tmp_path, "init", "--yes", drop=True)
    tmp_path.chmod(0o755)
    assert done.returncode == 2
    assert f"requirements.txt can't be written in {tmp_path}: permission denied" in done.stderr
    assert "Nothing was written." in done.stderr
    assert "framework" not in done.stderr
