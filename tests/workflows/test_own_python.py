"""Which Python runs a project that has no containers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tidegate.errors import UsageProblem
from tidegate.workflows import ownpython
from tidegate.workflows.ownpython import own_python


def environment(place: Path, *packages: str) -> str:
    """Make a folder that looks like a virtual environment with packages in it."""
    python = place / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nexit 1\n", "utf-8")  # when it is asked, it has nothing
    python.chmod(0o755)
    for name in packages:
        (place / "lib" / "python3.12" / "site-packages" / name).mkdir(parents=True)
    return str(python)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "repository" / "backend"
    root.mkdir(parents=True)
    (root.parent / ".git").mkdir()
    (root / "manage.py").write_text("import django\n", "utf-8")
    return root


def test_the_first_one_with_the_framework(project: Path) -> None:
    """An active environment without it, as that of a tool, does not stand before the project's."""
    above = environment(project.parent / ".venv", "django")
    tool = environment(project.parent / "tool", "rich")
    active = {"VIRTUAL_ENV": str(Path(tool).parent.parent)}
    assert own_python(project, active) == above
    own = environment(project / "venv", "django")
    assert own_python(project, active) == own
    other = environment(project.parent / "other", "django")
    assert own_python(project, {"VIRTUAL_ENV": str(Path(other).parent.parent)}) == other


def test_a_manage_py_of_flask(project: Path) -> None:
    """Flask projects have a file of that name, too: theirs is Alembic's."""
    (project / "manage.py").write_text("from flask.cli import FlaskGroup\n", "utf-8")
    named = environment(project / ".venv", "alembic")
    assert own_python(project, {}, named) == named


def test_one_that_is_named(project: Path) -> None:
    """An environment's folder or its Python; one without the framework is refused by name."""
    environment(project / ".venv", "django")
    named = environment(project.parent / "named", "django")
    assert own_python(project, {}, named) == named
    assert own_python(project, {}, str(project.parent / "named")) == named
    bare = environment(project.parent / "bare")
    with pytest.raises(UsageProblem, match="has no Django"):
        own_python(project, {}, bare)


@pytest.mark.parametrize(
    ("file", "text", "tool", "answer"),
    [
        ("poetry.lock", "", "poetry", "{}"),
        ("pyproject.toml", "[tool.poetry]\n", "poetry", "{}"),
        ("Pipfile", "", "pipenv", "{}"),
        ("pdm.lock", "", "pdm", "{}/bin/python"),
        ("pyproject.toml", "[tool.pdm]\n", "pdm", "{}/bin/python"),
    ],
)
def test_one_that_a_tool_keeps_elsewhere(
    project: Path, monkeypatch: pytest.MonkeyPatch, file: str, text: str, tool: str, answer: str
) -> None:
    """The tool is asked where; Poetry and Pipenv name the folder, PDM the Python in it."""
    kept = environment(project.parent / "kept" / "shop-b8g9-py3.11", "django")
    (project / file).write_text(text, "utf-8")
    program = project.parent / "bin" / tool
    program.parent.mkdir()
    said = answer.format(Path(kept).parent.parent)
    program.write_text(f"#!/bin/sh\necho {said}\necho a warning >&2\nexit 1\n", "utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    assert own_python(project, {}) == kept


def test_without_any_it_says_how_one_is_made(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command is that of the tool whose lock file is there."""
    monkeypatch.setattr(sys, "executable", environment(project.parent / "ours"))
    monkeypatch.setattr(ownpython.shutil, "which", lambda name: sys.executable)
    monkeypatch.setattr(ownpython.importlib.util, "find_spec", lambda name: None)
    (project / "uv.lock").write_text("", "utf-8")
    with pytest.raises(UsageProblem) as raised:
        own_python(project, {})
    assert raised.value.what == f"no Python with Django was found for {project}"
    assert raised.value.next.splitlines()[0] == "make its environment: uv sync"
    (project / "uv.lock").unlink()
    (project / "pyproject.toml").write_text("[tool.poetry]\n", "utf-8")
    with pytest.raises(UsageProblem, match="no Python with Django") as raised:
        own_python(project, {})
    assert raised.value.next.splitlines()[0] == "make its environment: poetry install"
