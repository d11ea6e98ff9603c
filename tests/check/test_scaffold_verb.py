"""`tidegate make --data`, `--expand` and `--contract` as they are typed: static, and shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.migrations import ORDERS, Django
from tidegate.frontends.cli.main import main

DATA = ("--data", "x", "--app", "shop", "--table", "shop_order")


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
        (("--contract", "rename:order.total=amount"), "has not been made ready"),
        (("--contract", "drop:order.total"), "has not been made ready"),
        (("--contract", "type:order.total=BigIntegerField(null=True)"), "has not been made ready"),
        ((*DATA, "--set", "total = ) 1"), 'syntax error at or near ")"'),
        ((*DATA, "--set", "totla = 1"), "write total"),
        ((*DATA, "--set", "total = length(coed)"), "write code"),
        ((*DATA, "--set", "total = 1", "--where", "cod IS NULL"), "write code"),
        ((*DATA, "--set", "total = 1", "--undo", "total = NULL; x"), "grammar refuses it"),
        ((*DATA, "--set", "total = 1; DROP TABLE x"), "more than one UPDATE"),
    ],
)
def test_what_does_not_go_is_a_usage_error(
    project: Django, words: tuple[str, ...], answer: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Exit 2 with the reason; nothing is written."""
    assert make(project, "make", *words) == 2
    assert answer in capfd.readouterr().err
    assert len(list(project.root.rglob("0*.py"))) == 1


def test_sql_of_other_tables_is_not_doubted(project: Django) -> None:
    """What it reads of others is theirs; what it sets is this table's."""
    words = ("--set", "total = (SELECT max(size) FROM box)", "--where", "total IS NULL")
    assert make(project, "make", *DATA, *words) == 0


@pytest.mark.parametrize(
    "change",
    ["rename:order.total=amount", "drop:order.total", "unique:order.total",
     "type:order.total=BigIntegerField(null=True)"],
)  # fmt: skip
def test_what_is_begun_is_not_begun_again(
    project: Django, change: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """The first one says what comes next; the second is refused, and so is a second end."""
    assert make(project, "make", "--expand", change) == 0
    last = capfd.readouterr().out.splitlines()[-1]
    assert last.startswith("next: ")
    files = len(list(project.root.rglob("0*.py")))
    assert make(project, "make", "--expand", change) == 2
    assert "already; no file was made" in capfd.readouterr().err
    assert len(list(project.root.rglob("0*.py"))) == files
    if not change.startswith("unique"):
        assert "tidegate make --contract" in last
        assert make(project, "make", "--contract", change) == 0
        assert make(project, "make", "--contract", change) == 2
