"""Two leaves of an app become one line: the later branch gets new numbers and goes on top."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from tidegate.authoring.job import Outcome, Refusal

Key = tuple[str, str]


def renumber(outcome: Outcome) -> None:
    """Move every later branch on top of the first; nothing that is applied gets another name."""
    from django.db import connection
    from django.db.migrations.loader import MigrationLoader

    loader = MigrationLoader(connection, ignore_no_migrations=True)
    conflicts: dict[str, Any] = loader.detect_conflicts()
    if not conflicts:
        return
    texts = {key: Path(_path(one)).read_text("utf-8") for key, one in loader.disk_migrations.items()}
    paths = {key: Path(_path(one)) for key, one in loader.disk_migrations.items()}
    names: dict[Key, Key] = {}
    for app, leaves in conflicts.items():
        _move(loader, app, sorted(leaves), texts, names, outcome)
    if outcome.refusals:
        return
    for key, text in texts.items():
        new = _renamed(text, names)
        if key in names or new != paths[key].read_text("utf-8"):
            target = paths[key].with_name(f"{names.get(key, key)[1]}.py")
            target.write_text(new, encoding="utf-8")
            if target != paths[key]:
                paths[key].unlink()
    for old, became in sorted(names.items()):
        outcome.notes.append(f"{old[0]}.{old[1]} is {became[1]} now")


def _path(migration: Any) -> str:
    return str(sys.modules[type(migration).__module__].__file__)


def _move(
    loader: Any,
    app: str,
    leaves: list[str],
    texts: dict[Key, str],
    names: dict[Key, Key],
    outcome: Outcome,
) -> None:
    """Note the new names of the branches of one app, and what their first steps build on."""
    applied = set(loader.applied_migrations)
    # What is applied stays: the first is the leaf whose branch is, or the first by its name.
    leaves.sort(key=lambda name: ((app, name) not in applied, name))
    first = (app, leaves[0])
    below = set(loader.graph.forwards_plan(first))
    top, number = first, max(_number(key[1]) for key in below if key[0] == app)
    for leaf in leaves[1:]:
        chain = [key for key in loader.graph.forwards_plan((app, leaf))
                 if key[0] == app and key not in below]  # fmt: skip
        done = [key for key in chain if key in applied]
        if done:
            outcome.refusals.append(Refusal(
                f"{app}.{done[0][1]} can't be renumbered: it is applied here",
                "Under another name it would be applied a second time.",
                "merge the leaves instead: tidegate make --merge",
            ))  # fmt: skip
            return
        forks = {key for one in chain for key in loader.disk_migrations[one].dependencies
                 if tuple(key) in below and key[0] == app}  # fmt: skip
        for fork in forks:
            texts[chain[0]] = _renamed(texts[chain[0]], {tuple(fork): top})
        for key in chain:
            number += 1
            names[key] = (app, f"{number:04}_{re.sub(r'^[0-9]+_?', '', key[1]) or 'step'}")
            below.add(key)
        top = chain[-1]


def _number(name: str) -> int:
    found = re.match(r"\d+", name)
    return int(found[0]) if found else 0


def _renamed(text: str, names: dict[Key, Key]) -> str:
    """Replace the tuples that name migrations."""

    def new(match: re.Match[str]) -> str:
        app, name = names.get((match["app"], match["name"]), (match["app"], match["name"]))
        quote = match["quote"]
        return f"({quote}{app}{quote}, {quote}{name}{quote})"

    pattern = r"\(\s*(?P<quote>['\"])(?P<app>\w+)(?P=quote)\s*,\s*(?P=quote)(?P<name>\w+)(?P=quote)\s*,?\s*\)"
    return re.sub(pattern, lambda m: new(m) if (m["app"], m["name"]) in names else m[0], text)
