"""Files made to take all memory of whoever reads them."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tidegate.contracts.target import Asked
from tidegate.errors import UsageProblem
from tidegate.model.command import Command
from tidegate.process import run
from tidegate.reading.project.project import ProjectFiles
from tidegate.targets import compose
from tidegate.workflows.doctor import engine, story

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the system bounds no program")
ROW = ", ".join(f"{key}: l" for key in "abcdefghi")
LAUGHS = f"x-0: &a0 {{{ROW}}}\n" + "".join(
    f"x-{level}: &a{level} {{{', '.join(f'k{n}: *a{level - 1}' for n in range(9))}}}\n"
    for level in range(1, 6)
)
WEB = "services:\n  web:\n    image: busybox:1\n"
HUNGRY = (
    "import subprocess, sys; print(subprocess.call([sys.executable, '-c', 'x = bytearray(2**28)']))"
)
BOUNDS = "import resource as r; print(r.getrlimit(r.RLIMIT_CPU)[0], r.getrlimit(r.RLIMIT_DATA)[0])"


def test_what_a_program_starts_is_bounded_too() -> None:
    """Docker starts Compose: the bound of the one holds for the other."""
    argv = (sys.executable, "-c", HUNGRY)
    assert run(Command(argv), 30, memory=2**27).out == "1\n"
    assert run(Command(argv), 30).out == "0\n"


def test_work_is_bounded_too() -> None:
    """A third of the time that we wait: the system ends it, also where nobody waits any more."""
    assert run(Command((sys.executable, "-c", BOUNDS)), 90, memory=2**30).out == "31 1073741824\n"


def test_a_verb_that_asks_compose_ends_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compose reaches the bound over anchors of anchors; the message says so, and what to type."""
    if shutil.which("docker") is None:
        pytest.skip("docker is not installed")
    monkeypatch.setattr(compose, "FOR_READING", 150 * 2**20)
    (tmp_path / "compose.yaml").write_text(WEB)
    compose.find(tmp_path, Asked(), {}, {}, {})  # an honest file has room enough
    (tmp_path / "compose.yaml").write_text(LAUGHS + WEB)
    with pytest.raises(UsageProblem, match="too much memory or time") as caught:
        compose.find(tmp_path, Asked(), {}, {}, {})
    assert "tidegate doctor" in caught.value.next


def test_doctor_names_the_line_and_asks_nobody(tmp_path: Path) -> None:
    """The finding stands where the repeating is too much; the engine's Compose is not started."""
    (tmp_path / "compose.yaml").write_text(LAUGHS + WEB)
    project = ProjectFiles(tmp_path)
    (found,) = story.examine(project)
    assert (found.rule, found.problem.place.line) == ("compose-file-unreadable", 6)
    assert "docker compose config takes all memory" in found.finding.remedy
    assert engine.gather(project).why_not == "the engine is not asked: compose.yaml can't be read"
