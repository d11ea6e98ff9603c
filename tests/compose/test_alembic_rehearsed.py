"""An Alembic project whose packages are in its image alone: plan, apply and drift."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from support.stacks import PASSWORD, Stack, exited

REVISION = """\
from alembic import op
revision, down_revision = "{id}", {after!r}
def upgrade():
    op.execute("{up}")
def downgrade():
    op.execute("{down}")
"""
ENV = """\
import os
from alembic import context
from sqlalchemy import Column, Integer, MetaData, Table, create_engine
m = MetaData()
Table("cook", m, Column("id", Integer, primary_key=True)OTHERS)
with create_engine(os.environ["DATABASE_URL"]).connect() as connection:
    context.configure(connection=connection, target_metadata=m)
    with context.begin_transaction():
        context.run_migrations()
"""
COMPOSE = """\
services:
  web:
    build: .
    init: true
    depends_on: [db]
    environment:
      DATABASE_URL: postgresql+psycopg://shop:${POSTGRES_PASSWORD}@db:5432/shop
  db:
    image: postgres:15
    environment: {POSTGRES_USER: shop, POSTGRES_PASSWORD: "${POSTGRES_PASSWORD}"}
"""


def revision(id: str, after: str | None, up: str, down: str) -> dict[str, str]:
    text = REVISION.format(id=id, after=after, up=up, down=down)
    return {f"migrations/versions/{id}.py": text}


def test_through_containers(stack: Callable[..., Stack], tmp_path: Path) -> None:
    """A revision of the host's tree is rehearsed in the backend's container, on the database's own
    image, and applied by its plan; the models and the database are compared with the migrations.

    The image that runs is asked for its models: a column that they don't name may be renamed."""
    one = stack()
    one.write({
        "compose.yaml": f"name: {one.name}\n" + COMPOSE, ".env": f"POSTGRES_PASSWORD={PASSWORD}\n",
        "Dockerfile": 'FROM tidegate-tests/base:1\nCOPY . .\nCMD ["sleep", "10000"]\n',
        "alembic.ini": "[alembic]\nscript_location = migrations\n",
        "migrations/env.py": ENV.replace("OTHERS", ""),
        "migrations/script.py.mako": "revision = ${repr(up_revision)}\n"
        "down_revision = ${repr(down_revision)}\ndef upgrade(): pass\ndef downgrade(): pass\n",
        **revision("a1", None, "CREATE TABLE cook (id serial PRIMARY KEY, old integer)",
                   "DROP TABLE cook"),
    })  # fmt: skip
    one.compose("up", "-d", "--build", "--quiet-pull")
    exited(one, ["migrate"], 0)
    one.write({"migrations/env.py": ENV.replace("OTHERS", ', Column("age", Integer)'),
               **revision("a2", "a1", "ALTER TABLE cook RENAME COLUMN old TO age",
                          "ALTER TABLE cook RENAME COLUMN age TO old")})  # fmt: skip
    out = tmp_path / "plan.json"
    done = exited(one, ["plan", "-o", str(out)], 0)
    plan = json.loads(out.read_text())
    assert plan["rehearsal"]["engine"].startswith("PostgreSQL 15"), done.said
    assert (plan["rehearsal"]["roundtrip"], plan["where"]) == ("same", "shop@db:5432/shop")
    assert plan["steps"][0]["path"] == "migrations/versions/a2.py"
    release = plan["rehearsal"]["release"]
    assert (release["from"], release["image"], release["why"]) == ("models", f"{one.name}-web", "")
    assert PASSWORD not in out.read_text()
    assert "1 of 1 steps are applied" in exited(one, ["apply", str(out)], 0).err
    found = exited(one, ["check", "--drift", "--against", "db", "--service", "web"], 0)
    assert "drift   in a one-off container of the service web" in found.err
    assert "the database compared with the migrations: 0 differ" in found.out
