"""`make --watch` and `--squash`: each change made and applied, and all of them folded into one."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from support.gate import Started
from tidegate.workflows.watching import aside, guard, temporary

Project = Callable[..., Any]
ORDERS = """
orders = Table("orders", Base.metadata, Column("id", Integer, primary_key=True),
               Column("note", String(50))MORE)
"""
FIELDS = "class Order(models.Model):\n    note = models.CharField(max_length=50)\n"


def environ(one: Any) -> dict[str, str]:
    own = {"XDG_CACHE_HOME": str(one.cache), "VIRTUAL_ENV": str(Path(sys.executable).parent.parent)}
    return {**one.database.environ, **own}


def watching(one: Any, *words: str) -> Started:
    started: Started = one.run.start("make", "--watch", *words, cwd=one.root, env=environ(one))
    started.until("agree", 120)
    return started


def save(one: Any, started: Started, models: str, then: str) -> str:
    """Write the models and wait for what is said of it."""
    before = len(started.errors())
    one.models(models)
    deadline = time.monotonic() + 120
    while then not in started.errors()[before:]:
        assert started.process.poll() is None and time.monotonic() < deadline, started.errors()
        time.sleep(0.05)
    return started.errors()[before:]


def test_alembic_from_the_first_change_to_the_one_revision(project: Project) -> None:
    """Each change is made and applied; a mistake is said and survived; at the end one revision
    stands for all, the database's row names it, and its schema and rows are as they were."""
    one = project("alembic", "newest", ORDERS.replace("MORE", ""))
    (first,) = one.files()
    one.sql("INSERT INTO orders (id, note) VALUES (1, 'kept')")
    watch = watching(one, "--squash", "-m", "size and paid")
    size = ORDERS.replace("MORE", ', Column("size", Integer)')
    assert "add column orders.size" in save(one, watch, size, "applied  ")
    one.sql("UPDATE orders SET size = 7")
    assert "SyntaxError" in save(one, watch, "import oops(\n", "waiting for the next change")
    said = save(one, watch, ORDERS.replace("MORE", ""), "waiting for the next change")
    assert "not applied, since it loses data: drop column orders.size" in said
    paid = size.replace("Integer)MORE", "").replace(
        'Column("size", Integer)', 'Column("size", Integer), Column("paid", Integer, index=True)'
    )
    save(one, watch, paid, "applied  ")
    assert len(one.files()) == 3
    watch.signal(signal.SIGINT)
    done = watch.end(150)
    assert done.code == 0, done.said
    (made,) = one.files() - {first}
    assert made.endswith("_size_and_paid.py") and done.out.count("removed ") == 2
    text = Path(made).read_text()
    assert text.count("op.add_column") == 2 and "Temporary" not in text
    revision = temporary.REVISION.search(text)
    assert revision
    assert one.database.rows("SELECT version_num FROM alembic_version") == [revision[1]]
    assert one.database.rows("SELECT id, note, size FROM orders") == ["1|kept|7"]
    assert one.database.rows("SELECT kind FROM tidegate_run ORDER BY number") == [
        "migrate", "migrate", "squash",
    ]  # fmt: skip


def test_django_folded_later_and_by_another_process(project: Project) -> None:
    """Ctrl-C leaves the temporary migrations applied and says so; a step that fails leaves no file;
    `--squash` folds them when it is asked to, and not where somebody wrote in them."""
    one = project("django", "newest", FIELDS)
    one.sql("INSERT INTO shop_order (note) VALUES ('a'), ('b')")
    watch = watching(one, "--rename", "note=remark")
    unique = FIELDS + "    code = models.IntegerField(default=0, unique=True)\n"
    said = save(one, watch, unique, "its file is removed")
    watch.until("could not create unique index")
    assert len(one.files()) == 1
    renamed = FIELDS.replace("note", "remark")
    assert "Rename field note on " in save(one, watch, renamed, "applied  ")
    size = renamed + "    size = models.IntegerField(default=3)\n"
    save(one, watch, size, "applied  ")
    watch.signal(signal.SIGINT)
    done = watch.end(120)
    assert done.code == 0 and "applied and temporary: 0002_watch.py, 0003_watch.py" in done.err
    assert 'tidegate make --squash -m "what changed"' in done.err
    second = one.root / "shop/migrations/0002_watch.py"
    mine = second.read_text()
    second.write_text(mine + "# by hand\n")
    said = one.tidegate("make", "--squash", "-m", "remark and size", code=6).err
    assert "0002_watch.py was changed after it was made; nothing was replaced" in said
    second.write_text(mine)
    done = one.tidegate("make", "--squash", "-m", "remark and size")
    assert [Path(path).name for path in sorted(one.files())] == [
        "0001_initial.py", "0002_remark_and_size.py",
    ]  # fmt: skip
    text = (one.root / "shop/migrations/0002_remark_and_size.py").read_text()
    assert "migrations.RenameField" in text and "RemoveField" not in text
    assert one.database.rows("SELECT name FROM django_migrations ORDER BY id") == [
        "0001_initial", "0002_remark_and_size",
    ]  # fmt: skip
    assert one.database.rows("SELECT remark, size FROM shop_order ORDER BY 1") == ["a|3", "b|3"]
    states = one.database.rows(
        "SELECT step, step_state FROM tidegate_history WHERE kind = 'squash' ORDER BY position"
    )
    assert states == ["shop.0002_watch|undone", "shop.0003_watch|undone",
                      "shop.0002_remark_and_size|adopted"]  # fmt: skip


def test_at_a_terminal(project: Project) -> None:
    """What may be a rename is asked, and at Ctrl-C the message of the one migration."""
    one = project("alembic", "sqlite", ORDERS.replace("MORE", ""))
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "tidegate", "make", "--watch"], cwd=one.root,
        env={**os.environ, **environ(one)}, stdin=theirs, stderr=theirs, stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    os.close(theirs)
    said = ""

    def until(text: str) -> None:
        nonlocal said
        while text not in said:
            said += os.read(ours, 4096).decode()
        said = said.partition(text)[2]

    until("agree")
    one.models(ORDERS.replace("MORE", "").replace('"note"', '"remark"'))
    until("which?")
    os.write(ours, b"1\n")
    until("applied  ")
    child.send_signal(signal.SIGINT)
    until("what does it do?")
    os.write(ours, b"call it remark\n")
    out, _ = child.communicate(timeout=60)
    os.close(ours)
    assert child.returncode == 0 and out.count("removed ") == 1, out
    (made,) = [path for path in one.files() if path.endswith("_call_it_remark.py")]
    assert "alter_column('note'" in Path(made).read_text().replace("'orders', ", "")
    assert one.database.rows("SELECT version_num FROM alembic_version")[0] in made


def test_a_database_marked_production_is_never_watched(project: Project) -> None:
    """A mark refuses with 6 before anything is looked at; a sign does, until a mark denies it."""
    one = project("alembic", "sqlite", ORDERS.replace("MORE", ""))
    before = one.files()
    said = one.tidegate("make", "--watch", code=6, TIDEGATE_PRODUCTION="true").err
    assert "this database is marked production" in said and "TIDEGATE_PRODUCTION says so" in said
    said = one.tidegate("make", "--watch", code=6, APP_ENV="production").err
    assert "APP_ENV is production where the app runs" in said
    assert "production = false under [tool.tidegate.make]" in said
    one.write("pyproject.toml", "[tool.tidegate.make]\nproduction = true\n")
    said = one.tidegate("make", "--squash", "-m", "x", code=6, TIDEGATE_PRODUCTION="false").err
    assert "production under [tool.tidegate.make] says so" in said
    one.write("pyproject.toml", "[tool.tidegate.make]\nproduction = false\n")
    said = one.tidegate("make", "--squash", "-m", "x", code=1, APP_ENV="production").err
    assert "there is no temporary migration to fold" in said
    assert one.files() == before


@pytest.mark.parametrize(("host", "name", "named", "environment", "quiet"), [
    ("127.0.0.1", "shop", {}, "dev", True),
    ("/var/run/postgresql", "delivery", {"DJANGO_SETTINGS_MODULE": "conf.products"}, "", True),
    ("db", "shop", {"ENV": "development"}, "local", True),
    ("10.0.3.4", "shop", {}, "", False),
    ("db", "shop_production", {}, "", False),
    ("db", "shop", {"DJANGO_SETTINGS_MODULE": "conf.settings.prod"}, "", False),
    ("db", "shop", {}, "staging", False),
])  # fmt: skip
def test_the_signs(
    host: str, name: str, named: Mapping[str, str], environment: str, quiet: bool
) -> None:
    """A host that is neither this machine nor a service, and names that mean production."""
    rows = [{"vendor": "postgresql", "host": host, "name": name, "clients": 2}]
    found = guard.signs(environment, ["db", "web"], {"environment": named, "databases": rows})
    assert (found == []) is quiet


def test_answers_of_several_steps_as_one() -> None:
    """A thing that was renamed twice goes to its last name; what went in the end is dropped."""

    def step(**answers: Any) -> temporary.Temporary:
        return temporary.Temporary(Path("x.py"), "x", "", answers, False)

    said = temporary.answers([
        step(renames={"orders.note": "orders.remark", "size": "length"}),
        step(renames={"orders.remark": "orders.subject"}),
        step(dropped=["orders.length", "shop.Other.name"]),
    ])  # fmt: skip
    assert said["renames"] == {"orders.note": "orders.subject"}
    assert said["dropped"] == ["size", "shop.Other.name"]


@pytest.mark.parametrize("recorded", [False, True])
def test_a_fold_that_was_killed_is_ended_by_the_next(tmp_path: Path, recorded: bool) -> None:
    """Backwards to the temporary files, and forwards where the database has the new one."""
    folder = tmp_path / "shop" / "migrations"
    folder.mkdir(parents=True)
    old, new = folder / "0002_watch.py", folder / "0002_rooms.py"
    old.write_text("temporary")
    aside.move(tmp_path, [old])
    assert not old.exists()
    new.write_text("one for all")
    aside.note(tmp_path, [new], recorded)
    for _ in range(2):  # nothing is left to be done the second time
        aside.settle(tmp_path)
        left = [path.name for path in tmp_path.rglob("*") if path.is_file()]
        assert left == (["0002_rooms.py"] if recorded else ["0002_watch.py"])


def test_what_a_killed_watch_left_unanswered(tmp_path: Path) -> None:
    """The file that it had made and nobody agreed to goes; what is the user's own stays."""
    folder = tmp_path / "shop" / "migrations"
    folder.mkdir(parents=True)
    (folder / "0001_initial.py").touch()
    with pytest.raises(KeyboardInterrupt), aside.begun(tmp_path, folder.glob("*.py"), "watch"):
        raise KeyboardInterrupt
    assert aside.left(tmp_path, folder.glob("*.py")) == []  # it ended by itself
    begun = aside.begun(tmp_path, folder.glob("*.py"), "watch")
    begun.__enter__()  # and now never ends
    for name in ("0002_watch.py", "0002_by_hand.py"):
        (folder / name).touch()
    assert [one.name for one in aside.left(tmp_path, folder.glob("*.py"))] == ["0002_watch.py"]
    assert sorted(one.name for one in folder.iterdir()) == ["0001_initial.py", "0002_by_hand.py"]
    assert aside.left(tmp_path, folder.glob("*.py")) == []
    assert [one.name for one in tmp_path.iterdir()] == ["shop"]
