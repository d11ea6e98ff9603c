"""What the code of an Alembic project knows of its tables: the metadata that env.py is given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tidegate.errors import UsageProblem
from tidegate.frameworks.alembic import AlembicProject
from tidegate.frameworks.alembic.environment import script_of
from tidegate.rehearsal.shapes import Shape


class Configured(BaseException):
    """Carries the metadata out of env.py, before anything is run."""

    def __init__(self, metadata: Any) -> None:
        super().__init__()
        self.metadata = metadata


def models(project: AlembicProject, alias: str) -> list[Shape]:
    """Run env.py up to `context.configure()`; return the tables of its target_metadata."""
    found = _metadata(project, alias)
    if found is None:
        raise UsageProblem("its env.py names no target_metadata", "", "")
    return shapes(found if isinstance(found, list | tuple) else [found])


def shapes(each: Sequence[Any]) -> list[Shape]:
    """Return what SQLAlchemy reads and writes of the tables of each metadata."""
    return [_shape(table) for metadata in each for table in metadata.tables.values()]


def _metadata(project: AlembicProject, alias: str) -> Any:
    from alembic.runtime.environment import EnvironmentContext

    with project.configured(alias) as config:
        script = script_of(config)
        environment = EnvironmentContext(config, script, fn=lambda rev, context: [], as_sql=False)
        configure = environment.configure

        def up_to_here(*args: Any, **more: Any) -> None:
            configure(*args, **more)
            raise Configured(environment.get_context().opts.get("target_metadata"))

        environment.configure = up_to_here  # type: ignore[method-assign]
        try:
            with environment:
                script.run_env()
        except Configured as configured:
            return configured.metadata
    raise UsageProblem("its env.py never calls context.configure()", "", "")


def _shape(table: Any) -> Shape:
    columns = [one for one in table.columns if not one.system]
    return Shape(
        f"{table.schema}.{table.name}" if table.schema else str(table.name),
        str(table.schema or ""),
        str(table.name),
        tuple(str(one.name) for one in columns),
        tuple(_written(table, columns)),
    )


def _written(table: Any, columns: list[Any]) -> Iterator[str]:
    """Yield the columns that an INSERT of SQLAlchemy's sends a value for."""
    counted = getattr(table, "autoincrement_column", None)
    for one in columns:
        if one.default is not None:
            if not one.default.is_sequence:
                yield str(one.name)
        elif one.server_default is None and one is not counted:
            yield str(one.name)
