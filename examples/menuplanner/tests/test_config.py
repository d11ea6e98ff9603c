import pytest

from menuplanner.config import Settings, normalize_url, sync_url


@pytest.mark.parametrize(
    ("raw", "driver", "sync_driver"),
    [
        ("postgresql://u:p%40@db/menu", "postgresql+psycopg", "postgresql+psycopg"),
        ("postgresql+asyncpg://u:p%40@db/menu", "postgresql+asyncpg", "postgresql+psycopg"),
        ("postgresql+psycopg://u:p%40@db/menu", "postgresql+psycopg", "postgresql+psycopg"),
        ("sqlite:///x.db", "sqlite", "sqlite"),
        ("sqlite+aiosqlite:///x.db", "sqlite+aiosqlite", "sqlite"),
    ],
)
def test_drivers(raw, driver, sync_driver):
    url = normalize_url(raw)
    assert url.drivername == driver
    assert sync_url(url).drivername == sync_driver
    assert sync_url(url).password == ("p@" if "p%40" in raw else None)


def test_default_database(monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert Settings.from_env().database_url.database == "./data/menuplanner.db"
