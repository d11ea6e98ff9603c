"""The inside is the standard library only, and ships as one file."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

LOAD = """
import sys, pkgutil, importlib
before = set(sys.modules)
import tidegate
for package in ("model", "contracts", "container", "databases", "frameworks"):
    folder = importlib.import_module("tidegate." + package)
    for found in pkgutil.iter_modules(folder.__path__):
        importlib.import_module(f"tidegate.{package}.{found.name}")
names = {name.split(".")[0] for name in set(sys.modules) - before}
print(sorted(n for n in names if n not in sys.stdlib_module_names and n != "tidegate"))
print(sorted(n for n in sys.modules if n.startswith(("tidegate.workflows", "tidegate.frontends"))))
"""


def test_the_inside_imports_the_standard_library_only():
    """Loading all of the inside loads no third-party module and nothing of the outside."""
    done = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "[]"]


def test_the_fast_path_counts_its_imports():
    """What the fast path imports at its top loads none of the modules that cost milliseconds."""
    code = (
        "import sys, tidegate.container.entry, tidegate.databases.pgwire\n"
        "slow = {'re', 'json', 'dataclasses', 'typing', 'enum', 'argparse', 'socket', 'ssl', "
        "'inspect', 'pathlib', 'subprocess', 'threading', 'logging'}\n"
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {_src()!r})\n{code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


def _src() -> str:
    import tidegate

    return str(Path(tidegate.__file__).parents[1])


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Return (a Python without tidegate, the one-file archive)."""
    folder = tmp_path_factory.mktemp("alone")
    pyz = folder / "tidegate-boot.pyz"
    subprocess.run([sys.executable, ROOT / "scripts" / "build_pyz.py", pyz], check=True)
    venv.create(folder / "env", with_pip=False)
    return str(folder / "env" / "bin" / "python"), str(pyz)


def test_the_one_file_says_its_version(alone):
    """The archive runs where tidegate is not installed."""
    python, pyz = alone
    missing = subprocess.run([python, "-c", "import tidegate"], capture_output=True, check=False)
    assert missing.returncode == 1
    done = subprocess.run([python, pyz, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("tidegate ")


def test_the_one_file_boots_a_django_project(alone, tmp_path):
    """Boot from the archive migrates an empty SQLite database and becomes the command."""
    import django

    python, pyz = alone
    site = Path(django.__file__).parents[1]
    libraries = tmp_path / "libraries"
    libraries.mkdir()
    for name in ("django", "asgiref", "sqlparse"):
        (libraries / name).symlink_to(site / name)
    project = tmp_path / "project"
    project.mkdir()
    (project / "manage.py").write_text(
        'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "conf")\n'
    )
    (project / "conf.py").write_text(
        "SECRET_KEY = 'x'\nINSTALLED_APPS = ['django.contrib.contenttypes']\n"
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', "
        f"'NAME': {str(project / 'db.sqlite3')!r}}}}}\n"
    )
    done = subprocess.run(
        [python, pyz, "boot", "--", python, "-c", "print('the app')"],
        cwd=project,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(libraries)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "the app\n"), done.stderr
    assert "contenttypes.0002_remove_content_type_name: done (2 of 2)" in done.stderr


def test_a_reader_that_has_seen_enough():
    """A closed pipe is no bug: nothing is printed, and no log is written."""
    command = f"{sys.executable} -m tidegate rules | head -1"
    done = subprocess.run(
        ["bash", "-c", f"{command}; echo ${{PIPESTATUS[0]}}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] in ("0", "1", "141")
    assert "bug" not in done.stderr
