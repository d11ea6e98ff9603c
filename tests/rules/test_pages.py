"""Each rule has a page, examples and a report that stay as they are until somebody means it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from support import rule_examples
from tidegate import discovery
from tidegate.model.finding import Findings
from tidegate.workflows.check.review import review
from tidegate.workflows.check.rulebook import OWN, Known, all_rules, names

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "rules.md"
REPORTS = Path(__file__).with_name("reports.txt")
OFF = {"TIDEGATE_CACHE": "off"}
# shown by tests/check/test_graph.py
GRAPH = {
    "several-heads", "missing-dependency", "dependency-cycle", "same-number", "edited-since",
    "unreadable-file", "data-lost-going-back", "applied-but-gone", "out-of-order", "removed-since",
}  # fmt: skip


def test_the_reference_has_each_rule_and_no_other() -> None:
    """The page's headings are the registry's names, both ways."""
    headings = set(re.findall(r"^### (\S+)$", PAGE.read_text("utf-8"), re.MULTILINE))
    assert headings == set(names()) - set(OWN)


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.name)
def test_a_rule_explains_itself(rule: Known) -> None:
    """A title that is a sentence, then what to do; examples unless it is about the graph."""
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.name)
    assert rule.title.endswith(".")
    assert len(rule.page.splitlines()) > 2 or rule.name == "database-or-schema-dropped"
    assert bool(rule.rule.examples) == (rule.name not in GRAPH)
    assert {name for name in rule.rule.companions if name not in names()} == set()
    assert rule.examine or rule.examine_step or rule.examine_graph


def test_the_reports_of_the_examples_are_as_kept(tmp_path: Path) -> None:
    """The whole text of each bad example's report; UPDATE_REPORTS=1 writes them anew."""
    pytest.importorskip("pgparse")
    parts = []
    for rule in all_rules():
        for number, example in enumerate(rule.rule.examples):
            root = tmp_path / f"{rule.name}-{number}"
            root.mkdir()
            own = dict(rule_examples.write(example, example.bad, root))
            if rule.rule.opt_in:
                with (root / "tidegate.toml").open("a", encoding="utf-8") as file:
                    file.write(f"[check.rules]\n{rule.name} = true\n")
            found = review(str(root), environ=OFF)
            ours = tuple(one for one in found.findings if one.place.path in own)
            text = discovery.reporter("text").render(Findings("check", str(root), ours), False)
            parts.append(f"==== {rule.name}, {example.framework}\n\n{text}\n")
    now = "\n".join(parts)
    if os.environ.get("UPDATE_REPORTS"):
        REPORTS.write_text(now, "utf-8")
    assert REPORTS.read_text("utf-8") == now
