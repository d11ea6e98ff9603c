"""Review migrations as source: find them, read them, replay the chain, ask the rules."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pickle
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tidegate.contracts.rule import Removed
from tidegate.errors import UsageProblem
from tidegate.model.finding import SEVERITIES, Finding, Findings, in_order
from tidegate.reading.migrations.record import Record
from tidegate.workflows.check import baseline
from tidegate.workflows.check.cache import Cache
from tidegate.workflows.check.chain import Chain
from tidegate.workflows.check.files import Found, read_all
from tidegate.workflows.check.keptsteps import KeptStates, keys
from tidegate.workflows.check.settings import CheckSettings, load
from tidegate.workflows.check.sources import is_project
from tidegate.workflows.check.suppressing import suppressed
from tidegate.workflows.check.tree import Tree

NOTHING = {"checked": 0, "suppressed": 0, "baseline": 0,
           "counts": dict.fromkeys(SEVERITIES, 0)}  # fmt: skip


class Standing(NamedTuple):
    """What the databases say: what is pending, applied, applied without a file, and edited."""

    pending: frozenset[str] = frozenset()
    applied: frozenset[str] = frozenset()
    gone: tuple[str, ...] = ()
    edited: frozenset[str] = frozenset()


class Apart(NamedTuple):
    """What differs from what was applied, or from a git revision: edited paths, lost steps."""

    edited: Mapping[str, str]
    removed: tuple[Removed, ...] = ()


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
    settings: CheckSettings | None = None,
) -> Findings:
    """Review the migrations of the project at `root` and return what there is to say.

    `paths` names files or folders, `since` a git revision, `steps` step ids, `standing` what the
    databases have applied; with none of them every migration is reviewed. What is named counts as
    one release: tables that it makes are new to all of it. `tree` is the project as it would be;
    its new files are reviewed with what is named. `plan` is the file of a rehearsal, by which the
    findings are weighed. `settings` are those of the project, where the caller has read them.
    """
    environ = os.environ if environ is None else environ
    root = os.path.abspath(root)
    settings = load(root, database) if settings is None else settings
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
    wanted, apart = _wanted(root, found, scope)
    wanted |= tree.new if tree is not None else set()
    kept: list[Finding] = []
    for pair in chains(found, settings):
        inside = {one.id for one in pair[0].order if one.path in wanted}
        kept += _of_chain(pair, frozenset(inside), apart, scope, settings, cache)
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


def _wanted(root: str, found: Found, scope: Scope) -> tuple[set[str], Apart]:
    """Return the paths to review, and what is not as it was."""
    every = {record.path for record, _ in found}
    wanted, edited = set(every), {}
    lost: tuple[Removed, ...] = ()
    if scope.since:
        from tidegate.workflows.check.gitfiles import changed_since

        changes = changed_since(root, scope.since, every)
        wanted &= changes.new | changes.edited
        edited = dict.fromkeys(changes.edited, f"at {scope.since}")
        if changes.gone:
            from tidegate.workflows.check.removed import removed

            lost = removed(root, found, changes.gone, scope.since)
    for record, _ in found:
        if record.id in scope.standing.edited:
            edited[record.path] = "when it was applied"
    if scope.paths:
        wanted &= _named(root, scope.paths, every)
    if scope.steps is not None:
        wanted &= {record.path for record, _ in found if record.id in scope.steps}
    return wanted, Apart(edited, lost)


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


def chains(found: Found, settings: CheckSettings) -> list[tuple[Chain, dict[str, str]]]:
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
    apart: Apart,
    scope: Scope,
    settings: CheckSettings,
    cache: Cache,
) -> list[Finding]:
    chain, digests = pair
    fresh = inside if scope.narrow else frozenset()
    parsers = [bool(importlib.util.find_spec(name)) for name in ("pgparse", "sqlglot")]
    seed = repr((settings.key(), sorted(fresh), parsers))
    known = keys(chain, digests, seed)
    kept: dict[str, list[Finding]] = {}
    for id in inside:
        found = cache.get("step " + known[id])
        if found is not None:
            kept[id] = pickle.loads(found)
    missing = frozenset(inside - set(kept))
    if missing:
        from tidegate.workflows.check.asking import ask_step

        for id in missing:
            kept[id] = []
        states = KeptStates(cache, chain, digests) if cache.on else None
        for view in chain.views(missing, fresh, states):
            kept[view.id] = ask_step(view, settings)
        for id in missing:
            if cache.on:
                cache.put("step " + known[id], pickle.dumps(kept[id], pickle.HIGHEST_PROTOCOL))
    whole = hashlib.sha256("".join(sorted(known.values())).encode()).hexdigest()
    name = f"graph {whole} {sorted(apart.edited.items())} {apart.removed}"
    graph_view = chain.graph()._replace(
        applied=scope.standing.applied, gone=scope.standing.gone, removed=apart.removed
    )
    if scope.standing.applied:
        name += hashlib.sha256(repr(sorted(scope.standing.applied)).encode()).hexdigest()
        name += repr(scope.standing.gone)
    graph: list[Finding] | None = cache.get(name)
    if graph is None:
        from tidegate.workflows.check.asking import ask_graph

        graph = ask_graph(graph_view, apart.edited, settings)
        cache.put(name, graph)
    if scope.narrow and not scope.standing.applied:
        paths = {chain.records[id].path for id in inside}
        graph = [one for one in graph if one.rule == "removed-since" or _touches(one, paths)]
    return [one for found in kept.values() for one in found] + graph


def _touches(one: Finding, paths: Collection[str]) -> bool:
    places = [one.place.path, *(place.path for place in one.also)]
    return any(path in paths for path in places)
