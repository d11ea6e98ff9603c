"""`tidegate backup`, `restore`, `rollback --way backup` and `history` through Compose."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import stat
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from support.stacks import COMPOSE, COMPOSE_PG, DOCKERFILE, PASSWORD, Stack, docker, exited
from tidegate.container.backup import errands
from tidegate.container.report import Report
from tidegate.errors import PolicyRefused, StepFailed

Make = Callable[..., Stack]
WORD = re.compile(r"--approve ([0-9a-f]{12})")
EMPTIED = "migrations.RunSQL('DELETE FROM shop_customer')"


def names(one: Stack) -> str:
    """The customers, asked by the app's own code."""
    words = ("import django; django.setup(); from shop.models import Customer as C; "
             "print(sorted(C.objects.values_list('name', flat=True)))")  # fmt: skip
    return python(one, words)


def insert(one: Stack, name: str) -> None:
    """Add a customer by the app's own code."""
    python(one, "import django; django.setup(); from shop.models import Customer; "
                f"Customer.objects.create(name='{name}')")  # fmt: skip


def python(one: Stack, words: str) -> str:
    env = ["-e", "DJANGO_SETTINGS_MODULE=conf"]
    return docker("compose", "-p", one.name, "run", "--rm", "--no-deps", "-T", *env, "--entrypoint",
                  "python", "web", "-c", words, cwd=one.folder)  # fmt: skip


def kinds(one: Stack) -> list[str]:
    found = json.loads(exited(one, ["--format", "json", "history", "--limit", "9"], 0).out)
    return [f"{run['kind']} {run['state']}" for run in found["runs"]]


def test_backup_update_and_back(stack: Make) -> None:
    """The app's image has no pg_dump and the database no port: the backup is made all the same,
    and its files are this user's. An update that no step of its own undoes is taken back by it."""
    one = stack().django(COMPOSE_PG)
    one.up("--settle", "0")
    insert(one, "Mei")
    done = one.tidegate("--format", "json", "backup", env={"TIDEGATE_BY": "mei"})
    assert done.code == 0, done.said
    (receipt,) = json.loads(done.out)["backups"]
    path = Path(receipt["path"])
    assert path.parent == one.folder / "backups"
    assert "would be copied into it: write backups/ into" in done.err
    seen = {(stat.S_IMODE(each.stat().st_mode), each.stat().st_uid) for each in path.iterdir()}
    assert seen == {(0o600, os.getuid())}
    assert receipt["tool"].endswith(f"(in the container {one.name}-db-1)")
    assert " mei (" in exited(one, ["history"], 0).out
    (one.folder / ".dockerignore").write_text("backups\n")
    one.release("two").migration("0002_emptied", EMPTIED)
    one.up("--settle", "0")
    assert names(one) == "[]"
    asked = exited(one, ["rollback", "--plan"], 0)
    assert "way down: closed: shop.0002_emptied can't be undone" in asked.out
    assert f"way backup {path}: taken, loses:" in asked.out
    word = WORD.search(asked.out)
    assert word
    exited(one, ["rollback", "--approve", word[1]], 0)
    assert (one.served(), names(one), one.applied()) == (
        "release one", "['Mei']", ["0001_initial"],
    )  # fmt: skip
    assert kinds(one)[0] == "restore done"
    copied = exited(one, ["backup", "--snapshot"], 0).out.strip()
    insert(one, "Jonas")
    word = WORD.search(exited(one, ["restore", copied], 6).err)
    assert word and copied.startswith("snapshot:shop_snapshot_")
    exited(one, ["restore", copied, "--approve", word[1]], 0)
    assert names(one) == "['Mei']"
    shown = exited(one, ["history", "--verify"], 0)
    assert "runs are as they were written" in shown.out
    said = json.dumps([docker("logs", each["Id"]) for each in one.containers("db")])
    assert PASSWORD not in said


def test_a_file_in_a_volume(stack: Make) -> None:
    """SQLite in a named volume: copied out, and brought back after the word of a person; a damaged
    one is refused before a container is started."""
    one = stack().django()
    shared = one.shared / ".cache" / "tidegate"
    (shared / "errands-killed" / "shared").mkdir(parents=True)
    alive = shared / "errands-killed" / "shared" / errands.ALIVE
    alive.touch()
    os.utime(alive, (alive.stat().st_mtime - 4000,) * 2)
    exited(one, ["migrate"], 0)
    before = {*shared.glob("errands-*")} - {alive.parents[1]}
    insert(one, "Mei")
    path = Path(exited(one, ["backup", "--to", "kept"], 0).out.strip())
    insert(one, "Jonas")
    asked = exited(one, ["restore", str(path)], 6)
    word = WORD.search(asked.err)
    assert word
    assert names(one) == "['Jonas', 'Mei']"
    marked = one.tidegate("restore", str(path), "--approve", word[1], env={"TIDEGATE_AGENT": "x"})
    assert (marked.code, "has to come from a person" in marked.err) == (6, True), marked.said
    done = exited(one, ["restore", str(path), "--approve", word[1]], 0)
    assert done.out.startswith("/data/db.sqlite3.before-")
    assert names(one) == "['Mei']"
    assert kinds(one)[0] == "restore done"
    data = path / "data.sqlite3"
    data.write_bytes(data.read_bytes()[:-1])
    assert "is damaged: data.sqlite3" in exited(one, ["restore", str(path)], 5).err
    assert {*shared.glob("errands-*")} <= before, "nothing of what travelled is left"


def test_a_file_in_the_container_itself(stack: Make) -> None:
    """A one-off container has another file than the app: none of the verbs reads or writes that
    one for the app's; the copy that the refusal tells of is of the app's own."""
    layered = COMPOSE.replace('    volumes: ["data:/data"]\n', "").replace(
        "volumes:\n  data:\n", ""
    )
    one = stack().django(layered)
    one.write({"Dockerfile": DOCKERFILE.replace("COPY", "RUN mkdir /data\nCOPY")})
    one.begin().compose("exec", "-T", "web", "python", "manage.py", "migrate")
    put = "insert into shop_customer (name) values ('Mei')"
    words = (
        f"import sqlite3\nwith sqlite3.connect('/data/db.sqlite3') as file: file.execute({put!r})"
    )
    one.compose("exec", "-T", "web", "python", "-c", words)
    before = one.ids()
    refused = exited(one, ["backup"], 6)
    assert "a backup made here would be of another file than the app's" in refused.err
    assert not (one.folder / "backups").exists() or not list((one.folder / "backups").iterdir())
    said = [re.sub(r"^\s*(next:)?\s*", "", line) for line in refused.err.splitlines()]
    exec_, copy = [line.replace("SERVICE", "web") for line in said if line.startswith("docker ")]
    for command in (exec_.replace("exec", "exec -T"), copy):
        env = {**os.environ, **one.environ}
        subprocess.run(["sh", "-c", command], cwd=one.folder, env=env, check=True, timeout=60)
    with closing(sqlite3.connect(one.folder / "copy.sqlite3")) as file:
        assert file.execute("select name from shop_customer").fetchall() == [("Mei",)]
    assert "would be of another file" in exited(one, ["history"], 6).err
    assert "the app has another" in exited(one, ["status"], 0).out
    back = exited(one, ["rollback", "--plan"], 6)
    assert "a new container of web would begin without the database default" in back.err
    assert one.ids() == before


def test_a_refusal_outside_is_heard_inside(tmp_path: Path) -> None:
    """What goes wrong where the files are is raised in the container, as the same kind."""
    asked = errands.Errand({errands.VARIABLE: str(tmp_path)}, Report(quiet=True), "keep", "default")
    refused = PolicyRefused("no room", "It was not begun.", "make room")
    errands.write(tmp_path, f"{asked.number}.answer", errands.failure(refused))
    with pytest.raises(PolicyRefused, match="no room") as found:
        asked.wait("dumped")
    assert found.value.next == "make room"


def test_the_outside_goes_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container whose tidegate outside was killed does not hold the election for ever."""
    monkeypatch.setattr(errands, "SILENCE", 0.2)
    (tmp_path / errands.ALIVE).write_text("1")
    asked = errands.Errand({errands.VARIABLE: str(tmp_path)}, Report(quiet=True), "keep", "default")
    with pytest.raises(StepFailed, match="is gone"):
        asked.wait()
