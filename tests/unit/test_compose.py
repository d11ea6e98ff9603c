"""Compose's command lines, files and services as values; nothing is started here."""

from __future__ import annotations

import stat
import subprocess
import sys
import zipfile
from pathlib import Path, PureWindowsPath

import pytest

from tidegate.contracts.target import Ambiguous, Asked
from tidegate.errors import UsageProblem
from tidegate.model.command import windows_line
from tidegate.targets import archive, compose, composefiles, composeservices
from tidegate.targets.composeargs import Words, mount
from tidegate.targets.composesettings import gather

NONE: dict[str, object] = {}


def test_windows_paths_become_mounts() -> None:
    """A drive's colon is not the separator; a mode and a path with a space are kept."""
    path = str(PureWindowsPath("C:/Users/Mei Lin/shop"))
    assert mount(path, "/app") == "C:/Users/Mei Lin/shop:/app"
    assert mount(path + ":ro", "/x.pyz") == "C:/Users/Mei Lin/shop:/x.pyz:ro"
    assert mount("/home/mei/a b", "/app") == "/home/mei/a b:/app"
    assert mount("", "/app/.venv") == "/app/.venv"


def test_powershell_reads_the_shown_line_as_the_words() -> None:
    """Words with spaces, quotes or dollars stand in single quotes; so does what it would divide."""
    words = ["docker", "compose", "-f", "C:\\a b\\c.yml", "run", "it's $HOME", "--x=1"]
    assert windows_line(words) == ("docker compose -f 'C:\\a b\\c.yml' run 'it''s $HOME' --x=1")
    assert windows_line(["tidegate", "up", "--only", "web,db"]) == "tidegate up --only 'web,db'"
    assert windows_line(["x", "-a.b", "--a.b", "@b"]) == "x '-a.b' --a.b '@b'"
    assert windows_line(["C:\\Program Files\\x", "y"]) == "& 'C:\\Program Files\\x' y"


def test_every_command_begins_alike() -> None:
    """Env files, files, project and profiles come before Compose's own verb, in this order."""
    words = Words(("docker-compose",), Path("x"), ("d/c.yml",), (".env",), ("p",), "shop")
    begin = ("docker-compose", "--env-file", ".env", "-f", "d/c.yml", "-p", "shop",
             "--profile", "p")  # fmt: skip
    assert words.build(["web"]).argv == (*begin, "build", "web")
    assert words.up(["web"], recreate=False, scale={"web": 3}).argv == (
        *begin, "up", "-d", "--no-deps", "--no-build", "--no-recreate", "--scale", "web=3", "web",
    )  # fmt: skip
    assert words.run("web", ("b",), entrypoint="a", tty=True, environ=("NAME",)).argv == (
        *begin, "run", "--rm", "--no-deps", "-e", "NAME", "--entrypoint", "a", "web", "b",
    )  # fmt: skip
    assert words.exec("web", ("a",)).argv == (*begin, "exec", "-T", "web", "a")
    assert words.logs(["web"], "5", True).argv == (*begin, "logs", "--tail", "5", "--follow", "web")


def find(root: Path, **more: object) -> composefiles.Files | None:
    asked = Asked(**more)  # type: ignore[arg-type]
    return composefiles.find(root, asked, gather(asked, NONE, NONE, {}), {})


def put(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"services:\r\n  web:\r\n    image: x\r\n")


@pytest.mark.parametrize(
    ("names", "named", "own"),
    [
        (("compose.yaml", "compose.override.yml", "compose.dev.yaml"), (),
         ("compose.yaml", "compose.override.yml")),
        (("docker-compose.local.yml",), ("docker-compose.local.yml",), ()),
        (("docker/docker-compose.yml", ".env"), ("docker/docker-compose.yml",), ()),
        (("deploy/compose.prod.yaml",), ("deploy/compose.prod.yaml",), ()),
        (("local.yml",), ("local.yml",), ()),
    ],
)  # fmt: skip
def test_files_are_found_by_their_names(
    tmp_path: Path, names: tuple[str, ...], named: tuple[str, ...], own: tuple[str, ...]
) -> None:
    """Compose's own names are left to Compose; any other is named to it."""
    put(tmp_path, *names)
    found = find(tmp_path)
    assert found is not None
    assert (found.named, found.own) == (named, own)


def test_no_file_is_no_project(tmp_path: Path) -> None:
    """Other YAML files are not Compose's."""
    (tmp_path / "local.yml").write_text("hosts: all\n")
    assert find(tmp_path) is None
    assert not compose.signs(tmp_path)


def test_several_files_are_ambiguous(tmp_path: Path) -> None:
    """The choices are there, each with the answer that would settle it."""
    put(tmp_path, "docker-compose.local.yml", "docker-compose.production.yml")
    with pytest.raises(Ambiguous) as caught:
        find(tmp_path)
    assert [label for label, _ in caught.value.choices] == [
        "docker-compose.local.yml", "docker-compose.production.yml"
    ]  # fmt: skip
    found = find(tmp_path, environment="prod")
    assert found is not None
    assert found.named == ("docker-compose.production.yml",)


def test_settings_rise(tmp_path: Path) -> None:
    """The common table, the environment's, the variable, the flag."""
    common: dict[str, object] = {"service": "a", "settle": 1, "files": ["x.yml", "y.yml"]}
    named: dict[str, object] = {"qa": {"service": "b"}}
    values = gather(Asked(environment="qa"), common, named, {"TIDEGATE_COMPOSE_SETTLE": "2"})
    assert values.words("files") == ("x.yml", "y.yml")
    assert (values.text("service"), values.source("service")) == (
        "b", "[tool.tidegate.environments.qa]"
    )  # fmt: skip
    assert values.text("settle") == "2"
    assert gather(Asked(service="c"), common, named, {}).text("service") == "c"
    with pytest.raises(UsageProblem, match="settle is 'soon'"):
        gather(Asked(values={"settle": "soon"}), common, named, {})


def project(tmp_path: Path, **services: dict[str, object]) -> dict[str, object]:
    (tmp_path / "manage.py").write_text("")
    return {"name": "shop", "services": services}


def test_the_backend_is_the_one_with_the_migrations(tmp_path: Path) -> None:
    """Workers share its code and are told by their command; the database by its image."""
    build = {"build": {"context": str(tmp_path)}}
    config = project(
        tmp_path,
        app={**build, "depends_on": {"pg": {"condition": "service_healthy"}}},
        jobs={**build, "command": ["celery", "-A", "shop", "worker"]},
        migrate={**build, "profiles": ["tools"]},
        pg={"image": "registry.local/postgis/postgis:15"},
    )
    found = composeservices.services(config, ())
    values = gather(Asked(), NONE, NONE, {})
    told = composeservices.backend(found, config, values)
    assert told is not None
    assert (told.value, told.guessed) == ("app", True)
    assert composeservices.migrator(found, values, "app").value == "migrate"
    assert composeservices.database(found, values, "app").value == "pg"
    assert [one.name for one in found] == ["pg", "app", "jobs", "migrate"]
    assert [one.active for one in found] == [True, True, True, False]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["python", "/code/manage.py", "runserver"], "/code"),
        (["sh", "-c", "cd /code && gunicorn shop.wsgi"], "/code"),
        (["python", "/codes/manage.py"], ""),
        (["python", "/srv/code/manage.py"], ""),
        (["gunicorn", "shop.wsgi"], ""),
    ],
)
def test_code_that_runs_where_it_is_mounted(
    tmp_path: Path, command: list[str], expected: str
) -> None:
    """Where the command names the mount by its path, that is the code, not the image's own."""
    mount = {"type": "bind", "source": str(tmp_path), "target": "/code"}
    raw = {"command": command, "volumes": [{"type": "volume", "target": "/data"}, mount]}
    assert composeservices.elsewhere(raw, tmp_path) == expected
    inner = [word.replace("/code/", "/code/web/") for word in command]
    assert composeservices.elsewhere({**raw, "command": inner}, tmp_path / "web") == (
        "/code/web" if "/code/web/manage.py" in inner else ""
    )
    assert composeservices.elsewhere({"command": command}, tmp_path) == ""


def test_secrets_are_told_by_name_and_in_urls(tmp_path: Path) -> None:
    """Values of password-like variables and passwords in URLs are masked, dollars unescaped."""
    config = project(
        tmp_path,
        web={"environment": {
            "DB_PASSWORD": "se$$ame-1", "DATABASE_URL": "postgresql://u:hush-2@db/x", "MODE": "on",
        }},
    )  # fmt: skip
    assert set(composeservices.secrets(config)) == {"se$ame-1", "hush-2"}


def test_dependencies_in_a_circle_end() -> None:
    """A circle is Compose's to refuse; ordering must not hang on it."""
    one = composeservices.services(
        {"services": {"a": {"depends_on": ["b"]}, "b": {"depends_on": ["a"]}}}, ()
    )
    assert {each.name for each in one} == {"a", "b"}


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_the_old_docker_compose_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `docker compose`, `docker-compose` is taken; version 1 is told by its number."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in (("docker", "exit 1"), ("docker-compose", "echo 1.29.2")):
        path = programs / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    assert compose._program() == ("docker-compose",)
    assert compose._first_generation()
    (programs / "docker-compose").unlink()
    with pytest.raises(UsageProblem, match="neither `docker compose` nor"):
        compose._program()


def test_version_1_volumes_are_read(tmp_path: Path) -> None:
    """Short volumes become long ones: relative, absolute, Windows and named sources."""
    raw = {"volumes": ["./src:/app:rw", "C:\\src:/app", "data:/data", "/only"]}
    assert compose._long(raw) == [
        {"type": "bind", "source": "./src", "target": "/app"},
        {"type": "bind", "source": "C:\\src", "target": "/app"},
        {"type": "volume", "source": "data", "target": "/data"},
    ]


def test_the_archive_is_the_inside_alone(tmp_path: Path) -> None:
    """The one file holds no part of the outside, runs, and is the same for the same source."""
    path = archive.write(tmp_path / "one.pyz")
    assert path.read_bytes() == archive.content()
    names = zipfile.ZipFile(path).namelist()
    outside = ("workflows", "targets", "reporters", "outside", "remote", "process", "/up.py")
    assert [name for name in names if any(word in name for word in outside)] == []
    done = subprocess.run(
        [sys.executable, "-I", str(path), "--help"], capture_output=True, text=True, check=True
    )
    assert "boot" in done.stdout
