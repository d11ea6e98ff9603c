"""tidegate's own settings, where the project keeps its other ones."""

from __future__ import annotations

import tomllib

from tidegate.reading.project.project import ProjectFiles
from tidegate.workflows.init.detect import Found


def path(project: ProjectFiles) -> str:
    """Return the file for the settings: pyproject.toml where there is one."""
    return "pyproject.toml" if "pyproject.toml" in project.path_set else "tidegate.toml"


def there(project: ProjectFiles) -> str:
    """Say where the settings are already; empty where they are missing."""
    if "tidegate.toml" in project.path_set:
        return "it is there already"
    text = project.read("pyproject.toml")
    if text is None:
        return ""
    try:
        tools = tomllib.loads(text).get("tool", {})
    except tomllib.TOMLDecodeError as error:
        return f"it can't be read: {error}"
    return "it has [tool.tidegate] already" if "tidegate" in tools else ""


def settings(found: Found, project: ProjectFiles, composed: bool) -> str:
    """Return the settings that init can tell; `composed` says that the Compose file is ours."""
    prefix = "tool.tidegate" if path(project) == "pyproject.toml" else ""
    head = "# `tidegate settings` shows every setting, and where it comes from."
    lines = [f"[{prefix}]"] if prefix else [head]
    lines.append(f'framework = "{found.framework}"')
    if composed:
        lines += [
            "",
            _table(prefix, "compose"),
            'service = "web"  # its image holds the migrations',
        ]
        lines += ['database = "db"'] if found.database != "sqlite" else []
    lines += ["", _table(prefix, "check"), f'database = "{found.database}"']
    return "\n".join([*lines, ""])


def _table(prefix: str, name: str) -> str:
    return f"[{prefix}.{name}]" if prefix else f"[{name}]"
