"""Each check's own examples: the bad project is flagged at its place, the mended one is quiet."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tidegate.model.finding import SEVERITIES
from tidegate.reading.project.project import ProjectFiles
from tidegate.workflows.doctor import story

Tree = dict[str, str]
# Nothing contradicts these: one thing alone is wrong.
ALONE = {
    "bind-source-missing", "cmd-shell-ignores-words", "compose-file-refused",
    "compose-file-unreadable", "lock-file-stays-behind", "lock-outlives-its-holder",
    "url-password-not-escaped",
}  # fmt: skip
CHECKS = story.checks()
FILE_CHECKS = {rule: check for rule, check in CHECKS.items() if hasattr(check, "look")}


def written(root: Path, tree: dict[str, str]) -> ProjectFiles:
    """Write a tree of texts; a name that ends with `*` is executable."""
    for name, text in tree.items():
        path = root / name.rstrip("*")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
        path.chmod(0o755 if name.endswith("*") else 0o644)
    return ProjectFiles(root)


def seen(project: ProjectFiles) -> list[tuple[str, str]]:
    return [
        (one.rule, f"{one.finding.place.path}:{one.finding.place.line}")
        for one in story.examine(project)
    ]


@pytest.mark.parametrize("rule", FILE_CHECKS)
def test_the_bad_project_is_flagged(rule: str, tmp_path: Path) -> None:
    """Exactly this rule speaks, at the file and line that the check names."""
    check: Any = FILE_CHECKS[rule]
    assert seen(written(tmp_path, check.BAD)) == [(rule, check.AT)]


@pytest.mark.parametrize("rule", FILE_CHECKS)
def test_the_mended_project_is_quiet(rule: str, tmp_path: Path) -> None:
    """No check at all speaks on the mended twin."""
    assert seen(written(tmp_path, FILE_CHECKS[rule].GOOD)) == []


@pytest.mark.parametrize("rule", CHECKS)
def test_a_check_is_complete(rule: str) -> None:
    """A page, a severity, the moment, and an error text that its own expressions find."""
    check: Any = CHECKS[rule]
    assert (check.__doc__ or "").count("\n") >= 2
    assert check.SEVERITY in SEVERITIES
    assert check.WHEN
    assert any(re.search(one, check.PRINTED) for one in check.ERRORS)


@pytest.mark.parametrize("rule", FILE_CHECKS)
def test_a_finding_says_what_to_do(rule: str, tmp_path: Path) -> None:
    """The message is a sentence, there is a remedy, the error by which `--error` finds it, and the
    other side of the contradiction."""
    check: Any = FILE_CHECKS[rule]
    (one,) = story.examine(written(tmp_path, check.BAD))
    assert one.predicts or check.WHEN.startswith(("never", "now"))
    assert any(re.search(each, one.problem.printed or check.PRINTED) for each in check.ERRORS)
    assert one.finding.message.endswith(".")
    assert bool(one.problem.also) is (rule not in ALONE)
    assert one.finding.remedy
