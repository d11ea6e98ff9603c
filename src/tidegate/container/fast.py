"""The fast path of boot: a valid seal, a current database, nothing else to do.

It costs one connection and one query, and about as much time as `psql -c`. Whatever is out of the
ordinary returns a reason, and `boot` goes the long way with it; nothing is decided here but "the
database is exactly as the code wants it". Imports are counted: no `re`, `json`, `dataclasses`.
"""

from __future__ import annotations

import os
import sys
import time

from tidegate import settings as options
from tidegate.container import sealfile
from tidegate.container.report import Report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NoReturn

    from tidegate.databases import pgwire
    from tidegate.databases.pgwire import Params

PATIENCE = 2.0  # seconds; a server that takes longer is the long way's business
LAST_WORDS = 1.0  # seconds before the deadline that the long way gets to say what is wrong


def attempt(  # noqa: RET503
    root: str, argv: list[str], report: Report, began: float, held: dict[str, object]
) -> str:
    """Become the command if nothing is to be done; else return why the long way is needed.

    `held` gets the connections, by alias, on which this process has won the election.
    """
    environ = os.environ
    head = sealfile.read(sealfile.seal_path(root, environ))
    if head is None:
        return "no seal"
    try:
        flags, rest = options.from_argv(argv, BOOT)
        sealed = dict(head.all("setting"))
        chosen = options.effective(sealed, options.from_environ(environ), flags)
    except options.BadSetting as error:
        return error.what
    if rest[:1] != ["--"] or len(rest) < 2:
        return "no command"
    if chosen["wait_for"] or chosen["collectstatic"] == "always" or chosen["databases"]:
        return "there is more to do"
    why = sealfile.why_another(head, environ)
    if why:
        return why
    files = sealfile.Files(head)
    why = _look(files, environ, chosen, report, began, held)
    if why:
        return why
    why = _static_unchanged(head, chosen, environ)
    if why:
        return why
    command = rest[1:]
    if environ.get("TIDEGATE_METRICS_DIR"):
        _measured(report)
    report.summary(command, time.monotonic() - began)
    become(command, dict(environ))


def _look(
    files: sealfile.Files,
    environ: Mapping[str, str],
    chosen: Mapping[str, str],
    report: Report,
    began: float,
    held: dict[str, object],
) -> str:
    """Look at each database; return why one needs the long way."""
    for (alias,) in files.head.all("alias"):
        at = time.monotonic()
        one = _Look(files, alias, environ, chosen, report, began, held)
        version = one.is_current()
        if version[0] != "=":
            return version
        took = time.monotonic() - at
        report.current.append(alias)
        report.stage("gate", alias, f"current, {version[1:]}", took)
    return ""


def _measured(report: Report) -> None:
    from tidegate.container.metrics import Metrics

    metrics = Metrics("boot", report, os.environ)
    for alias in report.current:
        metrics("gate", alias, "", None, {"state": "current"})
    metrics.write(0)


BOOT = (
    "when_behind",
    "when_ahead",
    "collectstatic",
    "backup",
    "forms",
    "wait_for",
    "timeout",
    "lock_timeout",
    "startup_port",
)


class _Look:
    """The look at one database. Answers are "=" and the server's version, or why not that."""

    def __init__(
        self,
        files: sealfile.Files,
        alias: str,
        environ: Mapping[str, str],
        chosen: Mapping[str, str],
        report: Report,
        began: float,
        held: dict[str, object],
    ) -> None:
        self.files = files
        self.head = files.head
        self.alias = alias
        self.environ = environ
        self.chosen = chosen
        self.report = report
        self.began = began
        self.held = held
        self.expected = next(row for row in self.head.all("expect") if row[0] == alias)

    def is_current(self) -> str:
        """Log in as the seal says, and ask."""
        fields = sealfile.login(self.head, self.alias, self.environ)
        if isinstance(fields, str):
            return fields
        if fields["vendor"] == "postgresql":
            return self._ask_postgresql(fields)
        if why := self.files.why_moved():
            return why
        if fields["vendor"] == "sqlite":
            from tidegate.container.fastlite import ask

            return ask(fields.get("name", ""), self.head, self.expected)
        return f"no fast path for {fields['vendor']}"

    def _ask_postgresql(self, fields: dict[str, str]) -> str:
        from tidegate.databases import pglogin, pgwire

        try:
            params = _params(fields, self.environ)
            params.meanwhile = self.files.why_moved
            wire = pglogin.connect(params, PATIENCE)
            if why := self.files.why_moved():
                wire.close()
                return why
            if params.hosts[0][0][:1] == "/" and _is_temporary(wire):
                return "the server only initialises its volume"
            version = wire.parameters.get("server_version", "")
            try:
                rows = wire.query(self.expected[3], PATIENCE)
            except pgwire.PgError as error:
                if error.sqlstate != "42P01":  # no such table: nothing was applied yet
                    raise
                rows = []
            same = rows == [(self.expected[1], self.expected[2])]
            why = "" if same else self._wait(wire, rows[0] if rows else ("0", ""))
            if self.alias not in self.held:
                wire.close()
        except Exception as error:  # whatever it is, the long way classifies and says it
            return f"{type(error).__name__}"
        return why or f"=PostgreSQL {version}"

    def _wait(self, wire: pgwire.Connection, seen: tuple[str | None, ...]) -> str:
        """Stand in line, where waiting may bring the level; return why not, or nothing."""
        policy = self.chosen["when_behind"]
        if policy not in ("migrate", "wait") or _has_direct_url(self.environ):
            return "the recorded steps are not exactly those of the seal"
        from tidegate.container import line

        deadline = self.began + float(self.chosen["timeout"]) - LAST_WORDS
        standing = line.Line(wire, self.head, self.expected, seen, self.report)
        why = standing.stand(policy == "migrate", deadline)
        if why == line.WON:
            self.held[self.alias] = wire
        return "" if why == line.CURRENT else why


def is_current(files: sealfile.Files, alias: str, environ: Mapping[str, str]) -> str:
    """Return "=" and the server's version when current, else why that isn't known; never waits."""
    chosen = {"when_behind": "serve"}
    return _Look(files, alias, environ, chosen, Report("text", quiet=True), 0.0, {}).is_current()


def _has_direct_url(environ: Mapping[str, str]) -> bool:
    return any(name[:19] == "TIDEGATE_DIRECT_URL" for name in environ)


def _params(fields: dict[str, str], environ: Mapping[str, str]) -> Params:
    """Return the login; its name is what `pg_stat_activity` shows, and names a holder."""
    from tidegate.databases import pglocks, pgwire

    given = {k[7:]: v for k, v in fields.items() if k[:7] == "option:"}
    if "url" in fields:
        query = "&".join(f"{key}={_quoted(value)}" for key, value in given.items())
        url = f"{fields['url']}?{query}" if query else fields["url"]
        params = pgwire.params_from_url(url, environ)
    else:
        get = fields.get
        params = pgwire.params_from_fields(
            get("host", ""), get("port", ""), get("user", ""), get("password", ""),
            get("name", ""), given, environ,
        )  # fmt: skip
    params.application_name = pglocks.own_name()
    return params


def _is_temporary(wire: pgwire.Connection) -> bool:
    from tidegate.databases import pginit

    return pginit.is_temporary(wire.query)


def _quoted(text: str) -> str:
    """Return `text` percent-encoded for a URL's query; urllib costs milliseconds."""
    return "".join(
        chr(byte) if chr(byte).isalnum() and byte < 128 else f"%{byte:02X}"
        for byte in text.encode()
    )


def _static_unchanged(
    head: sealfile.Head, chosen: Mapping[str, str], environ: Mapping[str, str]
) -> str:
    root, digest = head.all("static")[0]
    if chosen["collectstatic"] == "never":
        return ""
    moved = sealfile.changed(head, "static-shape", environ)
    if moved:
        return f"{moved} decides where static files are, and is not as it was at the sealing"
    if root == "-":
        return ""
    try:
        with open(os.path.join(root, ".tidegate-static"), encoding="utf-8") as file:
            same = file.read().strip() == digest
    except OSError:
        same = False
    return "" if same else "static files are not collected yet, or have changed"


def _as_given(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the LC_CTYPE that Python itself adds in the C locale.

    https://peps.python.org/pep-0538/; the kernel keeps what the process was really given.
    """
    out = dict(environ)
    if out.get("LC_CTYPE") in ("C.UTF-8", "C.utf8", "UTF-8"):
        try:
            with open("/proc/self/environ", "rb") as given:
                if not any(part[:9] == b"LC_CTYPE=" for part in given.read().split(b"\0")):
                    del out["LC_CTYPE"]
        except OSError:
            pass  # not Linux
    return out


def _exec(command: list[str], environ: Mapping[str, str]) -> NoReturn:
    """Become the first program of this name on PATH: `os.execvpe`, which imports `warnings`."""
    name = command[0]
    folders = [""] if os.path.dirname(name) else environ.get("PATH", os.defpath).split(os.pathsep)
    missing: OSError | None = None
    refused: OSError | None = None
    for folder in folders:
        try:
            os.execve(os.path.join(folder, name), command, environ)
        except (FileNotFoundError, NotADirectoryError) as error:
            missing = error
        except OSError as error:  # it is there, and can't be run: one in a later folder may
            refused = refused or error
    raise refused or missing or FileNotFoundError(2, "there is no such program")


def become(command: list[str], environ: Mapping[str, str]) -> NoReturn:
    """Turn into the command: same process, same working directory, its own signals and stdin."""
    import _signal  # type: ignore[import-not-found]

    for name in ("SIGPIPE", "SIGXFSZ"):  # ignored by Python, and what is ignored outlives exec
        number = getattr(_signal, name, None)
        if number is not None:
            _signal.signal(number, _signal.SIG_DFL)
    try:
        _exec(command, _as_given(environ))
    except OSError as error:
        text = f"tidegate  error   {command[0]} can't be started: {error.strerror}\n"
        text += f"{'':18}next: correct the command after `--`\n"
        os.write(2, text.encode())
        sys.exit(127 if isinstance(error, FileNotFoundError) else 126)
