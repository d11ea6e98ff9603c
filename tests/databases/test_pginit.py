"""The server that the official image runs while it initialises its volume, over a Unix socket."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.gate import APP, Runner, eventually
from support.postgres import SUPERUSER, Server, as_ordinary_user, find_installations
from support.projects import SmallProject

MakeProject = Callable[..., SmallProject]


class Initialised:
    """A volume that was just initialised, and the two servers that the image starts on it."""

    def __init__(self) -> None:
        self.server = Server(find_installations()[max(find_installations())])
        self.server.settings["listen_addresses"] = "127.0.0.1"

    @property
    def environ(self) -> dict[str, str]:
        return {
            "POSTGRES_HOST": str(self.server.socket_dir),
            "POSTGRES_PORT": str(self.server.port),
            "POSTGRES_USER": SUPERUSER,
            "POSTGRES_PASSWORD": "any",
            "POSTGRES_DB": "app",
        }

    @property
    def url(self) -> str:
        place = f"host={self.server.socket_dir}&port={self.server.port}"
        return f"postgresql://{SUPERUSER}@/app?{place}"

    def control(self, *arguments: str) -> None:
        command = [str(self.server.bindir / "pg_ctl"), "-D", str(self.server.datadir), "-w"]
        subprocess.run(
            [*command, *arguments], check=True, cwd="/", stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, **as_ordinary_user(),
        )  # fmt: skip

    def start_temporary(self) -> None:
        """As the image's entrypoint does it."""
        one = self.server
        options = (
            f"-c listen_addresses='' -p {one.port} -c unix_socket_directories={one.socket_dir}"
        )
        self.control("-o", options, "-l", str(one.directory / "temporary.log"), "start")

    def stop_temporary(self) -> None:
        self.control("-m", "fast", "stop")


@pytest.fixture
def volume() -> Iterator[Initialised]:
    one = Initialised()
    yield one
    if (one.server.datadir / "postmaster.pid").exists():
        if one.server.process:
            one.server.stop("immediate")
        else:
            one.control("-m", "immediate", "stop")


def tables(volume: Initialised) -> str:
    return volume.server.sql(
        "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", dbname="app"
    )


@pytest.mark.parametrize("framework", ["django", "alembic"])
def test_waited_out(
    framework: str, tidegate: Runner, make_project: MakeProject, volume: Initialised
):
    """Neither a missing database nor one that is there is taken at the temporary server's word."""
    project = make_project(framework)
    env = volume.environ if framework == "django" else {"DATABASE_URL": volume.url}
    volume.start_temporary()
    one = tidegate.start("boot", "--", *APP, cwd=project.root, env=env)
    one.until("initialises the volume")
    volume.server.sql("CREATE DATABASE app")
    two = tidegate.start("boot", "--", *APP, cwd=project.root, env=env)
    two.until("initialises the volume")
    assert tables(volume) == "0"
    volume.stop_temporary()
    one.until("is not there (yet)")
    volume.server.start()
    for ended in (one.end(30), two.end(30)):
        assert (ended.code, ended.out) == (0, "app started\n"), ended.said
    assert tables(volume) > "2"


def test_sealed(tidegate: Runner, make_project: MakeProject, volume: Initialised):
    """The fast path does not take it for the real one either, though the schema is current."""
    project = make_project("django")
    sealed = tidegate("seal", cwd=project.root, env=dict.fromkeys(volume.environ, "5432"))
    assert sealed.code == 0, sealed.said
    volume.server.start()
    volume.server.sql("CREATE DATABASE app")
    boot = ("boot", "--", *APP)
    assert tidegate(*boot, cwd=project.root, env=volume.environ).code == 0
    fast = tidegate("-v", *boot, cwd=project.root, env=volume.environ)
    assert "current, PostgreSQL" in fast.err, fast.said
    volume.server.stop()
    volume.start_temporary()
    one = tidegate.start(*boot, cwd=project.root, env=volume.environ)
    one.until("initialises the volume")
    volume.stop_temporary()
    volume.server.start()
    ended = one.end(30)
    assert (ended.code, ended.out) == (0, "app started\n"), ended.said


def test_wait_for(tidegate: Runner, tmp_path: Path, volume: Initialised):
    """`wait --wait-for postgresql://` over the socket waits it out as well."""
    volume.start_temporary()
    volume.server.sql("CREATE DATABASE app")
    one = tidegate.start("wait", "--wait-for", volume.url, cwd=tmp_path, env={})
    one.until("initialises the volume")
    volume.stop_temporary()
    volume.server.start()
    ended = one.end(30)
    assert ended.code == 0, ended.said


def test_meant_to_listen_nowhere(tidegate: Runner, make_project: MakeProject, volume: Initialised):
    """A server whose own configuration says that it listens nowhere is ready at once."""
    project = make_project("django")
    config = volume.server.datadir / "postgresql.conf"
    config.write_text(config.read_text() + "listen_addresses = ''\n")
    one = volume.server
    options = f"-p {one.port} -c unix_socket_directories={one.socket_dir}"
    volume.control("-o", options, "-l", str(one.directory / "own.log"), "start")
    one.sql("CREATE DATABASE app")
    done = tidegate("boot", "--", *APP, cwd=project.root, env=volume.environ)
    assert (done.code, done.out) == (0, "app started\n"), done.said
    eventually(lambda: tables(volume) > "2")
