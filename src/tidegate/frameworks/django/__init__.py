"""Django: found by manage.py or DJANGO_SETTINGS_MODULE, applied by its own `migrate` command."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

from tidegate.contracts.framework import Applying, Noticed, StaticFiles
from tidegate.errors import UsageProblem
from tidegate.frameworks.django import tenants
from tidegate.frameworks.django.noticing import noticing
from tidegate.frameworks.django.ordering import conflicts, in_plan_order
from tidegate.frameworks.django.running import (
    call,
    directed,
    listening,
    refuse_half_squash,
    refuse_unfound,
    telling,
    wrapper,
)
from tidegate.frameworks.django.undoing import undo_of
from tidegate.model.connection import Connection, Secret
from tidegate.model.folders import looked_in
from tidegate.model.step import Step
from tidegate.model.undoing import Undo

SETTINGS_LINE = re.compile(
    r"""environ(?:\.setdefault\(|\[)\s*["']DJANGO_SETTINGS_MODULE["']\s*(?:,|\]\s*=)\s*"""
    r"""["']([\w.]+)["']"""
)
ENVIRONMENT = "DJANGO_SETTINGS_MODULE in the environment"
VENDORS = {"postgresql": "postgresql", "postgis": "postgresql", "sqlite3": "sqlite"}


def find(root: Path, environ: Mapping[str, str]) -> DjangoProject | None:
    """Return the Django project at `root`, or in a folder of it."""
    named = environ.get("DJANGO_SETTINGS_MODULE", "")
    for folder in looked_in(root):
        manage = folder / "manage.py"
        if not manage.is_file():
            continue
        match = SETTINGS_LINE.search(manage.read_text(encoding="utf-8", errors="replace"))
        settings = named or (match.group(1) if match else "")
        if settings:
            said = ENVIRONMENT if named else f"{manage}"
            return DjangoProject(folder, settings, said)
    return DjangoProject(root, named, ENVIRONMENT) if named else None


def almost(root: Path) -> UsageProblem | None:
    """Return what is missing where there is a manage.py that names no settings module."""
    places = [one / "manage.py" for one in looked_in(root)]
    manage = next((one for one in places if one.is_file() and b"django" in one.read_bytes()), None)
    if manage is None:
        return None
    folder = manage.parent
    files = [*folder.glob("*/settings.py"), *folder.glob("*/settings/*.py")]
    named = sorted(
        ".".join(one.relative_to(folder).with_suffix("").parts)
        for one in files
        if "INSTALLED_APPS" in one.read_text("utf-8", "replace") or one.parent.name == "settings"
    )
    named = [one for one in named if not one.endswith(".__init__")]
    return UsageProblem(
        f"{manage} names no settings module, and DJANGO_SETTINGS_MODULE is not set",
        f"Settings that are there: {', '.join(named[:6])}." if named else "",
        f"set it: DJANGO_SETTINGS_MODULE={named[0] if named else 'PACKAGE.settings'}"
        " (ENV in the Dockerfile, environment: in Compose), or name the file that does: "
        "tidegate --env-file .env",
    )


class DjangoProject:
    """A Django source tree and the settings module it runs with."""

    framework = "django"
    ids_are_file_names = True

    def __init__(self, root: Path, settings: str, said: str = "") -> None:
        self.root = root
        self.settings = settings
        self.said = said or "the project"  # where the settings module's name comes from
        self.noticed: list[Noticed] = []

    def identity(self) -> dict[str, str]:
        """The settings module is what makes this configuration."""
        return {"DJANGO_SETTINGS_MODULE": self.settings}

    def load_settings(self) -> Any:
        """Import the settings and nothing more."""
        for folder in (str(self.root / "src"), str(self.root)):
            if folder not in sys.path and Path(folder).is_dir():
                sys.path.insert(0, folder)
        os.environ["DJANGO_SETTINGS_MODULE"] = self.settings
        try:
            from django.conf import settings
        except ImportError:
            raise UsageProblem(
                "Django is not installed for this Python",
                f"{self.root} is a Django project, and {sys.executable} can't import django.",
                "run tidegate from the project's own environment, or install tidegate into it",
            ) from None
        try:
            settings._setup() if not settings.configured else None
        except ModuleNotFoundError as error:
            refuse_unfound(error, self.settings, self.said, self.root)
            raise
        return settings

    def load(self) -> Any:
        """Set Django up: settings and applications."""
        settings = self.load_settings()
        import django
        from django.apps import apps

        if not apps.ready:
            with noticing(self.root, self.noticed):
                django.setup()
        return settings

    def connections(self) -> list[Connection]:
        """Return `default`, and other aliases only where a router sends models to them.

        Plain `migrate` touches `default` alone; a second alias without routers is most often a
        database that is somebody else's.
        """
        settings = self.load_settings()
        found = [_connection(alias, raw) for alias, raw in settings.DATABASES.items() if raw]
        if getattr(settings, "TENANT_MODEL", ""):
            self.load()
            found = [replace(c, tenants=tenants.table_of(c.alias, settings)) for c in found]
        main = [one for one in found if one.alias == "default"]
        others = [one for one in found if one.alias != "default"]
        if not others or not settings.DATABASE_ROUTERS:
            return main
        self.load()
        return main + [one for one in others if self._is_routed(one.alias, settings)]

    def _is_routed(self, alias: str, settings: Any) -> bool:
        from django.apps import apps
        from django.db import router

        if (settings.DATABASES[alias].get("TEST") or {}).get("MIRROR"):
            return False
        return any(
            router.allow_migrate_model(alias, model)
            for model in apps.get_models(include_auto_created=True)
            if model._meta.managed and not model._meta.proxy
        )

    def steps(self, alias: str) -> list[Step]:
        """Return all migrations on disk, replaced and replacing ones alike, as they are applied."""
        self.load()
        from django.db.migrations.loader import MigrationLoader

        loader = MigrationLoader(None, load=False)
        try:
            loader.load_disk()
        except SyntaxError as error:
            raise UsageProblem(
                f"{error.filename}:{error.lineno}: the migration can't be read: {error.msg}",
                "Django imports every migration file before it applies one.",
                "correct or remove the file",
            ) from None
        assert loader.disk_migrations is not None
        firsts = _firsts(loader.disk_migrations)
        return in_plan_order(
            [
                self._step(migration, firsts, loader.disk_migrations)
                for migration in loader.disk_migrations.values()
            ]
        )

    def conflicts(self, steps: Sequence[Step]) -> dict[str, list[str]]:
        """Return the apps with several last migrations, and these."""
        return conflicts(steps)

    def step_folders(self) -> list[str]:
        """Return each app's migrations package: an app without one may get it later."""
        self.load()
        from importlib.util import find_spec

        from django.apps import apps
        from django.db.migrations.loader import MigrationLoader

        out = []
        for app in apps.get_app_configs():
            module, explicit = MigrationLoader.migrations_module(app.label)
            spec = find_spec(module) if module else None
            if spec and spec.submodule_search_locations:
                out += [os.path.abspath(path) for path in spec.submodule_search_locations]
            elif module and not explicit:
                out.append(os.path.join(app.path, "migrations"))
        return out

    def _step(self, migration: Any, firsts: Mapping[str, str], disk: Mapping[Any, Any]) -> Step:
        own = f"{migration.app_label}.{migration.name}"
        module = sys.modules[migration.__class__.__module__]
        path = module.__file__ or ""
        needs = [_name(need, firsts, disk) for need in migration.dependencies]
        before = [
            f"{other.app_label}.{other.name}"
            for other in disk.values()
            if (migration.app_label, migration.name) in other.run_before
        ]
        return Step(
            id=own,
            needs=tuple(sorted({need for need in [*needs, *before] if need and need != own})),
            replaces=tuple(f"{app}.{name}" for app, name in migration.replaces),
            path=path,
            digest=hashlib.sha256(Path(path).read_bytes()).hexdigest() if path else "",
        )

    def recorded_sql(self, connection: Connection) -> str:
        """Django records every applied migration, in each schema where each tenant has one."""
        if connection.tenants:
            return tenants.level_sql(connection.tenants)
        return "SELECT app, name FROM django_migrations"

    def recorded_ids(self, steps: Sequence[Step], rows: Sequence[Sequence[str]]) -> frozenset[str]:
        """Join the two columns to ids."""
        return recorded_ids(steps, rows)

    def apply(self, connection: Connection, target: str, applying: Applying) -> None:
        """Run Django's `migrate` command (the project's own, if an app overrides it)."""
        self.load()
        from django.core.management import get_commands, load_command_class

        app = get_commands()["migrate"]
        command = load_command_class(app, "migrate") if isinstance(app, str) else app
        database = directed(connection, applying)
        refuse_half_squash(database)
        with (
            listening(database, applying),
            database.execute_wrapper(wrapper(applying)),
            telling(applying),
        ):
            call(command, connection, target, applying)

    def undoing(self, alias: str, steps: Sequence[Step]) -> list[Undo]:
        """Read the operations of each migration backwards."""
        self.load()
        from django.db.migrations.loader import MigrationLoader

        loader = MigrationLoader(None)
        return [undo_of(step.id, loader) for step in steps]

    def undo(
        self,
        connection: Connection,
        steps: Sequence[Step],
        remaining: Sequence[Step],
        applying: Applying,
    ) -> None:
        """Run `migrate app parent` for one step after the other: each takes back that one."""
        staying = {step.id for step in remaining}
        for step in steps:
            app = step.id.split(".", 1)[0]
            parents = [need for need in step.needs if need.startswith(f"{app}.")]
            others = [one for one in staying if one.startswith(f"{app}.")]
            if not parents and others:
                raise UsageProblem(
                    f"{step.id} has no step before it in {app}, and others of {app} stay",
                    "Django can only take back an app's steps down to one that is named.",
                    "undo it by Django itself",
                )
            self.apply(connection, parents[0] if parents else f"{app}.zero", applying)

    def record(
        self,
        connection: Connection,
        steps: Sequence[Step],
        level: Sequence[Step],
        applying: Applying,
    ) -> None:
        """Write the rows that `migrate --fake` writes, all or none."""
        self.load()
        from django.db import transaction
        from django.db.migrations.recorder import MigrationRecorder

        database = directed(connection, applying)
        with listening(database, applying):
            recorder = MigrationRecorder(database)
            recorder.ensure_schema()
            with transaction.atomic(using=connection.alias):
                there = {f"{app}.{name}" for app, name in recorder.applied_migrations()}
                for id in dict.fromkeys(one for step in steps for one in (*step.replaces, step.id)):
                    if id not in there:
                        recorder.record_applied(*id.split(".", 1))

    def static_files(self) -> StaticFiles | None:
        """Return what `collectstatic` would read and where it would write."""
        settings = self.load()
        from django.apps import apps

        if not apps.is_installed("django.contrib.staticfiles") or not settings.STATIC_ROOT:
            return None
        from django.contrib.staticfiles.finders import get_finders

        sources = sorted(
            {
                str(storage.path(path))
                for finder in get_finders()
                for path, storage in finder.list([])
            }
        )
        storage = str(getattr(settings, "STORAGES", {}).get("staticfiles", {}).get("BACKEND", ""))
        return StaticFiles(os.path.abspath(settings.STATIC_ROOT), tuple(sources), storage)

    def collect_static(self) -> str:
        """Collect by content: the command's own mtime rule keeps old files of a newer volume."""
        self.load()
        from django.core.management import call_command, get_commands, load_command_class

        app = get_commands()["collectstatic"]
        command = load_command_class(app, "collectstatic") if isinstance(app, str) else app
        if hasattr(command, "delete_file"):
            command.delete_file = replace_changed(command)
        out = StringIO()
        call_command(command, interactive=False, verbosity=1, stdout=out)
        lines = [line.strip() for line in out.getvalue().splitlines() if line.strip()]
        return lines[-1].rstrip(".") if lines else "collected"


def recorded_ids(steps: Sequence[Step], rows: Sequence[Sequence[str]]) -> frozenset[str]:
    """Join app and name to ids."""
    ids = [f"{app}.{name}" for app, name in rows]
    return tenants.everywhere({step.id for step in steps}, ids)


def _connection(alias: str, raw: Mapping[str, Any]) -> Connection:
    engine = str(raw.get("ENGINE", ""))
    backend = engine.rsplit(".", 1)[-1]
    vendor = VENDORS.get(backend, "")
    if not vendor:
        vendor = next((v for k, v in VENDORS.items() if k in engine), backend)
    options = dict(raw.get("OPTIONS") or {})
    return Connection(
        alias=alias,
        vendor=vendor,
        host=str(raw.get("HOST") or ""),
        port=str(raw.get("PORT") or ""),
        user=str(raw.get("USER") or ""),
        password=Secret(raw.get("PASSWORD") or ""),
        name=str(raw.get("NAME") or ""),
        driver=engine,
        options={k: v for k, v in options.items() if isinstance(v, str | int | float | bool)},
    )


def _firsts(disk: Mapping[Any, Any]) -> dict[str, str]:
    """Return each app's first migration: `__first__` in a dependency means it."""
    firsts: dict[str, str] = {}
    for app, name in sorted(disk):
        migration = disk[app, name]
        own = {need for need in migration.dependencies if need[0] == app}
        if not own and app not in firsts:
            firsts[app] = f"{app}.{name}"
    return firsts


def _name(need: Sequence[str], firsts: Mapping[str, str], disk: Mapping[Any, Any]) -> str:
    app, name = need
    if app == "__setting__":
        from django.conf import settings

        label = str(getattr(settings, name)).split(".")[0]
        return firsts.get(label, "")
    if name == "__first__":
        return firsts.get(app, "")
    if name == "__latest__":
        names = sorted(n for a, n in disk if a == app)
        return f"{app}.{names[-1]}" if names else ""
    return f"{app}.{name}"


def replace_changed(command: Any) -> Callable[..., bool]:
    """Return a `delete_file` that keeps a target with the same bytes and replaces another."""

    def delete_file(path: str, prefixed_path: str, source_storage: Any) -> bool:
        if not command.storage.exists(prefixed_path):
            return True
        with source_storage.open(path) as new, command.storage.open(prefixed_path) as old:
            if new.read() == old.read() and not command.symlink:
                command.unmodified_files.append(prefixed_path)
                return False
        if not command.dry_run:
            command.storage.delete(prefixed_path)
        return True

    return delete_file
