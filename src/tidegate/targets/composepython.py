"""The Python of an image that has the app's packages: asked of the image, once for each image.

Poetry, uv and a plain `venv` keep them in an environment that often is on no PATH; an image that
was made of a bare system may have no `python` on its PATH at all.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tidegate.process import run
from tidegate.targets import archive
from tidegate.targets.composeargs import ARCHIVE, Words, mount
from tidegate.targets.composeengine import Image

PYTHON = "python"
OFFICIAL = "PYTHON_VERSION="  # a variable of the official images, and so of those made from them
NOT_THERE = (126, 127)  # `docker run` ends with these where the program can't be started
ANY = ("python3", ".venv/bin/python", "venv/bin/python", "/opt/venv/bin/python", "/venv/bin/python")
MOST = 50
LOOK = f"import sys; sys.path.insert(0, {ARCHIVE!r}); from tidegate.container import venv; " \
       "print(venv.beside())"  # fmt: skip


def first(words: Words, image: Image, workdir: str, environ: Mapping[str, str]) -> str:
    """Return a Python that starts: what is inside goes on by itself where another has the packages.

    The official images are not asked: they have `python`.
    """
    if any(one.startswith(OFFICIAL) and one != OFFICIAL for one in image.env):
        return PYTHON
    return find(words, image, workdir, environ)


def find(words: Words, image: Image, workdir: str, environ: Mapping[str, str]) -> str:
    """Return the Python that has the framework; of an image that is not there nothing is known."""
    if not image.id:
        return PYTHON
    cache = archive.folder(environ) / "pythons.json"
    key = f"{image.id} {workdir}"
    known = _read(cache)
    if key not in known:
        found = _asked(words, image.id, workdir, environ)
        if not found:
            return PYTHON
        known[key] = found
        _write(cache, known)
    return known[key]


def _asked(words: Words, image: str, workdir: str, environ: Mapping[str, str]) -> str:
    """Return what the image's own first Python says, or an empty string when none can be asked."""
    pyz = f"{archive.cached(environ)}:ro"

    def look(program: str, *argv: str) -> tuple[int | None, str]:
        done = run(words.docker(
            "run", "--rm", "--network", "none", "-v", mount(pyz, ARCHIVE), "-w", workdir,
            "--entrypoint", program, image, *argv,
        ), 60)  # fmt: skip
        return done.code, (done.out.strip().splitlines() or [""])[-1]

    start = PYTHON
    code, found = look(start, "-c", LOOK)
    if code in NOT_THERE:
        start = look("sh", "-c", _any(workdir))[1]
        code, found = look(start, "-c", LOOK) if start else (None, "")
    return (found or start) if code == 0 else ""


def _any(workdir: str) -> str:
    """Return a shell's words that print any Python: that one is asked for the right one."""
    inner = workdir.rstrip("/")
    places = [f"{inner}/{one}" if one.startswith((".", "venv")) else one for one in ANY]
    tries = " ".join(f"'{one}'" for one in places)
    return f'for one in "$VIRTUAL_ENV/bin/python" {tries}; do command -v "$one" && exit; done'


def _read(path: Path) -> dict[str, str]:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return raw if isinstance(raw, dict) else {}


def _write(path: Path, known: Mapping[str, str]) -> None:
    """Write whole or not at all; what was asked first is forgotten first."""
    kept = dict(list(known.items())[-MOST:])
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        json.dump(kept, file, indent=1)
    os.replace(file.name, path)
