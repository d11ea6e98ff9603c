"""The numbers of Django's new migrations: in the order in which they run, where that is free."""

from __future__ import annotations

import re

from tidegate.reading.migrations import django_source
from tidegate.workflows.check.tree import Tree

NUMBERED = re.compile(r"(\d+)_(.*)")


def renumber(tree: Tree) -> dict[str, str]:
    """Give the new files of each app the next numbers in order; return new paths by old ones.

    Where a file that was there before comes after one of them, they keep the number of the file
    that was divided.
    """
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
    for one in tree.sources():
        if one.path.rpartition("/")[0] == folder and one.framework == "django":
            record = django_source.read(tree.read(one.path), one.path, one.group, one.name)
            needs[one.path] = set(record.needs) if record else set()
    names = {one: f"{app}.{one.rpartition('/')[2][:-3]}" for one in needs}
    made = {names[one] for one in new}
    if any(needs[one] & made for one in needs if one not in tree.new):
        return {}
    order: list[str] = []
    while len(order) < len(new):
        rest = [one for one in new if one not in order]
        ready = [one for one in rest if not needs[one] & {names[each] for each in rest}]
        if not ready:
            return {}
        order.append(ready[0])
    taken = [NUMBERED.match(one.rpartition("/")[2]) for one in needs if one not in tree.new]
    numbers = [found[1] for found in taken if found]
    if not numbers:
        return {}
    width, last = len(numbers[-1]), max(map(int, numbers))
    out: dict[str, str] = {}
    for number, old in enumerate(order, last + 1):
        found = NUMBERED.match(old.rpartition("/")[2])
        words = found[2] if found else old.rpartition("/")[2]
        out[old] = f"{folder}/{number:0{width}d}_{words}"
    stems = {_stem(one): _stem(out[one]) for one in new}
    pattern = re.compile(r'(\("' + re.escape(app) + r'", ")([^"]+)("\))')
    for path in new:
        tree.texts[path] = pattern.sub(
            lambda found: found[1] + stems.get(found[2], found[2]) + found[3], tree.texts[path]
        )
    return out


def _stem(path: str) -> str:
    return path.rpartition("/")[2][:-3]
