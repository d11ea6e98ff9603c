"""What Compose's merged configuration says of the services, and which of them is which."""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tidegate.contracts.target import Ambiguous, Asked, Service, Told, find_service
from tidegate.targets.composesettings import Values

BACKENDS = ("web", "django", "backend", "api", "app", "server")
MIGRATORS = ("migrations", "migrate", "migration", "migrator", "db-migrate", "db_migrate")
DATABASES = ("db", "database", "postgres", "postgresql", "mysql", "mariadb", "pg")
SERVERS = re.compile(r"(?:^|/)(postgres|postgis|timescaledb|pgvector|mysql|mariadb)\b")
NOT_A_BACKEND = re.compile(
    r"\b(celery|worker|beat|flower|scheduler|cron|huey|dramatiq|rqworker|qcluster)\b|_worker|-worker"
)
SECRET = re.compile(r"PASS|SECRET|TOKEN|CREDENTIAL|(?:^|_)KEY(?:$|_)|APIKEY", re.IGNORECASE)
IN_URL = re.compile(r"://[^/\s:@]*:([^\s@]+)@")
SKIPPED = ("node_modules", "venv", "env", "site-packages")


def services(config: Mapping[str, Any], profiles: Sequence[str]) -> tuple[Service, ...]:
    """Return the services, each after what it needs."""
    raw: Mapping[str, Mapping[str, Any]] = config.get("services") or {}
    awaited = {
        needed
        for one in raw.values()
        for needed, how in _needs(one).items()
        if how == "service_completed_successfully"
    }
    made = {
        name: _service(str(config.get("name", "")), name, one, name in awaited, profiles)
        for name, one in raw.items()
    }
    code_of = {one.image: one.code for one in made.values() if one.code}
    found = [_with_code(one, code_of.get(one.image, "")) for one in made.values()]
    return tuple(in_order(found))


def _service(
    project: str, name: str, raw: Mapping[str, Any], once: bool, profiles: Sequence[str]
) -> Service:
    deploy = raw.get("deploy") or {}
    said = raw.get("scale", deploy.get("replicas"))
    own = raw.get("profiles") or []
    build = raw.get("build")
    return Service(
        name=name,
        image=str(raw.get("image") or f"{project}-{name}"),
        built=build is not None,
        needs=tuple(_needs(raw)),
        active=not own or bool({"*", *own} & set(profiles)),
        replicas=1 if said is None else int(said),
        replicas_said=said is not None,
        restart=str(raw.get("restart") or "no"),
        once=once,
        code=str(_code(raw) or ""),
        mounted=tuple(one for one in _bound(raw) if Path(one).is_dir()),
    )


def in_force(found: Sequence[Service], names: Sequence[str]) -> tuple[Service, ...]:
    """Return the services with those active that are named; all as they are where none is."""
    if not names:
        return tuple(found)
    return tuple(replace(one, active=one.name in names) for one in found)


def of_the_app(found: Sequence[Service], backend: str) -> tuple[Service, ...]:
    """Mark the services whose image is the app's: it holds the code, or is the backend's own."""
    image = next((one.image for one in found if one.name == backend), "")
    return tuple(replace(one, app=bool(one.code) or one.image == image) for one in found)


def _needs(raw: Mapping[str, Any]) -> dict[str, str]:
    needs = raw.get("depends_on") or {}
    if isinstance(needs, list):
        return dict.fromkeys(needs, "service_started")
    return {name: str(how.get("condition", "")) for name, how in needs.items()}


def _with_code(one: Service, code: str) -> Service:
    return one if one.code or not code else replace(one, code=code)


def in_order(found: Sequence[Service], first: str = "") -> list[Service]:
    """Return services so that each comes after what it needs, else `first` and then as they are."""
    by_name = {one.name: one for one in found}
    out: list[Service] = []

    def visit(one: Service, above: tuple[str, ...]) -> None:
        if one in out or one.name in above:
            return
        for name in one.needs:
            if name in by_name:
                visit(by_name[name], (*above, one.name))
        out.append(one)

    for one in sorted(found, key=lambda each: each.name != first):
        visit(one, ())
    return out


def _code(raw: Mapping[str, Any]) -> Path | None:
    """Return the host's folder with the framework that a service's image or mount holds."""
    build = raw.get("build")
    places = []
    if isinstance(build, str):
        places.append(build)
    elif isinstance(build, dict) and build.get("context"):
        places.append(str(build["context"]))
    for place in [*places, *_bound(raw)]:
        found = code_folder(Path(place))
        if found:
            return found
    return None


def _bound(raw: Mapping[str, Any]) -> list[str]:
    """Return what of the host a service's containers see."""
    return [
        str(mount["source"])
        for mount in raw.get("volumes") or []
        if isinstance(mount, dict) and mount.get("type") == "bind" and mount.get("source")
    ]


def elsewhere(raw: Mapping[str, Any], source: Path) -> str:
    """Return where the host's code runs in a service's containers, where its command says so.

    A development file may lay the code beside that of the image, and name it by its whole path:
    `python /code/manage.py runserver`. What lies in the image is then another project's, or old.
    """
    words = " ".join(str(each) for key in ("entrypoint", "command") for each in raw.get(key) or [])
    for mount in raw.get("volumes") or []:
        if not isinstance(mount, dict) or mount.get("type") != "bind":
            continue
        try:
            below = source.resolve().relative_to(Path(str(mount.get("source"))).resolve())
        except ValueError:
            continue
        inner = posixpath.normpath(posixpath.join(str(mount["target"]), below.as_posix()))
        if re.search(rf"(?<![\w./-]){re.escape(inner)}(?![\w.-])", words):
            return inner
    return ""


def hiding(raw: Mapping[str, Any], workdir: str) -> str:
    """Return the bind mount that lies over a folder of the image with one that holds no code."""
    for source, target in _over(raw, workdir):
        if code_folder(source / workdir[len(target) :].lstrip("/")) is None:
            return f"{source}:{target}"
    return ""


def lying_over(raw: Mapping[str, Any], workdir: str) -> str:
    """Return the host's folder whose code runs in place of the image's."""
    for source, target in _over(raw, workdir):
        if code_folder(source / workdir[len(target) :].lstrip("/")) is not None:
            return str(source)
    return ""


def _over(raw: Mapping[str, Any], folder: str) -> Iterator[tuple[Path, str]]:
    """Return the bind mounts that lie over a folder of the image: the host's, and where."""
    for mount in raw.get("volumes") or []:
        if isinstance(mount, dict) and mount.get("type") == "bind":
            target = str(mount["target"]).rstrip("/")
            if f"{folder}/".startswith(f"{target}/"):
                yield Path(str(mount.get("source"))), target


def code_folder(folder: Path) -> Path | None:
    """Return the folder with manage.py or alembic.ini: `folder`, or the only one just below it."""
    if holds_framework(folder):
        return folder
    try:
        below = [
            one
            for one in sorted(folder.iterdir())
            if one.is_dir() and not one.name.startswith(".") and one.name not in SKIPPED
        ]
    except OSError:
        return None
    found = [one for one in below if holds_framework(one)]
    return found[0] if len(found) == 1 else None


def holds_framework(folder: Path) -> bool:
    """Return whether Django or Alembic begins here."""
    names = ("manage.py", "alembic.ini", "migrations/alembic.ini")
    try:
        if any((folder / name).is_file() for name in names):
            return True
        text = (folder / "pyproject.toml").read_text(encoding="utf-8")
        return "alembic" in tomllib.loads(text).get("tool", {})
    except (OSError, ValueError):
        return False


def backend(found: Sequence[Service], config: Mapping[str, Any], values: Values) -> Told | None:
    """Return which service is the backend, or None when no image holds a framework."""
    if said := _said(found, "service", values):
        return said
    migrator_names = {*MIGRATORS, values.text("migrations")}
    able = [one for one in found if one.code and one.name not in migrator_names]
    likely = [one for one in able if not _is_worker(config["services"][one.name], one.name)]
    likely = [one for one in likely if one.active] or likely or able
    if len(likely) == 1:
        return Told("service", likely[0].name, "the one whose image holds the migrations", True)
    named = [name for name in BACKENDS for one in likely if one.name == name]
    if named and (len(named) == 1 or len({one.code for one in likely}) == 1):
        return Told("service", named[0], "by its name, of those with the same code", True)
    if likely:
        raise _which_backend([one.name for one in likely])
    return None


def _said(found: Sequence[Service], key: str, values: Values) -> Told | None:
    """Return what the settings or a flag say, if they do. Raises UsageProblem."""
    name, source = values.text(key), values.source(key)
    if not name:
        return None
    find_service(found, name, f"It comes from {source}.")
    return Told(key, name, source)


def _is_worker(raw: Mapping[str, Any], name: str) -> bool:
    words = raw.get("command") or []
    line = words if isinstance(words, str) else " ".join(map(str, words))
    return bool(NOT_A_BACKEND.search(name) or NOT_A_BACKEND.search(line))


def _which_backend(names: Sequence[str]) -> Ambiguous:
    return Ambiguous(
        "several services hold migrations: " + ", ".join(names),
        "Only one of them can be the one that migrates.",
        f"name it, as in: --service {names[0]}\n"
        f'or write service = "{names[0]}" under [tool.tidegate.compose] in pyproject.toml',
        [(name, Asked(service=name)) for name in names],
    )


def migrator(found: Sequence[Service], values: Values, of: str) -> Told:
    """Return the service whose container migrates: one made for it, else the backend."""
    if said := _said(found, "migrations", values):
        return said
    code = next((one.code for one in found if one.name == of), "")
    for one in found:
        if one.name in MIGRATORS and one.code == code:
            return Told("migrations", one.name, "by its name", True)
    return Told("migrations", of, "the backend itself", True)


def database(found: Sequence[Service], values: Values, of: str) -> Told:
    """Return the database's service; an empty value when no service is one."""
    if said := _said(found, "database", values):
        return said
    needs = {name for one in found if one.name == of for name in one.needs}
    likely = [one for one in found if SERVERS.search(one.image)] or [
        one for one in found if one.name in DATABASES
    ]
    likely = [one for one in likely if one.name in needs] or likely
    if not likely:
        return Told("database", "", "no service is a database", True)
    return Told("database", likely[0].name, f"by its image {likely[0].image}", True)


def secrets(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the values that no output may show: by their variables' names, and out of URLs."""
    found: set[str] = set()
    for raw in (config.get("services") or {}).values():
        for name, value in (raw.get("environment") or {}).items():
            text = str(value or "").replace("$$", "$")
            if SECRET.search(name) and "://" not in text:
                found.add(text)
            found.update(IN_URL.findall(text))
    plain = {"true", "false", "postgres", "password"}  # masking these says more than it hides
    return tuple(sorted((one for one in found if len(one) > 3 and one not in plain), key=len))[::-1]
