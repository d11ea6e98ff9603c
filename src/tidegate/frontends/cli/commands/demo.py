"""Show in half a minute, on a temporary PostgreSQL, what boot does.

usage: tidegate demo

Needs the extra: pip install 'tidegate[demo]', or uvx --from 'tidegate[demo]' tidegate demo. Four
processes start at once, one migrates; then a start with nothing to do, timed; then a migration
that fails. Everything is made in a temporary folder and removed at the end.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from tidegate.container.entry import Globals
from tidegate.container.report import Report
from tidegate.errors import Stopped, TidegateError

PAUSE = 1.5  # seconds to read a sentence, for a person at a terminal


def run(glob: Globals, argv: list[str], began: float, environ: Mapping[str, str]) -> int:
    """Run the verb."""
    report = Report("text")
    if argv or glob.format != "text":
        wrong = argv[0] if argv else f"--format {glob.format}"
        report.error([f"demo does not take {wrong}", "  next: tidegate demo --help"], 2)
        return 2
    from tidegate.workflows.demo import demo  # its imports cost every other verb 20 ms
    from tidegate.workflows.demo.watching import Screen

    person = sys.stdout.isatty()
    colour = person and not (
        glob.no_color or environ.get("NO_COLOR") or environ.get("TERM") == "dumb"
    )
    screen = Screen(lambda line: print(line, flush=True), colour, PAUSE if person else 0.0)
    try:
        demo(screen, environ)
    except Stopped as stop:
        report.warn("stopped; the server is ended and the folder removed")
        return stop.exit_code
    except TidegateError as error:
        report.error(error.lines(), error.exit_code)
        return error.exit_code
    return 0
