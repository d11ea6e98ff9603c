"""Review migrations: what they lock, rewrite, lose, and break for the running release.

usage: tidegate check [PATH …] [--since REVISION] [--pending] [--fail-on error|warning|info]
                      [--fix [--unsafe] [--yes]] [--plan FILE] [--write-baseline]
                      [--no-baseline] [--database postgresql|mysql|sqlite]
                      [--format FORMAT]
       tidegate check --drift [--against URL|SERVICE] [--database ALIAS] [--scratch URL]
                      [--python PATH] [--fail-on error|warning|info]
                      [--env NAME] [--service NAME] [--local]

Reads Django's migrations and Alembic's revisions as source, without a database and without
importing the project. With nothing named it reviews every migration of the project.

  PATH              files or folders; what is named counts as one release
  --since REVISION  what is new or changed since a git revision (from where the branches part);
                    names what is gone or has another name as well
  --pending         what the database has not applied yet; asks it, also for applied steps that
                    were edited, that have no file, or that come after a pending one
  --fail-on LEVEL   exit with 1 when a finding is at least this grave (default: error)
  --fix             show how the files can be rewritten safely, write that when you agree, and
                    review what is left
  --unsafe          with --fix: divide a migration into staged files too, where one can't be safe;
                    for migrations that have run nowhere yet (name them: PATH, --since, --pending)
  --yes             with --fix: agree beforehand
  --plan FILE       weigh the findings by what a rehearsal measured: tidegate plan --format json
  --write-baseline  accept the findings of now: from then on only new ones count
  --no-baseline     leave the baseline out of account
  --database NAME   the database the migrations are for, where the project's files don't tell
  --drift           what the models have and no migration makes; runs in the project's own Python,
                    or in the backend's container where none is on this machine (or with --env,
                    --service), and for Alembic builds the migrations on a scratch database, as plan
  --against URL     with --drift: what differs between that database, which is only read, and what
                    the migrations that it has applied make; a Compose service will do as well

FORMAT is text, json, jsonl, sarif, github, gitlab, junit, markdown or html.
To allow a finding, say so at the line: # tidegate: allow RULE: the reason
Settings: [tool.tidegate.check] in pyproject.toml. The rules: tidegate rules.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate import discovery
from tidegate.container.entry import Globals
from tidegate.container.report import Report
from tidegate.container.running import guarded
from tidegate.container.signals import Signals
from tidegate.errors import UsageProblem
from tidegate.model.finding import SEVERITIES

if TYPE_CHECKING:
    from tidegate.model.finding import Findings
    from tidegate.workflows.check.review import Standing

NO_MIGRATION = (
    "no migration is there: tidegate reads the files in folders called migrations, and those "
    "below an env.py beside a script.py.mako"
)
MANY = 10
OLD = (
    "most of this has run long ago: accept it with tidegate check --write-baseline, so that new "
    "findings alone count, or review what is new: tidegate check --since REVISION"
)
VALUES = {"--since": "since", "--fail-on": "fail_on", "--database": "database", "--plan": "plan"}
SWITCHES = {"--pending": "pending", "--write-baseline": "write_baseline", "--fix": "fix",
            "--no-baseline": "no_baseline", "--unsafe": "unsafe", "--yes": "yes"}  # fmt: skip


@dataclass
class Asked:
    """The command line."""

    paths: list[str] = field(default_factory=list)
    since: str = ""
    fail_on: str = ""
    database: str = ""
    pending: bool = False
    write_baseline: bool = False
    no_baseline: bool = False
    fix: bool = False
    unsafe: bool = False
    yes: bool = False
    plan: str = ""


def run(glob: Globals, argv: list[str], began: float, environ: Mapping[str, str]) -> int:
    """Run the verb."""
    report = Report("text", glob.quiet)

    def work(signals: Signals) -> int:
        if _about_drift(argv):
            from tidegate.frontends.cli import drifting

            drifted, fail_on = drifting.found(glob, argv, environ, report)
            print(discovery.reporter(glob.format).render(drifted, _colour(glob, environ)))
            return 1 if drifted.at_least(fail_on) else 0
        asked = parse(argv)
        reporter = discovery.reporter(glob.format)
        if not os.path.isdir(glob.root):
            raise UsageProblem(
                f"{glob.root} is not a folder", "", "name the project's folder with --project DIR"
            )
        from tidegate.workflows.check import baseline
        from tidegate.workflows.check.review import review
        from tidegate.workflows.check.settings import load

        settings = load(glob.root, asked.database)
        standing = _standing(glob, environ) if asked.pending else None
        tree = None  # files that a fix has added are reviewed with those that were named
        if asked.fix:
            from tidegate.frontends.cli.mending import mend

            tree = mend(glob.root, asked.paths, asked.since, standing, asked.database, environ,
                 asked.unsafe, asked.yes, report)  # fmt: skip
        found = review(
            glob.root,
            asked.paths,
            since=asked.since,
            standing=standing,
            database=asked.database,
            environ=environ,
            use_baseline=not (asked.no_baseline or asked.write_baseline),
            plan=asked.plan,
            tree=tree,
            settings=settings,
        )
        if asked.write_baseline:
            narrow = bool(asked.paths or asked.since or asked.pending)
            path = Path(glob.root, settings.baseline)
            said = baseline.accepted(path, found, narrow)
            report.stage("check", "baseline", f"{said} in {settings.baseline}; commit it")
            return 0
        if asked.paths and not found.extra["checked"]:
            report.stage("check", " ".join(asked.paths), _why_none(asked))
        print(reporter.render(found, _colour(glob, environ)))
        if len(found.at_least("error")) > MANY and glob.format == "text" and _whole(asked, found):
            report.stage("next", "", OLD)
        return 1 if found.at_least(asked.fail_on or settings.fail_on) else 0

    return guarded(report, work)


def _why_none(asked: Asked) -> str:
    """Return why nothing that was named is reviewed."""
    if asked.since:
        return f"no migration there has changed since {asked.since}"
    return "no migration there is pending" if asked.pending else NO_MIGRATION


def _whole(asked: Asked, found: Findings) -> bool:
    """Whether everything was reviewed, and nothing of it has been accepted before."""
    narrow = asked.paths or asked.since or asked.pending
    return not (narrow or asked.no_baseline or found.extra["baseline"])


def _about_drift(argv: list[str]) -> bool:
    if not any(word.startswith(("--drift", "--against")) for word in argv):
        return False
    from tidegate.frontends.cli import drifting

    return drifting.asked(argv)


def parse(argv: list[str]) -> Asked:
    """Return what was asked. Raises UsageProblem."""
    asked, index, plain = Asked(), 0, False
    while index < len(argv):
        word = argv[index]
        flag, equals, value = word.partition("=")
        if plain or not word.startswith("-"):
            asked.paths.append(word)
        elif word == "--":
            plain = True
        elif word in SWITCHES:
            setattr(asked, SWITCHES[word], True)
        elif flag in VALUES:
            if not equals:
                index += 1
                if index >= len(argv):
                    raise UsageProblem(f"{flag} has no value", "", f"write {flag} VALUE")
                value = argv[index]
            setattr(asked, VALUES[flag], value)
        else:
            from tidegate.frontends.cli.outside import unknown

            raise unknown("check", word, (*SWITCHES, *VALUES, "--drift", "--against"))
        index += 1
    if asked.fail_on and asked.fail_on not in SEVERITIES:
        raise UsageProblem(
            f"--fail-on is {asked.fail_on!r}", "", "use one of: " + ", ".join(reversed(SEVERITIES))
        )
    if asked.fix and asked.write_baseline:
        raise UsageProblem(
            "--fix and --write-baseline don't go together",
            "What is not mended yet would be accepted for good, unseen.",
            "first tidegate check --fix, then tidegate check --write-baseline for what is left",
        )
    if (asked.unsafe or asked.yes) and not asked.fix:
        word = "--unsafe" if asked.unsafe else "--yes"
        raise UsageProblem(f"{word} belongs to --fix", "", f"tidegate check --fix {word}")
    return asked


def _standing(glob: Globals, environ: Mapping[str, str]) -> Standing:
    """Ask the project's databases what they have applied."""
    from tidegate.container import ledger
    from tidegate.container.gate import open_gate
    from tidegate.container.running import settings_for
    from tidegate.workflows.check.review import Standing

    settings, _ = settings_for(glob.root, environ, [], ("databases", "framework"))
    gate = open_gate(Path(glob.root), environ, settings)
    pending: set[str] = set()
    applied: set[str] = set()
    gone: list[str] = []
    edited: set[str] = set()
    for connection in gate.connections:
        session = gate.database(connection).session(10.0)
        try:
            verdict = gate.level(connection, session)
            steps = gate.steps(connection.alias)
            edited |= set(ledger.edited(steps, ledger.recorded(session.query)))
        finally:
            session.close()
        pending |= set(verdict.pending)
        applied |= set(verdict.applied)
        gone += verdict.unknown
    return Standing(frozenset(pending), frozenset(applied), tuple(gone), frozenset(edited))


def _colour(glob: Globals, environ: Mapping[str, str]) -> bool:
    plain = glob.no_color or environ.get("NO_COLOR") or environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not plain
