"""`tidegate check --fix` as it is typed: shown first, written when somebody agrees, all or none."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.migrations import ORDERS, Django
from tidegate.errors import UsageProblem
from tidegate.workflows.check.tree import Tree

INDEX = 'migrations.AddIndex("order", models.Index(fields=["total"], name="order_total")),'
AMID = f"""migrations.AddField("order", "source", models.TextField(null=True)),
        {INDEX}
        migrations.AddField("order", "target", models.TextField(null=True)),"""


@pytest.fixture
def project(tmp_path: Path) -> Django:
    pytest.importorskip("pgparse")
    made = Django(tmp_path)
    made.add("0001_initial", ORDERS)
    return made


def check(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    names = ("PATH", "HOME", "PYTHONPATH")
    env = {name: os.environ[name] for name in names if name in os.environ}
    argv = [sys.executable, "-m", "tidegate", "check", "--database", "postgresql", *words]
    return subprocess.run(
        argv, cwd=root, env={**env, "TIDEGATE_CACHE": "off"}, capture_output=True, text=True,
        timeout=60, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_without_an_answer_nothing_is_written(project: Django) -> None:
    """The diff is shown, the finding stays, the exit code is 1."""
    path = project.add("0002_index", INDEX)
    before = path.read_text("utf-8")
    shown = check(project.root, "--fix")
    assert shown.returncode == 1
    assert "+++ b/shop/migrations/0002_index.py" in shown.stderr
    assert "+    atomic = False" in shown.stderr
    assert "nothing was written; --yes agrees beforehand" in shown.stderr
    assert "index-without-concurrently" in shown.stdout
    assert path.read_text("utf-8") == before


def test_yes_writes_what_was_shown(project: Django) -> None:
    """With --yes the file is rewritten and what is left is reviewed."""
    path = project.add("0002_index", INDEX)
    done = check(project.root, "--fix", "--yes")
    assert done.returncode == 0, done.stdout
    assert "AddIndexConcurrently(" in path.read_text("utf-8")


def test_only_rows_have_nothing_to_undo(project: Django) -> None:
    """A no-op as reverse is given to SQL that writes rows; what makes a table would be there still,
    and its refused fix keeps no other from its own."""
    path = project.add(
        "0002_sql",
        """migrations.RunSQL("CREATE TABLE extra (id int)"),
        migrations.RunSQL("UPDATE shop_order SET total = 1 WHERE total IS NULL"),""",
    )
    done = check(project.root, "--fix", "--yes")
    one, other = (line for line in path.read_text("utf-8").splitlines() if "RunSQL(" in line)
    assert "noop" not in one and "reverse_sql=migrations.RunSQL.noop" in other, done.stderr
    assert "give it as reverse_sql the statement that takes it away again" in done.stdout


def test_unsafe_asks_which_migrations_ran_nowhere(project: Django) -> None:
    """Without a path or revision it refuses; with one it divides, and the next file follows."""
    path = project.add("0002_index", AMID)
    project.add("0003_more", 'migrations.AddField("order", "more", models.TextField(null=True)),')
    refused = check(project.root, "--fix", "--unsafe", "--yes")
    assert refused.returncode == 2
    assert "--since REVISION" in refused.stderr
    name = str(path.relative_to(project.root))
    done = check(project.root, "--fix", "--unsafe", "--yes", name)
    assert done.returncode == 0, done.stdout + done.stderr
    files = sorted(one.name for one in path.parent.glob("0*.py"))
    assert files == [
        "0001_initial.py", "0002_index.py", "0002_index_02_concurrently.py",
        "0002_index_03_rest.py", "0003_more.py",
    ]  # fmt: skip
    assert "'0002_index_03_rest'" in (path.parent / "0003_more.py").read_text("utf-8")


def test_new_files_are_numbered_in_order(project: Django) -> None:
    """Where nothing comes after the divided file, its parts have the next numbers; as reviewed."""
    check_ = 'models.CheckConstraint(condition=models.Q(total__gte=0), name="positive")'
    path = project.add(
        "0002_index",
        f"""{INDEX}
        migrations.AddField("order", "source", models.TextField(null=True)),
        migrations.AddConstraint("order", {check_}),
        migrations.AddField("order", "target", models.TextField(null=True)),""",
    )
    done = check(project.root, "--fix", "--unsafe", "--yes", str(path.relative_to(project.root)))
    assert done.returncode == 0, done.stdout
    names = sorted(one.stem for one in path.parent.glob("0*.py"))
    assert [one[:4] for one in names] == [f"{number:04d}" for number in range(1, len(names) + 1)]
    for before, name in itertools.pairwise(names):
        text = (path.parent / f"{name}.py").read_text("utf-8")
        assert re.search(rf"""["']{before}["']\)""", text), name
    assert f"{len(names) - 1} migrations reviewed" in done.stdout


def test_what_is_left_to_the_author_is_said(project: Django) -> None:
    """A finding that can't be staged is named with the reason, and its file stays as it is."""
    path = project.add("0002_loop", "migrations.RunPython(fill, migrations.RunPython.noop),")
    text = path.read_text("utf-8").replace("\n\nclass Migration", '''

def fill(apps, schema_editor):
    Order = apps.get_model("shop", "Order")
    for order in Order.objects.all():
        order.total = hash(order.total)
        order.save()


class Migration''')  # fmt: skip
    path.write_text(text, "utf-8")
    done = check(project.root, "--fix", "--unsafe", "--yes", str(path.relative_to(project.root)))
    assert "loop-over-whole-table is left to you: hash(order.total) can't be said in SQL" in (
        done.stderr
    )
    assert path.read_text("utf-8") == text


def test_all_or_nothing(project: Django) -> None:
    """When one file can't be written, those that were are as before, and new ones are gone."""
    first = project.add("0002_index", INDEX)
    before = first.read_text("utf-8")
    tree = Tree(str(project.root))
    here = "shop/migrations/"
    assert tree.take({here + "0002_index.py": "x = 1\n"}, {here + "0001_new.py": "y = 1\n"})
    (first.parent / "0003_folder.py").mkdir()
    tree.texts[here + "0003_folder.py"] = "z = 1\n"
    tree.new.add(here + "0003_folder.py")
    with pytest.raises(UsageProblem, match="can't be written"):
        tree.write()
    assert first.read_text("utf-8") == before
    assert not (first.parent / "0001_new.py").exists()


@pytest.mark.parametrize("word", ["--unsafe", "--yes"])
def test_words_of_fix_need_it(project: Django, word: str) -> None:
    """They mean nothing by themselves: exit 2."""
    assert check(project.root, word).returncode == 2
