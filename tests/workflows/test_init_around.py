"""What init writes for CI, for commits and for agents uses the verbs as they are."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tidegate.frontends.cli import main as cli
from workflows.test_init import bare, init

yaml = pytest.importorskip("yaml")
SAFE = """from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("tasks", "{}")]
    operations = [{}]
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The example as a repository with one commit on `main`, after init."""
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    root = bare("taskboard", tmp_path)
    assert init(root, "--yes", "--agents").returncode == 0
    git(root, "init", "--quiet", "--initial-branch", "main")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "one")
    git(root, "update-ref", "refs/remotes/origin/main", "main")
    return root


def git(root: Path, *argv: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *argv], cwd=root, check=True, timeout=60)


def steps(root: Path) -> list[str]:
    """Return the steps of the workflow that call tidegate, as the runner would run them."""
    text = (root / ".github/workflows/tidegate.yml").read_text()
    found = yaml.safe_load(text)["jobs"]["review"]["steps"]
    return [one["run"] for one in found if one.get("run", "").startswith("tidegate")]


def run(root: Path, line: str) -> subprocess.CompletedProcess[str]:
    line = re.sub(r"^tidegate", f"'{sys.executable}' -m tidegate", line)
    environ = {**os.environ, "BASE": "main"}
    return subprocess.run(
        ["sh", "-c", line], cwd=root, env=environ, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip


def migration(root: Path, operation: str) -> Path:
    last = sorted((root / "tasks/migrations").glob("0*.py"))[-1]
    path = last.with_name("0999_new.py")
    path.write_text(SAFE.format(last.stem, operation))
    return path


def test_the_workflow_is_green_until_something_new_is_wrong(repository: Path) -> None:
    """History that is applied everywhere does not fail a pull request; a new fault does."""
    doctor, check = steps(repository)
    assert run(repository, doctor).returncode == 0
    assert run(repository, check).returncode == 0
    path = migration(repository, "migrations.RemoveField('task', 'title')")
    git(repository, "add", "--all")
    done = run(repository, check)
    assert done.returncode == 1
    assert f"::error file={path.relative_to(repository)}" in done.stdout


def test_the_hook_reviews_the_files_of_the_commit(repository: Path) -> None:
    """pre-commit appends the file names that the hook's expressions let through."""
    text = (repository / ".pre-commit-config.yaml").read_text()
    check, doctor = yaml.safe_load(text)["repos"][0]["hooks"]
    path = str(
        migration(repository, "migrations.RemoveField('task', 'title')").relative_to(repository)
    )
    assert re.search(check["files"], path) and not re.search(check["exclude"], path)
    assert re.search(check["exclude"], "tasks/migrations/__init__.py")
    assert not re.search(check["files"], "tasks/models.py")
    done = run(repository, f"{check['entry']} {path}")
    assert done.returncode == 1 and "column-dropped" in done.stdout
    assert run(repository, f"{check['entry']} tasks/migrations/0001_initial.py").returncode == 0
    assert doctor["pass_filenames"] is False
    assert run(repository, doctor["entry"]).returncode == 0
    for name in ("compose.yaml", "Dockerfile", "taskboard/settings.py", ".env.example"):
        assert re.search(doctor["files"], name)


def test_agents_read_commands_that_exist(repository: Path) -> None:
    """Every command of AGENTS.md and of the skill is a verb of tidegate with flags that it has."""
    verbs = cli.verbs()
    for name in ("AGENTS.md", ".agents/skills/tidegate/SKILL.md"):
        said = re.findall(
            r"tidegate ((?:--format json )?[a-z]+[^`|]*)`", (repository / name).read_text()
        )
        assert len(said) > 5
        for words in said:
            verb = words.removeprefix("--format json ").split()[0]
            assert verb in verbs, words
            help_text = cli._module(verb).__doc__ or ""
            for flag in re.findall(r"--[a-z-]+", words.removeprefix("--format json ")):
                assert flag in help_text, words


def test_an_agents_file_of_the_project_gets_a_part(tmp_path: Path) -> None:
    """What stands in AGENTS.md stays, tidegate's part goes to its end, and only once."""
    root = bare("taskboard", tmp_path)
    (root / "AGENTS.md").write_text("# Ours\n\nBe kind.\n")
    assert "add to  AGENTS.md" in init(root, "--yes", "--agents").stdout
    text = (root / "AGENTS.md").read_text()
    assert text.startswith("# Ours\n\nBe kind.\n\n## The database, through tidegate\n")
    assert "it has tidegate's part already" in init(root, "--yes", "--agents").stdout
    assert (root / "AGENTS.md").read_text() == text


def test_nothing_for_agents_without_the_word(tmp_path: Path) -> None:
    """It is written on request only."""
    root = bare("taskboard", tmp_path)
    init(root, "--yes")
    assert not (root / "AGENTS.md").exists()
    assert not (root / ".agents").exists()
