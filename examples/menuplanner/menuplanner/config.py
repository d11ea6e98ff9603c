"""Settings, read from the environment."""

import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import URL, make_url

DEFAULT_DATABASE_URL = "sqlite:///./data/menuplanner.db"

# The application itself is synchronous. A URL that names an async driver (for
# instance because it is shared with another service) is served by the sync one.
_SYNC_DRIVERS = {
    "postgresql+asyncpg": "postgresql+psycopg",
    "postgresql+psycopg_async": "postgresql+psycopg",
    "sqlite+aiosqlite": "sqlite",
}


def normalize_url(raw: str) -> URL:
    """Parse a database URL; a PostgreSQL URL without a driver gets psycopg."""
    url = make_url(raw)
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg")
    return url


def sync_url(url: URL) -> URL:
    """The same database through a synchronous driver."""
    return url.set(drivername=_SYNC_DRIVERS.get(url.drivername, url.drivername))


def ensure_sqlite_directory(url: URL) -> None:
    """Create the folder of an SQLite database file; SQLite does not do it."""
    if url.get_backend_name() != "sqlite":
        return
    name = url.database
    if name and name != ":memory:" and not name.startswith("file:"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)


@dataclass(frozen=True)
class Settings:
    database_url: URL
    sql_echo: bool = False

    @classmethod
    def from_env(cls) -> "Settings":
        return cls(
            database_url=normalize_url(os.environ.get("DATABASE_URL") or DEFAULT_DATABASE_URL),
            sql_echo=os.environ.get("SQL_ECHO", "").lower() in ("1", "true", "yes"),
        )
