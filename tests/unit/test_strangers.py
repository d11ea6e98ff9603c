"""Two folders whose projects have one name: neither takes the other's containers for its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from support.fake_engine import FakeTarget
from tidegate.container.report import Report
from tidegate.errors import PolicyRefused
from tidegate.targets import composefolder
from tidegate.targets.composeargs import Words
from tidegate.workflows.update import strangers


def project(folder: Path, *more: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "compose.yaml").write_text("\n".join([*more, "services: {}\n"]))
    return folder


def started(folder: Path) -> list[Mapping[str, Any]]:
    return [{"Config": {"Labels": {composefolder.PLACE: str(folder)}}}]


def test_another_folder_with_compose_files(tmp_path: Path) -> None:
    """It is named; one that is gone, one inside, one around and the same one by a link are not."""
    own = project(tmp_path / "a" / "shop")
    other = project(tmp_path / "b" / "shop")
    (tmp_path / "link").symlink_to(own)
    words = Words(("docker", "compose"), own)
    assert composefolder.stranger(words, started(other)) == str(other)
    project(own / "docker")
    for same in (own, own / "docker", tmp_path / "link", tmp_path / "a", tmp_path / "gone"):
        assert composefolder.stranger(words, started(same)) == "", same
    assert composefolder.stranger(words, []) == ""


@pytest.mark.parametrize(
    ("line", "env", "environ", "named"),
    [("", "", {}, False), ("name: shop", "", {}, True), ("", "COMPOSE_PROJECT_NAME=x", {}, True),
     ("", "A=1", {"COMPOSE_PROJECT_NAME": "x"}, True)],
)  # fmt: skip
def test_who_named_it(
    tmp_path: Path, line: str, env: str, environ: dict[str, str], named: bool
) -> None:
    """A name of the file, of the env file or of a variable is somebody's; a folder's is not."""
    own = project(tmp_path / "shop", line)
    (own / ".env").write_text(env)
    assert composefolder.is_named(Words(("docker", "compose"), own), environ) == named


def test_what_is_anothers_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Where the folder alone names both, it is refused; where a name was given, it is said."""
    target = FakeTarget(tmp_path)
    monkeypatch.setattr(FakeTarget, "stranger", lambda self: ("/srv/shop", False))
    with pytest.raises(PolicyRefused) as caught:
        strangers.refuse(target, Report())
    assert "were started from /srv/shop" in caught.value.what
    assert "COMPOSE_PROJECT_NAME" in caught.value.next
    monkeypatch.setattr(FakeTarget, "stranger", lambda self: ("/srv/shop", True))
    strangers.refuse(target, Report())
    assert "warning the containers of shop were started from /srv/shop" in capfd.readouterr().err
