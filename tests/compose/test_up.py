"""`tidegate up` on the real engine: the update itself."""

from __future__ import annotations

import json
from collections.abc import Callable

from support.stacks import COMPOSE_PG, SLOW_HEALTH, Stack, docker, exited

Make = Callable[..., Stack]
COLUMN = "migrations.AddField('customer', 'email', models.CharField(max_length=80, default=''))"


def test_a_first_start_and_an_update(stack: Make) -> None:
    """The first `up` starts everything; the next migrates while the old container still serves."""
    one = stack().django(COMPOSE_PG, SLOW_HEALTH + "    env_file: [.env]\n")
    first = one.up()
    assert "nothing runs: a first start" in first.err
    assert one.served() == "release one"
    before = one.ids()
    again = one.up()
    assert one.ids() == before, f"nothing changed, and yet it was replaced\n{again.said}"
    assert "nothing to apply" in again.err
    assert "replace web" not in again.err, "and it is not said, either"
    one.release("two").migration("0002_email", COLUMN)
    done = one.up("--format", "json")
    result = json.loads(done.out)
    assert (result["outcome"], result["migrated"], result["replaced"]) == (
        "done", ["shop.0002_email"], ["web"]
    )  # fmt: skip
    said = done.err
    assert said.index("shop.0002_email: done") < said.index("replace web")
    assert one.served() == "release two"
    assert one.ids().isdisjoint(before)
    assert one.applied() == ["0001_initial", "0002_email"]


def test_a_dry_run_prints_the_commands_and_changes_nothing(stack: Make) -> None:
    """`--dry-run` prints what would run, in order, and no container or image is made."""
    one = stack().django()
    done = exited(one, ["up", "--dry-run"], 0)
    lines = [line for line in done.out.splitlines() if line]
    assert lines[0] == "docker compose build web"
    assert lines[1].endswith("--format json status")
    assert lines[2].endswith("--format jsonl migrate")
    assert lines[3].endswith("--format jsonl collectstatic --volume")
    assert lines[4] == "docker compose up -d --no-deps --no-build web"
    assert len(lines) == 5
    assert one.containers() == []
    assert docker("image", "ls", "-q", f"{one.name}-web") == ""


def test_replicas_are_replaced_one_after_the_other(stack: Make) -> None:
    """Three replicas stay three, and never were fewer than two of them running."""
    one = stack().django()
    one.up()
    one.compose("up", "-d", "--no-deps", "--no-build", "--scale", "web=3", "web")
    old = one.ids()
    assert len(old) == 3
    one.release("two")
    running = one.start("up")
    running.until("3 containers, one after the other")
    fewest = 3
    while running.process.poll() is None:
        up_now = [each for each in one.containers() if each["State"]["Running"]]
        fewest = min(fewest, len(up_now))
    done = running.end()
    assert done.code == 0, done.said
    assert fewest >= 2
    assert len(one.ids()) == 3
    assert one.ids().isdisjoint(old)


def test_the_previous_images_are_kept_by_name(stack: Make) -> None:
    """Before a build the running image gets a name; names of older releases go after `keep`."""
    one = stack().django()
    for word in ("one", "two", "three", "four"):
        one.release(word)
        one.up("--settle", "0")
    kept = docker("image", "ls", "--format", "{{.Tag}}", f"tidegate/{one.name}").split()
    kept.remove("records")
    assert len(kept) == 2
    assert all(tag.startswith("web-") for tag in kept)
