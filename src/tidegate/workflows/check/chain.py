"""A chain of steps in the order in which they run, replayed into views for the rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from tidegate.contracts.rule import GraphView, Moment, Node, StepView
from tidegate.model.operation import (
    AddConstraint,
    AddIndex,
    AlterColumn,
    Column,
    Nothing,
    Operation,
)
from tidegate.model.schema import Schema
from tidegate.reading.migrations.record import Record


class States(Protocol):
    """Keeps states of a replay between runs."""

    def nearest(self, number: int) -> tuple[Any, int]:
        """Return the state before the step of that number, or of one before it; (None, 0): none."""

    def offer(self, number: int, replay: Any) -> None:
        """Take the state before a step, if it is worth keeping."""


def resolved(records: Sequence[Record]) -> tuple[dict[str, tuple[str, ...]], dict[str, list[str]]]:
    """Return what each step needs, as ids of steps that are there, and what leads nowhere.

    A need that a squashed migration replaces is that migration where the original is gone.
    `app.__first__` and needs of apps that were not read (Django's own) are left out.
    """
    known = {one.id for one in records}
    apps = {one.id.partition(".")[0] for one in records if one.framework == "django"}
    stands_for = {old: one.id for one in records for old in one.replaces}
    needs: dict[str, list[str]] = {one.id: [] for one in records}
    lost: dict[str, list[str]] = {}
    short = _prefixes(known)
    for one in records:
        for need in one.needs:
            found = need if need in known else stands_for.get(need, "")
            if not found and one.framework == "alembic":
                found = short.get(need, "")
            app, _, name = need.partition(".")
            if found and found != one.id:
                needs[one.id].append(found)
            elif name in ("__first__", "__latest__"):
                edge = _edge(records, app, name == "__first__")
                needs[one.id] += [edge] if edge and edge != one.id else []
            elif not found and (one.framework == "alembic" or app in apps):
                lost.setdefault(one.id, []).append(need)
        for later in one.run_before:
            if later in needs:
                needs[later].append(one.id)
    return {key: tuple(dict.fromkeys(value)) for key, value in needs.items()}, lost


def _prefixes(known: Iterable[str]) -> dict[str, str]:
    """Alembic takes the beginning of a revision, and a branch label, for it."""
    return {one[:size]: one for one in known for size in (4, 6, 8, 10) if len(one) > size}


def _edge(records: Sequence[Record], app: str, first: bool) -> str:
    names = sorted(one.id for one in records if one.id.partition(".")[0] == app)
    return (names[0] if first else names[-1]) if names else ""


def in_order(records: Sequence[Record], needs: Mapping[str, tuple[str, ...]]) -> list[Record]:
    """Return the steps, each after what it needs; a cycle is broken where it closes."""
    by_id = {one.id: one for one in records}
    done: dict[str, None] = {}
    for start in sorted(by_id):
        stack: list[tuple[str, Iterator[str]]] = [(start, iter(needs.get(start, ())))]
        open_now = {start}
        if start in done:
            continue
        while stack:
            current, rest = stack[-1]
            for need in rest:
                if need not in done and need not in open_now and need in by_id:
                    open_now.add(need)
                    stack.append((need, iter(needs.get(need, ()))))
                    break
            else:
                done[current] = None
                open_now.discard(current)
                stack.pop()
    return [by_id[one] for one in done]


def superseded(records: Sequence[Record]) -> frozenset[str]:
    """Return the squashed migrations whose originals are still there: those run, they don't."""
    known = {one.id for one in records}
    return frozenset(
        one.id for one in records if one.replaces and any(old in known for old in one.replaces)
    )


class Chain:
    """One framework's steps on one database."""

    def __init__(self, records: Sequence[Record], vendor: str, version: int, user: str) -> None:
        self.framework = records[0].framework if records else ""
        self.vendor = vendor
        self.version = version
        self.user = user
        self.needs, self.lost = resolved(records)
        self.skipped = superseded(records)
        self.needed = {need for needs in self.needs.values() for need in needs}
        self.order = in_order(records, self.needs)
        self.records = {one.id: one for one in records}
        self.initial = frozenset(one.id for one in records if one.initial)

    def graph(self) -> GraphView:
        """Return the graph for the rules."""
        nodes = {
            one.id: Node(
                one.id, one.path, one.title, self.needs[one.id], one.replaces, one.branch_labels,
                tuple(self.lost.get(one.id, ())), bool(one.problem),
            )
            for one in self.order
        }  # fmt: skip
        return GraphView(self.framework, nodes, self.vendor)

    def views(
        self, wanted: frozenset[str], fresh: frozenset[str], states: States | None = None
    ) -> Iterator[StepView]:
        """Replay the chain and yield a view of each step in `wanted`.

        `states` keeps the state before some of the last steps from one run to the next.
        """
        places = [number for number, one in enumerate(self.order) if one.id in wanted]
        if not places:
            return
        first, last = places[0], places[-1]
        replay, begin = None, 0
        if states is not None:
            replay, begin = states.nearest(first)
        if replay is None:
            replay, begin = self.fresh_replay(), 0
        schema: Schema = replay.schema
        for number, record in enumerate(self.order[begin : last + 1], begin):
            if states is not None:
                states.offer(number, replay)
            record = record.whole()
            if record.id in self.skipped or record.problem:
                if record.problem and record.id in wanted:
                    yield self._bare(record, fresh)
                continue
            if record.id in wanted:
                yield self._view(record, schema, replay, fresh)
                continue
            for operation in replay.operations(record):
                schema.apply(_known_before(operation, schema), record.id)

    def fresh_replay(self) -> Any:
        """Return a replay that has seen nothing yet."""
        schema = Schema()
        if self.framework == "django":
            from tidegate.reading.migrations.django_replay import DjangoReplay

            return DjangoReplay(schema, self.vendor, self.user)
        from tidegate.reading.migrations.alembic_replay import AlembicReplay

        return AlembicReplay(schema, self.vendor)

    def _bare(self, record: Record, fresh: frozenset[str]) -> StepView:
        if record.initial:  # Django cuts an app's beginning in two where models point at each other
            app = record.id.partition(".")[0] + "."
            fresh |= {one for one in self.initial if one.startswith(app)}
        view = StepView(record.id, record.framework, record.path, self.vendor, self.version, fresh)
        view.atomic, view.initial, view.title = record.atomic, record.initial, record.title
        view.needs, view.replaces = self.needs.get(record.id, ()), record.replaces
        view.backward_state, view.problem = record.backward_state, record.problem
        view.squashed = bool(record.replaces)
        view.temporary = record.temporary
        view.empty = not record.forward and not record.problem
        view.last = record.id not in self.needed
        view.backward_title = record.settings.get("downgrade", record.title)
        return view

    def _view(self, record: Record, schema: Schema, replay: Any, fresh: frozenset[str]) -> StepView:
        view = self._bare(record, fresh)
        for operation in replay.operations(record):
            known = _known_before(operation, schema)
            view.moments.append(
                Moment(
                    known, dict(schema.tables), dict(schema.types), dict(schema.types_made_in), view
                )
            )
            schema.apply(known, record.id)
        if record.framework == "alembic" and record.backward:
            tables, types = dict(schema.tables), dict(schema.types)
            made = dict(schema.types_made_in)
            view.backward = [
                Moment(operation, tables, types, made, view)
                for operation in replay.operations(record, backward=True)
            ]
        return view


def _is_there(operation: Operation, schema: Schema) -> bool:
    """Whether an object is made on a condition, and is there already."""
    change = operation.change
    asked = operation.maybe or operation.sql.lstrip()[:2].upper() == "DO"
    if isinstance(change, AddIndex):
        found = schema.table(change.table)
        asked = asked or change.if_not_exists
        return asked and found is not None and change.made.name in found.indexes
    if isinstance(change, AddConstraint):
        found = schema.table(change.table)
        return asked and found is not None and change.constraint.name in found.constraints
    return False


def _known_before(operation: Operation, schema: Schema) -> Operation:
    """Fill in what replay knows of an altered column, and leave out what stays as it is."""
    change = operation.change
    if _is_there(operation, schema):
        return operation._replace(change=Nothing("there", getattr(change, "table", "")))
    if not isinstance(change, AlterColumn):
        return operation
    found = schema.table(change.table)
    before: Column | None = change.before or (found.columns.get(change.column) if found else None)
    if before is None:
        return operation
    nullable = None if change.nullable is before.nullable else change.nullable
    return operation._replace(change=change._replace(before=before, nullable=nullable))
