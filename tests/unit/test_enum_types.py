"""What a column's type holds, under the SQLAlchemy that a project has."""

from __future__ import annotations

import pytest
from sqlalchemy import Enum, String
from sqlalchemy.types import TypeDecorator

from tidegate.authoring.alembic_enums import _enum_of


def test_a_decorated_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLAlchemy 1.4, which SQLModel asked for a long time, has fewer names for what is inside."""
    monkeypatch.delattr(TypeDecorator, "impl_instance")

    class Held(TypeDecorator[str]):
        impl = Enum("a", "b", name="mood")
        cache_ok = True

    class Plain(TypeDecorator[str]):
        impl = String
        cache_ok = True

    assert _enum_of(Held()).name == "mood"
    assert _enum_of(Plain()) is None
