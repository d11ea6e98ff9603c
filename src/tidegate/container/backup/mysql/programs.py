"""MariaDB's and MySQL's own programs: which are here, or in the database's container.

Each maker's dump is for its own server: MySQL's asks MariaDB for tables that it does not have, and
MariaDB's knows neither MySQL's collations nor what its accounts may see.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tidegate.errors import PolicyRefused
from tidegate.model.connection import Connection

NAMES = (("mariadb-dump", "mariadb"), ("mysqldump", "mysql"))
PASSED = ("MYSQL_PWD", "LC_ALL")  # by name: docker takes the value from its own environment
PORT = "3306"
_MARIADB = re.compile(r"(\d+\.\d+\.\d+)-MariaDB")
_MYSQL = re.compile(r"Ver (\d+\.\d+\.\d+)")


@dataclass(frozen=True, slots=True)
class Programs:
    """A dump and a client of one maker's, of one version, in one place."""

    maker: str
    version: str
    dump: tuple[str, ...]
    client: tuple[str, ...]
    where: str
    at: tuple[str, str] = ("", "")
    """The host and port by which they reach the database, where those are not the login's."""

    @property
    def shown(self) -> str:
        """The program, its version and where it is, for people."""
        return f"{os.path.basename(self.dump[-1])} {self.version} ({self.where})"


def reads(server: str, written: str) -> bool:
    """Return whether a server reads what one of the version `written` wrote."""
    return maker_of(server) == maker_of(written) and numbers(server) >= numbers(written)


def maker_of(server: str) -> str:
    """Return who made a server, from its version()."""
    return "MariaDB" if "mariadb" in server.lower() else "MySQL"


def numbers(version: str) -> tuple[int, int]:
    """Return (10, 11) of 10.11.6-MariaDB: the series, within which dumps are exchanged freely."""
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def of_server(program: str) -> str:
    """Return the version of MariaDB's server program; empty where it does not tell."""
    try:
        said = subprocess.run([program, "--version"], stdin=subprocess.DEVNULL, text=True,
                              capture_output=True, timeout=20, check=False).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    found = re.search(r"\d+\.\d+\.\d+-MariaDB", said)
    return found[0] if found else ""


def installed(environ: Mapping[str, str]) -> list[Programs]:
    """Return what this machine has: in the folder that is named, else on PATH."""
    path = environ.get("TIDEGATE_MYSQL_BIN") or environ.get("PATH")
    found: dict[Path, Programs] = {}
    for dump, client in NAMES:
        places = [shutil.which(name, path=path) for name in (dump, client)]
        if not (places[0] and places[1]):
            continue
        real = Path(places[0]).resolve()
        one = real not in found and _asked((places[0],), (places[1],), str(real.parent))
        if one:
            found[real] = one
    return list(found.values())


def in_container(
    prefix: Sequence[str], name: str, at: tuple[str, str] = ("", "")
) -> Programs | None:
    """Return the programs that `prefix` runs in a container, or None where it has none."""
    for dump, client in NAMES:
        found = _asked((*prefix, dump), (*prefix, client), f"in the container {name}", at)
        if found:
            return found
    return None


def as_an_app(docker: str, container: str) -> tuple[str, ...]:
    """Return how to run a program in a container of the app's own network."""
    words = [word for key in PASSED for word in ("-e", key)]
    return (docker, "exec", "-i", *words, container)


def candidates(environ: Mapping[str, str], near: Connection) -> list[Programs]:
    """Return this machine's programs, else those of the container that answers where `near` is."""
    here = installed(environ)
    if here or environ.get("TIDEGATE_MYSQL_BIN"):
        return here
    from tidegate.container.backup import containers

    found = []
    for docker, name, port in containers.answering(environ, near, PORT):
        found.append(in_container(as_an_app(docker, name), name, ("127.0.0.1", port)))
    return [one for one in found if one]


def refusal(server: str, here: Sequence[Programs]) -> PolicyRefused:
    """Return the error for a machine without the right programs."""
    maker = maker_of(server) if server else ""
    if here:
        said = f"{', '.join(one.shown for one in here)} is not made for the server, {server}"
    else:
        said = "there is neither mariadb-dump nor mysqldump here"
    package = {
        "MySQL": "mysql-community-client of MySQL's own repository",
        "MariaDB": "apt-get install mariadb-client (Debian), apk add mariadb-client (Alpine)",
    }.get(maker, "apt-get install mariadb-client (Debian), for MySQL the client of its own maker")
    return PolicyRefused(
        said,
        "The database is dumped and brought back by its maker's own programs. Nothing was changed.",
        f"add them: {package}\n"
        "or name their folder with TIDEGATE_MYSQL_BIN, or run tidegate where docker reaches the "
        "database's own container",
    )


def _asked(
    dump: tuple[str, ...], client: tuple[str, ...], where: str, at: tuple[str, str] = ("", "")
) -> Programs | None:
    try:
        for program in (client, dump):
            said = subprocess.run(
                [*program, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                timeout=20, check=True,
            ).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    maker = "MariaDB" if "MariaDB" in said else "MySQL"
    found = (_MARIADB if maker == "MariaDB" else _MYSQL).search(said)
    return Programs(maker, found[1] if found else "", dump, client, where, at)
