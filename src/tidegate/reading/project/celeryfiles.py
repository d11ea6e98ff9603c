"""Celery apps and their settings, without running them.

A setting comes from the app's own module (`Celery(broker=…)`, `app.conf.…`) or, through
`config_from_object("django.conf:settings")`, from Django's settings under the namespace.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate.model.finding import Place
from tidegate.reading.project import pycode, words
from tidegate.reading.project.acts import Act
from tidegate.reading.project.djangosettings import Settings
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Service

# Names of before Celery 4, which settings without a namespace may still use.
_OLD = {
    "broker_url": "BROKER_URL", "broker_transport_options": "BROKER_TRANSPORT_OPTIONS",
    "task_acks_late": "CELERY_ACKS_LATE", "task_time_limit": "CELERYD_TASK_TIME_LIMIT",
    "beat_scheduler": "CELERYBEAT_SCHEDULER",
}  # fmt: skip


@dataclass(frozen=True)
class CeleryApp:
    """One `Celery(…)`. `own` are the settings of its module; `namespace` is None without Django.

    `elsewhere` says that its settings come from where we can't look.
    """

    module: str
    path: str
    line: int
    own: Mapping[str, ast.expr] = field(default_factory=dict)
    namespace: str | None = None
    elsewhere: bool = False
    settings: str = ""  # the settings that its module names, where no variable does


@dataclass(frozen=True)
class Setting:
    """A value with the place that gives it; UNKNOWN where only running can tell."""

    value: Any
    place: Place


def apps(project: ProjectFiles) -> tuple[CeleryApp, ...]:
    """Return the project's Celery apps, the shallowest first."""
    out = []
    for path in sorted(project.paths, key=lambda one: (one.count("/"), one)):
        if not path.endswith(".py") or re.search(r"(^|/)(tests?/|test_|conftest)", path):
            continue
        text = project.read(path) or ""
        if "Celery(" in text:
            found = _app(pycode.read(text, path))
            out += [found] if found is not None else []
    return tuple(out)


def of(project: ProjectFiles, act: Act) -> CeleryApp | None:
    """Return the app that a command names with -A; the only one where it names none."""
    found = project.celery
    name = _named(act.words)
    short = name.partition(":")[0].removesuffix(".app").removesuffix(".celery")
    for one in found:
        module = one.module.removesuffix(".celery")
        if short and (module == short or module.endswith("." + short)):
            return one
    return found[0] if len(found) == 1 else None


def acts(project: ProjectFiles, service: Service) -> Iterator[Act]:
    """Yield the Celery processes that a service stays with: workers and beats."""
    for act in project.start(service).acts:
        if words.program(act.words) == "celery" and {"worker", "beat"} & set(act.words):
            yield act


def beats(act: Act) -> bool:
    """Whether a command sends the periodic tasks, alone or beside its worker."""
    return "beat" in act.words or bool({"-B", "--beat"} & set(act.words))


def setting(
    project: ProjectFiles, app: CeleryApp, service: Service | None, name: str,
    environ: Mapping[str, Any],
) -> Setting | None:  # fmt: skip
    """Return what a setting is; None where nothing sets it."""
    if name in app.own:
        node = app.own[name]
        module = pycode.read(project.read(app.path) or "", app.path)
        holder = Settings(app.module, app.path, "", (module,))
        return Setting(holder.evaluate(node, environ), Place(app.path, node.lineno))
    settings = settings_of(project, app, service) if app.namespace is not None else None
    if settings is None:
        return None
    for key in names(app, name):
        if settings.last(key) is not None:
            return Setting(settings.value(key, environ), Place(*settings.line(key)))
    return None


def settings_of(project: ProjectFiles, app: CeleryApp, service: Service | None) -> Settings | None:
    """Return Django's settings as an app loads them: a variable's, its module's, manage.py's."""
    image = project.image(service) if service is not None else None
    given = {**(image.environ if image else {}), **(service.environment if service else {})}
    if app.settings and "DJANGO_SETTINGS_MODULE" not in given:
        return project.settings_named(app.settings)
    return project.settings_for(service)


def names(app: CeleryApp, name: str) -> tuple[str, ...]:
    """Return the names under which Django's settings may hold a Celery setting."""
    if app.namespace:
        return (f"{app.namespace}_{name.upper()}",)
    return (name, *([_OLD[name]] if name in _OLD else []))


def _named(argv: tuple[str, ...]) -> str:
    for index, word in enumerate(argv):
        if word in ("-A", "--app") and index + 1 < len(argv):
            return argv[index + 1]
        if word.startswith("--app="):
            return word[6:]
        if word.startswith("-A") and len(word) > 2:
            return word[2:]
    return ""


def _app(module: pycode.Module) -> CeleryApp | None:
    if module.tree is None:
        return None
    made = next((one for one in ast.walk(module.tree) if isinstance(one, ast.Call)
                 and pycode.dotted(one.func).rpartition(".")[2] == "Celery"), None)  # fmt: skip
    if made is None:
        return None
    own = {
        {"broker": "broker_url", "backend": "result_backend"}.get(one.arg, one.arg): one.value
        for one in made.keywords
        if one.arg
    }
    namespace: str | None = None
    elsewhere = any(one.arg is None for one in made.keywords) or "config_source" in own
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute):
            target = pycode.dotted(node.targets[0])
            if ".conf." in target:
                own[target.rpartition(".")[2]] = node.value
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        called = pycode.dotted(node.func)
        if called.endswith(".conf.update"):
            own.update({one.arg: one.value for one in node.keywords if one.arg})
            elsewhere = elsewhere or bool(node.args)
        elif node.func.attr == "config_from_object" and node.args:
            source = pycode.literal(node.args[0])
            if source == "django.conf:settings" or pycode.dotted(node.args[0]) == "settings":
                given = [one.value for one in node.keywords if one.arg == "namespace"]
                said = pycode.literal(given[0]) if given else ""
                namespace = said if isinstance(said, str) else ""
                elsewhere = elsewhere or not isinstance(said, str)
            else:
                elsewhere = True
        elif node.func.attr in ("config_from_envvar", "add_defaults"):
            elsewhere = True
    name = module.path[:-3].replace("/", ".").removeprefix("src.").removesuffix(".__init__")
    said = re.search(r"""DJANGO_SETTINGS_MODULE['"]\s*,\s*['"]([\w.]+)['"]""", module.text)
    settings = said[1] if said else ""
    return CeleryApp(name, module.path, made.lineno, own, namespace, elsewhere, settings)
