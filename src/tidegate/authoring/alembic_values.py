"""The values of an enum type: added, renamed, or taken out by way of a new type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tidegate.authoring.job import Answers, Candidate, Outcome, Question, Refusal
from tidegate.authoring.likeness import alike

if TYPE_CHECKING:
    from tidegate.authoring.alembic_enums import Type, User
    from tidegate.authoring.alembic_renames import Found


def shown(context: Any, type: Type) -> str:
    """Return the type's name, quoted where it has to be."""
    quote = context.dialect.identifier_preparer.quote
    return (f"{quote(type.schema)}." if type.schema else "") + str(quote(type.name))


def literal(value: str) -> str:
    """Return a value as SQL."""
    return "'" + value.replace("'", "''") + "'"


def create(context: Any, type: Type) -> str:
    """Return the statement that makes the type."""
    return f"CREATE TYPE {shown(context, type)} AS ENUM ({', '.join(map(literal, type.values))})"


@dataclass(frozen=True, slots=True)
class ValueRename:
    """A rename of a value that was said."""

    type: str
    old: str
    new: str

    def perform(self, context: Any) -> None:
        """Do it, on the database that is compared with."""
        context.connection.exec_driver_sql(self._statement(self.old, self.new))

    def operation(self) -> Any:
        """Return the operation that is written into the revision."""
        from tidegate.authoring.alembic_ops import Sql

        return Sql(self._statement(self.old, self.new), self._statement(self.new, self.old))

    def _statement(self, old: str, new: str) -> str:
        return f"ALTER TYPE {self.type} RENAME VALUE {literal(old)} TO {literal(new)}"


def find(
    context: Any, have: Type, want: Type, answers: Answers, found: Found
) -> None:
    """Note which values go and come, and which of them are said to be renamed."""
    gone = [one for one in have.values if one not in want.values]
    come = [one for one in want.values if one not in have.values]
    for old in gone:
        full = f"{have.name}.{old}"
        new = answers.new_name(full, [f"{have.name}.{one}" for one in come])[len(have.name) + 1 :]
        if new:
            come.remove(new)
            found.given.append(ValueRename(shown(context, have), old, new))
        elif not answers.is_dropped(full) and come:
            _ask(have, want, old, come, found)


def change(
    context: Any,
    upgrade: Any,
    types: tuple[Type, Type],
    users: Sequence[User],
    outcome: Outcome,
) -> None:
    """Bring the type in the database to the values of the models; renames are done."""
    from tidegate.authoring.alembic_ops import NewValues

    have, want = types
    gone = [one for one in have.values if one not in want.values]
    come = [one for one in want.values if one not in have.values]
    name = shown(context, have)
    if gone:
        swapped = _swap(context, have, want, gone, _defaulted(context, upgrade, users), outcome)
        upgrade.ops[:0] = [swapped] if swapped else []
    elif come:
        values = list(have.values)
        upgrade.ops.insert(0, NewValues(name, [_add(name, one, values, want) for one in come]))
        outcome.notes.append(f"the type {name} gets {', '.join(map(literal, come))}")


def _defaulted(context: Any, upgrade: Any, users: Sequence[User]) -> list[User]:
    """Take over the new defaults of columns: a default of the old type stops the new one."""
    found = []
    for one in users:
        for container in upgrade.ops:
            for op in list(getattr(container, "ops", ())):
                if (getattr(op, "modify_server_default", False) is False
                        or (op.table_name, op.column_name) != (one.table, one.column)):  # fmt: skip
                    continue
                one = one._replace(new_default=_text(op.modify_server_default), changed=True)
                op.modify_server_default = False
                op.existing_server_default = False
                if not op.has_changes():
                    container.ops.remove(op)
        found.append(one)
    return found


def _ask(have: Type, want: Type, old: str, come: Sequence[str], found: Found) -> None:
    likely = []
    for new in come:
        same_place = want.values.index(new) == have.values.index(old)
        likeness = alike(old, new)
        why = (("both stand in the same place",) if same_place else ()) + (
            ("the names are alike",) if likeness >= 0.5 else ()
        )
        if why:
            likely.append(Candidate(f"{have.name}.{new}", why, round(likeness, 2)))
    if likely:
        likely.sort(key=lambda one: (-len(one.why), -one.likeness))
        new = likely[0].new.rpartition(".")[2]
        found.questions.append(Question(
            "value", f"{have.name}.{old}", tuple(likely), "",
            f"ALTER TYPE {have.name} RENAME VALUE {literal(old)} TO {literal(new)}",
            f"a new type without {literal(old)}; rows that hold it stop the migration",
        ))  # fmt: skip


def _add(name: str, value: str, values: list[str], want: Type) -> str:
    """Return the statement that adds a value where the models have it; note that it is there."""
    at = want.values.index(value)
    before = next((one for one in reversed(want.values[:at]) if one in values), None)
    behind = next((one for one in want.values[at + 1 :] if one in values), None)
    place = ""
    if before is not None and before != values[-1]:
        place = f" AFTER {literal(before)}"
    elif before is None and behind is not None:
        place = f" BEFORE {literal(behind)}"
    values.insert(values.index(before) + 1 if before is not None else 0, value)
    return f"ALTER TYPE {name} ADD VALUE IF NOT EXISTS {literal(value)}{place}"


def _swap(
    context: Any,
    have: Type,
    want: Type,
    gone: Sequence[str],
    users: Sequence[User],
    outcome: Outcome,
) -> Any:
    """Return what replaces the type by one without the values; it is tried out first."""
    from tidegate.authoring.alembic_ops import Sqls

    name = shown(context, have)
    words = ", ".join(map(literal, gone))
    try:
        held = _holding(context, users, gone)
        up = _swapping(context, have, want, users)
        if not held:
            _try(context, up)
    except Exception as error:  # a view, an index or a policy that is made with the type
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        outcome.refusals.append(Refusal(
            f"{words} can't be taken out of the type {name}",
            f"PostgreSQL takes no value out of a type; replacing the type fails here: {reason}",
            "drop what is made with it in a migration of its own first",
        ))  # fmt: skip
        return None
    if held:
        outcome.refusals.append(Refusal(
            f"{words} can't be taken out of the type {name}: rows hold it",
            "\n".join(held),
            "write what becomes of them in a migration of its own first: --empty",
        ))  # fmt: skip
        return None
    outcome.notes.append(f"the type {name} is replaced by one without {words}")
    comment = f"PostgreSQL takes no value out of a type: {have.name} is replaced."
    back = [one._replace(default=one.new, new_default=one.default) for one in users]
    return Sqls(up, _swapping(context, want, have, back), comment)


def _swapping(context: Any, have: Type, want: Type, users: Sequence[User]) -> list[str]:
    quote = context.dialect.identifier_preparer.quote
    name, old = shown(context, have), quote(f"{have.name}_old")
    place = f"{quote(have.schema)}." if have.schema else ""
    statements = [f"ALTER TYPE {name} RENAME TO {old}", create(context, want)]
    for one in users:
        table, column = _place(context, one), quote(one.column)
        kind = f"{name}[]" if one.array else name
        alter = f"ALTER TABLE {table} ALTER COLUMN {column}"
        text = "text[]" if one.array else "text"
        if one.default is not None:
            statements.append(f"{alter} DROP DEFAULT")
        statements.append(f"{alter} TYPE {kind} USING {column}::{text}::{kind}")
        if one.new is not None:
            statements.append(f"{alter} SET DEFAULT {one.new}")
    return [*statements, f"DROP TYPE {place}{old}"]


def _place(context: Any, user: User) -> str:
    quote = context.dialect.identifier_preparer.quote
    default = str(context.dialect.default_schema_name or "public")
    return (f"{quote(user.schema)}." if user.schema != default else "") + str(quote(user.table))


def _holding(context: Any, users: Sequence[User], gone: Sequence[str]) -> list[str]:
    quote = context.dialect.identifier_preparer.quote
    values = f"ARRAY[{', '.join(map(literal, gone))}]"
    found = []
    for one in users:
        column = quote(one.column)
        test = f"{column}::text[] && {values}" if one.array else f"{column}::text = ANY ({values})"
        rows = context.connection.exec_driver_sql(
            f"SELECT count(*) FROM {_place(context, one)} WHERE {test}"
        ).scalar_one()
        if rows:
            found.append(f"{rows} row{'s' * (rows != 1)} of {one.table}.{one.column}")
    return found


def _try(context: Any, statements: Sequence[str]) -> None:
    run = context.connection.exec_driver_sql
    run("SAVEPOINT tidegate_swap")
    try:
        for one in statements:
            run(one)
    finally:
        run("ROLLBACK TO SAVEPOINT tidegate_swap")
        run("RELEASE SAVEPOINT tidegate_swap")


def _text(default: Any) -> str | None:
    """Return a server default as SQL."""
    found = getattr(default, "arg", default)
    if found is None or found is False:
        return None
    return literal(found) if isinstance(found, str) else str(found)


def cast(context: Any, upgrade: Any, altered: Any, name: str) -> None:
    """Write an ALTER to an enum type with the USING that it needs."""
    from tidegate.authoring.alembic_ops import Sqls

    quote = context.dialect.identifier_preparer.quote
    place = f"{quote(altered.schema)}." if altered.schema else ""
    column = quote(altered.column_name)
    alter = f"ALTER TABLE {place}{quote(altered.table_name)} ALTER COLUMN {column}"
    before = altered.existing_type.compile(dialect=context.dialect)
    old = _text(altered.existing_server_default)
    new = old if altered.modify_server_default is False else _text(altered.modify_server_default)
    up = [f"{alter} TYPE {name} USING {column}::text::{name}"]
    down = [f"{alter} TYPE {before} USING {column}::text"]
    # A default of the one type is none of the other: it goes before, and comes after.
    up = [f"{alter} DROP DEFAULT"] * (old is not None) + up
    up += [f"{alter} SET DEFAULT {new}"] * (new is not None)
    down = [f"{alter} DROP DEFAULT"] * (new is not None) + down
    down += [f"{alter} SET DEFAULT {old}"] * (old is not None)
    altered.modify_server_default = False
    altered.modify_type = None
    for one in upgrade.ops:
        if altered in getattr(one, "ops", ()):
            at = one.ops.index(altered)
            one.ops.insert(at, Sqls(up, down))
            if not altered.has_changes():
                one.ops.remove(altered)
