"""The label of the app whose migrations lie in a folder, where the folder's place misleads.

Django's MIGRATION_MODULES puts an app's migrations anywhere. The files say whose they are: each
but the first depends on one beside it, by the app's label.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tidegate.reading.migrations.record import Record
from tidegate.workflows.check.sources import Source


def folder_of(one: Source | Record) -> str:
    """Return the folder of a migration."""
    return one.path.rpartition("/")[0]


def labelled(source: Source, labels: dict[str, str]) -> Source:
    """Return a file with the label that its folder has."""
    if not labels or source.framework != "django":
        return source
    return source._replace(group=labels.get(folder_of(source), source.group))


def misplaced(records: Iterable[tuple[Record, str]]) -> dict[str, str]:
    """Return folder -> label for the folders whose files name another label than they were given.

    `records` are Django's, each with the label that it was given. What another folder is called
    already stays that folder's.
    """
    given: dict[str, str] = {}
    asked: dict[str, list[Record]] = {}
    right: set[str] = set()
    names: dict[str, set[str]] = {}
    for record, label in records:
        folder = folder_of(record)
        given[folder] = label
        names.setdefault(folder, set()).add(record.id.partition(".")[2])
        if any(need.startswith(label + ".") for need in record.needs):
            right.add(folder)
        elif record.needs:
            asked.setdefault(folder, []).append(record)
    out = {}
    for folder in set(asked) - right:
        votes = Counter(
            app
            for record in asked[folder]
            for app, _, name in (need.partition(".") for need in record.needs)
            if name in names[folder] and name != record.id.partition(".")[2]
        )
        label = votes.most_common(1)[0][0] if votes else ""
        if label and label not in given.values():
            out[folder] = label
    return out
