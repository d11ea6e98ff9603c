"""Alembic environment: sync and async drivers, SQLite and PostgreSQL."""

import asyncio
from logging.config import fileConfig

from alembic import context
from sqlalchemy import Connection, create_engine, pool
from sqlalchemy.engine import URL

from menuplanner import models  # noqa: F401  (fills Base.metadata)
from menuplanner.config import Settings, ensure_sqlite_directory, normalize_url
from menuplanner.db import Base

config = context.config

if config.config_file_name is not None:
    fileConfig(config.config_file_name, disable_existing_loggers=False)


def database_url() -> URL:
    """A URL set by the caller (the tests do) or else DATABASE_URL."""
    explicit = config.get_main_option("sqlalchemy.url")
    return normalize_url(explicit) if explicit else Settings.from_env().database_url


def configure(**options) -> None:
    context.configure(
        target_metadata=Base.metadata,
        compare_type=True,
        # SQLite knows little ALTER TABLE: autogenerate writes batch operations.
        render_as_batch=True,
        # One of our revisions has an autocommit_block(), which commits whatever
        # is pending. Alembic recommends one transaction per revision then, so
        # that no earlier revision of the same run is committed half recorded.
        transaction_per_migration=True,
        **options,
    )


def run_offline() -> None:
    url = database_url()
    configure(url=url, literal_binds=True, dialect_opts={"paramstyle": "named"})
    with context.begin_transaction():
        context.run_migrations()


def run_with(connection: Connection) -> None:
    configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()


async def run_async(url: URL) -> None:
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(url, poolclass=pool.NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(run_with)
    finally:
        await engine.dispose()


def run_online() -> None:
    connection = config.attributes.get("connection")
    if connection is not None:
        run_with(connection)
        return

    url = database_url()
    ensure_sqlite_directory(url)
    if url.get_dialect().is_async:
        asyncio.run(run_async(url))
        return

    # Not menuplanner.db.build_engine(): that turns SQLite's foreign keys on,
    # and batch mode must drop and recreate tables without cascading.
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.connect() as connection:
        run_with(connection)


if context.is_offline_mode():
    run_offline()
else:
    run_online()
