"""Apply the pending steps, by the same election as boot, and stop there.

usage: tidegate migrate [TARGET] [--timeout SECONDS] [--lock-timeout SECONDS] [--databases A,B]
                        [--look auto|read|rehearse|never] [--online] [--forms PLAN]
                        [--approve WORD] [--backup auto|always|never]
                        [--env NAME] [--service NAME] [--local] [--format text|json|jsonl]

TARGET is app_label, app_label.0002_name or app_label 0002 for Django, a revision or label@head for
Alembic. Going backwards is refused: see rollback. Steps that were rolled back are applied again, as
a start never does. Where the project has Compose files and Docker is there, it runs in a one-off
container of the service made for it (`migrations`), or else of the backend; --local (or
TIDEGATE_LOCAL=1) runs it here.

  --look read      read the pending steps first: what takes data away, or can't be undone where no
                   backup is made, needs --approve with the word that the refusal gives
  --look rehearse  run them on a scratch database first, as `tidegate plan`, and apply that plan;
                   nothing is applied where it finds an error (--fail-on, as for plan)
  --look never     apply them, as a start does
  --look auto      read, on a terminal, through containers, or in a coding agent's environment
  --online         rehearse, and apply in forms that keep nobody waiting, as `plan --online`
  --forms PLAN     use the forms of a plan that was made with --online; also for `boot`
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tidegate.container import approval
from tidegate.container.boot import Boot, wait
from tidegate.container.consent import check_of, look
from tidegate.container.entry import Globals
from tidegate.container.envfile import with_file
from tidegate.container.gate import open_gate
from tidegate.container.migrating import knowing, raise_to
from tidegate.container.oneoff import refuse_writing
from tidegate.container.outlet import answer
from tidegate.container.report import Report
from tidegate.container.running import guarded, settings_for
from tidegate.container.signals import Signals
from tidegate.errors import TidegateError, UsageProblem
from tidegate.frontends.cli.handover import handed_over, rehearsed

FORMATS = ("text", "json", "jsonl")
OPTIONS = ("timeout", "lock_timeout", "backup", "wait_for", "databases", "framework", "look",
           "forms")  # fmt: skip


def run(glob: Globals, argv: list[str], began: float, given: Mapping[str, str]) -> int:
    """Run the verb."""
    if len(argv) > 1 and not any(word.startswith("-") for word in argv[:2]):
        argv = [".".join(argv[:2]), *argv[2:]]  # as Django's own command takes it: app 0002
    if not (rehearses := _rehearses(glob, argv, given)):
        code, argv = handed_over("migrate", glob, argv, given)
        if code is not None:
            return code
    report = Report(glob.format, glob.quiet)

    def work(signals: Signals) -> int:
        environ = with_file(glob.env_path, given)
        if rehearses:
            return rehearsed(glob, argv, environ, report, signals)
        approved, words = approval.taken(list(argv))
        target = words[0] if words and not words[0].startswith("-") else ""
        settings, rest = settings_for(glob.root, environ, words[1:] if target else words, OPTIONS)
        if rest and not target and not rest[0].startswith("-"):
            target, rest = rest[0], rest[1:]
        if rest:
            raise UsageProblem(f"migrate does not take {rest[0]}", "", "tidegate migrate --help")
        one = Boot(Path(glob.root), environ, settings, report, signals, began)
        gate = open_gate(one.root, environ, settings)
        report.secrets = tuple(c.password.reveal() for c in gate.connections if c.password)
        chosen = knowing(gate, target) if target else gate.connections
        refuse_writing(environ, chosen, "applied to")
        wait(one, gate)
        word = approval.said(approved)
        done = [
            raise_to(one, gate, each, target, check_of(one, gate, each, word, target)).document()
            for each in chosen
        ]
        if glob.format == "json":
            answer(json.dumps({"migrations": done}, indent=2))
        elif glob.format == "jsonl":
            for each in done:
                report.stage("result", str(each["alias"]), "", migration=each)
        return 0

    return guarded(report, work, "migrate", loads=True)


def _rehearses(glob: Globals, argv: list[str], environ: Mapping[str, str]) -> bool:
    """Whether a rehearsal comes first: that chooses its own place."""
    try:
        said, _ = approval.taken(list(argv), "--look")
        return "--online" in argv or look(glob.root, said, environ) == "rehearse"
    except TidegateError:
        return False  # told again where errors are
