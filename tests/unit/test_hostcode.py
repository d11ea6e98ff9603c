"""Which of the host's files are laid over the image's code, as values; nothing is started here."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.fake_engine import FakeTarget
from tidegate.workflows.update import hostcode


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A project with an environment of its own, and with what is not to be laid anywhere."""
    for name in ("shop/models.py", ".venv/bin/python", "media/logo.png", "a:b/c"):
        path = tmp_path / "code" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    (tmp_path / "code/manage.py").write_text("")
    (tmp_path / "code/gone").symlink_to("nowhere")
    return tmp_path / "code"


def mounts(tree: Path, path: str = "", python: str = "python", own: tuple[str, ...] = ()) -> object:
    class Target(FakeTarget):
        source = str(tree)

        def image_path(self) -> str:
            return path

        def python(self, service: str = "") -> str:
            return python

        def mounted(self) -> list[str]:
            return list(own)

    found = hostcode.mounts(Target(tree.parent))
    return {inner: outer.removeprefix(str(tree)) for inner, outer in found.items()}


def test_the_whole_folder_where_no_environment_is_below_it(tree: Path) -> None:
    """A folder of programs on the PATH, the code's own `bin` too, is no environment."""
    assert mounts(tree) == {"/app": ""}
    assert mounts(tree, "/app/bin:/app/tools:/opt/venv/bin:/usr/bin", "/opt/venv/bin/python") == {
        "/app": ""
    }


def test_an_environment_below_the_code_is_not_copied(tree: Path) -> None:
    """All beside it is laid over the image's, entry by entry; what is gone, or can't be said, not.
    A volume of the service's own stays what it is."""
    laid = {"/app/manage.py": "/manage.py", "/app/media": "/media", "/app/shop": "/shop"}
    assert mounts(tree, python="/app/.venv/bin/python") == laid
    assert mounts(tree, "/app/.venv/bin:/usr/bin") == laid
    del laid["/app/media"]
    assert mounts(tree, "/app/.venv/bin", own=("/app/media", "/data")) == laid
    (tree / "shop/env").mkdir()
    assert mounts(tree, python="/app/shop/env/bin/python", own=("/app/media",)) == {
        "/app/.venv": "/.venv", "/app/manage.py": "/manage.py",
        "/app/shop/models.py": "/shop/models.py",
    }  # fmt: skip


def test_code_that_the_service_mounts_itself(tree: Path) -> None:
    """There the image's environment can be had as a copy only, unless the service has one there."""
    assert mounts(tree, "/app/.venv/bin", own=("/app",)) == {"/app": "", "/app/.venv": ""}
    assert mounts(tree, "/app/.venv/bin", own=("/app", "/app/.venv")) == {"/app": ""}


def test_what_is_new_is_seen(tree: Path) -> None:
    """The entries are those of the moment in which a container starts."""

    class Target(FakeTarget):
        source = str(tree)

        def image_path(self) -> str:
            return "/app/.venv/bin"

    code = hostcode.code(Target(tree.parent))
    (tree / "late.py").write_text("")
    assert "/app/late.py" in code.mounts()
