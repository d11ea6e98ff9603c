"""`tidegate init --target`: stacks and manifests that others find right too, and that run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tidegate.reading.project.project import ProjectFiles
from tidegate.workflows.doctor import story
from workflows.test_init import bare, filled, init, started

yaml = pytest.importorskip("yaml")
PROJECTS = ["taskboard", "fresh"]
VERSIONS = ("1.29", "1.33")


def project(name: str, folder: Path) -> Path:
    return started(folder) if name == "fresh" else bare(name, folder)


def targeted(name: str, folder: Path) -> Path:
    root = project(name, folder)
    done = init(root, "--yes", "--target", "kubernetes", "--target=swarm")
    assert done.returncode == 0, done.stderr
    return root


def documents(root: Path) -> list[dict[str, Any]]:
    out = []
    for path in sorted((root / "kubernetes").glob("*.yaml")):
        out += [
            one for one in yaml.safe_load_all(path.read_text()) if one["kind"] != "Kustomization"
        ]
    return out


def pods(root: Path) -> list[tuple[str, dict[str, Any]]]:
    return [
        (one["metadata"]["name"], one["spec"]["template"]["spec"])
        for one in documents(root)
        if one["kind"] in ("Deployment", "Job")
    ]


@pytest.mark.parametrize("name", PROJECTS)
def test_the_published_schemas_accept_the_manifests(name: str, tmp_path: Path) -> None:
    """Every document is valid, unknown keys forbidden, for an older and a newer Kubernetes."""
    validate = pytest.importorskip("kubernetes_validate")
    found = documents(targeted(name, tmp_path))
    kinds = {one["kind"] for one in found}
    assert kinds >= {"Job", "Deployment", "Service", "ConfigMap", "PodDisruptionBudget"}
    for one in found:
        for version in VERSIONS:
            validate.validate(one, version, strict=True)


@pytest.mark.parametrize("name", PROJECTS)
def test_doctor_is_silent_about_both(name: str, tmp_path: Path) -> None:
    """Neither the manifests nor the stack bring a finding, information included."""
    root = targeted(name, tmp_path)
    assert story.examine(ProjectFiles(root)) == []
    assert story.examine(ProjectFiles(root, ("stack.yaml",))) == []


def test_pods_wait_for_the_schema_and_may_do_little(tmp_path: Path) -> None:
    """One Job migrates; every other pod begins with waiting, as nobody, on a read-only disk."""
    for name, spec in pods(targeted("taskboard", tmp_path)):
        every = [*spec.get("initContainers", []), *spec["containers"]]
        migrating = [one for one in every if "migrate" in one["command"]]
        assert bool(migrating) == name.endswith("-migrations")
        if not migrating:
            (first,) = spec["initContainers"]
            assert first["command"][-1] == "true" and "wait" in first["command"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["enableServiceLinks"] is False
        for one in every:
            assert one["securityContext"]["readOnlyRootFilesystem"] is True
            assert one["resources"]["limits"]["memory"]


def test_no_manifest_holds_a_secret(tmp_path: Path) -> None:
    """Secrets are references: their names stand in the example alone, and that has no values."""
    root = targeted("taskboard", tmp_path)
    assert all(one["kind"] != "Secret" for one in documents(root))
    for one in documents(root):
        if one["kind"] == "ConfigMap":
            assert not {"DATABASE_URL", "DJANGO_SECRET_KEY", "DB_PASSWORD"} & set(one["data"])
    example = (root / "kubernetes/secret.env.example").read_text()
    assert "DJANGO_SECRET_KEY=\n" in example
    assert "DATABASE_URL=postgresql://USER:PASSWORD@HOST/" in example
    stack = yaml.safe_load((root / "stack.yaml").read_text())
    assert all(one["external"] is True for one in stack["secrets"].values())
    assert "secret.env" in (root / ".gitignore").read_text()


def test_probes_go_to_the_health_endpoints_where_they_are_wired(tmp_path: Path) -> None:
    """With tidegate.health in the app the three paths are asked, and boot answers before it."""
    root = project("fresh", tmp_path)
    settings = root / "fresh/settings.py"
    text = settings.read_text()
    settings.write_text(
        text.replace("MIDDLEWARE = [", 'MIDDLEWARE = [\n    "tidegate.health.django.Middleware",')
    )
    init(root, "--yes", "--target", "kubernetes")
    (web,) = [spec["containers"][0] for name, spec in pods(root) if name == "fresh"]
    paths = [
        web[one]["httpGet"]["path"] for one in ("startupProbe", "readinessProbe", "livenessProbe")
    ]
    assert paths == ["/startupz", "/readyz", "/livez"]
    (config,) = [one for one in documents(root) if one["kind"] == "ConfigMap"]
    assert config["data"]["TIDEGATE_STARTUP_PORT"] == "8000"


def test_an_update_of_the_stack_starts_first_and_can_go_back(tmp_path: Path) -> None:
    """The new release is healthy before the old one stops; beat is never there twice."""
    services = yaml.safe_load((targeted("taskboard", tmp_path) / "stack.yaml").read_text())[
        "services"
    ]
    for name in ("web", "worker", "beat"):
        deploy = services[name]["deploy"]
        assert deploy["update_config"]["failure_action"] == "rollback"
        order = "stop-first" if name == "beat" else "start-first"
        assert deploy["update_config"]["order"] == order
        assert "healthcheck" in services[name]
    assert services["beat"]["deploy"]["replicas"] == 1


@pytest.mark.parametrize("name", PROJECTS)
def test_docker_takes_the_stack(name: str, tmp_path: Path) -> None:
    """`docker stack config` reads it, and asks for the release's tag."""
    if not shutil.which("docker"):
        pytest.skip("docker is not installed")
    root = targeted(name, tmp_path)
    argv = ["docker", "stack", "config", "-c", "stack.yaml"]
    without = subprocess.run(argv, cwd=root, capture_output=True, text=True, check=False)
    if "not a docker command" in without.stderr or "unknown command" in without.stderr:
        pytest.skip("this docker can't read stacks without a swarm")
    assert without.returncode and "the release to run" in without.stderr
    done = subprocess.run(
        ["env", "TAG=1", *argv], cwd=root, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_stack_gives_secrets_as_variables(tmp_path: Path) -> None:
    """Its entrypoint turns each file of /run/secrets into a variable, and becomes the command."""
    stack = yaml.safe_load((targeted("taskboard", tmp_path) / "stack.yaml").read_text())
    shell = [one.replace("$$", "$") for one in stack["services"]["web"]["entrypoint"]]
    (tmp_path / "DB_PASSWORD").write_text("a $b 'c'\n")
    shell[2] = shell[2].replace("/run/secrets", str(tmp_path))
    (tmp_path / "taskboard").rename(tmp_path.parent / f"{tmp_path.name}-away")
    code = "import os; print(os.environ['DB_PASSWORD'], os.getpid())"
    process = subprocess.Popen(
        [*shell, sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    )
    assert process.communicate(timeout=30)[0] == f"a $b 'c' {process.pid}\n"


@pytest.mark.parametrize("target", ["kubernetes", "swarm"])
def test_sqlite_does_not_fit_a_cluster(target: str, tmp_path: Path) -> None:
    """It is refused, with the reason."""
    root = started(tmp_path)
    (root / "requirements.txt").write_text("django\n")
    settings = root / "fresh/settings.py"
    settings.write_text(settings.read_text().replace("backends.postgresql", "backends.sqlite3"))
    done = init(root, "--target", target)
    assert done.returncode == 2
    assert f"SQLite does not fit {target}" in done.stderr


@pytest.mark.parametrize("argv", [("--target",), ("--target", "nomad")])
def test_a_target_that_is_not_there(argv: tuple[str, ...], tmp_path: Path) -> None:
    """Wrong usage names what there is."""
    done = init(bare("taskboard", tmp_path), *argv)
    assert done.returncode == 2
    assert "kubernetes" in done.stderr


@pytest.mark.parametrize("lock", ["", "uv.lock", "poetry.lock", "pyproject.toml"])
def test_hadolint_has_nothing_to_say(lock: str, tmp_path: Path) -> None:
    """Whatever installs the packages, the Dockerfile passes without a remark."""
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which(
        "hadolint"
    )
    if not hadolint:
        pytest.skip("hadolint is not installed")
    root = bare("taskboard", tmp_path)
    if lock:
        (root / "requirements.txt").unlink()
        (root / "pyproject.toml").write_text(
            '[project]\nname = "t"\ndependencies = ["django", "psycopg2"]\n'
        )
    if lock.endswith(".lock"):
        (root / lock).write_text('[[package]]\nname = "psycopg2"\nversion = "2.9"\n')
    init(root, "--yes")
    done = subprocess.run(
        [hadolint, "Dockerfile"], cwd=root, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_compose_files_pass_with_every_target(tmp_path: Path) -> None:
    """`docker compose config` has no warning either when a cluster's files lie beside it."""
    if not shutil.which("docker"):
        pytest.skip("docker is not installed")
    root = targeted("taskboard", tmp_path)
    filled(root)
    argv = ["docker", "compose", "--profile", "*", "config", "--quiet"]
    done = subprocess.run(argv, cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


LINTED = ("compose.yaml", "compose.dev.yaml", "stack.yaml")


@pytest.mark.parametrize("name", PROJECTS)
def test_the_published_schema_of_compose_accepts_the_files(name: str, tmp_path: Path) -> None:
    """Compose files and the stack are valid by the Compose specification."""
    pytest.importorskip("check_jsonschema")
    root = targeted(name, tmp_path)
    argv = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*argv, *LINTED], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="session")
def dclint(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The linter of Compose files, installed where npm can."""
    there = shutil.which("dclint")
    if there or not shutil.which("npm"):
        return there or pytest.skip("neither dclint nor npm is installed")
    folder = tmp_path_factory.mktemp("dclint")
    argv = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), "dclint@3.1.0"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not install dclint within a minute")
    if done.returncode:
        pytest.skip(f"npm can't install dclint: {done.stderr[-200:]}")
    return str(folder / "node_modules" / ".bin" / "dclint")


@pytest.mark.parametrize("name", PROJECTS)
def test_the_compose_linter_finds_no_error(name: str, dclint: str, tmp_path: Path) -> None:
    """Its rules of meaning hold; the order of keys and services follows the reader instead."""
    root = targeted(name, tmp_path)
    argv = [dclint, "--formatter", "json", *LINTED]
    done = subprocess.run(argv, cwd=root, capture_output=True, text=True, check=False)
    said = [
        (one["rule"], one["line"], one["type"])
        for file in json.loads(done.stdout)
        for one in file["messages"]
    ]
    assert [one for one in said if one[2] == "error"] == []
    assert {one[0] for one in said} <= {
        "service-keys-order", "services-alphabetical-order", "top-level-properties-order",
        "require-project-name-field", "require-quotes-in-ports",
    }  # fmt: skip
