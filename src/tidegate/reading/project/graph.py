"""The graph of migrations, from the files alone: Django apps and Alembic revisions."""

from __future__ import annotations

import ast
import posixpath
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tidegate.reading.project import pycode

_DJANGO = ("django.db.migrations", "django.db.migrations.migration")
_HEAD = re.compile(
    r"^(?P<name>revision|down_revision|branch_labels|depends_on)[ \t]*(?::[^=\n]+)?=[ \t]*"
    r"(?P<value>[^\n#]*?)[ \t]*(?:#[^\n]*)?$",
    re.M,
)
_WORD = re.compile(r"""(["'])([\w.-]*)\1""")
# The same names set in another way: under a condition, added to, or on a line with others.
_SET = re.compile(r"^[ \t]+(?:down_)?revision\b[^\n(]*=|^(?:down_)?revision\s*\+=", re.M)
_NUMBERED = re.compile(r"\d{4}_.*\.py$")


@dataclass(frozen=True)
class Migration:
    """One migration file."""

    id: str
    path: str
    line: int
    needs: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()
    text: str = field(default="", repr=False)
    readable: bool = True  # else nobody here can say what it needs


def django(paths: Sequence[str], texts: Mapping[str, str]) -> dict[str, list[Migration]]:
    """Return each app folder's migrations: the folder that holds `migrations/`."""
    out: dict[str, list[Migration]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        if (
            posixpath.basename(folder) != "migrations"
            or not name.endswith(".py")
            or name == "__init__.py"
        ):
            continue
        text = texts.get(path, "")
        if "Migration" not in text:
            continue
        tree = pycode.read(text, path).tree
        if tree is not None and not _declares(tree):
            continue  # such as a test of migrations, in a folder of that name
        app = posixpath.dirname(folder)
        out.setdefault(app, []).append(_django_one(path, name[:-3], text, tree))
    return out


def _declares(tree: ast.Module) -> bool:
    """Whether a file has what Django looks for in it: the name `Migration`."""
    for node in tree.body:
        names = [getattr(node, "name", "")]
        names += [one.id for one in getattr(node, "targets", ()) if isinstance(one, ast.Name)]
        if isinstance(node, ast.ImportFrom):
            names += [one.asname or one.name for one in node.names]
        if "Migration" in names and not (
            isinstance(node, ast.ImportFrom) and node.module in _DJANGO
        ):
            return True
    return False


def _django_one(path: str, name: str, text: str, tree: ast.Module | None) -> Migration:
    needs: list[str] = []
    replaces: list[str] = []
    line = 1
    for node in tree.body if tree else ():
        if not isinstance(node, ast.ClassDef):
            continue
        line = node.lineno
        for one in node.body:
            target = one.targets[0] if isinstance(one, ast.Assign) else None
            if isinstance(one, ast.Assign) and isinstance(target, ast.Name):
                if target.id == "dependencies":
                    line = one.lineno
                    needs = _pairs(one.value)
                elif target.id == "replaces":
                    replaces = _pairs(one.value)
    return Migration(
        name, path, line, tuple(needs), tuple(replaces), text=text, readable=tree is not None
    )


def _pairs(node: ast.expr) -> list[str]:
    found = []
    for one in node.elts if isinstance(node, (ast.List, ast.Tuple)) else ():
        value = pycode.literal(one)
        if isinstance(value, tuple) and len(value) == 2:
            found.append(f"{value[0]}.{value[1]}")
    return found


def label_of(app: str, migrations: Sequence[Migration], config: str = "") -> str:
    """Return the name that migrations give their app: `label` of its AppConfig, else the folder's.

    `config` is the text of apps.py. Where that says nothing, the dependencies within the folder
    tell: all but the first migration name one of their own.
    """
    said = re.search(r"""^\s+label\s*(?::[^=\n]+)?=\s*['"](\w+)['"]""", config, re.MULTILINE)
    if said is not None:
        return said[1]
    folder, own = posixpath.basename(app), {one.id for one in migrations}
    needs = [name.partition(".") for one in migrations for name in one.needs]
    within = Counter(label for label, _, name in needs if name in own and name != "0001_initial")
    return within.most_common(1)[0][0] if within and folder not in within else folder


def django_leaves(label: str, migrations: Sequence[Migration]) -> list[Migration]:
    """Return the last migrations of an app; more than one is a conflict."""
    replaced = {name for one in migrations for name in one.replaces}
    needed = {
        name for one in migrations if f"{label}.{one.id}" not in replaced for name in one.needs
    }
    # What follows a replaced migration follows the squashed one that stands for it.
    needed |= {f"{label}.{one.id}" for one in migrations if needed & set(one.replaces)}
    needed |= replaced
    return [one for one in migrations if f"{label}.{one.id}" not in needed]


def alembic(paths: Sequence[str], texts: Mapping[str, str]) -> list[Migration]:
    """Return the revisions among `paths`."""
    out = []
    for path in paths:
        plain = _plain(path, texts.get(path, ""))
        if plain is not None:
            out.append(plain)
            continue
        module = pycode.read(texts.get(path, ""), path)
        if module.tree is None:
            out.append(Migration("", path, 1, text=module.text, readable=False))
            continue
        names = {one.name: one for one in module.assigned}
        if "revision" not in names or "down_revision" not in names:
            continue
        revision = pycode.literal(names["revision"].value)
        down = pycode.literal(names["down_revision"].value)
        depends = pycode.literal(names["depends_on"].value) if "depends_on" in names else None
        needs = [*_many(down), *_many(depends)]
        branches = (
            _many(pycode.literal(names["branch_labels"].value)) if "branch_labels" in names else []
        )
        if isinstance(revision, str):
            out.append(Migration(revision, path, names["down_revision"].line, tuple(needs), (),
                                 tuple(branches), module.text))  # fmt: skip
    return out


def _plain(path: str, text: str) -> Migration | None:
    """Return a revision as Alembic's template writes it, a line for each name: no parser needed."""
    said: dict[str, object] = {}
    line = 0
    for found in _HEAD.finditer(text):
        name, value = found["name"], found["value"]
        if name in said:
            return None
        word = _WORD.fullmatch(value)
        said[name] = word[2] if word else None if value == "None" else pycode.literal_of(value)
        if said[name] is pycode.UNKNOWN:
            return None
        line = text.count("\n", 0, found.start()) + 1 if name == "down_revision" else line
    revision = said.get("revision")
    if not isinstance(revision, str) or "down_revision" not in said or _SET.search(text):
        return None
    needs = (*_many(said["down_revision"]), *_many(said.get("depends_on")))
    return Migration(revision, path, line, needs, (), tuple(_many(said.get("branch_labels"))), text)


def _many(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return (
        [one for one in value if isinstance(one, str)]
        if isinstance(value, (tuple, list, set))
        else []
    )


def alembic_heads(revisions: Sequence[Migration]) -> list[Migration]:
    """Return the revisions that no other builds on."""
    needed = {name for one in revisions for name in one.needs}
    return [one for one in revisions if one.id not in needed]
