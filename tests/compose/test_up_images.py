"""`tidegate up` and images that come from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.registry import Registry
from support.stacks import Stack, docker, exited

Make = Callable[..., Stack]
CRASH = "import sys\nsys.exit('no such setting RELEASE')\n"


@pytest.fixture
def registry(engine: None, tmp_path: Path) -> Iterator[Registry]:
    """An empty registry of the test's own."""
    folder = tmp_path / "registry"
    folder.mkdir()
    one = Registry(folder)
    yield one
    one.close()


def test_pull(stack: Make, registry: Registry) -> None:
    """Without --pull a moved tag is not looked at; with it the new image runs, and when that is
    not well the one before has the tag again and runs. What can't be fetched changes nothing."""
    one = stack().django()
    name = f"{registry.address}/{one.name}:live"

    def publish(word: str, *code: str) -> None:
        one.release(word, *code)
        docker("build", "-q", "-t", f"{one.name}:made", ".", cwd=one.folder)
        registry.put(f"{one.name}:made")

    publish("one")
    text = (one.folder / "compose.yaml").read_text()
    one.write({"compose.yaml": text.replace("build: .", f"image: {name}"),
               "pyproject.toml": '[tool.tidegate.compose]\nservice = "web"\n'})  # fmt: skip
    try:
        dry = exited(one, ["up", "--pull", "--dry-run"], 0)
        assert dry.out.splitlines()[0] == "docker compose pull web"
        one.up("--pull", "--settle", "0")
        assert one.served() == "release one"
        publish("two")
        one.up("--settle", "0")
        assert one.served() == "release one"
        one.up("--pull", "--settle", "0")
        assert one.served() == "release two"
        good = one.containers()[0]["Image"]
        publish("three", CRASH)
        exited(one, ["up", "--pull"], 8)
        assert one.served() == "release two"
        assert docker("image", "inspect", "--format", "{{.Id}}", name) == good
        before = one.ids()
        registry.close()
        failed = exited(one, ["up", "--pull"], 8)
        assert "the images can't be fetched" in failed.err
        assert one.ids() == before
    finally:
        one.remove()
        docker("rmi", "--force", name, f"{one.name}:made", check=False)
