"""Where there is nothing to read, or what is there can't be read or written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.migrations import ORDERS, Django
from support.postgres import as_ordinary_user, private_directory
from tidegate.errors import UsageProblem
from tidegate.frontends.cli.main import main
from tidegate.model.finding import Findings
from tidegate.workflows.check import baseline
from tidegate.workflows.check.review import review


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Root may read and write everything: be somebody else for a while."""
    account = as_ordinary_user().get("user")
    if account is not None:
        os.setresuid(account, account, 0)
    try:
        yield
    finally:
        if account is not None:
            os.setresuid(0, 0, 0)


@pytest.mark.parametrize("files", [
    ("migrations/env.py", "migrations/script.py.mako", "migrations/versions/.gitkeep"),
    ("manage.py", "shop/models.py"),
    ("shop/migrations/__init__.py",),
])  # fmt: skip
def test_a_fresh_project_has_nothing_to_review(
    tmp_path: Path, files: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 0 and a word about it: other verbs call such a project current."""
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("", "utf-8")
    assert main(["--project", str(tmp_path), "check"], 0.0) == 0
    assert "there is no migration yet" in capsys.readouterr().out
    assert main(["--project", str(tmp_path), "--format", "json", "check"], 0.0) == 0
    assert json.loads(capsys.readouterr().out)["checked"] == 0


def test_a_file_that_can_t_be_read_is_an_error_though_the_cache_knows_it() -> None:
    """Its name and the reason: a review never passes what it can't see."""
    root = private_directory("check-")
    project = Django(root)
    path = project.add("0001_initial", ORDERS)
    cached = {"TIDEGATE_CACHE": str(root / "cache")}
    assert review(str(root), environ=cached).extra["checked"] == 1
    for folder in (root, root / "shop", path.parent):
        folder.chmod(0o755)
    path.chmod(0)
    try:
        with ordinary_user(), pytest.raises(UsageProblem) as raised:
            review(str(root), environ=cached)
    finally:
        path.chmod(0o600)
    assert raised.value.what == "shop/migrations/0001_initial.py can't be read: Permission denied"


def test_a_baseline_that_can_t_be_written_names_its_folder() -> None:
    """The folder is to blame, and the way out is the right to write there."""
    root = private_directory("check-")
    root.chmod(0o555)
    with ordinary_user(), pytest.raises(UsageProblem) as raised:
        baseline.accepted(root / "tidegate-baseline.json", Findings("check", ""), False)
    assert raised.value.what == f"{root}/tidegate-baseline.json can't be written: Permission denied"
    assert f"write in {root}" in raised.value.next


def test_a_rule_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Its declaration, page and examples; another format is refused."""
    assert main(["--format", "json", "rule", "not-null-scans"], 0.0) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["rule"], said["severity"]) == ("not-null-scans", "error")
    assert said["staged"] == ["django", "alembic"]
    assert {one["framework"] for one in said["examples"]} == {"django", "alembic"}
    assert said["page"].startswith("SET NOT NULL reads the whole table")
    assert main(["--format", "json", "rule", "unknown-rule"], 0.0) == 0
    assert json.loads(capsys.readouterr().out)["rule"] == "unknown-rule"
    assert main(["--format", "sarif", "rule", "not-null-scans"], 0.0) == 2
