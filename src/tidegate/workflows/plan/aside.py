"""The scratch server in a container: the database's own image, in the project's network.

It has the version and the extensions that the target has, and the project's containers reach it.
It listens to nobody without the password, and ends with the process that has started it: its
script waits for the end of its input, which a kill -9 brings as well.
"""

from __future__ import annotations

import csv
import io
import os
import secrets
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tidegate.contracts.target import Target as Services
from tidegate.errors import RefusedForGood
from tidegate.process import Result, Talk, run
from tidegate.workflows.plan.programs import Programs
from tidegate.workflows.plan.scratch import SETTINGS, USER, Server

NULL = "\x01"
PLACES = ("/usr/lib/postgresql/*/bin", "/usr/local/pgsql/bin", "/usr/pgsql-*/bin",
          "/opt/bitnami/postgresql/bin")  # fmt: skip
SCRIPT = """
set -e
umask 077
for d in PLACES; do if [ -x "$d/initdb" ]; then PATH="$d:$PATH"; fi; done
command -v initdb >/dev/null || { echo "there is no initdb in this image" >&2; exit 1; }
as() {
  if [ "$(id -u)" != 0 ]; then exec "$@"
  elif command -v gosu >/dev/null; then exec gosu postgres "$@"
  elif command -v su-exec >/dev/null; then exec su-exec postgres "$@"
  elif command -v setpriv >/dev/null; then
    exec setpriv --reuid postgres --regid postgres --init-groups "$@"
  else exec su postgres -s /bin/sh -c '"$0" "$@"' -- "$@"; fi
}
at="$(mktemp -d /tmp/tidegate.XXXXXX)"
printf '%s' "$PGPASSWORD" >"$at/word"
if [ "$(id -u)" = 0 ]; then chown -R postgres "$at"; fi
cd "$at"
(as initdb -D "$at/data" -U "$PGUSER" -N -A scram-sha-256 --pwfile="$at/word" -E UTF8 --locale=C \
  >"$at/made" 2>&1) || { cat "$at/made" >&2; exit 1; }
echo "host all all all scram-sha-256" >>"$at/data/pg_hba.conf"
exec 3<&0
(as postgres -D "$at/data" -k "$at" "$@" >&2) </dev/null &
server=$!
(cat <&3 >/dev/null; kill -KILL "$server") &
until version="$(PGHOST="$at" psql -XAtqc 'SHOW server_version' postgres 2>/dev/null)"; do
  kill -0 "$server"
  sleep 0.05
done
echo "$(command -v initdb | sed 's|/[^/]*$||')|$at|$version"
wait "$server"
""".replace("PLACES", " ".join(PLACES))


@dataclass(frozen=True, slots=True)
class Aside(Server):
    """A server in a container: it is asked through its own programs, in there."""

    services: Services | None = None
    container: str = ""
    socket: str = ""

    def query(self, sql: str, database: str = "postgres") -> list[tuple[str | None, ...]]:
        """Run SQL on one of its databases; the rows of the last statement."""
        done = self.client("psql", "-X", "-q", "--csv", "-t", "-P", f"null={NULL}",
                           "-v", "ON_ERROR_STOP=1", "-d", database, stdin=sql)  # fmt: skip
        if not done.ok:
            raise RefusedForGood("the scratch PostgreSQL refused what was asked of it",
                                 (done.err or done.why).strip(), "")  # fmt: skip
        rows = csv.reader(io.StringIO(done.out))
        return [tuple(None if one == NULL else one for one in row) for row in rows]

    def client(self, program: str, *words: str, stdin: str | None = None) -> Result:
        """Run one of PostgreSQL's client programs on it."""
        environ = {"PGPASSWORD": self.password, "PGOPTIONS": ""}
        return self.program(program, ("-h", self.socket, *words), environ, stdin)

    def program(
        self, name: str, words: Sequence[str], environ: Mapping[str, str], stdin: str | None = None
    ) -> Result:
        """Run a program of the image, with the project's network around it."""
        assert self.services is not None
        argv = (f"{self.programs.folder.as_posix()}/{name}", *words)
        command = self.services.entering(self.container, argv, environ)
        return run(command, 300.0, stdin=stdin, exact=True)


@contextmanager
def beside(services: Services, image: str, more: Sequence[str] = ()) -> Iterator[Aside]:
    """Start a server of `image`; its container is gone afterwards. `more` are its own settings."""
    _sweep(services)
    password, word = secrets.token_hex(12), secrets.token_hex(3)
    name = f"{services.name}-tidegate-scratch-{word}"
    settings = {**SETTINGS, "listen_addresses": "*", "unix_socket_permissions": "0777"}
    del settings["unix_socket_directories"]
    argv = ["sh", "-c", SCRIPT, "scratch"]
    for key, value in settings.items():
        argv += ["-c", f"{key}={value}"]
    command = services.beside(
        image, (*argv, *more), name=name, label=_owner(),
        environ={"PGPASSWORD": password, "PGUSER": USER, "PGDATA": ""},
    )  # fmt: skip
    talk = Talk(command, apart=True)
    try:
        said = next(iter(talk.lines()), "")
        folder, _, rest = said.partition("|")
        socket_folder, _, version = rest.partition("|")
        if not version:
            raise RefusedForGood(
                f"no scratch PostgreSQL can be started from {image}",
                "\n".join(talk.errors[-6:]) or talk.why,
                "name a server on which databases may be made and dropped: --scratch URL",
            )
        yield Aside(Programs(Path(folder), version), name, "5432", USER, password, version, True,
                    services=services, container=name, socket=socket_folder)  # fmt: skip
    finally:
        talk.end()
        run(services.stopping([name])[1], 60)


def _owner() -> str:
    return f"{socket.gethostname()}/{os.getpid()}"


def _sweep(services: Services) -> None:
    """Remove what a process of this machine has left that is not there any more."""
    host = socket.gethostname()
    for id, label in services.besides().items():
        machine, _, process = label.rpartition("/")
        if machine == host and not _lives(process):
            run(services.stopping([id])[1], 60)


def _lives(process: str) -> bool:
    if os.name == "nt":
        return True  # a signal would end it there; its own end has to do
    try:
        os.kill(int(process), 0)
    except ValueError:
        return False
    except OSError as error:
        return isinstance(error, PermissionError)
    return True
