"""One login to a MySQL or MariaDB server through its maker's own client.

No driver is asked for: the client is where the dump is, and it is what brings a dump back.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import IO

from tidegate.container.backup.mysql import programs
from tidegate.container.backup.mysql.programs import Programs
from tidegate.container.backup.pgrun import failure
from tidegate.contracts.database import Rows
from tidegate.errors import RefusedForGood, UsageProblem
from tidegate.model.connection import Connection
from tidegate.model.readiness import Permanent, Transient

SSL = ("ssl_ca", "ssl_cert", "ssl_key", "ssl_capath", "ssl_cipher")
OVER_TCP = ("pymysql", "aiomysql", "asyncmy", "mysqlconnector")  # localhost is no socket to them
ERROR = re.compile(r"ERROR (\d+) \(\w+\)(?: at line \d+)?: (.*)")
# Can't connect, unknown host, gone away, lost, too many connections, shutting down.
AWAY = (2002, 2003, 2005, 2006, 2013, 1040, 1053, 1203)
ESCAPED = {"\\n": "\n", "\\t": "\t", "\\\\": "\\", "\\0": "\0"}
_ESCAPE = re.compile(r"\\[nt0\\]")
BIGGEST = "--max-allowed-packet=1G"
# A dump is for this server or for a scratch one: neither takes the numbers of its transactions
# (error 3546). MariaDB's programs know neither option.
OF_MYSQL = ("--set-gtid-purged=OFF", "--column-statistics=0")
CHARSET = "--default-character-set=utf8mb4"


class Failed(Permanent):
    """The server refused a statement; `code` is its number."""

    def __init__(self, code: int, what: str) -> None:
        super().__init__(what, "", "see what it says")
        self.code = code


@dataclass(frozen=True, slots=True)
class Client:
    """The programs, with the login of one database."""

    programs: Programs
    connection: Connection
    environ: Mapping[str, str]

    def on(self, name: str) -> Client:
        """Return the same login to another database of the server; an empty name is none."""
        return replace(self, connection=replace(self.connection, name=name))

    @property
    def env(self) -> dict[str, str]:
        """The environment of the programs; the password is in it, and in no argument."""
        password = self.connection.password.reveal()
        return {**self.environ, "LC_ALL": "C", **({"MYSQL_PWD": password} if password else {})}

    def dump_argv(self, *words: str) -> list[str]:
        """Return the command line of the dump."""
        own = OF_MYSQL if self.programs.maker == "MySQL" else ()
        return [*self.programs.dump, *self._login(), CHARSET, *own, *words]

    def argv(self, *words: str) -> list[str]:
        """Return the command line of the client."""
        name = self.connection.name
        named = [f"--database={name}"] if name else []
        return [*self.programs.client, *self._login(), CHARSET, *named, *words]

    def _login(self) -> list[str]:
        one = self.connection
        socket = str(one.options.get("unix_socket") or (one.host if one.host[:1] == "/" else ""))
        host, port = self.programs.at if self.programs.at[0] else (one.host, one.port)
        words = []
        if one.options.get("read_default_file"):  # it has to come first
            words.append(f"--defaults-extra-file={one.options['read_default_file']}")
        if socket and not self.programs.at[0]:
            words.append(f"--socket={socket}")
        else:
            words += [f"--host={host}"] if host else []
            words += [f"--port={port}"] if port else []
            words += ["--protocol=tcp"] if any(n in one.driver for n in OVER_TCP) else []
        words += [f"--user={one.user}"] if one.user else []
        for key in SSL:
            if one.options.get(key):
                words.append(f"--{key.replace('_', '-')}={one.options[key]}")
        return words

    def query(self, sql: str, timeout: float = 3600.0) -> Rows:
        """Run SQL, also several statements; return all rows. Raises Transient or Failed."""
        argv = self.argv("--batch", "--skip-column-names", "--connect-timeout=10")
        try:
            done = subprocess.run(argv, env=self.env, input=sql.encode(), capture_output=True,
                                  check=False, timeout=timeout)  # fmt: skip
        except subprocess.TimeoutExpired:
            raise Transient(f"no answer for {timeout:.0f} s", self.connection.shown) from None
        if done.returncode:
            raise self._refused(done.stderr.decode("utf-8", "replace"))
        lines = done.stdout.decode("utf-8", "replace").split("\n")[:-1]
        return [tuple(_value(each) for each in line.split("\t")) for line in lines]

    def _refused(self, text: str) -> Transient | Permanent:
        found = ERROR.search(text)
        if not found:
            said = failure(self.programs.client[-1], text, self.env)
            return Permanent(said.what, said.meaning, said.next)
        code, said_line = int(found[1]), found[2].strip()
        if code in AWAY:
            return Transient(f"{said_line} ({code})", self.connection.shown)
        return Failed(code, f"{self.connection.shown} says: {said_line} ({code})")

    def load(self, source: IO[bytes]) -> None:
        """Run a script. Raises StepFailed with what the server said first."""
        argv = self.argv("--binary-mode", BIGGEST)
        done = subprocess.run(argv, env=self.env, stdin=source, capture_output=True, check=False)
        if done.returncode:
            raise failure(
                self.programs.client[-1], done.stderr.decode("utf-8", "replace"), self.env
            )


def probe(connection: Connection, environ: Mapping[str, str]) -> str:
    """Log in, and return the server's version: what is waited for."""
    return fitting(connection, environ)[1]


def fitting(connection: Connection, environ: Mapping[str, str]) -> tuple[Client, str]:
    """Return a client of the server's own maker, and the server's version."""
    return chosen(programs.candidates(environ, connection), connection, environ)


def chosen(
    here: list[Programs], connection: Connection, environ: Mapping[str, str]
) -> tuple[Client, str]:
    """Return which of these programs are made for the server, and its version."""
    version = ""
    for one in here:
        client = Client(one, connection, environ)
        ((said,),) = client.on("").query("SELECT version()", 20.0)
        version = str(said)
        if programs.maker_of(version) == one.maker:
            return client, version
    raise programs.refusal(version, here)


def opened(connection: Connection, environ: Mapping[str, str]) -> tuple[Client, str]:
    """Return as `fitting` does; a server that refuses is said to."""
    try:
        return fitting(connection, environ)
    except Failed as error:
        raise RefusedForGood(
            error.what, "Nothing was changed.", "correct the address, or the account's grants"
        ) from None


def from_url(url: str, alias: str) -> Connection:
    """Return the connection that a URL names."""
    from urllib.parse import parse_qsl, unquote, urlsplit

    from tidegate.model.connection import Secret

    parts = urlsplit(url)
    try:
        port = str(parts.port or "")
    except ValueError:
        port = "?"
    name = unquote(parts.path[1:])
    if port == "?" or not name:
        raise UsageProblem(
            "the address can't be read", "", "write it as mysql://user:password@host:3306/name"
        )
    return Connection(
        alias, programs.maker_of(parts.scheme).lower(), unquote(parts.hostname or ""), port,
        unquote(parts.username or ""), Secret(unquote(parts.password or "")), name,
        driver=parts.scheme, options=dict(parse_qsl(parts.query)),
    )  # fmt: skip


def quoted(name: str) -> str:
    """Quote an identifier."""
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    """Quote a value."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _value(text: str) -> str | None:
    if text == "NULL":
        return None
    return _ESCAPE.sub(lambda found: ESCAPED[found[0]], text) if "\\" in text else text
