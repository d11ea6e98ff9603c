"""docker-compose 1.29.2, the last of version 1, as it comes from its own package, with no Compose
beside it that `docker` knows."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.pages import lines
from support.stacks import COMPOSE_PG, DOCKERFILE, MODELS, PASSWORD, Stack, docker, exited
from tidegate.errors import PolicyRefused
from tidegate.targets.composeseen import refuse_nameless

Make = Callable[..., Stack]
# What its own requirements let in, and what of that still works with it.
PACKAGES = ("docker-compose==1.29.2", "docker<6", "urllib3<2", "requests<2.29", "setuptools<66")
ALONE = """\
#!/bin/sh
[ "$1" != compose ] || exit 1
exec {docker} "$@"
"""
CITY = "    city = models.CharField(max_length=40, default='')\n"
TITLE = "`docker-compose.local.yml`, driven from PowerShell"
PAGE = "how-to/adopt-a-compose-project.md"


@pytest.fixture(scope="module")
def programs(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with docker-compose, and with a docker that has no `compose`."""
    if sys.version_info >= (3, 12):
        pytest.skip("docker-compose 1.29.2 needs Python's distutils, which 3.12 no longer has")
    if shutil.which("uv") is None:
        pytest.skip("there is no uv to install docker-compose 1.29.2 with")
    folder = tmp_path_factory.mktemp("v1")
    (folder / "yaml").write_text("pyyaml>=6\n")  # of version 5 there is no wheel for this Python
    python = folder / "env/bin/python"
    for argv in (
        ["uv", "venv", "-q", "--python", sys.executable, str(folder / "env")],
        ["uv", "pip", "install", "-q", "--python", str(python),
         "--overrides", str(folder / "yaml"), *PACKAGES],
    ):  # fmt: skip
        # Its first start compiles what it imports; that is a small part of what it brings.
        environ = {name: one for name, one in os.environ.items() if name != "UV_COMPILE_BYTECODE"}
        done = subprocess.run(
            argv, env=environ, capture_output=True, text=True, timeout=240, check=False
        )
        if done.returncode:
            pytest.skip(f"docker-compose 1.29.2 can't be installed here: {done.stderr[-300:]}")
    place = folder / "programs"
    place.mkdir()
    (place / "docker-compose").symlink_to(folder / "env/bin/docker-compose")
    (place / "docker").write_text(ALONE.format(docker=shutil.which("docker")))
    (place / "docker").chmod(0o755)
    return place


def test_a_project_of_old(stack: Make, programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start, make, update, create a superuser and look by `docker-compose` alone; a database that
    is stopped, and whose configuration has changed since, is started with its data."""
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    one = stack("my project").django(COMPOSE_PG, at="docker-compose.local.yml").with_users()
    text = (one.folder / "docker-compose.local.yml").read_text().replace("  web:", "  django:")
    text = re.sub("^name: .*\n", "", text).replace(
        "build: .", "build: {context: ., dockerfile: ./compose/django/Dockerfile}"
    )
    # It takes options that are the engine's own defaults (an MTU) for a change of the network.
    docker("network", "create", "--label", f"com.docker.compose.project={one.name}", one.name)
    text += f"networks: {{default: {{external: true, name: {one.name}}}}}\n"
    (one.folder / "Dockerfile").unlink()
    one.write({"compose/django/Dockerfile": DOCKERFILE})
    local = one.folder / "docker-compose.local.yml"
    local.write_bytes(text.replace("\n", "\r\n").encode())
    (one.folder / ".env").write_bytes(
        f"COMPOSE_PROJECT_NAME={one.name}\r\nPOSTGRES_PASSWORD={PASSWORD}\r\n".encode()
    )
    commands = [shlex.split(line)[1:] for line in lines(PAGE, TITLE)]
    up, make, migrate, status, superuser = commands[6:]
    exited(one, [*up, "--settle", "0"], 0)
    assert one.served("django") == "release one"
    one.write({"shop/models.py": MODELS + CITY})
    assert "created shop/migrations/0002_" in exited(one, make, 0).out
    docker("stop", "-t", "1", *one.ids("db"))
    local.write_text(text.replace("POSTGRES_DB: shop", "POSTGRES_DB: shop\n      TZ: UTC"))
    assert "db: not running, and needed" in exited(one, migrate, 0).err
    assert "TZ=UTC" in one.containers("db")[0]["Config"]["Env"]
    done = exited(one.release("two"), [*up, "--settle", "0"], 0)
    assert "15 steps applied, 1 to apply" in done.err
    assert one.served("django") == "release two"
    env = {"DJANGO_SUPERUSER_USERNAME": "mei", "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
           "DJANGO_SUPERUSER_EMAIL": "mei@example.org"}  # fmt: skip
    made = one.tidegate(*superuser, env=env)
    assert made.code == 0, made.said
    assert exited(one, status, 0).out.splitlines()[-1] == "next: nothing to do"


def test_a_volume_without_a_name() -> None:
    """Version 1 has to remove a container before its next one: where the only data would stay
    behind in a volume that nobody finds, that is refused, with what to type."""
    volume = "0f" * 32
    mount = {"Type": "volume", "Name": volume, "Destination": "/var/lib/data"}
    raw = {"Name": "/shop_db_1", "Config": {"Image": "postgres:15"}, "Mounts": [mount]}
    with pytest.raises(PolicyRefused, match="new container of db would begin with an empty") as it:
        refuse_nameless("db", raw)
    assert "docker start shop_db_1" in it.value.next
    assert f"-v {volume}:/from:ro" in it.value.next
    refuse_nameless("db", {**raw, "Mounts": [{"Type": "volume", "Name": "shop_data"}]})
