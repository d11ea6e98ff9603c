"""The commands of a documentation page, run as they stand."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from support.gate import Ended
from support.stacks import Stack, docker

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def part(page: str, title: str = "") -> str:
    """Return one part of a page, named by its title; without one, what stands before the first."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    if not title:
        return text.partition("\n## ")[0]
    found = text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    assert found, f"{page} has no part {title!r}"
    return found


def blocks(kind: str, page: str, title: str = "") -> list[str]:
    """Return the blocks of a kind: sh, yaml, toml."""
    found = [text for name, text in BLOCK.findall(part(page, title)) if name == kind]
    assert found, f"{page} has no {kind} in its part {title!r}"
    return found


def lines(page: str, title: str = "") -> list[str]:
    """Return the shell lines of one part, without their comments."""
    found = [line for text in blocks("sh", page, title) for line in text.splitlines()]
    return [line.partition("   #")[0].strip() for line in found if line.strip()]


def do(one: Stack, line: str, **env: str) -> Ended:
    """Run one line in the project's folder; it has to end well."""
    words = shlex.split(line)
    if words[0] == "tidegate":
        done = one.tidegate(*words[1:], env=env)
        assert done.code == 0, done.said
        return done
    if words[0] == "docker-compose":  # the program of old: the engine here has the new one
        words[:1] = ["docker", "compose"]
    assert words[:2] == ["docker", "compose"], line
    return Ended(0, docker(*words[1:], cwd=one.folder), "", 0.0)
