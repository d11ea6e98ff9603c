"""What to write instead, with the names that stand in the statement."""

from __future__ import annotations

import re
from typing import Any

Event = dict[str, Any]

NAME = r'((?:"[^"]+"|\w+)(?:\.(?:"[^"]+"|\w+))?)'


def named(pattern: str, sql: str) -> list[str]:
    """Return the names that `pattern` finds in `sql`, without their quotes; NAME is a name."""
    found = re.search(pattern.replace("NAME", NAME), sql, re.I | re.S)
    return [one.replace('"', "") for one in found.groups()] if found else []


def index(framework: str, statement: Event) -> str:
    """An index that is built plainly."""
    sql = statement["sql"]
    name, table = named(r"INDEX\s+(?:IF NOT EXISTS\s+)?NAME\s+ON\s+(?:ONLY\s+)?NAME", sql) or (
        "the_index", "the_table")  # fmt: skip
    columns = [one.strip().replace('"', "") for one in _inside(sql).split(",")]
    plain = all(re.fullmatch(r"\w+", one) for one in columns) and " WHERE " not in sql.upper()
    unique = "UNIQUE INDEX" in sql.upper()
    concurrently = " ".join(re.sub(r"\bINDEX\b", "INDEX CONCURRENTLY", sql, count=1).split())
    raw = statement["operation"] in ("RunSQL", "RunPython", "")
    if framework == "django" and plain and not unique and not raw:
        fields = ", ".join(f'"{one}"' for one in columns)
        return (
            "build it in a migration of its own, with `atomic = False`:\n"
            "from django.contrib.postgres.operations import AddIndexConcurrently\n"
            f'AddIndexConcurrently("{_model(statement)}", models.Index(fields=[{fields}], '
            f'name="{name}"))\n'
            "where a field brings it: db_index=False on the field, the index in the model's Meta"
        )
    if framework == "django" and raw:
        return (
            "build it in a migration of its own, with `atomic = False`:\n"
            f"migrations.RunSQL({concurrently!r})"
        )
    if framework == "django":
        return (
            "build it in a migration of its own, with `atomic = False`, and keep the operation "
            "as it is for Django's state:\n"
            "migrations.SeparateDatabaseAndState(\n"
            f"    database_operations=[migrations.RunSQL({concurrently!r})],\n"
            "    state_operations=[...the operation...],\n"
            ")"
        )
    head = "build it in a revision of its own:\nwith op.get_context().autocommit_block():\n"
    if not plain:
        return f"{head}    op.execute({concurrently!r})"
    quoted = ", ".join(f'"{one}"' for one in columns)
    more = ", unique=True" if unique else ""
    return (
        f'{head}    op.create_index("{name}", "{table}", [{quoted}]{more}, '
        "postgresql_concurrently=True)"
    )


def partitioned(rule: str, statement: Event) -> str:
    """Return what to do on a partitioned table, where that is something else; else nothing."""
    sql = " ".join(statement["sql"].split())
    if rule == "index-without-concurrently":
        name, table = named(r"INDEX\s+(?:IF NOT EXISTS\s+)?NAME\s+ON\s+(?:ONLY\s+)?NAME", sql) or (
            "the_index", "the_table")  # fmt: skip
        return (
            "PostgreSQL builds no index CONCURRENTLY on a partitioned table; build its parts so:\n"
            f"1. CREATE INDEX {name} ON ONLY {table} (...)\n"
            "2. CREATE INDEX CONCURRENTLY ... on each partition, outside a transaction\n"
            f"3. ALTER INDEX {name} ATTACH PARTITION ... for each; with the last one it is valid"
        )
    if rule in ("foreign-key-validates", "unique-builds-index", "primary-key-builds-index"):
        return (
            "on a partitioned table do it for each partition by itself first (NOT VALID and "
            "VALIDATE, or a unique index CONCURRENTLY); then for the table, which takes those over"
        )
    return ""


def _inside(sql: str) -> str:
    """Return what stands in the first parentheses."""
    found = re.search(r"\(((?:[^()]|\([^()]*\))*)\)", sql)
    return found[1] if found else "..."


def _model(statement: Event) -> str:
    """Return the model that Django's own description names last."""
    words = re.findall(
        r"(?:on model|of model|on|to|from) (\w+)", statement["describe"].split(" (")[0]
    )
    return words[-1] if words else "<model>"


def not_null(framework: str, statement: Event) -> str:
    """A column that is made NOT NULL by a scan."""
    sql = statement["sql"]
    found = named(r"ALTER TABLE\s+(?:ONLY\s+)?NAME\s+ALTER COLUMN\s+NAME\s+SET NOT NULL", sql)
    table, column = found or ("the_table", "the_column")
    check = f"{table}_{column}_not_null"
    return (
        "let a validated CHECK stand for the scan, in three transactions:\n"
        f"1. ALTER TABLE {table} ADD CONSTRAINT {check} CHECK ({column} IS NOT NULL) NOT VALID\n"
        f"2. ALTER TABLE {table} VALIDATE CONSTRAINT {check}\n"
        f"3. ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL; "
        f"ALTER TABLE {table} DROP CONSTRAINT {check}"
    )


def foreign_key(framework: str, statement: Event) -> str:
    """A foreign key that is checked at once."""
    sql = statement["sql"]
    table, name, column, other = named(
        r"ALTER TABLE\s+NAME\s+ADD CONSTRAINT\s+NAME\s+FOREIGN KEY\s*\(\s*NAME.*?REFERENCES\s+NAME",
        sql,
    ) or ("the_table", "the_key", "the_column", "the_other_table")  # fmt: skip
    if framework == "alembic":
        return (
            "add it unchecked, and check it in the next revision:\n"
            f'op.create_foreign_key("{name}", "{table}", "{other}", ["{column}"], ["id"], '
            "postgresql_not_valid=True)\n"
            f'op.execute("ALTER TABLE {table} VALIDATE CONSTRAINT {name}")'
        )
    return (
        "add the field with db_constraint=False, then the key itself by RunSQL in two migrations "
        "(and SeparateDatabaseAndState for db_constraint=True):\n"
        f"1. ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY ({column}) REFERENCES {other} "
        "NOT VALID\n"
        f"2. ALTER TABLE {table} VALIDATE CONSTRAINT {name}"
    )


def check(framework: str, statement: Event) -> str:
    """A CHECK that reads the table at once."""
    sql = statement["sql"]
    found = named(r"ALTER TABLE\s+NAME\s+ADD CONSTRAINT\s+NAME", sql)
    table, name = found or ("the_table", "the_check")
    if framework == "django" and statement["operation"] in ("RunSQL", "RunPython", ""):
        return (
            "add it unchecked, and check it in the next migration:\n"
            f"1. ALTER TABLE {table} ADD CONSTRAINT {name} CHECK (...) NOT VALID\n"
            f"2. ALTER TABLE {table} VALIDATE CONSTRAINT {name}"
        )
    if framework == "django":
        return (
            "add it unchecked, and check it in the next migration:\n"
            "from django.contrib.postgres.operations import AddConstraintNotValid, "
            "ValidateConstraint\n"
            f'1. AddConstraintNotValid("{_model(statement)}", '
            f'models.CheckConstraint(..., name="{name}"))\n'
            f'2. ValidateConstraint("{_model(statement)}", name="{name}")'
        )
    return (
        "add it unchecked, and check it in the next revision:\n"
        f'op.create_check_constraint("{name}", "{table}", ..., postgresql_not_valid=True)\n'
        f'op.execute("ALTER TABLE {table} VALIDATE CONSTRAINT {name}")'
    )


def unique(framework: str, statement: Event) -> str:
    """A unique constraint that builds its index under its lock."""
    sql = statement["sql"]
    table, name = named(r"ALTER TABLE\s+NAME\s+ADD CONSTRAINT\s+NAME", sql) or (
        "the_table", "the_constraint")  # fmt: skip
    columns = re.search(r"(?:UNIQUE|PRIMARY KEY)[^(]*\(([^)]+)\)", sql, re.I)
    listed = columns[1].replace('"', "") if columns else "..."
    word = "PRIMARY KEY" if "PRIMARY KEY" in sql.upper() else "UNIQUE"
    return (
        "build the index first, outside a transaction, and let the constraint take it over:\n"
        f"1. CREATE UNIQUE INDEX CONCURRENTLY {name}_idx ON {table} ({listed})\n"
        f"2. ALTER TABLE {table} ADD CONSTRAINT {name} {word} USING INDEX {name}_idx"
    )


def rewrite(framework: str, statement: Event) -> str:
    """A rewrite of the whole table."""
    sql = statement["sql"]
    found = named(r"ALTER TABLE\s+NAME\s+ALTER COLUMN\s+NAME\s+(?:SET DATA\s+)?TYPE", sql)
    if found:
        table, column = found
        return (
            f"go round the rewrite: add {column}_new of the new type, write both from the app or a "
            f"trigger, fill {column}_new in batches, then rename the two columns of {table} in one "
            "short transaction and drop the old one a release later"
        )
    if "DEFAULT" in sql.upper():
        return (
            "add the column without a default and nullable, set the default in a second "
            "statement, and fill the old rows in batches"
        )
    return "make a new table or column beside it, fill that in batches, and swap the names"


def lacks_value(error: str) -> bool:
    """Whether a server said that a NOT NULL column got no value."""
    return "null value in column" in error or "NOT NULL constraint failed" in error


def release(framework: str, word: str, error: str) -> str:
    """A step that the running release doesn't survive."""
    if lacks_value(error):
        column = named(r"(?:null value in column|NOT NULL constraint failed:) NAME", error) or [
            "the column"]  # fmt: skip
        if framework == "django":
            return (
                f"give {column[0]} a default in the database (db_default=... from Django 5.0, or "
                "null=True in this release), and take it away when no old process runs"
            )
        return f"give {column[0]} a server_default, or keep it nullable until no old process runs"
    if "does not exist" in error:
        return (
            "split it: first release code that no longer uses the old name, then change the "
            "schema in the release after; for a rename add the new one beside the old"
        )
    return "first release code that works with both, then change the schema in the release after"
