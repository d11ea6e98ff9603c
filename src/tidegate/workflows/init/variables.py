"""Which environment variables the project's own code reads, and which it can't do without."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tidegate.reading.project import pycode
from tidegate.reading.project.project import ProjectFiles

_ENV = re.compile(
    r"""(?:(?:environ(?:\.get)?|getenv|\benv\w*(?:\.\w+)?)\s*[\[(]|\bconfig\s*\()"""
    r"""\s*['"]([A-Z][A-Z0-9_]*)['"]"""
)
SECRET_KEY = re.compile(r"(^|_)SECRET_KEY$")


def read(project: ProjectFiles) -> tuple[str, ...]:
    """Return the names that the code reads."""
    out: dict[str, None] = {}
    for text in _code(project):
        out.update(dict.fromkeys(_ENV.findall(text)))
        out.update(dict.fromkeys(name for name, _ in _fields(text)))
    return tuple(out)


def demanded(project: ProjectFiles, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names without which the settings don't load: no default, or a secret key."""
    out = [one for one in names if SECRET_KEY.search(one)]
    if project.settings is not None:
        out += [one.name for one in project.settings.reads if one.required and one.certain]
    for text in _code(project):
        out += [name for name, required in _fields(text) if required]
    return tuple(dict.fromkeys(out))


def _code(project: ProjectFiles) -> Iterator[str]:
    for path in project.paths:
        if path.endswith(".py") and "test" not in path and "migrations/versions" not in path:
            yield project.read(path) or ""


def _fields(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the fields of pydantic's settings as variables, and whether each has no default."""
    tree = pycode.read(text, "").tree if "BaseSettings" in text else None
    for node in ast.walk(tree) if tree is not None else ():
        if not isinstance(node, ast.ClassDef) or not any(
            pycode.dotted(one).endswith("BaseSettings") for one in node.bases
        ):
            continue
        found = re.search(r"env_prefix\s*=\s*['\"](\w*)['\"]", ast.unparse(node))
        prefix = found[1] if found else ""
        for one in node.body:
            if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
                plain = one.target.id != "model_config" and "ClassVar" not in ast.unparse(
                    one.annotation
                )
                if plain:
                    yield (prefix + one.target.id).upper(), one.value is None
