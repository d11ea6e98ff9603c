"""`alembic revision`, run in this process with everything that autogenerate misses looked at."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from tidegate.authoring.alembic_formatters import forgiving
from tidegate.authoring.job import Answers, Outcome
from tidegate.errors import UsageProblem
from tidegate.frameworks.alembic import AlembicProject


class Enough(BaseException):
    """Leaves env.py where no file may be written; no `except Exception` of it holds this up."""


def make(project: AlembicProject, answers: Answers, root: Path) -> Outcome:
    """Write a revision; where there is a question or a refusal, none is written."""
    from alembic import command
    from alembic.util import CommandError

    if answers.renumber or answers.app:
        raise UsageProblem(
            "--app and --renumber are Django's", "Alembic has no apps and no numbers.",
            "leave it out",
        )  # fmt: skip
    outcome = Outcome()
    made: Any
    alias = project.sections()[0]
    with project.configured(alias) as config, forgiving() as unformatted:
        try:
            if answers.merge:
                if len(_heads(config)) < 2:  # Alembic would write a revision that joins nothing
                    return outcome
                made = command.merge(config, "heads", answers.message or _joined(config))
            elif answers.empty:
                made = command.revision(config, answers.message)
            else:
                made, outcome = _compared(config, answers, root)
            outcome.sql = _sql(config, made)
        except CommandError as error:
            outcome.error = _said(str(error))
    outcome.notes += unformatted
    return outcome


def _joined(config: Any) -> str:
    """Return what a merge is called that nobody gave a name: without one its file has none."""
    return f"merge {' and '.join(_heads(config))}"


def _heads(config: Any) -> list[str]:
    from alembic.script import ScriptDirectory

    return sorted(ScriptDirectory.from_config(config).get_heads())


def _compared(config: Any, answers: Answers, root: Path) -> tuple[Any, Outcome]:
    """Run autogenerate; return the revision, if one was written, and what came of it."""
    from alembic import command

    hook, outcomes = completing(answers, root)
    made: Any = None
    try:
        made = command.revision(
            config, answers.message, autogenerate=True, process_revision_directives=hook
        )
    except Enough:
        pass
    return made, outcomes[-1] if outcomes else Outcome()


def _sql(config: Any, made: Any) -> list[str]:
    """Return the statements of a new revision, as Alembic writes them for offline use."""
    from alembic import command

    lines: list[str] = []
    for one in made if isinstance(made, list) else [made]:
        if one is None:
            continue
        if isinstance(one.down_revision, tuple):
            continue  # a merge: it does nothing, and one branch below it is not all of it
        out = io.StringIO()
        below = one.down_revision if isinstance(one.down_revision, str) else "base"
        buffer, config.output_buffer = config.output_buffer, out
        try:
            command.upgrade(config, f"{below}:{one.revision}", sql=True)
            lines += [line for line in out.getvalue().splitlines() if line.strip()]
        except Exception as error:  # a revision that asks the database, or an env.py without a way
            said = next(iter(str(error).strip().splitlines()), "")
            lines.append(f"-- no SQL for {Path(one.path).name}: {type(error).__name__}: {said}")
        finally:
            config.output_buffer = buffer
    return lines


def compare(project: AlembicProject, alias: str, answers: Answers, root: Path) -> Outcome:
    """Compare the models with the database that env.py reaches, and write nothing."""
    from alembic.autogenerate.api import produce_migrations

    from tidegate.authoring.alembic_hook import complete
    from tidegate.frameworks.alembic.environment import run_env, script_of

    outcomes: list[Outcome] = []

    def look(revision: Any, context: Any) -> list[Any]:
        metadata = context.opts.get("target_metadata")
        if metadata is None:
            raise UsageProblem(
                "env.py names no target_metadata",
                "Without it nobody knows what the models are.",
                "give context.configure() target_metadata=Base.metadata",
            )
        script = produce_migrations(context, metadata)
        outcomes.append(complete(context, [script], answers, root))
        return []

    with project.configured(alias) as config:
        run_env(config, script_of(config), look)
    return outcomes[-1]


def completing(answers: Answers, root: Path) -> tuple[Any, list[Outcome]]:
    """Return the hook for `process_revision_directives`, and where its outcomes appear."""
    outcomes: list[Outcome] = []

    def hook(context: Any, revision: Any, directives: list[Any]) -> None:
        from tidegate.authoring.alembic_hook import complete

        found = complete(context, directives, answers, root)
        outcomes.append(found)
        if found.stopped:
            raise Enough
        theirs = context.opts.get("process_revision_directives")

        def last(context: Any, revision: Any, directives: list[Any]) -> None:
            if theirs is not None:
                theirs(context, revision, directives)
            if all(_is_empty(one) for one in directives):
                directives[:] = []

        # Alembic asks for the project's own hook after this one has returned.
        context.opts["process_revision_directives"] = last

    return hook, outcomes


def _is_empty(script: Any) -> bool:
    return all(one.is_empty() for one in script.upgrade_ops_list)


def _said(text: str) -> dict[str, str]:
    first, _, rest = text.strip().partition("\n")
    advice = ""
    if "heads" in text.lower():
        advice = "tidegate make --merge"
    return {"what": first, "meaning": rest, "next": advice}
