"""Reads each migration file into a Record; what has not changed comes from the cache."""

from __future__ import annotations

import hashlib
import os
from typing import Any

from tidegate.errors import UsageProblem
from tidegate.reading.encodings import decoded
from tidegate.reading.migrations.record import Record
from tidegate.workflows.check.cache import Cache
from tidegate.workflows.check.labels import folder_of, labelled, misplaced
from tidegate.workflows.check.settings import CheckSettings
from tidegate.workflows.check.sources import Source
from tidegate.workflows.check.tree import Tree, every

Found = list[tuple[Record, tuple[Source, str]]]
# what tells that the file is as it was; the digest of it and of what it was read with; its Record
Kept = tuple[Any, str, Record | None]
EVERYBODY = 0o444


def read_all(root: str, settings: CheckSettings, cache: Cache, tree: Tree | None = None) -> Found:
    """Return each migration's Record with its source and digest."""
    taken: dict[str, Any] = {}
    labels = dict(cache.get("labels") or {})
    every_one = [
        labelled(one, labels)
        for one in every(tree, root)
        if not any(_matches(one.path, pattern) for pattern in settings.exclude)
    ]
    out = _each(root, every_one, cache, tree, taken)
    other = misplaced((one, at[0].group) for one, at in out if one.framework == "django")
    if tree is not None:
        tree.labels = {**labels, **other}
    if not other:
        return out
    cache.put("labels", {**labels, **other})
    anew = [labelled(at[0], other) for _, at in out if folder_of(at[0]) in other]
    kept = [one for one in out if folder_of(one[1][0]) not in other]
    return sorted(kept + _each(root, anew, cache, tree, taken), key=lambda one: one[0].path)


def _each(
    root: str, every_one: list[Source], cache: Cache, tree: Tree | None, taken: dict[str, Any]
) -> Found:
    out = []
    for source in every_one:
        if tree is not None and source.path in tree.texts:
            fresh = _taken(root, source, tree.bytes(source.path), taken)
            if fresh[2] is not None:
                out.append((fresh[2], (source, fresh[1])))
            continue
        kept = cache.get("file " + source.path)
        known = kept is not None and kept[0] == (source.size, source.time, source.group)
        if not known or not _readable(source) or _moved_on(kept):
            kept = _read(root, source, kept, taken)
            cache.put("file " + source.path, _folded(kept) if cache.on else kept)
        if kept[2] is not None:
            out.append((kept[2], (source, kept[1])))
    return out


def _readable(source: Source) -> bool:
    return source.mode & EVERYBODY == EVERYBODY or os.access(source.file, os.R_OK)


def _moved_on(kept: Kept | None) -> bool:
    """Whether a module that the file was read with is another one now."""
    record = kept[2] if kept is not None else None
    for file, size, time, _ in record.read_with if record is not None else ():
        try:
            stat = os.stat(file)
        except OSError:
            return True
        if (stat.st_size, stat.st_mtime_ns) != (size, time):
            return True
    return False


def _folded(kept: Kept) -> Kept:
    return kept[0], kept[1], kept[2].folded() if kept[2] is not None else None


def _matches(path: str, pattern: str) -> bool:
    import fnmatch

    return fnmatch.fnmatch(path, pattern) or path.startswith(pattern.rstrip("/") + "/")


def _read(root: str, source: Source, kept: Kept | None, taken: dict[str, Any]) -> Kept:
    try:
        with open(source.file, "rb") as file:
            data = file.read()
    except OSError as error:
        raise UsageProblem(
            f"{source.path} can't be read: {error.strerror}",
            "A review that leaves a migration out would pass what it has not seen.",
            "give this user the right to read it",
        ) from None
    digest = hashlib.sha256(data).hexdigest()
    key = (source.size, source.time, source.group)
    if kept is not None and kept[1] == digest and kept[0][2] == source.group:
        return (key, digest, kept[2])  # with no module of the project: its digest is the file's
    return _taken(root, source, data, taken)


def _taken(root: str, source: Source, data: bytes, taken: dict[str, Any]) -> Kept:
    from tidegate.reading.migrations.modules import Modules

    digest = hashlib.sha256(data).hexdigest()
    key = (source.size, source.time, source.group)
    text, _ = decoded(data)
    record: Record | None
    modules = Modules(root, source.home, source.path, taken)
    if source.framework == "django":
        from tidegate.reading.migrations import django_source

        record = django_source.read(text, source.path, source.group, source.name, modules.load)
    else:
        from tidegate.reading.migrations import alembic_source

        record = alembic_source.read(text, source.path, source.name, modules.load)
    if record is not None and modules.read:
        record = record._replace(read_with=tuple(modules.read.values()))
        known = "".join([digest, *(one.digest for one in record.read_with)])
        digest = hashlib.sha256(known.encode()).hexdigest()
    return (key, digest, record)
