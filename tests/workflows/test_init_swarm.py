"""The stack of `tidegate init --target swarm` on a real swarm: it runs, and goes back.

Where the engine is a swarm's manager already: that is for whoever owns the engine to decide.
"""

from __future__ import annotations

import re
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from workflows.test_init import adapted, bare, init, wheels  # noqa: F401  (wheels is a fixture)

VALUES = {"DB_PASSWORD": "a1b2c3", "DJANGO_SECRET_KEY": "only-for-this-test"}


def docker(*argv: str, cwd: Path | None = None, stdin: str = "", tag: str = "1") -> str:
    done = subprocess.run(
        ["env", f"TAG={tag}", "docker", *argv],
        cwd=cwd, input=stdin, capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    return (done.stdout + done.stderr).strip()


@pytest.fixture
def manager() -> None:
    """An engine that manages a swarm. None is made here: leaving one takes every container of the
    engine its neighbours' names, those of tests that run at the same time too."""
    state = docker("info", "--format", "{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}")
    if state != "active true":
        pytest.skip("the engine manages no swarm; `docker swarm init` makes it one")


@pytest.fixture
def stack(
    request: pytest.FixtureRequest,
    manager: None,
    tmp_path: Path,
    wheels: Path,  # noqa: F811
) -> Iterator[tuple[str, Path, str]]:
    """A deployed stack: its name, the project's folder, and the image's name."""
    example, driver = request.param
    root = bare(example, tmp_path)
    (root / ".python-version").write_text("3.11\n")
    assert init(root, "--yes", "--target", "swarm").returncode == 0
    adapted(root, wheels)
    name = f"doctor-{uuid.uuid4().hex[:8]}"
    image = f"registry.example.com/{name}"
    text = (root / "stack.yaml").read_text()
    made = re.findall(rf"name: ({example}_\w+)", text)
    text = text.replace(f"registry.example.com/{example}", image).replace(
        f"name: {example}_", f"name: {name}_"
    )
    text = text.replace("postgres:17", "postgres:15").replace("monitor: 60s", "monitor: 3s")
    text = re.sub("stop_grace_period: .*", "stop_grace_period: 5s", text)
    text = re.sub(r"interval: \d+s", "interval: 1s", text).replace("delay: 5s", "delay: 1s")
    # Not every kernel has what a swarm's own addresses need, and a port of the host may be taken.
    text = text.replace("    deploy:\n", "    deploy:\n      endpoint_mode: dnsrr\n")
    text = re.sub(r"    # A swarm listens.*\n    ports:.*\n.*\n", "", text)
    (root / "stack.yaml").write_text(text)
    for secret in made:
        key = secret.removeprefix(f"{example}_").upper()
        value = VALUES.get(key, f"{driver}://{example}:{VALUES['DB_PASSWORD']}@db:5432/{example}")
        docker("secret", "create", secret.replace(example, name, 1), "-", stdin=value)
    try:
        docker("build", "--tag", f"{image}:1", ".", cwd=root)
        docker("build", "--tag", f"{image}:2", "-", stdin=f"FROM {image}:1\nRUN true\n")
        docker("stack", "deploy", "--resolve-image=never", "-c", "stack.yaml", name, cwd=root)
        yield name, root, image
    finally:
        docker("stack", "rm", name)
        of_stack = ("--filter", f"label=com.docker.stack.namespace={name}")
        until(lambda: not docker("ps", "-q", *of_stack))
        for task in docker("ps", "-aq", *of_stack).split():
            docker("rm", "--force", task)
        for secret in made:
            docker("secret", "rm", secret.replace(example, name, 1))
        for volume in docker("volume", "ls", "-q", "--filter", f"name={name}").split():
            docker("volume", "rm", volume)
        docker("image", "rm", "--force", f"{image}:1", f"{image}:2")


def until(happened: Callable[[], object], seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(1)


def running(name: str) -> list[str]:
    said = docker("stack", "services", name, "--format", "{{.Name}} {{.Replicas}}").split("\n")
    return [one for one in said if len(set(one.rpartition(" ")[2].split("/"))) == 1]


@pytest.mark.parametrize("stack", [("menuplanner", "postgresql+psycopg")], indirect=True)
def test_it_runs(stack: tuple[str, Path, str]) -> None:
    """Both replicas of the backend are well, and one of them has made the schema."""
    name, _, _ = stack
    until(lambda: len(running(name)) == 2)
    (task,) = docker("ps", "-q", "--filter", f"name={name}_db").split()
    asked = ("exec", task, "psql", "-U", "menuplanner", "-Atc", "SELECT count(*) FROM tidegate_run")
    assert docker(*asked) == "1"


@pytest.mark.parametrize("stack", [("taskboard", "postgresql")], indirect=True)
def test_it_runs_and_goes_back(stack: tuple[str, Path, str]) -> None:
    """Every service has its replicas and its health, and a release that ends is taken back."""
    name, root, image = stack
    until(lambda: len(running(name)) == 5)
    path = root / "stack.yaml"
    path.write_text(
        re.sub(r'command: \["tidegate", "boot", "--", .*', 'command: ["false"]', path.read_text())
    )
    docker("stack", "deploy", "--resolve-image=never", "-c", "stack.yaml", name, cwd=root, tag="2")
    state = ("service", "inspect", f"{name}_web", "--format", "{{.UpdateStatus.State}}")
    until(lambda: docker(*state) == "rollback_completed")
    (spec,) = {
        docker(
            "service",
            "inspect",
            f"{name}_web",
            "--format",
            "{{.Spec.TaskTemplate.ContainerSpec.Image}}",
        )
    }
    assert spec == f"{image}:1"
    until(lambda: f"{name}_web 2/2" in running(name))
