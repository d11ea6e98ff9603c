"""The hook itself. Nothing is imported before Alembic calls it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def include_name(name: str | None, type_: str, parent_names: Any) -> bool:
    """Leave the ledger's tables out: no model declares them."""
    return not (type_ == "table" and (name or "").startswith("tidegate_"))


def process_revision_directives(context: Any, revision: Any, directives: list[Any]) -> None:
    """Complete what autogenerate compared; raise CommandError where a person has to say.

    Answers come as `alembic -x rename=OLD=NEW` and `-x drop=OLD`, each as often as it takes.
    """
    if not _autogenerates(context) or all(_is_complete(one) for one in directives):
        return
    from alembic.util import CommandError

    from tidegate.authoring.alembic_hook import complete
    from tidegate.workflows.making import asking

    root = _root(context)
    found = complete(context, directives, _answers(context), root).as_dict()
    wrong = [f"-x ...={one} names nothing of this change." for one in found["unused"]]
    refused = asking.refused(found, wrong)
    if refused is not None:
        text = "\n".join(refused.lines()).replace("--rename ", "-x rename=")
        raise CommandError(text.replace("--drop ", "-x drop="))
    if found["unused"]:
        raise CommandError(f"{found['unused'][0]} names nothing that this change is about")
    for note in found["notes"]:
        _say([note])
    _when_written(context, root, directives, asking.why_nothing(found))


def _is_complete(script: Any) -> bool:
    """Whether `tidegate make` runs this, and has looked at it already."""
    return all(hasattr(one, "_tidegate_completed") for one in script.upgrade_ops_list)


def _autogenerates(context: Any) -> bool:
    """Whether models are compared: with `revision_environment` env.py runs for empty ones too."""
    running = context.environment_context.context_opts.get("revision_context")
    return bool(running is not None and running.command_args.get("autogenerate"))


def _root(context: Any) -> Path:
    """Return the project's folder: where alembic.ini lies, or where the command was typed."""
    name = context.config.config_file_name if context.config is not None else None
    folder = Path(name).resolve().parent if name else Path.cwd()
    return folder.parent if (folder / "env.py").is_file() else folder


def _answers(context: Any) -> Any:
    from tidegate.authoring.job import Answers

    renames: dict[str, str] = {}
    dropped = []
    for word in context.environment_context.get_x_argument():
        kind, _, value = str(word).partition("=")
        old, _, new = value.partition("=")
        if kind == "rename" and new:
            renames[old] = new
        elif kind == "drop" and value:
            dropped.append(value)
    return Answers(renames=renames, dropped=tuple(dropped))


def _when_written(context: Any, root: Path, directives: Sequence[Any], why: str) -> None:
    """Write no empty file; show what the rules say of one that has been written."""
    script = context.environment_context.script
    write = script.generate_revision

    def written(*args: Any, **kwargs: Any) -> Any:
        if all(one.upgrade_ops.is_empty() for one in directives):
            _say([f"nothing to make. {why}"])
            return None
        made = write(*args, **kwargs)
        if made is not None:
            _review(root, [made.path])
        return made

    script.generate_revision = written


def _review(root: Path, paths: Sequence[str]) -> None:
    from tidegate import discovery
    from tidegate.errors import TidegateError
    from tidegate.workflows.check.review import review

    try:
        found = review(str(root), paths)
    except TidegateError as error:  # an extra is missing: that is no reason to lose the file
        _say(error.lines())
        return
    if found.findings:
        sys.stderr.write(discovery.reporter("text").render(found, colour=False) + "\n")


def _say(lines: Sequence[str]) -> None:
    sys.stderr.write("".join(f"tidegate  {line}\n" for line in lines))
