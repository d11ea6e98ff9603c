"""Give your word for one plan, on a terminal: it holds once, for an hour.

usage: tidegate approve FINGERPRINT

Only needed where `apply` runs in the environment of a coding agent and the plan takes data away
or can't be taken back. The fingerprint is typed a second time, by a person.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from tidegate.container import approval
from tidegate.container.entry import Globals
from tidegate.container.origin import agent
from tidegate.container.report import Report
from tidegate.container.running import guarded
from tidegate.container.signals import Signals
from tidegate.errors import PolicyRefused, UsageProblem

FORMATS = ("text",)


def run(glob: Globals, argv: list[str], began: float, environ: Mapping[str, str]) -> int:
    """Run the verb."""
    report = Report("text", glob.quiet)

    def work(signals: Signals) -> int:
        if len(argv) != 1 or argv[0].startswith("-"):
            raise UsageProblem("approve takes one fingerprint", "", "tidegate approve FINGERPRINT")
        mark = agent(environ)
        if mark or not sys.stdin.isatty():
            why = f"a coding agent ({mark}) runs this" if mark else "there is no terminal"
            raise PolicyRefused(
                f"an approval is a person's word, and {why}",
                "Nothing was written.",
                f"type it on a terminal of your own: tidegate approve {argv[0]}",
            )
        sys.stderr.write(f"type {argv[0]} again to approve that plan: ")
        if sys.stdin.readline().strip() != argv[0]:
            raise PolicyRefused("that is another fingerprint", "Nothing was written.", "")
        approval.record(argv[0], environ)
        report.stage("approve", argv[0], "approved once, for an hour")
        return 0

    return guarded(report, work)
