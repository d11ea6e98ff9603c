"""Build, migrate, replace and verify the project's services; go back when that fails.

usage: tidegate [-f FILE ...] [--env-file FILE] up [options]

  --env NAME            an environment: its table in the settings, or the Compose file of its name
  --service NAME        the backend, where it can't be told which service it is
  --only A,B            update these services only
  --no-build            take the images as they are
  --pull                fetch the newest images of what is not built here, and build on new bases
  --verify URL          must answer with success before the new release is kept
  --settle SECONDS      how long everything must stay well (10)
  --timeout SECONDS     until when every service must be healthy (300)
  --dry-run             print the commands that would run, and run none that changes anything
  --format text|json|jsonl

The old release serves until the schema is ready; a failure before that changes no container. When
the new release is not well, the previous images and configuration run again: exit 8, or 9 when that
failed too. A second update at the same time is refused with 7.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from tidegate.container.entry import Globals
from tidegate.container.report import Report
from tidegate.errors import TidegateError
from tidegate.frontends.cli import outside
from tidegate.frontends.cli.again import completed
from tidegate.frontends.cli.outside import Option
from tidegate.workflows.update.documents import failed
from tidegate.workflows.update.state import State
from tidegate.workflows.update.story import up
from tidegate.workflows.update.updating import Update

FORMATS = ("text", "json", "jsonl")
OPTIONS = (
    *outside.TARGET,
    Option("--only", True),
    Option("--no-build"),
    Option("--pull"),
    Option("--verify", True),
    Option("--settle", True),
    Option("--timeout", True),
    Option("--dry-run"),
)


def run(glob: Globals, argv: list[str], began: float, environ: Mapping[str, str]) -> int:
    """Run the verb."""
    report = Report("jsonl" if glob.format == "jsonl" else "text", glob.quiet)

    def work() -> int:
        found, _ = outside.parse("up", argv, OPTIONS)
        given = ("settle", "timeout")
        values = {name: found["--" + name] for name in given if "--" + name in found}
        target = outside.target_of(glob, outside.asked_of(glob, found, values), environ)
        report.secrets = target.secrets
        outside.guesses(target, report)
        one = Update(
            target,
            State(target.name, Path(glob.root), environ),
            report,
            line=(lambda text: None) if glob.quiet or glob.format != "text" else _line,
            show=lambda text: print(text, flush=True),
            dry="--dry-run" in found,
            build="--no-build" not in found,
            pull="--pull" in found,
            only=tuple(name for name in found.get("--only", "").split(",") if name),
            verify_url=found.get("--verify", ""),
        )
        try:
            result = up(one)
        except TidegateError as error:
            completed(error, glob, argv)
            if glob.format == "json":
                print(json.dumps(failed(one, error), indent=2))
            raise
        if glob.format == "json":
            print(json.dumps(result, indent=2))
        elif not one.dry:
            took = ", ".join(f"{name} {seconds:.1f}" for name, seconds in one.seconds.items())
            report.stage("up", target.name, f"the new release runs ({took})")
        return 0

    return outside.guarded(report, work, glob, argv)


def _line(text: str) -> None:
    if not text.strip() or outside.is_noise(text):
        return
    try:
        sys.stderr.write(f"          | {text}\n")
        sys.stderr.flush()
    except OSError:
        pass  # nobody listens: no reason to leave an update half done
