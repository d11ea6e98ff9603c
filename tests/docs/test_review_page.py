"""The examples of the page about reviews run: commands, pre-commit's hook, GitHub's steps."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.migrations import ORDERS, Django

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "how-to" / "review-migrations.md").read_text("utf-8")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDEX = 'migrations.AddIndex("order", models.Index(fields=["total"], name="order_total")),'


def run(root: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a line of the page in a shell, with the tidegate under test."""
    env = {name: os.environ[name] for name in ("HOME", "PYTHONPATH") if name in os.environ}
    env["PATH"] = str(root / "bin") + os.pathsep + os.environ["PATH"]
    env |= {"TIDEGATE_CACHE": "off", "GITHUB_BASE_REF": "main"}
    for who in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{who}_NAME": "a", f"GIT_{who}_EMAIL": "a@example.com"}
    return subprocess.run(
        ["bash", "-c", command], cwd=root, env=env, capture_output=True, text=True, timeout=60,
        check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Django:
    """A project with a commit that is origin/main, and an index that comes after it."""
    pytest.importorskip("pgparse")
    if shutil.which("git") is None or sys.platform == "win32":
        pytest.skip("there is no git, or no bash")
    made = Django(tmp_path)
    made.add("0001_initial", ORDERS)
    (tmp_path / "tidegate.toml").write_text('[check]\ndatabase = "postgresql"\n', "utf-8")
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "tidegate"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tidegate "$@"\n', "utf-8")
    program.chmod(0o755)
    begun = "git init -q . && git add . && git commit -qm one && git branch -M main"
    done = run(tmp_path, f"{begun} && git update-ref refs/remotes/origin/main main")
    assert done.returncode == 0, done.stderr
    made.add("0002_order_note", INDEX)
    return made


def fences(kind: str) -> list[str]:
    return [text for which, text in FENCE.findall(PAGE) if which == kind]


def test_the_commands_run(project: Django) -> None:
    """The review finds the index until --fix wrote it anew; nothing is a usage error."""
    codes = []
    lines = [line[2:] for text in fences("console") for line in text.splitlines()]
    assert len(lines) >= 7
    for line in lines:
        if line.startswith("pip "):
            continue
        done = run(project.root, line)
        codes.append((line.split("#")[0].strip(), done.returncode))
        assert done.returncode in (0, 1), f"{line}\n{done.stdout}{done.stderr}"
    ended = dict(codes)
    assert ended["tidegate check"] == ended["tidegate check --since origin/main"] == 1
    assert ended["tidegate check --write-baseline"] == ended["tidegate check --fix --yes"] == 0


def test_the_hook_is_pre_commit_s(project: Django) -> None:
    """Its files are the migrations, and its entry with one of them ends with 1."""
    yaml = pytest.importorskip("yaml")
    text = next(one for one in fences("yaml") if "repos:" in one)
    (hook,) = yaml.safe_load(text)["repos"][0]["hooks"]
    names = ["shop/migrations/0002_order_note.py", "shop/migrations/__init__.py", "shop/models.py",
             "migrations/versions/1_a.py"]  # fmt: skip
    taken = [one for one in names
             if re.search(hook["files"], one) and not re.search(hook["exclude"], one)]  # fmt: skip
    assert taken == [names[0], names[3]]
    assert run(project.root, f"{hook['entry']} {names[0]}").returncode == 1
    own = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))[0]
    same = ("entry", "files", "exclude", "types", "language", "require_serial")
    assert {key: hook[key] for key in same} == {key: own[key] for key in same}


def test_the_steps_of_github_annotate(project: Django) -> None:
    """The last step prints a workflow command for the new file, and ends with 1."""
    yaml = pytest.importorskip("yaml")
    steps = yaml.safe_load(next(one for one in fences("yaml") if "checkout" in one))
    run(project.root, "git add . && git commit -qm two")
    done = run(project.root, steps[-1]["run"])
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("::error file=shop/migrations/0002_order_note.py")
