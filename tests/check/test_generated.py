"""Generated histories: they apply to a real server, and replay ends where the server does."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support import rule_examples
from support.migrations import OFF
from support.postgres import Server
from support.rule_examples import File
from tidegate.contracts.rule import Example
from tidegate.model.schema import Schema
from tidegate.model.sqltype import normal
from tidegate.reading.migrations import alembic_source, django_source
from tidegate.workflows.check.chain import Chain, _known_before
from tidegate.workflows.check.review import review

pytest.importorskip("django")
pytest.importorskip("alembic")
pytest.importorskip("pgparse")
BENCH = Path(__file__).resolve().parents[2] / "bench"
FILES = 70
COLUMNS = """
    SELECT c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
           || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
      AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY 1
"""
INDEXES = """
    SELECT i.relname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
    JOIN pg_class c ON c.oid = x.indrelid
    WHERE c.relnamespace = 'public'::regnamespace AND NOT x.indisprimary AND NOT x.indisunique
    ORDER BY 1
"""
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def bench() -> Any:
    return loaded("histories")


def loaded(name: str) -> Any:
    if str(BENCH) not in sys.path:
        sys.path.append(str(BENCH))
    spec = importlib.util.spec_from_file_location(f"bench_{name}", BENCH / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("framework", ["django", "alembic"])
def test_replay_ends_with_the_schema_of_the_server(
    bench: Any, seed: int, framework: str, tmp_path: Path, servers: Callable[[str], Server]
) -> None:
    """Every file applies; columns, types, NOT NULL and indexes are those that replay believes."""
    bench.write(bench.history(FILES, seed), tmp_path)
    paths = sorted((tmp_path / framework).rglob("*step.py"))
    texts = [path.read_text("utf-8") for path in paths]
    server = servers("newest")
    name = f"generated_{next(_numbers)}"
    server.sql(f"CREATE DATABASE {name}")
    files = [File(path.stem, text, (), 1) for path, text in zip(paths, texts, strict=True)]
    rule_examples.apply(Example(framework, "", ""), files, server.url(dbname=name))
    schema = replayed(framework, list(zip(paths, texts, strict=True)))
    assert columns(schema) == server.sql(COLUMNS, name).splitlines()
    indexes = sorted(
        each for table in schema.tables.values() for each, one in table.indexes.items()
        if not one.unique
    )  # fmt: skip
    assert indexes == sorted(server.sql(INDEXES, name).splitlines())
    server.sql(f"DROP DATABASE {name} WITH (FORCE)")


def test_the_labels_are_what_a_server_does(
    bench: Any, tmp_path: Path, servers: Callable[[str], Server]
) -> None:
    """It reads, rewrites, writes, or fails the previous release; the way down leaves nothing."""
    effects = loaded("effects")
    labels = bench.write(bench.history(FILES, 8), tmp_path)
    server = servers("newest")
    name = f"generated_{next(_numbers)}"
    server.sql(f"CREATE DATABASE {name}")
    found = effects.measured(tmp_path, labels, server.url(dbname=name))
    assert [o for o in found if o[2] != effects.EFFECTS[o[1]]] == []
    assert {label for _, label, _ in found} == set(effects.EFFECTS)


@pytest.mark.parametrize("framework", ["django", "alembic"])
def test_every_label_is_named_and_nothing_harmless(
    bench: Any, framework: str, tmp_path: Path
) -> None:
    """Each hazard is named by its rule; a harmless file has no error and no warning."""
    labels = bench.write(bench.history(300, 3), tmp_path)
    found = review(str(tmp_path / framework), environ=OFF)
    said: dict[str, set[str]] = {}
    for one in found.at_least("warning"):
        said.setdefault(one.place.path, set()).add(one.rule)
    ours = {path: one for path, one in labels.items() if (tmp_path / framework / path).exists()}
    assert len(ours) == 300
    missed = [
        path for path, one in ours.items()
        if one and not set(one.split("+")) <= said.get(path, set())
    ]  # fmt: skip
    assert missed == []
    assert [(path, said[path]) for path, one in ours.items() if not one and path in said] == []


def replayed(framework: str, files: list[tuple[Path, str]]) -> Schema:
    """Return the schema after the whole chain."""
    records = []
    for path, text in files:
        if framework == "django":
            record = django_source.read(text, str(path), "shop", path.stem)
        else:
            record = alembic_source.read(text, str(path), path.stem)
        assert record is not None
        records.append(record)
    chain = Chain(records, "postgresql", 0, "auth.User")
    replay = chain.fresh_replay()
    schema: Schema = replay.schema
    for record in chain.order:
        for operation in replay.operations(record):
            schema.apply(_known_before(operation, schema), record.id)
    return schema


def columns(schema: Schema) -> list[str]:
    """Return the columns as the server's query does."""
    words = {"timestamptz": "timestamp with time zone"}
    out = []
    for table in schema.tables.values():
        for one in table.columns.values():
            type = words.get(normal(one.type), normal(one.type))
            type = type.replace("varchar", "character varying")
            out.append(f"{table.name}.{one.name} {type}{'' if one.nullable else ' not null'}")
    return sorted(out)
