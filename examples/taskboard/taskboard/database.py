"""Django's DATABASES entry from the environment."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

POSTGRESQL = "django.db.backends.postgresql"
SQLITE = "django.db.backends.sqlite3"


def from_environment(env: Mapping[str, str], base_dir: Path) -> dict[str, Any]:
    """DATABASE_URL wins over POSTGRES_*; with neither, a SQLite file in the project."""
    if url := env.get("DATABASE_URL"):
        return from_url(url)
    if host := env.get("POSTGRES_HOST"):
        return _postgresql(
            host=host,
            port=env.get("POSTGRES_PORT", ""),
            name=env.get("POSTGRES_DB", "taskboard"),
            user=env.get("POSTGRES_USER", "taskboard"),
            password=env.get("POSTGRES_PASSWORD", ""),
        )
    return {"ENGINE": SQLITE, "NAME": base_dir / "db.sqlite3"}


def from_url(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        # As elsewhere: sqlite:///relative.db, sqlite:////absolute.db, sqlite:// in memory.
        return {"ENGINE": SQLITE, "NAME": unquote(parts.path)[1:] or ":memory:"}
    if parts.scheme not in {"postgres", "postgresql"}:
        # The URL itself holds a password: name only its scheme.
        raise ImproperlyConfigured(
            f"DATABASE_URL: unknown scheme {parts.scheme!r}, use postgresql:// or sqlite://"
        )
    return _postgresql(
        host=parts.hostname or "",
        port=str(parts.port or ""),
        name=unquote(parts.path).lstrip("/"),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        options=dict(parse_qsl(parts.query)),
    )


def _postgresql(
    *, host: str, port: str, name: str, user: str, password: str, options: dict[str, str] | None = None
) -> dict[str, Any]:
    return {
        "ENGINE": POSTGRESQL,
        "HOST": host,
        "PORT": port,
        "NAME": name,
        "USER": user,
        "PASSWORD": password,
        "OPTIONS": options or {},
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }
