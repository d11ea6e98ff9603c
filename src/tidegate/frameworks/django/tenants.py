"""A schema for each tenant (django-tenants): one level is that of every schema.

Each schema has a table django_migrations of its own. A step counts as applied when all of them
have it; so a tenant that is behind makes the database behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidegate.model.tenancy import PARTLY

# ts_stat runs a text as a query, and counts in how many of its rows each word is: in one statement,
# and on every server (xml is not built into each). A row is one schema, a word is one step.
LEVEL = """\
WITH place AS (SELECT quote_ident(n.nspname) AS name FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'django_migrations' AND c.relkind = 'r'
AND (n.nspname = '{public}' OR n.nspname IN (SELECT schema_name FROM {table}))),
step AS (SELECT word, ndoc FROM ts_stat((SELECT string_agg(
'SELECT array_to_tsvector(array_agg(app || ''.'' || name)) FROM ' || place.name ||
'.django_migrations', ' UNION ALL ') FROM place)))
SELECT split_part(word, '.', 1) AS app, substr(word, strpos(word, '.') + 1) ||
CASE WHEN ndoc < total THEN '{partly}' || ndoc || ' of ' || total || ' schemas)' ELSE '' END AS name
FROM step, (SELECT count(*) AS total FROM place) AS places"""


def table_of(alias: str, settings: Any) -> str:
    """Return the table that lists the tenants of a database, with its schema; mostly there is none.

    The applications are loaded by now.
    """
    model = getattr(settings, "TENANT_MODEL", "")
    if not model or alias != getattr(settings, "TENANT_DB_ALIAS", "default"):
        return ""
    from django.apps import apps

    table = apps.get_model(model)._meta.db_table
    schema = getattr(settings, "PUBLIC_SCHEMA_NAME", "public")
    return f'"{schema}"."{table}"'


def level_sql(table: str) -> str:
    """Return the SELECT of all recorded steps; those that a schema lacks say so in their name."""
    public = table.split('"')[1].replace("'", "''")
    return " ".join(LEVEL.format(table=table, public=public, partly=PARTLY).split("\n"))


def everywhere(known: set[str], ids: Sequence[str]) -> frozenset[str]:
    """Return the ids that every schema has, and those that this code doesn't know, if any has."""
    out = set()
    for one in ids:
        step, some, _ = one.partition(PARTLY)
        if not some or step not in known:
            out.add(step)
    return frozenset(out)


def schema_of(database: Any) -> str:
    """Return the schema that Django's connection works in; nothing where it is the only one."""
    return str(getattr(database, "schema_name", ""))
