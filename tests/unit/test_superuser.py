"""`superuser` without a person: what the command in the container says is understood."""

from __future__ import annotations

import sys

import pytest

from tidegate.errors import UsageProblem
from tidegate.frontends.cli.commands.superuser import _unattended
from tidegate.model.command import Command

ASKS = "import argparse; argparse.ArgumentParser().parse_args()"
DONE = "import sys; print('made'); print('warned', file=sys.stderr); sys.exit(int(sys.argv[1]))"


def test_a_command_of_the_projects_own_that_only_asks() -> None:
    """Its usage error becomes a word on what to type."""
    with pytest.raises(UsageProblem, match="does not take --noinput") as caught:
        _unattended(Command((sys.executable, "-c", ASKS, "--noinput")))
    assert "tidegate run -- manage.py createsuperuser" in caught.value.next


def test_any_other_end_is_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    """Both streams and the exit code are the command's own."""
    assert _unattended(Command((sys.executable, "-c", DONE, "2"))) == 2
    assert capfd.readouterr() == ("made\n", "warned\n")
