"""Django's autodetector with the renames that were said, and a questioner that never guesses."""

from __future__ import annotations

from typing import Any

from tidegate.authoring.job import Answers, Outcome, Refusal


def questioner(base: Any, answers: Answers, outcome: Outcome, nulls: Any) -> Any:
    """Return the questioner: what it can't answer stops the file, instead of being made up."""

    class Questioner(base):  # type: ignore[misc, unused-ignore]
        """Asks nobody: what needs a person is noted."""

        def ask_rename(self, model_name: str, old_name: str, new_name: str, field: Any) -> bool:
            kept = getattr(field, "db_column", None)
            if kept and kept in (old_name, f"{old_name}_id"):
                outcome.notes.append(
                    f"{model_name}.{new_name} keeps the column {kept}: {old_name} is renamed"
                )
                return True
            return False

        def ask_rename_model(self, old: Any, new: Any) -> bool:
            table = old.options.get("db_table") or f"{old.app_label}_{old.name_lower}"
            if new.options.get("db_table") == table:
                outcome.notes.append(f"{new.name} keeps the table {table}: {old.name} is renamed")
                return True
            return False

        def ask_not_null_addition(self, field_name: str, model_name: str) -> Any:
            outcome.refusals.append(_no_value(model_name, field_name))
            return None

        def ask_not_null_alteration(self, field_name: str, model_name: str) -> Any:
            from django.db.models import NOT_PROVIDED

            rows = nulls(model_name, field_name)
            if answers.is_filled(f"{model_name}.{field_name}") and not rows:
                return NOT_PROVIDED
            outcome.refusals.append(_null_rows(model_name, field_name, rows))
            return NOT_PROVIDED

        def ask_auto_now_add_addition(self, field_name: str, model_name: str) -> Any:
            from django.utils import timezone

            outcome.notes.append(
                f"{model_name}.{field_name}: rows that are there get the moment of the migration"
            )
            return timezone.now()

    return Questioner


def _no_value(model: str, field: str) -> Refusal:
    return Refusal(
        f"{model}.{field} is new and not null, and rows that are there have no value for it",
        "Django would ask for a default here, and without a terminal gives up.",
        f"give {field} a default= or db_default=, or null=True, in the model",
    )


def _null_rows(model: str, field: str, rows: int | None) -> Refusal:
    known = "" if rows is None else f"{rows} row{'s' * (rows != 1)} here hold NULL in it.\n"
    advice = f"give {field} a default= in the model, which the migration writes into those rows"
    if not rows:
        advice += f"\nor, where an earlier migration fills every row: --filled {model}.{field}"
    else:
        advice += "\nor fill them in a migration of its own first: --empty"
    return Refusal(
        f"{model}.{field} becomes NOT NULL, and rows that hold NULL would stop it",
        f"{known}Django's own --noinput writes the migration and notes a default of NOT PROVIDED.",
        advice,
    )


def detector(base: Any, answers: Answers, found: list[Any]) -> Any:
    """Return the autodetector: `found` gets it, with its changes, after each run."""

    class Detector(base):  # type: ignore[misc, unused-ignore]
        """Applies the renames that were said to the old state, and compares from there."""

        def changes(self, *args: Any, **kwargs: Any) -> Any:
            self._tidegate_changes = super().changes(*args, **kwargs)
            found.append(self)
            return self._tidegate_changes

        def _detect_changes(self, *args: Any, **kwargs: Any) -> Any:
            self._tidegate_said = [*self._said_models(), *self._said_fields()]
            return super()._detect_changes(*args, **kwargs)

        def generate_renamed_models(self) -> None:
            for app, operation in self._tidegate_said:
                self.add_operation(app, operation)
            super().generate_renamed_models()

        def _said_models(self) -> list[tuple[str, Any]]:
            from django.db.migrations.operations import RenameModel

            out = []
            old, new = self.from_state.models, self.to_state.models
            for app, name in sorted(set(old) - set(new)):
                shown = f"{app}.{old[app, name].name}"
                added = {f"{app}.{new[key].name}": new[key].name
                         for key in sorted(set(new) - set(old)) if key[0] == app}  # fmt: skip
                chosen = answers.new_name(shown, added)
                if chosen:
                    before = old[app, name].name
                    self.from_state.rename_model(app, before, added[chosen])
                    out.append((app, RenameModel(before, added[chosen])))
            return out

        def _said_fields(self) -> list[tuple[str, Any]]:
            from django.db.migrations.operations import RenameField

            out = []
            for key in sorted(set(self.from_state.models) & set(self.to_state.models)):
                old, new = self.from_state.models[key], self.to_state.models[key]
                gone = [name for name in old.fields if name not in new.fields]
                added = [name for name in new.fields if name not in old.fields]
                whole = f"{new.app_label}.{new.name}"
                for name in gone:
                    chosen = answers.new_name(f"{whole}.{name}", [f"{whole}.{n}" for n in added])
                    if chosen:
                        became = chosen.rpartition(".")[2]
                        added.remove(became)
                        self.from_state.rename_field(key[0], key[1], name, became)
                        out.append((key[0], RenameField(new.name, name, became)))
            return out

    return Detector
