"""Back up the database and prove it: read back, or restored and compared.

usage: tidegate backup [--to DIR] [--verify quick|full] [--keep N] [--days N] [--scratch URL]
                       [--databases A,B] [--timeout SECONDS] [--format text|json]
       tidegate backup --check BACKUP [--verify quick|full] [--scratch URL]

The folder is backups in the project, TIDEGATE_BACKUP_DIR, or --to. quick compares every byte with
its digest and reads the whole archive back; full also restores it into a scratch database, on a
PostgreSQL of this machine or at --scratch URL, and compares rows, sequences and schema. --keep and
--days (0: all) say how many backups stay; the newest always stays. While it runs nobody migrates.
--check proves a backup that was made before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tidegate.container.backup import making, proving, verbs
from tidegate.container.backup.archive import open_backup
from tidegate.container.boot import Boot, wait
from tidegate.container.entry import Globals
from tidegate.container.gate import open_gate
from tidegate.container.raising import Raising
from tidegate.container.report import Report
from tidegate.container.running import guarded, settings_for
from tidegate.container.signals import Signals
from tidegate.container.words import split

OPTIONS = ("timeout", "wait_for", "databases", "framework")


def run(glob: Globals, argv: list[str], began: float, environ: Mapping[str, str]) -> int:
    """Run the verb."""
    report = Report("text", glob.quiet)

    def work(signals: Signals) -> int:
        own, _, rest = split(argv, ("to", "verify", "keep", "days", "scratch", "check"))
        settings, _ = settings_for(glob.root, environ, rest, OPTIONS)
        flags = {"dir" if key == "to" else key: value for key, value in own.items()}
        checked = flags.pop("check", "")
        if flags.get("dir"):
            flags["dir"] = str(Path(flags["dir"]).absolute())
        chosen = making.policy(Path(glob.root), environ, flags)
        if checked:
            backup = open_backup(Path(checked).absolute())
            proving.prove(backup, chosen.verify, chosen.scratch, environ)
            report.stage("verify", str(backup.path), f"good ({chosen.verify})")
            return 0
        one = Boot(Path(glob.root), environ, settings, report, signals, began)
        gate = open_gate(one.root, environ, settings)
        report.secrets = tuple(c.password.reveal() for c in gate.connections if c.password)
        wait(one, gate)
        receipts = []
        for connection in gate.connections:
            raising = Raising(gate, connection, settings, one.deadline, report, signals)
            receipts.append({"database": connection.alias, **verbs.back_up(raising, chosen)})
        if glob.format == "json":
            print(json.dumps({"backups": receipts}, indent=2))
        else:
            print("\n".join(str(one.get("path") or one["label"]) for one in receipts))
        return 0

    return guarded(report, work, "backup")
