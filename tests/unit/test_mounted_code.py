"""Code that lies on the host: an image says nothing of it, and going back does not change it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.fake_engine import FakeTarget
from tidegate.container.report import Report
from tidegate.contracts.target import Container, Service
from tidegate.errors import UpdateNotUndone
from tidegate.targets.composeservices import lying_over
from tidegate.workflows.update.differing import changed_code
from tidegate.workflows.update.state import State
from tidegate.workflows.update.story import up
from tidegate.workflows.update.updating import Update

STARTED = "2026-01-02T03:04:05.678901234Z"
MOMENT = 1767323045.0  # the same


def written(path: Path, after: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    os.utime(path, (MOMENT + after, MOMENT + after))


def changed(folder: Path, **more: object) -> str:
    service = Service("web", "shop", app=True, mounted=(str(folder),), **more)  # type: ignore[arg-type]
    container = Container("1", "web-1", "web", "sha256:1", "running", started=STARTED)
    return changed_code(service, [container])


def test_code_that_is_newer_than_its_process(tmp_path: Path) -> None:
    """A file of code that has changed since the start is found; what is no code, what packages
    bring and what is older is not, and a job has ended anyway."""
    written(tmp_path / "shop" / "models.py", -60)
    for other in ("shop/page.html", "shop/__pycache__/a.py", ".venv/b.py", "node_modules/c.py"):
        written(tmp_path / other, 60)
    assert changed(tmp_path) == ""
    written(tmp_path / "shop" / "views.py", 60)
    assert changed(tmp_path) == str(tmp_path / "shop" / "views.py")
    assert changed(tmp_path, once=True) == ""
    assert changed(tmp_path / "shop" / "gone") == ""


def test_which_mount_brings_the_code(tmp_path: Path) -> None:
    """The folder over the code's, or over one around it, where it holds the project."""
    written(tmp_path / "src" / "manage.py", 0)
    over = {"volumes": [{"type": "bind", "source": str(tmp_path), "target": "/app"}]}
    assert lying_over(over, "/app/src") == str(tmp_path)
    assert lying_over(over, "/srv/app") == ""
    assert (
        lying_over({"volumes": [{"type": "volume", "source": "x", "target": "/app"}]}, "/app") == ""
    )


def test_what_has_not_gone_back_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither release is well, and both are the same code: it is named, and an older image is not
    offered for it."""
    monkeypatch.setattr(FakeTarget, "code_here", lambda self: "/home/mei/shop")
    target = FakeTarget(tmp_path, sick=["one", "two"])
    state = State("shop", tmp_path, {"XDG_STATE_HOME": str(tmp_path / "state")})
    with pytest.raises(UpdateNotUndone) as caught:
        up(Update(target, state, Report("text", quiet=True), print, print))
    assert "web runs the code in /home/mei/shop, which is as it is" in caught.value.meaning
    assert caught.value.next.startswith("put the code back")
