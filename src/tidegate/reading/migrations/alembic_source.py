"""An Alembic revision as a Record: `upgrade` and `downgrade` are followed statement by statement.

Nothing is run. Constants, helper functions of the file, loops over constants, batch mode,
`autocommit_block` and tests of the dialect are followed; under a condition that can't be decided
both branches are taken and marked with `maybe`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Any

from tidegate.model.operation import Trait
from tidegate.reading import newersyntax
from tidegate.reading.migrations.alembic_calls import AlembicFollower
from tidegate.reading.migrations.declaring import module_scope
from tidegate.reading.migrations.kinds import is_made
from tidegate.reading.migrations.orm import reaches_out
from tidegate.reading.migrations.record import TEMPORARY, Record, Said, suppressions
from tidegate.reading.migrations.scopes import Load, Scope, span
from tidegate.reading.migrations.values import dotted

GLANCE = re.compile(r"^(down_)?revision\b", re.MULTILINE)


def read(source: str, path: str, name: str, load: Load | None = None) -> Record | None:
    """Return the Record of a file; None where it is no revision.

    `load` returns the scope of another module of the project.
    """
    if not GLANCE.search(source):
        return None
    try:
        tree = newersyntax.parse(source)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", 1) or 1
        return Record("alembic", name, path, problem=f"line {line}: {error.args[0]}")
    scope = module_scope(tree, load)
    revision = scope.names.get("revision")
    if not isinstance(revision, str) or "down_revision" not in scope.names:
        return None
    upgrade, downgrade = scope.function("upgrade"), scope.function("downgrade")
    going = AlembicFollower(scope)
    forward = going.run(upgrade)
    unread = (upgrade is not None and not forward and not _is_trivial(upgrade)) or not scope.left[0]
    if unread:
        forward.append(Said("code", (), {}, _title(upgrade)))
    going_back = AlembicFollower(scope)
    backward = going_back.run(downgrade)
    return Record(
        framework="alembic",
        id=revision,
        path=path,
        needs=(*_ids(scope.names["down_revision"]), *_ids(scope.names.get("depends_on"))),
        forward=tuple(forward),
        backward=tuple(backward),
        backward_state=_state(downgrade, backward, going_back.raises),
        traits={"downgrade": (), "upgrade": _outside(upgrade, scope)},
        allowed=suppressions(source),
        title=_title(upgrade),
        branch_labels=_ids(scope.names.get("branch_labels")),
        settings={"down": _ids(scope.names["down_revision"]), "downgrade": _title(downgrade)},
        temporary=source.startswith(TEMPORARY),
    )


def _title(function: ast.FunctionDef | None) -> Any:
    if function is None:
        return Record("", "", "").title
    end = function.col_offset + len(function.name) + 5
    return span(function)._replace(end_line=function.lineno, end_column=end)


def _ids(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list | tuple) and not is_made(value):
        return tuple(one for one in value if isinstance(one, str))
    return ()


def _state(function: ast.FunctionDef | None, said: Sequence[Said], raises: bool) -> str:
    if function is None:
        return "missing"
    if raises and not said:
        return "raises"
    return "done" if said else "empty"


def _is_trivial(function: ast.FunctionDef) -> bool:
    """Whether a function does nothing: a docstring, `pass`, `...`."""
    return all(
        isinstance(node, ast.Pass | ast.Return)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in function.body
    )


def _outside(function: ast.FunctionDef | None, scope: Scope) -> tuple[Trait, ...]:
    found = []
    for node in ast.walk(function) if function else ():
        if isinstance(node, ast.Call):
            name = dotted(node.func, scope)
            if reaches_out(name) or name == "open":
                found.append(Trait("outside", name, span(node)))
    return tuple(found)
