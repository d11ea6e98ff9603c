"""The graph of steps: heads, gaps, circles, and files edited since a revision."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from support.migrations import ORDERS, Alembic, Django, one, said
from tidegate.workflows.check.review import Standing

ADD = 'migrations.AddField("order", "{}", models.TextField(null=True)),'


def test_two_leaves_of_an_app_conflict(tmp_path: Path) -> None:
    """Both ends are named, with the command that merges them; a merge settles it."""
    project = Django(tmp_path)
    project.add("0001_initial", ORDERS)
    project.add("0002_a", ADD.format("a"), needs=[("shop", "0001_initial")])
    project.add("0002_b", ADD.format("b"), needs=[("shop", "0001_initial")])
    found = one(project.check(), "several-heads")
    assert found.message == "app shop has 2 ends: 0002_a, 0002_b"
    assert "makemigrations --merge shop" in found.remedy
    assert [place.path for place in found.also] == ["shop/migrations/0002_a.py"]
    project.add("0003_merge", "", needs=[("shop", "0002_a"), ("shop", "0002_b")])
    assert said(project.check(), "info") == []


def test_two_heads_of_alembic(tmp_path: Path) -> None:
    """Two revisions on one are two heads; a revision on both settles it."""
    project = Alembic(tmp_path)
    project.add("a1", "op.execute('SELECT 1')")
    project.add("a2", "op.execute('SELECT 1')", "a1")
    project.add("a3", "op.execute('SELECT 1')", "a1")
    assert one(project.check(), "several-heads").message == "the history has 2 ends: a2, a3"
    project.add("a4", "pass", ("a2", "a3"))
    assert said(project.check(), "info") == []


def test_a_dependency_that_is_not_there(tmp_path: Path) -> None:
    """It is named; one on an app that is not part of the project is not."""
    project = Django(tmp_path)
    project.add("0001_initial", ORDERS, needs=[("auth", "0001_initial")])
    project.add("0003_a", ADD.format("a"), needs=[("shop", "0002_gone")])
    found = one(project.check(), "missing-dependency")
    assert "depends on shop.0002_gone" in found.message


def test_a_circle_is_named(tmp_path: Path) -> None:
    """Each step of the circle is in the message, and the review still ends."""
    project = Alembic(tmp_path)
    project.add("a1", "op.execute('SELECT 1')", "a3")
    project.add("a2", "op.execute('SELECT 1')", "a1")
    project.add("a3", "op.execute('SELECT 1')", "a2")
    assert "a1, a2, a3" in one(project.check(), "dependency-cycle").message


@pytest.fixture
def repository(tmp_path: Path) -> Django:
    project = Django(tmp_path)
    project.add("0001_initial", ORDERS)
    git(tmp_path, "init", "-q", "-b", "main")
    commit(tmp_path)
    return project


def test_since_reviews_what_is_new_or_changed(repository: Django) -> None:
    """Committed, changed and untracked files since the branches part are reviewed, no others."""
    git(repository.root, "checkout", "-q", "-b", "topic")
    repository.add("0002_a", 'migrations.RemoveField("order", "total"),')
    commit(repository.root)
    repository.add("0003_b", 'migrations.RemoveField("order", "code"),')
    found = repository.check(since="main")
    assert [one.step for one in found.findings] == ["shop.0002_a", "shop.0003_b"]
    assert repository.check(since="HEAD").extra["checked"] == 1


def test_an_edited_migration_is_an_error(repository: Django) -> None:
    """A file that was there is another one now; a comment more is no edit."""
    path = repository.root / "shop" / "migrations" / "0001_initial.py"
    text = path.read_text("utf-8")
    path.write_text(text + "# a comment\n", "utf-8")
    assert said(repository.check(since="main"), "info") == []
    path.write_text(text.replace("max_length=20", "max_length=30"), "utf-8")
    found = one(repository.check(since="main"), "edited-since")
    assert "is not what it was at main" in found.message


def test_a_migration_that_is_gone_or_renamed(repository: Django) -> None:
    """Against the revision that has it; a squash that replaces it is no loss."""
    last = repository.add("0002_a", ADD.format("a"))
    commit(repository.root)
    git(repository.root, "checkout", "-q", "-b", "topic")
    text = last.read_text("utf-8")
    last.unlink()
    found = one(repository.check(since="main"), "removed-since")
    assert found.message.startswith("shop.0002_a was there at main and is gone")
    assert found.place.path == "shop/migrations/0001_initial.py"
    last.with_name("0002_better.py").write_text(text, "utf-8")
    commit(repository.root)
    found = one(repository.check(since="main"), "removed-since")
    assert "is called shop.0002_better now" in found.message
    assert found.place.path == "shop/migrations/0002_better.py"
    replaces = '    replaces = [("shop", "0002_a")]\n'
    repository.add("0002_better", ADD.format("a"), needs=[("shop", "0001_initial")], body=replaces)
    assert said(repository.check(since="main"), "info") == []


def test_a_revision_that_is_gone_or_whose_file_is_renamed(tmp_path: Path) -> None:
    """Alembic goes by the revision, not by the file's name."""
    project = Alembic(tmp_path)
    project.add("a1", "op.execute('SELECT 1')")
    path = project.add("a2", "op.execute('SELECT 2')", "a1")
    git(tmp_path, "init", "-q", "-b", "main")
    commit(tmp_path)
    path.rename(path.with_name("a2_better.py"))
    assert said(project.check(since="main"), "info") == []
    path.with_name("a2_better.py").unlink()
    found = one(project.check(since="main"), "removed-since")
    assert "a2 was there at main and is gone: Alembic can't locate it" in found.message


def git(root: Path, *words: str) -> None:
    mail = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    subprocess.run(["git", *mail, *words], cwd=root, check=True, capture_output=True)


def commit(root: Path) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "a step")


def test_a_database_tells_what_was_edited_lost_or_overtaken(tmp_path: Path) -> None:
    """Applied steps that changed or have no file, and pending ones that others overtook."""
    project = Django(tmp_path)
    project.add("0001_initial", ORDERS)
    project.add("0002_late", ADD.format("a"), needs=[("shop", "0001_initial")])
    project.add("0003_done", ADD.format("b"), needs=[("shop", "0002_late")])
    standing = Standing(
        pending=frozenset({"shop.0002_late"}),
        applied=frozenset({"shop.0001_initial", "shop.0003_done", "auth.0001_initial"}),
        gone=("shop.0002_gone", "elsewhere.0001_initial"),
        edited=frozenset({"shop.0001_initial"}),
    )
    found = project.check(standing=standing)
    assert sorted(said(found)) == ["applied-but-gone", "edited-since", "out-of-order"]
    assert "has applied shop.0002_gone" in one(found, "applied-but-gone").message
    assert one(found, "out-of-order").step == "shop.0002_late"
    assert "when it was applied" in one(found, "edited-since").message
    assert found.extra["checked"] == 1
