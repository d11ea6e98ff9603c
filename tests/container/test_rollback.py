"""`tidegate rollback` on real databases: down, by backup, refused, failing, met by replicas."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.gate import APP, Database, Ended, Runner, eventually
from support.projects import SmallProject

MakeProject = Callable[..., SmallProject]
Fresh = Callable[[str], Database]
WORD = re.compile(r"--approve ([0-9a-f]{12})")


class Shop:
    """A project whose steps say their reverse: CREATE TABLE made_N, and DROP TABLE."""

    def __init__(self, root: Path, flavour: str) -> None:
        self.project = SmallProject(root, flavour, 0)

    def add(self, number: int, reverse: str | None = None) -> str:
        """One more step; without a reverse it can't be undone when that is ""."""
        step = self.project.add(f"CREATE TABLE made_{number} (id integer)")
        back = f"DROP TABLE made_{number}" if reverse is None else reverse
        file = self.project.files[step]
        text = file.read_text()
        if self.project.framework == "django":
            more = f", reverse_sql={back!r}" if back else ""
            text = text.replace("(id integer)'),", f"(id integer)'{more}),")
        else:
            call = f"op.execute({back!r})" if back else "pass"
            text = text.replace("def downgrade():\n    pass", f"def downgrade():\n    {call}")
        file.write_text(text)
        return step


@pytest.fixture(params=["django-newest", "alembic-sqlite"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, fresh: Fresh) -> tuple[Shop, Database]:
    flavour, which = request.param.split("-")
    return Shop(tmp_path / "app", flavour), fresh(which)


def run(tidegate: Runner, shop: tuple[Shop, Database], *words: str, **env: str) -> Ended:
    project, database = shop[0].project, shop[1]
    return tidegate(*words, cwd=project.root, env={**database.environ, **env}, timeout=120)


def migrate(tidegate: Runner, shop: tuple[Shop, Database]) -> None:
    done = run(tidegate, shop, "migrate")
    assert done.code == 0, done.said


def planned(tidegate: Runner, shop: tuple[Shop, Database], *words: str) -> dict[str, Any]:
    done = run(tidegate, shop, "--format", "json", "rollback", "--plan", *words)
    assert done.code == 0, done.said
    found: dict[str, Any] = json.loads(done.out)["rollback"]
    return found


def approved(tidegate: Runner, shop: tuple[Shop, Database], *words: str) -> Ended:
    asked = run(tidegate, shop, "rollback", *words)
    found = WORD.search(asked.err)
    assert (asked.code, bool(found)) == (6, True), asked.said
    assert found
    return run(tidegate, shop, "rollback", *words, "--approve", found[1])


@pytest.mark.parametrize(
    "shop", ["django-newest", "alembic-oldest", "django-sqlite", "alembic-sqlite"], indirect=True
)
def test_one_run_back(tidegate: Runner, shop: tuple[Shop, Database]):
    """What the last run applied is undone, newest first, after a word; the ledger has it, and
    the run before is called rolled back."""
    made, database = shop
    made.add(1)
    migrate(tidegate, shop)
    late = [made.add(2), made.add(3)]
    migrate(tidegate, shop)
    plan = planned(tidegate, shop)
    assert [one["id"] for one in plan["steps"]] == late[::-1]
    assert plan["chosen"] == "down"
    assert database.tables() == ["made_1", "made_2", "made_3"]
    done = approved(tidegate, shop)
    assert done.code == 0, done.said
    assert database.tables() == ["made_1"]
    found = json.loads(run(tidegate, shop, "--format", "json", "history").out)
    assert [(one["kind"], one["state"]) for one in found["runs"]] == [
        ("rollback", "done"), ("migrate", "rolled-back"), ("migrate", "done")]  # fmt: skip
    undone = [(step["step"], step["state"]) for step in found["runs"][0]["steps"]]
    assert undone == [(step, "undone") for step in late[::-1]]
    assert run(tidegate, shop, "history", "--verify").code == 0
    assert run(tidegate, shop, "status").code == 0


@pytest.mark.parametrize("shop", ["alembic-sqlite"], indirect=True)
def test_to_a_step_a_run_and_a_release(tidegate: Runner, shop: tuple[Shop, Database]):
    """--to names the step that stays last, a run, or the image that a run was of; `base` is before
    all steps."""
    made, _ = shop
    first = made.add(1)
    assert run(tidegate, shop, "migrate", TIDEGATE_IMAGE="shop:1").code == 0
    second = made.add(2)
    assert run(tidegate, shop, "migrate", TIDEGATE_IMAGE="shop:2").code == 0
    third = made.add(3)
    assert run(tidegate, shop, "migrate", TIDEGATE_IMAGE="shop:3").code == 0
    for to in (first, "1", "shop:1"):
        plan = planned(tidegate, shop, "--to", to)
        assert [one["id"] for one in plan["steps"]] == [third, second], to
    assert planned(tidegate, shop, "--to", third)["steps"] == []
    assert run(tidegate, shop, "rollback", "--to", "nothing").code == 2
    done = approved(tidegate, shop, "--to", second)
    assert done.code == 0, done.said
    assert "made_2" in shop[1].tables()
    assert "made_3" not in shop[1].tables()
    nothing = planned(tidegate, shop, "--to", "base")
    assert [one["id"] for one in nothing["steps"]] == [second, first]
    assert (nothing["level"], nothing["goal"]) == ([], "before its first step")


def test_a_step_without_a_reverse(tidegate: Runner, shop: tuple[Shop, Database]):
    """It is refused with what is left: only forward; with a backup of that level, the backup."""
    made, database = shop
    made.add(1)
    migrate(tidegate, shop)
    last = made.add(2, reverse="")
    assert run(tidegate, shop, "migrate", "--backup", "always").code == 0
    plan = planned(tidegate, shop)
    assert [(one["id"], one["reversible"]) for one in plan["steps"]] == [(last, False)]
    assert plan["chosen"] == "backup"
    forced = run(tidegate, shop, "rollback", "--way", "down")
    assert (forced.code, "another one is open" in forced.err) == (6, True), forced.said
    assert "tidegate rollback --way backup --plan" in forced.err
    done = approved(tidegate, shop)
    assert done.code == 0, done.said
    assert database.tables() == ["made_1"]
    assert run(tidegate, shop, "backup").code == 0  # of the night after; it changes nothing
    booted = run(tidegate, shop, "boot", "--", *APP)
    assert (booted.code, "the database was restored to before them" in booted.err) == (6, True)
    advice = run(tidegate, shop, "status").out.splitlines()[-1]
    assert advice.startswith("next: start the release before it"), advice
    if database.server:
        names = database.server.sql("SELECT datname FROM pg_database WHERE datname LIKE "
                                    f"'{database.name}_before%'").splitlines()  # fmt: skip
        assert len(names) == 1
        database.server.sql(f'DROP DATABASE "{names[0]}"')


def test_a_reverse_that_fails_in_the_middle(tidegate: Runner, shop: tuple[Shop, Database]):
    """The steps undone before it stay undone, the message says where it stands, the ledger too."""
    made, database = shop
    made.add(1, reverse="DROP TABLE nowhere")
    second = made.add(2)
    migrate(tidegate, shop)
    done = approved(tidegate, shop)
    assert (done.code, "1 of 2 steps are undone and stay so" in done.err) == (5, True), done.said
    assert database.tables() == ["made_1"]
    (rollback, _) = json.loads(run(tidegate, shop, "--format", "json", "history").out)["runs"]
    assert (rollback["state"], [s["step"] for s in rollback["steps"]]) == ("failed", [second])


@pytest.mark.parametrize("shop", ["django-newest"], indirect=True)
def test_an_agent_can_plan_and_not_approve(tidegate: Runner, shop: tuple[Shop, Database]):
    """The word of an agent is no word, and a stale word is none."""
    made, database = shop
    made.add(1)
    migrate(tidegate, shop)
    word = planned(tidegate, shop)["plan"]
    done = run(tidegate, shop, "rollback", "--approve", word, TIDEGATE_AGENT="helper")
    assert (done.code, "has to come from a person" in done.err) == (6, True), done.said
    made.add(2)
    migrate(tidegate, shop)
    done = run(tidegate, shop, "rollback", "--approve", word)
    assert (done.code, "is the word for another plan" in done.err) == (6, True), done.said
    assert database.tables() == ["made_1", "made_2"]


def test_replicas_of_the_newer_release_do_not_migrate_again(
    tidegate: Runner, shop: tuple[Shop, Database]
):
    """A start of the release that was rolled back is refused; migrate by hand applies it again;
    the older release starts."""
    made, database = shop
    made.add(1)
    migrate(tidegate, shop)
    late = made.add(2)
    migrate(tidegate, shop)
    assert approved(tidegate, shop).code == 0
    booted = run(tidegate, shop, "boot", "--", *APP)
    assert (booted.code, f"{late} was rolled back by run 3" in booted.err) == (6, True), booted.said
    assert database.tables() == ["made_1"]
    file = made.project.files[late]
    hidden = file.rename(file.with_suffix(".away"))
    assert run(tidegate, shop, "boot", "--", *APP).code == 0
    hidden.rename(file)
    migrate(tidegate, shop)
    assert database.tables() == ["made_1", "made_2"]


def test_replicas_that_boot_meanwhile(tidegate: Runner, tmp_path: Path, fresh: Fresh):
    """Replicas that start while the rollback holds the election do not bring the steps back."""
    shop = (Shop(tmp_path / "app", "django"), fresh("newest"))
    made, database = shop
    made.add(1)
    migrate(tidegate, shop)
    made.add(2)
    slow = made.add(3, reverse="SELECT pg_sleep(2); DROP TABLE made_3")
    migrate(tidegate, shop)
    word = planned(tidegate, shop)["plan"]
    going = tidegate.start("rollback", "--approve", word, cwd=made.project.root,
                           env=database.environ)  # fmt: skip
    going.until(f"{slow}: undoing")
    booting = [
        tidegate.start("boot", "--", *APP, cwd=made.project.root, env=database.environ)
        for _ in range(3)
    ]
    assert going.end().code == 0
    codes = {one.end().code for one in booting}
    assert codes <= {0, 6}  # 0: it had looked before the first step was undone
    assert database.tables() == ["made_1"]


REAL = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = {needs}
    operations = [{operations}]
"""


def test_what_django_operations_lose_is_counted(
    tidegate: Runner, make_project: MakeProject, fresh: Fresh
):
    """Tables and columns that go are named with their rows; a reversible index loses nothing, and
    neither does a column that comes back, but empty: that is said."""
    project, database = make_project("django", 0), fresh("newest")
    steps = project.root / "shop" / "migrations"
    create = ('migrations.CreateModel("Order", [("id", models.AutoField(primary_key=True)), '
              '("name", models.CharField(max_length=20))])')  # fmt: skip
    column = 'migrations.AddField("order", "total", models.IntegerField(null=True))'
    gone = 'migrations.RemoveField("order", "total")'
    index = 'migrations.AddIndex("order", models.Index(fields=["name"], name="by_name"))'
    code = "migrations.RunPython(lambda apps, editor: None)"
    (steps / "0001_order.py").write_text(REAL.format(needs="[]", operations=create))
    needs = '[("shop", "0001_order")]'
    (steps / "0002_total.py").write_text(REAL.format(needs=needs, operations=column))
    assert tidegate("migrate", cwd=project.root, env=database.environ).code == 0
    database.rows("INSERT INTO shop_order (name, total) VALUES ('a', 1), ('b', NULL); SELECT 1")

    def plan(*words: str) -> Any:
        done = tidegate("--format", "json", "rollback", "--plan", *words, cwd=project.root,
                        env=database.environ)  # fmt: skip
        return json.loads(done.out)["rollback"]

    assert plan()["ways"][0]["loses"] == [
        "shop.0002_total: column shop_order.total is dropped (1 row has a value)",
        "shop.0001_order: table shop_order is dropped (2 rows)",
    ]
    needs = '[("shop", "0002_total")]'
    (steps / "0003_index.py").write_text(REAL.format(needs=needs, operations=f"{index}, {gone}"))
    assert tidegate("migrate", cwd=project.root, env=database.environ).code == 0
    way = plan()["ways"][0]
    lacks = "shop.0003_index: RemoveField: Remove field total from order"
    assert (way["loses"], way["lacks"]) == ([], [lacks])
    done = tidegate("rollback", cwd=project.root, env=database.environ)
    assert done.code == 0, done.said  # nothing is lost: no word is asked for
    assert f"does not bring back what went when it was applied: {lacks}" in done.err
    assert database.rows("SELECT 1 FROM pg_indexes WHERE indexname = 'by_name'") == []
    needs = '[("shop", "0003_index")]'
    (steps / "0004_code.py").write_text(REAL.format(needs=needs, operations=code))
    assert tidegate("migrate", cwd=project.root, env=database.environ).code == 0
    assert "RunPython has no reverse" in plan()["ways"][0]["why"]


def test_it_asks_again_for_a_lock(tidegate: Runner, tmp_path: Path, fresh: Fresh):
    """A reader in the way is not queued behind for longer than the lock budget, and waited out."""
    shop = (Shop(tmp_path / "app", "django"), fresh("newest"))
    made, database = shop
    made.add(1)
    migrate(tidegate, shop)
    word = planned(tidegate, shop)["plan"]
    reader = subprocess.Popen(["psql", database.url, "-qXc", "BEGIN; SELECT * FROM made_1; "
                               "SELECT pg_sleep(3)"], stdout=subprocess.DEVNULL)  # fmt: skip
    held = "SELECT 1 FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE relname = 'made_1'"
    eventually(lambda: database.rows(held), what="the reader")
    done = run(tidegate, shop, "rollback", "--approve", word, "--lock-timeout", "0.2")
    reader.wait(20)
    assert (done.code, "asking again" in done.err) == (0, True), done.said
    assert database.tables() == []


def test_after_a_run_whose_step_was_undone_and_done_again(
    tidegate: Runner, tmp_path: Path, fresh: Fresh
):
    """A step that was there after a run stays when the run is gone back to, also when it was
    undone and applied again in between."""
    shop = (Shop(tmp_path / "app", "django"), fresh("newest"))
    steps = [shop[0].add(1), shop[0].add(2)]
    migrate(tidegate, shop)
    assert approved(tidegate, shop, "--to", steps[0]).code == 0
    migrate(tidegate, shop)
    shop[0].add(3)
    migrate(tidegate, shop)
    found = planned(tidegate, shop, "--to", "1")
    assert (found["goal"], found["level"]) == ("after run 1", [steps[1]])
    assert [one["id"] for one in found["steps"]] == ["shop.0003_step"]


def test_after_a_run_that_was_killed(tidegate: Runner, tmp_path: Path, fresh: Fresh):
    """What a killed run has applied is its own: it is what a rollback undoes, and nothing before
    it; the history says that it has not ended, and blames nothing else."""
    shop = (Shop(tmp_path / "app", "django"), fresh("newest"))
    project, database = shop[0].project, shop[1]
    shop[0].add(1)
    migrate(tidegate, shop)
    second = shop[0].add(2)
    project.add("SELECT pg_sleep(60)")
    started = tidegate.start("migrate", cwd=project.root, env=database.environ)
    started.until(f"{second}: done")
    started.process.kill()
    started.process.wait(30)
    found = planned(tidegate, shop)
    assert [one["id"] for one in found["steps"]] == [second]
    assert planned(tidegate, shop, "--to", "1")["steps"] == found["steps"]
    said = run(tidegate, shop, "history").out
    assert "has not ended: it is at work, or was killed" in said
    assert ("something other than tidegate" in said, "not on record" in said) == (False, False)


UNTIL_QUICK = "SELECT pg_sleep(60) WHERE to_regclass('quick') IS NULL; DROP TABLE made_2"


def test_a_rollback_that_was_killed(tidegate: Runner, tmp_path: Path, fresh: Fresh):
    """A start does not bring back what a killed rollback had undone, and what it had not undone is
    no change from outside; the next rollback has the same goal."""
    shop = (Shop(tmp_path / "app", "django"), fresh("newest"))
    made, database = shop
    made.add(1)
    migrate(tidegate, shop)
    second, third = made.add(2, UNTIL_QUICK), made.add(3)
    migrate(tidegate, shop)
    word = planned(tidegate, shop)["plan"]
    going = tidegate.start("rollback", "--approve", word, cwd=made.project.root,
                           env=database.environ)  # fmt: skip
    going.until(f"{second}: undoing")
    going.process.kill()
    going.process.wait(30)
    booted = run(tidegate, shop, "boot", "--", *APP)
    assert (booted.code, "a rollback was cut off before its end" in booted.err) == (6, True)
    assert database.tables() == ["made_1", "made_2"]
    said = run(tidegate, shop, "history").out
    assert "not on record" not in said
    database.rows("CREATE TABLE quick (); SELECT 1")
    found = planned(tidegate, shop)
    assert ([one["id"] for one in found["steps"]], third in found["level"]) == ([second], False)
    assert approved(tidegate, shop).code == 0
    assert database.tables() == ["made_1", "quick"]


def test_after_a_step_that_was_half_applied(tidegate: Runner, tmp_path: Path, fresh: Fresh):
    """Of a failed run that ended no step nothing whole can be undone: the run before it stays,
    and the backup that was made just before is the way."""
    shop = (Shop(tmp_path / "app", "django"), fresh("newest"))
    first = shop[0].add(1)
    migrate(tidegate, shop)
    half = shop[0].project.add("CREATE TABLE half (id integer)", "SELECT 1 / 0", atomic=False)
    assert run(tidegate, shop, "migrate").code == 5
    found = planned(tidegate, shop)
    assert (found["steps"], found["half"], found["chosen"]) == ([], [half], None)
    assert found["next"].startswith("correct the step that is half applied")
    assert planned(tidegate, shop, "--to", first)["half"] == [half]
    shop[1].rows("DROP TABLE half; DELETE FROM tidegate_part; SELECT 1")
    for _ in range(2):  # the second backup has the half in it, and is no way back
        assert run(tidegate, shop, "migrate", "--backup", "always").code == 5
    assert "half" in shop[1].tables()
    done = approved(tidegate, shop)
    assert (done.code, shop[1].tables()) == (0, ["made_1"]), done.said
    server = shop[1].server
    assert server
    kept = server.sql(
        f"SELECT datname FROM pg_database WHERE datname LIKE '{shop[1].name}_before%'"
    )
    server.sql(f'DROP DATABASE "{kept}"')
