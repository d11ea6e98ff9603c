"""The explanation's four projects: they fail as it says, doctor names them, and `--fix` mends them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from checks.engine import remove
from checks.test_check_examples import CHECKS, seen, written
from checks.test_predicted_errors import matched

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "four-faults-at-the-start.md"
FILE = re.compile(r"^`([^`\n]+)`\n\n```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RULE = re.compile(r"Doctor says `([\w-]+)`")


def parts() -> dict[str, dict[str, str]]:
    """Return the projects of the page by the rule that the page names."""
    common: dict[str, str] = {}
    out: dict[str, dict[str, str]] = {}
    for part in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        files = dict(FILE.findall(part))
        rule = RULE.search(part)
        if rule is None:
            common = files
        else:
            out[rule[1]] = {**common, **files}
    return out


def fix(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tidegate", "--project", str(root), "doctor", "--fix", "--yes"],
        capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip


def test_the_page_has_four_projects() -> None:
    """Each names a rule that exists."""
    assert len(parts()) == 4
    assert set(parts()) <= set(CHECKS)


@pytest.mark.parametrize("rule", parts())
def test_doctor_names_it_and_mends_it(rule: str, tmp_path: Path) -> None:
    """The rule is the only error or warning; after --fix nothing is left, and the exit code is 0."""
    assert [found for found, _ in seen(written(tmp_path, parts()[rule]))] == [rule]
    done = fix(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing wrong" in done.stdout


@pytest.fixture(scope="session")
def tried(
    docker: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[tuple[str, int, str]]]]:
    """Run the four projects beside each other: what is printed, how --fix ends, what runs then."""
    with ThreadPoolExecutor(4) as pool:
        yield {
            rule: pool.submit(before_and_after, docker, rule, tmp_path_factory.mktemp("fault"))
            for rule in parts()
        }


def before_and_after(docker: Callable[..., str], rule: str, folder: Path) -> tuple[str, int, str]:
    written(folder, parts()[rule])
    name = f"doctor-{uuid.uuid4().hex[:10]}"
    compose = ("compose", "-p", name)
    try:
        printed = docker(*compose, "build", "web", cwd=folder)
        if rule != "database-needed-at-build":
            printed = docker(*compose, "up", "--detach", cwd=folder)
            end = time.monotonic() + 60
            while not matched(rule, printed) and time.monotonic() < end:
                printed += docker(*compose, "logs", "--no-color", "web", cwd=folder)
                time.sleep(0.5)
        docker(*compose, "down", "--volumes", "--timeout", "0", cwd=folder)
        done = fix(folder)
        docker(*compose, "up", "--build", "--detach", "--wait", cwd=folder)
        states = docker(*compose, "ps", "--format", "{{.Service}} {{.Health}}", cwd=folder)
        return printed, done.returncode, states
    finally:
        remove(docker, name, folder)


@pytest.mark.parametrize("rule", parts())
def test_it_fails_before_and_runs_after(
    rule: str, tried: dict[str, Future[tuple[str, int, str]]]
) -> None:
    """Before the mend the engine prints what the check predicts; after it, the stack gets healthy."""
    printed, code, states = tried[rule].result()
    assert matched(rule, printed), printed[-1500:]
    assert code == 0
    assert sorted(states.split("\n")[:2]) == ["db healthy", "web healthy"], states
