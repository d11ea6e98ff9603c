"""A schema for each tenant: django-tenants, and env.py files that go through schemas."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.gate import Database
from support.trees import MANAGE, Tree, migration
from tidegate.errors import UsageProblem
from tidegate.frameworks.alembic.tenants import refuse_schemas

SETTINGS = """\
import os
from urllib.parse import urlsplit

url = urlsplit(os.environ["DATABASE_URL"])
SECRET_KEY = "for-the-tests-only"
SHARED_APPS = ["django_tenants", "django.contrib.contenttypes", "customers"]
TENANT_APPS = ["notes"]
INSTALLED_APPS = SHARED_APPS + TENANT_APPS
TENANT_MODEL = "customers.Client"
TENANT_DOMAIN_MODEL = "customers.Domain"
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
DATABASES = {"default": {"ENGINE": "django_tenants.postgresql_backend", "HOST": url.hostname,
                         "PORT": url.port, "USER": url.username, "PASSWORD": url.password,
                         "NAME": url.path[1:]}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
"""
MODELS = """\
from django.db import models
from django_tenants.models import DomainMixin, TenantMixin


class Client(TenantMixin):
    pass


class Domain(DomainMixin):
    pass
"""
CUSTOMERS = (
    "migrations.CreateModel('Client', [('id', models.BigAutoField(primary_key=True)), "
    "('schema_name', models.CharField(max_length=63, unique=True))])"
)
NOTE = "migrations.CreateModel('Note', [('id', models.BigAutoField(primary_key=True))])"
MORE = "migrations.AddField('note', 'more', models.TextField(default=''))"
ADD = "migrations.AddField('note', 'text', models.TextField(default=''))"
TENANTS = """\
import os

os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
import django

django.setup()
from customers.models import Client

for name in ("acme", "globex"):
    Client.objects.create(schema_name=name)
"""


@pytest.fixture
def tenants(tree: Tree, fresh: Callable[[str], Database]) -> tuple[Tree, Database]:
    """Two tenants beside the public schema, all at the first step of `notes`."""
    database = fresh("newest")
    tree.environ = database.environ
    tree.write(
        {
            "manage.py": MANAGE,
            "config/__init__.py": "",
            "config/settings.py": SETTINGS,
            "customers/__init__.py": "",
            "customers/models.py": MODELS,
            "customers/migrations/__init__.py": "",
            "customers/migrations/0001_initial.py": migration(CUSTOMERS, initial=True),
            "notes/__init__.py": "",
            "notes/models.py": "from django.db import models\n\n\nclass Note(models.Model):\n"
            "    text = models.TextField(default='')\n",
            "notes/migrations/__init__.py": "",
            "notes/migrations/0001_initial.py": migration(NOTE, initial=True),
            "make_tenants.py": TENANTS,
        }
    )
    tree.boot()
    tree.own("make_tenants")
    return tree, database


def test_django_tenants(tenants: tuple[Tree, Database]):
    """The level is that of every schema: what one lacks is pending, and only that is applied."""
    tree, database = tenants
    first, second = (("notes", f"000{n}_{name}") for n, name in ((1, "initial"), (2, "text")))
    tree.write({"notes/migrations/0002_text.py": migration(ADD, dependencies=[first])})
    # All that `migrate_schemas --shared` does here: the table is not in the public schema.
    database.rows(f"INSERT INTO django_migrations (app, name, applied) VALUES {(*second, 'now')}")
    assert tree.run("seal").code == 0
    raised = tree.boot()
    applied = [line.split(": ")[1] for line in raised.err.splitlines() if ": applying" in line]
    assert applied == ["applying in schema acme", "applying in schema globex"], raised.err
    assert "| django" not in tree.boot(traced=True).err

    tree.write({"notes/migrations/0003_more.py": migration(MORE, dependencies=[second])})
    database.rows("ALTER TABLE globex.notes_note ADD COLUMN more text")
    failed = tree.run("boot", "--", "true")
    assert failed.code == 5, failed.said
    assert "step notes.0003_more failed on database default in schema globex" in failed.err
    assert "makes it too" not in failed.err  # a column of that name is not the table
    state = tree.databases()["default"]
    assert (state["state"], state["pending"]) == ("behind", ["notes.0003_more"])
    assert state["partly"] == ["notes.0003_more (in 2 of 3 schemas)"]
    assert f"database: some schemas have what others lack: {state['partly'][0]}" in failed.err

    plan = tree.run("plan")
    assert (plan.code, "has a schema for each tenant" in plan.err) == (2, True), plan.said


IN_A_LOOP = """\
def run_migrations_online():
    with engine.connect() as connection:
        for tenant in connection.scalars(text("SELECT name FROM tenants")):
            connection.execute(text(f'SET search_path TO "{tenant}"'))
            context.configure(connection=connection)
            context.run_migrations()
"""
HANDED_OVER = """\
def run(connection, schema):
    context.configure(connection=connection, version_table_schema=schema)
    context.run_migrations()

async def main():
    for schema in SCHEMAS:
        await connection.run_sync(run, schema)
"""
TRANSLATED = """\
for schema in ("acme", "globex"):
    translated = connection.execution_options(schema_translate_map={None: schema})
    context.configure(connection=translated)
    context.run_migrations()
"""
BY_WORD = """\
tenant = context.get_x_argument(as_dictionary=True).get("tenant")
connection.execute(text('SET search_path TO "%s"' % tenant))
context.run_migrations()
"""
ONE_SCHEMA = """\
def run(number):
    connection.execute(text("SET search_path TO app"))
    context.configure(connection=connection, version_table_schema=SCHEMA)
    context.run_migrations()

for attempt in range(10):  # until the server is there
    run(attempt)
"""
OTHER_LOOP = """\
for schema in ("acme", "globex"):
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {schema}"))
connection.execute(text("SET search_path TO acme"))
context.run_migrations()
"""
BY_WORD_OR_ONE = BY_WORD.replace('("tenant")', '("tenant", "public")')


@pytest.mark.parametrize("env", [IN_A_LOOP, HANDED_OVER, TRANSLATED, BY_WORD])
def test_schemas_of_env_py(env: str, tmp_path: Path):
    """An env.py that goes through schemas, or gets one by `-x`, is refused with what to do."""
    (tmp_path / "env.py").write_text(env, "utf-8")
    with pytest.raises(UsageProblem) as refused:
        refuse_schemas(tmp_path / "env.py")
    assert "Each schema has" in refused.value.meaning or "each schema has" in refused.value.meaning


@pytest.mark.parametrize("env", [ONE_SCHEMA, OTHER_LOOP, BY_WORD_OR_ONE])
def test_one_schema_of_env_py(env: str, tmp_path: Path):
    """One schema that is not public, a loop that tries again or makes schemas: nothing to say."""
    (tmp_path / "env.py").write_text(env, "utf-8")
    refuse_schemas(tmp_path / "env.py")
