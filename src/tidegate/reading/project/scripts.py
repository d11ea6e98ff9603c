"""The project's shell scripts, and the targets of its Makefile, whoever runs them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from tidegate.reading.project import shell
from tidegate.reading.project.project import ProjectFiles

_TARGET = re.compile(r"^([\w./-]+)(?:\s+[\w.\s-]*)?:(?![=:])[^=]*$")
_NAMED = re.compile(r"deploy|update|upgrade|release|rollout|publish|prod", re.I)
_NOT = re.compile(r"test|dev|local|clean|reset|demo|ci\b|e2e", re.I)
_AROUND = re.compile(r"(^|/)(tests?|examples?|vendor|docs)/")


def naming(project: ProjectFiles, word: str) -> Iterator[tuple[str, shell.Script]]:
    """Yield each script that holds a word, with its path."""
    for path in project.paths:
        if path.endswith((".sh", ".bash")) and path.count("/") <= 3 and not _AROUND.search(path):
            text = project.read(path)
            if text and word in text and "python" not in text.split("\n", 1)[0]:
                yield path, shell.parse(text)


def commands(parsed: shell.Script) -> list[shell.Command]:
    """Return the commands in the order of the text, those of functions where they stand."""
    inner = [one for body in parsed.functions.values() for one in body]
    return sorted((*parsed.commands, *inner), key=lambda one: one.line)


def targets(project: ProjectFiles) -> Iterator[tuple[str, str, list[shell.Command]]]:
    """Yield each target of a Makefile or justfile: path, name, its commands with their lines."""
    for path in project.named("Makefile", "makefile", "GNUmakefile", "justfile"):
        if "/" in path:
            continue
        name, found = "", list[shell.Command]()
        for number, line in enumerate((project.read(path) or "").split("\n"), 1):
            head = _TARGET.match(line) if line[:1] not in ("\t", " ") else None
            if head:
                if found:
                    yield path, name, found
                name, found = head[1], []
            elif name and line[:1] in ("\t", " ") and line.strip():
                parsed = shell.parse(line.strip().lstrip("@-+")).flat()
                ignored = ("true",) if "-" in line.strip()[:2] else ()  # make's own || true
                found += [
                    replace(one, line=number, after_failure=one.after_failure or ignored)
                    for one in parsed
                ]
        if found:
            yield path, name, found


def deployments(project: ProjectFiles) -> Iterator[tuple[str, str, list[shell.Command]]]:
    """Yield each script and target that brings a release to a server: path, name, its commands."""
    for path, parsed in naming(project, "compose"):
        if _meant(path):
            yield path, path, commands(parsed)
    for path, target, found in targets(project):
        if _meant(target):
            yield path, f"{target} in {path}", found


def _meant(name: str) -> bool:
    return bool(_NAMED.search(name)) and not _NOT.search(name)


def compose_words(one: shell.Command) -> list[str]:
    """Return what Compose is told to do, without its own options; [] for other commands."""
    rest = list(one.bare.words)
    if rest[:2] == ["docker", "compose"]:
        rest = rest[2:]
    elif rest[:1] == ["docker-compose"]:
        rest = rest[1:]
    else:
        return []
    while rest and rest[0].startswith("-"):
        takes = rest[0] in ("-f", "--file", "-p", "--project-name", "--env-file", "--profile")
        rest = rest[2:] if takes else rest[1:]
    return rest
