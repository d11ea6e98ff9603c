"""The names of Django's new migrations: they sort in the order in which they run.

A file that nothing stands on gets the next number. One that goes between two that are there keeps
the number and the name of the file that was divided, with its place behind them: `0002_room` is
followed by `0002_room_02_filled`. No file that was there is renamed: others may know its name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tidegate.reading.migrations import django_source
from tidegate.workflows.check.tree import Tree

NUMBERED = re.compile(r"(\d+)_(.*)")
REST = re.compile(r"(?:^|_)rest(?:_\d+)?(?=_|$)")
Needs = Mapping[str, set[str]]


def renumber(tree: Tree) -> dict[str, str]:
    """Name the new files of each app by their order; return new paths by old ones."""
    out: dict[str, str] = {}
    for folder in sorted({one.rpartition("/")[0] for one in tree.new}):
        out.update(_of_folder(tree, folder))
    for old, new in out.items():
        tree.new.discard(old)
        tree.texts[f"{new} "] = tree.texts.pop(old)  # two names may swap
    for new in out.values():
        tree.new.add(new)
        tree.texts[new] = tree.texts.pop(f"{new} ")
    return {old: new for old, new in out.items() if old != new}


def _of_folder(tree: Tree, folder: str) -> dict[str, str]:
    new = [one for one in sorted(tree.new) if one.rpartition("/")[0] == folder]
    if tree.source(new[0]).framework != "django":
        return {}
    needs, app = {}, tree.source(new[0]).group
    for file in tree.sources():
        if file.path.rpartition("/")[0] == folder and file.framework == "django":
            record = django_source.read(tree.read(file.path), file.path, file.group, file.name)
            needs[f"{app}.{file.name}"] = set(record.needs) if record else set()
    made = {f"{app}.{_stem(one)}": one for one in new}
    order = _ordered(needs, made)
    between = _below({one for one in needs if one not in made}, needs)
    numbers = [found[1] for one in needs if one not in made
               and (found := NUMBERED.match(one.partition(".")[2]))]  # fmt: skip
    if not order or not numbers:
        return {}
    width, number = len(max(numbers, key=int)), max(map(int, numbers))
    out: dict[str, str] = {}
    places: dict[str, int] = {}
    for one in order:
        origin, suffix = _parts(one.partition(".")[2], needs, made)
        if one in between and origin:
            places[origin] = places.get(origin, 1) + 1
            name = f"{origin}_{places[origin]:02d}_{suffix}"
        elif one in between:
            return {}
        else:
            number += 1
            found = NUMBERED.match(origin)
            words = f"{found[2]}_{suffix}" if found else suffix
            name = f"{number:0{width}d}_{words}"
        out[made[one]] = f"{folder}/{name}.py"
    _redirect(tree, app, {_stem(old): _stem(new) for old, new in out.items()})
    return out


def _ordered(needs: Needs, made: Mapping[str, str]) -> list[str]:
    """Return the new ones, each after those that it needs; none where they go in a circle."""
    order: list[str] = []
    while len(order) < len(made):
        rest = [one for one in made if one not in order]
        ready = [one for one in rest if not needs[one] & set(rest)]
        if not ready:
            return []
        order.append(ready[0])
    return order


def _below(names: set[str], needs: Needs) -> set[str]:
    """Return what the named ones stand on, however far below."""
    out: set[str] = set()
    waiting = list(names)
    while waiting:
        for one in needs.get(waiting.pop(), ()):
            if one not in out:
                out.add(one)
                waiting.append(one)
    return out


def _parts(stem: str, needs: Needs, made: Mapping[str, str]) -> tuple[str, str]:
    """Return the file that a new one was divided from, and what the new one is for."""
    found = NUMBERED.match(stem)
    words = found[2] if found else stem
    origins = [one.partition(".")[2] for one in needs if one not in made]
    kept = {(m[2] if (m := NUMBERED.match(one)) else one)[:50]: one for one in origins}
    fits = [one for one in kept if words.startswith(f"{one}_")]
    if not fits:
        return "", words
    longest = max(fits, key=len)
    parts = [one.strip("_") for one in REST.split(words[len(longest) + 1 :])]
    return kept[longest], parts[-1] or "rest"


def _redirect(tree: Tree, app: str, names: Mapping[str, str]) -> None:
    """Say the new names wherever one of the changed files depends on one of the new ones."""
    pattern = re.compile(rf"""(["']{re.escape(app)}["']\s*,\s*["'])(\w+)(?=["'])""")
    for path, text in tree.texts.items():
        tree.texts[path] = pattern.sub(lambda found: found[1] + names.get(found[2], found[2]), text)


def _stem(path: str) -> str:
    return path.rpartition("/")[2][:-3]
