"""A project that can't be loaded: all that its error says, and no value of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CONF = """\
class Wrong(Exception):
    pass


raise Wrong(
    "1 validation error for Settings\\nsecret_key\\n"
    "  Field required [type=missing, input_value={'token': 'Sesame-4711'}, input_type=dict]"
)
"""


def test_a_missing_setting_is_named(tmp_path: Path) -> None:
    """The setting's name stands in the second line of such errors; the values that they repeat are
    left out, and the file is the project's own."""
    (tmp_path / "manage.py").write_text(
        "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'conf')\n"
    )
    (tmp_path / "conf.py").write_text(CONF)
    done = subprocess.run(
        [sys.executable, "-m", "tidegate", "status", "--local"], cwd=tmp_path, text=True,
        capture_output=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    said = done.stderr.splitlines()
    assert "the project can't be loaded: Wrong: 1 validation error for Settings" in said[0]
    assert said[1].strip() == "secret_key"
    assert "Field required [type=missing" in said[2]
    assert "conf.py, line 5" in done.stderr
    assert "Sesame" not in done.stderr


def test_a_manage_that_names_no_settings(tmp_path: Path) -> None:
    """Where nothing says which settings, those that are there are named, and how to say it."""
    (tmp_path / "manage.py").write_text("from django.core.management import execute\n")
    (tmp_path / "shop" / "settings").mkdir(parents=True)
    for name in ("__init__", "base", "prod"):
        (tmp_path / "shop" / "settings" / f"{name}.py").touch()
    done = _run(tmp_path, "status", "--local")
    assert done.returncode == 2
    assert "manage.py names no settings module" in done.stderr
    assert "shop.settings.base, shop.settings.prod." in done.stderr
    assert "DJANGO_SETTINGS_MODULE=shop.settings.base" in done.stderr


def test_a_manage_of_something_else(tmp_path: Path) -> None:
    """A manage.py that has nothing to do with Django is not taken for one that lacks a line."""
    (tmp_path / "manage.py").write_text("import click\n")
    assert "no Django or Alembic project was found" in _run(tmp_path, "status", "--local").stderr


def test_what_no_variable_mends_is_asked_once(tmp_path: Path) -> None:
    """Sealing tries no values on a project that lacks a module."""
    (tmp_path / "manage.py").write_text(
        "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'conf')\n"
    )
    (tmp_path / "asked").touch()
    (tmp_path / "conf.py").write_text(
        "import os\nos.getenv('A'), os.getenv('B')\nprint('x', file=open('asked', 'a'))\n"
        "import no_such_module\n"
    )
    done = _run(tmp_path, "seal")
    assert done.returncode == 2
    assert "conf.py:4: ModuleNotFoundError: No module named 'no_such_module'" in done.stderr
    assert (tmp_path / "asked").read_text() == "x\n"


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tidegate", *arguments], cwd=folder, text=True, capture_output=True,
        timeout=60, check=False,
    )  # fmt: skip
