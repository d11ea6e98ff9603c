"""The tables of two databases change places in one statement.

RENAME TABLE of several tables is done whole or not at all, also when the server dies (MariaDB from
10.6, MySQL from 8.0: https://mariadb.com/kb/en/atomic-ddl/). Foreign keys follow it. It moves
no view, routine or event, and refuses a table with triggers: those are written down, and made again
in either database. Where there are none, nothing but the one statement happens.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tidegate.container.backup import places
from tidegate.container.backup.mysql import facts
from tidegate.container.backup.mysql.client import Client, Failed, literal, quoted
from tidegate.container.report import Report
from tidegate.errors import StepFailed

PATIENCE = 30.0  # seconds until the last transaction on the tables has to be over
LOCK_WAIT = 1  # seconds for which one try makes others wait
BUSY = (1205, 3572)
CODE_WORDS = ("--no-data", "--no-create-info", "--routines", "--triggers", "--events",
              "--add-drop-trigger", "--no-tablespaces", "--skip-lock-tables")  # fmt: skip


def swap(
    live: Client, fresh: Client, kept: Client | None, environ: Mapping[str, str], report: Report
) -> None:
    """Move the tables of `fresh` into `live`, and those that are there into `kept`."""
    moving = [one for one in (live, fresh) if _has_code(one)]
    folder = Path(tempfile.mkdtemp(prefix="code-", dir=places.spool(environ)))
    try:
        code = {one.connection.name: _written(one, folder) for one in moving}
    except BaseException:
        _remove(folder)
        raise
    old = code.get(live.connection.name)
    if old:
        text = f"its triggers, views and routines are made again; until then they are in {old}"
        report.stage("restore", live.connection.alias, text)
    # From here to the end they may be nowhere else: whatever raises leaves the folder.
    try:
        for one in moving:
            _drop_triggers(one)
        _rename(live, fresh, kept)
    except BaseException:
        if old:
            _run(live, old)
        _remove(folder)
        raise
    again = [(live, code[fresh.connection.name])] if fresh.connection.name in code else []
    if old and kept:
        _drop_code(live)
        again.append((kept, old))
    _make_again(again)
    _remove(folder)
    if old and kept:
        for event in _names(kept, "event"):  # what is kept is not to act by itself
            kept.query(f"ALTER EVENT {quoted(event)} DISABLE")
    if moving:
        report.stage("restore", live.connection.alias,
                     "triggers, views and routines were made again, after the tables")  # fmt: skip


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _make_again(again: Sequence[tuple[Client, Path]]) -> None:
    """Run what was written down, each in its database. Raises StepFailed with the files' names."""
    failed = []
    for client, path in again:
        try:
            _run(client, path)
        except StepFailed as error:
            failed.append((client.connection.name, path, error.what))
    if failed:
        raise StepFailed(
            "the tables have changed places, but not all triggers, views and routines were made "
            "again",
            "\n".join(f"{name}: {what}\n  they are in {path}" for name, path, what in failed),
            "mend what it says, then run the file in its database: "
            + "; ".join(f"mysql {name} < {path}" for name, path, _ in failed),
        )


def _rename(live: Client, fresh: Client, kept: Client | None) -> None:
    pairs = [(live, kept, name) for name in movable(live)] if kept else []
    pairs += [(fresh, live, name) for name in movable(fresh)]
    if not pairs:
        return
    moves = ", ".join(f"{_full(a, name)} TO {_full(b, name)}" for a, b, name in pairs if b)
    _patiently(live, f"RENAME TABLE {moves}")


def _patiently(live: Client, sql: str) -> None:
    """Run what waits for whoever works on a table: briefly, and again, as others wait behind it."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            live.query(f"SET SESSION lock_wait_timeout = {LOCK_WAIT};\n{sql}")
            return
        except Failed as error:
            if error.code not in BUSY or time.monotonic() > until:
                raise StepFailed(
                    f"the tables of {live.connection.name} could not be renamed: {error.what}",
                    "\n".join(["They stand as they stood before, and the new database is removed "
                               "again.", *_sessions(live)]),
                    "end what works on them, or stop the app; then start again",
                ) from None  # fmt: skip
            time.sleep(LOCK_WAIT)  # whom the try made wait goes first


def _sessions(live: Client) -> list[str]:
    rows = live.on("").query(
        "SELECT id, user, command, time FROM information_schema.processlist "
        f"WHERE db = {literal(live.connection.name)} AND id <> CONNECTION_ID() ORDER BY time DESC"
    )
    return [f"session {id} of {user}: {command} for {seconds} s"
            for id, user, command, seconds in rows[:5]]  # fmt: skip


def movable(client: Client) -> list[str]:
    """Return what a rename moves: tables, and MariaDB's sequences."""
    rows = client.query(f"SELECT table_name FROM information_schema.tables WHERE {facts.HERE} "
                        "AND table_type <> 'VIEW' ORDER BY 1")  # fmt: skip
    return [str(row[0]) for row in rows]


def _full(client: Client, name: str) -> str:
    return f"{quoted(client.connection.name)}.{quoted(name)}"


def _has_code(client: Client) -> bool:
    return bool(facts.objects(client, *facts.CODE))


def _written(client: Client, folder: Path) -> Path:
    """Write what a rename does not move into a file, as statements."""
    path = folder / f"{client.connection.name}.sql"
    views = _names(client, "view")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        _dump(client, out, *CODE_WORDS, client.connection.name)
        if views:
            words = ("--no-data", "--skip-triggers", "--no-tablespaces", "--skip-lock-tables")
            _dump(client, out, *words, client.connection.name, *views)
    return path


def _dump(client: Client, out: object, *words: str) -> None:
    from tidegate.container.backup.pgrun import failure

    done = subprocess.run(client.dump_argv(*words), env=client.env, stdin=subprocess.DEVNULL,
                          stdout=out, stderr=subprocess.PIPE, check=False)  # type: ignore[call-overload]  # fmt: skip
    if done.returncode:
        raise failure(client.programs.dump[-1], done.stderr.decode("utf-8", "replace"), client.env)


def _run(client: Client, path: Path) -> None:
    with open(path, "rb") as source:
        client.load(source)


def _names(client: Client, kind: str) -> list[str]:
    return [str(name) for _, name, _ in facts.objects(client, kind)]


def _drop_triggers(client: Client) -> None:
    for name in _names(client, "trigger"):
        _patiently(client, f"DROP TRIGGER {quoted(name)}")


def _drop_code(client: Client) -> None:
    """Remove what was the old tables': views, routines, events; none of it holds rows."""
    kinds = client.query("SELECT routine_type, routine_name FROM information_schema.routines "
                         "WHERE routine_schema = DATABASE()")  # fmt: skip
    words = [("VIEW", name) for name in _names(client, "view")]
    words += [("EVENT", name) for name in _names(client, "event")]
    words += [(str(kind), str(name)) for kind, name in kinds]
    for kind, name in words:
        _patiently(client, f"DROP {kind} {quoted(name)}")
