"""Streams whose encoding lacks a sign: what PowerShell's pipes and old code pages get."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

EVERY = """\
from tidegate.frontends.cli import main
for verb in main.names():
    assert main.main([verb, "--help"], 0.0) == 0
print("ж → … 🛑")
"""


@pytest.mark.parametrize("encoding", ["cp437", "cp850", "cp1252", "ascii", "utf-8"])
def test_a_stream_that_lacks_a_sign(encoding: str) -> None:
    """The help of every verb is printed whole, and so is a sign that nothing stands for."""
    done = subprocess.run(
        [sys.executable, "-c", EVERY], env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    last = done.stdout.decode(encoding).splitlines()[-1]
    plain = r"\u0436 -> ... !!"
    wanted = {"utf-8": "ж → … 🛑", "cp1252": plain.replace("...", "…")}
    assert last == wanted.get(encoding, plain)
