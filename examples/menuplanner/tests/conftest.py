import os
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, pool, text

from menuplanner.config import Settings, normalize_url, sync_url
from menuplanner.main import create_app

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def database_url(tmp_path):
    """A fresh SQLite file, or the database of TEST_DATABASE_URL, emptied."""
    raw = os.environ.get("TEST_DATABASE_URL")
    if not raw:
        return f"sqlite:///{tmp_path / 'menuplanner.db'}"
    engine = create_engine(sync_url(normalize_url(raw)), poolclass=pool.NullPool)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    return raw


@pytest.fixture
def alembic_config(database_url):
    config = Config()  # no file: the tests keep pytest's logging
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.set_main_option("sqlalchemy.url", database_url.replace("%", "%%"))
    return config


@pytest.fixture
def client(database_url, alembic_config):
    command.upgrade(alembic_config, "head")
    with TestClient(create_app(Settings(database_url=normalize_url(database_url)))) as client:
        yield client
