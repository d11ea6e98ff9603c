"""What `tidegate doctor` prints and asks, around the workflows that do the work."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from tidegate import discovery
from tidegate.container.entry import Globals
from tidegate.container.report import Report, masked
from tidegate.errors import NotReady, UsageProblem
from tidegate.frontends.cli import outside
from tidegate.reading.project.live import Live
from tidegate.reading.project.loaded import Loaded
from tidegate.reading.project.project import ProjectFiles
from tidegate.workflows.doctor import engine, errortext, loading, mending, story, unread
from tidegate.workflows.doctor.story import Diagnosis
from tidegate.workflows.ownpython import own_python


class Options(Protocol):
    """The flags of the verb."""

    fix: bool
    yes: bool
    live: bool
    load: bool
    error: str
    fail_on: str
    ignore: list[str]


def run(glob: Globals, options: Options, environ: Mapping[str, str]) -> int:
    """Look, perhaps explain or mend, and print one report."""
    root = Path(glob.root).resolve()
    for name in glob.files:
        if not (root / name).is_file():
            raise UsageProblem(f"there is no Compose file {name} in {root}", "", "correct -f")
    unknown = [rule for rule in options.ignore if rule not in story.checks()]
    if unknown:
        raise UsageProblem(
            f"doctor has no check {unknown[0]}",
            "It stands in the ignored ones.",
            "see docs/reference/checks.md",
        )
    project = ProjectFiles(root, tuple(glob.files))
    if not options.error:
        unread.insist(project)
    live = engine.gather(project) if options.live else None
    if options.load:
        if options.fix:
            raise loading.refuse_mending()
        try:
            project = ProjectFiles(root, tuple(glob.files), loaded=_loaded(glob, project, environ))
        except NotReady as error:  # what the files say is still worth saying
            Report("text", glob.quiet).error(error.lines(), error.exit_code)
            _report(glob, project, story.examine(project, live, options.ignore), options, {}, live)
            return error.exit_code
        live = live or Live()
    found = story.examine(project, live, options.ignore)
    if options.error:
        return _explained(glob, project, found, options)
    if options.fix:
        return _mended(glob, project, found, options)
    return _report(glob, project, found, options, {}, live)


def _loaded(
    glob: Globals, project: ProjectFiles, environ: Mapping[str, str]
) -> Mapping[str, Loaded]:
    """Load the configuration in the app's containers; without Compose files, right here."""
    tell = Report("text", glob.quiet)
    if not project.stacks:
        done = loading.here(project, own_python(project.root, environ), environ)
    else:
        target = outside.target_of(glob, outside.asked_of(glob, {}, {}), environ)
        tell.secrets = target.secrets
        done = loading.inside(project, target, tell, environ)
    for note in done.notes:
        print(f"tidegate  doctor  {masked(note, tell.secrets)}", file=sys.stderr)
    return done.found


def _report(
    glob: Globals, project: ProjectFiles, found: Sequence[Diagnosis], options: Options,
    extra: dict[str, object], live: Live | None = None,
) -> int:  # fmt: skip
    if live is not None and live.why_not:
        print(f"tidegate  doctor  {live.why_not}", file=sys.stderr)
    closed = unread.needed(project)
    fixable = mending.fitting(project, found, options.ignore)
    findings = story.report(project, fixable, extra, closed)
    if glob.format == "text":
        shown = replace(findings, findings=story.for_people(findings.findings))
        print(discovery.reporter("text").render(shown, _colour(glob)))
    else:
        print(discovery.reporter(glob.format).render(findings, _colour(glob)))
    for path, why in unread.aside(project).items():
        print(f"tidegate  doctor  {path} was passed over: {why}", file=sys.stderr)
    if closed:
        Report("text", glob.quiet).error(unread.lines(closed, str(project.root)), 2)
        return 2
    return 1 if findings.at_least(options.fail_on) else 0


def _colour(glob: Globals) -> bool:
    return sys.stdout.isatty() and not getattr(glob, "no_color", False)


def _explained(
    glob: Globals, project: ProjectFiles, found: Sequence[Diagnosis], options: Options
) -> int:
    explained = errortext.explain(options.error, found, project, options.live)
    here = [one for one in found if one.rule in {e.rule for e in explained if e.here}]
    if glob.format == "text":
        print("\n".join(errortext.lines(explained, len(found))))
        if not here:
            return 0
        print()
    return _report(
        glob, project, here, options, {"explains": [one.document() for one in explained]}
    )


def _mended(
    glob: Globals, project: ProjectFiles, found: Sequence[Diagnosis], options: Options
) -> int:
    plan = mending.plan(project, found, options.ignore)
    if not plan.mends:
        for line in (*plan.left_out, "nothing here can be mended without a decision of yours"):
            print(f"tidegate  doctor  {line}", file=sys.stderr)
        return _report(glob, project, found, options, {"mended": []})
    print("\n".join(plan.shown()), file=sys.stderr)
    if not options.yes and not _agreed():
        print("tidegate  doctor  nothing was written; --yes agrees beforehand", file=sys.stderr)
        return _report(glob, project, found, options, {"mended": []})
    result = mending.apply(project, plan, found, options.ignore)
    for line in result.notes:
        print(f"tidegate  doctor  {line}", file=sys.stderr)
    mended = [{"rule": rule, "path": path} for rule, path in result.mended]
    return _report(
        glob,
        result.project,
        result.left,
        options,
        {"mended": mended, "compose": list(result.config)},
    )


def _agreed() -> bool:
    if not sys.stdin.isatty():
        return False
    print("Write this? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
