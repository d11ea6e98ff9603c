"""The app applies migrations, or makes tables, while it is loaded.

`upgrade()` in Flask's `create_app`, `call_command("migrate")` in Django's `ready()`, Alembic's `command.upgrade` in a lifespan or beside the app object: each worker of each replica then migrates, all at the same time, and so does every command that only wants to look.
`create_all()` beside migrations makes tables of which Alembic knows nothing; the first step that makes one of them fails.
Take the call out and start the app with `tidegate boot -- COMMAND`, which lets one process migrate.
It is silent where a condition decides, and in scripts that the app does not import.
"""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Iterable, Iterator

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import pycode
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "warning"
ERRORS = (
    r"pg_type_typname_nsp_index",
    r"(relation|table) [\"'`]?[\w.]+[\"'`]? already exists",
)
PRINTED = 'psycopg.errors.DuplicateTable: relation "meal" already exists'
WHEN = "when several workers start on a database that lacks a step"
BAD = {
    "app/__init__.py": """from flask import Flask
from flask_migrate import Migrate, upgrade

from app.models import db


def create_app():
    app = Flask(__name__)
    db.init_app(app)
    Migrate(app, db)
    with app.app_context():
        upgrade()
    return app
""",
}
GOOD = {"app/__init__.py": BAD["app/__init__.py"].replace(", upgrade", "").replace(
    "    with app.app_context():\n        upgrade()\n", "")}  # fmt: skip
AT = "app/__init__.py:12"
STARTS = ("create_app", "make_app", "get_app", "lifespan", "startup", "on_startup", "ready")
LOADED = ("settings.py", "urls.py", "wsgi.py", "asgi.py")
Function = ast.FunctionDef | ast.AsyncFunctionDef
APPS = ("Flask", "FastAPI", "Quart", "Starlette", "Litestar", "Sanic", "create_app")


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield the first such call of each file."""
    for module in project.python:
        if module.tree is None or "management" in module.path.split("/"):
            continue
        for call, start in _calls(module, module.tree):
            what = _what(call, module, project)
            if what:
                where = f" in {start.name}()" if start else ""
                yield Problem(
                    Place(module.path, call.lineno),
                    f"`{what}` runs{where} in every process that loads the app: each worker at the "
                    "same time, with nothing between them.",
                    "take it out, and start with `tidegate boot -- COMMAND`: one process migrates",
                    (Place(module.path, start.lineno, note="runs at the start"),) if start else (),
                )
                break


def _what(call: ast.Call, module: pycode.Module, project: ProjectFiles) -> str:
    """Return the call as it is shown, where it changes the schema."""
    name = pycode.dotted(call.func)
    if name.endswith("run_sync") and call.args:
        name = pycode.dotted(call.args[0])
    last = name.rpartition(".")[2]
    if last == "upgrade" and ("flask_migrate" in module.text or "alembic" in module.text):
        known = name in ("upgrade", "flask_migrate.upgrade") or name.endswith("command.upgrade")
        return f"{name}()" * known
    if last == "call_command" and call.args and pycode.literal(call.args[0]) == "migrate":
        return f'{name}("migrate")'
    steps = any(project.revisions(one) for one in project.alembics)
    return f"{name}()" * (last == "create_all" and steps)


def _calls(module: pycode.Module, tree: ast.Module) -> Iterator[tuple[ast.Call, Function | None]]:
    """Yield the calls that loading or starting the app makes for sure, and in what."""
    functions = {one.name: one for one in tree.body if isinstance(one, Function)}
    starts: list[Function] = [one for name, one in functions.items() if name in STARTS]
    for one in tree.body:
        if isinstance(one, ast.ClassDef) and any("AppConfig" in ast.unparse(b) for b in one.bases):
            starts += [f for f in one.body if isinstance(f, ast.FunctionDef) and f.name == "ready"]
    for start in starts:
        yield from _made(start.body, functions, start)
    if posixpath.basename(module.path) in LOADED or _makes_app(tree):
        yield from _made(tree.body, functions, None)


def _makes_app(tree: ast.Module) -> bool:
    """Whether a module-level name is the app."""
    return any(
        isinstance(one, ast.Assign | ast.AnnAssign)
        and isinstance(one.value, ast.Call)
        and pycode.dotted(one.value.func).rpartition(".")[2] in APPS
        for one in tree.body
    )


def _made(
    body: list[ast.stmt],
    functions: dict[str, Function],
    start: Function | None,
    deep: bool = True,
) -> Iterator[tuple[ast.Call, Function | None]]:
    for statement, maybe in pycode.statements(_unwrapped(body), False):
        for call in ast.walk(statement) if not maybe else ():
            if isinstance(call, ast.Call):
                yield call, start
                own = functions.get(pycode.dotted(call.func)) if deep else None
                if own is not None:
                    yield from _made(own.body, functions, start or own, False)


def _unwrapped(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return statements as they are run: what an `async with` holds is run like what it is in."""
    out: list[ast.stmt] = []
    for one in body:
        out += _unwrapped(one.body) if isinstance(one, ast.AsyncWith | ast.With) else [one]
    return out
