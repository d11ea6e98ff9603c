"""Run the pending steps on a scratch database, and say what they would do to the real one.

usage: tidegate plan [--database ALIAS] [--against URL|SERVICE] [--from STEP,... | --since GIT_REF]
                     [--with-data ROWS] [--online] [--scratch URL] [--python PATH]
                     [--fail-on error|warning|info|never]
                     [-o FILE] [--format text|json|markdown|html]
                     [--env NAME] [--service NAME] [--local]

Where the project has Compose files and Docker is there, the steps run in a one-off container of the
backend, with this folder's code over the image's where the image is built from it, on a throw-away
container of the database's own image; --local (or TIDEGATE_LOCAL=1, or --python) runs them here, on
the embedded PostgreSQL.

Without --against the target is the project's own database. It is only read: its schema is dumped,
its statistics say how large the tables are. --against takes a URL, or a Compose service: its
running container is reached with the project's own login, by the port that it publishes or (on
Linux) by its own address. --from names the deployed steps instead (`zero`: an empty database),
--since a commit whose steps are deployed; the scratch is then built from the migrations.
--with-data puts so many made-up rows into each scratch table, for steps that go by rows, and says
how long a reader and a writer had to wait for the steps. --online chooses forms that keep nobody
waiting (CONCURRENTLY, NOT VALID and VALIDATE, a validated CHECK before SET NOT NULL), runs them as
well, and has `apply` use them where they end in the same schema.
--scratch names a PostgreSQL server to rehearse on in place of the embedded one, which needs the
extra: pip install 'tidegate[plan]'. -o writes the plan as JSON, for `tidegate apply`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tidegate import discovery
from tidegate.container.entry import Globals
from tidegate.container.origin import who
from tidegate.container.report import Report
from tidegate.container.running import guarded
from tidegate.container.signals import Signals
from tidegate.errors import UsageProblem
from tidegate.frontends.cli import through
from tidegate.frontends.cli.again import again
from tidegate.model.finding import SEVERITIES, Findings
from tidegate.model.words import counted

FLAGS = {"--database": "database", "--against": "against", "--from": "start", "--since": "since",
         "--scratch": "server", "--python": "python", "--framework": "framework",
         "--fail-on": "fail_on", "--with-data": "rows", "-o": "out", "--output": "out"}  # fmt: skip


def run(glob: Globals, argv: list[str], began: float, environ: Mapping[str, str]) -> int:
    """Run the verb."""
    report = Report("text", glob.quiet)

    def work(signals: Signals) -> int:
        from tidegate.workflows.plan.document import findings
        from tidegate.workflows.plan.project import Request
        from tidegate.workflows.plan.story import rehearse
        from tidegate.workflows.update.proofs import share
        from tidegate.workflows.update.state import State

        words = [word for word in argv if word != "--online"]
        services, words = through.services(glob, words, environ, report)
        given: dict[str, Any] = dict(flags(words, FLAGS, "plan"))
        given["online"] = "--online" in argv
        fail_on, out = given.pop("fail_on", "error"), given.pop("out", "")
        if fail_on not in (*SEVERITIES, "never"):
            raise UsageProblem(f"--fail-on is {fail_on!r}", "", "use error, warning, info or never")
        if glob.format != "markdown":  # its table of steps is a plan's own
            discovery.reporter(glob.format)  # a wrong --format is told before the work
        if given.get("against") and "://" not in given["against"]:
            place = through.inner if services else through.outer
            given["place"] = place(glob, given.pop("against"), environ, services)
        request = Request(Path(glob.root), dict(environ), **given)
        at = through.place(request, services, report) if services else None
        found = findings(rehearse(request, lambda text: report.stage("plan", "", text), at))
        if services:
            state = State(services.name, Path(glob.root), environ)
            share(state, found.extra, services, report, who(environ))
        if out:
            _write(out, found)
        print(rendered(glob, found, _coloured(glob, environ)))
        if out:
            sys.stdout.flush()
            report.stage("plan", "", again(written(out, found), glob, argv))
        return 1 if fail_on != "never" and found.at_least(fail_on) else 0

    return guarded(report, work)


def rendered(glob: Globals, found: Findings, colour: bool) -> str:
    """Return the report; as text, the story of the steps comes before the findings."""
    if glob.format == "markdown":
        from tidegate.workflows.plan import markdown

        return markdown.render(found)
    text = discovery.reporter(glob.format).render(found, colour)
    if glob.format != "text":
        return text
    from tidegate.workflows.plan.text import story

    return "\n\n".join(part for part in (story(found), text) if part)


def flags(argv: Sequence[str], known: Mapping[str, str], verb: str) -> dict[str, str]:
    """Return the flags of a verb by their names. Raises UsageProblem for another word."""
    out: dict[str, str] = {}
    words = list(argv)
    while words:
        word = words.pop(0)
        flag, equals, value = word.partition("=")
        if flag not in known:
            raise UsageProblem(f"{verb} does not take {word}", "", f"tidegate {verb} --help")
        if not equals:
            if not words:
                raise UsageProblem(f"{flag} has no value", "", f"write {flag} VALUE")
            value = words.pop(0)
        out[known[flag]] = value
    return out


def written(path: str, found: Findings) -> str:
    """Say that the plan's file is there, and what to type next."""
    plan = found.extra
    if not plan["steps"]:
        return f"{path} is written; there is nothing in it to apply"
    if any(not step["applied"] for step in plan["steps"]):
        return f"{path} is written; correct what fails, and plan again before you apply it"
    if not plan["basis"].get("target"):
        return f"{path} is written; it can't be applied: plan it with --against for that"
    word = f" --approve {plan['plan']}" if plan["needs_approval"] else ""
    errors = sum(one.severity == "error" for one in found.findings)
    if errors:
        return (f"{path} is written; {counted(errors, 'error')} above should be mended first; to "
                f"apply it all the same: tidegate apply {path}{word}")  # fmt: skip
    return f"{path} is written; next: tidegate apply {path}{word}"


def _write(path: str, found: Findings) -> None:
    from tidegate.workflows.plan.document import document

    try:
        with open(path, "w", encoding="utf-8") as file:
            json.dump(document(found), file, indent=2)
            file.write("\n")
    except OSError as error:
        raise UsageProblem(f"{path} can't be written: {error.strerror}", "", "") from None


def _coloured(glob: Globals, environ: Mapping[str, str]) -> bool:
    plain = glob.no_color or environ.get("NO_COLOR") or environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not plain and os.name != "nt"
