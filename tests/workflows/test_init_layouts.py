"""`tidegate init` where the code, its lists, or its Python are not where they usually are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.reading.project.project import ProjectFiles
from tidegate.workflows.doctor import story
from tidegate.workflows.init.detect import Found, detect
from tidegate.workflows.init.pythonversion import fits
from workflows.test_init_strangers import alembic, django, made, tidegate

FLASK = "from flask import Flask\n\napp = Flask(__name__)\n"
FASTAPI = "app = FastAPI()\n"
FLASK_MIGRATE = {"migrations/alembic.ini": "[alembic]\n", "migrations/env.py": "", "app.py": FLASK}
TOLD = 'import os\n\nURL = os.environ.get("DATABASE_URL", "{}://localhost/shop")\n'
POETRY = '[tool.poetry.dependencies]\npython = "^3.11"\ndjango = "*"\npsycopg = "*"\n'


def below(folder: str, tree: dict[str, str]) -> dict[str, str]:
    return {f"{folder}/{name}": text for name, text in tree.items()}


def found(root: Path, tree: dict[str, str]) -> Found:
    return detect(ProjectFiles(made(root, tree)))


def test_a_project_below_its_repository(tmp_path: Path) -> None:
    """The image works in the folder of manage.py, and the settings' paths follow."""
    more = 'STATIC_ROOT = BASE_DIR / "collected"\n'
    tree = below("backend", {**django(more=more), "requirements.txt": "django\npsycopg\n"})
    tree["backend/shop/settings.py"] = tree["backend/shop/settings.py"].replace(
        '"localhost"', '__import__("os").environ["DB_HOST"]'
    )
    made(tmp_path, {**tree, "frontend/package.json": "{}\n"})
    assert tidegate(tmp_path, "init", "--yes").returncode == 0
    text = (tmp_path / "Dockerfile").read_text()
    assert "COPY . .\nWORKDIR /app/backend\n" in text
    assert "pip install -r backend/requirements.txt" in text
    assert "- static:/app/backend/collected" in (tmp_path / "compose.yaml").read_text()
    assert story.examine(ProjectFiles(tmp_path)) == []


@pytest.mark.parametrize(
    ("tree", "app"),
    [
        ({**below("backend", alembic("")), "backend/app/main.py": FASTAPI}, "app.main:app"),
        ({**alembic(""), "src/app/main.py": FASTAPI}, "app.main:app"),
        (FLASK_MIGRATE, "app:app"),
        (below("api", FLASK_MIGRATE), "app:app"),
    ],
)  # fmt: skip
def test_the_server_imports_the_app_from_its_own_folder(
    tree: dict[str, str], app: str, tmp_path: Path
) -> None:
    """The folder is no part of the module's name."""
    assert found(tmp_path, tree).app == app


@pytest.mark.parametrize(
    ("tree", "copied"),
    [
        (below("backend", {**django(), "pyproject.toml": "", "uv.lock": ""}),
         "COPY backend/pyproject.toml backend/uv.lock ./"),
        ({**below("backend", django()), "pyproject.toml": "", "poetry.lock": ""},
         "COPY pyproject.toml poetry.lock ./"),
        ({**django(), "pyproject.toml": POETRY}, "COPY pyproject.toml ./"),
    ],
)  # fmt: skip
def test_the_lists_of_packages_lie_with_the_code_or_above(
    tree: dict[str, str], copied: str, tmp_path: Path
) -> None:
    """A lock beside the code is found, and Poetry's own table is read by Poetry."""
    made(tmp_path, tree)
    tidegate(tmp_path, "init", "--yes")
    text = (tmp_path / "Dockerfile").read_text()
    assert copied in text
    assert ("poetry install" in text) == ("uv.lock" not in copied)


@pytest.mark.parametrize(
    ("said", "python"),
    [(">=3.10,<3.12", "3.11"), (">=3.9", "3.12"), (">=3.13", "3.13"), ("==3.10.*", "3.10"),
     ("~=3.11", "3.12"), ("~=3.11.4", "3.11"), (">=3.12,!=3.12.*", "3.13"), (">=3.8, <4", "3.12"),
     ("<=3.11", "3.11"), (">=3.10,<3.12.4", "3.12"), ("whatever", "3.12")],
)  # fmt: skip
def test_the_python_that_the_project_allows(said: str, python: str, tmp_path: Path) -> None:
    """Both bounds count; of what is left the usual one, then the next newer."""
    tree = {**django(), "pyproject.toml": f'[project]\nname = "s"\nrequires-python = "{said}"\n'}
    assert found(tmp_path, tree).python == python


def test_poetry_s_words_for_a_python() -> None:
    """A caret leaves the upper end open, a tilde does not, and two choices are either."""
    assert [fits(one, "^3.11") for one in (10, 11, 13)] == [False, True, True]
    assert [fits(one, "~3.11") for one in (10, 11, 12)] == [False, True, False]
    assert fits(10, "~3.10 || ~3.12") and not fits(11, "~3.10 || ~3.12")


@pytest.mark.parametrize(
    ("listed", "scheme", "url"),
    [
        ("psycopg2-binary", "postgresql", "postgresql+psycopg2://"),
        ("psycopg[binary]\nasyncpg", "postgresql+asyncpg", "postgresql+asyncpg://"),
        ("psycopg[binary]\nasyncpg", "postgresql", "postgresql+psycopg://"),
    ],
)
def test_the_url_names_its_driver(listed: str, scheme: str, url: str, tmp_path: Path) -> None:
    """A plain URL means another driver to SQLAlchemy 2.1; the code's own choice goes first."""
    tree = {**alembic(""), "app.py": TOLD.format(scheme), "requirements.txt": listed + "\n"}
    tidegate(made(tmp_path, tree), "init", "--yes")
    assert f"DATABASE_URL: {url}" in (tmp_path / "compose.yaml").read_text()


def test_a_key_of_the_configuration_is_no_variable(tmp_path: Path) -> None:
    """`app.config["…"]` is Flask's own, and nobody's environment."""
    code = FLASK + 'app.config["SQLALCHEMY_DATABASE_URI"] = "postgresql://localhost/shop"\n'
    assert found(tmp_path, {**alembic(""), "app.py": code}).variables == ()


def test_flask_migrate_without_its_folder(tmp_path: Path) -> None:
    """What is missing is said, and the command that makes it."""
    done = tidegate(
        made(tmp_path, {"app.py": FLASK, "requirements.txt": "flask-migrate\n"}), "init"
    )
    assert done.returncode == 2
    assert "next: flask db init, then tidegate init" in done.stderr
