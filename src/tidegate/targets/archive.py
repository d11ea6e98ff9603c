"""The inside as one file, made of the installed package, for images without tidegate."""

from __future__ import annotations

import hashlib
import io
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

OUTSIDE = ("workflows", "reporters", "targets", "rules", "checks", "reading", "process.py")
CLI = (
    "__init__.py",
    "main.py",
    "console.py",
    "handover.py",
)  # of the front end; the rest is the outside's
VERBS = (
    "__init__.py", "adopt.py", "apply.py", "backup.py", "boot.py", "collectstatic.py", "health.py",
    "history.py", "migrate.py", "restore.py", "rollback.py", "seal.py", "status.py", "wait.py",
)  # fmt: skip  # the inside's
MAIN = """\
import os
import sys

from tidegate.container.venv import become_the_projects_own

if os.name == "posix":
    become_the_projects_own(sys.argv, os.environ)

from tidegate.__main__ import entry

entry()
"""


def members() -> Iterator[tuple[str, bytes]]:
    """Yield every file of the inside: its name in the archive, and what is in it."""
    package = Path(__file__).resolve().parents[1]
    for path in sorted(package.rglob("*.py")):
        inner = path.relative_to(package)
        if "__pycache__" in inner.parts or inner.parts[0] in OUTSIDE:
            continue
        if inner.parts[0] == "frontends" and inner.name not in _front_end(inner.parts):
            continue
        yield f"tidegate/{inner.as_posix()}", path.read_bytes()
    yield "__main__.py", MAIN.encode()


def _front_end(parts: tuple[str, ...]) -> tuple[str, ...]:
    return {2: ("__init__.py",), 3: CLI}.get(len(parts), VERBS)


def content() -> bytes:
    """Return the archive; the same source gives the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return b"#!/usr/bin/env python3\n" + out.getvalue()


def write(path: Path) -> Path:
    """Write the archive to `path`, whole or not at all, readable for every user of an image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content())
    made = Path(file.name)
    made.chmod(0o755)
    return made.replace(path)


def cached(environ: Mapping[str, str]) -> Path:
    """Return the archive in the user's cache, made if it is not there."""
    digest = hashlib.sha256()
    for name, data in members():
        digest.update(name.encode() + b"\0" + data)
    path = folder(environ) / f"tidegate-boot-{digest.hexdigest()[:12]}.pyz"
    return path if path.is_file() else write(path)


def folder(environ: Mapping[str, str]) -> Path:
    """Return the user's cache folder for tidegate."""
    home = Path(environ.get("HOME") or Path.home())
    if environ.get("XDG_CACHE_HOME"):
        return Path(environ["XDG_CACHE_HOME"]) / "tidegate"
    if sys.platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or home) / "tidegate" / "cache"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "tidegate"
    return home / ".cache" / "tidegate"
