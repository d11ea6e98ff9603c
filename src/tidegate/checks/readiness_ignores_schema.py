"""The health endpoint asks the database for 1 and nothing more.

It stays green while the schema is behind the code, or ahead of it, and every real request fails.
Let readiness compare the steps that the code needs with those that are applied; `tidegate status --check` and its health views do.
It is silent in projects that tidegate starts, since those do not serve before the schema is there.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import facts, words
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "info"
ERRORS = (r"column \"?[\w.]+\"? does not exist", r"UndefinedColumn")
PRINTED = 'column "total" does not exist'
WHEN = "after a deployment without its migration: healthy, and every page fails"
BAD = {
    "Dockerfile": 'FROM python:3.12\nWORKDIR /app\nCOPY . .\nCMD ["uvicorn", "shop:app"]\n',
    "compose.yaml": "services:\n  web:\n    build: .\n",
    "shop.py": 'def health(session):\n    session.execute("SELECT 1")\n    return {"ok": True}\n',
}
GOOD = {
    **BAD,
    "Dockerfile": BAD["Dockerfile"].replace('["uvicorn"', '["tidegate", "boot", "--", "uvicorn"'),
}
AT = "shop.py:1"
_NAMED = re.compile(r"def \w*(health|ready)\w*[\s\S]*SELECT 1", re.I)


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield health functions that only select 1."""
    services = list(facts.built(project))
    if not services or any(
        project.start(one).does(lambda w: words.program(w) == "tidegate") for one in services
    ):
        return
    for module in project.python:
        if not _NAMED.search(module.text):
            continue
        for node in ast.walk(module.tree) if module.tree is not None else ():
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or not re.search(
                r"health|ready", node.name
            ):
                continue
            source = ast.get_source_segment(module.text, node) or ""
            if re.search(r"SELECT 1\b", source, re.I) and not re.search(
                r"migrat|revision|version_num|schema", source, re.I
            ):
                yield Problem(
                    Place(module.path, node.lineno),
                    f"{node.name} asks the database for 1 only: it stays green while the schema is not what the code needs.",
                    "compare the applied steps too, or start with `tidegate boot -- COMMAND`, which does not serve before they are",
                    (services[0].place,),
                )
