"""Record steps whose tables are there already, after comparing them with what the steps make.

usage: tidegate adopt [--database A] [--to STEP] [--plan] [--scratch URL] [--timeout SECONDS]
                      [--lock-timeout SECONDS] [--env NAME] [--service NAME] [--local]
                      [--format text|json]

For tables that were made by hand, by create_all, or whose record was lost: a migration then ends
with "already exists". The pending steps are applied on a scratch database, one after the other,
and its schema is compared with yours after each. Those that are found to be there are recorded
like `migrate --fake` and `alembic stamp` do, and in the ledger as adopted. Where anything differs
nothing is recorded, the differences are listed, and it ends with 1.

--plan compares and records nothing. --to names the last step to adopt; steps behind the last one
that is seen in the schema (those that only change rows) are adopted only so. The scratch database
is made beside yours (it needs CREATEDB), else on a PostgreSQL of this machine, or on the server at
--scratch URL; for SQLite it is a temporary file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tidegate.container.adopting import story
from tidegate.container.boot import Boot, wait
from tidegate.container.entry import Globals
from tidegate.container.envfile import with_file
from tidegate.container.gate import open_gate
from tidegate.container.oneoff import refuse_writing
from tidegate.container.outlet import answer
from tidegate.container.raising import Raising
from tidegate.container.report import Report
from tidegate.container.running import guarded, settings_for
from tidegate.container.signals import Signals
from tidegate.container.words import split
from tidegate.errors import TidegateError, UsageProblem
from tidegate.frontends.cli.handover import handed_over

FORMATS = ("text", "json", "jsonl")
OPTIONS = ("timeout", "lock_timeout", "wait_for", "databases", "framework")


def run(glob: Globals, argv: list[str], began: float, given: Mapping[str, str]) -> int:
    """Run the verb."""
    code, argv = handed_over("adopt", glob, argv, given)
    if code is not None:
        return code
    report = Report(glob.format, glob.quiet)

    def work(signals: Signals) -> int:
        environ = with_file(glob.env_path, given)
        own, _, rest = split(argv, ("to", "scratch", "database"), ("plan",))
        settings, rest = settings_for(glob.root, environ, rest, OPTIONS)
        if rest:
            raise UsageProblem(f"adopt does not take {rest[0]}", "", "tidegate adopt --help")
        if own.get("database"):
            settings = {**settings, "databases": own["database"]}
        one = Boot(Path(glob.root), environ, settings, report, signals, began)
        gate = open_gate(one.root, environ, settings)
        report.secrets = tuple(c.password.reveal() for c in gate.connections if c.password)
        refuse_writing(environ, gate.connections, "adopted in")
        if own.get("to") and len(gate.connections) > 1:
            raise UsageProblem(
                f"the project has {len(gate.connections)} databases", "--to names a step of one.",
                f"name it: --database {gate.connections[0].alias}",
            )  # fmt: skip
        wait(one, gate)
        found = []
        try:
            for connection in gate.connections:
                raising = Raising(gate, connection, settings, one.deadline, report, signals)
                adoption = story.compare(raising, own.get("to", ""), own.get("scratch", ""))
                found.append(adoption)
                story.refuse_differences(adoption)
                if adoption.match.adopted and not own.get("plan"):
                    story.adopt(raising, adoption)
        except TidegateError:
            _show(found, glob.format, report, failed=True)
            raise
        _show(found, glob.format, report, failed=False)
        return 0

    return guarded(report, work, "adopt", loads=True)


def _show(found: list[story.Adoption], form: str, report: Report, failed: bool) -> None:
    if form == "json":
        answer(json.dumps({"adoptions": [one.as_dict() for one in found]}, indent=2))
    elif form == "jsonl":
        for one in found:
            report.stage("result", one.alias, "", adoption=one.as_dict(), lines=one.text())
    elif not failed:
        answer("\n".join(line for one in found for line in one.text()))
