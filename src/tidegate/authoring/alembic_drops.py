"""Tables that would be dropped because nothing imported the class that declares them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tidegate.authoring.job import Answers, Outcome, Refusal, listed
from tidegate.authoring.unimported import Declared, declared, for_table


def refuse(context: Any, upgrade: Any, answers: Answers, root: Path, outcome: Outcome) -> None:
    """Refuse drops of tables that a class declares, and of tables that no revision made."""
    from alembic.operations import ops

    dropped = [one for one in upgrade.ops if isinstance(one, ops.DropTableOp)]
    known: list[Declared] = []
    if dropped or not upgrade.ops:
        known = declared(root)
    asked = {one.old for one in outcome.questions}
    for one in dropped:
        name = f"{one.schema}.{one.table_name}" if one.schema else one.table_name
        if name in asked or answers.is_dropped(name):
            continue
        found = for_table(known, name)
        if found:
            outcome.refusals.append(_declared(name, found, outcome.seen))
        elif not _made_by_a_revision(context, one.table_name):
            outcome.refusals.append(_foreign(name, context))
    if not upgrade.ops:
        outcome.unseen = [f"{one.shown} and is not imported" for one in known if not one.imported]


def _declared(table: str, found: Sequence[Declared], seen: Sequence[str]) -> Refusal:
    hidden = [one for one in found if not one.imported]
    where = "\n".join(
        f"{one.shown} for it, and " + ("its metadata is not the one in target_metadata."
                                       if one.imported else "nothing imports that module.")
        for one in hidden or found
    )  # fmt: skip
    advice = (
        f"import {hidden[0].module} where env.py gets target_metadata from"
        if hidden
        else "put its metadata into target_metadata in env.py (a list takes several)"
    )
    return Refusal(
        f"{table} would be dropped, and a class for it is there",
        f"{where}\nTables that the models declare: {listed(seen) or 'none'}.",
        f"{advice}\nor, if the table has to go: --drop {table}",
    )


def _foreign(table: str, context: Any) -> Refusal:
    return Refusal(
        f"{table} would be dropped, and no revision of this project made it",
        "It may belong to an extension or to another program that shares the database.",
        "leave it out with include_name in env.py\n"
        f"or, if the table has to go: --drop {table}",
    )


def _made_by_a_revision(context: Any, table: str) -> bool:
    """Whether the text of any revision names the table."""
    script = getattr(context.environment_context, "script", None)
    if script is None:
        return True
    words = (f'"{table}"', f"'{table}'", f" {table} ", f" {table}(", f".{table} ", f".{table}(")
    for one in script.walk_revisions():
        try:
            text = Path(one.path).read_text("utf-8", "replace")
        except OSError:
            continue
        if any(word in text for word in words):
            return True
    return False
