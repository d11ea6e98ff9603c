"""The driver that a URL means is compared with what the project installs."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.test_check_examples import FILE_CHECKS, written
from tidegate.workflows.doctor import story

BAD = FILE_CHECKS["url-driver-missing"].BAD


@pytest.mark.parametrize(
    ("listed", "scheme", "severity"),
    [
        ("sqlalchemy\npsycopg2", "postgresql", "warning"),
        ("sqlalchemy>=2.0\npsycopg2-binary", "postgresql", "warning"),
        ("sqlalchemy>=2.1\npsycopg2", "postgresql", "error"),
        ("alembic\npsycopg[binary]", "postgresql+psycopg2", "error"),
        ("sqlalchemy<2.1\npsycopg[binary]", "postgresql", "warning"),
        ("sqlalchemy\npymysql", "mysql+mysqldb", "error"),
        ("sqlalchemy<2.1\npsycopg2", "postgresql", ""),
        ("sqlalchemy==2.0.44\npsycopg2", "postgresql", ""),
        ("sqlalchemy~=2.0.1\npsycopg2", "postgresql", ""),
        ("sqlalchemy\npsycopg", "postgresql", ""),
        ("sqlalchemy\npsycopg2", "postgresql+psycopg2", ""),
        ("sqlalchemy", "postgresql", ""),
        ("sqlmodel\npsycopg2", "postgresql", ""),
        ("django\npsycopg2", "postgresql", ""),
    ],
)
def test_what_a_scheme_means(listed: str, scheme: str, severity: str, tmp_path: Path) -> None:
    """A plain URL means what the newest SQLAlchemy that the list allows takes it for."""
    compose = BAD["compose.yaml"].replace("postgresql:", f"{scheme}:")
    tree = {**BAD, "requirements.txt": listed + "\n", "compose.yaml": compose}
    found = story.examine(written(tmp_path, tree))
    assert [one.severity for one in found] == ([severity] if severity else [])


@pytest.mark.parametrize(
    "more",
    [
        {"shop/db.py": 'url = os.environ["DATABASE_URL"].replace("://", "postgresql+psycopg2://")\n'},
        {"Dockerfile": BAD["Dockerfile"].replace("CMD", "RUN pip install psycopg\nCMD")},
    ],
)  # fmt: skip
def test_what_the_project_does_about_it(more: dict[str, str], tmp_path: Path) -> None:
    """The code may name a driver, and the image may bring one."""
    assert story.examine(written(tmp_path, {**BAD, **more})) == []
