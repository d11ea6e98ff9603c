"""Explain one rule of `check`, with an example of what it flags and of what it does not.

usage: tidegate rule NAME [--format text|json]
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from tidegate.container.entry import Globals
from tidegate.container.report import Report
from tidegate.container.running import guarded
from tidegate.container.signals import Signals
from tidegate.errors import UsageProblem


def run(glob: Globals, argv: list[str], began: float, environ: Mapping[str, str]) -> int:
    """Run the verb."""

    def work(signals: Signals) -> int:
        if len(argv) != 1 or argv[0].startswith("-"):
            raise UsageProblem("rule takes one name", "", "see them all with tidegate rules")
        if glob.format not in ("text", "json"):
            said = f"rule does not take --format {glob.format}"
            raise UsageProblem(said, "", "see tidegate rule --help")
        from tidegate.workflows.check import rulepages
        from tidegate.workflows.check.settings import require_rule

        require_rule(argv[0], "tidegate rule")
        if glob.format == "json":
            print(json.dumps(rulepages.document(argv[0]), indent=2))
        else:
            print(rulepages.text(argv[0]))
        return 0

    return guarded(Report("text", glob.quiet), work)
