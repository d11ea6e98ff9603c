"""List the rules of `check`.

usage: tidegate rules [--format text|json]
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
        if argv or glob.format not in ("text", "json"):
            wrong = argv[0] if argv else f"--format {glob.format}"
            raise UsageProblem(f"rules does not take {wrong}", "", "see tidegate rules --help")
        from tidegate.workflows.check import rulepages
        from tidegate.workflows.check.rulebook import OWN, Known, all_rules

        rules = all_rules()
        if glob.format == "json":
            print(json.dumps({"rules": [rulepages.listed(one) for one in rules]}, indent=2))
            return 0
        families: dict[str, list[Known]] = {}
        for one in rules:
            families.setdefault(one.family, []).append(one)
        for family, members in families.items():
            print(f"{family}")
            for one in members:
                print(f"  {one.rule.severity:<8} {one.name:<40} {one.title}")
            print()
        print("about the comments that allow findings")
        for name, title in OWN.items():
            print(f"  {'':<8} {name:<40} {title}")
        return 0

    return guarded(Report("text", glob.quiet), work)
