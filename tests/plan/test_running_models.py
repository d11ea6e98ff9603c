"""What the code of a release knows of its tables, and states that are worked out once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import django
import pytest
import sqlalchemy as sa
from django.conf import settings

from tidegate.rehearsal.ormodels import shapes
from tidegate.rehearsal.states import States


def test_what_sqlalchemy_writes() -> None:
    """An INSERT leaves out what the database fills, and reads nothing that is the server's own."""
    metadata = sa.MetaData()
    sa.Table(
        "cook", metadata,
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("uid", sa.Uuid, default=lambda: None, server_default=sa.text("gen()")),
        sa.Column("number", sa.Integer, sa.Sequence("numbers")),
        sa.Column("twice", sa.Integer, sa.Computed("number * 2")),
        sa.Column("made", sa.DateTime, server_default=sa.func.now()),
        sa.Column("word", sa.String(9)),
        sa.Column("xmin", sa.Integer, system=True),
        schema="kitchen",
    )  # fmt: skip
    sa.Table("tag", metadata, sa.Column("name", sa.String(9), primary_key=True))
    cook, tag = shapes([metadata])
    assert (cook.schema, cook.table, cook.writes) == ("kitchen", "cook", ("uid", "word"))
    assert cook.reads == ("id", "uid", "number", "twice", "made", "word")
    assert (tag.reads, tag.writes) == (("name",), ("name",))


@pytest.fixture
def operations() -> list[Any]:
    """Operations that change models which foreign keys connect."""
    if not settings.configured:
        settings.configure(INSTALLED_APPS=[], DEFAULT_AUTO_FIELD="django.db.models.BigAutoField")
        django.setup()
    from django.db import migrations, models

    key = ("id", models.BigAutoField(primary_key=True))
    return [
        migrations.CreateModel("A", [key]),
        migrations.CreateModel("B", [key, ("a", models.ForeignKey("s.A", models.CASCADE))]),
        migrations.AddField("B", "n", models.IntegerField(default=1), preserve_default=False),
        migrations.AddField("A", "b", models.ForeignKey("s.B", models.CASCADE, null=True,
                                                        related_name="+")),
        migrations.SeparateDatabaseAndState(state_operations=[
            migrations.RenameField("B", "n", "number"),
            migrations.AlterField("B", "number", models.BigIntegerField()),
        ]),
        migrations.RenameModel("A", "C"),
        migrations.RemoveField("C", "b"),
    ]  # fmt: skip


def seen(states: Sequence[Any]) -> list[dict[str, list[str]]]:
    """What each state renders to: fields with their kinds, and who points at a model."""
    return [
        {
            model._meta.label: [
                *(f"{field.name} {type(field).__name__} {field.related_model}"
                  for field in model._meta.local_fields),
                *(f"from {one.related_model._meta.label}" for one in model._meta.related_objects),
            ]
            for model in state.apps.get_models()
        }
        for state in states
    ]  # fmt: skip


def gone_through(operations: Sequence[Any]) -> list[Any]:
    """The state after each operation, as the way down works them out."""
    from django.db.migrations.state import ProjectState

    state = ProjectState()
    _ = state.apps
    found = []
    for one in operations:
        state = state.clone()
        one.state_forwards("s", state)
        found.append(state)
    return found


def test_a_state_is_worked_out_once(operations: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The second way renders no model, and has the states that Django works out by itself."""
    from django.db.migrations.state import ModelState, ProjectState

    by_django = seen(gone_through(operations))
    states, rendered = States(), list[str]()
    render = ModelState.render

    def counted(state: Any, apps: Any) -> Any:
        rendered.append(state.name)
        return render(state, apps)

    monkeypatch.setattr(ModelState, "render", counted)
    with states.remembering():
        start = ProjectState()
        _ = start.apps
        for way in range(2):
            state, found = start.clone(), list[Any]()
            rendered.clear()
            for one in operations:
                state = state.clone()
                one.state_forwards("s", state)
                found.append(state)
            assert bool(rendered) == (way == 0)
            assert seen(found) == by_django
        again = found[2].clone()  # one that goes on in another way has its own
        operations[-2].state_forwards("s", again)
        assert ("s", "c") in again.models and ("s", "c") not in found[2].models
    assert seen(gone_through(operations)) == by_django
