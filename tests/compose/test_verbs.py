"""make, status, migrate, logs, run, superuser and settings on a running Compose project."""

from __future__ import annotations

import getpass
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.gate import Runner, eventually
from support.stacks import COMPOSE_PG, MODELS, PASSWORD, Stack, docker, exited
from tidegate.contracts.target import Container
from tidegate.targets import composeengine, composeseen, enginesocket
from tidegate.targets.composeargs import Words

Make = Callable[..., Stack]
OWNER = 12345
INDEX = 'migrations.RunSQL("CREATE INDEX by_mail ON shop_customer (email)", "DROP INDEX by_mail")'
CODE = 'migrations.AddField("Customer", "code", models.IntegerField(null=True))'
CODE_FIELD = "code = models.IntegerField(null=True)"
EMAIL = "    email = models.EmailField(default='')\n"


@pytest.fixture(scope="module")
def running(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One project with PostgreSQL that runs; its host files belong to another user."""
    folder = tmp_path_factory.mktemp("verbs")
    (folder / "runs").mkdir()
    runner = Runner(folder / "runs")
    shared = tmp_path_factory.getbasetemp() / "home"
    shared.mkdir(exist_ok=True)
    one = Stack(folder / "project", runner, shared).django(COMPOSE_PG).with_users()
    one.up("--settle", "0")
    if os.geteuid() == 0:
        for path in (one.folder, *one.folder.rglob("*")):
            os.chown(path, OWNER, OWNER)
    yield one
    runner.close()
    one.remove()


def test_status(running: Stack) -> None:
    """Services and databases in one answer, what to do as the last line."""
    done = exited(running, ["status"], 0)
    assert done.out.splitlines()[-1] == "next: nothing to do"
    found = json.loads(exited(running, ["status", "--check", "--format", "json"], 0).out)
    assert [one["state"] for one in found["databases"]] == ["current"]
    assert {one["name"]: one["state"] for one in found["services"]} == {
        "db": "running", "web": "running"
    }  # fmt: skip
    assert all(set(one) >= {"name", "state", "health"} for one in found["services"])
    release = found["release"]["stamp"]
    assert f"release {release}" in done.out.splitlines()
    assert found["databases"][0]["run"]["release"] == release


def test_the_socket_and_the_program_say_the_same(running: Stack) -> None:
    """Of containers and images; what is not there is empty for both."""
    environ = dict(os.environ)
    if not enginesocket.place(environ):
        pytest.skip("the engine has no socket on this machine")
    words = Words(("docker", "compose"), running.folder)
    elsewhere = {"DOCKER_CONTEXT": "a-context-of-its-own"}  # so the program is asked
    label = f"com.docker.compose.project={running.name}"

    def seen(given: dict[str, str], *labels: str) -> list[Container]:
        found = composeengine.containers(words, given, labels, lambda: None)
        return sorted(map(composeseen.container_of, found), key=lambda one: one.id)

    assert len(seen(environ, label)) == 2
    assert seen(environ, label) == seen(elsewhere, label)
    assert seen(environ, label, "no=such") == seen(elsewhere, label, "no=such") == []
    for name in (f"{running.name}-web", "no-such:image", running.containers()[0]["Image"]):
        asked = [composeengine.image(words, given, name) for given in (environ, elsewhere)]
        assert asked[0] == asked[1]


def test_history_through_the_container(running: Stack) -> None:
    """Each run names its release, the image of that, and who ran it outside."""
    (run,) = json.loads(exited(running, ["history", "--format", "json"], 0).out)["runs"]
    assert run["image"] == running.containers()[0]["Image"]
    assert run["by"] == getpass.getuser()
    listed = exited(running, ["history", "--verify"], 0).out
    assert f"  release {run['release']}\n" in listed
    assert "1 runs are as they were written" in listed
    assert "there is no run 77" in exited(running, ["history", "77"], 2).err


def test_plan_against_a_service(running: Stack, tmp_path: Path) -> None:
    """`plan --against db` reads the service's own database from the project's network."""
    out = tmp_path / "plan.json"
    done = exited(running, ["plan", "--against", "db", "-o", str(out)], 0)
    assert "nothing is pending" in done.out
    assert f"{out} is written; there is nothing in it to apply" in done.err
    assert json.loads(out.read_text())["level"]["applied"] > len(running.applied())
    wrong = exited(running, ["plan", "--against", "dp"], 2)
    assert "The services are: db, web" in wrong.err


def test_run_takes_the_running_container_and_its_exit_code(running: Stack) -> None:
    """The command's output and exit code are its own; `manage.py` needs no `python`."""
    assert "in the running container" in exited(running, ["run", "--", "sh", "-c", "exit 7"], 7).err
    done = exited(running, ["run", "--one-off", "--", "manage.py", "check"], 0)
    assert "System check identified no issues" in done.out
    done = exited(running, ["run", "db", "--", "psql", "-U", "shop", "-Atc", "select 40 + 2"], 0)
    assert done.out == "42\n"


def test_logs_show_the_backend_and_mask_passwords(running: Stack) -> None:
    """When everything is well the backend's log is shown; a password in it is masked. A reader that
    has seen enough ends it."""
    assert "serving one" in exited(running, ["logs"], 0).out
    running.compose("exec", "-T", "web", "sh", "-c", f"echo pass {PASSWORD} >/proc/1/fd/1")
    done = exited(running, ["logs", "web"], 0)
    assert "pass ***" in done.out
    assert "there is no service wbe" in exited(running, ["logs", "wbe"], 2).err
    running.compose("exec", "-T", "web", "sh", "-c", "seq 20000 >/proc/1/fd/1")
    ends = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m tidegate logs --tail all web | head -1"],
        cwd=running.folder, env=running.environ, capture_output=True, text=True, timeout=50,
    )  # fmt: skip
    assert (ends.stdout.startswith("web-1"), ends.stderr) == (True, "")


def test_superuser_without_a_terminal(running: Stack) -> None:
    """From the environment; what is missing is named, and the password is on no command line."""
    done = exited(running, ["superuser"], 2)
    assert "DJANGO_SUPERUSER_USERNAME, DJANGO_SUPERUSER_PASSWORD" in done.err
    env = {"DJANGO_SUPERUSER_USERNAME": "mei", "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
           "DJANGO_SUPERUSER_EMAIL": "mei@example.org"}  # fmt: skip
    done = running.tidegate("superuser", env=env)
    assert done.code == 0, done.said
    code = "from django.contrib.auth.models import User; print(User.objects.get().username)"
    done = exited(running, ["run", "--", "manage.py", "shell", "-v", "0", "-c", code], 0)
    assert done.out.strip() == "mei"


def test_make_writes_into_the_hosts_tree(running: Stack) -> None:
    """The file belongs to the owner of the tree, its SQL is shown; a database that is behind is
    no hindrance to Django, and is named."""
    before = set(running.folder.rglob("__pycache__"))
    said = exited(running, ["make", "-m", "x"], 1).err
    assert "there is nothing to make" in said and "Models that were seen:" in said
    running.write({"shop/models.py": MODELS.replace("name =", "surname =")})
    said = exited(running, ["make", "-m", "x"], 6).err
    assert "--rename shop.Customer.name=surname   or   --drop shop.Customer.name" in said
    assert len(list((running.folder / "shop" / "migrations").glob("0*.py"))) == 1
    running.write({"shop/models.py": MODELS + EMAIL})
    done = exited(running, ["make", "-m", "Add the email!"], 0)
    path = running.folder / "shop" / "migrations" / "0002_add_the_email.py"
    assert "created shop/migrations/0002_add_the_email.py" in done.out
    assert 'ADD COLUMN "email"' in done.out
    if os.geteuid() == 0:
        assert (path.stat().st_uid, path.stat().st_gid) == (OWNER, OWNER)
    assert set(running.folder.rglob("__pycache__")) == before
    done = exited(running, ["make", "-m", "more"], 1)
    assert "default: behind (pending: shop.0002_add_the_email)" in done.err
    assert "there is nothing to make" in done.err


def test_migrate_alone_restarts_nothing(running: Stack, tmp_path: Path) -> None:
    """The image is built anew by hand; `migrate` applies its steps, in the forms of a plan of this
    machine, and no container is touched."""
    running.write({"shop/models.py": MODELS + EMAIL})
    if not (running.folder / "shop/migrations/0002_add_the_email.py").exists():
        exited(running, ["make", "-m", "Add the email!"], 0)
    running.migration("0002_by_mail", INDEX, "0002_add_the_email")
    running.compose("build", "-q", "web")
    before = running.ids() | running.ids("db")
    behind = exited(running, ["status", "--check"], 1)
    assert "pending    shop.0002_add_the_email" in behind.out
    forms = str(tmp_path / "forms.json")
    exited(running, ["plan", "--online", "-o", forms, "--fail-on", "never"], 0)
    done = exited(running, ["migrate", "--forms", forms, "--format", "jsonl"], 0)
    assert "in a one-off container of the service web" in done.out + done.err
    lines = [json.loads(line) for line in done.out.splitlines()]
    (result,) = [one["migration"] for one in lines if one["stage"] == "result"]
    assert result["applied"] == ["shop.0002_add_the_email", "shop.0002_by_mail"]
    assert "online: CREATE INDEX CONCURRENTLY by_mail" in done.out, done.said
    assert running.ids() | running.ids("db") == before
    assert exited(running, ["status", "--check"], 0)


def test_make_merge_and_empty(running: Stack) -> None:
    """`--empty` writes a migration without operations; two heads are tried in both orders,
    in the app's containers, and joined by `--merge`."""
    text = "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    " \
           "dependencies = [('shop', '0001_initial')]\n    operations = []\n"  # fmt: skip
    heads = ("shop/migrations/0002_other.py", "shop/migrations/0002_another.py")
    running.write(dict.fromkeys(heads, text))
    done = exited(running, ["make", "--merge"], 0)
    assert "created shop/migrations/0003_merge" in done.out
    assert "the schema is the same in both orders" in done.err
    for path in (running.folder / "shop/migrations").glob("000[23]_[mo]*.py"):
        path.unlink()
    (running.folder / heads[1]).unlink()
    done = exited(running, ["make", "-m", "fill it", "--app", "shop", "--empty"], 0)
    created = next((running.folder / "shop/migrations").glob("*fill_it.py"))
    assert "operations = [\n    ]" in created.read_text()
    created.unlink()


def test_local_works_without_the_engine(running: Stack) -> None:
    """`--local` asks from here, whatever the engine does."""
    done = running.tidegate("status", "--local", env={"DOCKER_HOST": "unix:///nowhere.sock"})
    assert done.code == 0, done.said
    assert "sqlite" in done.out


def test_plan_and_apply_without_the_projects_packages(running: Stack, tmp_path: Path) -> None:
    """Steps that are in the host's tree alone are rehearsed on the database's own image, named by
    their path on the host; what loses data needs a person's word, and is applied with it."""
    out = tmp_path / "plan.json"
    folder = running.folder / "shop/migrations"
    last = max(one.stem for one in folder.glob("0*.py"))
    running.migration("0008_code", CODE, last)
    running.migration("0009_drop", 'migrations.RemoveField("Customer", "name")', "0008_code")
    done = exited(running, ["plan", "--fail-on", "never", "-o", str(out)], 0)
    plan = json.loads(out.read_text())
    assert plan["steps"][-1]["path"] == "shop/migrations/0009_drop.py"
    assert plan["rehearsal"]["engine"].startswith("PostgreSQL 15"), done.said
    assert (plan["rehearsal"]["roundtrip"], plan["where"]) == ("same", "shop@db:5432/shop")
    assert out.stat().st_uid == os.geteuid()
    name = plan["plan"]
    assert name in exited(running, ["apply", str(out)], 6).err
    words = ("apply", str(out), "--approve", name)
    agent = running.start(*words, env={"TIDEGATE_AGENT": "robot"}).end(120)
    assert agent.code == 6
    assert "needs a person's word" in agent.err
    done = exited(running, [*words, "--format", "json"], 0)
    assert json.loads(done.out)["applied"] == ["shop.0008_code", "shop.0009_drop"]
    assert _beside(running) == []
    models = running.folder / "shop/models.py"  # so that they say what the database has now
    running.write({"shop/models.py": re.sub("name = .*", CODE_FIELD, models.read_text())})


def test_a_killed_plan_leaves_no_container(running: Stack) -> None:
    """After a kill -9 the scratch server and the process end by themselves."""
    running.migration("0010_code", CODE, "0009_drop")
    started = running.start("plan", "--fail-on", "never")
    eventually(lambda: _beside(running), 120, "the scratch server's container")
    started.kill()
    eventually(lambda: not _beside(running), 60, "the end of what was left")
    (running.folder / "shop/migrations/0010_code.py").unlink()


def test_a_network_that_is_gone(running: Stack) -> None:
    """A stopped container whose network was removed can't start again: it is made anew, with the
    volumes that it has."""
    running.compose("stop", "-t", "1")
    docker("network", "rm", f"{running.name}_default")
    done = exited(
        running, ["run", "--one-off", "--", "manage.py", "check", "--database=default"], 0
    )
    assert "db: not running, and needed" in done.err
    before = running.ids()
    running.up("--no-build", "--settle", "0")
    assert running.ids().isdisjoint(before)
    assert running.served() == "release one"


def _beside(stack: Stack) -> list[str]:
    """The scratch servers and one-off containers of the project."""
    labelled = f"label=com.docker.compose.project={stack.name}"
    once = docker("ps", "-aq", "--filter", labelled, "--filter",
                  "label=com.docker.compose.oneoff=True")  # fmt: skip
    named = docker("ps", "-aq", "--filter", f"name={stack.name}-tidegate-scratch")
    return [*named.split(), *once.split()]


def test_make_with_alembic_on_sqlite_in_a_volume(stack: Make) -> None:
    """Autogenerate reads a database file of the app's user, and the new file is the host's."""
    one = stack().write(ALEMBIC)
    one.write({"compose.yaml": f"name: {one.name}\n" + one_service("data:/data")})
    one.up("--settle", "0")
    if os.geteuid() == 0:
        for path in (one.folder, *one.folder.rglob("*")):
            os.chown(path, OWNER, OWNER)
    done = exited(one, ["make", "-m", "nothing"], 1)
    assert list((one.folder / "migrations/versions").glob("*nothing*")) == []
    one.write({"tables.py": ALEMBIC["tables.py"] + "Table('dish', m, Column('id', Integer))\n"})
    done = exited(one, ["make", "-m", "dishes"], 0)
    assert "CREATE TABLE dish" in done.out
    (created,) = (one.folder / "migrations/versions").glob("*_dishes.py")
    if os.geteuid() == 0:
        assert created.stat().st_uid == OWNER


def test_make_in_the_projects_own_environment(stack: Make, tmp_path: Path) -> None:
    """Without Compose files it runs here, with the project's own Python."""
    one = stack().django()
    (one.folder / "compose.yaml").unlink()
    conf = (one.folder / "conf.py").read_text().replace("/data/", f"{tmp_path}/")
    one.write({"conf.py": conf})
    exited(one, ["migrate"], 0)
    one.write({"shop/models.py": MODELS + EMAIL})
    venv = {"VIRTUAL_ENV": os.environ.get("VIRTUAL_ENV", str(Path(sys.executable).parents[1]))}
    done = one.tidegate("make", "-m", "the email", env=venv)
    assert done.code == 0, done.said
    assert (one.folder / "shop/migrations/0002_the_email.py").is_file()


def one_service(volume: str) -> str:
    return (
        f"services:\n  web:\n    build: .\n    init: true\n    user: '10001'\n"
        f"    restart: unless-stopped\n    volumes: ['{volume}']\nvolumes:\n  data:\n"
    )


ALEMBIC = {
    "Dockerfile": "FROM tidegate-tests/base:1\nRUN install -d -o 10001 /data\nCOPY . .\n"
    'CMD ["sleep", "10000"]\n',
    "alembic.ini": "[alembic]\nscript_location = migrations\nprepend_sys_path = .\n"
    "sqlalchemy.url = sqlite:////data/app.db\n",
    "tables.py": "from sqlalchemy import Column, Integer, MetaData, Table\nm = MetaData()\n"
    "Table('cook', m, Column('id', Integer, primary_key=True))\n",
    "migrations/env.py": """\
from alembic import context
from sqlalchemy import create_engine
from tables import m
url = context.config.get_main_option("sqlalchemy.url")
if context.is_offline_mode():
    context.configure(url=url, target_metadata=m, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    connection = context.config.attributes.get("connection")
    if connection is None:
        connection = create_engine(url).connect()
    context.configure(connection=connection, target_metadata=m)
    with context.begin_transaction():
        context.run_migrations()
""",
    "migrations/script.py.mako": '''\
"""${message}"""
import sqlalchemy as sa
from alembic import op
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade():
    ${upgrades if upgrades else "pass"}


def downgrade():
    ${downgrades if downgrades else "pass"}
''',
    "migrations/versions/aaa1_cooks.py": '''\
"""cooks"""
import sqlalchemy as sa
from alembic import op
revision = "aaa1"
down_revision = None


def upgrade():
    op.create_table("cook", sa.Column("id", sa.Integer, primary_key=True))


def downgrade():
    op.drop_table("cook")
''',
}


def test_make_watch_and_squash(running: Stack) -> None:
    """In the app's container as well: a saved model is a column of the running database; the one
    migration that is left belongs to the owner of the tree."""
    env = {"POSTGRES_PASSWORD": PASSWORD}
    before = set((running.folder / "shop/migrations").glob("0*.py"))
    text = (running.folder / "shop/models.py").read_text()
    watch = running.start("make", "--watch", "--squash", "-m", "the age", env=env)
    watch.until("agree", 150)
    running.write({"shop/models.py": text + "    age = models.IntegerField(default=0)\n"})
    watch.until("applied  ", 100)
    watch.signal(signal.SIGINT)
    done = watch.end(150)
    assert done.code == 0, done.said
    (path,) = set((running.folder / "shop/migrations").glob("0*.py")) - before
    assert path.name.endswith("_the_age.py") and "AddField" in path.read_text()
    if os.geteuid() == 0:
        assert path.stat().st_uid == OWNER
    last = "select name from django_migrations where app = 'shop' order by id desc limit 1"
    done = exited(running, ["run", "db", "--", "psql", "-U", "shop", "-Atc", last], 0)
    assert done.out == f"{path.stem}\n"
