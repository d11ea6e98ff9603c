"""`tidegate up` on the real engine: the update itself."""

from __future__ import annotations

import json
import subprocess
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


def test_a_profile_of_the_env_file(stack: Make) -> None:
    """COMPOSE_PROFILES is in force where Compose finds it; without it nothing of the app would
    start, and that is refused."""
    one = stack().django(extra="    profiles: [app]\n")
    refused = exited(one, ["up"], 2)
    assert "web is under a profile that is not in force, and does not run" in refused.err
    one.write({".env": "COMPOSE_PROFILES=app\n"})
    done = exited(one, ["up", "--dry-run"], 0)
    assert done.out.splitlines()[-1] == "docker compose up -d --no-deps --no-build web"
    text = (one.folder / "compose.yaml").read_text()
    one.write({"docker-compose.prod.yml": text, "compose.yaml": "services: {db: {image: redis:7}}"})
    both = exited(one, ["up"], 2)
    assert "tidegate -f compose.yaml -f docker-compose.prod.yml" in both.err


def test_replicas_are_replaced_one_after_the_other(stack: Make) -> None:
    """Three replicas stay three, and never were fewer than two of them running."""
    one = stack().django()
    one.begin()
    one.compose("up", "-d", "--no-deps", "--no-build", "--scale", "web=3", "web")
    old = one.ids()
    assert len(old) == 3
    one.release("two")
    filters = ("type=container", f"label=com.docker.compose.project={one.name}",
               "label=com.docker.compose.oneoff=False", "event=start", "event=die")  # fmt: skip
    words = [word for each in filters for word in ("--filter", each)]
    with subprocess.Popen(
        ["docker", "events", *words, "--format", "{{.Action}}"], stdout=subprocess.PIPE, text=True
    ) as watch:
        assert "3 containers, one after the other" in one.up("--settle", "0").err
        assert watch.stdout is not None
        seen = [watch.stdout.readline().strip() for _ in range(6)]
        watch.terminate()
    assert seen == ["die", "start"] * 3
    assert len(one.ids()) == 3
    assert one.ids().isdisjoint(old)
