"""`tidegate init`: what it writes is right for doctor, for Compose, and for the engine."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.forked import tidegate_in
from support.stacks import forget_images
from tidegate.reading.project import dockerfile
from tidegate.reading.project.project import ProjectFiles
from tidegate.workflows.doctor import story

ROOT = Path(__file__).resolve().parents[2]
OURS = (
    "Dockerfile",
    ".dockerignore",
    "compose.yaml",
    "compose.dev.yaml",
    "compose.postgres.yaml",
    ".env.example",
)
WRITTEN = ["Dockerfile", ".dockerignore", "compose.yaml", "compose.dev.yaml", ".env.example",
           ".github/workflows/tidegate.yml", ".pre-commit-config.yaml", ".gitignore"]  # fmt: skip


def init(root: Path, *argv: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return tidegate_in(root, *before, "init", *argv)


def bare(name: str, folder: Path) -> Path:
    """Copy an example without what init writes."""
    root = folder / name
    shutil.copytree(
        ROOT / "examples" / name,
        root,
        ignore=shutil.ignore_patterns("__pycache__", ".venv", "*.sqlite3"),
    )
    for path in OURS:
        (root / path).unlink(missing_ok=True)
    return root


def started(folder: Path) -> Path:
    """Make a project as Django's own tutorial begins, with PostgreSQL's driver."""
    root = folder / "fresh"
    root.mkdir()
    subprocess.run(
        [sys.executable, "-m", "django", "startproject", "fresh", "."],
        cwd=root,
        check=True,
        timeout=60,
    )
    (root / "requirements.txt").write_text("django>=5.2,<6\npsycopg[binary]\n")
    settings = root / "fresh" / "settings.py"
    head, tail = settings.read_text().split("DATABASES = {", 1)
    rest = tail.split("\n}\n", 1)[1]
    settings.write_text("import os\n" + head + READ + rest)
    return root


READ = """DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ.get("DB_HOST", "localhost"),
        "NAME": os.environ.get("DB_NAME", ""),
        "USER": os.environ.get("DB_USER", ""),
        "PASSWORD": os.environ.get("DB_PASSWORD", ""),
    }
}
"""


def filled(root: Path) -> None:
    """Do what the message says: copy .env.example and fill it in."""
    text = (root / ".env.example").read_text()
    (root / ".env").write_text(re.sub(r"^(\w+)=$", r"\1=a1b2c3d4e5", text, flags=re.MULTILINE))


@pytest.mark.parametrize("name", ["taskboard", "menuplanner", "fresh"])
def test_doctor_has_nothing_to_say(name: str, tmp_path: Path) -> None:
    """What is written passes every check, information included."""
    root = started(tmp_path) if name == "fresh" else bare(name, tmp_path)
    done = init(root, "--yes")
    assert done.returncode == 0, done.stderr
    assert [path for path in WRITTEN if not (root / path).is_file()] == []
    assert [(one.rule, one.problem.place) for one in story.examine(ProjectFiles(root))] == []


def test_a_project_without_variables(tmp_path: Path) -> None:
    """An app on SQLite that reads no variable gets a Compose file that can be read."""
    yaml = pytest.importorskip("yaml")
    root = started(tmp_path)
    (root / "requirements.txt").write_text("django>=5.2,<6\n")
    assert init(root, "--yes").returncode == 0
    written = yaml.safe_load((root / "compose.yaml").read_text())
    assert isinstance(written["x-env"], dict)


@pytest.mark.parametrize("name", ["taskboard", "menuplanner", "fresh"])
def test_compose_takes_the_files(name: str, tmp_path: Path) -> None:
    """`docker compose config` accepts both stacks, once .env is filled in."""
    if not shutil.which("docker"):
        pytest.skip("docker is not installed")
    root = started(tmp_path) if name == "fresh" else bare(name, tmp_path)
    init(root, "--yes")
    filled(root)
    for files in (("compose.yaml",), ("compose.yaml", "compose.dev.yaml")):
        argv = [
            "docker",
            "compose",
            *(word for one in files for word in ("-f", one)),
            "config",
            "-q",
        ]
        done = subprocess.run(
            argv, cwd=root, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_what_exists_is_left_alone(tmp_path: Path) -> None:
    """A Dockerfile and a Compose file of the project's own stay; a second time writes nothing."""
    root = bare("taskboard", tmp_path)
    (root / "Dockerfile").write_text("FROM scratch\n")
    (root / "docker-compose.yml").write_text("services: {web: {build: .}}\n")
    done = init(root, "--yes")
    assert (root / "Dockerfile").read_text() == "FROM scratch\n"
    assert not (root / "compose.yaml").exists()
    assert "leave   Dockerfile  (it is there already)" in done.stdout
    assert "leave   compose.yaml  (the project has its own)" in done.stdout
    found = json.loads(init(root, "--yes", before=("--format", "json")).stdout)
    assert [one["path"] for one in found["files"] if one["written"]] == []


def test_it_asks(tmp_path: Path) -> None:
    """Without a terminal and without --yes nothing is written; --dry-run shows the files."""
    root = bare("menuplanner", tmp_path)
    before = sorted(root.rglob("*"))
    assert "nothing was written" in init(root).stdout
    assert 'ENTRYPOINT ["tidegate", "boot", "--"]' in init(root, "--dry-run").stdout
    assert sorted(root.rglob("*")) == before


def test_no_project_is_2(tmp_path: Path) -> None:
    """A folder without Django and Alembic is wrong usage."""
    done = init(tmp_path)
    assert done.returncode == 2
    assert "no Django or Alembic project was found" in done.stderr


@pytest.mark.parametrize(
    ("lock", "says", "compiles"),
    [("uv.lock", "uv sync --frozen --no-dev", "ENV PATH=/venv/bin:$PATH UV_COMPILE_BYTECODE=1\n"),
     ("poetry.lock", "poetry install --only main", " --compile ")],
)  # fmt: skip
def test_package_managers(lock: str, says: str, compiles: str, tmp_path: Path) -> None:
    """A lock file decides what installs the packages, with the bytecode that no start can keep."""
    root = bare("taskboard", tmp_path)
    (root / lock).write_text('[[package]]\nname = "psycopg"\nversion = "3.2"\n')
    (root / "pyproject.toml").write_text('[project]\nname = "t"\nrequires-python = ">=3.13"\n')
    init(root, "--yes")
    text = (root / "Dockerfile").read_text()
    assert says in text and compiles in text
    assert dockerfile.parse(text, "Dockerfile").stages[-1].base == "python:3.13-slim"


def test_a_library_to_compile_against(tmp_path: Path) -> None:
    """psycopg2 gets its headers in the build stage and its library in the last one."""
    root = bare("taskboard", tmp_path)
    (root / "requirements.txt").write_text("django\npsycopg2\n")
    init(root, "--yes")
    first, last = (root / "Dockerfile").read_text().split("\nFROM ", 2)[1:]
    assert "libpq-dev" in first and "libpq-dev" not in last
    assert "libpq5" in last


def test_no_secret_is_written(tmp_path: Path) -> None:
    """Secrets are names to be filled in, in no file and no layer."""
    root = bare("taskboard", tmp_path)
    init(root, "--yes")
    assert "DB_PASSWORD=\n" in (root / ".env.example").read_text()
    assert "DJANGO_SECRET_KEY=\n" in (root / ".env.example").read_text()
    assert "ENV DJANGO_SECRET_KEY" not in (root / "Dockerfile").read_text()
    assert ".env\n" in (root / ".dockerignore").read_text()


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    if not shutil.which("uv"):
        pytest.skip("uv is not installed")
    subprocess.run(
        ["uv", "build", "--wheel", "-q", "-o", str(folder), str(ROOT)], check=True, timeout=120
    )
    return folder


@pytest.mark.parametrize("name", ["taskboard", "menuplanner"])
def test_what_it_writes_runs(name: str, wheels: Path, tmp_path: Path) -> None:
    """The image builds, the stack gets healthy, the schema is there; and pods' containers run."""
    try:
        info = subprocess.run(
            ["docker", "info"], capture_output=True, timeout=30, check=False
        ).returncode
    except (OSError, subprocess.TimeoutExpired):
        info = 1
    if info:
        pytest.skip("no Docker engine is running")
    root = bare(name, tmp_path)
    (root / ".python-version").write_text("3.11\n")
    assert init(root, "--yes", "--target", "kubernetes").returncode == 0
    filled(root)
    adapted(root, wheels)
    project = f"doctor-{uuid.uuid4().hex[:10]}"

    def compose(*argv: str) -> str:
        done = subprocess.run(
            ["docker", "compose", "-p", project, *argv],
            cwd=root,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        return done.stdout + done.stderr

    try:
        said = compose("up", "--build", "--detach", "--wait", "--wait-timeout", "240")
        states = compose("ps", "--format", "{{.Service}} {{.Health}}").split("\n")
        services = (
            ["beat", "db", "redis", "web", "worker"] if name == "taskboard" else ["db", "web"]
        )
        assert sorted(filter(None, states)) == [f"{one} healthy" for one in services], (
            said[-2000:] + compose("logs")[-3000:]
        )
        status = compose("exec", "-T", "web", "tidegate", "--format", "json", "status")
        assert json.loads(status)["databases"][0]["state"] == "current"
        assert ": current;" in compose("run", "--rm", "migrations")
        as_pods(root, project, compose)
    finally:
        compose("down", "--volumes", "--timeout", "1")
        forget_images(project)


def as_pods(root: Path, project: str, compose: Callable[..., str]) -> None:
    """Run each container of the manifests as its pod would: as nobody, on a read-only disk."""
    yaml = pytest.importorskip("yaml")
    given = dict(
        one.split("=", 1) for one in compose("exec", "-T", "web", "env").split() if "=" in one
    )
    secrets = re.findall(r"^(\w+)=", (root / "kubernetes/secret.env.example").read_text(), re.M)
    config = yaml.safe_load((root / "kubernetes/config.yaml").read_text())["data"]
    image = compose("images", "web", "--quiet").strip()

    def docker(*argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", *argv], capture_output=True, text=True, timeout=120, check=False
        )

    def command(one: dict[str, Any], *options: str) -> list[str]:
        variables = {**config, **{name: given[name] for name in secrets}}
        out = ["run", *options, "--network", f"{project}_default", "--read-only",
               "--user", "10001:10001", "--cap-drop", "ALL",
               "--security-opt", "no-new-privileges"]  # fmt: skip
        for mount in one["volumeMounts"]:
            out += ["--tmpfs", f"{mount['mountPath']}:uid=10001,gid=10001"]  # as fsGroup does it
        out += [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
        return [*out, "--entrypoint", one["command"][0], image, *one["command"][1:]]

    (job,) = yaml.safe_load_all((root / "kubernetes/migrations.yaml").read_text())
    done = docker(*command(job["spec"]["template"]["spec"]["containers"][0], "--rm"))
    assert done.returncode == 0, done.stderr
    deployment, *_ = yaml.safe_load_all((root / "kubernetes/web.yaml").read_text())
    pod = deployment["spec"]["template"]["spec"]
    done = docker(*command(pod["initContainers"][0], "--rm"))
    assert done.returncode == 0, done.stderr
    web = pod["containers"][0]
    name = f"{project}-pod"
    try:
        docker(*command(web, "--detach", "--name", name))
        end = time.monotonic() + 60
        while docker("exec", name, *web["startupProbe"]["exec"]["command"]).returncode:
            assert time.monotonic() < end, docker("logs", name)
            time.sleep(0.5)
        assert docker("exec", name, *web["readinessProbe"]["exec"]["command"]).returncode == 0
    finally:
        docker("rm", "--force", name)


def adapted(root: Path, wheels: Path) -> None:
    """Take this tidegate instead of a published one, and the server version that CI has."""
    shutil.copytree(wheels, root / "wheels")
    (root / "wheels").chmod(0o755)
    text = (root / "Dockerfile").read_text()
    # The project's own packages in a layer of their own: it stays when our wheel changes.
    ours = (
        "COPY wheels /wheels\nRUN pip install --no-deps --no-index --find-links /wheels tidegate\n"
    )
    text, made = re.subn(r"(pip install -r requirements.txt) tidegate( .*\n)", r"\1\2" + ours, text)
    assert made == 1
    (root / "Dockerfile").write_text(text)
    for path in ("compose.yaml",):
        text = (root / path).read_text().replace("postgres:17", "postgres:15")
        (root / path).write_text(
            text.replace("${PORT:-8000}", "0").replace(
                f"image: {root.name}:", f"image: {root.name}-{uuid.uuid4().hex[:6]}:"
            )
        )
