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

PATIENCE = 2.0  # seconds; a server that takes longer is the long way's business


def attempt(root: str, argv: list[str], report: Report, began: float) -> str:  # noqa: RET503
    """Become the command if nothing is to be done; else return why the long way is needed."""
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
    why = sealfile.why_stale(head, environ, quick=True)
    if why:
        return why
    for (alias,) in head.all("alias"):
        at = time.monotonic()
        version = is_current(head, alias, environ)
        if version[0] != "=":
            return version
        took = time.monotonic() - at
        report.current.append(alias)
        report.stage("gate", alias, f"current, {version[1:]}", took)
    why = _static_unchanged(head, chosen)
    if why:
        return why
    command = rest[1:]
    if environ.get("TIDEGATE_METRICS_DIR"):
        _measured(report)
    report.summary(command, time.monotonic() - began)
    become(command, dict(environ))


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
    "wait_for",
    "timeout",
    "lock_timeout",
    "startup_port",
)


def is_current(head: sealfile.Head, alias: str, environ: Mapping[str, str]) -> str:
    """Return "=" and the server's version when current, else why that isn't known."""
    fields = sealfile.login(head, alias, environ)
    if isinstance(fields, str):
        return fields
    row = next(columns for columns in head.all("expect") if columns[0] == alias)
    if fields["vendor"] == "postgresql":
        return _ask_postgresql(fields, row, environ)
    if fields["vendor"] == "sqlite":
        return _ask_sqlite(fields.get("name", ""), head, row)
    return f"no fast path for {fields['vendor']}"


def _ask_postgresql(fields: dict[str, str], expected: list[str], environ: Mapping[str, str]) -> str:
    from tidegate.databases import pgwire

    try:
        if "url" in fields:
            params = pgwire.params_from_url(fields["url"], environ)
        else:
            given = {k[7:]: v for k, v in fields.items() if k[:7] == "option:"}
            get = fields.get
            params = pgwire.params_from_fields(
                get("host", ""), get("port", ""), get("user", ""), get("password", ""),
                get("name", ""), given, environ,
            )  # fmt: skip
        params.application_name = params.application_name or "tidegate"
        wire = pgwire.connect(params, PATIENCE)
        rows = wire.query(expected[3], PATIENCE)
        version = wire.parameters.get("server_version", "")
        wire.close()
    except Exception as error:  # whatever it is, the long way classifies and says it
        return f"{type(error).__name__}"
    if rows[0] != (expected[1], expected[2]):
        return "the recorded steps are not exactly those of the seal"
    return f"=PostgreSQL {version}"


def _ask_sqlite(path: str, head: sealfile.Head, expected: list[str]) -> str:
    if not os.path.isfile(path):
        return "no such file"
    import sqlite3
    from hashlib import md5

    try:
        file = sqlite3.connect(f"file:{path.replace('?', '%3f')}?mode=ro", uri=True, timeout=1)
        if head.one("framework") == "django":
            rows = file.execute("SELECT app || '.' || name FROM django_migrations").fetchall()
        else:
            table = expected[3].split(" FROM ", 1)[1]
            rows = file.execute(f"SELECT version_num FROM {table}").fetchall()
        file.close()
    except sqlite3.Error as error:
        return str(error)
    text = ",".join(sorted(row[0] for row in rows))
    if md5(text.encode(), usedforsecurity=False).hexdigest() != expected[2]:
        return "the recorded steps are not exactly those of the seal"
    return f"=SQLite {sqlite3.sqlite_version}"


def _static_unchanged(head: sealfile.Head, chosen: Mapping[str, str]) -> str:
    root, digest = head.all("static")[0]
    if chosen["collectstatic"] == "never" or root == "-":
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


def become(command: list[str], environ: Mapping[str, str]) -> NoReturn:
    """Turn into the command: same process, same working directory, its own signals and stdin."""
    import _signal  # type: ignore[import-not-found]

    for name in ("SIGPIPE", "SIGXFSZ"):  # ignored by Python, and what is ignored outlives exec
        number = getattr(_signal, name, None)
        if number is not None:
            _signal.signal(number, _signal.SIG_DFL)
    try:
        os.execvpe(command[0], command, _as_given(environ))
    except OSError as error:
        text = f"tidegate  error   {command[0]} can't be started: {error.strerror}\n"
        os.write(2, text.encode())
        sys.exit(2)
