"""The Python that has the app's packages, where the first one has none."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tidegate.container.venv import elsewhere
from tidegate.targets import archive


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python without packages, as the first of an image's PATH."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False, symlinks=True)
    return folder / "bin" / "python"


def environment(folder: Path) -> Path:
    """Make an environment beside the code, which has the packages of the test's own."""
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = (folder / "lib").glob("python*/site-packages")
    for name in ("django", "alembic"):
        (site / name).mkdir()
    mine = [path for path in sys.path if path.endswith("site-packages")]
    (site / "mine.pth").write_text("\n".join(mine) + "\n")
    for name in ("django", "alembic"):
        (site / name).rmdir()
        real = next(Path(path) / name for path in mine if (Path(path) / name).is_dir())
        (site / name).symlink_to(real)
    return folder / "bin" / "python"


def test_an_environment_beside_the_code(tmp_path: Path, bare: Path) -> None:
    """The one file goes on as the environment's Python, once; where there is none it stays."""
    code = tmp_path / "app"
    code.mkdir()
    (code / "manage.py").write_text(
        "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'conf')\n"
    )
    (code / "conf.py").write_text(
        "SECRET_KEY = 'x'\nINSTALLED_APPS = []\nDATABASES = {'default': {'ENGINE': "
        "'django.db.backends.sqlite3', 'NAME': '/nowhere/else.db'}}\n"
    )
    inside = archive.write(tmp_path / "boot.pyz")

    def status() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [bare, inside, "--format", "json", "status"], cwd=code, capture_output=True, text=True,
            timeout=60, env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        )  # fmt: skip

    assert elsewhere(str(code), {}) == ""
    lacking = status()
    assert lacking.returncode == 2
    assert "Django is not installed for this Python" in lacking.stderr
    python = environment(code / ".venv")
    assert elsewhere(str(code), {}) == str(python)
    assert elsewhere(str(tmp_path), {"VIRTUAL_ENV": str(code / ".venv")}) == str(python)
    found = status()
    assert found.returncode == 0, found.stderr
    assert '"framework": "django"' in found.stdout
