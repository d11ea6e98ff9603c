"""`tidegate make --data`, `--expand` and `--contract` as they are typed: static, and shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.migrations import ORDERS, Django
from tidegate.frontends.cli.main import main


@pytest.fixture
def project(tmp_path: Path) -> Django:
    pytest.importorskip("pgparse")
    made = Django(tmp_path)
    made.add("0001_initial", ORDERS)
    (tmp_path / "tidegate.toml").write_text('[check]\ndatabase = "postgresql"\n', "utf-8")
    return made


def make(project: Django, *words: str) -> int:
    return main(["--project", str(project.root), *words], 0.0)


def test_a_rename_is_made_in_two_releases(
    project: Django, capfd: pytest.CaptureFixture[str]
) -> None:
    """The files are named, and land behind the last one; without a database or a container."""
    assert make(project, "make", "--expand", "rename:order.total=amount") == 0
    assert capfd.readouterr().out.splitlines()[:2] == [
        "created shop/migrations/0002_expand_order_total_amount.py",
        "created shop/migrations/0003_expand_order_total_amount_fill_amount.py",
    ]
    assert make(project, "--format", "json", "make", "--contract", "rename:order.total=amount") == 0
    said = json.loads(capfd.readouterr().out)
    assert said["created"] == ["shop/migrations/0004_contract_order_total_amount.py"]
    assert [one["rule"] for one in said["findings"] if one["severity"] == "error"] == []


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("--data", "x", "--expand", "drop:order.total"), "--data and --expand don't go together"),
        (("--data", "x", "-m", "y"), "--data and --message don't go together"),
        (("--set", "a = b"), "--set belongs to --data"),
        (("--data", "x", "--app", "shop", "--set", "a = b"), "--set needs the table"),
        (("--data", "x"), "a data migration belongs to an app"),
        (("--data", "x", "--app", "none"), "no migration of an app none"),
        (("--data", "x", "--app", "shop", "--table", "none", "--set", "a = b"), "a table none"),
        (("--expand", "rename:order.total"), "is not a change"),
    ],
)
def test_what_does_not_go_is_a_usage_error(
    project: Django, words: tuple[str, ...], answer: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Exit 2 with the reason; nothing is written."""
    assert make(project, "make", *words) == 2
    assert answer in capfd.readouterr().err
    assert len(list(project.root.rglob("0*.py"))) == 1
