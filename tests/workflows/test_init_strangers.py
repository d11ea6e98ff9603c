"""`tidegate init` on projects as people have them: what it tells, writes, adds, and leaves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tidegate.reading.project.project import ProjectFiles
from tidegate.workflows.doctor import story
from tidegate.workflows.init.detect import detect

PLAIN = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
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
    command = [*(PLAIN if drop else []), sys.executable, "-m", "tidegate", "--project", str(root)]
    return subprocess.run(
        [*command, *argv], capture_output=True, text=True, timeout=60, check=False
    )


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
    assert (tmp_path / ".gitignore").read_text().startswith("*.pyc\n.env\n\n# the data")
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


def test_its_own_settings(tmp_path: Path) -> None:
    """[tool.tidegate] goes to the end of pyproject.toml, and every verb can read it."""
    made(tmp_path, django())
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop" # mine\nversion = "1"\n')
    assert "add to  pyproject.toml" in tidegate(tmp_path, "init", "--yes").stdout
    text = (tmp_path / "pyproject.toml").read_text()
    assert text.startswith('[project]\nname = "shop" # mine\nversion = "1"\n\n[tool.tidegate]\n')
    table = tomllib.loads(text)["tool"]["tidegate"]
    assert table["compose"] == {"service": "web", "database": "db"}
    assert tidegate(tmp_path, "check").returncode == 2  # no migration yet, and no bad setting
    assert "it has [tool.tidegate] already" in tidegate(tmp_path, "init").stdout


def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    """It is the folder that is named, not the project, and what was written before it."""
    if PLAIN and not shutil.which("setpriv"):
        pytest.skip("root writes everywhere")
    made(tmp_path, django())
    tmp_path.chmod(0o555)
    done = tidegate(tmp_path, "init", "--yes", drop=True)
    tmp_path.chmod(0o755)
    assert done.returncode == 2
    assert f"requirements.txt can't be written in {tmp_path}: permission denied" in done.stderr
    assert "Nothing was written." in done.stderr
    assert "framework" not in done.stderr
