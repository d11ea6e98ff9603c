"""Build `dist/tidegate-boot.pyz`: the inside as one file, for images that want nothing installed.

usage: python scripts/build_pyz.py [OUTPUT]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from tidegate.targets.archive import write

if __name__ == "__main__":
    print(write(Path(sys.argv[1] if len(sys.argv) > 1 else "dist/tidegate-boot.pyz")))
