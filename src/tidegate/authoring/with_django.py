"""`makemigrations`, run in this process with a questioner that never guesses."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from tidegate.authoring import django_detector, django_renames
from tidegate.authoring.job import Answers, Outcome
from tidegate.authoring.unimported import declared
from tidegate.contracts.framework import Project
from tidegate.errors import UsageProblem


def make(project: Project, answers: Answers, root: Path) -> Outcome:
    """Write migrations; where there is a question or a refusal, none is written."""
    load: Any = project
    load.load()
    outcome = Outcome(seen=seen())
    if answers.app:
        _require_app(answers.app)
    if answers.empty and not answers.app:
        raise UsageProblem("an empty migration belongs to an app", "", "name it: --app APP")
    if answers.renumber:
        from tidegate.authoring.django_renumber import renumber

        renumber(outcome)
        return outcome
    if not answers.empty and not answers.merge:
        compare(answers, root, outcome)
        if outcome.stopped or not outcome.changes:
            return outcome
    before = _steps()
    with _told(answers, outcome, []):
        _call(answers, outcome, dry_run=False)
    outcome.sql = [line for key in sorted(_steps() - before) for line in _sql(*key)]
    return outcome


def _require_app(label: str) -> None:
    from django.apps import apps

    labels = sorted(one.label for one in apps.get_app_configs())
    if label not in labels:
        near = get_close_matches(label, labels, 1, 0.6)
        own = [one for one in labels if not apps.get_app_config(one).name.startswith("django.")]
        raise UsageProblem(
            f"there is no app {label} in INSTALLED_APPS; no file was made", "",
            f"write --app {near[0]}" if near else f"use one of: {', '.join(own)}",
        )  # fmt: skip


def _steps() -> set[tuple[str, str]]:
    from django.db.migrations.loader import MigrationLoader

    loader = MigrationLoader(None, load=False)
    loader.load_disk()
    return set(loader.disk_migrations or ())


def _sql(app: str, name: str) -> list[str]:
    """Return the statements of a new migration."""
    from django.core.management import call_command

    out = io.StringIO()
    try:
        call_command("sqlmigrate", app, name, stdout=out, no_color=True)
    except Exception as error:  # no database to write them for
        said = next(iter(str(error).strip().splitlines()), "")
        return [f"-- no SQL for {name}.py: {type(error).__name__}: {said}"]
    return [line for line in out.getvalue().splitlines() if line.strip()]


def compare(answers: Answers, root: Path, outcome: Outcome) -> None:
    """Find out what would be written, without writing it."""
    found: list[Any] = []
    with _told(answers, outcome, found):
        _call(answers, outcome, dry_run=True)
    if outcome.error:
        return
    known = declared(root)
    for one in found[-1:]:
        django_renames.ask(one, answers, known, outcome)
        outcome.changes = sorted(
            f"{app}: {operation.describe()}"
            for app, migrations in (one._tidegate_changes or {}).items()
            for migration in migrations for operation in migration.operations
        )  # fmt: skip
    outcome.unused = answers.unused()
    if not outcome.changes:
        outcome.unseen = [*_without_folder(), *(
            f"{one.shown} and is not imported" for one in known
            if not one.imported and one.name.startswith("class ") and not one.table
        )]  # fmt: skip


@contextlib.contextmanager
def _told(answers: Answers, outcome: Outcome, found: list[Any]) -> Iterator[None]:
    """Put our questioner and autodetector into Django's command, the project's own included."""
    from django.core.management import get_commands, load_command_class
    from django.core.management.commands import makemigrations
    from django.db.migrations.autodetector import MigrationAutodetector

    name = "makemigrations"
    kind: Any = type(load_command_class(get_commands()[name], name))
    module: Any = makemigrations
    keep = {name: getattr(module, name) for name in (
        "NonInteractiveMigrationQuestioner", "MigrationAutodetector")}  # fmt: skip
    own = getattr(kind, "autodetector", None)  # since Django 5.2
    ours = django_detector.detector(own or MigrationAutodetector, answers, found)

    def nulls(model: str, field: str) -> int | None:
        from django.db.migrations.loader import MigrationLoader

        return django_renames.nulls(MigrationLoader(None).project_state(), model, field)

    module.NonInteractiveMigrationQuestioner = django_detector.questioner(
        keep["NonInteractiveMigrationQuestioner"], answers, outcome, nulls
    )
    module.MigrationAutodetector = ours
    if own is not None:
        kind.autodetector = ours
    try:
        yield
    finally:
        for key, value in keep.items():
            setattr(module, key, value)
        if own is not None:
            kind.autodetector = own


def _call(answers: Answers, outcome: Outcome, dry_run: bool) -> None:
    from django.core.management import call_command
    from django.core.management.base import CommandError

    apps = [answers.app] if answers.app else []
    said = io.StringIO()
    try:
        call_command(
            "makemigrations", *apps, interactive=False, dry_run=dry_run, empty=answers.empty,
            merge=answers.merge, name=_name(answers.message) or None, stdout=said, stderr=said,
        )  # fmt: skip
    except CommandError as error:
        first, _, rest = str(error).partition("\n")
        advice = "tidegate make --merge" if "--merge" in rest else ""
        meaning = "" if advice else rest
        outcome.error = {"what": first.strip(), "meaning": meaning, "next": advice}
    except SystemExit as end:
        if end.code and not outcome.refusals:
            outcome.error = {"what": "makemigrations gave up", "meaning": said.getvalue()[-1500:],
                             "next": ""}  # fmt: skip
    outcome.said = said.getvalue()


def _name(message: str) -> str:
    import re

    name = re.sub(r"\W+", "_", message.strip().lower()).strip("_")[:60]
    return name if not name or name.isidentifier() else f"m_{name}"


def seen() -> list[str]:
    """Return the models that Django knows."""
    from django.apps import apps

    return sorted(one._meta.label for one in apps.get_models() if one._meta.managed)


def _without_folder() -> list[str]:
    """Say which apps have models and no migrations folder: Django passes those over, silently."""
    from django.apps import apps
    from django.db.migrations.loader import MigrationLoader

    loader = MigrationLoader(None, ignore_no_migrations=True)
    return [
        f"{app.label} has models and no folder for migrations, so Django passes it over: "
        f"--app {app.label} makes one"
        for app in apps.get_app_configs()
        if app.label in loader.unmigrated_apps and any(m._meta.managed for m in app.get_models())
    ]
