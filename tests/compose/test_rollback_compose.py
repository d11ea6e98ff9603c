"""`tidegate rollback` through Compose: images, configuration and schema go back together."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from support.pages import do, lines
from support.stacks import SERVE, Stack, docker, exited

Make = Callable[..., Stack]
COLUMN = "migrations.AddField('customer', 'email', models.CharField(max_length=80, null=True))"
PHONE = "migrations.AddField('customer', 'phone', models.CharField(max_length=80, null=True))"
SLOW_BACK = "migrations.RunPython(lambda *_: None, lambda *_: __import__('time').sleep(3))"
ROW = "from django.db import connection as c; c.cursor().execute({!r})"
FRAGILE = SERVE.replace(
    "import http.server, os, sys",
    "import http.server, os, sys\nif os.path.exists('/data/bad'): sys.exit('gone bad')",
)
WORD = re.compile(r"--approve ([0-9a-f]{12})")


def sql(one: Stack, text: str) -> None:
    """Change a row by the app's own connection."""
    words = f"import django; django.setup(); {ROW.format(text)}"
    env = ["-e", "DJANGO_SETTINGS_MODULE=conf"]
    docker("compose", "-p", one.name, "run", "--rm", "--no-deps", "-T", *env, "--entrypoint",
           "python", "web", "-c", words, cwd=one.folder)  # fmt: skip


def plan(one: Stack, *words: str) -> dict[str, object]:
    done = exited(one, ["--format", "json", "rollback", "--plan", *words], 0)
    found: dict[str, object] = json.loads(done.out)["rollback"]
    return found


def test_releases_go_back(stack: Make) -> None:
    """The schema is lowered by the newer image, then the older image runs with the configuration
    of its time; what loses rows needs the word. --to takes a release, or a step: then the release
    of that level. A release that a rehearsal has seen work on the newer schema runs there without
    a word, its rows as they are, and the next rollback lowers the schema. From the oldest there is
    no way back, and an update goes forward again; images of older releases lose their names. `zero`
    is before all steps: no release has that level, so what runs stays."""
    one = stack().django(extra="    environment: {MODE: old}\n")
    one.up("--settle", "0")
    one.release("two").migration("0002_email", COLUMN)
    exited(one, ["plan", "--fail-on", "never"], 0)
    one.up("--settle", "0")
    one.release("three").migration("0003_phone", PHONE, "0002_email")
    text = (one.folder / "compose.yaml").read_text().replace("MODE: old", "MODE: new")
    one.write({"compose.yaml": text})
    one.up("--settle", "0")
    sql(one, "insert into shop_customer (name, email, phone) values ('Mei', 'a@b', '12')")
    state = next((one.folder.parent / "state").glob("tidegate/*/releases.json"))
    first, second, third = json.loads(state.read_text())["releases"]
    assert plan(one, "--to", third["stamp"])["next"] == "nothing to do"
    assert plan(one, "--to", "shop.0002_email")["release"] == second["stamp"]
    nowhere = exited(one, ["rollback", "--to", "nowhere"], 2)
    assert "is no step, run, image or revision on record" in nowhere.err
    (look,), (go,) = lines("how-to/go-back.md", "Look first"), lines("how-to/go-back.md", "Do it")
    shown = do(one, look).out.splitlines()
    assert "  undo shop.0003_phone" in shown
    lost = "column shop_customer.phone is dropped (1 row has a value)"
    assert f"    shop.0003_phone: {lost}" in shown
    word = WORD.search(shown[-1])
    assert word
    assert shown[-1] == f"next: tidegate rollback --approve {word[1]}"
    before = one.ids()
    assert "can't go back without losing data" in exited(one, ["rollback", "--safe"], 6).err
    assert (one.ids(), len(one.applied())) == (before, 3)
    done = do(one, go.replace("1f2e3d4c5b6a", word[1]))
    assert done.err.index("0003_phone: undone") < done.err.index("web: image"), "schema first"
    assert one.served() == "release two"
    assert "MODE=old" in one.containers()[0]["Config"]["Env"]
    assert one.applied() == ["0001_initial", "0002_email"]
    named = docker("image", "inspect", "--format", "{{.Id}}", f"{one.name}-web")
    assert named == one.containers()[0]["Image"]
    asked = plan(one, "--to", first["stamp"])
    assert asked["next"] == f"tidegate rollback --to {first['stamp']}", "no word"
    exited(one, str(asked["next"]).split()[1:], 0)
    assert (one.served(), one.applied()) == ("release one", ["0001_initial", "0002_email"])
    lower = plan(one)
    assert "--approve" in str(lower["next"]), lower
    exited(one, str(lower["next"]).split()[1:], 0)
    assert (one.served(), one.applied()) == ("release one", ["0001_initial"])
    assert "no release before" in exited(one, ["rollback"], 2).err
    one.release("four").up("--settle", "0")
    assert (one.served(), len(one.applied())) == ("release four", 3)
    kept = docker("image", "ls", "--format", "{{.Tag}}", f"tidegate/{one.name}").split()
    assert len({tag for tag in kept if tag.startswith("web-2")}) == 2, kept
    assert "blog is no app" in exited(one, ["rollback", "--to", "blog.zero"], 2).err
    exited(one, str(plan(one, "--to", "shop.zero")["next"]).split()[1:], 0)
    assert (one.served(), one.applied()) == ("release four", [])


def test_cut_off_and_run_again(stack: Make) -> None:
    """A rollback that was killed, or whose release was not well (9), is gone on with: to the same
    release, not to one before it."""
    one = stack().django()
    one.release("one", FRAGILE)
    one.up("--settle", "0")
    one.release("two").migration("0002_email", f"{COLUMN}, {SLOW_BACK}")
    one.up("--settle", "0")
    one.compose("exec", "-T", "web", "touch", "/data/bad")
    first = one.start(*str(plan(one)["next"]).split()[1:])
    first.until("0002_email: undoing", 60)
    first.kill()  # the one-off container goes on, and takes its step back
    assert one.served() == "release two"
    again = plan(one)
    assert again["why"] == "a rollback to it was cut off"
    done = exited(one, str(again["next"]).split()[1:], 9)
    assert "is not well" in done.err
    one.compose("run", "--rm", "--no-deps", "-T", "--entrypoint", "rm", "web", "/data/bad")
    exited(one, ["rollback"], 0)
    assert (one.served(), one.applied()) == ("release one", ["0001_initial"])


def test_after_an_update_that_left_the_schema_raised(stack: Make) -> None:
    """A failed update lowers the schema only when nothing is lost; else it says why, and a
    rollback by the failed image brings it down."""
    one = stack().django()
    one.up("--settle", "0")
    sql(one, "insert into shop_customer (name) values ('Mei')")
    filled = "migrations.AddField('customer', 'city', models.CharField(max_length=9, default='x'))"
    crash = "import sys\nsys.exit('no RELEASE')\n"
    one.release("two", crash).migration("0002_city", filled)
    done = exited(one, ["up"], 8)
    assert "The schema stays raised by 1 step (shop.0002_city)" in done.err
    assert "column shop_customer.city is dropped (1 row has a value)" in done.err
    assert one.served() == "release one"
    asked = plan(one)
    assert asked["why"] == "it runs, and the schema stands higher than its own"
    before = one.ids()
    exited(one, str(asked["next"]).split()[1:], 0)
    assert (one.applied(), one.ids()) == (["0001_initial"], before)
    (one.folder / "shop/migrations/0002_city.py").unlink()
    one.release("three", crash).migration("0002_email", COLUMN)
    done = exited(one, ["up"], 8)
    assert "The schema is lowered again (shop.0002_email undone)" in done.err
    assert (one.served(), one.applied()) == ("release one", ["0001_initial"])
