"""Where a framework's files may be: the folder that was named, and those just below it."""

from __future__ import annotations

import os
from pathlib import Path


def looked_in(root: Path) -> list[Path]:
    """Return `root` and its folders; neither hidden ones nor those that are closed to this user."""
    below = (one for one in root.iterdir() if one.is_dir() and one.name[0] != ".")
    return [root, *sorted(one for one in below if os.access(one, os.R_OK | os.X_OK))]
