"""The settings of `tidegate check`: `[tool.tidegate.check]` and what the project tells."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tidegate import settings as options
from tidegate.errors import UsageProblem
from tidegate.model.finding import SEVERITIES
from tidegate.workflows.check import rulebook

KEYS = ("database", "server-version", "fail-on", "baseline", "exclude", "rules", "paths",
        "user-model")  # fmt: skip
VERSIONS = {
    "postgresql": (10, 99, "PostgreSQL 10 and later", "16"),
    "mysql": (5, 99, "MySQL 5.7 and later, and MariaDB 10 and later", "8"),
    "sqlite": (3, 3, "SQLite 3", "3"),
}
VENDORS = ("postgresql", "mysql", "sqlite")
LEVELS = ("off", *SEVERITIES)
SIGNS = (
    ("postgresql", re.compile(r"psycopg|asyncpg|pg8000|postgresql|postgis|postgres://", re.I)),
    ("mysql", re.compile(r"mysqlclient|pymysql|aiomysql|asyncmy|backends\.mysql|mysql\+", re.I)),
    ("sqlite", re.compile(r"backends\.sqlite3|sqlite:///|aiosqlite", re.I)),
)
ENGINE = re.compile(r"""["']ENGINE["']\s*:\s*["'][\w.]*?(postgresql|postgis|mysql|sqlite3)["']""")
USER = re.compile(r"""^AUTH_USER_MODEL\s*(?::\s*\w+\s*)?=\s*["']([\w.]+)["']""", re.MULTILINE)


@dataclass(frozen=True)
class CheckSettings:
    """What a review goes by. `rules` maps rules to off, on or a severity; `paths` globs to such."""

    database: str = "postgresql"
    version: int = 0
    fail_on: str = "error"
    baseline: str = "tidegate-baseline.json"
    exclude: tuple[str, ...] = ()
    rules: Mapping[str, str] = field(default_factory=dict)
    paths: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    user: str = "auth.User"

    def level(self, rule: str, opt_in: bool, path: str, severity: str) -> str:
        """Return the severity at which a rule speaks of a file, or "off"."""
        said = self.rules.get(rule, "off" if opt_in else "on")
        for pattern, inner in self.paths.items():
            if rule in inner and fnmatch.fnmatch(path, pattern):
                said = inner[rule]
        return severity if said == "on" else said

    def key(self) -> str:
        """Return what of the settings changes findings, for the cache."""
        return repr((self.database, self.version, self.rules, self.paths, self.user))


def load(root: str, database: str = "") -> CheckSettings:
    """Return the settings of the project at `root`. Raises UsageProblem for what is not known."""
    try:
        raw = options.table(root, "check")
    except options.BadSetting as error:
        raise UsageProblem(error.what, "", error.next) from None
    for key in raw:
        if key not in KEYS:
            raise UsageProblem(
                f"[tool.tidegate.check] has no setting {key}", "", options.nearest(key, KEYS)
            )
    vendor = database or str(raw.get("database", ""))
    if vendor and vendor not in VENDORS:
        raise UsageProblem(
            f"database is {vendor!r}",
            "It comes from [tool.tidegate.check] or --database.",
            options.nearest(vendor, VENDORS),
        )
    fail_on = str(raw.get("fail-on", "error"))
    if fail_on not in SEVERITIES:
        raise UsageProblem(f"fail-on is {fail_on!r}", "", "use one of: " + ", ".join(SEVERITIES))
    found_vendor, user = ("", "") if vendor and raw.get("user-model") else _look(Path(root))
    vendor = vendor or found_vendor or "postgresql"
    return CheckSettings(
        database=vendor,
        version=_version(raw.get("server-version", 0), vendor),
        fail_on=fail_on,
        baseline=str(raw.get("baseline", "tidegate-baseline.json")),
        exclude=tuple(_strings(raw.get("exclude", []), "exclude")),
        rules=_levels(raw.get("rules", {}), "rules"),
        paths=_by_path(raw.get("paths", {})),
        user=str(raw.get("user-model", "") or user or "auth.User"),
    )


def _strings(value: Any, name: str) -> list[str]:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value
    raise UsageProblem(
        f"[tool.tidegate.check] {name} is not a list of strings", "", f'write {name} = ["..."]'
    )


def _version(value: Any, vendor: str) -> int:
    """Return the server's major version; 0: not said. Raises for one that no rule knows."""
    words = re.match(r"\d+", str(value))
    version = int(words[0]) if words else -1
    first, last, name, such = VERSIONS[vendor]
    if version == 0 or first <= version <= last:
        return version
    raise UsageProblem(
        f"server-version is {value!r}, and the database is {vendor}",
        f"The rules know {name}.",
        f"give the major version under [tool.tidegate.check]: server-version = {such}",
    )


def _by_path(value: Any) -> dict[str, dict[str, str]]:
    if not isinstance(value, dict):
        raise UsageProblem(
            "[tool.tidegate.check] paths is not a table", "",
            'write [tool.tidegate.check.paths."shop/migrations/*"], and below it rule = false',
        )  # fmt: skip
    return {str(path): _levels(inner, f"paths.{path!r}") for path, inner in value.items()}


def _levels(value: Any, where: str) -> dict[str, str]:
    """Return `rule = false`, `true` or a severity as words. Raises for an unknown rule."""
    if not isinstance(value, dict):
        raise UsageProblem(
            f"[tool.tidegate.check.{where}] is not a table", "", "write it as rule = false"
        )
    known = set(rulebook.names()) if value else set()
    out = {}
    for name, said in value.items():
        require_rule(str(name), f"[tool.tidegate.check.{where}]", known)
        word = {True: "on", False: "off"}.get(said, said) if isinstance(said, bool) else str(said)
        if word not in (*LEVELS, "on"):
            raise UsageProblem(
                f"[tool.tidegate.check.{where}] {name} is {said!r}",
                "",
                "use true, false, " + " or ".join(f'"{one}"' for one in SEVERITIES),
            )
        out[str(name)] = str(word)
    return out


def require_rule(name: str, where: str, known: set[str] | None = None) -> None:
    """Raise UsageProblem unless there is a rule of that name."""
    if name in (known if known is not None else set(rulebook.names())):
        return
    near = rulebook.nearest(name)
    raise UsageProblem(
        f"{where} names the rule {name!r}, and there is none",
        f"The nearest is {near}." if near else "",
        f"write {near}; see them all with tidegate rules"
        if near
        else "see them all with tidegate rules",
    )


def _look(root: Path) -> tuple[str, str]:
    """Return the database and the user model that the project's files tell."""
    files = _files(root)
    vendor, user = _among(files)
    if vendor and (any(one.suffix == ".py" for one in files) or not _is_django(root)):
        return vendor, user
    return _among(_deeper(root))


def _is_django(root: Path) -> bool:
    """Whether there is a manage.py in the folder, or in one of its own."""
    return (root / "manage.py").is_file() or next(root.glob("*/manage.py"), None) is not None


def _among(files: list[Path]) -> tuple[str, str]:
    user, engines, signs = "", [], ""
    for path in files:
        try:
            text = path.read_text("utf-8", "replace")[:200_000]
        except OSError:
            continue
        if path.suffix == ".py":
            engines += ENGINE.findall(text)
            match = USER.search(text)
            user = user or (match.group(1) if match else "")
        signs += text
    named = {"postgis": "postgresql", "sqlite3": "sqlite"}
    found = [named.get(one, one) for one in engines]
    installed = [vendor for vendor, sign in SIGNS if sign.search(signs)]
    if set(found) == {"sqlite"} and installed and installed[:1] != ["sqlite"]:
        found = installed  # settings of tests, or a file for those who have no server
    for vendor in VENDORS:
        if vendor in found:
            return vendor, user
    return next(iter(installed), ""), user


def _files(root: Path) -> list[Path]:
    """Return the few files that say which database a project uses."""
    names = ("pyproject.toml", "alembic.ini", "setup.cfg", "setup.py", "Pipfile")
    out = [root / name for name in names if (root / name).is_file()]
    try:
        folders = [root, *(p for p in sorted(root.iterdir()) if p.is_dir() and p.name[0] != ".")]
    except OSError:
        return out
    for folder in folders[:60]:
        try:
            entries = list(os.scandir(folder))
        except OSError:
            continue
        for entry in entries:
            if (entry.name.startswith("requirements") and entry.name.endswith((".txt", ".in"))) or (
                entry.name.endswith(".py") and "settings" in entry.name
            ):
                out.append(Path(entry.path))
            elif entry.name == "settings" and entry.is_dir():
                out += sorted(Path(entry.path).glob("*.py"))
            elif entry.name == "alembic.ini" and folder != root:
                out.append(Path(entry.path))
    return out[:40]


def _deeper(root: Path) -> list[Path]:
    """Return what `_files` does not see: settings one folder further down, and what lies by it."""
    out = _files(root)
    for first in sorted(one for one in root.iterdir() if one.name[0] != "."):
        if first.is_dir() and os.access(first, os.R_OK | os.X_OK):
            out += [one for one in _files(first) if one not in out]
    return out[:200]
