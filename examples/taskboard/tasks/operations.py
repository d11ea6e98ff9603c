"""Migration operations that also work on SQLite, which developers use on their laptops."""

from typing import Any

from django.contrib.postgres import operations as postgres
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


class AddIndexConcurrently(postgres.AddIndexConcurrently):
    """CREATE INDEX CONCURRENTLY on PostgreSQL, a plain AddIndex elsewhere."""

    def database_forwards(self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, *states: Any) -> None:
        _add_index_for(schema_editor).database_forwards(self, app_label, schema_editor, *states)

    def database_backwards(self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, *states: Any) -> None:
        _add_index_for(schema_editor).database_backwards(self, app_label, schema_editor, *states)


class PostgresRunSQL(migrations.RunSQL):
    """RunSQL on PostgreSQL, nothing elsewhere."""

    def database_forwards(self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, *states: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            super().database_forwards(app_label, schema_editor, *states)

    def database_backwards(self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, *states: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            super().database_backwards(app_label, schema_editor, *states)


def _add_index_for(schema_editor: BaseDatabaseSchemaEditor) -> type[migrations.AddIndex]:
    on_postgresql = schema_editor.connection.vendor == "postgresql"
    return postgres.AddIndexConcurrently if on_postgresql else migrations.AddIndex
