"""Nothing prints into a stdout that project code could print into as well."""

from __future__ import annotations

import ast
from pathlib import Path

from tidegate.frontends.cli import commands


def test_verbs_that_load_the_project_answer():
    """A verb that diverts stdout gives its answer by `answer`: `print` would go to stderr."""
    diverting = 0
    for path in Path(commands.__path__[0]).glob("*.py"):
        calls = [
            node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
        ]
        if not any(one.arg == "loads" for call in calls for one in call.keywords):
            continue
        diverting += 1
        names = [call.func.id for call in calls if isinstance(call.func, ast.Name)]
        assert "print" not in names, f"{path.name} prints, and stdout is diverted there"
    assert diverting > 5
