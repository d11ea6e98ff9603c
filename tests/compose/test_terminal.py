"""What a person at a terminal gets: questions, and a terminal in the container."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

import pytest

from support.stacks import DOCKERFILE, PASSWORD, Stack

pty = pytest.importorskip("pty")
Make = Callable[..., Stack]


READ_ONLY = """    read_only: true
    user: "10001:10001"
    tmpfs: [/tmp]
"""
OWN = "RUN mkdir /data && chown 10001:10001 /data\nCMD"


def at_a_terminal(one: Stack, words: list[str], *answers: tuple[str, str]) -> str:
    """Run tidegate on a terminal of its own; type an answer when it has asked, in order."""
    waiting = list(answers)
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
        if waiting and waiting[0][0] in said:
            _, answer = waiting.pop(0)
            os.write(terminal, answer.encode())
    os.waitpid(pid, 0)
    os.close(terminal)
    return said


def test_what_is_ambiguous_is_asked(stack: Make) -> None:
    """The choices are numbered, and the answer is used."""
    one = stack().django(at="docker-compose.local.yml")
    text = (one.folder / "docker-compose.local.yml").read_text()
    one.write({"docker-compose.production.yml": text})
    said = at_a_terminal(one, ["settings"], ("which? ", "2\n"))
    assert "1  docker-compose.local.yml" in said
    assert "files            docker-compose.production.yml" in said


def test_a_read_only_container_of_another_user(stack: Make) -> None:
    """It is updated and made an account in, as any other; the command in it has a terminal, and
    what is typed reaches it: a name, and a password that is not echoed."""
    one = stack("my project").django(extra=READ_ONLY).with_users()
    one.write({"Dockerfile": DOCKERFILE.replace("CMD", OWN)})
    one.up("--settle", "0")
    assert one.served() == "release one"
    assert one.containers()[0]["HostConfig"]["ReadonlyRootfs"]
    code = "import os, sys; print(sys.stdin.isatty(), os.getuid(), input('name? ').upper())"
    said = at_a_terminal(one, ["run", "--", "python", "-c", code], ("name? ", "mei\n"))
    assert "True 10001 MEI" in said
    said = at_a_terminal(
        one, ["superuser"], ("Username", "mei\n"), ("Email", "mei@example.org\n"),
        ("Password: ", f"{PASSWORD}\n"), ("Password (again)", f"{PASSWORD}\n"),
    )  # fmt: skip
    assert "Superuser created successfully." in said
    assert PASSWORD not in said
