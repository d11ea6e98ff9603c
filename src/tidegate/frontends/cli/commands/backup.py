"""Back up the database and prove it: read back, or restored and compared.

usage: tidegate backup [--to DIR|s3://BUCKET/PREFIX|volume:NAME] [--verify quick|full]
                       [--keep N] [--days N] [--jobs N] [--recipient KEY,...] [--scratch URL]
                       [--databases A,B] [--timeout SECONDS] [--env NAME] [--service NAME]
                       [--local] [--format text|json|jsonl]
       tidegate backup --snapshot [--end-sessions] [--verify quick|full] [--keep N] [--days N]
       tidegate backup --check BACKUP [--verify quick|full] [--scratch URL] [--identity FILE]

The folder is backups in the project, TIDEGATE_BACKUP_DIR, or --to. quick compares every byte with
its digest and reads the whole archive back; full also restores it into a scratch database, on a
PostgreSQL of this machine or at --scratch URL, and compares rows, sequences and schema. --keep and
--days (0: all) say how many backups stay; the newest always stays. --jobs dumps several tables at
once. --recipient encrypts what was proved, with age for keys of age or ssh, else with gpg. Where
no pg_dump here fits the server, that of its own container is taken. While it runs nobody migrates.
Where the project has Compose files and Docker is there, the files are written here all the same,
and pg_dump is that of the database's container; --local reaches the database from here.
--snapshot has the PostgreSQL server copy the database beside itself, in seconds, while no session
is on it (--end-sessions ends them); it goes back by rename, and is lost with the server.
MySQL and MariaDB are dumped by their maker's own program, in one transaction; their receipts are
lines of receipts.jsonl in the folder, and no election holds a migration off meanwhile.
--check proves a backup that was made before; --identity is the file with age's secret key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tidegate.container.backup import making, places, proving, verbs
from tidegate.container.backup.mysql import verbs as mysql
from tidegate.container.boot import Boot, wait
from tidegate.container.entry import Globals
from tidegate.container.envfile import with_file
from tidegate.container.gate import open_gate
from tidegate.container.oneoff import refuse_reading
from tidegate.container.outlet import answer
from tidegate.container.raising import Raising
from tidegate.container.report import Report
from tidegate.container.running import guarded, settings_for
from tidegate.container.signals import Signals
from tidegate.container.words import split
from tidegate.frontends.cli.handover import handed_over

FORMATS = ("text", "json", "jsonl")
OWN = ("to", "verify", "keep", "days", "jobs", "recipient", "scratch", "check", "identity")
OPTIONS = ("timeout", "wait_for", "databases", "framework")


def run(glob: Globals, argv: list[str], began: float, given: Mapping[str, str]) -> int:
    """Run the verb."""
    code, argv = handed_over("backup", glob, argv, given, stays=("--check",))
    if code is not None:
        return code
    report = Report(glob.format, glob.quiet)

    def work(signals: Signals) -> int:
        environ = with_file(glob.env_path, given)
        own, _, rest = split(argv, OWN, ("snapshot", "end-sessions"))
        snapshot, end = (bool(own.pop(name, "")) for name in ("snapshot", "end-sessions"))
        settings, _ = settings_for(glob.root, environ, rest, OPTIONS)
        flags = {"dir" if key == "to" else key: value for key, value in own.items()}
        checked = flags.pop("check", "")
        if flags.get("dir") and not places.is_remote(flags["dir"]):
            flags["dir"] = str(Path(flags["dir"]).absolute())
        identity = flags.pop("identity", "")
        chosen = making.policy(Path(glob.root), environ, flags)
        if checked:
            known = {**environ, "TIDEGATE_BACKUP_IDENTITY": identity} if identity else environ
            backup = places.named(checked, known)
            proving.prove(backup, chosen.verify, chosen.scratch, known)
            report.stage("verify", backup.shown, f"good ({chosen.verify})")
            return 0
        one = Boot(Path(glob.root), environ, settings, report, signals, began)
        gate = open_gate(one.root, environ, settings)
        report.secrets = tuple(c.password.reveal() for c in gate.connections if c.password)
        refuse_reading(environ, gate.connections, "a backup made here")
        theirs = mysql.set_apart(gate)
        wait(one, gate)
        receipts = []
        for connection in theirs:
            if snapshot:
                raise verbs.no_snapshots(connection)
            made = mysql.back_up(gate, connection, chosen, one.deadline, report)
            receipts.append({"database": connection.alias, **made})
        for connection in gate.connections:
            raising = Raising(gate, connection, settings, one.deadline, report, signals)
            made = (verbs.snapshot(raising, chosen, end) if snapshot else
                    verbs.back_up(raising, chosen))  # fmt: skip
            receipts.append({"database": connection.alias, **made})
        if glob.format == "json":
            answer(json.dumps({"backups": receipts}, indent=2))
        elif glob.format == "jsonl":
            report.stage("result", "", "", backups=receipts)
        else:
            answer("\n".join(str(one.get("path") or one["label"]) for one in receipts))
        return 0

    return guarded(report, work, "backup", loads=True)
