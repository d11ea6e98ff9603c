"""Where users meet the review: manage.py check, pytest, pre-commit; and without the parsers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.migrations import ORDERS, Alembic, Django, one, said
from tidegate.reading.migrations import sql

ROOT = Path(__file__).resolve().parents[2]
DROP = 'migrations.RemoveField("order", "total"),'
SETTINGS = """\
from pathlib import Path
BASE_DIR = Path(__file__).parent
SECRET_KEY = "for-the-tests-only"
INSTALLED_APPS = ["shop", "tidegate.django"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
"""
MODELS = """\
from django.db import models
class Order(models.Model):
    id = models.BigAutoField(primary_key=True)
    total = models.IntegerField(null=True)
    code = models.CharField(max_length=20)
"""


def run(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    names = ("PATH", "HOME", "PYTHONPATH")
    env = {name: os.environ[name] for name in names if name in os.environ}
    env |= {"TIDEGATE_CACHE": "off", "DJANGO_SETTINGS_MODULE": "settings"}
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=root, env=env, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Django:
    made = Django(tmp_path)
    made.add("0001_initial", ORDERS.replace("key=True", "key=True, serialize=False"))
    made.add("0002_drop", DROP)
    for folder in ("shop", "shop/migrations"):
        (tmp_path / folder / "__init__.py").write_text("", "utf-8")
    (tmp_path / "settings.py").write_text(SETTINGS, "utf-8")
    (tmp_path / "shop" / "models.py").write_text(MODELS, "utf-8")
    return made


def test_manage_py_check_shows_the_findings(project: Django) -> None:
    """As warnings with the rule as id; `--fail-level WARNING` fails, the start is not refused."""
    pytest.importorskip("django")
    words = ("django", "check", "--tag", "tidegate")
    shown = run(project.root, *words)
    assert shown.returncode == 0, shown.stderr
    assert (
        "(tidegate.column-dropped) shop/migrations/0002_drop.py:7: shop_order.total" in shown.stderr
    )
    assert run(project.root, *words, "--fail-level", "WARNING").returncode == 1


def test_pytest_has_what_is_to_be_proved_as_tests(project: Django) -> None:
    """Each fails with its report and nothing else, passes when there is nothing, is asked for."""
    pytest.importorskip("django")
    words = ["pytest", "-v", "-p", "no:cacheprovider", "--rootdir", str(project.root)]
    words += [] if _installed() else ["-p", "tidegate.frontends.pytest_plugin"]
    failed = run(project.root, *words, "--tidegate")
    assert failed.returncode == 1, failed.stdout + failed.stderr
    assert re.findall(r"^::tidegate::(\w+) (\w+)", failed.stdout, re.MULTILINE) == [
        ("heads", "PASSED"), ("check", "FAILED"), ("up_down_up", "PASSED"), ("drift", "FAILED"),
    ]  # fmt: skip
    assert "error  column-dropped  shop/migrations/0002_drop.py:7" in failed.stdout
    assert "no migration does this yet: shop: Add field total to order" in failed.stdout
    assert "Traceback" not in failed.stdout
    (project.root / "shop" / "migrations" / "0002_drop.py").unlink()
    chosen = run(project.root, *words, "--tidegate", "-k", "heads or check or drift")
    assert (chosen.returncode, "3 passed" in chosen.stdout) == (0, True)
    assert run(project.root, *words).returncode == 5  # no test was asked for


def test_pytest_tells_two_heads_and_a_way_back_that_fails(project: Django) -> None:
    """They are tests of their own; the review says nothing against either file."""
    pytest.importorskip("django")
    needs = [("shop", "0001_initial")]
    code = "migrations.RunPython(migrations.RunPython.noop, {})"
    project.add("0002_drop", code.format("lambda apps, editor: 1 / 0"), needs=needs)
    words = ["pytest", "-v", "-p", "no:cacheprovider", "--rootdir", str(project.root)]
    words += [] if _installed() else ["-p", "tidegate.frontends.pytest_plugin"]
    failed = run(project.root, *words, "--tidegate", "-k", "up_down_up")
    assert "::tidegate::up_down_up FAILED" in failed.stdout
    assert "down-fails  shop/migrations/0002_drop.py" in failed.stdout
    assert "ZeroDivisionError" in failed.stdout
    project.add("0002_other", code.format("migrations.RunPython.noop"), needs=needs)
    failed = run(project.root, *words, "--tidegate", "-k", "heads or check")
    assert "error  several-heads" in failed.stdout
    assert "1 failed, 1 passed" in failed.stdout


def _installed() -> bool:
    from importlib.metadata import entry_points

    return any(one.name == "tidegate" for one in entry_points(group="pytest11"))


def test_the_pre_commit_hook_takes_migrations_and_nothing_else() -> None:
    """Its `files` and `exclude` let the right paths through."""
    text = (ROOT / ".pre-commit-hooks.yaml").read_text("utf-8")
    files, exclude = (
        re.compile(re.search(rf"^  {key}: (.*)$", text, re.MULTILINE)[1])  # type: ignore[index]
        for key in ("files", "exclude")
    )
    taken = [
        "shop/migrations/0001_initial.py",
        "migrations/versions/ab12_x.py",
        "alembic/versions/a.py",
    ]
    left = ["shop/models.py", "shop/migrations/__init__.py", "docs/migrations.md"]
    assert [one for one in taken + left if files.search(one) and not exclude.search(one)] == taken


def test_without_postgresqls_grammar_sqlglot_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where pgparse has no wheel, SQL is read all the same."""
    pytest.importorskip("sqlglot")
    monkeypatch.setitem(sys.modules, "pgparse", None)
    project = Alembic(tmp_path)
    project.add("a1", 'op.execute("CREATE INDEX i ON orders (total)")')
    project.add("a2", 'op.execute("ALTER TABLE orders DROP COLUMN total")', "a1")
    assert said(project.check()) == ["index-without-concurrently", "column-dropped"]


def test_without_any_parser_sql_is_said_to_be_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The framework's own operations are reviewed, and the message names the extra."""
    for name in ("pgparse", "sqlglot"):
        monkeypatch.setitem(sys.modules, name, None)
    project = Alembic(tmp_path)
    project.add("a1", 'op.drop_column("orders", "a")\nop.execute("DROP TABLE orders")')
    found = project.check()
    assert said(found) == ["column-dropped"]
    assert sql.MISSING in one(found, "unread").message
