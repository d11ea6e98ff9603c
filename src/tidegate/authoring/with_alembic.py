"""`alembic revision`, run in this process with everything that autogenerate misses looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tidegate.authoring.job import Answers, Outcome
from tidegate.frameworks.alembic import AlembicProject


class Enough(BaseException):
    """Leaves env.py where no file may be written; no `except Exception` of it holds this up."""


def make(project: AlembicProject, answers: Answers, root: Path) -> Outcome:
    """Write a revision; where there is a question or a refusal, none is written."""
    from alembic import command
    from alembic.util import CommandError

    outcome = Outcome()
    alias = project.sections()[0]
    with project._config(alias) as config:
        try:
            if answers.merge:
                command.merge(config, "heads", answers.message or None)
            elif answers.empty:
                command.revision(config, answers.message)
            else:
                hook, outcomes = completing(answers, root)
                try:
                    command.revision(
                        config, answers.message, autogenerate=True,
                        process_revision_directives=hook,
                    )  # fmt: skip
                except Enough:
                    pass
                outcome = outcomes[-1] if outcomes else outcome
        except CommandError as error:
            outcome.error = _said(str(error))
    return outcome


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
