"""The door to other programs: what happens to a program whose lines nobody takes."""

from __future__ import annotations

import sys

import pytest

from tidegate.model.command import Command
from tidegate.process import run

FOR_EVER = "while True: print('x' * 1000, flush=True)"
NOISY = "import sys; [print('x' * 1000, file=sys.stderr) for _ in range(2000)]; print('done')"
UNHEARD = """\
import os, sys
from tidegate.frontends.cli.commands.up import _line
from tidegate.process import Command, run
reader, writer = os.pipe()
os.close(reader)
os.dup2(writer, 2)
done = run(Command((sys.executable, "-c", sys.argv[1])), 20, line=_line)
sys.exit(done.out != "done\\n")
"""


def test_a_reader_that_has_gone() -> None:
    """It ends the program at once, and the reason is raised where the program was run."""

    def gone(text: str) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        run(Command((sys.executable, "-c", FOR_EVER)), 30, line=gone, keep=False)


def test_an_update_nobody_listens_to() -> None:
    """What a builder says can't be shown any more: it builds on, to its end."""
    assert run(Command((sys.executable, "-c", UNHEARD, NOISY)), 30).code == 0
