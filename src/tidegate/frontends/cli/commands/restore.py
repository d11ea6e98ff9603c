"""Bring a backup back: into a new database beside the old, compared, then swapped by rename.

usage: tidegate restore BACKUP [--into URL] [--approve WORD] [--identity FILE] [--timeout SECONDS]
                        [--env NAME] [--service NAME] [--local]

BACKUP is what `tidegate backup` printed: a folder, or an address that begins with s3://, volume: or
snapshot:. --identity is the file with age's secret key, where it is encrypted for one.
Without --into it comes back as the project's own database, through Compose where there are Compose
files and Docker; URL is postgresql://user:password@host:5432/name,
mysql://user:password@host:3306/name, or sqlite:////folder/file.
Over a database that is there it asks for a word first: it says what would be lost, and the
--approve that a person has to type for exactly this. The old database is kept under another name,
which is printed; drop it when it is no longer needed. MySQL and MariaDB rename no database: there
the tables change places with those of a new one, in one statement. Stop the containers of the
newer release first: one that boots migrates again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tidegate.container import approving
from tidegate.container.backup import (
    errands,
    lending,
    places,
    restoring,
    scratch,
    snapshotlist,
    verbs,
)
from tidegate.container.backup.archive import Backup, check_digests
from tidegate.container.backup.errands import Errand
from tidegate.container.backup.mysql import verbs as mysql
from tidegate.container.backup.snapshotlist import SCHEME
from tidegate.container.boot import Boot, wait
from tidegate.container.entry import Globals
from tidegate.container.envfile import with_file
from tidegate.container.gate import Gate, open_gate
from tidegate.container.oneoff import refuse_writing
from tidegate.container.outlet import answer
from tidegate.container.raising import Raising
from tidegate.container.report import Report
from tidegate.container.running import guarded, settings_for
from tidegate.container.signals import Signals
from tidegate.container.words import split
from tidegate.databases import pgidentity
from tidegate.databases.postgresql import PostgreSQL
from tidegate.errors import RefusedForGood, TidegateError, UsageProblem
from tidegate.frontends.cli.handover import handed_over
from tidegate.model.connection import Connection
from tidegate.model.readiness import Permanent, Transient

OPTIONS = ("timeout", "databases", "framework")


def run(glob: Globals, argv: list[str], began: float, given: Mapping[str, str]) -> int:
    """Run the verb."""
    code, argv = handed_over("restore", glob, argv, given, stays=("--into",))
    if code is not None:
        return code
    report = Report("jsonl" if glob.format == "jsonl" else "text", glob.quiet)

    def work(signals: Signals) -> int:
        environ = with_file(glob.env_path, given)
        own, words, rest = split(argv, ("into", "approve", "identity"), words=1)
        settings, _ = settings_for(glob.root, environ, rest, OPTIONS)
        if not words:
            raise UsageProblem("restore needs a backup", "", "tidegate restore backups/NAME")
        if errands.VARIABLE in environ:
            one = Boot(Path(glob.root), environ, settings, report, signals, began)
            done = _here(words[0], "", "", one)
            report.stage("result", "", "", name=done.name, kept=done.kept)
            return 0
        known = {**environ}
        if own.get("identity"):
            known["TIDEGATE_BACKUP_IDENTITY"] = own["identity"]
        one = Boot(Path(glob.root), known, settings, report, signals, began)
        command = f"tidegate restore {words[0]}"
        if words[0].startswith(SCHEME):
            done = _here(words[0], own.get("approve", ""), command, one)
            answer(done.kept)
            return 0
        backup = places.named(words[0], known)
        if not backup.url:  # before anything is asked: a word for a damaged one would be wasted
            check_digests(backup.path)
        if own.get("identity"):
            command += f" --identity {own['identity']}"
        if own.get("into"):
            command += " --into URL"
            done = _elsewhere(backup, own, command, one)
        else:
            done = _here(backup, own.get("approve", ""), command, one)
        answer(done.kept or done.name)
        return 0

    return guarded(report, work, "restore", loads=True)


def _found(word: str, gate: Gate, one: Boot) -> Backup:
    """Return a snapshot, or what the tidegate outside offers."""
    if not word.startswith(SCHEME):
        return lending.offered(one.environ)[0]
    wait(one, gate)
    database = word[len(SCHEME) :]
    ours = [c for c in gate.connections if c.vendor == "postgresql"]
    likely = [c for c in ours if database.startswith(restoring.cut(c.name))]
    return snapshotlist.named(word, (likely or gate.connections)[0], one.environ)


def _await(one: Boot, gate: Gate, target: Connection, command: str) -> None:
    """Wait for the server; where the database itself is gone, say how it comes back whole."""
    try:
        wait(one, gate)
    except RefusedForGood as error:
        if target.vendor != "postgresql" or _is_there(target, one.environ):
            raise
        raise RefusedForGood(
            error.what, "A restore puts the backup in the place of a database that is there, with "
            "its owners and grants.",
            f'make an empty one: CREATE DATABASE "{target.name}" OWNER …; then: {command}',
        ) from None  # fmt: skip


def _is_there(target: Connection, environ: Mapping[str, str]) -> bool:
    try:
        return bool(restoring.number_of(PostgreSQL(target, environ).direct(), environ))
    except (Transient, Permanent, TidegateError):
        return True  # whatever is wrong, it is not that


def _elsewhere(
    backup: Backup, own: Mapping[str, str], command: str, one: Boot
) -> restoring.Restored:
    # The direct way passes the project's pooler by: it leads to the project's own database.
    environ = {k: v for k, v in one.environ.items() if not k.startswith(pgidentity.VARIABLE)}
    report = one.report
    target = scratch.named(own["into"], str(backup.manifest["alias"]), environ)
    report.secrets = (target.password.reveal(),) if target.password else ()
    restoring.check_kind(backup, target)
    theirs = mysql.is_mysql(target)
    lost = (mysql.loses(backup, target, environ, one.deadline, report) if theirs else
            verbs.loses(backup, target, environ))  # fmt: skip
    word = verbs.word_for(backup, target, environ)
    if lost:
        verbs.refuse_hindered(target, environ)
        approving.need_word(own.get("approve", ""), word, lost, command, environ)
    if theirs:
        return mysql.bring_back(backup, target, environ, one.deadline, report)

    def before_swap(fresh: str, kept: str) -> None:
        verbs.refuse_another(word, backup, target, environ)

    return restoring.restore(backup, target, environ, report, before_swap)


def _here(named: Backup | str, approved: str, command: str, one: Boot) -> restoring.Restored:
    gate = open_gate(one.root, one.environ, one.settings)
    one.report.secrets = tuple(c.password.reveal() for c in gate.connections if c.password)
    refuse_writing(one.environ, gate.connections, "restored to")
    backup = named if isinstance(named, Backup) else _found(named, gate, one)
    alias = backup.manifest["alias"]
    found = [c for c in gate.connections if c.alias == alias]
    if not found:
        raise UsageProblem(
            f"the backup is of database {alias}, and this project has none of that name",
            f"Its databases are: {', '.join(c.alias for c in gate.connections)}.",
            "name the target with --into URL",
        )
    if theirs := mysql.is_mysql(found[0]):
        restoring.check_kind(backup, found[0])
        lost = mysql.loses(backup, found[0], one.environ, one.deadline, one.report)
    else:
        if found[0].vendor != "sqlite":  # a file that is damaged is why it is brought back
            _await(one, gate, found[0], command)
        lost = verbs.loses(backup, found[0], one.environ)
    word = verbs.word_for(backup, found[0], one.environ)
    if lost:
        verbs.refuse_hindered(found[0], one.environ)
        if errands.VARIABLE in one.environ:  # whoever typed it there gives the word
            Errand(one.environ, one.report, "word", str(alias), word=word, lost=lost).wait()
        else:
            approving.need_word(approved, word, lost, command, one.environ)
    if theirs:
        return mysql.bring_back(backup, found[0], one.environ, one.deadline, one.report)
    raising = Raising(gate, found[0], one.settings, one.deadline, one.report, one.signals)

    def check() -> None:
        verbs.refuse_another(word, backup, found[0], one.environ)

    done = verbs.bring_back(raising, backup, check)
    _advise(raising)
    return done


def _advise(raising: Raising) -> None:
    """Say where the code that runs stands now."""
    verdict, alias = raising.gate.standing(raising.connection), raising.connection.alias
    if verdict.pending:
        raising.report.warn(
            f"{alias}: {', '.join(verdict.pending[-3:])} of the code here is not in what was "
            "restored, and no start applies it. Start the release before it (tidegate rollback, "
            "where tidegate up has released it); or apply it again: tidegate migrate"
        )
    elif verdict.unknown:
        raising.report.warn(
            f"{alias}: what was restored has {', '.join(verdict.unknown[-3:])}, which the code "
            "here does not know: start the release that does"
        )
