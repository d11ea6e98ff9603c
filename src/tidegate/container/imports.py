"""Which modules looked at the environment while they were imported, and which need those.

A forked child may find a library imported already, so that it answers sooner. One that has read
the environment by then would answer every question with what it read first: settings that are
installed beside the libraries, as `pip install .` does, and whatever imports from them.

Nothing stands in place of `__import__`: its frame would be in the tracebacks, and Flask tells by
their length whether a module is missing, or something that the module imports.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType, ModuleType, TracebackType

# What these read while they are imported says nothing of a login, and they take long to import.
KNOWN = {
    "alembic", "asgiref", "asyncpg", "celery", "django", "dotenv", "environ", "kombu",
    "opentelemetry", "psycopg", "psycopg2", "psycopg_binary", "psycopg_c", "pydantic",
    "pydantic_core", "pydantic_settings", "redis", "sqlalchemy", "sqlmodel", "tidegate",
}  # fmt: skip
# It asks whether it may load its plugins wherever a model is made, and tells nobody what it read.
ITS_OWN = "pydantic.plugin"


class Imports:
    """Notes who imports whom, and who looks at the environment meanwhile, while it is entered."""

    def __init__(self) -> None:
        self._needed_by: dict[str, set[str]] = {}
        self._readers: set[str] = set()

    def __enter__(self) -> Imports:
        sys.meta_path.insert(0, self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        sys.meta_path.remove(self)

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Note that a module is imported for the first time; the finders after this one do it."""
        if importer := _importing(sys._getframe(1)):
            self._note(importer, name)

    def looked_up(self, frame: FrameType | None) -> None:
        """The environment is looked at: the innermost module that is being imported did it."""
        if _module_of(frame).startswith(ITS_OWN):
            return
        importing = _importing(frame)
        if importing and not _is_known(importing):
            self._readers.add(importing)

    @property
    def readers(self) -> set[str]:
        """The modules that have looked at the environment while they were imported."""
        return set(self._readers)

    def fresh(self, names: Sequence[str]) -> list[str]:
        """Return those of `names` that have nothing from a reader.

        Who imports what was imported before is read from the sources that name a reader's package.
        """
        tops = {_top(one) for one in self._readers}
        for name in names:
            module = sys.modules[name]
            if tops and not _is_known(name) and (tree := _naming(module, tops)):
                for one in _imported_by(tree, vars(module)):
                    self._note(name, one)
        for name in [*sys.modules]:  # a module comes after its package
            self._note(name, name.rpartition(".")[0])
        touched: set[str] = set()
        todo = [*self._readers]
        while todo:
            name = todo.pop()
            if name not in touched:
                touched.add(name)
                todo += self._needed_by.get(name, ())
        return [name for name in names if name not in touched]

    def _note(self, importer: str, name: str) -> None:
        self._needed_by.setdefault(name, set()).add(importer)


def own_packages(root: str, environ: Mapping[str, str]) -> set[str]:
    """Return the packages that are the project's, wherever they are installed."""
    found = {_top(environ.get("DJANGO_SETTINGS_MODULE", ""))} - {""}
    for folder in (root, os.path.join(root, "src")):
        try:
            inside = [one.name for one in os.scandir(folder) if one.is_dir()]
        except OSError:
            continue
        found |= {name for name in inside if name.isidentifier() and name != "src"}
    return found - KNOWN


def _is_known(name: str) -> bool:
    return _top(name) in KNOWN or _top(name) in sys.stdlib_module_names


def _module_of(frame: FrameType | None) -> str:
    """Return the module whose code looked; `os.getenv` does it for another."""
    while frame is not None and frame.f_globals.get("__name__") in ("os", "_collections_abc"):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__")) if frame is not None else ""


def _importing(frame: FrameType | None) -> str:
    while frame is not None:
        if frame.f_code.co_name == "<module>":
            return str(frame.f_globals.get("__name__"))
        frame = frame.f_back
    return ""


def _naming(module: ModuleType, tops: set[str]) -> ast.AST | None:
    """Return the source of a module that is in one of the packages, or names one."""
    file = getattr(module, "__file__", None)
    if not file or not file.endswith(".py"):
        return None
    try:
        with open(file, "rb") as source:
            text = source.read()
        if _top(module.__name__) in tops or any(one.encode() in text for one in tops):
            return ast.parse(text)
    except (OSError, SyntaxError, ValueError):
        pass
    return None


def _imported_by(tree: ast.AST, globals: Mapping[str, object]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            whole = _absolute(node.module or "", globals, node.level)
            yield whole
            yield from (f"{whole}.{one.name}" for one in node.names)


def _absolute(name: str, globals: Mapping[str, object], level: int) -> str:
    if not level:
        return name
    parts = str(globals.get("__package__") or globals.get("__name__")).split(".")
    return ".".join([*parts[: len(parts) - level + 1], *([name] if name else [])])


def _top(name: str) -> str:
    return name.partition(".")[0]
