"""Which libraries a forked child may find imported already, when settings are asked for a seal."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

LOOK = """\
import json, os, sys
from tidegate.container.imports import Imports
from tidegate.container.lookups import Own, watch_environ
imports = Imports()
watch = watch_environ(dict(os.environ), Own("/nowhere", {}), imports)
before = set(sys.modules)
with imports:
    for name in ("web", "house", "made"):
        __import__(name)
fresh = imports.fresh([n for n in sys.modules if n not in before])
print(json.dumps([n for n in ("web", "opentelemetry", "house", "shop_settings", "made")
                  if n in fresh]))
"""
FILES = {
    "opentelemetry.py": "import os\nCONTEXT = os.environ.get('OTEL_PYTHON_CONTEXT')\n",
    "web.py": "import opentelemetry\n",
    "shop_settings.py": "import os\nURL = os.getenv('DATABASE_URL')\n",
    "house.py": "import shop_settings\n",
    "pydantic/__init__.py": "",
    "pydantic/plugin.py": "import os\ndef plugins():\n    return os.getenv('PYDANTIC_DISABLE_X')\n",
    "made.py": "from pydantic.plugin import plugins\nplugins()\n",
}


def test_what_reads_the_environment_taints_who_imports_it(tmp_path: Path) -> None:
    """Settings installed beside the libraries, and what imports them, are asked anew each time. A
    web framework is not because telemetry looks at its own variables, or pydantic at its own."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    package = str(Path(__import__("tidegate").__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {[str(tmp_path), package]}\n"
         + LOOK], capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["web", "opentelemetry", "made"]
