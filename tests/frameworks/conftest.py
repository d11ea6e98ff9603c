"""What the tests of whole projects start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.gate import Runner
from support.trees import Tree


@pytest.fixture
def tree(tidegate: Runner, tmp_path: Path) -> Tree:
    """An empty project folder."""
    root = tmp_path / "app"
    root.mkdir()
    return Tree(root, tidegate, {})
