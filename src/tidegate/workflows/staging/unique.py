"""A unique constraint whose index is built CONCURRENTLY first, and only then made a constraint."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import NamedTuple

from tidegate.model.finding import Finding
from tidegate.model.operation import AddColumn, AddConstraint, AddIndex
from tidegate.workflows.check.edits import Fixed, Source
from tidegate.workflows.check.fixes_django import called
from tidegate.workflows.staging import (
    alembic_files,
    alembic_writing,
    django_files,
    django_writing,
)
from tidegate.workflows.staging.common import NAME, beside, of_finding
from tidegate.workflows.staging.moments import At
from tidegate.workflows.staging.stage import Declined, Stage, literal, moved, quoted

WHAT = "its index CONCURRENTLY, and the constraint by that index"
PLAIN = {"fields", "name", "violation_error_message", "violation_error_code"}
ARGUMENTS = {"constraint_name", "table_name", "columns"}


class Unique(NamedTuple):
    """A unique constraint over columns."""

    table: str
    name: str
    columns: tuple[str, ...]

    def built(self) -> tuple[str, str]:
        """Return what builds its index, and what takes that back."""
        listed = ", ".join(map(quoted, self.columns))
        name = quoted(self.name)
        return (
            f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {quoted(self.table)} ({listed})",
            f"DROP INDEX CONCURRENTLY IF EXISTS {name}",
        )

    def attach(self) -> tuple[str, str]:
        """Return what makes the index a constraint, and what takes that back, with the index."""
        alter, name = f"ALTER TABLE {quoted(self.table)}", quoted(self.name)
        return (
            f"{alter} ADD CONSTRAINT {name} UNIQUE USING INDEX {name}",
            f"{alter} DROP CONSTRAINT {name}",
        )

    def django(self, state: Sequence[str], like: str = "") -> list[Stage]:
        """Return Django's stages; `like` is the operator class of a text's second index."""
        create, drop = self.built()
        attach, detach = self.attach()
        stages = [Stage("unique_index", (django_writing.sql([create], [drop]),), atomic=False,
                       alone=True)]  # fmt: skip
        if like:
            both = django_writing.build(self.table, self.columns[0], "_like", like)
            operation = django_writing.sql([both[0]], [both[1]])
            stages.append(Stage("like_index", (operation,), atomic=False, alone=True))
        made = django_writing.sql([attach], [detach])
        last = django_writing.apart([made], state) if state else made
        return [*stages, Stage("unique", (last,))]

    def alembic(self, back: str = "") -> list[Stage]:
        """Return Alembic's stages; `back` is how downgrade() takes the constraint back."""
        words = f"{literal(self.name)}, {literal(self.table)}"
        concurrently = "postgresql_concurrently=True"
        create = f"op.create_index({words}, {list(self.columns)!r}, unique=True, {concurrently})"
        drop = f"op.drop_index({words}, if_exists=True, {concurrently})"
        attach, detach = self.attach()
        block, run = alembic_writing.in_block, alembic_writing.execute
        return [
            Stage("unique_index", (block(create),), (block(drop),), False, True),
            Stage(f"unique_{self.columns[0]}", (run(attach),), (back or run(detach),)),
        ]


def inline_name(table: str, column: str) -> str:
    """Return the name that PostgreSQL gives a UNIQUE which comes with its column."""
    name = f"{table.rpartition('.')[2]}_{column}_key"
    if len(name.encode()) > NAME:
        raise Declined("the name that PostgreSQL would give its constraint is too long to be told")
    return name


def like_of(kind: str) -> str:
    """Return the operator class of the second index that Django gives a unique text."""
    if kind.startswith("varchar"):
        return "varchar_pattern_ops"
    return "text_pattern_ops" if kind.startswith("text") else ""


def django(source: Source, one: Finding, ats: Sequence[At]) -> Fixed:
    """A unique constraint or field of Django."""
    at = of_finding(ats, one, AddConstraint)
    call = django_writing.call_of(source, at)
    change = at.change
    assert isinstance(change, AddConstraint)
    name, like = change.constraint.name, ""
    if called(call) == "AlterField":
        name, like = _field(ats, at)
    elif called(call) != "AddConstraint" or not _is_plain(call):
        raise Declined("it is more than a unique constraint of columns")
    if not name or not change.constraint.columns:
        raise Declined("its name or its columns can't be told")
    made = Unique(change.table, name, change.constraint.columns)
    return django_files.divide(source, call, made.django([moved(source, call)], like), WHAT)


def added(source: Source, at: At, ats: Sequence[At]) -> Fixed:
    """A unique field that is added: without unique first, where old rows hold nothing."""
    call, change = django_writing.call_of(source, at), at.change
    assert isinstance(change, AddConstraint)
    column = next((e.column for e in beside(ats, at) if isinstance(e, AddColumn)), None)
    others = [each for each in beside(ats, at) if not isinstance(each, AddColumn | AddIndex)]
    if column is None or not column.nullable or others:
        raise Declined("more than a unique column comes with the field")
    bare = Stage("", (django_writing.field_with(source, call, "unique", "False"),))
    made = Unique(change.table, inline_name(change.table, column.name), (column.name,))
    stages = made.django([django_writing.altering(source, call)], like_of(column.type))
    return django_files.divide(source, call, [bare, *stages], WHAT)


def _field(ats: Sequence[At], at: At) -> tuple[str, str]:
    """Return the constraint's name and the second index of a field that becomes unique."""
    change = at.change
    assert isinstance(change, AddConstraint)
    column = change.constraint.columns[0]
    known = at.column(change.table, column)
    if any(not isinstance(each, AddIndex) for each in beside(ats, at)) or known is None:
        raise Declined("more than unique changes: give that a migration of its own")
    if known.indexed:
        raise Declined("the field's own index goes with it: give that a migration of its own")
    return django_writing.own_name(change.table, column, "_uniq"), like_of(known.type)


def _is_plain(call: ast.Call) -> bool:
    made = django_writing.argument(call, 1, "constraint")
    return (
        isinstance(made, ast.Call)
        and not made.args
        and {word.arg or "**" for word in made.keywords} <= PLAIN
    )


def alembic(source: Source, one: Finding, ats: Sequence[At]) -> Fixed:
    """A unique constraint of Alembic."""
    at = of_finding(ats, one, AddConstraint)
    number, node, call = alembic_writing.statement(source, at)
    change = at.change
    assert isinstance(change, AddConstraint)
    if alembic_files.called(node) != "create_unique_constraint" or not change.constraint.name:
        raise Declined("it is not a create_unique_constraint with a name")
    if {word.arg or "**" for word in call.keywords} - ARGUMENTS or not change.constraint.columns:
        raise Declined("it is more than a unique constraint of columns")
    made = Unique(change.table, change.constraint.name, change.constraint.columns)
    back = alembic_files.backward_of(source, number)
    return alembic_files.divide(source, number, made.alembic(back), WHAT)
