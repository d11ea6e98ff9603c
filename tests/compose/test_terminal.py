"""What a person at a terminal gets: questions, and a terminal in the container."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

import pytest

from support.stacks import Stack

pty = pytest.importorskip("pty")
Make = Callable[..., Stack]


def at_a_terminal(one: Stack, words: list[str], answer: str = "", after: str = "") -> str:
    """Run tidegate on a terminal of its own; type `answer` when it has said `after`."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(one.folder)
        os.execve(sys.executable, [sys.executable, "-m", "tidegate", *words], one.environ)
    said = ""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            said += os.read(terminal, 4096).decode("utf-8", "replace")
        except OSError:
            break
        if answer and after in said:
            os.write(terminal, answer.encode())
            answer = ""
    os.waitpid(pid, 0)
    os.close(terminal)
    return said


def test_what_is_ambiguous_is_asked(stack: Make) -> None:
    """The choices are numbered, and the answer is used."""
    one = stack().django(at="docker-compose.local.yml")
    text = (one.folder / "docker-compose.local.yml").read_text()
    one.write({"docker-compose.production.yml": text})
    said = at_a_terminal(one, ["settings"], "2\n", "which? ")
    assert "1  docker-compose.local.yml" in said
    assert "files            docker-compose.production.yml" in said


def test_run_passes_the_terminal_through(stack: Make) -> None:
    """The command in the container has a terminal, and what is typed reaches it."""
    one = stack().django()
    one.begin()
    code = "import sys; print(sys.stdin.isatty(), input('name? ').upper())"
    said = at_a_terminal(one, ["run", "--", "python", "-c", code], "mei\n", "name? ")
    assert "True MEI" in said
