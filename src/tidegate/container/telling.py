"""What a project's configuration is once it is loaded, as a document without secrets.

Runs in the app's own container, or with its own Python, for `tidegate doctor --import`. Out of the
settings go only the values that some check asks for, and of a URL only its scheme, host and port.
"""

from __future__ import annotations

import json
import os
import re
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tidegate.container.report import masked

ALWAYS = ("ALLOWED_HOSTS", "DEBUG")  # Django's own value counts too
PLAIN = (
    "STATIC_ROOT", "MEDIA_ROOT", "INSTALLED_APPS", "AUTH_USER_MODEL", "MIGRATION_MODULES",
    "SECURE_SSL_REDIRECT", "SECURE_REDIRECT_EXEMPT", "STATICFILES_STORAGE",
)  # fmt: skip
CELERY = ("BROKER_URL", "BROKER_READ_URL", "BROKER_HOST", "BROKER_TRANSPORT_OPTIONS",
          "TASK_ACKS_LATE", "ACKS_LATE", "TASK_TIME_LIMIT", "BEAT_SCHEDULER")  # fmt: skip
SECRET = re.compile(r"PASS|SECRET|TOKEN|KEY|SALT|CREDENTIAL|PRIVATE|DSN|AUTH", re.IGNORECASE)
LONGEST = 300


def main() -> int:
    """Print the document; what the project prints meanwhile goes to stderr."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.argv = ["manage.py"]
    print(json.dumps(told(Path.cwd(), dict(os.environ))), file=out, flush=True)
    return 0


def told(root: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return what the configuration at `root` says, and where it stopped if it did not load."""
    from tidegate import discovery

    found: dict[str, Any] = {"framework": "", "values": {}, "unset": [], "logins": []}
    secrets = _secrets(environ)
    try:
        project: Any = discovery.find_project(root, environ, "")
        found["framework"] = project.framework
        if project.framework == "django":
            _stage(found, "the settings", lambda: _django(project, found), secrets)
            _stage(found, "the apps", project.load, secrets)
        else:
            _stage(found, "env.py", lambda: _alembic(project, found), secrets)
    except BaseException as error:
        found.setdefault("failure", failure("the project", error, secrets))
    return found


def _stage(
    found: dict[str, Any], what: str, load: Callable[[], Any], secrets: Sequence[str]
) -> None:
    if "failure" not in found:
        try:
            load()
        except BaseException as error:  # settings may end the process too
            found["failure"] = failure(what, error, secrets)


def _django(project: Any, found: dict[str, Any]) -> None:
    settings = project.load_settings()
    found["settings"] = project.settings
    values = found["values"]
    for name in dir(settings):
        set_here = settings.is_overridden(name) if name.isupper() else True
        kept = KEPT.get(name) or (_celery(name) if not name.startswith("_") else None)
        if kept is None:
            continue
        if set_here or name in ALWAYS:
            values[name] = kept(getattr(settings, name))
    found["unset"] = [name for name in KEPT if name not in values]


def _alembic(project: Any, found: dict[str, Any]) -> None:
    for one in project.connections():
        found["logins"].append(
            {"alias": one.alias, "vendor": one.vendor, "host": one.host, "port": one.port}
        )


def plain(value: Any) -> Any:
    """Return texts, numbers and lists of them; anything else is nobody's to see."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in value]
    return str(value) if type(value).__name__ == "__proxy__" else None


def databases(value: Any) -> Any:
    """Return where each database is; its user and password stay here."""
    out = {}
    for alias, raw in value.items() if isinstance(value, Mapping) else ():
        one = {key: plain(raw[key]) for key in ("ENGINE", "HOST", "PORT") if key in raw}
        if str(raw.get("ENGINE", "")).endswith("sqlite3"):
            one["NAME"] = str(raw.get("NAME", ""))
        if raw.get("OPTIONS"):
            one["OPTIONS"] = dict.fromkeys(map(str, raw["OPTIONS"]), "")
        if (raw.get("TEST") or {}).get("MIRROR"):
            one["TEST"] = {"MIRROR": str(raw["TEST"]["MIRROR"])}
        out[str(alias)] = one
    return out


def storages(value: Any) -> Any:
    """Return which class keeps what; its options may hold keys."""
    found = value.items() if isinstance(value, Mapping) else ()
    return {str(name): {"BACKEND": plain(one.get("BACKEND"))} for name, one in found}


def address(value: Any) -> Any:
    """Return scheme, host and port of a URL, or of each of several."""
    if isinstance(value, (list, tuple)):
        return [address(one) for one in value]
    if not isinstance(value, str) or "://" not in value:
        return None
    one = value.split(";")[0]
    try:
        parts = urlsplit(one)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname or ''}{port}/"
    except ValueError:
        return None


def routers(value: Any) -> Any:
    """Return the routers by name."""
    return [one if isinstance(one, str) else type(one).__name__ for one in value or ()]


def numbers(value: Any) -> Any:
    """Return the numbers of a table; texts in it may be secrets."""
    found = value.items() if isinstance(value, Mapping) else ()
    return {str(key): one for key, one in found if isinstance(one, (int, float))}


KEPT: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys((*ALWAYS, *PLAIN), plain),
    "DATABASES": databases,
    "DATABASE_ROUTERS": routers,
    "STORAGES": storages,
}


def _celery(name: str) -> Callable[[Any], Any] | None:
    upper = name.upper()
    tail = next((one for one in CELERY if upper.endswith(one)), "")
    if not tail:
        return None
    if tail.endswith(("URL", "HOST")):
        return address
    return numbers if tail.endswith("OPTIONS") else plain


def failure(what: str, error: BaseException, secrets: Sequence[str]) -> dict[str, Any]:
    """Return an exception as it would end the app: its type, its words, the innermost own line."""
    text = getattr(error, "what", "") or str(error)
    for secret in secrets:
        text = text.replace(secret, "***")
    frames = [one for one in traceback.extract_tb(error.__traceback__) if _own(one.filename)]
    last = frames[-1] if frames else None
    if isinstance(error, SyntaxError) and error.filename:
        place = [error.filename, error.lineno or 1]
    else:
        place = [last.filename, last.lineno] if last is not None else ["", 0]
    name = getattr(error, "name", None) if isinstance(error, ImportError) else None
    return {
        "what": what, "type": type(error).__name__, "text": masked(text.strip())[:LONGEST],
        "path": place[0], "line": place[1], "module": str(name or ""),
    }  # fmt: skip


def _own(path: str) -> bool:
    """Whether a file is the project's: not Python's, not a package's, not ours."""
    ours = str(Path(__file__).parents[1])
    packages = any(f"{os.sep}{one}{os.sep}" in path for one in ("site-packages", "dist-packages"))
    library = sysconfig.get_paths()["stdlib"]
    return not packages and not path.startswith((ours, library, "<")) and bool(path)


def _secrets(environ: Mapping[str, str]) -> list[str]:
    """Return the values that no message may repeat, the longest first."""
    found: Iterable[str] = (
        value for name, value in environ.items() if SECRET.search(name) and len(value) > 3
    )
    urls = [value for value in environ.values() if "://" in value and "@" in value]
    inside = [url.partition("://")[2].rpartition("@")[0].partition(":")[2] for url in urls]
    return sorted({*found, *(one for one in inside if len(one) > 2)}, key=len, reverse=True)
