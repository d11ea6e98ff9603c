"""Which line of a project's own code is at work right now."""

from __future__ import annotations

import os
import sys
from pathlib import Path

LIBRARIES = ("site-packages", "dist-packages")


def caller(root: Path, but: tuple[str, ...] = ()) -> str:
    """Return the innermost frame in a file below `root`; not in libraries, nor in files `but`."""
    below = str(root.resolve()) + os.sep
    frame = sys._getframe(1)
    while frame is not None:
        file = os.path.abspath(frame.f_code.co_filename)
        own = file.startswith(below) and os.path.isfile(file)
        if own and not any(name in file for name in (*LIBRARIES, *but)):
            return f"{frame.f_code.co_name} in {file}, line {frame.f_lineno}"
        if frame.f_back is None:
            break
        frame = frame.f_back
    return "the project's own code"
