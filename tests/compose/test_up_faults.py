"""`tidegate up` when something goes wrong: what runs afterwards, and what the exit code says."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.gate import Runner, eventually
from support.stacks import COMPOSE_PG, PASSWORD, SLOW_HEALTH, Stack, docker, exited

Make = Callable[..., Stack]
CRASH = "import sys\nprint('no such setting RELEASE', flush=True)\nsys.exit(3)\n"
LATE_CRASH = "import sys, time\ntime.sleep(0.7)\nsys.exit('out of luck RELEASE')\n"
DEAF = "import time\nprint('deaf RELEASE', flush=True)\ntime.sleep(10000)\n"
COLUMN = "migrations.AddField('customer', 'email', models.CharField(max_length=80, default=''))"
BROKEN = "migrations.RunSQL('SELECT no_such_column FROM shop_customer')"
SLOW = "migrations.RunPython(lambda *_: __import__('time').sleep(3))"


@pytest.fixture(scope="module")
def begun(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Release one, which runs without tidegate's doing, as in a project that adopts it."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "runs").mkdir()
    shared = tmp_path_factory.getbasetemp() / "home"
    shared.mkdir(exist_ok=True)
    runner = Runner(folder / "runs")
    one = Stack(folder / "project", runner, shared).django().begin()
    yield one
    runner.close()
    one.remove()


@pytest.fixture
def serving(begun: Stack, tmp_path: Path) -> Iterator[Stack]:
    """The same project for several faults: each goes back to release one, and so do the files."""
    shutil.copytree(begun.folder, tmp_path / "kept")
    yield begun
    assert begun.served() == "release one"
    shutil.rmtree(begun.folder)
    shutil.copytree(tmp_path / "kept", begun.folder)


def test_a_crash_loop_without_a_health_check(serving: Stack) -> None:
    """It is seen as a failure, and the previous image runs again: exit 8."""
    one = serving
    before = one.containers()[0]["Image"]
    one.release("two", LATE_CRASH)
    done = exited(one, ["up"], 8)
    assert "the previous release is running again" in done.err
    assert "web crashes and is restarted" in done.err
    assert "two" in done.err, "the guilty container's last words are shown"
    assert one.served() == "release one"
    assert one.containers()[0]["Image"] == before
    assert docker("image", "inspect", "--format", "{{.Id}}", f"{one.name}-web") == before


def test_a_url_that_does_not_answer_undoes_the_update(serving: Stack) -> None:
    """`--verify URL` is part of the new release's being well."""
    one = serving
    one.release("two")
    url = "http://127.0.0.1:9/health"
    done = exited(one, ["up", "--timeout", "3", "--verify", url, "--format", "json"], 8)
    result = json.loads(done.out)
    assert (result["outcome"], result["exit_code"]) == ("undone", 8)
    assert f"{url} did not answer" in " ".join(result["why"])
    assert one.served() == "release one"


def test_a_build_that_fails(serving: Stack) -> None:
    """Exit 8: the previous release still runs, untouched."""
    one = serving
    before = one.ids()
    one.write({"Dockerfile": (one.folder / "Dockerfile").read_text() + "RUN false\n"})
    done = exited(one, ["up"], 8)
    assert "the build failed" in done.err
    assert one.ids() == before


def test_a_mount_that_hides_the_code(serving: Stack) -> None:
    """Exit 2, and the folder that lies over the code: it is in the image, not in the container."""
    one = serving
    one.write({"empty/keep": ""})
    text = (one.folder / "compose.yaml").read_text()
    one.write({"compose.yaml": text.replace('"data:/data"]', '"data:/data", "./empty:/app"]')})
    done = exited(one, ["up"], 2)
    hides = f"The folder {(one.folder / 'empty').resolve()} of the host lies over /app"
    assert hides in done.err
    assert one.served() == "release one"


def test_a_database_in_the_container_itself(serving: Stack) -> None:
    """Exit 6, with the way to a copy: a new container would begin without it. A step applied in a
    one-off container would be gone with that."""
    one = serving
    conf = (one.folder / "conf.py").read_text()
    one.write({"conf.py": conf.replace("/data/db.sqlite3", "/app/db.sqlite3")}).release("two")
    done = exited(one, ["up"], 6)
    assert "a new container of web would begin without the database default" in done.err
    assert f"docker cp {one.name}-web-1:/app/db.sqlite3 ." in done.err
    assert one.served() == "release one"


def test_a_failed_migration_replaces_nothing(stack: Make) -> None:
    """Exit 5; the old container never stopped, its image has its name, the good step stays. What a
    step without a transaction did before it failed may still be there, and that is said."""
    one = stack().django()
    one.begin()
    before = one.containers()[0]
    one.release("two").migration("0002_email", COLUMN)
    broken = "shop/migrations/0003_broken.py"
    one.migration("0003_broken", BROKEN, "0002_email")
    done = exited(one, ["up"], 5)
    assert "shop.0003_broken failed" in done.err
    assert "2 of 3 steps are applied and stay" in done.err
    assert "The release that ran before still serves" in done.err
    after = one.containers()[0]
    assert (after["Id"], after["State"]["StartedAt"]) == (
        before["Id"], before["State"]["StartedAt"]
    )  # fmt: skip
    assert docker("image", "inspect", "--format", "{{.Id}}", f"{one.name}-web") == before["Image"]
    (one.folder / broken).unlink()
    half = COLUMN.replace("email", "second")
    one.migration("0003_half", f"{half}, {BROKEN}", "0002_email", more="    atomic = False\n")
    done = exited(one, ["up"], 5)
    assert "does not run in one transaction" in done.err
    assert one.ids() == {before["Id"]}


def test_killed_and_run_again(stack: Make) -> None:
    """`kill -9` at a stage leaves what the next `up` finishes."""
    one = stack().django(extra=SLOW_HEALTH)
    one.begin()
    steps = ["0001_initial"]
    for moment in ("  build ", "{}: applying", "replace web"):
        step = f"000{len(steps) + 1}_slow"
        column = COLUMN.replace("email", f"column{len(steps)}")
        caught = f"{column}, {SLOW}" if "applying" in moment else column
        one.release(step).migration(step, caught, steps[-1])
        steps.append(step)
        first = one.start("up")
        first.until(moment.format(step), 150)
        first.kill()
        one.up("--settle", "0")
        assert one.served() == f"release {step}"
        assert one.applied() == steps


def test_ctrl_c(stack: Make) -> None:
    """Exit 130 after going back: the previous release runs, no one-off container is left."""
    one = stack().django(extra=SLOW_HEALTH)
    one.begin()
    one.release("two").migration("0002_slow", f"{COLUMN}, {SLOW}")
    for moment in ("0002_slow: applying", "replace web"):
        first = one.start("up", "--settle", "5")
        first.until(moment, 150)
        first.signal(signal.SIGINT)
        done = first.end(60)
        assert done.code == 130, done.said
        assert one.served() == "release one"
        left = docker("ps", "-q", "--filter", f"label=com.docker.compose.project={one.name}",
                      "--filter", "label=tidegate.oneoff")  # fmt: skip
        assert left == ""


def test_what_happens_to_the_database(stack: Make) -> None:
    """A restart of the server in the middle of a step is survived. One that is stopped is started,
    as the files say it now. A changed password is exit 4 before anything is replaced, with what
    the volume has to do with it."""
    one = stack().django(COMPOSE_PG)
    one.begin()
    one.release("two").migration("0002_slow", f"{COLUMN}, {SLOW}")
    first = one.start("up")
    first.until("shop.0002_slow: applying", 90)
    one.compose("restart", "-t", "1", "db")
    done = first.end(180)
    assert done.code == 0, done.said
    assert one.applied() == ["0001_initial", "0002_slow"]
    one.compose("stop", "-t", "1", "db")
    text = (one.folder / "compose.yaml").read_text()
    one.write(
        {"compose.yaml": text.replace("POSTGRES_DB: shop", "POSTGRES_DB: shop\n      TZ: UTC")}
    )
    done = one.release("three").up()
    assert "db: not running, and needed to migrate" in done.err
    assert "TZ=UTC" in one.containers("db")[0]["Config"]["Env"]
    assert one.served() == "release three"
    one.write({".env": f"POSTGRES_PASSWORD={PASSWORD}-new\n"}).release("four")
    done = exited(one, ["up"], 4)
    assert "keeps the password of its first start" in done.err
    assert one.served() == "release three"


def test_a_release_that_fails_its_health_check(stack: Make) -> None:
    """The previous image runs again, healthy: exit 8."""
    one = stack().django(extra=SLOW_HEALTH)
    one.begin()
    one.release("two", DEAF)
    done = exited(one, ["up"], 8)
    assert "the previous release is running again" in done.err
    assert one.served() == "release one"
    assert one.containers()[0]["State"]["Health"]["Status"] == "healthy"


def test_the_previous_configuration_comes_back_too(stack: Make) -> None:
    """A new configuration that breaks the app is undone, although its files have changed."""
    one = stack().django(extra="    environment: {MODE: old}\n")
    one.up("--settle", "0")
    one.release("two", CRASH)
    text = (one.folder / "compose.yaml").read_text().replace("MODE: old", "MODE: new")
    one.write({"compose.yaml": text})
    exited(one, ["up"], 8)
    assert one.served() == "release one"
    assert "MODE=old" in one.containers()[0]["Config"]["Env"]


def test_a_first_start_that_fails(stack: Make) -> None:
    """There is nothing to go back to: exit 9, and the containers stay to be looked at."""
    one = stack().django().release("one", CRASH)
    done = exited(one, ["up"], 9)
    assert "there is no previous release" in done.err
    assert len(one.containers()) == 1


def test_two_updates_at_once(stack: Make) -> None:
    """The second is refused with 7 and says who holds the project, of another account as well;
    the first goes on."""
    one = stack().django()
    first = one.start("up", "--settle", "4")
    first.until("running:" if one.containers() else "nothing runs")
    for environ in ({}, {"XDG_STATE_HOME": str(one.folder / "another-account")}):
        second = one.tidegate("up", env=environ)
        assert second.code == 7, second.said
        assert f"process {first.pid} of" in second.err
    done = first.end(120)
    assert done.code == 0, done.said


def test_killed_after_replacing_then_a_release_that_fails(stack: Make) -> None:
    """The release to go back to is the one before the killed update, not what that one left, also
    where another account goes on; what that has left is gone back over by the first."""
    one = stack().django()
    one.begin()
    one.release("two", CRASH)
    first = one.start("up", "--settle", "30")
    first.until("replace web", 150)
    eventually(lambda: one.containers() and one.containers()[0]["RestartCount"], 30)
    first.kill()
    other = {"XDG_STATE_HOME": str(one.folder.parent / "another-account")}
    done = one.tidegate("up", env=other)
    assert done.code == 8, done.said
    assert one.served() == "release one"
    one.release("three").up("--settle", "0", env=other)
    back = one.tidegate("rollback", "--plan")
    assert "it ran before" in back.out, back.said


def test_a_missing_variable(stack: Make) -> None:
    """Exit 2 and its name, whether the file demands it or would leave it empty."""
    one = stack().django(COMPOSE_PG)
    one.write({".env": "", ".env.example": "POSTGRES_PASSWORD=\n"})
    done = exited(one, ["up"], 2)
    assert "POSTGRES_PASSWORD" in done.err
    two = stack("other").django(extra="    environment: {MAIL_TOKEN: '${MAIL_TOKEN}'}\n")
    done = exited(two, ["up"], 2)
    assert "variables without a value: MAIL_TOKEN" in done.err
    assert two.containers() == []


def test_no_engine(stack: Make) -> None:
    """Exit 3 and what to start."""
    one = stack().django()
    done = one.tidegate("up", env={"DOCKER_HOST": "unix:///nowhere/docker.sock"})
    assert done.code == 3, done.said
    assert "the container engine does not answer at unix:///nowhere/docker.sock" in done.err


def test_a_full_disk(stack: Make) -> None:
    """Exit 3 before the build, when less is free than the setting `disk` asks for."""
    one = stack().django()
    done = one.tidegate("up", env={"TIDEGATE_COMPOSE_DISK": "900000"})
    assert done.code == 3, done.said
    assert "GB are free at" in done.err
    assert docker("image", "ls", "-q", f"{one.name}-web") == ""


def test_a_volume_of_another_major_version(stack: Make) -> None:
    """The database does not start: exit 3 and why; the volume is as it was."""
    one = stack().django(COMPOSE_PG)
    one.compose("up", "-d", "db")
    file = "/var/lib/postgresql/data/PG_VERSION"
    ready = ("run", "db", "--", "pg_isready", "-q", "-h", "127.0.0.1")  # not while it initialises
    eventually(lambda: one.tidegate(*ready).code == 0, 90, "the database")
    one.compose("exec", "-T", "db", "sh", "-c", f"echo 13 > {file}")
    one.compose("stop", "-t", "2", "db")
    done = exited(one, ["up"], 3)
    assert "The volume was made by another major version of PostgreSQL" in done.err
    assert one.containers("web") == []
    left = one.compose("run", "--rm", "-T", "--entrypoint", "cat", "db", file)
    assert left == "13"


def test_images_from_elsewhere(stack: Make) -> None:
    """Without a build the previous tag comes back with the configuration that named it."""
    one = stack().django()
    for tag, code in (("1", ""), ("2", CRASH)):
        one.release(tag, *([code] if code else []))
        docker("build", "-q", "-t", f"{one.name}:{tag}", ".", cwd=one.folder)
    text = (one.folder / "compose.yaml").read_text()
    one.write({"compose.yaml": text.replace("build: .", f"image: {one.name}:${{TAG}}"),
               ".env": "TAG=1\n"})  # fmt: skip
    assert "name the backend with --service" in exited(one, ["up"], 2).err
    one.up("--service", "web", "--settle", "0")
    one.write({".env": "TAG=2\n"})
    exited(one, ["up", "--service", "web"], 8)
    assert one.served() == "release 1"
    assert one.containers()[0]["Config"]["Image"] == f"{one.name}:1"
