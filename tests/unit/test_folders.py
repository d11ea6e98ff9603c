"""Where a framework's files are looked for."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path

import pytest

from tidegate.container.origin import agent, handed_on
from tidegate.model.folders import looked_in


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX")
def test_a_closed_folder_is_passed_by(tmp_path: Path):
    """A folder that this user may not read is no error: it is not looked into."""
    for name in ("app", "closed", ".git"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o755)
    tmp_path.chmod(0o755)
    (tmp_path / "closed").chmod(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads; the child does nothing
        child = os.fork()
    if child == 0:  # root is let in everywhere
        good = False
        try:
            os.chdir(tmp_path)
            if os.getuid() == 0:
                os.setuid(65534)
            good = [one.name for one in looked_in(Path())] == ["", "app"]
        finally:
            os._exit(0 if good else 1)
    _, status = os.waitpid(child, 0)
    (tmp_path / "closed").chmod(0o700)
    assert os.waitstatus_to_exitcode(status) == 0


def test_who_typed_it_is_told_to_the_container():
    """The user, the job and the mark of an agent are passed on, and nothing else."""
    environ = {"TIDEGATE_BY": "mei", "CI_JOB_URL": "https://ci/7", "AI_AGENT": "x", "SECRET": "s"}
    said = handed_on(environ)
    assert json.loads(said) == {"by": "mei", "ci": "https://ci/7", "agent": "x"}
    assert agent({"TIDEGATE_ORIGIN": said}) == "x"  # its word is no person's in there either
