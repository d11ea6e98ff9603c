"""What the tests of `plan` and `apply` share: the deployed database, the scratch server."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.gate import Database, Ended, Runner
from support.projects import SmallProject

FAR = "postgresql://no:no@127.0.0.1:1/none"


@dataclass
class Planned:
    """One run of `tidegate plan`, with the document that it wrote."""

    ended: Ended
    path: Path

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.path.read_text())
        return found

    def step(self, id: str) -> dict[str, Any]:
        return next(one for one in self.document["steps"] if one["id"] == id)

    def found(self, rule: str) -> list[dict[str, Any]]:
        return [one for one in self.document["findings"] if one["rule"] == rule]


@pytest.fixture
def plan(tidegate: Runner, servers: Callable[[str], Any], tmp_path: Path) -> Callable[..., Planned]:
    """Run `tidegate plan` of a project on the newest test server; embedded where asked."""

    def run(project: SmallProject, url: str = FAR, *flags: str, **more: Any) -> Planned:
        path = tmp_path / "plan.json"
        scratch = [] if more.pop("embedded", False) else ["--scratch", servers("newest").url()]
        env = {
            "DATABASE_URL": url,
            "TIDEGATE_LOCAL": "1",
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
            **more,
        }
        ended = tidegate("plan", "-o", str(path), *scratch, *flags, cwd=project.root, env=env,
                         timeout=90)  # fmt: skip
        return Planned(ended, path)

    return run


@pytest.fixture
def deployed(
    tidegate: Runner, fresh: Callable[[str], Database]
) -> Callable[[SmallProject, str], Database]:
    """Apply all steps that a project has now to a new database."""

    def make(project: SmallProject, which: str = "newest") -> Database:
        database = fresh(which)
        done = tidegate("migrate", cwd=project.root, env=database.environ)
        assert done.code == 0, done.said
        return database

    return make
