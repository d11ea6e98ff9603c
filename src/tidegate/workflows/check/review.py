"""Review migrations as source: find them, read them, replay the chain, ask the rules."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pickle
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tidegate.errors import UsageProblem
from tidegate.model.finding import SEVERITIES, Finding, Findings, in_order
from tidegate.reading.migrations.record import Record
from tidegate.workflows.check import baseline
from tidegate.workflows.check.cache import Cache
from tidegate.workflows.check.chain import Chain
from tidegate.workflows.check.settings import CheckSettings, load
from tidegate.workflows.check.sources import Source, is_project
from tidegate.workflows.check.suppressing import suppressed
from tidegate.workflows.check.tree import Tree, every

NOTHING = {"checked": 0, "suppressed": 0, "baseline": 0,
           "counts": dict.fromkeys(SEVERITIES, 0)}  # fmt: skip


class Standing(NamedTuple):
    """What the databases say: what is pending, applied, applied without a file, and edited."""

    pending: frozenset[str] = frozenset()
    applied: frozenset[str] = frozenset()
    gone: tuple[str, ...] = ()
    edited: frozenset[str] = frozenset()


class Scope(NamedTuple):
    """What is to be reviewed. Nothing said: every migration of the project."""

    paths: tuple[str, ...] = ()
    since: str = ""
    steps: Collection[str] | None = None
    standing: Standing = Standing()

    @property
    def narrow(self) -> bool:
        """Whether it is less than everything: what is named is then one release."""
        return bool(self.paths or self.since) or self.steps is not None


def review(
    root: str,
    paths: Sequence[str] = (),
    *,
    since: str = "",
    steps: Collection[str] | None = None,
    standing: Standing | None = None,
    database: str = "",
    environ: Mapping[str, str] | None = None,
    use_baseline: bool = True,
    tree: Tree | None = None,
    plan: str = "",
) -> Findings:
    """Review the migrations of the project at `root` and return what there is to say.

    `paths` names files or folders, `since` a git revision, `steps` step ids, `standing` what the
    databases have applied; with none of them every migration is reviewed. What is named counts as
    one release: tables that it makes are new to all of it. `tree` is the project as it would be;
    its new files are reviewed with what is named. `plan` is the file of a rehearsal, by which the
    findings are weighed.
    """
    environ = os.environ if environ is None else environ
    root = os.path.abspath(root)
    settings = load(root, database)
    if standing is not None:
        steps = standing.pending if steps is None else steps
    scope = Scope(tuple(paths), since, steps, standing or Standing())
    cache = Cache(root, environ)
    found = read_all(root, settings, cache, tree)
    if not found and is_project(root):
        return Findings("check", root, (), {**NOTHING}, "there is no migration yet: nothing to say")
    if not found:
        raise UsageProblem(
            f"no Django migration and no Alembic revision was found below {root}",
            "tidegate looks for folders called migrations, and for env.py beside script.py.mako.",
            "run it in the project's folder, or name that with --project DIR",
        )
    wanted, edited = _wanted(root, found, scope)
    wanted |= tree.new if tree is not None else set()
    kept: list[Finding] = []
    for pair in chains(found, settings):
        inside = {one.id for one in pair[0].order if one.path in wanted}
        kept += _of_chain(pair, frozenset(inside), edited, scope, settings, cache)
    cache.save()
    records = [one for one, _ in found if one.path in wanted]
    notes = []
    if plan:
        from tidegate.workflows.check import rehearsed

        known = rehearsed.read(root, plan)
        kept = rehearsed.weighed(kept, known)
        notes = rehearsed.notes(known, {one.id for one in records})
    kept, hidden = suppressed(kept, records, settings)
    accepted = 0
    if use_baseline:
        file = Path(root, settings.baseline)
        kept, accepted = baseline.split(in_order(kept), baseline.read(file))
    return _result(root, kept, len(records), hidden, accepted, notes)


def _result(
    root: str,
    kept: Sequence[Finding],
    files: int,
    hidden: int,
    accepted: int,
    notes: Sequence[str] = (),
) -> Findings:
    counts = {level: sum(one.severity == level for one in kept) for level in SEVERITIES}
    words = [f"{counts[level]} {level}{'s' * (counts[level] != 1)}" for level in SEVERITIES[:0:-1]]
    words.append(f"{counts['info']} info")
    said = f"{files} migration{'s' * (files != 1)} reviewed: {', '.join(words)}"
    if hidden:
        said += f"; {hidden} allowed by comment"
    if accepted:
        said += f"; {accepted} in the baseline"
    said += "".join(f"; {one}" for one in notes)
    extra = {
        "checked": files,
        "suppressed": hidden,
        "baseline": accepted,
        "counts": counts,
    }
    return Findings("check", root, tuple(in_order(kept)), extra, said)


def read_all(
    root: str, settings: CheckSettings, cache: Cache, tree: Tree | None = None
) -> list[tuple[Record, tuple[Source, str]]]:
    """Return each migration's Record with its source and digest; unchanged ones from the cache."""
    out = []
    for source in every(tree, root):
        if any(_matches(source.path, pattern) for pattern in settings.exclude):
            continue
        if tree is not None and source.path in tree.texts:
            taken = _taken(source, tree.texts[source.path].encode())
            if taken[2] is not None:
                out.append((taken[2], (source, taken[1])))
            continue
        kept = cache.get("file " + source.path)
        known = kept is not None and kept[0] == (source.size, source.time, source.group)
        if not known or not os.access(source.file, os.R_OK):
            kept = _read(source, kept)
            cache.put("file " + source.path, kept)
        if kept[2] is not None:
            out.append((kept[2], (source, kept[1])))
    return out


def _matches(path: str, pattern: str) -> bool:
    import fnmatch

    return fnmatch.fnmatch(path, pattern) or path.startswith(pattern.rstrip("/") + "/")


def _read(
    source: Source, kept: tuple[object, str, Record | None] | None
) -> tuple[object, str, Record | None]:
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
    if kept is not None and kept[1] == digest and kept[0][2] == source.group:  # type: ignore[index]
        return (key, digest, kept[2])
    return _taken(source, data)


def _taken(source: Source, data: bytes) -> tuple[Any, str, Record | None]:
    digest = hashlib.sha256(data).hexdigest()
    key = (source.size, source.time, source.group)
    text = data.decode("utf-8", "replace")
    record: Record | None
    if source.framework == "django":
        from tidegate.reading.migrations import django_source

        record = django_source.read(text, source.path, source.group, source.name)
    else:
        from tidegate.reading.migrations import alembic_source

        record = alembic_source.read(text, source.path, source.name)
    return (key, digest, record)


def _wanted(
    root: str, found: Sequence[tuple[Record, tuple[Source, str]]], scope: Scope
) -> tuple[set[str], dict[str, str]]:
    """Return the paths to review, and those that changed since a revision that has them."""
    every = {record.path for record, _ in found}
    wanted, edited = set(every), {}
    if scope.since:
        from tidegate.workflows.check.gitfiles import changed_since

        new, changed = changed_since(root, scope.since)
        wanted &= new | changed
        edited = dict.fromkeys(every & changed, f"at {scope.since}")
    for record, _ in found:
        if record.id in scope.standing.edited:
            edited[record.path] = "when it was applied"
    if scope.paths:
        wanted &= _named(root, scope.paths, every)
    if scope.steps is not None:
        wanted &= {record.path for record, _ in found if record.id in scope.steps}
    return wanted, edited


def _named(root: str, paths: Iterable[str], every: Collection[str]) -> set[str]:
    out: set[str] = set()
    for path in paths:
        full = os.path.abspath(path)
        if not os.path.exists(full) and os.path.exists(os.path.join(root, path)):
            full = os.path.join(root, path)
        if not os.path.exists(full):
            raise UsageProblem(f"{path} is not there", "", "name a migration file or a folder")
        inside = os.path.relpath(os.path.realpath(full), os.path.realpath(root))
        inside = inside.replace(os.sep, "/")
        if inside.startswith("../"):
            raise UsageProblem(
                f"{path} lies outside of the project at {root}",
                "A migration is judged by the ones before it.",
                "name the project's folder with --project DIR",
            )
        prefix = "" if inside == "." else inside + "/"
        out |= {one for one in every if one == inside or one.startswith(prefix)}
    return out


def chains(
    found: Sequence[tuple[Record, tuple[Source, str]]], settings: CheckSettings
) -> list[tuple[Chain, dict[str, str]]]:
    """Return each chain of steps, with the digests of its files."""
    groups: dict[str, list[tuple[Record, str]]] = {}
    folders: dict[tuple[str, str], str] = {}
    for record, (source, digest) in found:
        name = "alembic " + source.group
        if source.framework == "django":
            folder = source.path.rpartition("/")[0]
            first = folders.setdefault((source.home, source.group), folder)
            # two apps of one label can't be of one project: the second is a chain of its own
            name = f"django {source.home}" + (f" {folder}" if folder != first else "")
        groups.setdefault(name, []).append((record, digest))
    out = []
    for members in groups.values():
        chain = Chain(
            [record for record, _ in members], settings.database, settings.version, settings.user
        )
        out.append((chain, {record.id: digest for record, digest in members}))
    return out


def _of_chain(
    pair: tuple[Chain, dict[str, str]],
    inside: frozenset[str],
    edited: Mapping[str, str],
    scope: Scope,
    settings: CheckSettings,
    cache: Cache,
) -> list[Finding]:
    chain, digests = pair
    fresh = inside if scope.narrow else frozenset()
    parsers = [bool(importlib.util.find_spec(name)) for name in ("pgparse", "sqlglot")]
    seed = repr((settings.key(), sorted(fresh), parsers))
    keys = _keys(chain, digests, seed)
    kept: dict[str, list[Finding]] = {}
    for id in inside:
        found = cache.get("step " + keys[id])
        if found is not None:
            kept[id] = found
    missing = frozenset(inside - set(kept))
    if missing:
        from tidegate.workflows.check.asking import ask_step

        for id in missing:
            kept[id] = []
        states = KeptStates(cache, chain, digests) if cache.on else None
        for view in chain.views(missing, fresh, states):
            kept[view.id] = ask_step(view, settings)
        for id in missing:
            cache.put("step " + keys[id], kept[id])
    whole = hashlib.sha256("".join(sorted(keys.values())).encode()).hexdigest()
    name = f"graph {whole} {sorted(edited.items())}"
    graph_view = chain.graph()._replace(applied=scope.standing.applied, gone=scope.standing.gone)
    if scope.standing.applied:
        name += hashlib.sha256(repr(sorted(scope.standing.applied)).encode()).hexdigest()
        name += repr(scope.standing.gone)
    graph: list[Finding] | None = cache.get(name)
    if graph is None:
        from tidegate.workflows.check.asking import ask_graph

        graph = ask_graph(graph_view, edited, settings)
        cache.put(name, graph)
    if scope.narrow and not scope.standing.applied:
        paths = {chain.records[id].path for id in inside}
        graph = [one for one in graph if _touches(one, paths)]
    return [one for found in kept.values() for one in found] + graph


class KeptStates:
    """States of the replay near the end of the chain, where most changes are made."""

    FROM_END = (1, 2, 4, 9, 30)

    def __init__(self, cache: Cache, chain: Chain, digests: Mapping[str, str]) -> None:
        self.cache = cache
        seed = repr((chain.vendor, chain.user))
        keys = _keys(chain, digests, seed)
        self.keys = [keys[one.id] for one in chain.order]

    def nearest(self, number: int) -> tuple[Any, int]:
        """Return the nearest state before the step of that number."""
        for back in range(number, max(number - 40, 0), -1):
            kept = self.cache.get(f"state {self.keys[back - 1]}")
            if kept is not None:
                return pickle.loads(kept), back
        return None, 0

    def offer(self, number: int, replay: Any) -> None:
        """Keep the state before one of the last steps."""
        if number and len(self.keys) - number in self.FROM_END:
            name = f"state {self.keys[number - 1]}"
            if self.cache.get(name) is None:
                self.cache.put(name, pickle.dumps(replay, pickle.HIGHEST_PROTOCOL))


def _touches(one: Finding, paths: Collection[str]) -> bool:
    places = [one.place.path, *(place.path for place in one.also)]
    return any(path in paths for path in places)


def _keys(chain: Chain, digests: Mapping[str, str], seed: str) -> dict[str, str]:
    """Return a key a step that changes when it, or anything that runs before it, does."""
    out, rolling = {}, hashlib.sha256(seed.encode())
    for record in chain.order:
        rolling.update(f"{record.id} {digests[record.id]} {record.path}\n".encode())
        out[record.id] = rolling.copy().hexdigest()
    return out
