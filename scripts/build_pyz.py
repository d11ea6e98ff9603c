"""Build `dist/tidegate-boot.pyz`: the inside as one file, for images that want nothing installed.

usage: python scripts/build_pyz.py [OUTPUT]
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import zipapp
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src" / "tidegate"
OUTSIDE = ("workflows", "reporters", "targets", "rules", "checks", "process.py")
VERBS = (
    "backup", "boot", "health", "history", "migrate",
    "restore", "rollback", "seal", "status", "wait",
)  # fmt: skip  # the inside's


def build(output: Path) -> Path:
    """Write the archive; everything of the outside stays out."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        inside = Path(folder) / "tidegate"
        shutil.copytree(SOURCE, inside, ignore=shutil.ignore_patterns("__pycache__", *OUTSIDE))
        for verb in (inside / "frontends/cli/commands").glob("[a-z]*.py"):
            if verb.stem not in VERBS:
                verb.unlink()
        zipapp.create_archive(
            folder, output, interpreter="/usr/bin/env python3", main="tidegate.__main__:entry"
        )
    output.chmod(0o755)
    return output


if __name__ == "__main__":
    print(build(Path(sys.argv[1] if len(sys.argv) > 1 else "dist/tidegate-boot.pyz")))
