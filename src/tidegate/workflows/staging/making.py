"""New migrations for a named change: `make --data`, `--expand` and `--contract`.

They come after the last migration there is; nothing that exists is changed, nothing is asked of a
database or of the framework.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tidegate.errors import UsageProblem
from tidegate.workflows.check.chain import Chain
from tidegate.workflows.check.edits import Source
from tidegate.workflows.check.tree import Tree
from tidegate.workflows.staging import (
    alembic_files,
    alembic_fixes,
    alembic_writing,
    django_files,
    django_renames,
    django_writing,
    types,
)
from tidegate.workflows.staging import expand as expanding
from tidegate.workflows.staging.already import refuse_second, refuse_unready
from tidegate.workflows.staging.batches import IMPORT, Batched
from tidegate.workflows.staging.moments import At, latest
from tidegate.workflows.staging.named import Named, named
from tidegate.workflows.staging.saidsql import refuse_wrong
from tidegate.workflows.staging.stage import Declined, Stage, indented, literal, quoted, slug


@dataclass(frozen=True)
class Data:
    """A data migration: what it is called, and what it sets, where that is said."""

    name: str
    table: str = ""
    set: str = ""
    where: str = ""
    undo: str = ""


def data(tree: Tree, app: str, wanted: Data) -> list[str]:
    """Take a data migration that goes over a table in batches; return its path."""
    chain, at = _chain(tree, app)
    key = at.key(wanted.table) if wanted.table else "id"
    if wanted.table and wanted.table not in at.tables:
        raise UsageProblem(
            f"no migration makes a table {wanted.table}",
            "It is the database's name for it, such as shop_order.",
            "use one of: " + ", ".join(sorted(at.tables)[:12]),
        )
    if not key:
        raise UsageProblem(
            f"{wanted.table} has no primary key of one column",
            "backfill() goes over ranges of the key.",
            "write the migration by hand: tidegate make --empty",
        )
    if wanted.set:
        refuse_wrong(at, wanted.table, "--set", wanted.set, wanted.where)
    if wanted.undo:
        refuse_wrong(at, wanted.table, "--undo", wanted.undo)
    return _after(tree, chain, app, [_data(chain, wanted, key)], wanted.name)


def _data(chain: Chain, wanted: Data, key: str) -> Stage:
    django, name = chain.framework == "django", slug(wanted.name)
    connection = "schema_editor.connection" if django else "op.get_bind()"
    made = Batched(wanted.table or "TABLE", wanted.set or "column = other",
                   wanted.where if wanted.set else "column IS NULL", key)  # fmt: skip
    forward = made.call(connection)
    back = [made.forget(connection)]
    if wanted.undo:
        undo = Batched(wanted.table, wanted.undo, "", key)
        back = [undo.call(connection), undo.forget(connection), *back]
    if not wanted.set:
        forward = (
            'raise NotImplementedError("write what is set, and take this line out")\n' + forward
        )
    imports = (IMPORT,)
    if django:
        code = "\n\n\n".join(
            f"def {function}(apps, schema_editor):\n" + indented("\n".join(lines), 4)
            for function, lines in ((name, [forward]), (f"undo_{name}", back))
        )
        run = f"migrations.RunPython({name}, undo_{name})"
        return Stage("", (run,), atomic=False, alone=True, code=code, imports=imports)
    block = alembic_writing.in_block
    return Stage("", (block(forward),), (block("\n".join(back)),), False, True, imports=imports)


def expand(tree: Tree, app: str, said: str) -> list[str]:
    """Take the files with which both releases work; return their paths."""
    chain, one = named(tree, app, said)
    refuse_second(one, said)
    django = chain.framework == "django"
    stages = EXPANDED[one.kind](one, django)
    if not stages:
        raise UsageProblem(
            f"there is nothing to expand: {one.table}.{one.column.name} may be left out of an "
            "INSERT as it is",
            "Release the code without it first.",
            f"then: tidegate make --contract {said}",
        )
    return _after(tree, chain, _app(app, one), stages, _words("expand", one))


def contract(tree: Tree, app: str, said: str) -> list[str]:
    """Take the file that ends it, for the release after the one that expanded."""
    chain, one = named(tree, app, said, contract=True)
    django = chain.framework == "django"
    if one.kind not in CONTRACTED:
        raise UsageProblem(
            f"{said} has no contract", "What --expand makes is all there is.", "leave it out"
        )
    refuse_unready(one, said)
    stage = CONTRACTED[one.kind](one, django)
    return _after(tree, chain, _app(app, one), [stage], _words("contract", one))


def _app(app: str, one: Named) -> str:
    return one.model.app if one.model else app


def _words(what: str, one: Named) -> str:
    table = one.model.name if one.model else one.table
    return slug(f"{what} {table} {one.column.name} {one.new.partition('(')[0]}")


def _renaming(one: Named, django: bool) -> list[Stage]:
    made = _copy(one)
    if not django:
        return alembic_fixes.renaming(made)
    state = (
        f"migrations.RenameField(\n    model_name={literal(one.model.name.lower())},\n"
        f"    old_name={literal(one.field)},\n    new_name={literal(one.new)},\n)"
        if one.model
        else ""
    )
    return django_renames.renaming(made, [state] if state else [])


def _copy(one: Named) -> expanding.Renamed:
    try:
        return expanding.renamed(
            one.at.tables.get(one.table), one.table, one.column.name, one.new,
            one.at.key(one.table),
        )  # fmt: skip
    except Declined as why:
        raise UsageProblem(str(why), "", "write it by hand: tidegate make --empty") from None


def _renamed(one: Named, django: bool) -> Stage:
    made = _copy(one)
    constant = f"SYNC_{made.old}_{made.new}".upper()
    code = f'{constant} = """\\\n{made.function()}\n"""'
    *back, trigger = made.reopened()
    if django:
        operation = django_writing.sql(made.contract(), [*back, constant, trigger])
        return Stage("", (operation,), code=code)
    run = alembic_writing.execute
    backward = (*map(run, back), f"op.execute({constant})", run(trigger))
    return Stage("", tuple(map(run, made.contract())), backward, code=code)


def _forgetting(one: Named, django: bool) -> list[Stage]:
    """The code forgets the column: it must not be asked for in an INSERT."""
    required = not one.column.nullable and not one.column.default
    table, column = quoted(one.table), quoted(one.column.name)
    set_null = f"ALTER TABLE {table} ALTER COLUMN {column} "
    if not django:
        run = alembic_writing.execute
        both = (run(set_null + "DROP NOT NULL"),), (run(set_null + "SET NOT NULL"),)
        return [Stage("", *both)] if required else []
    sql = django_writing.sql([set_null + "DROP NOT NULL"], [set_null + "SET NOT NULL"])
    state = (
        f"migrations.RemoveField(\n    model_name={literal(one.model.name.lower())},\n"
        f"    name={literal(one.field)},\n)"
        if one.model
        else ""
    )
    return [Stage("", (django_writing.apart([sql] if required else [], [state]),))]


def _dropped(one: Named, django: bool) -> Stage:
    table, column = quoted(one.table), quoted(one.column.name)
    kind = one.column.type
    if not kind or kind.startswith("?"):
        raise UsageProblem(
            f"the type of {one.table}.{one.column.name} can't be told",
            "It is needed to take the DROP back.",
            "write it by hand: tidegate make --empty",
        )
    drop = f"ALTER TABLE {table} DROP COLUMN {column}"
    add = f"ALTER TABLE {table} ADD COLUMN {column} {kind}"
    if django:
        return Stage("", (django_writing.sql([drop], [add]),))
    allowed = "# tidegate: allow column-dropped: the previous release does not name it any more"
    run = alembic_writing.execute
    return Stage("", (f"{allowed}\n{run(drop)}",), (run(add),))


EXPANDED: Mapping[str, Callable[[Named, bool], list[Stage]]] = {
    "rename": _renaming, "drop": _forgetting, "type": types.expanded, "unique": types.unique,
}  # fmt: skip
CONTRACTED: Mapping[str, Callable[[Named, bool], Stage]] = {
    "rename": _renamed, "drop": _dropped, "type": types.contracted,
}  # fmt: skip


def _chain(tree: Tree, app: str) -> tuple[Chain, At]:
    found = latest(tree, "")
    if not found:
        raise UsageProblem(
            f"no migration was found below {tree.root}", "", "make the first one: tidegate make"
        )
    if any(chain.framework == "django" for chain, _ in found) and not app:
        raise UsageProblem("a data migration belongs to an app", "", "name it: --app APP")
    for chain, at in found:
        if chain.framework == "alembic" or any(
            one.id.partition(".")[0] == app for one in chain.order
        ):
            return chain, at
    raise UsageProblem(f"no migration of an app {app} was found", "", "correct --app")


def _after(tree: Tree, chain: Chain, app: str, stages: Sequence[Stage], name: str) -> list[str]:
    """Take the stages as files behind the last one."""
    texts = (_django if chain.framework == "django" else _alembic)(tree, chain, app, stages, name)
    for one in texts.values():
        ast.parse(one)
    if not tree.take({}, texts):
        raise UsageProblem(
            f"{next(iter(texts))} is there already", "Nothing was written.", "give another name"
        )
    return list(texts)


def _leaf(chain: Chain, members: Sequence[str]) -> str:
    needed = {need for one in members for need in chain.needs[one]}
    last = [one for one in members if one not in needed]
    if len(last) != 1:
        raise UsageProblem(
            f"there are {len(last)} last migrations: {', '.join(sorted(last))}",
            "A new one has to come after one of them.",
            "join them first: tidegate make --merge",
        )
    return last[0]


def _django(
    tree: Tree, chain: Chain, app: str, stages: Sequence[Stage], name: str
) -> dict[str, str]:
    members = [one.id for one in chain.order if one.id.partition(".")[0] == app]
    leaf = chain.records[_leaf(chain, members)]
    before = leaf.id.partition(".")[2]
    blank = Source(tree, leaf.path, "", ast.parse(""))
    number = max((int(m[1]) for one in members if (m := re.search(r"\.(\d+)_", one))), default=0)
    out = {}
    for at, stage in enumerate(stages, 1):
        suffix = f"_{stage.suffix}" if stage.suffix and at > 1 else ""
        made = f"{number + at:04d}_{slug(name)[:44]}{suffix}"
        text = "".join(indented(one, 8) + ",\n" for one in stage.forward)
        part = django_files.Part(text, stage.atomic, "", [stage.code] if stage.code else [],
                                 list(stage.imports))  # fmt: skip
        out[blank.beside(made)] = django_files.new_file(blank, part, app, before)
        before = made
    return out


def _alembic(
    tree: Tree, chain: Chain, app: str, stages: Sequence[Stage], name: str
) -> dict[str, str]:
    leaf = chain.records[_leaf(chain, [one.id for one in chain.order])]
    both = "def downgrade(): ..."
    blank = Source(tree, leaf.path, both, ast.parse(both))
    before, out = leaf.id, {}
    for at, stage in enumerate(stages, 1):
        words = f"{name} {stage.suffix}".strip() if at > 1 else name
        revision = hashlib.sha256(f"{before} {words}".encode()).hexdigest()[:12]
        part = alembic_files.part_of(stage, "    ")
        part.imports = ["from alembic import op", *part.imports]
        path = blank.beside(f"{revision}_{slug(words)}"[:60])
        out[path] = alembic_files.new_file(blank, part, revision, before, words.replace("_", " "))
        before = revision
    return out
