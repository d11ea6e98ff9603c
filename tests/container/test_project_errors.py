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
