"""The project's own hooks for a new revision, in an image that lacks what they start."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.authoring.alembic_formatters import forgiving

write_hooks = pytest.importorskip("alembic.script.write_hooks")


def test_a_formatter_that_is_not_in_the_image(tmp_path: Path) -> None:
    """The revision stays as it was written, and what did not format it is named; one that is there
    runs as ever."""
    path = tmp_path / "aaaa_notes.py"
    path.write_text("revision = 'aaaa'\n")
    there = {"_hook_name": "own", "executable": "rm", "options": "REVISION_SCRIPT_FILENAME"}
    with forgiving() as said:
        for kind, more in (("exec", {"executable": "no-such-program"}),
                           ("console_scripts", {"entrypoint": "no-such-entry"})):  # fmt: skip
            write_hooks._invoke(kind, str(path), {"_hook_name": "ruff", **more})
        assert path.read_text() == "revision = 'aaaa'\n"
        write_hooks._invoke("exec", str(path), there)
    assert said[0] == "not formatted by the hook ruff: no-such-program is not here"
    assert said[1].startswith("not formatted by the hook ruff: Could not find")
    assert (len(said), path.exists()) == (2, False)
