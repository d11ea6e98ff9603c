"""The engine that some tests need, and the image that their projects build on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from support.stacks import forget_images

BASE = "tidegate-doctor-tests"
PACKAGES = "django>=5.2,<6 gunicorn psycopg[binary]>=3.1 sqlalchemy>=2 alembic>=1.13"


def remove(docker: Callable[..., str], name: str, folder: Path) -> None:
    if (folder / "compose.yaml").exists():
        docker("compose", "-p", name, "down", "--volumes", "--timeout", "0", cwd=folder)
    forget_images(name)
